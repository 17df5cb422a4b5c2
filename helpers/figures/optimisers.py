"""The figures of averages, optimisers, schedules, number formats and the first training run (notebook 03)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from helpers.optimisers import (
    adam_step,
    adamw_step,
    ema,
    online_problem,
    uncorrected_step_ratio,
    warmup_cosine,
    warmup_stable_decay,
)
from helpers.plotting import PALETTE, STYLE

BLUE, VERMILION, GREEN, GREY = PALETTE["blue"], PALETTE["vermilion"], PALETTE["green"], "#666666"
FORMATS = {
    "fp16": (torch.float16, BLUE, "-"),
    "bf16": (torch.bfloat16, VERMILION, "--"),
    "fp8 e5m2": (torch.float8_e5m2, GREEN, "-."),
    "fp8 e4m3": (torch.float8_e4m3fn, PALETTE["purple"], ":"),
}


def raw_and_corrected(beta: float = 0.95, steps: int = 80) -> Figure:
    """Noisy gradients around 1 with their moving average, raw and corrected."""
    noise = torch.randn(steps, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = 1 + 0.3 * noise
    raw, corrected = ema(values, beta)
    t = range(1, steps + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.add_subplot()
        axes.plot(t, values, "o", color="#AAAAAA", markersize=3.5, label="gradients")
        axes.plot(t, raw, "--", color=VERMILION, label="raw average, from 0")
        axes.plot(t, corrected, color=BLUE, label="corrected average")
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        axes.set(xlabel="step t", ylabel="gradient", xlim=(0, steps), ylim=(0, 1.8))
        axes.set_title(f"The raw average needs some {1 / (1 - beta):.0f} steps to wake up (beta = {beta:g})")
        axes.legend(loc="lower right")
    return figure


def step_ratio(beta1: float = 0.9, beta2: float = 0.999, steps: int = 10_000) -> Figure:
    """How many times too large Adam's step is without bias correction, against the step on a log axis."""
    ratios = [uncorrected_step_ratio(t, beta1, beta2) for t in range(1, steps + 1)]
    peak = max(range(steps), key=ratios.__getitem__) + 1
    near = next(t for t in range(steps, 1, -1) if ratios[t - 2] > 1.01)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        axes.semilogx(range(1, steps + 1), ratios, color=BLUE)
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        for t, words, shift in ((1, "at the first step", (8, -12)), (peak, f"at t = {peak}", (10, 2))):
            axes.plot(t, ratios[t - 1], "o", color=VERMILION, clip_on=False, zorder=3)
            axes.annotate(f"{ratios[t - 1]:.3f} {words}", (t, ratios[t - 1]), shift, textcoords="offset points")
        axes.plot(near, ratios[near - 1], "o", color=VERMILION)
        axes.annotate(
            f"within 1%\nfrom t = {near}", (near, ratios[near - 1]), (0, 12), textcoords="offset points", ha="center"
        )
        axes.set(xlabel="step t", ylabel="step without / with correction", ylim=(0, 7.2), xlim=(1, steps))
        axes.set_title("Without bias correction it gets worse before it gets better")
    return figure


