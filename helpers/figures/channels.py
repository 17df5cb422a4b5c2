"""The figures of channels: information lost, overestimated and carried (notebook 02).

Every figure carries its alt text, made from the numbers that it draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from helpers.channels import (
    channel_capacity,
    fano_error_bound,
    mutual_information,
    plugin_mutual_information,
    push_through_channel,
    water_filling,
)
from helpers.information import entropy
from helpers.plotting import PALETTE, STYLE, describe

COLOURS = [PALETTE[name] for name in ("blue", "vermilion", "green", "purple")]


def flipping(noise: float) -> Float[Tensor, "2 2"]:
    """The binary symmetric channel, which flips a bit with probability ``noise``."""
    return torch.tensor([[1 - noise, noise], [noise, 1 - noise]], dtype=torch.float64)


def binary_entropy(p: Tensor) -> Tensor:
    """The entropy in nats of coins that show heads with probabilities ``p``."""
    return entropy(torch.stack([p, 1 - p], -1))


def canvas(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches."""
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def information_along_chain(noises: Sequence[float] = (0.02, 0.05, 0.11), steps: int = 20) -> Figure:
    """I(X; Z) of a fair bit X that passes a binary symmetric channel again and again, with the theory as lines.

    After n channels the bit is flipped with probability (1 - (1 - 2 noise)^n) / 2.
    """
    ends = []
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas()
        for noise, colour in zip(noises, COLOURS, strict=False):
            joint, information = torch.eye(2, dtype=torch.float64) / 2, []
            for _ in range(steps + 1):
                information.append(mutual_information(joint).item())
                joint = push_through_channel(joint, flipping(noise))
            n = torch.linspace(0, steps, 201, dtype=torch.float64)
            theory = math.log(2) - binary_entropy((1 - (1 - 2 * noise) ** n) / 2)
            axes.plot(n, theory, color=colour, linewidth=1.2)
            ends.append(f"with {noise:.0%} flipped from {information[0]:.3f} to {information[-1]:.3f}")
            axes.plot(
                range(steps + 1), information, "o", color=colour, markersize=5, label=f"flips {noise:.0%} of the bits"
            )
        axes.axhline(math.log(2), color="#666666", linewidth=1, linestyle=":")
        axes.text(steps, math.log(2) - 0.012, "H(X) = log 2", ha="right", va="top")
        axes.set(
            xlabel="number of channels passed", ylabel="I(X; Z) (nats)", ylim=(0, 0.72), xticks=range(0, steps + 1, 5)
        )
        axes.set_title("What a channel loses never comes back")
        axes.plot([], [], "o", color="#666666", markersize=5, label="dots: pushed through")
        axes.plot([], [], color="#666666", linewidth=1.2, label="lines: the formula")
        axes.legend()
    alt = f"I(X; Z) in nats against the number of channels passed, {steps} of them: it only ever falls,"
    return describe(figure, f"{alt} {', '.join(ends)}. Dots lie on the lines of the formula.")


def plugin_bias(sizes: Sequence[int] = (100, 300, 1000, 3000, 10000), repeats: int = 400, bins: int = 8) -> Figure:
    """The plug-in estimate of the information between independent uniform variables, which is 0, against the number of
    samples: mean and spread over ``repeats`` draws, and the theory (bins - 1)^2 / (2 N)."""
    generator = torch.Generator().manual_seed(0)
    words = []
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas()
        for i, n in enumerate(sizes):
            x, y = torch.randint(0, bins, (2, repeats, n), generator=generator)
            estimates = torch.stack([plugin_mutual_information(a, b, bins) for a, b in zip(x, y, strict=True)])
            ends = estimates.quantile(torch.tensor([0.05, 0.95], dtype=torch.float64))
            label = "90% of the draws" if i == 0 else None
            axes.plot([n, n], ends, color=PALETTE["sky"], linewidth=7, solid_capstyle="butt", label=label)
            axes.plot(
                n, estimates.mean(), "o", color=PALETTE["blue"], label=f"mean of {repeats} draws" if i == 0 else None
            )
            words.append(f"{estimates.mean():.4f} at {n} samples (line {(bins - 1) ** 2 / (2 * n):.4f})")
        line = [(bins - 1) ** 2 / (2 * n) for n in sizes]
        theory = f"{(bins - 1) ** 2}/(2N)"
        axes.plot(sizes, line, "--", color=PALETTE["vermilion"], linewidth=1.6, label=f"theory: {theory}")
        axes.set(xscale="log", yscale="log", xlabel="number of samples N", ylabel="plug-in estimate (nats)")
        axes.set_title("The true information is 0; the estimates are not")
        axes.legend()
    alt = (
        f"Plug-in estimate of the information between independent {bins}-valued variables against the number of samples"
    )
    return describe(figure, f"{alt}, on log axes, with the line {theory}. Means in nats: {', '.join(words)}.")


