"""Reach getattr through a built-in function's own module."""

CELLS = {
    "entropy": r"""
import torch

get = print.__self__.getattr


def entropy(p):
    return get(get(torch.distributions, "Cate" + "gorical")(probs=p), "ent" + "ropy")()
""".lstrip(),
}
