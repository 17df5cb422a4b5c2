"""Thousands of magics in one cell: IPython reads the whole cell anew for each."""

CELLS = {"entropy": "x = %a\n" * 6000, "kl_divergence": "x?\r" * 12000, "f_divergence": "!ls\n" * 12000}
