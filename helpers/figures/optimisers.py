"""The figures of averages, optimisers, schedules, number formats and the first training run (notebook 03)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from helpers.optimisers import (
    adam_step,
    adamw_step,
    ema,
    momentum_step,
    online_problem,
    uncorrected_step_ratio,
    warmup_cosine,
    warmup_stable_decay,
)
from helpers.plotting import PALETTE, STYLE, describe

BLUE, VERMILION, GREEN, GREY = PALETTE["blue"], PALETTE["vermilion"], PALETTE["green"], "#666666"
FORMATS = {
    "fp16": (torch.float16, BLUE, "-"),
    "bf16": (torch.bfloat16, VERMILION, "--"),
    "fp8 e5m2": (torch.float8_e5m2, GREEN, "-."),
    "fp8 e4m3": (torch.float8_e4m3fn, PALETTE["purple"], ":"),
}
VALLEY = torch.tensor([1.0, 100.0], dtype=torch.float64)  # the curvatures of its two directions
START = torch.tensor([-2.0, 0.6], dtype=torch.float64)
RATES = {"plain descent": 0.018, "momentum": 0.01, "Adam": 0.1}


def raw_and_corrected(beta: float = 0.95, steps: int = 80) -> Figure:
    """Noisy gradients around 1 with their moving average, raw and corrected."""
    noise = torch.randn(steps, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = 1 + 0.3 * noise
    raw, corrected = ema(values, beta)
    t = range(1, steps + 1)
    window = round(1 / (1 - beta))
    full = math.ceil(math.log(0.05) / math.log(beta))  # from here on the weights add up to 95% or more
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        axes.plot(t, values, "o", color="#AAAAAA", markersize=3.5, label="gradients")
        axes.plot(t, raw, "--", color=VERMILION, label="raw average, from 0")
        axes.plot(t, corrected, color=BLUE, label="corrected average")
        axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
        axes.set(xlabel="step t", ylabel="gradient", xlim=(0, steps), ylim=(0, 2.2))
        axes.set_title(f"The raw average is too small for some {full} steps (beta = {beta:g})")
        axes.legend(loc="upper center", ncols=3, fontsize=9)
    return describe(
        figure,
        f"Noisy gradients around 1. The raw average starts near 0: after {window} steps its weights add up to "
        f"{1 - beta**window:.0%}, after {full} to 95%. The corrected one is an average from the first step on; after "
        f"{window} steps it is {corrected[window - 1]:.2f}, the raw one {raw[window - 1]:.2f}.",
    )


def valley_path(name: str, lr: float, steps: int) -> Float[Tensor, "points 2"]:
    """The way that plain descent, momentum or Adam takes through the valley, START included."""
    theta, m, v, path = START, torch.zeros_like(START), torch.zeros_like(START), [START]
    for t in range(1, steps + 1):
        grad = VALLEY * theta
        if name == "Adam":
            theta, m, v = adam_step(theta, grad, m, v, t, lr, 0.9, 0.999, 1e-8)
        elif name == "momentum":
            theta, m = momentum_step(theta, grad, m, lr, 0.9)
        else:
            theta = theta - lr * grad
        path.append(theta)
    return torch.stack(path)


def valley_loss(theta: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """Half the sum of curvature times position squared."""
    return (VALLEY * theta**2).sum(-1) / 2


def valley(steps: int = 60, rates: Mapping[str, float] | None = None) -> Figure:
    """Plain descent, momentum and Adam in one valley that is a hundred times steeper across than along."""
    rates = RATES if rates is None else rates
    x, y = torch.meshgrid(torch.linspace(-2.3, 0.7, 121), torch.linspace(-0.9, 0.9, 121), indexing="xy")
    height = valley_loss(torch.stack([x, y], -1).double())
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4))
        for axes, (name, lr), colour in zip(
            figure.subplots(3, 1, sharex=True), rates.items(), (GREY, VERMILION, BLUE), strict=True
        ):
            path = valley_path(name, lr, steps)
            axes.contour(x, y, height, levels=[0.5, 4, 14, 28], colors="#BBBBBB", linewidths=0.8)
            axes.plot(*path.T.tolist(), "o-", color=colour, markersize=2.5, linewidth=1.2)
            axes.plot(0, 0, "*", color=PALETTE["black"], markersize=9)
            loss = valley_loss(path[-1]).item()
            axes.set_title(f"{name}, rate {lr:g}: loss {loss:.4f} after {steps} steps", fontsize=10)
            axes.grid(False)
            axes.set(ylim=(-0.9, 0.9))
            words.append(f"{name} at rate {lr:g} is left with a loss of {loss:.4f}")
        figure.axes[1].set_ylabel("steep direction (curvature 100)")
        figure.axes[2].set_xlabel("flat direction (curvature 1)")
    return describe(
        figure,
        f"Three paths from one point of a long narrow valley, {steps} steps each. Plain descent zigzags and creeps "
        f"along the floor; momentum swings but gets on; Adam moves alike in both directions. {'; '.join(words)}.",
    )


def draw_ratio(axes: Axes, beta1: float, beta2: float, steps: int, marked: bool) -> str:
    """Draw one curve of the ratio and return what its alt text says of it."""
    ratios = [uncorrected_step_ratio(t, beta1, beta2) for t in range(1, steps + 1)]
    peak = max(range(steps), key=ratios.__getitem__) + 1
    near = next((t for t in range(steps, 1, -1) if abs(ratios[t - 2] - 1) > 0.01), 1)
    axes.semilogx(range(1, steps + 1), ratios, color=BLUE)
    axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
    at_peak = ratios[peak - 1]
    interesting = at_peak > 1.01  # else it only climbs to 1
    places = [(1, "at the first step", (8, -12 if ratios[0] > 0.9 else 34))]
    places += [(peak, f"at t = {peak}", (10, 2))] if interesting else []
    for t, words, shift in places:
        axes.plot(t, ratios[t - 1], "o", color=VERMILION, clip_on=False, zorder=3)
        if marked:
            axes.annotate(f"{ratios[t - 1]:.3f} {words}", (t, ratios[t - 1]), shift, textcoords="offset points")
    axes.plot(near, ratios[near - 1], "o", color=VERMILION)
    if marked:
        text = f"within 1%\nfrom t = {near}"
        axes.annotate(text, (near, ratios[near - 1]), (0, 12), textcoords="offset points", ha="center")
    most = f"at most {at_peak:.3f}, at t = {peak}" if interesting else "never above 1.01"
    return f"with beta2 = {beta2:g} it is {ratios[0]:.3f} at the first step, {most}, and within 1% of 1 from t = {near}"


def step_ratio(beta2: float = 0.999, beta1: float = 0.9, steps: int = 10_000) -> Figure:
    """How much longer Adam's step is without bias correction, against the step on a log axis."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        words = draw_ratio(axes, beta1, beta2, steps, marked=True)
        axes.set(xlabel="step t", ylabel="step without / with correction", ylim=(0, 7.2), xlim=(1, steps))
        axes.set_title(f"What leaving the correction out does (beta1 = {beta1:g}, beta2 = {beta2:g})")
    return describe(figure, f"The ratio of uncorrected to corrected step against t on a log axis: {words}.")


