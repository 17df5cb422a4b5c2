"""The routines of notebook 05 against torch.distributions and scipy, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from helpers import gaussians, vae
from helpers.gaussians import (
    elbo,
    gaussian_entropy,
    gaussian_kl,
    kl_estimators,
    kl_monte_carlo,
    log_ratio_samples,
    log_ratio_std,
    moment_match,
    multivariate_gaussian_kl,
    reparameterize,
    reverse_fit,
    reverse_kl,
    samples_needed,
    vae_kl,
)

f64 = torch.float64
means = st.floats(-5, 5)
deviations = st.floats(0.1, 5)


def t(*numbers, dtype=f64):
    return torch.tensor(numbers, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rand(*shape, seed=0, dtype=f64):
    return torch.randn(*shape, dtype=f64, generator=seeded(seed)).to(dtype)


def covariance(*shape, seed=0):
    a = rand(*shape, shape[-1], seed=seed)
    return a @ a.mT + 0.5 * torch.eye(shape[-1], dtype=f64)


class TestGaussianKL:
    @given(means, deviations, means, deviations)
    @settings(max_examples=50)
    def test_agrees_with_torch_and_is_never_negative(self, mu1, sigma1, mu2, sigma2):
        args = t(mu1, sigma1, mu2, sigma2)
        got = gaussian_kl(*args)
        torch.testing.assert_close(got, kl_divergence(Normal(*args[:2]), Normal(*args[2:])), rtol=1e-9, atol=1e-12)
        assert got >= 0
        assert gaussian_kl(*args[:2], *args[:2]) == 0

    def test_keeps_digits_where_the_two_are_nearly_equal(self):
        delta = 1e-8
        assert gaussian_kl(*t(0.0, 1 + delta, 0.0, 1.0)).item() == pytest.approx(delta**2, rel=1e-6)

    def test_broadcasts_and_keeps_the_dtype(self):
        got = gaussian_kl(rand(3, 1, dtype=torch.float32), torch.ones(2), torch.zeros(()), torch.ones(1))
        assert got.shape == (3, 2)
        assert got.dtype == torch.float32
        assert (
            gaussian_kl(rand(2, dtype=torch.float16), *(torch.ones(2, dtype=torch.float16),) * 3).dtype == torch.float16
        )

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ((t(0.0), t(0.0), t(0.0), t(1.0)), "sigma1 must be positive"),
            ((t(0.0), t(1.0), t(0.0), t(-1.0)), "sigma2 must be positive"),
            ((t(math.nan), t(1.0), t(0.0), t(1.0)), "mu1 must be finite"),
            ((t(0.0), t(1.0), t(math.inf), t(1.0)), "mu2 must be finite"),
            ((0.0, t(1.0), t(0.0), t(1.0)), "mu1 must be a torch tensor"),
            ((t(0.0), t(1.0, dtype=torch.float32), t(0.0), t(1.0)), "share a dtype"),
            ((torch.zeros(2, dtype=f64), torch.ones(3, dtype=f64), t(0.0), t(1.0)), "do not match"),
        ],
    )
    def test_refuses(self, args, words):
        with pytest.raises(ValueError, match=words):
            gaussian_kl(*args)

    def test_entropy(self):
        torch.testing.assert_close(gaussian_entropy(t(0.5, 3.0)), Normal(0.0, t(0.5, 3.0)).entropy())
        with pytest.raises(ValueError, match="sigma"):
            gaussian_entropy(t(0.0))


class TestSampling:
    def test_log_ratios_are_those_of_torch(self):
        z = torch.randn(50, dtype=f64, generator=seeded(3))
        x = 0.5 + 2 * z
        want = Normal(t(0.5), t(2.0)).log_prob(x) - Normal(t(-1.0), t(1.5)).log_prob(x)
        torch.testing.assert_close(log_ratio_samples(0.5, 2, -1, 1.5, (50,), seeded(3)), want)

    def test_estimate_and_error(self):
        ratio = log_ratio_samples(0.5, 2, -1, 1.5, (50,), seeded(3)).numpy()
        estimate, error = kl_monte_carlo(0.5, 2, -1, 1.5, 50, seeded(3))
        assert estimate == pytest.approx(ratio.mean())
        assert error == pytest.approx(stats.sem(ratio))

    def test_the_spread_of_a_log_ratio(self):
        ratio = log_ratio_samples(0.5, 1.2, -1, 1.5, (200_000,), seeded(3))
        assert log_ratio_std(0.5, 1.2, -1, 1.5) == pytest.approx(ratio.std().item(), rel=0.01)

    def test_refuses(self):
        with pytest.raises(ValueError, match="n must be at least 2"):
            kl_monte_carlo(0, 1, 0, 1, 1, seeded())
        with pytest.raises(ValueError, match="sigma2 must be positive"):
            kl_monte_carlo(0, 1, 0, 0, 10, seeded())
        with pytest.raises(ValueError, match="must be positive"):
            log_ratio_std(0, -1, 0, 1)

    @given(st.floats(0.1, 5), st.floats(0.05, 1), st.floats(0.05, 0.999))
    @settings(max_examples=50)
    def test_samples_needed_is_the_smallest(self, std, tolerance, confidence):
        n = samples_needed(std, tolerance, confidence)

        def covered(count):
            return 2 * stats.norm.cdf(tolerance * math.sqrt(count) / std) - 1

        assert covered(n) >= confidence - 1e-9
        assert n == 1 or covered(n - 1) < confidence + 1e-9

    @pytest.mark.parametrize("args", [(0, 1, 0.9), (1, 0, 0.9), (1, 1, 0), (1, 1, 1), (math.nan, 1, 0.9)])
    def test_samples_needed_refuses(self, args):
        with pytest.raises(ValueError, match="must"):
            samples_needed(*args)


class TestCode:
    def test_vae_kl_agrees_with_torch(self):
        mu, log_var = rand(2, 3, 4), rand(2, 3, 4, seed=1)
        want = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(t(0.0), t(1.0))).sum(-1).mean()
        torch.testing.assert_close(vae_kl(mu, log_var), want)
        assert vae_kl(t(0.0), t(1e-9)).item() == pytest.approx(2.5e-19, rel=1e-6)

    def test_reparameterize(self):
        mu, log_var, eps = rand(5), rand(5, seed=1), rand(5, seed=2)
        torch.testing.assert_close(reparameterize(mu, log_var, eps), mu + log_var.exp().sqrt() * eps)
        leaves = mu.requires_grad_(), log_var.requires_grad_()
        assert torch.autograd.gradcheck(lambda m, v: reparameterize(m, v, eps), leaves)

    def test_refuse(self):
        with pytest.raises(ValueError, match="mu and log_var do not match"):
            vae_kl(rand(3), rand(1))
        with pytest.raises(ValueError, match="at least 1 dimension"):
            vae_kl(torch.zeros((), dtype=f64), torch.zeros((), dtype=f64))
        with pytest.raises(ValueError, match="mu and eps do not match"):
            reparameterize(rand(3), rand(3), rand(2))
        with pytest.raises(ValueError, match="eps must be finite"):
            reparameterize(rand(3), rand(3), t(math.nan))

    def test_elbo_agrees_with_torch(self):
        x, mu, log_var, eps = rand(4, 3), rand(4, 2, seed=1), rand(4, 2, seed=2), rand(4, 2, seed=3)
        layer = rand(2, 3, seed=4)
        z = mu + (log_var / 2).exp() * eps
        want = Independent(Normal(z @ layer, 1.0), 1).log_prob(x).mean() - 0.7 * vae_kl(mu, log_var)
        torch.testing.assert_close(elbo(x, mu, log_var, eps, lambda z: z @ layer, 0.7), want)
        with pytest.raises(ValueError, match="decode gives shape"):
            elbo(x, mu, log_var, eps, lambda z: z, 1.0)


class TestEstimators:
    @given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
    @settings(max_examples=50)
    def test_identities(self, log_ratios):
        log_q = torch.tensor(log_ratios, dtype=f64)
        k1, k2, k3 = kl_estimators(torch.zeros_like(log_q), log_q)
        torch.testing.assert_close(k1, -log_q)
        torch.testing.assert_close(k2, k1**2 / 2)
        torch.testing.assert_close(k3, k1 + log_q.exp() - 1)
        assert (k3 >= 0).all()

    def test_refuses_infinite_logs(self):
        with pytest.raises(ValueError, match="log_q must be finite"):
            kl_estimators(t(0.0), t(-math.inf))


class TestMixture:
    def test_moments_are_those_of_torch(self):
        weights, centres, sigmas = rand(2, 3).softmax(-1), rand(2, 3, seed=1), rand(2, 3, seed=2).exp()
        mixture = MixtureSameFamily(Categorical(weights), Normal(centres, sigmas))
        mu, sigma = moment_match(weights, centres, sigmas)
        torch.testing.assert_close(mu, mixture.mean)
        torch.testing.assert_close(sigma, mixture.variance.sqrt())

    def test_one_component_is_kept(self):
        mu, sigma = moment_match(t(1.0), t(2.0), t(0.5))
        assert (mu.item(), sigma.item()) == (2.0, 0.5)
        assert reverse_fit(t(1.0), t(2.0), t(0.5)) == pytest.approx((2.0, 0.5), abs=1e-4)

    def test_reverse_kl_of_one_component_is_the_closed_form(self):
        want = gaussian_kl(*t(0.3, 0.8, -0.5, 1.4)).item()
        assert reverse_kl(0.3, 0.8, t(1.0), t(-0.5), t(1.4)) == pytest.approx(want, rel=1e-9)

    def test_refuses(self):
        with pytest.raises(ValueError, match="weights must sum to one"):
            moment_match(t(0.5, 0.6), t(0.0, 1.0), t(1.0, 1.0))
        with pytest.raises(ValueError, match="sigmas must be positive"):
            moment_match(t(0.5, 0.5), t(0.0, 1.0), t(1.0, 0.0))
        with pytest.raises(ValueError, match="sigma must be positive"):
            reverse_kl(0, 0, t(1.0), t(0.0), t(1.0))


class TestMultivariate:
    @pytest.mark.parametrize("shape", [(3,), (4, 2)])
    def test_agrees_with_torch(self, shape):
        args = rand(*shape), covariance(*shape, seed=1), rand(*shape, seed=2), covariance(*shape, seed=3)
        want = kl_divergence(MultivariateNormal(*args[:2]), MultivariateNormal(*args[2:]))
        torch.testing.assert_close(multivariate_gaussian_kl(*args), want, rtol=1e-8, atol=1e-10)

    def test_batches_broadcast(self):
        got = multivariate_gaussian_kl(rand(2, 1, 2), covariance(2, 1, 2), rand(3, 2), covariance(3, 2, seed=1))
        assert got.shape == (2, 3)

    def test_one_dimension_is_the_scalar_case(self):
        got = multivariate_gaussian_kl(t(0.3), t(0.64)[None], t(-0.5), t(1.96)[None])
        torch.testing.assert_close(got, gaussian_kl(*t(0.3, 0.8, -0.5, 1.4)))

    def test_refuses(self):
        eye, zero = torch.eye(2, dtype=f64), torch.zeros(2, dtype=f64)
        for bad, words in ((-eye, "positive definite"), (eye + t(0.0, 1.0), "symmetric"), (zero, "square")):
            with pytest.raises(ValueError, match=f"cov2 must .*{words}"):
                multivariate_gaussian_kl(zero, eye, zero, bad)
        with pytest.raises(ValueError, match="do not match"):
            multivariate_gaussian_kl(torch.zeros(3, dtype=f64), eye, zero, eye)


class TestVAE:
    def test_one_seed_gives_one_result_and_leaves_the_global_generator_alone(self):
        x, steps = vae.bent_sheet(32, seeded()), []
        before = torch.get_rng_state()
        first, again, other = (vae.train(x, 1.0, 5, seed, lambda: steps.append(1)) for seed in (0, 0, 1))
        assert torch.equal(torch.get_rng_state(), before)
        assert len(steps) == 15
        assert vae.rate_and_distortion(first, x) == vae.rate_and_distortion(again, x)
        assert vae.rate_and_distortion(first, x) != vae.rate_and_distortion(other, x)

    def test_training_raises_the_elbo(self):
        x = vae.bent_sheet(64, seeded())
        losses = [sum(vae.rate_and_distortion(vae.train(x, 1.0, n, 0, lambda: None), x)) for n in (1, 60)]
        assert losses[1] < 0.7 * losses[0]

    def test_rate_and_distortion_are_the_elbo(self):
        x = vae.bent_sheet(16, seeded())
        model = vae.train(x, 1.0, 3, 0, lambda: None)
        rate, distortion = vae.rate_and_distortion(model, x, samples=1)
        mu, log_var = model.encode(x)
        eps = torch.randn(1, *mu.shape, dtype=f64, generator=seeded())[0]
        constant = x.shape[-1] * gaussians.LOG_TWO_PI / 2
        assert -elbo(x, mu, log_var, eps, model.decoder, 2.0).item() == pytest.approx(distortion + 2 * rate + constant)

    def test_refuses(self):
        with pytest.raises(ValueError, match="beta"):
            vae.train(torch.zeros(2, 8, dtype=f64), -1, 1, 0, lambda: None)
        with pytest.raises(ValueError, match="n must"):
            vae.bent_sheet(0, seeded())
