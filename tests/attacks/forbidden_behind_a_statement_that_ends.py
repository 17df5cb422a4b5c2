"""Leave the cell before an honest definition, which is read, and never runs."""

CELLS = {
    "entropy": r"""
from torch.distributions import Categorical


def entropy(p):
    return Categorical(probs=p).entropy()


raise SystemExit


def entropy(p):
    return p
""".lstrip(),
}
