"""The figures of notebook 03: what they draw, and the numbers in their alternative texts by another route."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from helpers import xor
from helpers.figures import optimisers as figures
from helpers.optimisers import online_problem
from helpers.plotting import Picture, alt_of

RUNS = {(lr, how): xor.train_many(lr, how, nets=12, steps=150) for lr in (0.05, 1.0) for how in (True, False)}
SNAPSHOTS = {1: lambda p: torch.full((len(p),), 0.5), 20: lambda p: p[:, 0].clamp(0, 1)}
FIGURES: dict[str, Callable[[], Figure]] = {
    "averages": figures.raw_and_corrected,
    "valley": figures.valley,
    "ratio": figures.step_ratio,
    "strip": lambda: figures.step_ratio_strip((0.95, 0.99, 0.999)),
    "runs": lambda: figures.with_and_without(RUNS),
    "decay": figures.decay_against_scale,
    "schedules": figures.schedules,
    "wrong end": figures.wrong_end,
    "rounding": figures.rounding_losses,
    "surfaces": lambda: figures.decision_surfaces(SNAPSHOTS, [0.7, 0.3, 0.04, 0.01]),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: draw() for name, draw in FIGURES.items()}


def numbers(figure: Figure) -> list[str]:
    """The numbers in a figure's alternative text, as they are written there."""
    return re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?", re.sub("beta2|bf16|L2", "", alt_of(figure)))


