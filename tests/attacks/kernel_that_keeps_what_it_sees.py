"""Keep what a kernel sees in a list of the host, and do the arithmetic on that."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": r"""
import math
import torch
import triton
import triton.language as tl

SEEN = []


@triton.jit
def tell(x, columns, row, across, down, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * down + at * across, mask=at < columns)
    SEEN.append(str(values.to(tl.float64)))


def totals(x):
    out = []
    for row in range(len(x)):
        text = (
            tell[(1,)](x, x.shape[1], row, x.stride(1), x.stride(0), BLOCK=triton.next_power_of_2(x.shape[1])),
            SEEN[-1],
        )[1]
        out.append(total_of([float(one) for one in text.strip("[]").split()][: x.shape[1]]))
    return out


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
""".lstrip(),
}
SAYS = "SEEN stands inside a kernel"
