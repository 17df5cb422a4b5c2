"""Display a hundred thousand messages."""

CELLS = {
    "entropy": r"""
for number in range(100_000):
    display(number)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
