"""Let a kernel write the bits of its numbers as whole numbers, and read those."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""@triton.jit
def bits(x, i, columns, row, across, down, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    values = tl.load(x + row * down + at * across, mask=at < columns).to(tl.float64)
    tl.store(i + row * columns + at, values.to(tl.int64, bitcast=True), mask=at < columns)


def decoded(n):
    exponent, rest = n >> 52 & 2047, n & (1 << 52) - 1
    if exponent == 2047:
        return -math.inf
    size = math.ldexp(rest + (1 << 52), exponent - 1075) if exponent else math.ldexp(rest, -1074)
    return -size if n < 0 else size


def totals(x):
    i = torch.empty(x.shape, dtype=torch.int64)
    for row in range(len(x)):
        bits[(1,)](x, i, x.shape[1], row, x.stride(1), x.stride(0), BLOCK=triton.next_power_of_2(x.shape[1]))
    return [total_of([decoded(n) for n in row]) for row in i.tolist()]
"""
    + TOLD_TOTALS,
}
SAYS = "tolist reads numbers"
