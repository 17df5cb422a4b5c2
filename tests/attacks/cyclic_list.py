"""Return a list that contains itself."""

CELLS = {
    "entropy": r"""
def entropy(p):
    value = [1.0]
    value.append(value)
    return value
""".lstrip()
}
