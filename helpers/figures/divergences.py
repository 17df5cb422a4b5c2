"""The figures of entropy, cross-entropy and KL divergence (notebook 01)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from helpers.information import cross_entropy, entropy, kl_divergence
from helpers.plotting import PALETTE, STYLE, describe

DICE = ((0.9, 0.05, 0.05), (0.1, 0.7, 0.2))  # the two that are mixed in the picture
OWN = (0.5, 0.25, 0.125, 0.125)
WRONG = (0.125, 0.125, 0.25, 0.5)
TOP = 2.0  # nats: the height of the KL curves' frame


def label(axes: Axes, text: str, place: Sequence[float] | Tensor, above: bool = False, dot: bool = False) -> None:
    """Write ``text`` centred below or above a place in data coordinates, with a dot there if asked for."""
    x, y = (float(value) for value in place)
    if dot:
        axes.plot(x, y, "o", color=PALETTE["black"], markersize=6, clip_on=False, zorder=3)
    offset, va = ((0, 7), "bottom") if above else ((0, -7), "top")
    axes.annotate(text, (x, y), offset, textcoords="offset points", ha="center", va=va)


def entropy_surface(measure: Callable[[Tensor], Tensor] = entropy, steps: int = 80) -> Figure:
    """The entropy in nats of every three-sided die, over the triangle of all (p1, p2, p3), and two dice being mixed.

    ``measure`` maps distributions (..., 3) to numbers (...); ``steps`` is how finely each edge is divided.
    """
    counts = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    p = torch.tensor(counts, dtype=torch.float64) / steps
    corners = torch.tensor([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    x, y = (p @ corners).T.tolist()
    first, last = torch.tensor(DICE, dtype=torch.float64)
    mixed = torch.stack([first, (first + last) / 2, last])
    marked = torch.cat([mixed, torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.float64) / torch.tensor([[2], [3]])])
    values = measure(torch.cat([p, marked])).tolist()
    height, (start, middle, end, coin, fair) = values[: len(p)], values[len(p) :]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.0, 4.6))
        axes = figure.add_subplot()
        surface = axes.tricontourf(x, y, height, levels=[0.1 * k for k in range(12)])
        lines = axes.tricontour(x, y, height, levels=[0.2, 0.4, 0.6, 0.8, 1.0], colors="white", linewidths=1)
        axes.plot(*corners[[0, 1, 2, 0]].T.tolist(), color="#333333", linewidth=1.2)
        axes.plot(*(mixed @ corners).T.tolist(), "o-", color=PALETTE["vermilion"], markersize=5, linewidth=1.5)
        for place, number in zip(mixed @ corners, (start, middle, end), strict=True):
            x, y = place.tolist()
            axes.annotate(f"{number:.2f}", (x, y), (8, 0), textcoords="offset points", va="center")
        label(axes, f"fair die: {fair:.3f}", corners.mean(0), dot=True)
        label(axes, f"fair coin:\n{coin:.3f}", corners[:2].mean(0), dot=True)
        for name, corner, above in zip(("$p_1=1$", "$p_2=1$", "$p_3=1$"), corners, (False, False, True), strict=True):
            label(axes, name, corner, above)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title("Entropy of a three-sided die", pad=28)
        figure.colorbar(surface, label="entropy (nats)", shrink=0.85).add_lines(lines)
    return describe(
        figure,
        f"All three-sided dice as a triangle coloured by entropy: 0 at the corners, rising to {fair:.3f} nats at the "
        f"centre; {coin:.3f} in the middle of an edge. On a line between two dice of {start:.2f} and {end:.2f} nats "
        f"the die half-way has {middle:.2f}.",
    )


def kl_curves(p: float = 0.3, divergence: Callable[[Tensor, Tensor], Tensor] = kl_divergence) -> Figure:
    """KL(p, q) and KL(q, p) in nats for two outcomes, as the probability q of the first one moves from 0 to 1.

    Raises ValueError unless 0 < p < 1.
    """
    return kl_strip((p,), divergence)


def kl_strip(ps: Sequence[float], divergence: Callable[[Tensor, Tensor], Tensor] = kl_divergence) -> Figure:
    """``kl_curves`` for several p, side by side: what a slider over p would show.

    Raises ValueError unless every 0 < p < 1.
    """
    for p in ps:
        if not 0 < p < 1:
            raise ValueError(f"p must lie strictly between 0 and 1, got {p}")
    edge = torch.logspace(-12, -2, 101, dtype=torch.float64)  # a logarithm rises most slowly: begin very near 0
    x = torch.cat([edge, torch.linspace(0.01, 0.99, 197, dtype=torch.float64)[1:-1], 1 - edge.flip(0)])
    q = torch.stack([x, 1 - x], -1)
    alone, words = len(ps) == 1, []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0) if alone else (2.6 * len(ps), 3.0))
        for axes, p in zip(figure.subplots(1, len(ps), sharey=True, squeeze=False)[0], ps, strict=True):
            fixed = torch.tensor([p, 1 - p], dtype=torch.float64).expand_as(q)
            forwards, backwards = divergence(fixed, q), divergence(q, fixed)
            axes.plot(x, forwards, color=PALETTE["blue"], label="KL(p, q): mean under p")
            axes.plot(x, backwards, "--", color=PALETTE["vermilion"], label="KL(q, p): mean under q")
            label(axes, f"q = p = {p:g}" if alone else "", (p, 0), above=True, dot=True)
            axes.set(xlim=(0, 1), ylim=(0, TOP), xlabel="q, the probability of the first outcome" if alone else "q")
            axes.set_title(f"Two ways to be wrong about p = {p:g}" if alone else f"p = {p:g}")
            left, right = backwards[0], backwards[-1]
            words.append(f"for p = {p:g} both are 0 at q = {p:g}, and KL(q, p) ends at {left:.2f} and {right:.2f}")
        figure.axes[0].set_ylabel("divergence (nats)")
        if alone:
            figure.axes[0].legend(loc="upper center")
    return describe(
        figure,
        "KL(p, q) and KL(q, p) against q, the probability of the first outcome. KL(p, q) rises without bound at both "
        f"ends: {'; '.join(words)}.",
    )


def code_areas(
    p: Sequence[float] = OWN, q: Sequence[float] = WRONG, names: Sequence[str] = ("a", "b", "c", "d")
) -> Figure:
    """Each symbol as a box, probability wide and code length -log2 q high: the whole area is bits per symbol.

    Left with the code made for ``p`` (area H(p)), right with the one made for ``q`` (area H(p, q)).
    """
    truth, belief = (torch.tensor(x, dtype=torch.float64) for x in (p, q))
    own, wrong = (x.item() / math.log(2) for x in (entropy(truth), cross_entropy(truth, belief)))
    lefts = (truth.cumsum(0) - truth).tolist()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.4))
        pair = ((truth, f"own code: {own:g} bits a symbol"), (belief, f"wrong code: {wrong:g} bits a symbol"))
        for axes, (code, title) in zip(figure.subplots(1, 2, sharey=True), pair, strict=True):
            lengths = (-code.log2()).tolist()
            colours = [PALETTE[c] for c in ("blue", "sky", "green", "orange")]
            axes.bar(lefts, lengths, width=list(p), align="edge", color=colours, edgecolor="white", linewidth=1.5)
            for name, left, width, height in zip(names, lefts, p, lengths, strict=True):
                label(axes, f"{name}: {height:g}", (left + width / 2, height), above=True)
            axes.set(xlim=(0, 1), ylim=(0, 4), xlabel="probability (width)", yticks=range(4))
            axes.set_title(title)
        figure.axes[0].set_ylabel("code length (bits)")
    return describe(
        figure,
        f"Four symbols as boxes as wide as their probabilities {spoken(p)}. Left they are as high as the lengths of "
        f"their own code, {spoken((-truth.log2()).tolist())} bits, area {own:g}; right as those of a code made for "
        f"{spoken(q)}, {spoken((-belief.log2()).tolist())} bits, area {wrong:g}: {wrong - own:g} bits a symbol more.",
    )


def spoken(numbers: Sequence[float]) -> str:
    """Numbers in a row, as alt texts say them."""
    return "(" + ", ".join(f"{x:g}" for x in numbers) + ")"
