"""The figures of notebook 05: the KL divergence between Gaussians, and what estimates of it are worth.

Each drawing function returns a matplotlib Figure in the course's style. Divergences are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Generator, Tensor

from helpers.gaussians import (
    gaussian_kl,
    kl_estimators,
    log_ratio_samples,
    log_ratio_std,
    moment_match,
    reverse_fit,
)
from helpers.plotting import PALETTE, STYLE

PAIR = (1.0, 2.0, 0.0, 1.0)  # N(1, 2^2) and N(0, 1), the worked example


def numbers(*values: float) -> Float[Tensor, " n"]:
    """Numbers as a vector in float64."""
    return torch.tensor(values, dtype=torch.float64)


def density(x: Float[Tensor, " n"], mu: float, sigma: float) -> Float[Tensor, " n"]:
    """The density of N(mu, sigma^2)."""
    return torch.exp(-(((x - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))


def exact_kl(mu1: float, sigma1: float, mu2: float, sigma2: float) -> float:
    """The closed form for floats."""
    return gaussian_kl(*numbers(mu1, sigma1, mu2, sigma2)).item()


def where_it_comes_from() -> Figure:
    """Two Gaussians, and p log(p / q) under them: the area is KL(p, q)."""
    x = torch.linspace(-8, 10, 901, dtype=torch.float64)
    p, q = density(x, *PAIR[:2]), density(x, *PAIR[2:])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4))
        above, below = figure.subplots(2, sharex=True)
        above.plot(x, p, color=PALETTE["blue"], label="p = N(1, 2²)")
        above.plot(x, q, "--", color=PALETTE["vermilion"], label="q = N(0, 1)")
        above.set(ylabel="density", title="Two Gaussians")
        above.legend()
        pull = p * (p / q).log()
        below.plot(x, pull, color=PALETTE["black"], linewidth=1.5)
        for sign, colour in ((pull > 0, "blue"), (pull < 0, "vermilion")):
            below.fill_between(x, pull, 0, where=sign.numpy(), color=PALETTE[colour], alpha=0.3, linewidth=0)
        below.set(
            xlabel="x", ylabel="p log(p / q)", title=f"The area, blue less red, is KL(p, q) = {exact_kl(*PAIR):.3f}"
        )
    return figure


def error_band(seed: int = 5, most: int = 100_000) -> Figure:
    """One run's estimate of KL(N(1, 2^2), N(0, 1)) against n with its error band, and its error on log axes."""
    ratio = log_ratio_samples(*PAIR, (most,), Generator().manual_seed(seed))
    n = torch.unique(torch.logspace(1, math.log10(most), 200, dtype=torch.float64).long())
    count = torch.arange(1, most + 1, dtype=torch.float64)
    mean = ratio.cumsum(0) / count
    variance = (ratio.square().cumsum(0) - count * mean.square()) / (count - 1)
    estimate, error = mean[n - 1], (variance[n - 1] / n).sqrt()
    truth, std = exact_kl(*PAIR), log_ratio_std(*PAIR)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.8))
        left, right = figure.subplots(1, 2)
        left.fill_between(
            n,
            estimate - 2 * error,
            estimate + 2 * error,
            color=PALETTE["sky"],
            alpha=0.4,
            linewidth=0,
            label="± 2 standard errors",
        )
        left.semilogx(n, estimate, color=PALETTE["blue"], label="estimate")
        left.axhline(truth, color=PALETTE["black"], linestyle="--", linewidth=1.2, label=f"exact: {truth:.3f}")
        left.set(xlabel="samples n", ylabel="KL (nats)", title="One run", ylim=(truth - 2.2, truth + 2.2))
        left.legend(loc="lower right")
        right.loglog(n, (estimate - truth).abs(), color=PALETTE["blue"], linewidth=1, label="distance from exact")
        right.loglog(n, error, color=PALETTE["vermilion"], label="standard error")
        right.loglog(n, std / n.double().sqrt(), "--", color=PALETTE["black"], linewidth=1.2, label=f"{std:.3f} / √n")
        right.set(xlabel="samples n", ylabel="nats", title="Its error falls as 1/√n", ylim=(1e-4, 3))
        right.legend(loc="lower left")
    return figure


