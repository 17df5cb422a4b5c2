"""Return an array of objects with code in their conversion."""

CELLS = {
    "entropy": r"""
import numpy as np


class Bomb:
    def __float__(self):
        raise SystemExit
    def __reduce__(self):
        return (eval, ('3.0',))


def entropy(p):
    return np.array([Bomb()], dtype=object)
""".lstrip()
}
