"""The figures of notebook 07's comparison, drawn from the shipped results. Each carries its own alt text."""

from __future__ import annotations

import math
from statistics import fmean

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.experiments import report
from helpers.plotting import PALETTE, STYLE, describe

COLOURS = dict(zip(report.METHODS, [*list(PALETTE.values())[:6], "#666666"], strict=True))
HIGHEST = 3.3  # nats: what the tuning figure leaves out has learnt next to nothing, or diverged
MARKS = dict(zip(report.METHODS, "osDv^P*", strict=True))


def ranked(problem: str) -> list[str]:
    """The methods, the one with the least mean loss first."""
    return sorted(report.METHODS, key=lambda name: fmean(report.final(problem, name)))


def dots(axes: Axes, problem: str, label: str) -> None:
    """Five final losses for each method, one row a method, the best at the top."""
    names = ranked(problem)
    for row, name in enumerate(reversed(names)):
        losses = report.final(problem, name)
        axes.plot(losses, [row] * len(losses), MARKS[name], color=COLOURS[name], alpha=0.6, markersize=6)
        axes.plot(fmean(losses), row, "|", color="black", markersize=14)
    axes.set_yticks(range(len(names)), reversed(names))
    axes.set(xlabel=label)


def comparison() -> Figure:
    """The final losses of all methods on the bowl and on the characters: five seeds and their mean."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        left, right = figure.subplots(1, 2)
        dots(left, "bowl", "loss over the loss at the start")
        left.set(xscale="log", xticks=[1e-12, 1e-8, 1e-4])
        left.set_title("rotated bowl", fontsize=11)
        dots(right, "characters", "nats a character, held out")
        right.set_title("characters of a play", fontsize=11)
    words = [", ".join(f"{n} {fmean(report.final(p, n)):{form}}" for n in ranked(p))
             for p, form in (("bowl", ".1e"), ("characters", ".3f"))]  # fmt: skip
    return describe(
        figure,
        f"Final losses of seven methods, five seeds each with their mean, best first. Rotated bowl: {words[0]}. "
        f"Characters: {words[1]}.",
    )


def tuning() -> Figure:
    """The loss on the characters after tuning runs at every learning rate of the grid."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 3.8))
        axes = figure.add_subplot()
        for name in report.METHODS:
            losses = [loss if loss < HIGHEST else math.nan for loss in report.tuning("characters", name)]
            axes.semilogx(report.RATES, losses, "-", color=COLOURS[name], marker=MARKS[name], label=name, linewidth=1.5)
        axes.set(xlabel="learning rate", ylabel="nats a character, held out", ylim=(2, HIGHEST))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    best = ", ".join(f"{name} {report.rate_of('characters', name):g}" for name in report.METHODS)
    return describe(
        figure,
        f"Held-out loss against the learning rate on a log axis, one curve a method. The lowest points are at: {best}.",
    )


def words() -> Figure:
    """How much of AdamW's progress SGD makes on each fifth of the text, at its best rate and at a tenth of it."""
    rows = report.words_rows()
    best, start = rows["AdamW"][1][1:], report.untrained()
    shares = {
        name: [(start - loss) / (start - least) for loss, least in zip(losses[1:], best, strict=True)]
        for name, (_, losses) in rows.items()
    }
    colours = (PALETTE["blue"], PALETTE["vermilion"], PALETTE["orange"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2))
        axes = figure.add_subplot()
        for (name, share), colour, mark in zip(shares.items(), colours, "osD", strict=True):
            axes.plot(share, mark + "-", color=colour, label=f"{name}, rate {rows[name][0]:g}")
        axes.set_xticks(range(5), ["most\nfrequent", "second", "third", "fourth", "rarest"])
        axes.set(
            xlabel="fifth of the text, by the word's frequency", ylabel="share of AdamW's progress", ylim=(0, 1.08)
        )
        axes.legend(loc="lower left")
    words = "; ".join(f"{name} {', '.join(f'{x:.2f}' for x in share)}" for name, share in shares.items())
    return describe(
        figure,
        f"Progress from the untrained loss, over AdamW's, for five fifths of the text, frequent words first: {words}.",
    )
