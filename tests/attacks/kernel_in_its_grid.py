"""Do the arithmetic in the function that says how many programs there are."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": r"""
import math

import torch
import triton
import triton.language as tl


@triton.jit
def touch(y):
    tl.store(y, tl.load(y))


def by_hand(x, y):
    most = x.amax(-1, keepdim=True)
    total = (torch.e ** (x - most).double()).sum(-1, keepdim=True)
    guess = total * 0
    for _ in range(40):
        guess = guess + total / torch.e**guess - 1
    y.copy_(x.double() - most - guess)
    return (1,)


def log_softmax_triton(x):
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    touch[lambda meta: by_hand(x, y)](y)
    return y
""".lstrip(),
}
SAYS = "is called outside of a kernel"
