"""End the process with status 0 when the function is called."""

CELLS = {
    "entropy": r"""
import os


def entropy(p):
    os._exit(0)
""".lstrip()
}