def decay_against_scale(lr: float = 1e-3, decay: float = 0.5, steps: int = 1000) -> Figure:
    """What weight decay leaves of parameters that start at 1, against the size of their gradients, which are noise.

    Adam with L2 in the gradient, and AdamW.
    """
    scales = torch.logspace(-3, 3, 41, dtype=torch.float64)
    noise = torch.randn(steps, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    l2 = decoupled = torch.ones_like(scales)
    m = v = m_apart = v_apart = torch.zeros_like(scales)
    for t, factor in enumerate(noise - noise.mean(), start=1):
        grad = factor * scales
        l2, m, v = adam_step(l2, grad + decay * l2, m, v, t, lr, 0.9, 0.999, 1e-8)
        decoupled, m_apart, v_apart = adamw_step(decoupled, grad, m_apart, v_apart, t, lr, 0.9, 0.999, 1e-8, decay)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        axes.semilogx(scales, decoupled, color=BLUE, label="AdamW")
        axes.semilogx(scales, l2, "--", color=VERMILION, label="Adam, L2 in the gradient")
        axes.axhline((1 - lr * decay) ** steps, color=GREY, linewidth=1, linestyle=":")
        axes.text(1e-3, (1 - lr * decay) ** steps + 0.02, "decay alone")
        axes.set(xlabel="typical size of the gradient", ylabel=f"parameter after {steps} steps", ylim=(-0.1, 1.1))
        axes.set_title("L2 spares the parameters with large gradients")
        axes.legend(loc="upper left")
    return figure


def schedules(warmup: int = 100, start: int = 700, total: int = 1000, lr_max: float = 3e-4) -> Figure:
    """The rates of warm-up with cosine and of warm-up, stable, decay."""
    steps = range(int(1.2 * total) + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.4))
        axes = figure.add_subplot()
        cosine = [warmup_cosine(step, warmup, total, lr_max, lr_max / 10) for step in steps]
        stable = [warmup_stable_decay(step, warmup, start, total, lr_max, lr_max / 10) for step in steps]
        axes.plot(steps, stable, "--", color=VERMILION, label="warm-up, stable, decay")
        axes.plot(steps, cosine, color=BLUE, label="warm-up and cosine")
        for step, name in ((warmup, "warmup_steps"), (start, "decay_start"), (total, "total_steps")):
            axes.axvline(step, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(name, (step, 0), (3, 4), textcoords="offset points", fontsize=9, color="#444444")
        axes.set(xlabel="step", ylabel="learning rate", xlim=(0, 1.2 * total), ylim=(0, lr_max * 1.1))
        axes.ticklabel_format(axis="y", scilimits=(0, 0), useMathText=True)
        axes.legend(loc="lower left", bbox_to_anchor=(0.1, 0.08))
    return figure


def wrong_end(steps: int = 100_000) -> Figure:
    """Adam and AMSGrad on the online problem of Reddi, Kale and Kumar (2018), whose best point is -1."""
    t = range(1, steps + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.add_subplot()
        axes.semilogx(t, online_problem(steps, amsgrad=False), color=VERMILION, linewidth=1.4, label="Adam")
        axes.semilogx(t, online_problem(steps, amsgrad=True), color=BLUE, linewidth=1.4, label="AMSGrad")
        for place, words, va in ((1, "worst point", "bottom"), (-1, "best point", "top")):
            axes.axhline(place, color=GREY, linewidth=1, linestyle=":")
            axes.annotate(words, (1, place), (4, 3 if va == "bottom" else -3), textcoords="offset points", va=va)
        axes.set(xlabel="step t", ylabel="position", xlim=(1, steps), ylim=(-1.25, 1.25))
        axes.legend(loc="center left")
    return figure


def rounding_losses(scale: float = 2.0**12) -> Figure:
    """The worst relative error of a gradient stored in half formats, against its size.

    Left as it is, right with the loss times ``scale``; a line ends where the format overflows.
    """
    g = torch.logspace(-11, 0, 2201, dtype=torch.float64)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.6))
        for axes, factor in zip(figure.subplots(1, 2, sharey=True), (1.0, scale), strict=True):
            for name, (dtype, colour, line) in FORMATS.items():
                stored = (g * factor).float().to(dtype).double() / factor
                error = torch.where(g * factor <= torch.finfo(dtype).max, (stored - g).abs() / g, torch.nan)
                worst = torch.nn.functional.max_pool1d(error[None], 61, stride=1, padding=30)[0]
                axes.semilogx(g, worst, line, color=colour, linewidth=1.8, label=name)
            axes.set(xlabel="size of the gradient", ylim=(0, 1.1), xlim=(1e-11, 1))
            axes.set_title("as it is" if factor == 1 else f"loss times {factor:.0f}")
        figure.axes[0].set_ylabel("worst relative error (1: lost)")
        figure.axes[1].legend(loc="center right", fontsize=9)
    return figure


def decision_surfaces(
    snapshots: Mapping[int, Callable[[Float[Tensor, "n 2"]], Float[Tensor, " n"]]], losses: Sequence[float]
) -> Figure:
    """How a net sees the square around XOR's four inputs at some steps of its training, above its loss.

    ``snapshots`` maps steps to functions from points to probabilities of label 1; ``losses`` are in nats, one a step.
    """
    line = torch.linspace(-0.5, 1.5, 81, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="xy")
    points = torch.stack([x.reshape(-1), y.reshape(-1)], -1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.1 * len(snapshots), 4.6))
        grid = figure.add_gridspec(2, len(snapshots), height_ratios=(1, 0.8))
        above = []
        for column, (step, probability) in enumerate(snapshots.items()):
            axes, seen = figure.add_subplot(grid[0, column]), probability(points).reshape(x.shape)
            image = axes.contourf(x, y, seen, levels=[k / 20 for k in range(21)])
            axes.contour(x, y, seen, levels=[0.5], colors="white", linewidths=1.5)
            axes.plot([0, 1], [1, 0], "s", color=PALETTE["orange"], markeredgecolor="black")
            axes.plot([0, 1], [0, 1], "o", color="white", markeredgecolor="black")
            axes.set(xticks=[0, 1], yticks=[0, 1], aspect="equal", xlabel="first input", title=f"step {step}")
            axes.grid(False)
            above.append(axes)
        above[0].set_ylabel("second input")
        figure.colorbar(image, ax=above, label="probability of 1", shrink=0.8, ticks=[0, 0.5, 1])
        below = figure.add_subplot(grid[1, :])
        below.semilogy(range(1, len(losses) + 1), losses, color=BLUE)
        below.axhline(0.05, color=GREY, linewidth=1, linestyle=":")
        below.set(xlabel="step", ylabel="loss (nats)", xlim=(0, len(losses)))
        for step in snapshots:
            below.axvline(step, color=GREY, linewidth=0.8, linestyle=":")
    return figure
