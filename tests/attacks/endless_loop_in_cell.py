"""Never end a cell."""

CELLS = {
    "entropy": r"""
def entropy(p):
    return p.sum(-1) * 0 + 1.0

while True:
    pass
""".lstrip()
}

SAYS = "did not end in time"
