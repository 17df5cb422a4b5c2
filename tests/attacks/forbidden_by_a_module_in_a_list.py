"""Hand modules on in a list, and ask for what they hold by a name that is one's own, too."""

CELLS = {
    "kl_divergence": r"""
import torch


class Own:
    def kl_div(self):
        return 0


modules = [torch.nn.functional]


def kl_divergence(p, q):
    log_q = torch.where(p > 0, q, 1.0).log()
    return modules[0].kl_div(log_q, p, reduction="none").sum(-1)
""".lstrip(),
}
