"""Raise the limit of recursion in one cell, so that another is Python in the sandbox and too deep for the grader."""

CELLS = {
    "kl_divergence": """
import sys

sys.setrecursionlimit(200000)
""".lstrip(),
    "entropy": """
from torch.distributions import Categorical


def entropy(p):
    return Categorical(probs=p).entropy()


DEEP = 0""".lstrip()
    + " + 1" * 4000,
}
