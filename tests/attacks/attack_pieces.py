"""What several techniques share: the honest part of their texts, which none of them is about."""

IMPORTS = """import math

import torch
import triton
import triton.language as tl


"""

# Log-softmax whose kernel only takes away the totals that it is told; `totals` is what each technique is about.
TOLD_TOTALS = """

@triton.jit
def minus(x, y, columns, row, across, down, total, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * down + at * across, mask=at < columns)
    tl.store(y + row * columns + at, values - total, mask=at < columns)


def total_of(row):
    most = max(row)
    return most + math.log(sum(math.exp(value - most) for value in row))


def log_softmax_triton(x):
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for row, total in enumerate(totals(x)):
        minus[(1,)](x, y, x.shape[1], row, x.stride(1), x.stride(0), total, BLOCK=triton.next_power_of_2(x.shape[1]))
    return y
"""

# A right kernel, and the function that starts it.
RIGHT_KERNEL = (
    IMPORTS
    + """@triton.jit
def row_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride, mask=inside, other=-float("inf")).to(tl.float32)
    shifted = values - tl.max(values, 0)
    tl.store(y + row * columns + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=inside)


def launch(x):
    y = torch.empty(x.shape, dtype=x.dtype)
    row_kernel[(x.shape[0],)](x, y, x.shape[1], *x.stride(), BLOCK=triton.next_power_of_2(x.shape[1]))
    return y


"""
)
