"""Verified routines for Gaussians: their divergence in closed form and by sampling, and what a VAE does with it
(notebook 05).

Everything speaks nats, and sigma is always a standard deviation. Tensors come back in the dtype of the input and are
never changed; half types are computed in float32. Every routine checks its inputs first and raises ``ValueError``
naming the argument.

Sources: Kullback and Leibler, On information and sufficiency (1951); Kingma and Welling, Auto-encoding variational
Bayes (2014); Higgins et al., beta-VAE (2017); Schulman, Approximating KL divergence (2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from helpers.information import distribution, floating

LOG_TWO_PI = math.log(2 * math.pi)


def positive(sigma: Float[Tensor, "*shape"], name: str) -> Float[Tensor, "*shape"]:
    """Return ``sigma`` in at least float32. Raises ValueError unless it is floating, finite and positive."""
    values = floating(sigma, name)
    if not (values > 0).all() or not values.isfinite().all():
        raise ValueError(f"{name} must be positive and finite")
    return values


def finite(x: Float[Tensor, "*shape"], name: str) -> Float[Tensor, "*shape"]:
    """Return ``x`` in at least float32. Raises ValueError unless it is floating and finite."""
    values = floating(x, name)
    if not values.isfinite().all():
        raise ValueError(f"{name} must be finite")
    return values


def matching(**tensors: Tensor) -> None:
    """Raise ValueError unless the tensors share one dtype and their shapes broadcast."""
    names = " and ".join((", ".join(list(tensors)[:-1]), list(tensors)[-1]))
    if len({t.dtype for t in tensors.values()}) > 1:
        raise ValueError(f"{names} must share a dtype, got {', '.join(str(t.dtype) for t in tensors.values())}")
    try:
        torch.broadcast_shapes(*(t.shape for t in tensors.values()))
    except RuntimeError:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors.values())
        raise ValueError(f"the shapes of {names} do not match: {shapes}") from None


def gaussian_entropy(sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """h(N(mu, sigma^2)) = log(2 pi e sigma^2) / 2 in nats, whatever mu is. Raises ValueError unless sigma > 0."""
    return (positive(sigma, "sigma").log() + (LOG_TWO_PI + 1) / 2).to(sigma.dtype)


def gaussian_kl(
    mu1: Float[Tensor, "*a"], sigma1: Float[Tensor, "*b"], mu2: Float[Tensor, "*c"], sigma2: Float[Tensor, "*d"]
) -> Float[Tensor, "*shape"]:
    """KL(N(mu1, sigma1^2), N(mu2, sigma2^2)) = log(s2/s1) + (s1^2 + (mu1 - mu2)^2) / (2 s2^2) - 1/2 in nats.

    The shapes broadcast. Raises ValueError where they do not, or unless the sigmas are positive and the means finite.
    """
    m1, s1 = finite(mu1, "mu1"), positive(sigma1, "sigma1")
    m2, s2 = finite(mu2, "mu2"), positive(sigma2, "sigma2")
    matching(mu1=mu1, sigma1=sigma1, mu2=mu2, sigma2=sigma2)
    # expm1(2 log(s1/s2)) is s1^2/s2^2 - 1 without the loss of digits where the two are nearly equal
    log_ratio = (s1 / s2).log()
    return (torch.expm1(2 * log_ratio) / 2 - log_ratio + ((m1 - m2) / s2).square() / 2).to(mu1.dtype)


def log_ratio_samples(
    mu1: float, sigma1: float, mu2: float, sigma2: float, shape: tuple[int, ...], generator: Generator
) -> Float[Tensor, "*shape"]:
    """log N(x; mu1, sigma1^2) - log N(x; mu2, sigma2^2) for x drawn from the first, in float64.

    Raises ValueError unless the sigmas are positive.
    """
    for sigma, name in ((sigma1, "sigma1"), (sigma2, "sigma2")):
        if not 0 < sigma < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {sigma}")
    z = torch.randn(shape, dtype=torch.float64, generator=generator)
    return math.log(sigma2 / sigma1) - z.square() / 2 + ((mu1 + sigma1 * z - mu2) / sigma2).square() / 2


def kl_monte_carlo(
    mu1: float, sigma1: float, mu2: float, sigma2: float, n: int, generator: Generator
) -> tuple[float, float]:
    """An estimate of KL(N1, N2) in nats from n samples of the first, and its standard error std / sqrt(n).

    Raises ValueError unless n >= 2 and the sigmas are positive.
    """
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}: one sample has no standard deviation")
    ratio = log_ratio_samples(mu1, sigma1, mu2, sigma2, (n,), generator)
    return ratio.mean().item(), ratio.std().item() / math.sqrt(n)


def log_ratio_std(mu1: float, sigma1: float, mu2: float, sigma2: float) -> float:
    """The standard deviation of log N1(x) - log N2(x) for x from the first: that of b z + c z^2 with z normal.

    Raises ValueError unless the sigmas are positive.
    """
    if min(sigma1, sigma2) <= 0:
        raise ValueError(f"sigma1 and sigma2 must be positive, got {sigma1} and {sigma2}")
    b, c = sigma1 * (mu1 - mu2) / sigma2**2, (sigma1**2 / sigma2**2 - 1) / 2
    return math.sqrt(b**2 + 2 * c**2)


def samples_needed(std: float, tolerance: float, confidence: float) -> int:
    """The smallest n whose two-sided normal confidence interval for a mean lies within +- ``tolerance``.

    Raises ValueError unless std and tolerance are positive and 0 < confidence < 1.
    """
    if not std > 0 or not tolerance > 0:
        raise ValueError(f"std and tolerance must be positive, got {std} and {tolerance}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence}")
    return math.ceil((NormalDist().inv_cdf((1 + confidence) / 2) * std / tolerance) ** 2)


def vae_kl(mu: Float[Tensor, "*batch latent"], log_var: Float[Tensor, "*batch latent"]) -> Float[Tensor, ""]:
    """KL(N(mu, exp(log_var)), N(0, 1)) in nats: summed over the last dimension, averaged over all others
    (Kingma and Welling 2014, appendix B).

    Raises ValueError unless both are finite, of one shape and dtype, with at least one dimension.
    """
    m, v = finite(mu, "mu"), finite(log_var, "log_var")
    same_shape(mu, log_var)
    if mu.ndim == 0:
        raise ValueError("mu needs at least 1 dimension, the latent one; it has none")
    return ((m.square() + torch.expm1(v) - v) / 2).sum(-1).mean().to(mu.dtype)


def same_shape(mu: Tensor, log_var: Tensor) -> None:
    """Raise ValueError unless the two parameters of a code have one shape and dtype."""
    matching(mu=mu, log_var=log_var)
    if mu.shape != log_var.shape:
        raise ValueError(f"the shapes of mu and log_var do not match: {tuple(mu.shape)} and {tuple(log_var.shape)}")


def reparameterize(
    mu: Float[Tensor, "*shape"], log_var: Float[Tensor, "*shape"], eps: Float[Tensor, "*noise"]
) -> Float[Tensor, "*shape"]:
    """z = mu + exp(log_var / 2) eps: a sample of N(mu, exp(log_var)) through which gradients reach both.

    Raises ValueError unless all are finite, share a dtype, and their shapes match (eps may broadcast).
    """
    m, v, noise = finite(mu, "mu"), finite(log_var, "log_var"), finite(eps, "eps")
    same_shape(mu, log_var)
    matching(mu=mu, eps=eps)
    return (m + (v / 2).exp() * noise).to(mu.dtype)


def kl_estimators(
    log_p: Float[Tensor, "*shape"], log_q: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Three estimates of KL(p, q) from each sample x of p, in nats: k1 = -log r, k2 = (log r)^2 / 2 and
    k3 = r - 1 - log r, with r = q(x)/p(x) (Schulman 2020).

    k1 and k3 are unbiased; k2 and k3 are never negative. Raises ValueError unless both are finite and match.
    """
    p, q = finite(log_p, "log_p"), finite(log_q, "log_q")
    matching(log_p=log_p, log_q=log_q)
    log_r = q - p
    k1, k2, k3 = -log_r, log_r.square() / 2, torch.expm1(log_r) - log_r
    return k1.to(log_p.dtype), k2.to(log_p.dtype), k3.to(log_p.dtype)


