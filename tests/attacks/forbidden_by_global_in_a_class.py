"""Bind the answer's name from the body of a class that declares it global."""

CELLS = {
    "entropy": r"""
from torch.distributions import Categorical


class Binding:
    global entropy

    def entropy(p):
        return Categorical(probs=p).entropy()
""".lstrip(),
}
