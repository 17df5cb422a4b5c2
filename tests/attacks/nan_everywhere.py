"""Return NaN, for a comparison written as `not (difference > tolerance)`."""

CELLS = {
    "entropy": r"""
def entropy(p):
    return p.sum(-1) * float('nan')
""".lstrip()
}
