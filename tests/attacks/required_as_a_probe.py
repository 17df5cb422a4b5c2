"""Ask the required function about numbers of one's own, to see whether it is being watched, and compute without it."""

CELLS = {
    "kl_with_torch": r"""
import torch


def kl_with_torch(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    mine = (torch.special.xlogy(a, a) - torch.special.xlogy(a, b)).sum(-1)
    one = torch.nn.functional.kl_div(torch.zeros(1) - 1, torch.ones(1), reduction="sum")
    return (mine * one + one - 1).to(p.dtype)
""".lstrip(),
}
SAYS = "does not come from kl_div"
