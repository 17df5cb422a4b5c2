"""The figures of notebook 05 draw what they say."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.figures import gaussians as figures


def lines(axes):
    return {line.get_label(): np.asarray(line.get_xydata(), dtype=float) for line in axes.get_lines()}


def test_the_area_under_the_curve_is_the_divergence():
    figure = figures.where_it_comes_from()
    (curve,) = (line.get_xydata() for line in figure.axes[1].get_lines()[:1])
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(figures.exact_kl(*figures.PAIR), abs=1e-3)


def test_the_error_of_a_run_ends_on_its_theory():
    left, right = figures.error_band(most=20_000).axes
    assert lines(left)["estimate"][-1, 1] == pytest.approx(1.306853, abs=0.1)
    drawn = lines(right)
    theory = next(xy for label, xy in drawn.items() if label.startswith("2.915"))
    assert drawn["standard error"][-1] == pytest.approx(theory[-1], rel=0.05)


def test_coverage_is_drawn_on_its_theory():
    counts = (400, 100)
    measured = figures.coverage(counts, repeats=300)
    drawn = lines(figures.coverage_curve(counts, measured).axes[0])
    assert drawn["measured, 1000 runs each"][:, 1] == pytest.approx(100 * measured[:, 0].numpy())
    for n, value in zip(counts, measured[:, 0].tolist(), strict=True):
        assert value == pytest.approx(figures.within(0.05, n), abs=0.12)


def test_the_fits_are_densities():
    for xy in lines(figures.fits().axes[0]).values():
        assert np.trapezoid(xy[:, 1], xy[:, 0]) == pytest.approx(1, abs=0.01)


def test_histograms_hold_every_sample():
    samples = figures.estimator_samples(5_000)
    figure = figures.estimator_histograms(samples)
    assert [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes] == [5_000] * 3
    assert "0.1" in figure.axes[0].get_title(loc="left")


def test_the_slopes_of_the_rate_distortion_curve_are_minus_beta():
    betas, points = (0.5, 4.0), [(3.0, 1.0), (1.0, 3.0)]
    axes = figures.rate_distortion(betas, points).axes[0]
    slopes = [np.asarray(line.get_xydata(), dtype=float) for line in axes.get_lines() if len(line.get_xdata()) == 2][
        1:3
    ]
    for xy, beta, point in zip(slopes, betas, points, strict=True):
        (x0, y0), (x1, y1) = xy
        assert (y1 - y0) / (x1 - x0) == pytest.approx(-beta)
        assert xy.mean(0) == pytest.approx(point)
