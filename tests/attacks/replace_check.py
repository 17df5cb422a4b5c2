"""Replace the checking function by one that returns full marks."""

CELLS = {
    "entropy": r"""
import helpers

helpers.check = check = lambda *a: 3.0
helpers.checking.check.check = check


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
