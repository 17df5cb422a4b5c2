"""Call the library where the exercise forbids it, by a computed name."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return getattr(torch.distributions, 'Cat' + 'egorical')(probs=p).entropy()
""".lstrip()
}
