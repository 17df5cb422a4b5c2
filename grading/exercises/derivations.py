r"""The seven derivations of notebook 08: ordered steps, each a function whose two sides agree on random inputs, and one
wrong step, whose sides do not. `tests/grading/exercises/test_derivations.py` plays them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, special, stats

from grading.exercises.written import Order

Draw = Mapping[str, Any]
Side = Callable[[Draw], Any]


@dataclass(frozen=True)
class Step:
    r"""One step as it is printed, and its two sides as functions of a draw; `relation` is "=" or "<="."""

    text: str
    left: Side
    right: Side
    relation: str = "="

    def holds(self, draw: Draw) -> bool:
        """Whether the step is true of a draw, to 1e-6."""
        left, right = np.asarray(self.left(draw)), np.asarray(self.right(draw))
        close = np.isclose(left, right, rtol=1e-6, atol=1e-8)
        return bool(np.all(close if self.relation == "=" else close | (left < right)))


@dataclass(frozen=True)
class Derivation:
    """A statement, how its inputs are drawn, its steps, the wrong step and what its chooser is told."""

    name: str
    text: str
    draw: Callable[[np.random.Generator], Draw]
    steps: tuple[Step, ...]
    wrong: Step
    told: str

    def as_order(self) -> Order:
        """The derivation as it is asked for."""
        return Order(self.name, self.text, [step.text for step in self.steps], self.wrong.text, self.told)


def two_distributions(rng: np.random.Generator) -> Draw:
    """p and q with the same number of outcomes."""
    n = int(rng.integers(2, 7))
    p, q = rng.dirichlet(np.ones(n)) * 0.9 + 0.1 / n, rng.dirichlet(np.ones(n)) * 0.9 + 0.1 / n
    return {"p": p, "q": q, "n": n}


def ratio(d: Draw) -> Any:
    """sum p log(q/p)."""
    return (d["p"] * np.log(d["q"] / d["p"])).sum()


def entropy(d: Draw) -> Any:
    """H(p)."""
    return stats.entropy(d["p"])


GIBBS = Derivation(
    "kl", r"$D(p\|q) \ge 0$, from $\log t \le t - 1$", two_distributions,
    (
        Step(r"$-D(p\|q) = \sum_x p(x) \log\frac{q(x)}{p(x)}$", lambda d: -stats.entropy(d["p"], d["q"]), ratio),
        Step(r"$\sum_x p(x) \log\frac{q(x)}{p(x)} \le \sum_x p(x) \left(\frac{q(x)}{p(x)} - 1\right)$", ratio,
             lambda d: (d["p"] * (d["q"] / d["p"] - 1)).sum(), "<="),
        Step(r"$\sum_x p(x) \left(\frac{q(x)}{p(x)} - 1\right) = \sum_x q(x) - \sum_x p(x)$",
             lambda d: (d["p"] * (d["q"] / d["p"] - 1)).sum(), lambda d: d["q"].sum() - d["p"].sum()),
        Step(r"$\sum_x q(x) - \sum_x p(x) = 0$", lambda d: d["q"].sum() - d["p"].sum(), lambda d: 0.0),
    ),
    Step(r"$\sum_x p(x) \log\frac{q(x)}{p(x)} = \log \sum_x p(x) \frac{q(x)}{p(x)}$", ratio,
         lambda d: np.log((d["p"] * d["q"] / d["p"]).sum())),
    "The mean of a logarithm is not the logarithm of the mean: with p = (.5, .5) and q = (.9, .1) it is -.51 against 0.",
)  # fmt: skip

LARGEST = Derivation(
    "log n", r"$H(p) \le \log n$, from $D(p\|u) \ge 0$ with the uniform $u(x) = 1/n$", two_distributions,
    (
        Step(r"$0 \le D(p\|u)$", lambda d: 0.0, lambda d: stats.entropy(d["p"], np.full(d["n"], 1 / d["n"])), "<="),
        Step(r"$D(p\|u) = \sum_x p(x) \log (n\, p(x))$", lambda d: stats.entropy(d["p"], np.full(d["n"], 1 / d["n"])),
             lambda d: (d["p"] * np.log(d["n"] * d["p"])).sum()),
        Step(r"$\sum_x p(x) \log (n\, p(x)) = \log n + \sum_x p(x) \log p(x)$",
             lambda d: (d["p"] * np.log(d["n"] * d["p"])).sum(), lambda d: np.log(d["n"]) + (d["p"] * np.log(d["p"])).sum()),
        Step(r"$\log n + \sum_x p(x) \log p(x) = \log n - H(p)$", lambda d: np.log(d["n"]) + (d["p"] * np.log(d["p"])).sum(),
             lambda d: np.log(d["n"]) - entropy(d)),
    ),
    Step(r"$\sum_x p(x) \log (n\, p(x)) = n \sum_x p(x) \log p(x)$", lambda d: (d["p"] * np.log(d["n"] * d["p"])).sum(),
         lambda d: d["n"] * (d["p"] * np.log(d["p"])).sum()),
    "The logarithm of a product is a sum, and n does not come out in front: at the uniform p the left side is 0, the right -n log n.",
)  # fmt: skip

DECOMPOSITION = Derivation(
    "cross-entropy", r"$H(p,q) = H(p) + D(p\|q)$", two_distributions,
    (
        Step(r"$H(p,q) = -\sum_x p(x) \log q(x)$", lambda d: -np.dot(d["p"], np.log(d["q"])),
             lambda d: -(d["p"] * np.log(d["q"])).sum()),
        Step(r"$-\sum_x p(x) \log q(x) = -\sum_x p(x) \log\left(p(x) \frac{q(x)}{p(x)}\right)$",
             lambda d: -(d["p"] * np.log(d["q"])).sum(), lambda d: -(d["p"] * np.log(d["p"] * (d["q"] / d["p"]))).sum()),
        Step(r"$-\sum_x p(x) \log\left(p(x) \frac{q(x)}{p(x)}\right) = -\sum_x p(x) \log p(x) - \sum_x p(x) \log\frac{q(x)}{p(x)}$",
             lambda d: -(d["p"] * np.log(d["p"] * (d["q"] / d["p"]))).sum(), lambda d: -(d["p"] * np.log(d["p"])).sum() - ratio(d)),
        Step(r"$-\sum_x p(x) \log p(x) - \sum_x p(x) \log\frac{q(x)}{p(x)} = H(p) + D(p\|q)$",
             lambda d: -(d["p"] * np.log(d["p"])).sum() - ratio(d), lambda d: entropy(d) + stats.entropy(d["p"], d["q"])),
    ),
    Step(r"$-\sum_x p(x) \log\left(p(x) \frac{q(x)}{p(x)}\right) = \left(\sum_x p(x) \log p(x)\right)\left(\sum_x p(x) \log\frac{q(x)}{p(x)}\right)$",
         lambda d: -(d["p"] * np.log(d["p"] * (d["q"] / d["p"]))).sum(), lambda d: (d["p"] * np.log(d["p"])).sum() * ratio(d)),
    "The logarithm of a product is a sum of logarithms, not a product: where q = p the right side would be 0, the left is H(p).",
)  # fmt: skip


def lagrangian(rng: np.random.Generator) -> Draw:
    """Values x, a multiplier, the p that solves the problem, and another p."""
    n = int(rng.integers(2, 6))
    x, lam = rng.normal(size=n), float(rng.normal())
    log_z = special.logsumexp(lam * x)
    return {
        "x": x,
        "lam": lam,
        "n": n,
        "p": np.exp(lam * x - log_z),
        "mu": 1 - log_z,
        "any": rng.dirichlet(np.ones(n)) * 0.9 + 0.1 / n,
    }


def derivative(d: Draw) -> Any:
    """The derivative of H(p) + mu sum p + lambda sum p x by every p, by central differences."""

    def value(p: Any) -> Any:
        return -(p * np.log(p)).sum() + d["mu"] * p.sum() + d["lam"] * (p * d["x"]).sum()

    steps = 1e-6 * np.eye(d["n"])
    return np.array([(value(d["any"] + h) - value(d["any"] - h)) / 2e-6 for h in steps])


LAGRANGE = Derivation(
    "maximum entropy", r"The largest $H(p)$ with mean $\sum_i p_i x_i = m$, by $\mathcal{L} = H(p) + \mu \left(\sum_i p_i - 1\right) + \lambda \left(\sum_i p_i x_i - m\right)$",
    lagrangian,
    (
        Step(r"$\frac{\partial \mathcal{L}}{\partial p_i} = -\log p_i - 1 + \mu + \lambda x_i$", derivative,
             lambda d: -np.log(d["any"]) - 1 + d["mu"] + d["lam"] * d["x"]),
        Step(r"Set to 0: $\log p_i = \mu - 1 + \lambda x_i$", lambda d: np.log(d["p"]), lambda d: d["mu"] - 1 + d["lam"] * d["x"]),
        Step(r"$p_i = e^{\mu - 1} e^{\lambda x_i}$", lambda d: d["p"], lambda d: math.exp(d["mu"] - 1) * np.exp(d["lam"] * d["x"])),
        Step(r"They sum to 1: $p_i = e^{\lambda x_i} / \sum_j e^{\lambda x_j}$", lambda d: d["p"], lambda d: special.softmax(d["lam"] * d["x"])),
        Step(r"Without the constraint on the mean, $\lambda = 0$: $p_i = 1/n$", lambda d: special.softmax(0 * d["x"]), lambda d: 1 / d["n"]),
    ),
    Step(r"$\frac{\partial \mathcal{L}}{\partial p_i} = -\log p_i + \mu + \lambda x_i$", derivative,
         lambda d: -np.log(d["any"]) + d["mu"] + d["lam"] * d["x"]),
    "The derivative of -p log p is -log p - 1: the product rule leaves p times 1/p.",
)  # fmt: skip


def gaussian(rng: np.random.Generator) -> Draw:
    """Two Gaussians, the first with other densities of its mean and variance."""
    mu, sigma = float(rng.normal()), float(rng.uniform(0.5, 2))
    weight = float(rng.uniform(0.2, 0.8))
    return {"mu": mu, "sigma": sigma, "mu2": float(rng.normal()), "sigma2": float(rng.uniform(0.5, 2)), "shift": weight}


def mean(d: Draw, function: Callable[[Any], Any], log_density: Callable[[Any], Any] | None = None) -> Any:
    """The expectation of a function, under N(mu, sigma^2) unless another log-density is given."""
    x = d["mu"] + d["sigma"] * np.linspace(-14, 14, 8001)
    density = np.exp((log_density or stats.norm(d["mu"], d["sigma"]).logpdf)(x))
    return float(integrate.simpson(density * function(x), x=x))


def other(d: Draw) -> Callable[[Any], Any]:
    """The log-density of an even mixture of two Gaussians with the mean and the variance of the first."""
    away, narrow = d["shift"] * d["sigma"], math.sqrt(1 - d["shift"] ** 2) * d["sigma"]
    return lambda x: np.logaddexp(*(stats.norm(d["mu"] + s * away, narrow).logpdf(x) for s in (-1, 1))) - math.log(2)


def height(d: Draw) -> Any:
    """log(2 pi sigma^2) / 2."""
    return 0.5 * math.log(2 * math.pi * d["sigma"] ** 2)


def whole(d: Draw) -> Any:
    """log(2 pi e sigma^2) / 2."""
    return 0.5 * math.log(2 * math.pi * math.e * d["sigma"] ** 2)


def squared(d: Draw) -> Any:
    """E[log(2 pi sigma^2) / 2 + (x - mu)^2 / (2 sigma^2)]."""
    return mean(d, lambda x: height(d) + (x - d["mu"]) ** 2 / (2 * d["sigma"] ** 2))


GAUSSIAN = Derivation(
    "Gaussian entropy", r"$h(f) \le \tfrac12\log(2\pi e\sigma^2)$ for every density $f$ with mean $\mu$ and variance $\sigma^2$; the Gaussian $\varphi$ reaches it",
    gaussian,
    (
        Step(r"$h(\varphi) = \mathbb{E}_\varphi\left[\tfrac12\log(2\pi\sigma^2) + \frac{(x-\mu)^2}{2\sigma^2}\right]$",
             lambda d: stats.norm(d["mu"], d["sigma"]).entropy(), squared),
        Step(r"$\mathbb{E}_\varphi\left[\tfrac12\log(2\pi\sigma^2) + \frac{(x-\mu)^2}{2\sigma^2}\right] = \tfrac12\log(2\pi\sigma^2) + \tfrac12$",
             squared, lambda d: height(d) + 0.5),
        Step(r"$\tfrac12\log(2\pi\sigma^2) + \tfrac12 = \tfrac12\log(2\pi e\sigma^2)$", lambda d: height(d) + 0.5, whole),
        Step(r"The same two moments under $f$: $-\mathbb{E}_f[\log\varphi(x)] = \tfrac12\log(2\pi e\sigma^2)$",
             lambda d: -mean(d, stats.norm(d["mu"], d["sigma"]).logpdf, other(d)), whole),
        Step(r"$0 \le D(f\|\varphi) = \tfrac12\log(2\pi e\sigma^2) - h(f)$",
             lambda d: mean(d, lambda x: other(d)(x) - stats.norm(d["mu"], d["sigma"]).logpdf(x), other(d)),
             lambda d: whole(d) + mean(d, other(d), other(d))),
    ),
    Step(r"$\mathbb{E}_\varphi\left[\tfrac12\log(2\pi\sigma^2) + \frac{(x-\mu)^2}{2\sigma^2}\right] = \tfrac12\log(2\pi\sigma^2) + 1$",
         squared, lambda d: height(d) + 1),
    "The mean of (x - mu)^2 is sigma^2, so the second term is 1/2, not 1.",
)  # fmt: skip


def between(d: Draw) -> Any:
    """D(N1, N2) by quadrature."""
    first, second = stats.norm(d["mu"], d["sigma"]), stats.norm(d["mu2"], d["sigma2"])
    return mean(d, lambda x: first.logpdf(x) - second.logpdf(x))


def moments(d: Draw) -> Any:
    """log(s2/s1) - 1/2 + E[(x - mu2)^2] / (2 s2^2)."""
    return math.log(d["sigma2"] / d["sigma"]) - 0.5 + mean(d, lambda x: (x - d["mu2"]) ** 2) / (2 * d["sigma2"] ** 2)


def closed(d: Draw, square: float) -> Any:
    """log(s2/s1) - 1/2 + square / (2 s2^2)."""
    return math.log(d["sigma2"] / d["sigma"]) - 0.5 + square / (2 * d["sigma2"] ** 2)


TWO_GAUSSIANS = Derivation(
    "two Gaussians", r"$D(N_1\|N_2)$ with means $\mu_1, \mu_2$ and standard deviations $\sigma_1, \sigma_2$, and the VAE's case", gaussian,
    (
        Step(r"$D = \mathbb{E}_1\left[\log\frac{\sigma_2}{\sigma_1} - \frac{(x-\mu_1)^2}{2\sigma_1^2} + \frac{(x-\mu_2)^2}{2\sigma_2^2}\right]$", between,
             lambda d: mean(d, lambda x: math.log(d["sigma2"] / d["sigma"]) - (x - d["mu"]) ** 2 / (2 * d["sigma"] ** 2) + (x - d["mu2"]) ** 2 / (2 * d["sigma2"] ** 2))),
        Step(r"$D = \log\frac{\sigma_2}{\sigma_1} - \tfrac12 + \frac{\mathbb{E}_1[(x-\mu_2)^2]}{2\sigma_2^2}$", between, moments),
        Step(r"$D = \log\frac{\sigma_2}{\sigma_1} - \tfrac12 + \frac{\sigma_1^2 + (\mu_1-\mu_2)^2}{2\sigma_2^2}$", between,
             lambda d: closed(d, d["sigma"] ** 2 + (d["mu"] - d["mu2"]) ** 2)),
        Step(r"With $N_2 = N(0, 1)$: $D = \tfrac12\left(\mu_1^2 + \sigma_1^2 - 1 - \log\sigma_1^2\right)$",
             lambda d: between({**d, "mu2": 0.0, "sigma2": 1.0}), lambda d: 0.5 * (d["mu"] ** 2 + d["sigma"] ** 2 - 1 - math.log(d["sigma"] ** 2))),
    ),
    Step(r"$D = \log\frac{\sigma_2}{\sigma_1} - \tfrac12 + \frac{\sigma_1^2}{2\sigma_2^2}$", between, lambda d: closed(d, d["sigma"] ** 2)),
    "The spread around the other mean is larger: the mean of (x - mu2)^2 is sigma1^2 + (mu1 - mu2)^2.",
)  # fmt: skip


def gradients(rng: np.random.Generator) -> Draw:
    """Gradients that are a or b, independently at each of three steps."""
    a, b = rng.normal(size=2)
    return {"a": a, "b": b, "w": float(rng.uniform(0.1, 0.9)), "beta": float(rng.uniform(0.1, 0.95)), "t": 3}


def over_paths(d: Draw, value: Callable[[Any], Any]) -> Any:
    """The expectation of a function of the gradients, over all their paths."""
    total = 0.0
    for path in itertools.product((0, 1), repeat=d["t"]):
        total += math.prod(d["w"] if step else 1 - d["w"] for step in path) * value(
            [d["b"] if step else d["a"] for step in path]
        )
    return total


def average(d: Draw, path: Any) -> Any:
    """m_t by its recursion from 0."""
    m = 0.0
    for g in path:
        m = d["beta"] * m + (1 - d["beta"]) * g
    return m


def weights(d: Draw) -> Any:
    """(1 - beta) beta^(t - i) for i = 1 to t."""
    return (1 - d["beta"]) * d["beta"] ** np.arange(d["t"] - 1, -1, -1)


def mean_gradient(d: Draw) -> Any:
    """E[g]."""
    return (1 - d["w"]) * d["a"] + d["w"] * d["b"]


CORRECTION = Derivation(
    "bias correction", r"$\mathbb{E}[m_t] = (1 - \beta^t)\, \mathbb{E}[g]$ for $m_t = \beta m_{t-1} + (1-\beta) g_t$, $m_0 = 0$, and gradients of one distribution", gradients,
    (
        Step(r"$m_t = (1-\beta) \sum_{i=1}^t \beta^{t-i} g_i$", lambda d: average(d, [d["a"], d["b"], d["a"]]),
             lambda d: weights(d) @ [d["a"], d["b"], d["a"]]),
        Step(r"$\mathbb{E}[m_t] = (1-\beta) \sum_{i=1}^t \beta^{t-i}\, \mathbb{E}[g_i]$", lambda d: over_paths(d, lambda path: average(d, path)),
             lambda d: weights(d) @ np.full(d["t"], mean_gradient(d))),
        Step(r"All $\mathbb{E}[g_i]$ are one: $\mathbb{E}[m_t] = \mathbb{E}[g]\, (1-\beta) \sum_{i=1}^t \beta^{t-i}$",
             lambda d: over_paths(d, lambda path: average(d, path)), lambda d: mean_gradient(d) * weights(d).sum()),
        Step(r"A geometric sum: $(1-\beta) \sum_{i=1}^t \beta^{t-i} = 1 - \beta^t$", lambda d: weights(d).sum(), lambda d: 1 - d["beta"] ** d["t"]),
    ),
    Step(r"A geometric sum: $(1-\beta) \sum_{i=1}^t \beta^{t-i} = 1$", lambda d: weights(d).sum(), lambda d: 1.0),
    "It reaches 1 only in the limit; at t = 1 the weights add up to 1 - beta, which is what the correction is for.",
)  # fmt: skip

DERIVATIONS = (GIBBS, LARGEST, DECOMPOSITION, LAGRANGE, GAUSSIAN, TWO_GAUSSIANS, CORRECTION)
