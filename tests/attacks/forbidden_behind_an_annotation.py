"""Annotate the answer's name below the library's result, so that the last statement with that name binds nothing."""

CELLS = {
    "entropy": r"""
from torch.distributions import Categorical


def entropy(p):
    return Categorical(probs=p).entropy()


entropy: object
""".lstrip(),
}
