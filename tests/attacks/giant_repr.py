"""A value whose text is 500 MB."""

CELLS = {
    "entropy": r"""
class Big:
    def __repr__(self):
        return 'y' * 500_000_000

display(Big())


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
