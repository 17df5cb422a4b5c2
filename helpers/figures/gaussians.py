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
from helpers.plotting import PALETTE, STYLE, describe
from helpers.vae import TinyVAE

PAIR = (1.0, 2.0, 0.0, 1.0)  # N(1, 2^2) and N(0, 1), the worked example
NEAR, FAR, WIDE = (0.1, 1.0, 0.0, 1.0), (1.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.25)  # pairs for three estimators


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
    low, high = pull.argmin(), pull.argmax()
    alt = "Above, the wide density p = N(1, 4) and the narrow q = N(0, 1). Below, p log(p/q): negative where q is "
    alt += (
        f"larger, down to {pull[low]:.2f} near x = {abs(x[low]):.1f}, then a hump of {pull[high]:.2f} at {x[high]:.1f}."
    )
    return describe(figure, alt)


def error_band(seed: int = 5, most: int = 100_000, runs: int = 200) -> Figure:
    """One run's estimate of KL(N(1, 2^2), N(0, 1)) against n with its error band; the rms error of many runs."""
    truth, std = exact_kl(*PAIR), log_ratio_std(*PAIR)
    ratio = log_ratio_samples(*PAIR, (most,), Generator().manual_seed(seed))
    n = torch.unique(torch.logspace(1, math.log10(most), 100, dtype=torch.float64).long())
    count = torch.arange(1, most + 1, dtype=torch.float64)
    mean = ratio.cumsum(0) / count
    variance = (ratio.square().cumsum(0) - count * mean.square()) / (count - 1)
    estimate, error = mean[n - 1], (variance[n - 1] / n).sqrt()
    fewer = n[n <= most // 5]
    many = log_ratio_samples(*PAIR, (runs, most // 5), Generator().manual_seed(seed + 1)).cumsum(-1)
    away = (many[:, fewer - 1] / fewer - truth).abs()
    rms = away.square().mean(0).sqrt()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 3.5))
        left, right = figure.subplots(1, 2)
        low, high = estimate - 2 * error, estimate + 2 * error
        left.fill_between(n, low, high, color=PALETTE["sky"], alpha=0.4, linewidth=0, label="± 2 standard errors")
        left.semilogx(n, estimate, color=PALETTE["blue"], label="estimate")
        left.axhline(truth, color=PALETTE["black"], linestyle="--", linewidth=1.2, label=f"exact: {truth:.3f}")
        left.set(xlabel="samples n", ylabel="KL (nats)", title="One run", ylim=(truth - 2.2, truth + 2.2))
        left.legend(loc="lower right")
        for run in away[:3, ::2]:
            right.loglog(fewer[::2], run, color="#bbbbbb", linewidth=0.7)
        right.plot([], [], color="#bbbbbb", linewidth=0.7, label="distance of three runs")
        right.loglog(fewer, rms, color=PALETTE["vermilion"], label=f"root mean square of {runs} runs")
        right.loglog(fewer, std / fewer.sqrt(), "--", color=PALETTE["black"], linewidth=1.2, label=f"{std:.3f} / √n")
        right.set(xlabel="samples n", ylabel="nats", title="The error falls as 1/√n", ylim=(1e-3, 3))
        right.legend(loc="lower left", fontsize=9)
    alt = "Left: one run's estimate against the number of samples; the band of two standard errors narrows around the "
    alt += f"exact {truth:.3f}. Right: the root mean square error of {runs} runs falls from {rms[0]:.2f} at n = "
    alt += f"{fewer[0]} to {rms[-1]:.3f} at n = {fewer[-1]}, "
    return describe(figure, alt + f"along {std:.3f} over root n.")


def coverage(
    counts: Sequence[int], repeats: int | Sequence[int] = 1000, tolerance: float = 0.05, seed: int = 0
) -> Float[Tensor, "n 2"]:
    """How often the estimate of KL(N(1, 2^2), N(0, 1)) is within ``tolerance`` of the truth, and how often within 1.96
    of its own standard errors, out of ``repeats`` runs at each n (one number, or one for each n)."""
    generator, truth = Generator().manual_seed(seed), exact_kl(*PAIR)
    rows = []
    for n, runs_at_n in zip(counts, [repeats] * len(counts) if isinstance(repeats, int) else repeats, strict=True):
        sizes = torch.arange(runs_at_n).split(max(1, 200_000 // n))  # a few runs at a time stay in the cache
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
        axes.plot(counts, 100 * measured[:, 0], "o", color=PALETTE["blue"], label="measured")
        axes.axhline(95, color=PALETTE["vermilion"], linestyle="--", label="within 1.96 standard errors: for large n")
        axes.plot(counts, 100 * measured[:, 1], "s", color=PALETTE["vermilion"], label="measured, same runs")
        axes.set(xlabel="samples n", ylabel="runs (%)", ylim=(0, 103), title="How often is the estimate close enough?")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12), fontsize=9)
    pairs = (zip(counts, (100 * measured[:, i]).tolist(), strict=True) for i in (0, 1))
    near, own = ("; ".join(f"{share:.0f} percent at {n}" for n, share in sorted(pair)) for pair in pairs)
    alt = f"Percentage of runs against samples. Within {tolerance:g} of the truth: {near}, on the theoretical curve. "
    return describe(figure, alt + f"Within 1.96 of their own standard errors: {own}.")


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
    alt = "An even mixture with modes at -3 and 3. The forward fit is one wide Gaussian over both modes, deviation "
    return describe(
        figure, alt + f"{sigma:.2f}; the reverse fit is a narrow one, {width:.2f}, on the mode at {mode:.2f} alone."
    )


def estimator_samples(
    pair: tuple[float, float, float, float] = NEAR, n: int = 100_000, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """k1, k2 and k3 of n samples from the first Gaussian of a pair, for its KL from the second, in nats."""
    mu1, sigma1, mu2, sigma2 = pair
    x = mu1 + sigma1 * torch.randn(n, dtype=torch.float64, generator=Generator().manual_seed(seed))
    log_p, log_q = (-math.log(sigma) - ((x - mu) / sigma) ** 2 / 2 for mu, sigma in ((mu1, sigma1), (mu2, sigma2)))
    return kl_estimators(log_p, log_q)


def tangent() -> Figure:
    """log r under its tangent r - 1 at 1: the gap between them is k3."""
    r = torch.linspace(0.05, 3, 400, dtype=torch.float64)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.6))
        axes = figure.add_subplot()
        axes.plot(r, r - 1, "--", color=PALETTE["vermilion"], label="r − 1, the tangent at 1")
        axes.plot(r, r.log(), color=PALETTE["blue"], label="log r")
        axes.fill_between(r, r.log(), r - 1, color=PALETTE["green"], alpha=0.25, linewidth=0, label="the gap: k3")
        half = 0.5 - 1 - math.log(0.5)
        axes.annotate(f"{half:.4f} at r = ½", (0.5, math.log(0.5)), (0.75, -1.6), arrowprops={"arrowstyle": "->"})
        axes.set(xlabel="r = q(x) / p(x)", ylabel="", ylim=(-2.5, 2.2), title="k3 = (r − 1) − log r is never negative")
        axes.legend(loc="lower right")
    alt = "The curve log r lies below its tangent r - 1 and meets it at r = 1; the gap between them is k3, "
    alt += f"{half:.4f} at r = 1/2."
    return describe(figure, alt)


