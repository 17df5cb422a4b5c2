"""Take an attribute out of a module by a keyword of a class pattern, where no attribute is written."""

CELLS = {
    "kl_divergence": r"""
import torch

match torch.nn.functional:
    case object(kl_div=ready_made):
        pass


def kl_divergence(p, q):
    log_q = torch.where(p > 0, q, 1.0).log()
    return ready_made(log_q, p, reduction="none").sum(-1)
""".lstrip(),
}