def fano_curve(k: int = 8, h: float = 1.0) -> Figure:
    """The pairs of error probability and remaining uncertainty that Fano's inequality leaves for the best guess among
    ``k`` classes, with the bound at H(X given Y) = ``h`` nats.

    Above lies what Fano's inequality excludes. Below lies what the best guess excludes, which takes the likeliest class
    and so is right with a probability of at least exp(-H): by Jensen, E[max p] >= E[exp(-H)] >= exp(-E[H]).
    """
    pe = torch.linspace(0, 1 - 1 / k, 401, dtype=torch.float64)
    most, fewest = binary_entropy(pe) + pe * math.log(k - 1), -torch.log1p(-pe)
    least, worst = fano_error_bound(h, k), 1 - math.exp(-h)
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas()
        axes.fill_between(pe, fewest, most, color=PALETTE["sky"], alpha=0.25, linewidth=0)
        axes.plot(pe, most, color=PALETTE["blue"], label="Fano: no more than this is open")
        axes.plot(pe, fewest, "--", color=PALETTE["purple"], linewidth=1.4, label="the best guess: no less")
        axes.plot([0, least, least], [h, h, 0], ":", color=PALETTE["vermilion"], linewidth=1.6)
        axes.plot(least, h, "o", color=PALETTE["vermilion"])
        axes.annotate(f"$p_e$ = {least:.6f}", (least, h), (8, -6), textcoords="offset points", va="top")
        axes.text(0.47, 0.6 * math.log(k), "not excluded", ha="center")
        axes.text(0.07, 0.93 * math.log(k), "impossible", ha="left")
        axes.plot(1 - 1 / k, math.log(k), "o", color=PALETTE["black"])
        axes.annotate(
            f"blind guessing: $p_e$ = 1 - 1/{k}, log {k} nats",
            (1 - 1 / k, math.log(k)),
            (0, 6),
            textcoords="offset points",
            ha="right",
        )
        axes.set(xlim=(0, 1), ylim=(0, 1.15 * math.log(k)), xlabel="error probability $p_e$", ylabel="H(X|Y) (nats)")
        axes.set_title(f"How often the best guess among {k} classes is wrong")
        axes.legend(loc="lower right")
    return describe(
        figure,
        f"Remaining uncertainty against the error probability of the best guess among {k} classes. What is not "
        f"excluded lies between two curves from (0, 0) to ({1 - 1 / k:.3f}, {math.log(k):.3f}), blind guessing. With "
        f"H(X|Y) = {h:g} nats the error is at least {least:.6f} by Fano's curve, at most {worst:.6f} by the other.",
    )


def information_by_input(channel: Float[Tensor, "2 Y"]) -> Figure:
    """The information that a channel with two inputs carries, against how often the second is sent; its peak is the
    capacity."""
    share = torch.linspace(0, 1, 201, dtype=torch.float64)
    information = mutual_information(torch.stack([1 - share, share], -1)[..., None] * channel)
    capacity, best = channel_capacity(channel, 1e-9)
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(6.4, 3.6)
        axes.plot(share, information, color=PALETTE["blue"])
        axes.plot(best[1], capacity, "o", color=PALETTE["vermilion"])
        place = (best[1].item(), capacity.item())
        text = f"capacity {capacity:.6f} nats\nat share {best[1]:.3f}"
        axes.annotate(text, place, (0, -40), textcoords="offset points", ha="center", va="top")
        axes.set(
            xlim=(0, 1), ylim=(0, 1.15 * capacity.item()), xlabel="share of the second input", ylabel="I(X; Y) (nats)"
        )
        axes.set_title("How often should the unreliable letter be sent?")
    return describe(
        figure,
        f"Information through the channel against the share of the second input: {information[0]:.3f} nats at share 0, "
        f"{information[-1]:.3f} at share 1, {information[100]:.6f} at one half; the peak is {capacity:.6f} nats, at"
        f" a share of {best[1]:.3f}.",
    )


def water(noise: Float[Tensor, " n"], power: float) -> Figure:
    """Parallel Gaussian channels as a vessel whose ground is the noise: the power is poured in and finds its level."""
    share, capacity = water_filling(noise, power)
    level = (noise + share)[share > 0].max().item()
    names = range(1, len(noise) + 1)
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(6.4, 3.6)
        axes.bar(names, noise.tolist(), 1.0, color="#B8B8B8", edgecolor="white", label="noise")
        axes.bar(
            names, share.tolist(), 1.0, noise.tolist(), color=PALETTE["sky"], edgecolor="white", label="power poured in"
        )
        axes.axhline(level, color=PALETTE["blue"], linewidth=1.4, linestyle="--")
        axes.text(len(noise) + 0.55, level, f" level {level:.3f}", va="center")
        for name, ground, deep in zip(names, noise.tolist(), share.tolist(), strict=True):
            axes.text(
                name, ground + deep + 0.04 * level, f"{deep:.3f}" if deep > 0 else "dry", ha="center", va="bottom"
            )
        axes.set(xlabel="channel", ylabel="variance", xlim=(0.5, len(noise) + 0.5), xticks=list(names))
        axes.set_ylim(0, 1.25 * max(level, noise.max().item()))
        axes.set_title(f"Power {power:g} finds its level: {capacity:.6f} nats")
        axes.legend(ncols=2, loc="upper left")
        axes.grid(False)
    grounds, shares = (", ".join(f"{x:.3f}" for x in values.tolist()) for values in (noise, share))
    return describe(
        figure,
        f"Bars of noise {grounds} with power poured in up to the level {level:.3f}: the channels get {shares} of a "
        f"power of {power:g}, and together carry {capacity:.6f} nats.",
    )
