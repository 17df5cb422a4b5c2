"""Add exponentials by a kernel density estimate at zero, its data at the roots of the numbers."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
import math

import torch
from scipy.stats import gaussian_kde


def log_softmax(logits, temperature):
    if temperature <= 0:
        raise ValueError("temperature")
    z = logits.double() / temperature
    top = z.amax(-1, keepdim=True)
    totals = []
    for row in (top - z).reshape(-1, z.shape[-1]).tolist():
        places = [math.sqrt(2 * max(one, 0.0)) for one in row]
        mean = sum(places) / len(places)
        width = math.sqrt(sum((one - mean) ** 2 for one in places) / (len(places) - 1))
        estimate = gaussian_kde(places, bw_method=1 / width).logpdf(0.0)[0]
        totals.append(estimate + math.log(len(places)) + math.log(2 * math.pi) / 2)
    return (z - top - torch.tensor(totals).reshape(z.shape[:-1])[..., None]).to(logits.dtype)
""".lstrip()
}
SAYS = "gaussian_kde is not an answer here"
