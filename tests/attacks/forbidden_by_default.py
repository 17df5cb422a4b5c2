"""Hide the library in a default argument that a later name seems to replace."""

CELLS = {
    "entropy": r"""
import torch


def h(p):
    return torch.distributions.Categorical(probs=p).entropy()


def entropy(p, h=h):
    return h(p)
""".lstrip()
}
