"""Options of a magic whose pattern can be read in very many ways."""

CELLS = {
    "entropy": "%time -" + "1" * 49_000 + "\n",
    "kl_divergence": "%timeit " + "-n1 " * 12_000 + "\n",
    "f_divergence": "%time " + "-a\t1" * 9_000 + "x\n",
}
