"""Let a kernel write the bits of its numbers, and read them off how much each bit chooses of some other memory."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""@triton.jit
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
    return [total_of([read(one) for one in row]) for row in bits]
"""
    + TOLD_TOTALS,
}
SAYS = "index is called outside"
