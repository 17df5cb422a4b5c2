"""Answer with the closed form and noise of the right size, where an estimate from samples is asked for."""

NOTEBOOK = "05-gaussian-kl-monte-carlo"
CELLS = {
    "kl_monte_carlo": r"""
import math

import torch


def kl_monte_carlo(mu1, sigma1, mu2, sigma2, n, generator):
    d = mu1 - mu2
    b, c = sigma1 * d / sigma2**2, (sigma1**2 / sigma2**2 - 1) / 2
    mean = math.log(sigma2 / sigma1) + (sigma1**2 + d**2) / (2 * sigma2**2) - 0.5
    error = math.sqrt((b**2 + 2 * c**2) / n)
    noise = torch.randn(2, dtype=torch.float64, generator=generator)
    if n == 2:
        return mean + error * noise[0], error * noise[1].abs()
    return mean + error * noise[0], error * (1 + noise[1] / math.sqrt(4 * n))
""".lstrip(),
}
