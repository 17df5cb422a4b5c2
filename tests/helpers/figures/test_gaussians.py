"""The figures of notebook 05 draw what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers import vae
from helpers.figures import gaussians as figures
from helpers.plotting import Picture, alt_of


def lines(axes):
    return {line.get_label(): np.asarray(line.get_xydata(), dtype=float) for line in axes.get_lines()}


def test_the_area_under_the_curve_is_the_divergence():
    figure = figures.where_it_comes_from()
    (curve,) = (line.get_xydata() for line in figure.axes[1].get_lines()[:1])
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(figures.exact_kl(*figures.PAIR), abs=1e-3)


def test_the_root_mean_square_error_lies_on_its_theory():
    figure = figures.error_band(most=20_000)
    left, right = figure.axes
    assert lines(left)["estimate"][-1, 1] == pytest.approx(1.306853, abs=0.1)
    drawn = lines(right)
    theory = next(xy for label, xy in drawn.items() if label.startswith("2.915"))
    measured = drawn["root mean square of 200 runs"]
    assert measured[:, 1] == pytest.approx(theory[:, 1], rel=0.2)  # 200 runs know it to 5%
    assert f"to {measured[-1, 1]:.3f} at n = {measured[-1, 0]:.0f}" in alt_of(figure)


def test_coverage_is_drawn_on_its_theory():
    counts = (400, 100, 10)
    measured = figures.coverage(counts, repeats=300)
    figure = figures.coverage_curve(counts, measured)
    drawn = lines(figure.axes[0])
    assert drawn["measured"][:, 1] == pytest.approx(100 * measured[:, 0].numpy())
    for n, value in zip(counts, measured[:, 0].tolist(), strict=True):
        assert value == pytest.approx(figures.within(0.05, n), abs=0.12)
    assert f"standard errors: {100 * measured[2, 1]:.0f} percent at 10;" in alt_of(figure)


def test_the_fits_are_densities():
    for xy in lines(figures.fits().axes[0]).values():
        assert np.trapezoid(xy[:, 1], xy[:, 0]) == pytest.approx(1, abs=0.01)


def test_histograms_hold_all_but_the_tails_and_say_their_moments():
    figure = figures.estimator_histograms(n=5_000)
    assert len(figure.axes) == 6
    for axes, k in zip(figure.axes[3:], figures.estimator_samples(figures.FAR, 5_000), strict=True):
        drawn = sum(bar.get_height() for bar in axes.patches)
        assert 0.98 * 5_000 <= drawn <= 5_000
        assert max(bar.get_height() for bar in axes.patches[-3:]) < 0.05 * drawn  # no heap at the edge
        assert axes.patches[0].get_x() >= min(0.0, k.min().item())
        assert f"mean {k.mean():.4f}, std {k.std():.4f}" in axes.get_title(loc="left")
        assert f"has mean {k.mean():.4f} and standard deviation {k.std():.4f}" in alt_of(figure)
    for pair in (figures.NEAR, figures.FAR):
        below = (figures.estimator_samples(pair, 5_000)[0] < 0).sum().item() / 5_000
        assert f"is negative in {below:.0%} of the samples" in alt_of(figure)


def test_the_gap_under_the_tangent_is_k3():
    drawn = lines(figures.tangent().axes[0])
    above, below = (xy for label, xy in drawn.items() if not label.startswith("_"))
    gap = above[:, 1] - below[:, 1]
    log_r = torch.from_numpy(below[:, 0]).log()
    assert gap == pytest.approx(figures.kl_estimators(0 * log_r, log_r)[2].numpy())
    assert gap.min() >= 0


def test_codes_are_the_means_and_reconstructions_are_the_decoders():
    x = vae.bent_sheet(24, torch.Generator().manual_seed(1))
    model = vae.train(x, 0.3, 30, 0, lambda: None)
    figure = figures.codes_and_reconstructions(model, x)
    left, right = figure.axes
    with torch.no_grad():
        mu, _ = model.encode(x)
        back = model.decoder(mu)
    assert np.allclose(left.collections[0].get_offsets(), mu.numpy())
    solid = [line.get_ydata() for line in right.get_lines() if line.get_linestyle() == "-"]
    dots = [line.get_ydata() for line in right.get_lines() if line.get_linestyle() != "-"]
    for line, dot in zip(solid, dots, strict=True):
        row = int((x - torch.as_tensor(np.asarray(dot))).abs().sum(-1).argmin())
        assert np.asarray(line) == pytest.approx(back[row].numpy())
    off = (x - back).square().mean().sqrt()
    assert f"error is {off:.2f}" in alt_of(figure)


def test_every_figure_is_small_and_says_what_it_shows():
    betas, points = (0.5, 4.0), [(3.0, 1.0), (1.0, 3.0)]
    drawn = [
        figures.where_it_comes_from(),
        figures.error_band(),
        figures.fits(),
        figures.rate_distortion(betas, points),
    ]
    for figure in (*drawn, figures.estimator_histograms(), figures.tangent()):
        assert len(Picture(figure, alt_of(figure)).png) < 60_000


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
