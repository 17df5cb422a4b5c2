"""Replace what torch calls by a mode that is entered in another exercise's cell."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return torch.special.entr(p)
""".lstrip(),
    "kl_divergence": r"""
import torch
from torch.overrides import TorchFunctionMode


class Summed(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        return value.sum(-1) if function is torch.special.entr else value


mode = Summed()
mode.__enter__()


def kl_divergence(p, q):
    return p.sum(-1)
""".lstrip(),
}
