"""Have each number visited by a function of the host's."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""def totals(x):
    seen = []
    x.float().clone().contiguous().apply_(lambda value: seen.append(value) or value)
    n = x.shape[1]
    return [total_of(seen[n * row : n * row + n]) for row in range(len(x))]
"""
    + TOLD_TOTALS,
}
SAYS = "apply_ reads numbers"
