"""Read the numbers as an array by the name that NumPy asks for."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""def totals(x):
    return [total_of(list(map(float, row))) for row in x.float().__array__()]
"""
    + TOLD_TOTALS,
}
SAYS = "__array__ reads numbers"
