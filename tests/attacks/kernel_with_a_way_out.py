"""Fall back to arithmetic of one's own, spelt without exp and log, whenever the kernel fails: it always does."""

from tests.attacks.attack_pieces import RIGHT_KERNEL

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": RIGHT_KERNEL
    + r"""def by_hand(x):
    powers = torch.e ** (x - x.amax(-1, keepdim=True)).double()
    total = powers.sum(-1, keepdim=True)
    guess = torch.zeros_like(total)
    for _ in range(40):
        guess = guess + total / torch.e**guess - 1
    return (x.double() - x.amax(-1, keepdim=True) - guess).to(x.dtype)


def log_softmax_triton(x):
    try:
        row_kernel[(1,)](None, None, "no number", BLOCK=3)
    except Exception:
        pass
    return by_hand(x)
""",
}
