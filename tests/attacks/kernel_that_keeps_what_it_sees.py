"""Keep what a kernel sees in a list of the host, and do the arithmetic on that."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""SEEN = []


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
"""
    + TOLD_TOTALS,
}
SAYS = "SEEN stands inside a kernel"