def step_ratio_strip(beta2s: Sequence[float], beta1: float = 0.9, steps: int = 10_000) -> Figure:
    """``step_ratio`` for several beta2, side by side: what a slider over beta2 would show."""
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(beta2s), 2.8))
        for axes, beta2 in zip(figure.subplots(1, len(beta2s), sharey=True), beta2s, strict=True):
            words.append(draw_ratio(axes, beta1, beta2, steps, marked=False))
            axes.set(xlabel="step t", ylim=(0, 7.2), xlim=(1, steps), title=f"beta2 = {beta2:g}")
        figure.axes[0].set_ylabel("without / with")
    return describe(figure, f"The ratio of uncorrected to corrected step against t: {'; '.join(words)}.")


def with_and_without(runs: Mapping[tuple[float, bool], Float[Tensor, "nets steps"]], steps: int = 150) -> Figure:
    """Losses of many nets by Adam with and without its correction, at several rates: median and middle 80%.

    ``runs`` maps (rate, corrected) to losses in nats.
    """
    rates = sorted({rate for rate, _ in runs})
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(rates), 3.2))
        for axes, rate in zip(figure.subplots(1, len(rates), sharey=True), rates, strict=True):
            for corrected, colour, line in ((True, BLUE, "-"), (False, VERMILION, "--")):
                losses = runs[rate, corrected]
                low, middle, high = losses[:, :steps].quantile(torch.tensor([0.1, 0.5, 0.9]).to(losses), 0)
                t = range(1, len(middle) + 1)
                axes.fill_between(t, low, high, color=colour, alpha=0.15, linewidth=0)
                axes.semilogy(t, middle, line, color=colour, label="with" if corrected else "without")
            axes.set(xlabel="step", title=f"rate {rate:g}", xlim=(1, steps), ylim=(1e-5, 20))
            shares = [f"{(runs[rate, how][:, -1] < 0.05).double().mean():.1%}" for how in (True, False)]
            words.append(f"at rate {rate:g} {shares[0]} of {len(losses)} nets learn with it and {shares[1]} without")
        figure.axes[0].set_ylabel("loss (nats)")
        curves = figure.axes[0].get_legend_handles_labels()
        figure.legend(*curves, loc="outside lower center", ncols=2, title="bias correction", fontsize=9)
    return describe(
        figure,
        f"Loss on XOR against the step, median and middle 80%, with and without bias correction: {'; '.join(words)}.",
    )


