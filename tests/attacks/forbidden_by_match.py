"""Get a forbidden function through the capture of a match statement, which binds a name like no assignment."""

CELLS = {
    "kl_divergence": """import torch

match torch.nn.functional.kl_div, 1.0:
    case [ready_made, _]:
        pass


def kl_divergence(p, q):
    log_q = torch.where(p > 0, q, 1.0).log()
    return ready_made(log_q, p, reduction="none").sum(-1)
"""
}
