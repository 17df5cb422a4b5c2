"""The figures of channels: information lost, overestimated, carried and traded for distortion (notebook 02)."""

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
    rate_distortion,
)
from helpers.information import entropy
from helpers.plotting import PALETTE, STYLE

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
            axes.plot(
                range(steps + 1), information, "o", color=colour, markersize=5, label=f"flips {noise:.0%} of the bits"
            )
        axes.axhline(math.log(2), color="#666666", linewidth=1, linestyle=":")
        axes.text(steps, math.log(2) - 0.012, "H(X) = log 2", ha="right", va="top")
        axes.set(
            xlabel="number of channels passed", ylabel="I(X; Z) (nats)", ylim=(0, 0.72), xticks=range(0, steps + 1, 5)
        )
        axes.set_title("What a channel loses never comes back")
        axes.legend()
    return figure


def plugin_bias(sizes: Sequence[int] = (100, 300, 1000, 3000, 10000), repeats: int = 60, bins: int = 8) -> Figure:
    """The plug-in estimate of the information between independent uniform variables, which is 0, against the number of
    samples: mean and spread over ``repeats`` draws, and the theory (bins - 1)^2 / (2 N)."""
    generator = torch.Generator().manual_seed(0)
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
        line = [(bins - 1) ** 2 / (2 * n) for n in sizes]
        axes.plot(sizes, line, "--", color=PALETTE["vermilion"], linewidth=1.6, label=f"theory: {(bins - 1) ** 2}/(2N)")
        axes.set(xscale="log", yscale="log", xlabel="number of samples N", ylabel="plug-in estimate (nats)")
        axes.set_title("The true information is 0; the estimate never is")
        axes.legend()
    return figure


def fano_curve(k: int = 8, h: float = 1.0) -> Figure:
    """The pairs of error probability and remaining uncertainty that Fano's inequality allows for ``k`` classes, with
    the bound at H(X given Y) = ``h`` nats."""
    pe = torch.linspace(0, 1, 401, dtype=torch.float64)
    most = binary_entropy(pe) + pe * math.log(k - 1)
    least = fano_error_bound(h, k)
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas()
        axes.fill_between(pe, most, color=PALETTE["sky"], alpha=0.25, linewidth=0)
        axes.plot(pe, most, color=PALETTE["blue"])
        axes.plot([0, least, least], [h, h, 0], ":", color=PALETTE["vermilion"], linewidth=1.6)
        axes.plot(least, h, "o", color=PALETTE["vermilion"])
        axes.annotate(f"pe = {least:.6f}", (least, h), (10, -5), textcoords="offset points", va="top")
        axes.text(0.62, 0.45 * math.log(k), "possible", ha="center")
        axes.text(0.07, 0.9 * math.log(k), "impossible", ha="left")
        axes.plot(1 - 1 / k, math.log(k), "o", color=PALETTE["black"])
        axes.annotate(
            f"guessing: pe = 1 - 1/{k}, log {k} nats",
            (1 - 1 / k, math.log(k)),
            (-8, 6),
            textcoords="offset points",
            ha="right",
        )
        axes.set(xlim=(0, 1), ylim=(0, 1.12 * math.log(k)), xlabel="error probability pe", ylabel="H(X|Y) (nats)")
        axes.set_title(f"Fano's inequality for {k} classes")
    return figure


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
    return figure


def rate_distortion_curve(betas: Sequence[float] = (0.8, 1.5, math.log(9), 4.0)) -> Figure:
    """The rate-distortion curve of a fair bit with Hamming distortion, log 2 - H(D), with the points that Blahut and
    Arimoto's algorithm finds for ``betas`` and, through each, the line of slope -beta."""
    d = torch.linspace(0, 0.5, 301, dtype=torch.float64)
    source, hamming = torch.tensor([0.5, 0.5], dtype=torch.float64), 1 - torch.eye(2, dtype=torch.float64)
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(6.4, 4.4)
        axes.fill_between(d, math.log(2) - binary_entropy(d), 1, color=PALETTE["sky"], alpha=0.2, linewidth=0)
        axes.plot(d, math.log(2) - binary_entropy(d), color=PALETTE["black"], label="R(D) = log 2 - H(D)")
        for beta, colour in zip(betas, COLOURS, strict=False):
            rate, distortion = (x.item() for x in rate_distortion(source, hamming, beta))
            reach = min(0.12, 0.16 / beta)
            ends = torch.tensor([distortion - reach, distortion + reach])
            axes.plot(ends, rate - beta * (ends - distortion), color=colour, linewidth=1.6)
            axes.plot(distortion, rate, "o", color=colour, label=f"beta = {beta:.3f}: slope {-beta:.3f}")
        axes.text(0.34, 0.28, "can be reached", ha="center")
        axes.text(0.06, 0.06, "cannot", ha="center")
        axes.set(
            xlim=(0, 0.5),
            ylim=(0, 0.7),
            xlabel="distortion D (share of wrong bits)",
            ylabel="rate R (nats per bit sent)",
        )
        axes.set_title("The price of precision: beta is the slope")
        axes.legend(loc="upper right")
    return figure