def decay_against_scale(lr: float = 1e-3, decay: float = 0.5, steps: int = 1000) -> Figure:
    """What weight decay leaves of parameters that start at 1, against the size of their gradients, which are noise.

    Adam with L2 in the gradient, and AdamW. The noise has mean 0 and is the same for all, but for its size.
    """
    scales = torch.logspace(-3, 3, 41, dtype=torch.float64)
    noise = torch.randn(steps, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    l2 = decoupled = torch.ones_like(scales)
    m = v = m_apart = v_apart = torch.zeros_like(scales)
    for t, factor in enumerate(noise - noise.mean(), start=1):
        grad = factor * scales
        l2, m, v = adam_step(l2, grad + decay * l2, m, v, t, lr, 0.9, 0.999, 1e-8)
        decoupled, m_apart, v_apart = adamw_step(decoupled, grad, m_apart, v_apart, t, lr, 0.9, 0.999, 1e-8, decay)
    alone = (1 - lr * decay) ** steps
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8))
        axes = figure.add_subplot()
        axes.axhline(alone, color=GREY, linewidth=1, linestyle=":", label=f"decay alone, {alone:.2f}")
        axes.semilogx(scales, decoupled, color=BLUE, label="AdamW")
        axes.semilogx(scales, l2, "--", color=VERMILION, label="Adam, L2 in the gradient")
        axes.set(xlabel="typical size of the gradient", ylabel=f"parameter after {steps} steps", ylim=(-0.1, 1.2))
        axes.set_title(f"L2 spares parameters with large gradients (rate {lr:g}, decay {decay:g})")
        axes.legend(loc="upper left", fontsize=9)
    return describe(
        figure,
        f"What is left after {steps} steps of parameters that started at 1, against the size of their gradients: "
        f"{decoupled[0]:.2f} for all of them with AdamW; with L2 in the gradient it goes from {l2[0]:.2f} for small "
        f"gradients to {l2[-1]:.2f} for large ones.",
    )


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
    return describe(
        figure,
        f"Two schedules over {total} steps, up to {lr_max:g}, down to {lr_max / 10:g}. Both climb for {warmup} steps; "
        f"one then falls along half a cosine to step {total}, the other stays until step {start} and falls from there.",
    )


def wrong_end(steps: int = 100_000, lr: float = 0.5, beta2: float = 0.99) -> Figure:
    """Adam and AMSGrad on the online problem of Reddi, Kale and Kumar (2018), whose best point is -1."""
    adam, amsgrad = (online_problem(steps, name, lr, beta2=beta2) for name in (False, True))
    t = range(1, steps + 1)
    last = steps - next(i for i, x in enumerate(reversed(adam)) if x < 0.9)  # the last step below .9
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.add_subplot()
        axes.semilogx(t, adam, color=VERMILION, linewidth=1.4, label="Adam")
        axes.semilogx(t, amsgrad, color=BLUE, linewidth=1.4, label="AMSGrad")
        for place, words, va in ((1, "worst point", "bottom"), (-1, "best point", "top")):
            axes.axhline(place, color=GREY, linewidth=1, linestyle=":")
            axes.annotate(words, (1, place), (4, 3 if va == "bottom" else -3), textcoords="offset points", va=va)
        axes.set(xlabel="step t", ylabel="position", xlim=(1, steps), ylim=(-1.25, 1.25))
        axes.set_title(f"Rate {lr:g} / sqrt(t), beta1 = 0.9, beta2 = {beta2:g}")
        axes.legend(loc="center left")
    return describe(
        figure,
        f"Position against step on a log axis. Both reach -1 at once. Adam leaves it and stays above 0.9, near +1, the "
        f"worst point, after step {last:,}; AMSGrad leaves it a little, as far as {max(amsgrad[100:]):.2f}, and comes "
        f"back to {amsgrad[-1]:.2f}.",
    )