def estimator_histograms(
    pairs: Sequence[tuple[float, float, float, float]] = (NEAR, FAR), n: int = 100_000, seed: int = 0
) -> Figure:
    """The three estimates of a divergence, a row of histograms for each pair of Gaussians, without the ends of the
    tails."""
    titles = ("k1 = −log r", "k2 = (log r)² / 2", "k3 = r − 1 − log r")
    told = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2.5 * len(pairs)))
        for row, pair in zip(figure.subplots(len(pairs), 3, squeeze=False), pairs, strict=True):
            truth, samples, words = exact_kl(*pair), estimator_samples(pair, n, seed), []
            for axes, k, title, colour in zip(row, samples, titles, ("blue", "purple", "green"), strict=True):
                low, high = k.quantile(0.005).item() if k.min() < 0 else 0.0, k.quantile(0.99).item()
                axes.hist(k, bins=50, range=(low, high), color=PALETTE[colour])
                axes.axvline(truth, color=PALETTE["black"], linestyle="--", linewidth=1.3)
                axes.axvline(k.mean(), color=PALETTE["black"], linewidth=1.3)
                axes.set(title=f"{title}\nmean {k.mean():.4f}, std {k.std():.4f}")
                axes.set_yticks([])
                words.append(f"{title[:2]} has mean {k.mean():.4f} and standard deviation {k.std():.4f}")
            words[0] += f" and is negative in {(samples[0] < 0).double().mean():.0%} of the samples"
            row[0].set_ylabel(f"KL = {truth:.3f}")
            told.append(f"where the divergence is {truth:.3f}, {', '.join(words)}")
        for axes in row:
            axes.set_xlabel("one sample (nats)")
    alt = "Histograms of one-sample estimates, with their mean (line) and the truth (dashed): "
    return describe(figure, alt + "; ".join(told) + ". k2 and k3 start at 0.")


