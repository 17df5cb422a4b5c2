"""Close the channel."""

CELLS = {
    "entropy": r"""
import os


def entropy(p):
    os.closerange(3, 64)
    return 1.0
""".lstrip()
}

SAYS = "process ended"
