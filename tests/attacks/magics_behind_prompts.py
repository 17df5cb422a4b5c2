"""Prompts before each magic, so that counting magics does not see them, and each is read with the whole cell."""

CELLS = {
    "entropy": ">>> %a\n" * 6_000,
    "kl_divergence": "In [1]: %a\n" * 4_000,
    "f_divergence": "... %a\n>>> !ls\n" * 3_000,
}
SAYS = "takes longer"
