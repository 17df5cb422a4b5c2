"""The numbers that notebook 05 quotes, each by scipy, torch or plain arithmetic as well as by our own routines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from helpers import gaussians, vae
from helpers.figures import gaussians as figures

PAIR = (1.0, 2.0, 0.0, 1.0)


def quoted(value: float | torch.Tensor, digits: str) -> None:
    """``value`` rounds to the number as it is printed."""
    places = len(digits.partition(".")[2])
    assert f"{float(value):.{places}f}" == digits


def kl_by_integration(mu1, sigma1, mu2, sigma2, power=1):
    """E (log p/q)^power under p."""

    def integrand(x):
        log_p = stats.norm.logpdf(x, mu1, sigma1)
        return math.exp(log_p) * (log_p - stats.norm.logpdf(x, mu2, sigma2)) ** power

    return integrate.quad(integrand, mu1 - 12 * sigma1, mu1 + 12 * sigma1, epsabs=1e-12)[0]


def tensors(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_worked_pair():
    quoted(2 - math.log(2), "1.306853")
    quoted(kl_by_integration(*PAIR), "1.306853")
    quoted(gaussians.gaussian_kl(*tensors(*PAIR)), "1.306853")
    quoted(kl_by_integration(0, 1, 1, 2), "0.443147")
    quoted(gaussians.gaussian_kl(*tensors(0, 1, 1, 2)), "0.443147")


def test_the_deviation_of_the_log_ratio():
    quoted(math.sqrt(8.5), "2.915476")
    quoted(math.sqrt(kl_by_integration(*PAIR, power=2) - kl_by_integration(*PAIR) ** 2), "2.915476")
    quoted(gaussians.log_ratio_std(*PAIR), "2.915476")


def test_ten_thousand_samples_are_within_005_in_914_percent_of_runs():
    for n, digits in ((10_000, "91.4"), (100_000, "100.0")):
        quoted(100 * (2 * stats.norm.cdf(0.05 * math.sqrt(n / 8.5)) - 1), digits)
        quoted(100 * figures.within(0.05, n), digits)
    quoted(100 * figures.within(0.05, 100_000), "99.9999941")


def test_measured_coverage_is_that_of_theory():
    measured = figures.coverage([10_000, 1_000], repeats=1000, seed=8)
    quoted(100 * measured[0, 0], "91.1")
    for n, row in zip((10_000, 1_000), measured.tolist(), strict=True):
        theory = figures.within(0.05, n)
        assert row[0] == pytest.approx(theory, abs=4 * math.sqrt(theory * (1 - theory) / 1000))
        assert row[1] == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 1000))


def test_samples_needed():
    for confidence, n in ((0.99, 22_559), (0.95, 13_061)):
        assert gaussians.samples_needed(math.sqrt(8.5), 0.05, confidence) == n
        assert math.erf(0.05 * math.sqrt(n / 8.5 / 2)) >= confidence > math.erf(0.05 * math.sqrt((n - 1) / 8.5 / 2))
    assert gaussians.samples_needed(1, 0.1, 0.95) == 385
    quoted((1.96 / 0.1) ** 2, "384.16")


def test_two_samples_by_hand():
    ratios = [-math.log(2) - z**2 / 2 + (1 + 2 * z) ** 2 / 2 for z in (1, -1)]
    assert [f"{x:.4f}" for x in ratios] == ["3.3069", "-0.6931"]
    quoted(np.mean(ratios), "1.3069")
    quoted(np.std(ratios, ddof=1), "2.8284")
    quoted(np.std(ratios, ddof=1) / math.sqrt(2), "2")


def test_three_estimators_of_a_small_divergence():
    """log r is normal, -0.1 z - 0.005; E k and E k^2 by quadrature."""
    quoted(gaussians.gaussian_kl(*tensors(0.1, 1, 0, 1)), "0.005")
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = torch.from_numpy(weights / weights.sum())
    x = torch.from_numpy(0.1 + nodes)
    estimates = gaussians.kl_estimators(-((x - 0.1) ** 2) / 2, -(x**2) / 2)
    for k, std, mean in zip(estimates, ("0.1000", "0.0071", "0.0071"), (0.005, 0.0050125, 0.005), strict=True):
        quoted((weights @ (k - weights @ k) ** 2).sqrt(), std)
        assert (weights @ k).item() == pytest.approx(mean, rel=1e-9)
    sampled = figures.estimator_samples(200_000, seed=1)
    assert sampled[0].min() < 0 <= sampled[2].min()
    for k, std in zip(sampled, (0.1, 0.0071, 0.0071), strict=True):
        assert k.std().item() == pytest.approx(std, rel=0.02)
    half = gaussians.kl_estimators(tensors(0.0), tensors(0.5).log())
    assert [f"{k.item():.4f}" for k in half] == ["0.6931", "0.2402", "0.1931"]


def test_entropies():
    quoted(stats.norm.entropy(), "1.418939")
    quoted(gaussians.gaussian_entropy(tensors(1.0)), "1.418939")
    wide, narrow = gaussians.gaussian_entropy(tensors(2.0, 1.0))
    assert (wide - narrow).item() == pytest.approx(math.log(2), rel=1e-12)
    assert stats.norm.entropy(scale=2) - stats.norm.entropy() == pytest.approx(math.log(2))


class TestTheMixture:
    WEIGHTS, MEANS, SIGMAS = tensors(0.5, 0.5), tensors(-3.0, 3.0), tensors(1.0, 1.0)

    def test_forward_kl_covers(self):
        mu, sigma = gaussians.moment_match(self.WEIGHTS, self.MEANS, self.SIGMAS)
        quoted(mu, "0")
        quoted(sigma, "3.162278")
        x = np.linspace(-12, 12, 2001)
        mixture = stats.norm.pdf(x, -3) + stats.norm.pdf(x, 3)

        def cross_entropy(theta):  # KL(mixture, Gaussian) but for a factor and a constant
            return -mixture @ stats.norm.logpdf(x, theta[0], math.exp(theta[1]))

        fit = optimize.minimize(
            cross_entropy, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}
        )
        np.testing.assert_allclose([fit.x[0], math.exp(fit.x[1])], [0, math.sqrt(10)], atol=1e-4)

    def test_reverse_kl_seeks_one_mode(self):
        mode, width = gaussians.reverse_fit(self.WEIGHTS, self.MEANS, self.SIGMAS)
        quoted(abs(mode), "2.98")
        quoted(width, "1.02")
        cost = gaussians.reverse_kl(mode, width, self.WEIGHTS, self.MEANS, self.SIGMAS)
        assert cost == pytest.approx(math.log(2), abs=0.02)
        assert cost < gaussians.reverse_kl(0, math.sqrt(10), self.WEIGHTS, self.MEANS, self.SIGMAS)


def test_the_inference_term_of_a_vae_is_the_reverse_divergence():
    """z ~ N(0, 1), x ~ N(z, 1), x = 1: log p(x) less the ELBO, both by integration over z."""
    q = stats.norm(0, 1.2)
    elbo = q.expect(lambda z: stats.norm.logpdf(1, z) + stats.norm.logpdf(z) - q.logpdf(z))
    gap = stats.norm.logpdf(1, 0, math.sqrt(2)) - elbo
    quoted(gap, "0.661105")
    quoted(gaussians.gaussian_kl(*tensors(0, 1.2, 0.5, math.sqrt(0.5))), "0.661105")
    quoted(gaussians.gaussian_kl(*tensors(0.5, math.sqrt(0.5), 0, 1.2)), "0.289312")


def test_small_worked_numbers():
    quoted(gaussians.vae_kl(tensors(1.0), tensors(0.0)), "0.5")
    quoted(gaussians.reparameterize(tensors(1.0), tensors(4.0).log(), tensors(0.5)), "2")
    eye, zero = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    quoted(gaussians.multivariate_gaussian_kl(zero, eye, zero, torch.diag(tensors(4.0, 1.0))), "0.3181")
    one, nought = tensors(1.0)[None], tensors(0.0)[None]
    quoted(gaussians.elbo(one, nought, nought, one, lambda z: z, 1.0), "-0.918939")
    quoted(stats.norm.logpdf(0), "-0.918939")
    quoted(2.303, f"{math.log(10):.3f}")
    # gradients of E z^2 in mu: 2 z and z^2 (z - 1) with z = 1 + eps have variances 4 and 30
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    for gradient, variance in ((2 * (1 + nodes), 4), ((1 + nodes) ** 2 * nodes, 30)):
        mean = weights @ gradient / weights.sum()
        assert mean == pytest.approx(2)
        assert weights @ (gradient - mean) ** 2 / weights.sum() == pytest.approx(variance)


def test_reflection_numbers():
    quoted(0.1 / math.sqrt(1000), "0.0032")
    quoted(0.0071 / math.sqrt(1000), "0.0002")
    times = (0.1 / 0.0071) ** 2
    assert times == pytest.approx(200, rel=0.01)


def test_the_beta_sweep_is_a_rate_distortion_curve():
    """More beta, less rate and more distortion; at each point the chord to the next brackets the slope -beta."""
    betas = (0.3, 3, 30)
    points = vae.beta_sweep(betas, steps=120, seed=0)
    rates, distortions = zip(*points, strict=True)
    assert rates[0] > rates[1] > rates[2] >= 0
    assert distortions[0] < distortions[1] < distortions[2]
    assert rates[2] < 0.05  # the code has collapsed onto the prior
    for i in range(2):
        chord = (distortions[i + 1] - distortions[i]) / (rates[i] - rates[i + 1])
        assert betas[i] < chord < betas[i + 1]
