"""Read the numbers out of the text that a tensor is printed as."""

from tests.attacks.attack_pieces import IMPORTS, TOLD_TOTALS

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": IMPORTS
    + r"""def totals(x):
    torch.set_printoptions(precision=17, threshold=10**9, linewidth=10**9, sci_mode=True)
    text = repr(x.float().contiguous())
    rows = text[text.index("[") : text.rindex("]") + 1].replace(" ", "").replace("\n", "")
    return [total_of([float(one) for one in row.strip("[]").split(",")]) for row in rows.strip("[]").split("],[")]
"""
    + TOLD_TOTALS,
}
