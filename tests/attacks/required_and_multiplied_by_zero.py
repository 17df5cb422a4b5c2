"""Call the required function, and let nothing of it into the answer: its value by itself, less itself."""

CELLS = {
    "kl_with_torch": r"""
import torch
import torch.nn.functional as F


def kl_with_torch(p, q):
    a, b = p.double(), q.double()
    used = F.kl_div(b.log(), a, reduction="none").sum(-1)
    own = (torch.xlogy(a, a) - torch.xlogy(a, b)).sum(-1)
    return (own + 0 * used).to(p.dtype)
""".lstrip(),
}
SAYS = "does not come from kl_div"
