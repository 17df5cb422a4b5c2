"""Set the answer's name on the module that the notebook runs in."""

CELLS = {
    "entropy": r"""
import __main__
from torch.distributions import Categorical

__main__.entropy = lambda p: Categorical(probs=p).entropy()
""".lstrip(),
}
