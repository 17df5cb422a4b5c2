"""Reduce by the ufunc that adds logarithms."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
import numpy as np
import torch


def log_softmax(x, temperature=1.0):
    z = (x / temperature).double()
    add = np.logaddexp
    total = add.reduce(z.detach().numpy(), axis=-1, keepdims=True)
    return (z - torch.from_numpy(total)).to(x.dtype)
""".lstrip(),
}
SAYS = "logaddexp.reduce is not an answer here"
