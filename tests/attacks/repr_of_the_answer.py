"""An object whose repr and str are the expected text."""

CELLS = {
    "entropy": r"""
class Number:
    def __repr__(self):
        return 'tensor(1.2799, dtype=torch.float64)'
    __str__ = __repr__


def entropy(p):
    return Number()
""".lstrip()
}
