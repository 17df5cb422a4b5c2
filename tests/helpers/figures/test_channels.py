from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.axes import Axes

from helpers.figures import channels

Z_CHANNEL = torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64)


def data(line) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def dots(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [data(line) for line in axes.lines if line.get_marker() == "o"]


def curves(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [data(line) for line in axes.lines if line.get_marker() == "None" and line.get_linestyle() == "-"]


def coin(p: np.ndarray | float) -> np.ndarray:
    return scipy.stats.bernoulli.entropy(p)


@pytest.mark.parametrize(
    "draw",
    [
        channels.information_along_chain,
        lambda: channels.plugin_bias(sizes=(100, 200), repeats=3),
        channels.fano_curve,
        lambda: channels.information_by_input(Z_CHANNEL),
        channels.rate_distortion_curve,
    ],
)
def test_axes_are_labelled_with_units(draw):
    (axes,) = draw().axes
    assert axes.get_xlabel()
    assert "(nats" in axes.get_ylabel()
    assert axes.get_title(loc="left")


def test_information_only_falls_along_a_chain_and_follows_the_theory():
    noises = (0.02, 0.3)
    (axes,) = channels.information_along_chain(noises, steps=6).axes
    for noise, (n, information), (at, theory) in zip(noises, dots(axes), curves(axes), strict=False):
        assert information[0] == pytest.approx(math.log(2))
        assert (np.diff(information) < 0).all()
        flipped = (1 - (1 - 2 * noise) ** n) / 2
        assert information == pytest.approx(math.log(2) - coin(flipped), abs=1e-12)
        assert np.interp(n, at, theory) == pytest.approx(information, abs=1e-3)


def test_the_bias_follows_its_line():
    (axes,) = channels.plugin_bias(sizes=(500, 2000), repeats=40, bins=4).axes
    for n, (x, mean) in zip((500, 2000), dots(axes), strict=True):
        assert x == n
        # 2 N times an estimate is nearly chi-squared with 9 degrees of freedom (Wilks 1938)
        assert mean == pytest.approx(9 / (2 * n), abs=4 * math.sqrt(18 / 40) / (2 * n))
    (theory,) = [data(line) for line in axes.lines if line.get_linestyle() == "--"]
    assert theory[1] == pytest.approx([9 / 1000, 9 / 4000])


def test_no_joint_is_above_fanos_curve():
    (axes,) = channels.fano_curve(4, 0.8).axes
    (curve,) = curves(axes)
    rng = np.random.default_rng(0)
    for spread in (0.05, 0.3, 1.0):
        for joint in rng.dirichlet(np.full(12, spread), size=50).reshape(50, 4, 3):
            error = 1 - joint.max(0).sum()
            open_nats = scipy.stats.entropy(joint.flatten()) - scipy.stats.entropy(joint.sum(0))
            assert open_nats <= np.interp(error, *curve) + 1e-3
    (least, h), _ = dots(axes)
    assert h == 0.8
    assert coin(least) + least * math.log(3) == pytest.approx(0.8)


def test_the_peak_is_the_capacity():
    (axes,) = channels.information_by_input(Z_CHANNEL).axes
    (curve,), ((share, capacity),) = curves(axes), dots(axes)
    assert capacity == pytest.approx(math.log(5 / 4))
    assert share == pytest.approx(0.4, abs=1e-4)
    assert curve[1].max() == pytest.approx(capacity, abs=1e-4)
    assert curve[1] == pytest.approx(coin(curve[0] / 2) - curve[0] * math.log(2), abs=1e-12)


def test_beta_is_the_slope_of_the_curve():
    betas = (0.8, math.log(9), 3.0)
    (axes,) = channels.rate_distortion_curve(betas).axes
    curve, *tangents = curves(axes)
    for beta, (d, rate), tangent in zip(betas, dots(axes), tangents, strict=True):
        assert d == pytest.approx(1 / (1 + math.exp(beta)), abs=1e-9)
        assert rate == pytest.approx(math.log(2) - coin(d), abs=1e-9)
        assert np.diff(tangent[1]) / np.diff(tangent[0]) == pytest.approx(-beta)
        line = rate - beta * (curve[0] - d)
        assert (curve[1] >= line - 1e-9).all()
