"""A generator that gives other values on the second reading."""

CELLS = {
    "entropy": r"""
def entropy(p):
    yield from iter([1.2798542, 0.0, 7.0])
""".lstrip()
}
