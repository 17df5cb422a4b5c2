"""A variational autoencoder small enough to train in a second on a CPU (notebook 05).

Source: Kingma and Welling, Auto-encoding variational Bayes (2014), appendix C; Alemi et al., Fixing a broken ELBO
(2018), for rate and distortion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from helpers.gaussians import elbo, reparameterize, vae_kl

FEATURES, LATENT, HIDDEN = 8, 2, 16


def bent_sheet(n: int, generator: Generator) -> Float[Tensor, "n features"]:
    """n points near a curved two-dimensional sheet in eight dimensions, in float64, centred on the origin."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    place = torch.randn(n, LATENT, dtype=torch.float64, generator=generator)
    directions = torch.randn(LATENT, FEATURES, dtype=torch.float64, generator=generator)
    noise = torch.randn(n, FEATURES, dtype=torch.float64, generator=generator)
    return 3 * torch.tanh(place @ directions) + 0.3 * noise


class TinyVAE(nn.Module):
    """Encoder and decoder with one hidden layer each; the code is Gaussian with a diagonal covariance."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2 * LATENT)).double()
        self.decoder = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, FEATURES)).double()

    def encode(self, x: Float[Tensor, "batch features"]) -> tuple[Tensor, Tensor]:
        """(mu, log_var) of the code of each row of x, each (batch, latent)."""
        mu, log_var = self.encoder(x).chunk(2, -1)
        return mu, log_var


def train(
    x: Float[Tensor, "batch features"], beta: float, steps: int, seed: int, after_step: Callable[[], object]
) -> TinyVAE:
    """A VAE whose beta-ELBO was raised by Adam on the whole of x; ``after_step`` is called after each step.

    One seed gives one result. Raises ValueError unless beta >= 0.
    """
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = TinyVAE()
    generator = Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(vae.parameters(), lr=0.03, foreach=False)
    for _ in range(steps):
        mu, log_var = vae.encode(x)
        eps = torch.randn(mu.shape, dtype=x.dtype, generator=generator)
        optimiser.zero_grad()
        (-elbo(x, mu, log_var, eps, vae.decoder, beta)).backward()
        optimiser.step()
        after_step()
    return vae


@torch.no_grad()
def rate_and_distortion(vae: TinyVAE, x: Float[Tensor, "batch features"], samples: int = 32) -> tuple[float, float]:
    """The rate, E KL(q(z|x), p(z)), and the distortion, E |x - decode(z)|^2 / 2, both in nats.

    The beta-ELBO is minus (distortion + beta rate), less a constant."""
    generator = Generator().manual_seed(0)
    mu, log_var = vae.encode(x)
    eps = torch.randn(samples, *mu.shape, dtype=x.dtype, generator=generator)
    z = reparameterize(mu, log_var, eps)
    return vae_kl(mu, log_var).item(), (x - vae.decoder(z)).square().sum(-1).mean().item() / 2


def beta_sweep(betas: Sequence[float], steps: int = 200, seed: int = 0) -> list[tuple[float, float]]:
    """(rate, distortion) in nats of a VAE trained at each beta on the same 128 points, with a progress bar."""
    x = bent_sheet(128, Generator().manual_seed(seed))
    results = []
    with tqdm(total=len(betas) * steps, unit="step", dynamic_ncols=True) as bar:
        for beta in betas:
            bar.set_description(f"beta = {beta:g}")
            results.append(rate_and_distortion(train(x, beta, steps, seed, bar.update), x))
    return results
