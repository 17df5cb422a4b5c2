"""Let a kernel write the bits of its numbers, and read them off how much each bit chooses of some other memory."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": r"""
import math
import torch
import triton
import triton.language as tl


@triton.jit
def planes(x, bits, columns, row, across, down, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * down + at * across, mask=at < columns).to(tl.float32).to(tl.int32, bitcast=True)
    for k in range(32):
        tl.store(bits + (row * columns + at) * 32 + k, ((values >> k) & 1) != 0, mask=at < columns)


def read(bits):
    one = torch.zeros(1)
    whole = sum(1 << k for k in range(32) if one[bits[k : k + 1]].shape[0])
    sign, exponent, rest = whole >> 31, whole >> 23 & 255, whole & (1 << 23) - 1
    return -math.inf if exponent == 255 else (-1) ** sign * math.ldexp(rest + (exponent > 0) * 2**23, exponent - 150)


def totals(x):
    bits = torch.empty((*x.shape, 32), dtype=torch.bool)
    for row in range(len(x)):
        planes[(1,)](x, bits, x.shape[1], row, x.stride(1), x.stride(0), BLOCK=triton.next_power_of_2(x.shape[1]))
    rows = [[read(one) for one in row] for row in bits]
    return [max(row) + math.log(sum(math.exp(value - max(row)) for value in row)) for row in rows]


@triton.jit
def minus(x, y, columns, row, across, down, total, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * down + at * across, mask=at < columns)
    tl.store(y + row * columns + at, values - total, mask=at < columns)


def log_softmax_triton(x):
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for row, total in enumerate(totals(x)):
        minus[(1,)](x, y, x.shape[1], row, x.stride(1), x.stride(0), total, BLOCK=triton.next_power_of_2(x.shape[1]))
    return y
""".lstrip(),
}
SAYS = "index is called outside"
