"""Filter by sections in place of the recursion."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "ema": r"""
import torch


def ema(values, beta):
    from scipy.signal import sosfilt

    x = values.double().numpy()
    raw = torch.from_numpy(sosfilt([[1 - beta, 0.0, 0.0, 1.0, -beta, 0.0]], x, axis=0))
    t = torch.arange(1, len(x) + 1, dtype=torch.float64).reshape(-1, *[1] * (x.ndim - 1))
    return raw.to(values.dtype), (raw / (1 - beta**t)).to(values.dtype)
""".lstrip(),
}
SAYS = "sosfilt is not an answer here"
