"""Change a library in the cell of another exercise, so that a text which breaks no rule calls something else."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return torch.special.entr(p)
""".lstrip(),
    "kl_divergence": r"""
import torch
from torch.distributions import Categorical

for _ in map(setattr, [torch.special], ["entr"], [lambda p: Categorical(probs=p).entropy()]):
    pass


def kl_divergence(p, q):
    return p.sum(-1)
""".lstrip(),
}
