"""Replace the process by another program."""

CELLS = {
    "entropy": r"""
import os


def entropy(p):
    os.execv('/usr/bin/env', ['env', 'echo', '3.0'])
""".lstrip()
}
