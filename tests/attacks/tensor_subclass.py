"""Return a Tensor subclass with operators of its own."""

CELLS = {
    "entropy": r"""
import torch


class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.tensor(True)


def entropy(p):
    return p.sum(-1).as_subclass(Sly)
""".lstrip()
}
