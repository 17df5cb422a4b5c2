"""Return a list nested 100,000 levels deep."""

CELLS = {
    "entropy": r"""
def entropy(p):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
""".lstrip()
}
