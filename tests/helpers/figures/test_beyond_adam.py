"""The figures of notebook 07: what they draw, and what their alt texts say of it."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.experiments import report
from helpers.figures import beyond_adam as figures
from helpers.figures import comparison
from helpers.plotting import Picture, alt_of

DRAWN = {
    name: draw
    for module in (figures, comparison)
    for name, draw in vars(module).items()
    if getattr(draw, "__module__", "") == module.__name__
    and getattr(draw, "__annotations__", {}).get("return") == "Figure"
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: draw() for name, draw in DRAWN.items()}


def heights(line: Line2D) -> list[float]:
    """What a line draws."""
    drawn: list[float] = np.asarray(line.get_ydata(), dtype=float).tolist()
    return drawn


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)]


def test_every_figure_is_here_and_small_enough(drawn: dict[str, Figure]):
    assert len(drawn) == 8
    for name, figure in drawn.items():
        assert len(Picture(figure, alt_of(figure)).png) < 60_000, name


def test_the_lengths_of_steps_are_those_in_the_alt_text(drawn: dict[str, Figure]):
    adam, lion = drawn["step_lengths"].axes[0].lines
    assert numbers(alt_of(drawn["step_lengths"])) == [round(y, 2) for y in heights(adam)]
    assert heights(lion) == [1.0] * 5
    assert heights(adam) == sorted(heights(adam), reverse=True)


def test_the_band_is_where_five_steps_lead(drawn: dict[str, Figure]):
    figure = drawn["singular_values"]
    last = heights(figure.axes[0].lines[-1])[20:]
    assert numbers(alt_of(figure))[1:] == [round(min(last), 2), round(max(last), 2)]


def test_sharpness_falls_with_the_radius(drawn: dict[str, Figure]):
    figure = drawn["sharpness_against_radius"]
    curves = [heights(line) for line in figure.axes[0].lines]
    assert all(later < 1.01 * earlier for curve in curves for earlier, later in pairwise(curve))  # one rises by .7%
    ends = [sum(curve[k] for curve in curves) / len(curves) for k in (0, -1)]
    assert numbers(alt_of(figure))[1:3] == [round(end, 1) for end in ends]


def test_ends_of_the_averages_and_of_the_online_problem(drawn: dict[str, Figure]):
    for name in ("averages", "right_end"):
        lines = [line for line in drawn[name].axes[0].lines if len(heights(line)) > 2]
        ends = [heights(line)[-1] for line in lines]
        told = numbers(alt_of(drawn[name]))
        assert told == pytest.approx(ends, abs=0.006 if name == "right_end" else 6e-5)


def test_the_comparison_names_the_methods_in_their_order(drawn: dict[str, Figure]):
    alt = alt_of(drawn["comparison"])
    for problem, axes in zip(("bowl", "characters"), drawn["comparison"].axes, strict=True):
        names = [label.get_text() for label in axes.get_yticklabels()][::-1]
        assert names == comparison.ranked(problem)
    told = re.split("Rotated bowl: |Characters: ", alt)[1:]
    for text, problem in zip(told, ("bowl", "characters"), strict=True):
        assert [part.rsplit(" ", 1)[0] for part in text.rstrip(". ").split(", ")] == comparison.ranked(problem)


def test_the_tuning_figure_shows_every_best_rate(drawn: dict[str, Figure]):
    for line in drawn["tuning"].axes[0].lines:
        best = min((loss, rate) for loss, rate in zip(heights(line), report.RATES, strict=True) if loss == loss)[1]
        assert best == report.rate_of("characters", str(line.get_label()))


def test_shares_of_progress_are_those_in_the_alt_text(drawn: dict[str, Figure]):
    shares = [round(y, 2) for line in drawn["words"].axes[0].lines for y in heights(line)]
    assert numbers(alt_of(drawn["words"])) == shares
