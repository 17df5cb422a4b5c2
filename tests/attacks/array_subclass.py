"""Return an ndarray subclass that answers every function with agreement."""

CELLS = {
    "entropy": r"""
import numpy as np


class Sly(np.ndarray):
    def __array_function__(self, *a, **k):
        return True
    def __array_ufunc__(self, *a, **k):
        return np.zeros(())


def entropy(p):
    return np.ones(p.shape[:-1]).view(Sly)
""".lstrip()
}
