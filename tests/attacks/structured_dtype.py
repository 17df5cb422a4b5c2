"""Return a structured array."""

CELLS = {
    "entropy": r"""
import numpy as np


def entropy(p):
    return np.zeros(1, dtype=[('value', 'f8'), ('code', 'O')])
""".lstrip()
}
