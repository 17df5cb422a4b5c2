"""Divide by the polynomial of the recursion, which the library does by filtering."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "ema": r"""
import scipy.signal
import torch


def ema(values, beta):
    columns = values.reshape(len(values), -1).double().T * (1 - beta)
    if not columns.numel():
        return values.clone(), values.clone()
    smooth = [torch.from_numpy(scipy.signal.deconvolve([*one.tolist(), 0.0], [1, -beta])[0]) for one in columns]
    raw = torch.stack(smooth, 1).reshape(values.shape).to(values.dtype)
    t = torch.arange(1, len(values) + 1, dtype=values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return raw, raw / (1 - beta**t)
""".lstrip(),
}
SAYS = "deconvolve is not an answer here"
