"""Call the library where the exercise forbids it, under another name."""

CELLS = {
    "entropy": r"""
import torch


from torch.distributions import Categorical as Honest

work = Honest


def entropy(p):
    return work(probs=p).entropy()
""".lstrip()
}
