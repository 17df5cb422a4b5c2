from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from helpers.figures import trade_offs
from helpers.plotting import alt_of
from tests.helpers.figures.test_channels import coin, curves, data, dots

SKIES = torch.tensor([[0.38, 0.02], [0.24, 0.06], [0.06, 0.14], [0.005, 0.095]], dtype=torch.float64)


def test_beta_is_the_slope_of_the_curve():
    betas = (0.8, math.log(9), 3.0)
    figure = trade_offs.rate_distortion_curve(betas)
    (axes,) = figure.axes
    curve, *tangents = curves(axes)
    for beta, (d, rate), tangent in zip(betas, dots(axes), tangents, strict=True):
        assert d == pytest.approx(1 / (1 + math.exp(beta)), abs=1e-9)
        assert rate == pytest.approx(math.log(2) - coin(d), abs=1e-9)
        assert np.diff(tangent[1]) / np.diff(tangent[0]) == pytest.approx(-beta)
        line = rate - beta * (curve[0] - d)
        assert (curve[1] >= line - 1e-9).all()
        assert f"slope {-beta:.2f} at D = {d[0]:.3f}, R = {rate[0]:.3f}" in alt_of(figure)
    assert f"from {math.log(2):.3f} nats" in alt_of(figure)


def test_the_bottlenecks_curve_stays_below_what_there_is_and_rises_ever_less_steeply():
    figure = trade_offs.bottleneck_curve(SKIES, betas=(3.0, 8.0))
    (axes,) = figure.axes
    h = scipy.stats.entropy
    whole = h(SKIES.sum(1))
    available = whole + h(SKIES.sum(0)) - h(SKIES.flatten())
    (curve,) = curves(axes)
    assert (curve[1] <= np.minimum(curve[0], available) + 1e-9).all()
    assert curve[0][-1] == pytest.approx(whole)
    assert curve[1][-1] == pytest.approx(available)
    apart = np.diff(curve[0]) > 1e-6
    slopes = np.diff(curve[1])[apart] / np.diff(curve[0])[apart]
    assert (np.diff(slopes) < 1e-6).all()
    for beta, (kept, told) in zip((3, 8), dots(axes), strict=True):
        near = np.abs(curve[0] - kept[0]).argmin()
        before, after = slopes[max(near - 2, 0)], slopes[min(near + 1, len(slopes) - 1)]
        assert before >= 1 / beta >= after  # the slope at the point of beta is 1 / beta
        assert f"beta {beta}: {kept[0]:.3f}, {told[0]:.3f}" in alt_of(figure)
    assert f"to ({whole:.3f}, {available:.3f})" in alt_of(figure)
    assert data(axes.lines[-1])[0] == pytest.approx(whole)
