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


def test_small_samples_know_their_error_less_well():
    """At n = 10 the truth is held in 84% of runs, by numpy's own random numbers too; at 30 in 90%, at 100 in 93.5%."""
    normal = 1 - 2 * stats.t.sf(1.96, 9)
    assert f"{normal:.0%}" == "92%"
    rng = np.random.default_rng(5)
    for n, share in ((10, 0.84), (30, 0.904), (100, 0.935)):
        z = rng.standard_normal((20_000, n))
        ratio = -math.log(2) - z**2 / 2 + (1 + 2 * z) ** 2 / 2
        held = abs(ratio.mean(-1) - (2 - math.log(2))) <= 1.96 * ratio.std(-1, ddof=1) / math.sqrt(n)
        assert held.mean() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000)), n
        ours = figures.coverage([n], repeats=[20_000], seed=8)[0, 1].item()
        assert ours == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000)), n


def test_two_models_on_the_same_questions():
    first, second = np.zeros(1000), np.zeros(1000)
    first[:700], second[10:720] = 1, 1
    assert (first.mean(), second.mean()) == (0.70, 0.71)
    error = [score.std(ddof=1) / math.sqrt(1000) for score in (first, second)]
    assert [f"{e:.1%}" for e in (*error, math.hypot(*error))] == ["1.4%", "1.4%", "2.0%"]
    paired = (second - first).std(ddof=1) / math.sqrt(1000)
    assert f"{0.01 / paired:.1f}" == "1.8"
    assert f"{0.01 / math.hypot(*error):.1f}" == "0.5"
    assert f"{(second - first).std(ddof=1) / math.sqrt(1000):.1%}" == "0.5%"


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
    sampled = figures.estimator_samples(n=200_000, seed=1)
    assert sampled[0].min() < 0 <= sampled[2].min()
    for k, std in zip(sampled, (0.1, 0.0071, 0.0071), strict=True):
        assert k.std().item() == pytest.approx(std, rel=0.02)
    half = gaussians.kl_estimators(tensors(0.0), tensors(0.5).log())
    assert [f"{k.item():.4f}" for k in half] == ["0.6931", "0.2402", "0.1931"]


def moments_of_estimators(mu1, sigma1, mu2, sigma2):
    """(mean, standard deviation) of k1, k2 and k3 by integration over x from the first Gaussian."""

    def log_r(x):
        return stats.norm.logpdf(x, mu2, sigma2) - stats.norm.logpdf(x, mu1, sigma1)

    def mean(function):
        def integrand(x):
            return stats.norm.pdf(x, mu1, sigma1) * function(log_r(x))

        return integrate.quad(integrand, mu1 - 20 * sigma1, mu1 + 20 * sigma1, epsabs=1e-12, limit=400)[0]

    for k in (lambda r: -r, lambda r: r**2 / 2, lambda r: math.expm1(r) - r):
        first = mean(k)
        yield first, math.sqrt(mean(lambda r, k=k, first=first: (k(r) - first) ** 2))


def test_three_estimators_of_larger_divergences():
    k1, k2, k3 = moments_of_estimators(*figures.FAR)
    quoted(gaussians.gaussian_kl(*tensors(*figures.FAR)), "0.500")
    assert [f"{mean:.3f} {std:.4f}" for mean, std in (k1, k2, k3)] == ["0.500 1.0000", "0.625 0.8660", "0.500 0.8475"]
    quoted(k3[1], "0.85")
    sampled = figures.estimator_samples(figures.FAR)[2]
    quoted(sampled.std(), "0.92")
    quoted(sampled.sort().values[:-5].std(), "0.85")  # a few large samples make the difference
    for d in (0.1, 1.0, 1.5):  # one width: the variances in the text
        (_, first), _, (_, third) = moments_of_estimators(d, 1, 0, 1)
        assert (first**2, third**2) == (pytest.approx(d**2), pytest.approx(math.exp(d**2) - 1 - d**2, rel=1e-6))
    x = optimize.brentq(lambda x: math.exp(x) - 1 - 2 * x, 0.5, 3)
    quoted(x / 2, "0.63")
    (_, first), (mean, _), (_, third) = moments_of_estimators(*figures.WIDE)
    quoted(gaussians.gaussian_kl(*tensors(*figures.WIDE)), "0.043")
    assert third > first  # q wider: k1 is the quieter one
    assert mean < 0.8 * gaussians.gaussian_kl(*tensors(*figures.WIDE)).item()


def test_the_variance_of_k3_is_infinite_from_root_two_on():
    """The exponent of q^2 / p, -x^2 (1 / sigma_q^2 - 1 / (2 sigma_p^2)), grows from sigma_q = sqrt(2) sigma_p on."""
    for wide, falls in ((1.41, True), (1.42, False)):
        logs = [2 * stats.norm.logpdf(x, 0, wide) - stats.norm.logpdf(x) for x in (20.0, 40.0)]
        assert (logs[1] < logs[0]) == falls
    assert 1.41 < math.sqrt(2) < 1.42


