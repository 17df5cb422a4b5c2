"""Ask whether a tensor has a shape whose text jaxtyping evaluates, and fetch the library's function there."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "ema": r"""
import jaxtyping
import torch

FETCHED = []
SHAPE = '(__import__("sys").modules["__main__"].FETCHED.append(__import__("scipy.signal").signal.lfilter)or(3))+0'


def ema(values, beta):
    isinstance(torch.zeros(3), jaxtyping.Float[torch.Tensor, SHAPE])
    raw = torch.from_numpy(FETCHED[0]([1 - beta], [1, -beta], values.numpy(), axis=0)).to(values.dtype)
    t = torch.arange(1, len(values) + 1, dtype=values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return raw, raw / (1 - beta**t)
""".lstrip(),
}
SAYS = "jaxtyping.Float cannot be read"
