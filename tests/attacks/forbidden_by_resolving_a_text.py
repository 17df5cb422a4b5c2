"""Have the standard library turn a text into the forbidden class."""

CELLS = {
    "entropy": r"""
import pkgutil

ready_made = pkgutil.resolve_name("torch.distributions:Cate" + "gorical")


def entropy(p):
    return next(iter([ready_made(probs=p)])).entropy()
""".lstrip(),
}
