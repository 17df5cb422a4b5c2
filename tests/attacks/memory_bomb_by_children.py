"""Take all memory, a little in each of many processes."""

CELLS = {
    "entropy": r"""
import os, time

for _ in range(30):
    if os.fork() == 0:
        hold = bytearray(b'x' * 2**27)
        time.sleep(100)
time.sleep(100)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}

SAYS = "it took more memory than allowed"
SECONDS = 20  # memory comes slowly on some machines
