"""Read the numbers as a list, take the logarithm of the sum outside, and tell it to a kernel as a scalar."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""def totals(x):
    return [total_of(row) for row in x.tolist()]
"""
    + TOLD_TOTALS,
}
SAYS = "tolist reads numbers"
