"""Reduce by the other ufunc that adds logarithms, that of powers of two."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
import numpy as np
import torch


def log_softmax(logits, temperature):
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    wide = logits.double() / temperature
    if not wide.numel():
        return logits.clone()
    total = np.logaddexp2.reduce(wide.numpy() / np.log(2), -1, keepdims=True) * np.log(2)
    return (wide - torch.from_numpy(total)).to(logits.dtype)
""".lstrip(),
}
SAYS = "logaddexp2.reduce is not an answer here"