def codes_and_reconstructions(vae: TinyVAE, x: Float[Tensor, "batch features"], shown: int = 3) -> Figure:
    """What a trained VAE does with its data: the means of the codes, and some inputs with their reconstructions."""
    with torch.no_grad():
        mu, log_var = vae.encode(x)
        back = vae.decoder(mu)
    off = (x - back).square().mean().sqrt().item()
    chosen = mu[:, 0].argsort()[torch.linspace(0, len(x) - 1, shown).long()]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6))
        left, right = figure.subplots(1, 2)
        left.scatter(*mu.T, c=x[:, 0], s=18, cmap="cividis")
        size = 2 * math.sqrt(math.exp(log_var.mean()))
        left.plot([], [], "o", color="#777777", label=f"coloured by feature 1; spread of a code: {size / 2:.2f}")
        left.set(xlabel="first latent mean", ylabel="second latent mean", title=f"{len(x)} codes\n")
        left.set_aspect("equal", adjustable="datalim")
        left.legend(loc="lower left", fontsize=8, bbox_to_anchor=(-0.02, 1.0), borderaxespad=0, handletextpad=0.2)
        for row, colour in zip(chosen.tolist(), ("blue", "vermilion", "green"), strict=False):
            left.plot(*mu[row], "o", color=PALETTE[colour], markersize=9, markerfacecolor="none", markeredgewidth=2)
            right.plot(range(1, x.shape[1] + 1), x[row], "o", color=PALETTE[colour], markersize=5)
            right.plot(range(1, x.shape[1] + 1), back[row], "-", color=PALETTE[colour], linewidth=1.5)
        right.set(xlabel="feature", title="Inputs (dots), reconstructions (lines)")
    alt = f"Left: the means of {len(x)} codes in the plane, coloured by their input's first feature, which changes "
    alt += (
        f"smoothly over it. Right: {len(chosen)} inputs of {x.shape[1]} features as dots and their reconstructions as "
    )
    alt += f"lines; the root mean square error is {off:.2f}."
    return describe(figure, alt)


def rate_distortion(betas: Sequence[float], points: Sequence[tuple[float, float]]) -> Figure:
    """Distortion against rate of VAEs trained at each beta, with the slope -beta drawn at each point."""
    rates, distortions = zip(*points, strict=True)
    top = max(distortions)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 4.4))
        axes = figure.add_subplot()
        axes.plot(rates, distortions, color=PALETTE["blue"], linewidth=1.2)
        for beta, rate, distortion in zip(betas, rates, distortions, strict=True):
            # tangents of one length on the page, whatever their slope
            reach = 0.55 / math.hypot(1, beta * (max(rates) + 1) / top / 1.5)
            slope = axes.plot(
                [rate - reach, rate + reach],
                [distortion + beta * reach, distortion - beta * reach],
                "--",
                color=PALETTE["vermilion"],
                linewidth=2,
            )
            axes.annotate(f"β = {beta:g}", (rate, distortion), (9, 7), textcoords="offset points")
        slope[0].set_label("slope −β")
        axes.plot(rates, distortions, "o", color=PALETTE["blue"], label="trained VAE")
        axes.set(xlabel="rate: KL(q(z|x), p(z)) (nats)", ylabel="distortion: E |x − decode(z)|² / 2 (nats)")
        axes.set(ylim=(-0.06 * top, 1.2 * top), title="β sets the exchange rate of distortion for rate")
        axes.legend()
    each = zip(betas, rates, distortions, strict=True)
    told = "; ".join(f"beta {b:g}: rate {r:.1f}, distortion {d:.1f}" for b, r, d in each)
    alt = f"Distortion against rate of VAEs, a falling convex curve. {told}. Dashed slopes of minus beta touch it."
    return describe(figure, alt)
