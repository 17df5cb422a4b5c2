"""Have functools evaluate an annotation, a text in which the library's function is fetched."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "ema": r"""
import functools

import torch

FETCHED = []


@functools.singledispatch
def fetch(kind):
    return kind


def ema(values, beta):
    def for_integers(kind: "FETCHED.append(__import__('scipy.signal').signal.lfilter) or int"):
        return kind

    fetch.register(for_integers)
    raw = torch.from_numpy(FETCHED[0]([1 - beta], [1, -beta], values.numpy(), axis=0)).to(values.dtype)
    t = torch.arange(1, len(values) + 1, dtype=values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return raw, raw / (1 - beta**t)
""".lstrip(),
}
SAYS = "functools.singledispatch cannot be read"
