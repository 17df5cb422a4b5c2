"""Call the library where the exercise forbids it, in a text."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return eval('torch.distributions.Categorical(probs=p).entropy()')
""".lstrip()
}
