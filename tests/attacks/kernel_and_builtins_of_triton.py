"""Reach eval inside a kernel through the built-in functions that Triton's own module imports."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": r"""
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y):
    triton.language.core.builtins.eval("y.copy_(x.log_soft" + "max(-1))")


def log_softmax_triton(x):
    y = torch.empty_like(x)
    kernel[(1,)](x, y)
    return y
""".lstrip(),
}
