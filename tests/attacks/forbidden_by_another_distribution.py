"""Use another class of the forbidden library, and go back from its perplexity."""

CELLS = {
    "entropy": r"""
import torch


def entropy(p):
    return torch.distributions.OneHotCategorical(probs=p).perplexity().log()
""".lstrip(),
}
