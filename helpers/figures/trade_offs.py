"""The figures of trades: rate against distortion, and against what is kept about something else (notebook 02).

Every figure carries its alt text, made from the numbers that it draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from helpers.channels import information_bottleneck, marginals, mutual_information, rate_distortion
from helpers.figures.channels import COLOURS, binary_entropy, canvas
from helpers.information import entropy
from helpers.plotting import PALETTE, STYLE, describe


def rate_distortion_curve(betas: Sequence[float] = (0.8, 1.5, math.log(9), 4.0)) -> Figure:
    """The rate-distortion curve of a fair bit with Hamming distortion, log 2 - H_b(D), with the points that Blahut and
    Arimoto's algorithm finds for ``betas`` and, through each, the line of slope -beta."""
    d = torch.linspace(0, 0.5, 301, dtype=torch.float64)
    source, hamming = torch.tensor([0.5, 0.5], dtype=torch.float64), 1 - torch.eye(2, dtype=torch.float64)
    words = []
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(6.4, 4.4)
        axes.fill_between(d, math.log(2) - binary_entropy(d), 1, color=PALETTE["sky"], alpha=0.2, linewidth=0)
        axes.plot(d, math.log(2) - binary_entropy(d), color=PALETTE["black"], label="R(D) = log 2 - $H_b$(D)")
        for beta, colour in zip(betas, COLOURS, strict=False):
            rate, distortion = (x.item() for x in rate_distortion(source, hamming, beta))
            reach = min(0.12, 0.16 / beta)
            ends = torch.tensor([distortion - reach, distortion + reach])
            axes.plot(ends, rate - beta * (ends - distortion), color=colour, linewidth=1.6)
            axes.plot(distortion, rate, "o", color=colour, label=f"slope {-beta:.2f}")
            words.append(f"slope {-beta:.2f} at D = {distortion:.3f}, R = {rate:.3f}")
        axes.text(0.34, 0.28, "can be reached", ha="center")
        axes.text(0.06, 0.06, "cannot", ha="center")
        axes.set(
            xlim=(0, 0.5),
            ylim=(0, 0.7),
            xlabel="distortion D (share of wrong bits)",
            ylabel="rate R (nats per bit sent)",
        )
        axes.set_title("The price of precision: the slope is $-\\beta$")
        axes.legend(loc="upper right")
    return describe(
        figure,
        "Rate against distortion for a fair bit: a convex curve from 0.693 nats at distortion 0 to 0 at one half, "
        f"touched by the line of slope minus beta at {len(words)} points: {'; '.join(words)}.",
    )


def bottleneck_curve(joint: Float[Tensor, "X Y"], betas: Sequence[float] = (2.5, 3.0, 4.0, 8.0, 20.0)) -> Figure:
    """What an encoder T keeps about Y, I(T; Y), against what it keeps of X, I(X; T), with ``betas`` marked.

    No encoder lies above the diagonal or above I(X; Y): both are the data-processing inequality.
    """
    generator = torch.Generator().manual_seed(0)
    whole, available = entropy(marginals(joint)[0]).item(), mutual_information(joint).item()

    def place_of(beta: float) -> tuple[float, float]:
        _, i_xt, i_ty = information_bottleneck(joint, beta, len(joint), generator)
        return max(0.0, i_xt.item()), max(0.0, i_ty.item())

    places = [place_of(beta) for beta in betas]
    between = [place_of(beta) for beta in torch.logspace(0.37, 2, 16).tolist()]
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(6.4, 4.2)
        axes.fill_between(
            [0, available, whole], [0, available, available], available * 1.3, color="#DDDDDD", linewidth=0
        )
        curve = sorted([(0.0, 0.0), *between, *places, (whole, available)])
        axes.plot(*zip(*curve, strict=True), color=PALETTE["blue"], linewidth=1.6)
        for beta, place in zip(betas, places, strict=True):
            axes.plot(*place, "o", color=PALETTE["vermilion"], markersize=5)
            axes.annotate(f"$\\beta$ = {beta:g}", place, (4, -5), textcoords="offset points", va="top", fontsize=10)
        axes.plot(whole, available, "s", color=PALETTE["black"])
        axes.annotate("X itself", (whole, available), (-4, -8), textcoords="offset points", ha="right", va="top")
        axes.text(0.02 * whole, 1.13 * available, "excluded by data processing")
        axes.text(0.6 * whole, 1.03 * available, f"I(X; Y) = {available:.3f}", va="bottom")
        axes.set(
            xlim=(0, 1.05 * whole),
            ylim=(0, 1.3 * available),
            xlabel="I(X; T): what is kept of X (nats)",
            ylabel="I(T; Y): about Y (nats)",
        )
        axes.set_title("What a bottleneck keeps, for each $\\beta$")
    words = [f"beta {beta:g}: {a:.3f}, {b:.3f}" for beta, (a, b) in zip(betas, places, strict=True)]
    return describe(
        figure,
        f"I(T; Y) against I(X; T) in nats, rising ever less steeply from (0, 0) to ({whole:.3f}, {available:.3f}), "
        f"which is X itself. {'; '.join(words)}.",
    )
