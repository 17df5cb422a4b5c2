"""A proxy that takes the type and the value of whatever it is compared with."""

CELLS = {
    "entropy": r"""
import torch


class Proxy:
    __class__ = torch.Tensor
    def __getattr__(self, name):
        return lambda *a, **k: self


def entropy(p):
    return Proxy()
""".lstrip()
}
