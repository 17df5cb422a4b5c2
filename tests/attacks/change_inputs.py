"""Overwrite the inputs so that a reference which shared them would agree."""

CELLS = {
    "entropy": r"""
def entropy(p):
    p.zero_()
    p[..., 0] = 1
    return p.sum(-1) * 0
""".lstrip()
}