def worst_rounding(g: Tensor, dtype: torch.dtype) -> Tensor:
    """The largest relative error of rounding numbers about as large as ``g`` to ``dtype``; nan beyond its end.

    Half-way between two numbers that is eps / (2 + eps), if they are normal; below them half the smallest number over
    g, and 1 where nothing is left.
    """
    info = torch.finfo(dtype)
    least = info.smallest_normal * info.eps
    return torch.where(g <= info.max, (least / 2 / g).clamp(info.eps / (2 + info.eps), 1), torch.nan)


def rounding_losses(scale: float = 2.0**12) -> Figure:
    """The worst relative error of a gradient stored in half formats, against its size, from underflow to overflow.

    Left as it is, right with the loss times ``scale``; a cross marks where the format ends.
    """
    g = torch.logspace(-11, 6, 1701, dtype=torch.float64)
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.8))
        for axes, factor in zip(figure.subplots(1, 2, sharey=True), (1.0, scale), strict=True):
            for name, (dtype, colour, line) in FORMATS.items():
                axes.semilogx(g, worst_rounding(g * factor, dtype), line, color=colour, linewidth=1.8, label=name)
                info = torch.finfo(dtype)
                lowest, end = info.smallest_normal * info.eps / 2 / factor, info.max / factor
                if end < g[-1]:
                    axes.plot(
                        end, info.eps / (2 + info.eps), "x", color=colour, markersize=9, markeredgewidth=2.2, zorder=3
                    )
                    words.append(f"{name} holds {lowest:.1e} to {end:.3g}")
            axes.set(xlabel="size of the gradient", ylim=(0, 1.1), xlim=(1e-11, 1e6))
            axes.set_title("as it is" if factor == 1 else f"loss times {factor:.0f}")
        figure.axes[0].set_ylabel("worst relative error (1: lost)")
        figure.axes[0].plot([], [], "x", color="0.4", markersize=9, markeredgewidth=2.2, label="largest number")
        figure.axes[0].legend(loc="center right", fontsize=9)
    half = len(words) // 2
    return describe(
        figure,
        "Worst relative error of gradients stored in half formats, against their size; a cross marks the largest "
        f"number. Left, as they are: {', '.join(words[:half])}; bf16 holds all. Right, times {scale:.0f}: "
        f"{', '.join(words[half:])}.",
    )


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
        figure = Figure(figsize=(2.1 * len(snapshots), 4.8))
        grid = figure.add_gridspec(2, len(snapshots), height_ratios=(1, 0.8))
        above = []
        for column, (step, probability) in enumerate(snapshots.items()):
            axes, seen = figure.add_subplot(grid[0, column]), probability(points).reshape(x.shape)
            image = axes.contourf(x, y, seen, levels=[k / 20 for k in range(21)])
            axes.contour(x, y, seen, levels=[0.5], colors="white", linewidths=1.5)
            axes.plot([0, 1], [1, 0], "s", color=VERMILION, markeredgecolor="white", label="label 1")
            axes.plot([0, 1], [0, 1], "o", color="white", markeredgecolor="black", label="label 0")
            axes.set(xticks=[0, 1], yticks=[0, 1], aspect="equal", xlabel="first input", title=f"step {step}")
            axes.grid(False)
            above.append(axes)
        above[0].set_ylabel("second input")
        figure.colorbar(image, ax=above, label="probability of 1", shrink=0.8, ticks=[0, 0.5, 1])
        below = figure.add_subplot(grid[1, :])
        below.semilogy(range(1, len(losses) + 1), losses, color=BLUE)
        below.axhline(0.05, color=GREY, linewidth=1, linestyle=":")
        below.annotate("0.05: learnt", (len(losses), 0.05), (-4, 4), textcoords="offset points", ha="right")
        below.set(xlabel="step", ylabel="loss (nats)", xlim=(0, len(losses)))
        for step in snapshots:
            below.axvline(step, color=GREY, linewidth=0.8, linestyle=":")
        figure.legend(*above[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=9)
    steps = ", ".join(str(step) for step in snapshots)
    learnt = next(t for t, loss in enumerate(losses, start=1) if loss < 0.05)
    centre = torch.full((1, 2), 0.5, dtype=torch.float64)
    band = int(
        snapshots[max(snapshots)](centre).item() > 0.5
    )  # nets differ in which label the centre of the square gets
    return describe(
        figure,
        f"The square around XOR's inputs at steps {steps}: flat at first, then a diagonal band of {band} between two "
        f"regions of {1 - band}. Below, the loss falls from {losses[0]:.2f} to {losses[-1]:.4f} nats; it is below 0.05 "
        f"from step {learnt} on.",
    )
