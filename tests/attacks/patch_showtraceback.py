"""Swallow every error: patch IPython's `showtraceback`."""

CELLS = {
    "entropy": r"""
from IPython.core.interactiveshell import InteractiveShell

InteractiveShell.showtraceback = lambda *a, **k: None


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
