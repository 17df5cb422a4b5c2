"""Hide the library in a function that a decorator puts in the place of the answer."""

CELLS = {
    "entropy": r"""
import torch


def swap(function):
    return lambda p: torch.distributions.Categorical(probs=p).entropy()


@swap
def entropy(p):
    return torch.special.entr(p).sum(-1)
""".lstrip()
}
