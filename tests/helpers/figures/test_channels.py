from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.stats
import torch
from matplotlib.axes import Axes

from helpers.channels import water_filling
from helpers.figures import channels
from helpers.plotting import alt_of

Z_CHANNEL = torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64)


def data(line) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def dots(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [data(line) for line in axes.lines if line.get_marker() == "o"]


def curves(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [data(line) for line in axes.lines if line.get_marker() == "None" and line.get_linestyle() == "-"]


def numbers_in(alt: str) -> list[str]:
    """Every number of an alternative text, as it is written."""
    return re.findall(r"\d+(?:\.\d+)?", alt)


def coin(p: np.ndarray | float) -> np.ndarray:
    return scipy.stats.bernoulli.entropy(p)


@pytest.mark.parametrize(
    "draw",
    [
        channels.information_along_chain,
        lambda: channels.plugin_bias(sizes=(100, 200), repeats=3),
        channels.fano_curve,
        lambda: channels.information_by_input(Z_CHANNEL),
    ],
)
def test_axes_are_labelled_with_units(draw):
    (axes,) = draw().axes
    assert axes.get_xlabel()
    assert "(nats" in axes.get_ylabel()
    assert axes.get_title(loc="left")


def test_information_only_falls_along_a_chain_and_follows_the_theory():
    noises = (0.02, 0.3)
    figure = channels.information_along_chain(noises, steps=6)
    (axes,) = figure.axes
    for noise, (n, information), (at, theory) in zip(noises, dots(axes), curves(axes), strict=False):
        assert information[0] == pytest.approx(math.log(2))
        assert (np.diff(information) < 0).all()
        flipped = (1 - (1 - 2 * noise) ** n) / 2
        assert information == pytest.approx(math.log(2) - coin(flipped), abs=1e-12)
        assert np.interp(n, at, theory) == pytest.approx(information, abs=1e-3)
        ends = f"with {noise:.0%} flipped from {information[0]:.3f} to {information[-1]:.3f}"
        assert ends in alt_of(figure)
    assert len(numbers_in(alt_of(figure))) == 1 + 3 * len(noises)


def test_the_bias_follows_its_line():
    figure = channels.plugin_bias(sizes=(500, 2000), repeats=40, bins=4)
    (axes,) = figure.axes
    said = numbers_in(alt_of(figure))
    assert said[:3] == ["4", "9", "2"]
    for n, (x, mean) in zip((500, 2000), dots(axes), strict=True):
        assert x == n
        assert [f"{mean[0]:.4f}", str(n), f"{9 / (2 * n):.4f}"] == said[said.index(str(n)) - 1 :][:3]
        # 2 N times an estimate is nearly chi-squared with 9 degrees of freedom (Wilks 1938)
        assert mean == pytest.approx(9 / (2 * n), abs=4 * math.sqrt(18 / 40) / (2 * n))
    (theory,) = [data(line) for line in axes.lines if line.get_linestyle() == "--"]
    assert theory[1] == pytest.approx([9 / 1000, 9 / 4000])


def test_the_best_guess_lies_between_fanos_curve_and_the_other():
    figure = channels.fano_curve(4, 0.8)
    (axes,) = figure.axes
    (fano,) = curves(axes)
    (other,) = [data(line) for line in axes.lines if line.get_linestyle() == "--"]
    rng = np.random.default_rng(0)
    for spread in (0.05, 0.3, 1.0):
        for joint in rng.dirichlet(np.full(12, spread), size=50).reshape(50, 4, 3):
            error = 1 - joint.max(0).sum()
            open_nats = scipy.stats.entropy(joint.flatten()) - scipy.stats.entropy(joint.sum(0))
            assert np.interp(error, *other) - 1e-3 <= open_nats <= np.interp(error, *fano) + 1e-3
    (least, h), _ = dots(axes)
    assert h == 0.8
    assert coin(least) + least * math.log(3) == pytest.approx(0.8)
    at_most = 1 - math.exp(-0.8)
    assert np.interp(at_most, *other) == pytest.approx(0.8, abs=1e-3)
    wanted = ["4", "0", "0", "0.750", f"{math.log(4):.3f}", "0.8", f"{least[0]:.6f}", f"{at_most:.6f}"]
    assert numbers_in(alt_of(figure)) == wanted


def test_the_peak_is_the_capacity():
    figure = channels.information_by_input(Z_CHANNEL)
    (axes,) = figure.axes
    assert numbers_in(alt_of(figure)) == ["0.000", "0", "0.000", "1", "0.215762", "0.223144", "0.400"]
    (curve,), ((share, capacity),) = curves(axes), dots(axes)
    assert capacity == pytest.approx(math.log(5 / 4))
    assert share == pytest.approx(0.4, abs=1e-4)
    assert curve[1].max() == pytest.approx(capacity, abs=1e-4)
    assert curve[1] == pytest.approx(coin(curve[0] / 2) - curve[0] * math.log(2), abs=1e-12)


def test_water_stands_at_one_level_over_the_noise():
    noise = torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)
    figure = channels.water(noise, 3.0)
    (axes,) = figure.axes
    ground, water = (np.array([(bar.get_y(), bar.get_height()) for bar in bars]).T for bars in axes.containers)
    assert ground[0] == pytest.approx(0)
    assert ground[1] == pytest.approx(noise.numpy())
    assert water[0] == pytest.approx(noise.numpy())
    assert water[1] == pytest.approx(water_filling(noise, 3.0)[0].numpy())
    (level,) = (data(line)[1][0] for line in axes.lines)
    assert (water[0] + water[1])[water[1] > 0] == pytest.approx(level)
    assert [text.get_text().strip() for text in axes.texts] == ["level 3.000", "2.000", "dry", "1.000"]
    wanted = ["1.000", "4.000", "2.000", "3.000", "2.000", "0.000", "1.000", "3", "0.752039"]
    assert numbers_in(alt_of(figure)) == wanted
