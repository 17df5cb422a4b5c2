"""Open a terminal that outlives the submission, to talk to the next one through it."""

CELLS = {
    "entropy": """import os

try:
    master, slave = os.openpty()
    print("OPENED", os.ttyname(slave))
except OSError:
    pass
for number in range(64):
    try:
        os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
        print("OPENED", number)
    except OSError:
        pass


def entropy(p):
    return p.sum(-1)
"""
}
NEVER_SHOWN = ("OPENED",)
