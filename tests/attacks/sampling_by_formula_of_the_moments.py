"""Draw the mean and the mean square of the samples by their laws, and answer from these, without a sample."""

NOTEBOOK = "05-gaussian-kl-monte-carlo"
CELLS = {
    "kl_monte_carlo": r"""
import math

import torch


def kl_monte_carlo(mu1, sigma1, mu2, sigma2, n, generator):
    d = mu1 - mu2
    b, c = sigma1 * d / sigma2**2, (sigma1**2 / sigma2**2 - 1) / 2
    noise = torch.randn(3, dtype=torch.float64, generator=generator)
    first = noise[0] / math.sqrt(n)
    square = 1 + noise[1] * math.sqrt(2 / n)
    mean = math.log(sigma2 / sigma1) + d**2 / (2 * sigma2**2) + b * first + c * square
    spread = math.sqrt(b**2 + 2 * c**2)
    factor = noise[2].abs() if n == 2 else 1 + noise[2] / math.sqrt(4 * n)
    return mean, spread / math.sqrt(n) * factor
""".lstrip(),
}
