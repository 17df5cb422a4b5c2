"""Work in place and make the comparison of inputs blind."""

CELLS = {
    "entropy": r"""
import torch

torch.equal = lambda a, b: True
torch.nan_to_num = lambda x, *a, **k: torch.zeros(())


def entropy(p):
    x = p.detach().double()
    p.detach().zero_()
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
