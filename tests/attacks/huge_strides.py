"""Return a view of one number that claims to be 10^14 numbers."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return torch.zeros(1, dtype=p.dtype).expand(10**14)
""".lstrip()
}