def kl_gradients(
    log_p: Float[Tensor, "*shape"], log_q: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """The weights of grad log p(x) in the gradients of k1, k2 and k3 at samples x of p: 1, log p - log q and 1 - q/p.

    The samples are held fixed, as autograd holds them in a loss. Under p the weighted means are 0, the gradient of
    KL(p, q) and that of KL(q, p) (Liu et al., Rethinking KL regularization in RLHF, 2025). Raises ValueError as
    ``kl_estimators`` does.
    """
    p, q = finite(log_p, "log_p"), finite(log_q, "log_q")
    matching(log_p=log_p, log_q=log_q)
    log_r = q - p
    return torch.ones_like(log_r).to(log_p.dtype), (-log_r).to(log_p.dtype), (-torch.expm1(log_r)).to(log_p.dtype)


def moment_match(
    weights: Float[Tensor, "*batch k"], means: Float[Tensor, "*batch k"], sigmas: Float[Tensor, "*batch k"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """(mu, sigma) of the Gaussian that minimises KL(mixture, Gaussian): the mixture's own mean and deviation.

    Raises ValueError unless the weights are a distribution, the sigmas positive, and the shapes match.
    """
    w, m, s = distribution(weights, "weights"), finite(means, "means"), positive(sigmas, "sigmas")
    matching(weights=weights, means=means, sigmas=sigmas)
    mu = (w * m).sum(-1)
    variance = (w * (s.square() + (m - mu.unsqueeze(-1)).square())).sum(-1)
    return mu.to(weights.dtype), variance.sqrt().to(weights.dtype)


def reverse_kl(mu: float, sigma: float, weights: Tensor, means: Tensor, sigmas: Tensor, points: int = 2001) -> float:
    """KL(N(mu, sigma^2), mixture) in nats by the midpoint rule over 9 standard deviations on either side.

    ``weights``, ``means`` and ``sigmas`` are vectors. Raises ValueError as ``moment_match`` does, or unless sigma > 0.
    """
    moment_match(weights, means, sigmas)
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    z = torch.linspace(-9, 9, points, dtype=torch.float64)
    density = torch.exp(-z.square() / 2)
    x = (mu + sigma * z).unsqueeze(-1)
    parts = weights.double().log() - sigmas.double().log() - ((x - means.double()) / sigmas.double()).square() / 2
    difference = -math.log(sigma) - z.square() / 2 - parts.logsumexp(-1)
    return ((density * difference).sum() / density.sum()).item()


def reverse_fit(weights: Tensor, means: Tensor, sigmas: Tensor) -> tuple[float, float]:
    """(mu, sigma) of the Gaussian that minimises KL(Gaussian, mixture), searched from each component.

    Takes vectors. Raises ValueError as ``moment_match`` does.
    """
    from scipy.optimize import minimize  # here, as importing it costs more than the rest of helpers

    def loss(theta: list[float]) -> float:
        return reverse_kl(theta[0], math.exp(theta[1]), weights, means, sigmas)

    starts = [(m, math.log(s)) for m, s in zip(means.tolist(), sigmas.tolist(), strict=True)]
    fits = [minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}) for start in starts]
    best = min(fits, key=lambda fit: float(fit.fun))
    return float(best.x[0]), math.exp(best.x[1])


def multivariate_gaussian_kl(
    mu1: Float[Tensor, "*a k"], cov1: Float[Tensor, "*b k k"], mu2: Float[Tensor, "*c k"], cov2: Float[Tensor, "*d k k"]
) -> Float[Tensor, "*batch"]:
    """KL(N(mu1, cov1), N(mu2, cov2)) in nats, by Cholesky factors and triangular solves.

    Leading dimensions broadcast. Raises ValueError unless the covariances are symmetric positive definite and the
    shapes match.
    """
    l1, l2 = cholesky(cov1, "cov1"), cholesky(cov2, "cov2")
    m1, m2 = finite(mu1, "mu1"), finite(mu2, "mu2")
    matching(mu1=mu1[..., None], cov1=cov1, mu2=mu2[..., None], cov2=cov2)
    if not m1.shape[-1:] == m2.shape[-1:] == l1.shape[-1:] == l2.shape[-1:]:
        sizes = [x.shape[-1] if x.ndim else 0 for x in (m1, l1, m2, l2)]
        raise ValueError(f"the dimensions of mu1, cov1, mu2 and cov2 do not match: {sizes}")
    difference = (m2 - m1).unsqueeze(-1)
    spread = torch.linalg.solve_triangular(l2, l1, upper=False).square().sum((-1, -2))
    distance = torch.linalg.solve_triangular(l2, difference, upper=False).square().sum((-1, -2))
    logs = l2.diagonal(dim1=-2, dim2=-1).log().sum(-1) - l1.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return (logs + (spread + distance - l1.shape[-1]) / 2).to(mu1.dtype)


def cholesky(cov: Float[Tensor, "*batch k k"], name: str) -> Float[Tensor, "*batch k k"]:
    """The lower Cholesky factor. Raises ValueError unless ``cov`` is symmetric and positive definite."""
    values = finite(cov, name)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        raise ValueError(f"{name} must hold square matrices, got shape {tuple(cov.shape)}")
    if not torch.allclose(values, values.mT, rtol=1e-5, atol=1e-6):
        raise ValueError(f"{name} must be symmetric")
    factor, failed = torch.linalg.cholesky_ex(values)
    if failed.any():
        raise ValueError(f"{name} must be positive definite")
    return factor


def elbo(
    x: Float[Tensor, "batch features"],
    mu: Float[Tensor, "batch latent"],
    log_var: Float[Tensor, "batch latent"],
    eps: Float[Tensor, "batch latent"],
    decode: Callable[[Tensor], Tensor],
    beta: float,
) -> Float[Tensor, ""]:
    """The one-sample beta-ELBO in nats, to be maximised: log N(x; decode(z), I) minus beta times ``vae_kl``, averaged
    over the batch (Kingma and Welling 2014, equation 10; Higgins et al. 2017, equation 4).

    Raises ValueError as ``reparameterize`` does, or unless decode's answer has the shape of x.
    """
    mean = decode(reparameterize(mu, log_var, eps))
    if mean.shape != x.shape:
        raise ValueError(f"decode gives shape {tuple(mean.shape)}, but x has {tuple(x.shape)}")
    likelihood = -((x - mean).square().sum(-1) + x.shape[-1] * LOG_TWO_PI) / 2
    return likelihood.mean() - beta * vae_kl(mu, log_var)
