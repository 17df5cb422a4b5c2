"""End the process, or send more than it takes, in the one call that is made of the whole notebook."""

CELLS = {
    "entropy": r"""
import os


def entropy(p):
    return p.sum(-1) * 0 + 1.0


globals()["entropy"] = lambda p: os._exit(3)
""".lstrip(),
    "kl_divergence": 'globals()["kl_divergence"] = lambda p, q: [p] * 10**6\n',
}
