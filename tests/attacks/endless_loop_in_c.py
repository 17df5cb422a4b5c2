"""Never end a call, inside one call of C."""

CELLS = {
    "entropy": r"""
def entropy(p):
    return sum(range(10**15))
""".lstrip()
}
