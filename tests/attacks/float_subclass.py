"""Return a float whose comparisons and conversions lie."""

CELLS = {
    "entropy": r"""
class Close(float):
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0.0
    def __rsub__(self, other):
        return 0.0
    def __float__(self):
        return 1.2798542


def entropy(p):
    return Close(7)
""".lstrip()
}