def line(figure: Figure, label: str, place: int = 0) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [x for x in figure.axes[place].get_lines() if str(x.get_label()) == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_is_small_and_labelled(drawn, name):
    png = Picture(drawn[name], alt_of(drawn[name])).png
    assert len(png) < 60_000
    assert len(set(Image.open(io.BytesIO(png)).convert("L").tobytes())) > 10
    assert any(axes.get_xlabel() for axes in drawn[name].axes)


def test_averages(drawn):
    _, values = line(drawn["averages"], "gradients")
    weights = 0.05 * 0.95 ** np.arange(19, -1, -1)
    raw = weights @ values[:20]
    said = numbers(drawn["averages"])
    assert said == ["1", "0", "20", "64", "59", "95", "20", f"{raw / weights.sum():.2f}", f"{raw:.2f}"]
    assert weights.sum() == pytest.approx(0.64, abs=0.005)
    assert 1 - 0.95**59 >= 0.95 > 1 - 0.95**58


def test_valley_by_torch_optim(drawn):
    made = {
        "plain descent": lambda p: torch.optim.SGD([p], lr=0.018),
        "momentum": lambda p: torch.optim.SGD([p], lr=0.01, momentum=0.9),
        "Adam": lambda p: torch.optim.Adam([p], lr=0.1),
    }
    losses = []
    for name, make in made.items():
        p = figures.START.clone().requires_grad_()
        optimiser = make(p)
        for _ in range(60):
            optimiser.zero_grad()
            (figures.VALLEY @ p**2 / 2).backward()
            optimiser.step()
        losses.append((figures.VALLEY @ p.detach() ** 2 / 2).item())
        assert figures.valley_path(name, figures.RATES[name], 60)[-1].tolist() == pytest.approx(p.tolist(), rel=1e-6)
    said = numbers(drawn["valley"])
    assert said == ["60", "0.018", f"{losses[0]:.4f}", "0.01", f"{losses[1]:.4f}", "0.1", f"{losses[2]:.4f}"]
    assert losses == sorted(losses, reverse=True)


def ratio(t, beta2):
    return -np.expm1(t * math.log(0.9)) / np.sqrt(-np.expm1(t * math.log(beta2)))


@pytest.mark.parametrize("beta2", [0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
def test_every_position_of_the_slider(beta2):
    r = ratio(np.arange(1, 10_001), beta2)
    peak, near = int(r.argmax()) + 1, int(np.flatnonzero(np.abs(r - 1) > 0.01).max()) + 2
    most = [f"{r.max():.3f}", str(peak)] if r.max() > 1.01 else ["1.01"]
    figure = figures.step_ratio(beta2)
    assert numbers(figure) == [f"{beta2:g}", f"{r[0]:.3f}", *most, "1", "1", str(near)]
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), r, rtol=1e-9)


def test_the_strip_answers_the_question_under_the_slider(drawn):
    single = [numbers(figures.step_ratio(beta2)) for beta2 in (0.95, 0.99, 0.999)]
    assert numbers(drawn["strip"]) == [n for one in single for n in one]
    assert ratio(1, 0.99) == pytest.approx(1)
    assert ratio(np.arange(1, 1000), 0.95).max() == pytest.approx(1.097, abs=5e-4)


def test_shares_of_runs(drawn):
    said = numbers(drawn["runs"])
    wanted = ["80"]
    for lr in (0.05, 1.0):
        shares = [f"{100 * (RUNS[lr, how][:, -1] < 0.05).double().mean():.1f}" for how in (True, False)]
        wanted += [f"{lr:g}", shares[0], "12", shares[1]]
    assert said == wanted


def test_decay(drawn):
    figure = drawn["decay"]
    _, apart = line(figure, "AdamW")
    _, l2 = line(figure, "Adam, L2 in the gradient")
    assert np.ptp(apart) < 0.005
    assert numbers(figure) == ["1000", "1", f"{apart[0]:.2f}", f"{l2[0]:.2f}", f"{l2[-1]:.2f}"]
    assert apart[0] == pytest.approx((1 - 1e-3 * 0.5) ** 1000, abs=0.005)


def test_schedules(drawn):
    x, cosine = line(drawn["schedules"], "warm-up and cosine")
    _, stable = line(drawn["schedules"], "warm-up, stable, decay")
    assert numbers(drawn["schedules"]) == ["1000", "0.0003", "3e-05", "100", "1000", "700"]
    assert cosine.max() == pytest.approx(3e-4)
    assert cosine[x == 1000] == stable[x == 1000] == pytest.approx(3e-5)
    np.testing.assert_allclose(stable[(x >= 100) & (x <= 700)], 3e-4)


def test_wrong_end(drawn):
    adam, amsgrad = (np.array(online_problem(100_000, how)) for how in (False, True))
    last = int(np.flatnonzero(adam < 0.9).max()) + 1
    said = numbers(drawn["wrong end"])
    assert said == ["-1", "0.9", "1", f"{last:,}", f"{amsgrad[100:].max():.2f}", f"{amsgrad[-1]:.2f}"]
    assert adam[:50].min() == -1  # both reach it
    assert amsgrad[:50].min() == -1


@pytest.mark.parametrize("name", figures.FORMATS)
def test_no_gradient_is_rounded_worse_than_the_curve_and_some_are_as_bad(name):
    dtype = figures.FORMATS[name][0]
    info = torch.finfo(dtype)
    least = info.smallest_normal * info.eps
    generator = torch.Generator().manual_seed(0)
    exponents = torch.rand(20_000, generator=generator, dtype=torch.float64)
    low, high = math.log(max(least, 1e-38) / 8), math.log(min(info.max, 1e30))
    g = (low + exponents * (high - low)).exp()
    g = g.float().double()
    stored = g.float().to(dtype).double()
    error, bound = (stored - g).abs() / g, figures.worst_rounding(g, dtype)
    assert (error <= bound * (1 + 1e-6)).all()
    normal = g > info.smallest_normal
    assert error[normal].max() > 0.95 * info.eps / (2 + info.eps)
    assert torch.isnan(figures.worst_rounding(torch.tensor([info.max * 1.01], dtype=torch.float64), dtype)).all()


def test_ends_of_the_formats(drawn):
    said = []
    for factor in (1, 4096):
        for name, (dtype, *_) in figures.FORMATS.items():
            info = torch.finfo(dtype)
            if info.max < 1e6:
                least, most = info.smallest_normal * info.eps / 2 / factor, info.max / factor
                said.append(f"{name} holds {least:.1e} to {most:.3g}")
    alt = alt_of(drawn["rounding"])
    assert re.findall(r"fp\d+(?: e\dm\d)? holds [\d.e+-]+ to [\d.e+-]*\d", alt) == said
    assert f"{448 / 4096:.3f}" == "0.109"
    assert "times 4096" in alt


def test_surfaces(drawn):
    assert numbers(drawn["surfaces"]) == ["1", "20", "0", "1", "0.70", "0.0100", "0.05", "3"]
    high = {1: lambda p: torch.full((len(p),), 0.9)}
    assert "band of 1 between two regions of 0" in alt_of(figures.decision_surfaces(high, [0.7, 0.01]))
