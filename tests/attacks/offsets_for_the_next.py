"""Move the positions in the files that the warm process has open, as its fonts, and lock them: forks share them."""

CELLS = {
    "entropy": """import fcntl
import os

for number in range(3, 64):
    try:
        os.lseek(number, 4321, os.SEEK_SET)
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.fcntl(number, fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT)
    except OSError:
        pass


def entropy(p):
    return p.sum(-1)
"""
}
THEN = """import fcntl
import os

import matplotlib.pyplot as plt

moved = []
for number in range(3, 64):
    try:
        if os.lseek(number, 0, os.SEEK_CUR) == 4321 or fcntl.fcntl(number, fcntl.F_GETFL) & os.O_DIRECT:
            moved.append(number)
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(number, fcntl.LOCK_UN)
    except BlockingIOError:
        moved.append(number)
    except OSError:
        pass
print("MOVED", moved)
plt.title("$x^3$ and letters")
"""
THEN_SHOWS = "MOVED []"
