"""Return infinity, for a comparison that divides by the answer."""

CELLS = {
    "entropy": r"""
def entropy(p):
    return p.sum(-1) * float('inf')
""".lstrip()
}
