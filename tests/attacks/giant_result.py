"""Return a result of 10^8 numbers."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return torch.zeros(10**8, dtype=torch.uint8)
""".lstrip()
}