def coverage(
    counts: Sequence[int], repeats: int = 1000, tolerance: float = 0.05, seed: int = 0
) -> Float[Tensor, "n 2"]:
    """How often, out of ``repeats`` runs at each n, the estimate of KL(N(1, 2^2), N(0, 1)) is within ``tolerance`` of
    the truth, and how often within 1.96 of its own standard errors."""
    generator, truth = Generator().manual_seed(seed), exact_kl(*PAIR)
    rows = []
    for n in counts:
        sizes = torch.arange(repeats).split(max(1, 200_000 // n))  # a few runs at a time stay in the cache
        runs = [log_ratio_samples(*PAIR, (len(size), n), generator) for size in sizes]
        away = torch.cat([run.mean(-1) - truth for run in runs]).abs()
        error = torch.cat([run.std(-1) for run in runs]) / math.sqrt(n)
        rows.append([(away <= tolerance).double().mean().item(), (away <= 1.96 * error).double().mean().item()])
    return torch.tensor(rows, dtype=torch.float64)


def within(tolerance: float, n: float) -> float:
    """The probability that the estimate from n samples is within ``tolerance``, by the central limit theorem."""
    return math.erf(tolerance / log_ratio_std(*PAIR) * math.sqrt(n / 2))


def coverage_curve(counts: Sequence[int], measured: Float[Tensor, "n 2"], tolerance: float = 0.05) -> Figure:
    """Measured coverage against n, with theory."""
    grid = torch.logspace(math.log10(min(counts) / 1.5), 5, 200, dtype=torch.float64).tolist()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0))
        axes = figure.add_subplot()
        theory = [100 * within(tolerance, n) for n in grid]
        axes.semilogx(grid, theory, color=PALETTE["blue"], label=f"within {tolerance:g}: theory")
        axes.plot(counts, 100 * measured[:, 0], "o", color=PALETTE["blue"], label="measured, 1000 runs each")
        axes.axhline(95, color=PALETTE["vermilion"], linestyle="--", label="within 1.96 standard errors: theory")
        axes.plot(counts, 100 * measured[:, 1], "s", color=PALETTE["vermilion"], label="measured, same runs")
        axes.set(xlabel="samples n", ylabel="runs (%)", ylim=(0, 103), title="How often is the estimate close enough?")
        axes.legend(loc="lower right")
    return figure


def fits() -> Figure:
    """The Gaussians closest to an even mixture at -3 and 3, by forward and by reverse KL."""
    weights, means, sigmas = numbers(0.5, 0.5), numbers(-3, 3), numbers(1, 1)
    mu, sigma = (part.item() for part in moment_match(weights, means, sigmas))
    mode, width = reverse_fit(weights, means, sigmas)
    x = torch.linspace(-9, 9, 601, dtype=torch.float64)
    mixture = sum((w * density(x, m, s) for w, m, s in zip([0.5, 0.5], [-3.0, 3.0], [1.0, 1.0], strict=True)), 0 * x)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0))
        axes = figure.add_subplot()
        axes.fill_between(x, mixture, color="#BBBBBB", alpha=0.5, linewidth=0, label="mixture p")
        axes.plot(x, density(x, mu, sigma), color=PALETTE["blue"], label=f"forward, least KL(p, q): σ = {sigma:.2f}")
        axes.plot(
            x,
            density(x, mode, width),
            "--",
            color=PALETTE["vermilion"],
            label=f"reverse, least KL(q, p): σ = {width:.2f}",
        )
        axes.set(xlabel="x", ylabel="density", ylim=(0, 0.56), title="One covers both modes, the other seeks one")
        axes.legend(loc="upper left")
    return figure


def estimator_samples(n: int = 100_000, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """k1, k2 and k3 of n samples from N(0.1, 1), for its KL from N(0, 1)."""
    x = 0.1 + torch.randn(n, dtype=torch.float64, generator=Generator().manual_seed(seed))
    return kl_estimators(-((x - 0.1) ** 2) / 2, -(x**2) / 2)


def estimator_histograms(samples: tuple[Tensor, Tensor, Tensor]) -> Figure:
    """The three estimates of a small divergence, one histogram each."""
    truth = exact_kl(0.1, 1, 0, 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4))
        titles = ("k1 = −log r", "k2 = (log r)² / 2", "k3 = r − 1 − log r")
        for axes, k, title, colour in zip(
            figure.subplots(1, 3), samples, titles, ("blue", "orange", "green"), strict=True
        ):
            edge = 0.3 if k.min() < 0 else 0.03
            axes.hist(k.clamp(-edge, edge), bins=60, range=(-edge if k.min() < 0 else 0, edge), color=PALETTE[colour])
            axes.axvline(truth, color=PALETTE["black"], linestyle="--", linewidth=1.5)
            axes.set(xlabel="one sample (nats)", title=f"{title}\nstd {k.std():.4f}")
            axes.set_yticks([])
        figure.axes[0].set_ylabel("samples")
        figure.axes[0].annotate(
            f"KL = {truth:.3f}", (truth, figure.axes[0].get_ylim()[1]), (6, -12), textcoords="offset points"
        )
    return figure


def rate_distortion(betas: Sequence[float], points: Sequence[tuple[float, float]]) -> Figure:
    """Distortion against rate of VAEs trained at each beta, with the slope -beta drawn at each point."""
    rates, distortions = zip(*points, strict=True)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2))
        axes = figure.add_subplot()
        axes.plot(rates, distortions, color=PALETTE["blue"], linewidth=1.2)
        for beta, rate, distortion in zip(betas, rates, distortions, strict=True):
            reach = min(0.45, 1.6 / beta)
            slope = axes.plot(
                [rate - reach, rate + reach],
                [distortion + beta * reach, distortion - beta * reach],
                "--",
                color=PALETTE["vermilion"],
                linewidth=1.5,
            )
            axes.annotate(f"β = {beta:g}", (rate, distortion), (8, 6), textcoords="offset points")
        slope[0].set_label("slope −β")
        axes.plot(rates, distortions, "o", color=PALETTE["blue"], label="trained VAE")
        axes.set(xlabel="rate: KL(q(z|x), p(z)) (nats)", ylabel="distortion: E |x − decode(z)|² / 2 (nats)")
        axes.set(ylim=(-0.5, max(distortions) * 1.12), title="β buys rate with distortion")
        axes.legend()
    return figure
