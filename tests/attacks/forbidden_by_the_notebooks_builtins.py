"""Reach eval by a name that every module has, and no statement defines."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "ema": r"""
import torch


def ema(values, beta):
    smooth = __builtins__.eval("__import__('scipy.signal').signal.lfilter")
    raw = torch.from_numpy(smooth([1 - beta], [1, -beta], values.numpy(), axis=0)).to(values.dtype)
    t = torch.arange(1, len(values) + 1, dtype=values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return raw, raw / (1 - beta**t)
""".lstrip(),
}
SAYS = "__builtins__ cannot be read"
