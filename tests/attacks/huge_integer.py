"""Return an integer of a million digits."""

CELLS = {
    "entropy": r"""
def entropy(p):
    return 10 ** 1_000_000
""".lstrip()
}
