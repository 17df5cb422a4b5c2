"""End the process with status 0 while a cell runs."""

CELLS = {
    "entropy": r"""
import os

def entropy(p):
    return p.sum(-1) * 0 + 1.0

os._exit(0)
""".lstrip()
}
