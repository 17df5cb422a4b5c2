"""Make a right answer out of a text that nobody reads: what runs has been read, and so there is no answer."""

CELLS = {
    "entropy": r"""
import torch

exec("def entropy(p):\n    return torch.special.entr(p.double()).sum(-1).to(p.dtype)\n")
""".lstrip(),
}
SAYS = "when the whole notebook has run"