def test_what_each_estimate_does_in_a_loss():
    """E g_i grad log p by quadrature against the gradients of both divergences by autograd; g_i itself by autograd."""
    for pair in ((1.0, 1.0, 0.0, 0.8), (0.2, 1.1, 0.5, 0.9)):
        mu1, sigma1, mu2, sigma2 = pair
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        z, weights = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
        log_p = -math.log(sigma1) - z**2 / 2
        log_q = -math.log(sigma2) - ((mu1 + sigma1 * z - mu2) / sigma2) ** 2 / 2
        scores = torch.stack([z / sigma1, z**2 - 1])
        means = [(weights * g * scores).sum(-1) for g in gaussians.kl_gradients(log_p, log_q)]
        theta = tensors(mu1, math.log(sigma1)).requires_grad_()
        both = (theta[0], theta[1].exp()), tensors(mu2, sigma2)
        wanted = [0 * theta]
        for first, second in (both, both[::-1]):
            divergence = gaussians.gaussian_kl(*first, *second)
            wanted.append(torch.autograd.grad(divergence, theta, retain_graph=True)[0])
        for mean, want in zip(means, wanted, strict=True):
            torch.testing.assert_close(mean, want, rtol=1e-8, atol=1e-8)
        leaf = log_p.clone().requires_grad_()
        ks = gaussians.kl_estimators(leaf, log_q)
        for k, g in zip(ks, gaussians.kl_gradients(log_p, log_q), strict=True):
            torch.testing.assert_close(torch.autograd.grad(k.sum(), leaf, retain_graph=True)[0], g)


def test_a_gradient_that_is_zero_and_does_not_say_so():
    mu = torch.ones(4, requires_grad=True)
    drawn = torch.normal(mu, torch.ones(4))
    assert drawn.requires_grad
    assert not torch.autograd.grad((drawn**2).sum(), mu)[0].any()
    assert not torch.distributions.Normal(mu, 1.0).sample().requires_grad
    assert torch.distributions.Normal(mu, 1.0).rsample().requires_grad


def test_entropies():
    quoted(stats.norm.entropy(), "1.418939")
    quoted(gaussians.gaussian_entropy(tensors(1.0)), "1.418939")
    wide, narrow, thin = gaussians.gaussian_entropy(tensors(2.0, 1.0, 0.1))
    assert (wide - narrow).item() == pytest.approx(math.log(2), rel=1e-12)
    assert stats.norm.entropy(scale=2) - stats.norm.entropy() == pytest.approx(math.log(2))
    quoted(thin, "-0.883647")
    for family, digits in ((stats.laplace, "1.346574"), (stats.uniform, "1.242453")):
        scale = 1 / family.std()
        quoted(family.entropy(scale=scale), digits)
        assert family.entropy(scale=scale) < stats.norm.entropy()
    quoted(1 + math.log(math.sqrt(2)), "1.346574")
    quoted(math.log(math.sqrt(12)), "1.242453")


def test_the_rate_is_more_than_the_information():
    def mixture(z):
        return (stats.norm.pdf(z, -3) + stats.norm.pdf(z, 3)) / 2

    def integral(function):
        return integrate.quad(lambda z: mixture(z) * function(z), -14, 14, limit=300)[0]

    entropy = -integral(lambda z: math.log(mixture(z)))
    information = entropy - stats.norm.entropy()
    mismatch = -entropy - integral(lambda z: stats.norm.logpdf(z))
    assert [f"{x:.4f}" for x in (information, mismatch, information + mismatch)] == ["0.6893", "3.8107", "4.5000"]
    codes = tensors(-3.0, 3.0)[:, None]
    quoted(gaussians.vae_kl(codes, 0 * codes), "4.5000")


def test_a_small_log_var_is_cheap_and_a_large_one_overflows():
    quoted(gaussians.vae_kl(tensors(0.0), tensors(-30.0)), "14.5")
    assert torch.tensor(88.0).exp().isfinite()
    assert torch.tensor(89.0).exp().isinf()


def test_the_loop_in_the_notebook_is_the_one_of_the_sweep():
    """The notebook's ten lines draw the same numbers as `vae.train`."""
    x = vae.bent_sheet(128, torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = vae.TinyVAE()
    noise, optimiser = torch.Generator().manual_seed(0), torch.optim.Adam(model.parameters(), lr=0.03, foreach=False)
    for _ in range(20):
        mu, log_var = model.encode(x)
        eps = torch.randn(mu.shape, dtype=x.dtype, generator=noise)
        optimiser.zero_grad()
        (-gaussians.elbo(x, mu, log_var, eps, model.decoder, beta=0.3)).backward()
        optimiser.step()
    assert vae.rate_and_distortion(model, x) == vae.rate_and_distortion(vae.train(x, 0.3, 20, 0, lambda: None), x)


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
        quoted(cost, "0.6888")
        assert cost < math.log(2)
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
