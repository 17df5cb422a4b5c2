"""The numbers that notebook 07 quotes, by torch or plain arithmetic as well as by our own routines."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch
from torch import Tensor

from helpers import beyond_adam, optimisers
from helpers.experiments import problems, report, run
from helpers.figures import beyond_adam as figures

F64 = torch.float64


def f64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)


def quoted(value: float | Tensor, digits: str) -> None:
    """``value`` rounds to the number as it is printed."""
    places = len(digits.partition(".")[2])
    assert f"{float(value):.{places}f}" == digits


def test_lion_by_hand():
    theta, m = beyond_adam.lion_step(f64(1.0), f64(-0.2), f64(0.01), 0.1, 0.9, 0.99, 0.1)
    blend = 0.9 * 0.01 + 0.1 * -0.2
    assert blend == pytest.approx(-0.011)
    assert (theta.item(), m.item()) == pytest.approx((1.09, 0.0079))


def test_adam_without_noise_steps_by_the_sign():
    theta = m = v = torch.zeros(3, dtype=F64)
    grad = f64(3.0, -0.01, 400.0)
    for t in range(1, 50):
        before = theta
        theta, m, v = optimisers.adam_step(theta, grad, m, v, t, 0.1, 0.9, 0.999, 1e-12)
        torch.testing.assert_close(theta - before, -0.1 * grad.sign(), rtol=1e-6, atol=1e-9)


def test_bytes_of_a_parameter():
    layer = torch.nn.Parameter(torch.zeros(10, 10))
    layer.grad = torch.ones_like(layer)
    adamw = torch.optim.AdamW([layer])
    adamw.step()
    state = sum(s.nbytes for s in adamw.state[layer].values() if s.numel() > 1) / 100
    _, m = beyond_adam.lion_step(layer.detach(), layer.grad, layer.grad, 0.1, 0.9, 0.99, 0)
    assert (state, m.nbytes / 100) == (8, 4)
    assert (4 + 4 + state, 4 + 4 + m.nbytes / 100) == (16, 12)
    assert (2 + 2 + 4 + 8, 2 + 2 + 4 + 4) == (16, 12)  # in mixed precision


def test_muon_by_hand():
    once = beyond_adam.muon_orthogonalize(torch.diag(f64(3.0, 4.0)), 1)
    quoted(once[0, 0], "1.193")
    quoted(once[1, 1], "0.976")


def test_the_polar_factor_goes_along_most():
    """No matrix with singular values up to 1 has a larger product with G than U V^T, which has their sum."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(3, 4, generator=generator, dtype=F64)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    assert (matrix * (u @ vt)).sum() == pytest.approx(s.sum().item())
    for _ in range(200):
        other = torch.randn(3, 4, generator=generator, dtype=F64)
        other = other / torch.linalg.matrix_norm(other, 2)
        assert (matrix * other).sum() < s.sum()


def test_singular_values_never_become_one():
    s = torch.linspace(0.01, 1, 100_001, dtype=F64)
    for steps in (5, 6, 10, 30):
        after = figures.after_steps(s, steps)
        assert after.max() - after.min() > 0.4, steps
    after = figures.after_steps(s, 5)
    quoted(after.min(), "0.68")
    quoted(after.max(), "1.13")
    small = f64(1e-4)
    assert figures.after_steps(small, 1) / small == pytest.approx(3.4445, rel=1e-5)


def test_without_the_norm_values_above_1_264_grow():
    assert figures.after_steps(f64(1.2635), 40).abs() < 2
    assert not figures.after_steps(f64(1.264), 16).abs() < 1e6


def test_gram_schmidt_depends_on_the_order_and_muon_does_not():
    matrix = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=F64)

    def gram_schmidt(a: Tensor) -> Tensor:
        columns: list[Tensor] = []
        for column in a.unbind(1):
            for unit in columns:
                column = column - (unit @ column) * unit
            columns.append(column / column.norm())
        return torch.stack(columns, 1)

    def change(function) -> float:
        return (function(matrix.flip(1)).flip(1) - function(matrix)).abs().max().item()

    assert change(gram_schmidt) > 1
    assert change(lambda a: beyond_adam.muon_orthogonalize(a, 5)) < 1e-12
    assert change(lambda a: torch.linalg.svd(a)[0] @ torch.linalg.svd(a)[2]) < 1e-12


def test_what_muons_products_cost():
    d, tokens = 4096, 500_000
    products = 15 * 2 * d**3
    training = 6 * d**2 * tokens
    assert products / training == pytest.approx(5 * d / tokens)


def test_sam_by_hand():
    def gradient(at: Tensor) -> Tensor:
        leaf = at.clone().requires_grad_()
        return torch.autograd.grad(leaf[0] ** 2 + 2 * leaf[1] ** 2, leaf)[0]

    here = f64(1.5, 1.0)
    assert gradient(here).tolist() == [3, 4]
    assert beyond_adam.sam_gradient(gradient, here, 0.5).tolist() == pytest.approx([3.6, 5.6])


def test_sam_ends_in_flatter_places_which_are_not_better_here():
    ends = {seed: [figures.curve_fit(seed, rho) for rho in (0.0, 0.2)] for seed in (1, 2)}
    for seed, share, error in ((1, "0.61", "0.022"), (2, "0.44", "0.023")):
        (loss, curvature, without), (loss_there, curvature_there, found) = ends[seed]
        quoted(curvature_there / curvature, share)
        quoted(without, "0.020")
        quoted(found, error)
        assert loss_there < 1.02 * loss


def test_where_sam_ends_does_not_hang_on_rounding(monkeypatch):
    before = figures.curve_fit(1, 0.2)
    step = figures.momentum_step
    monkeypatch.setattr(figures, "momentum_step", lambda theta, *rest: step(theta * (1 + 1e-15), *rest))
    assert figures.curve_fit(1, 0.2) == pytest.approx(before, rel=1e-3)


def test_schedule_free_by_hand():
    z = x = f64(1.0)
    z, x, y = beyond_adam.schedule_free_step(z, x, f64(2.0), 1, 0.1, 0.9)
    assert (z.item(), x.item(), y.item()) == pytest.approx((0.8, 0.8, 0.8))
    z, x, y = beyond_adam.schedule_free_step(z, x, f64(1.0), 2, 0.1, 0.9)
    assert (z.item(), x.item(), y.item()) == pytest.approx((0.7, 0.75, 0.745))


def test_the_average_is_as_good_as_a_schedule_on_a_noisy_bowl():
    ends = {name: fmean(figures.noisy_bowl(name, 400)[-20:]) for name in ("constant", "z", "x")}
    cosine = figures.noisy_bowl("cosine", 400)[-1]
    assert ends["z"] > 2 * ends["constant"] > 20 * ends["x"]
    assert ends["x"] < 2 * cosine
    x = figures.noisy_bowl("x", 400)
    for end, ours, theirs in ((100, "0.022", "0.016"), (200, "0.013", "0.010"), (400, "0.0062", "0.0050")):
        quoted(x[end - 1], ours)
        quoted(figures.noisy_bowl("cosine", end)[-1], theirs)


def test_the_start_is_in_the_papers_average_and_not_in_ours():
    """Defazio et al. (2024): z_1 = x_1, c_(t+1) = 1 / (t + 1), so x_2 is halfway from the start; their code has z_2."""
    from schedulefree import SGDScheduleFree

    parameter = torch.nn.Parameter(f64(1.0))
    optimiser = SGDScheduleFree([parameter], lr=0.1, momentum=0.9)
    optimiser.train()
    parameter.grad = f64(2.0)
    optimiser.step()
    optimiser.eval()
    _, x, _ = beyond_adam.schedule_free_step(f64(1.0), f64(1.0), f64(2.0), 1, 0.1, 0.9)
    assert parameter.item() == pytest.approx(x.item()) == pytest.approx(0.8)


def test_adopt_by_hand():
    theta, m, v = beyond_adam.adopt_step(f64(1.0), f64(3.0), f64(0.2), f64(4.0), 2, 0.1, 0.9, 0.99, 1e-6)
    assert (theta.item(), m.item(), v.item()) == pytest.approx((0.967, 0.33, 4.05))


def test_adopt_ends_at_the_right_end_and_adam_does_not():
    adam, adopt = optimisers.online_problem(100_000, amsgrad=False), beyond_adam.adopt_online_problem(100_000)
    assert adam[-1] > 0.99
    assert adopt[-1] == pytest.approx(-1, abs=1e-3)
    for beta2 in (0.5, 0.9, 0.999):  # whatever beta2 is
        assert beyond_adam.adopt_online_problem(100_000, beta2=beta2)[-1] < -0.8


def test_sophia_by_hand():
    step = beyond_adam.sophia_step(f64(-2.0), f64(3.0), f64(1.0), f64(1.0), f64(0.5), 0.1, 0.9, 0.99, 0.5, 1e-12)
    assert [x.item() for x in step] == pytest.approx([-2.05, 1.2, 0.505])
    quoted(step[1] / step[2], "2.4")


def test_curvature_of_a_words_number_is_its_frequency():
    codes, size = problems.words()
    frequency = (torch.bincount(codes, minlength=size).double() / len(codes))[:40]
    frequency = frequency / frequency.sum()
    hessian = torch.autograd.functional.hessian(lambda b: b.logsumexp(0) - frequency @ b, frequency.log())
    torch.testing.assert_close(hessian.diagonal(), frequency * (1 - frequency))


def test_kfac_by_hand():
    one = [f64(x).reshape(1, 1) for x in (0.0, 10.0, 2.0, 1.0)]
    assert beyond_adam.kfac_step(*one, 1.0, 1.0).item() == pytest.approx(-1)


def mean(problem: str, method: str) -> float:
    return fmean(report.final(problem, method))


def test_what_the_comparison_says():
    text = {name: mean("characters", name) for name in report.METHODS}
    assert abs(text["Muon"] - text["AdamW"]) < 0.001
    for name in ("Muon", "AdamW"):
        assert max(report.final("characters", name)) - min(report.final("characters", name)) > 0.02
    adopt, adamw = report.final("characters", "ADOPT"), report.final("characters", "AdamW")
    quoted(text["ADOPT"] - text["AdamW"], "0.014")
    assert all(theirs > ours for theirs, ours in zip(adopt, adamw, strict=True))
    assert text["ADOPT"] - text["AdamW"] < max(adamw) - min(adamw)  # within the spread
    quoted(text["SGD with momentum"] - text["AdamW"], "0.05")
    quoted(text["Schedule-Free"] - text["AdamW"], "0.07")
    for name in ("SGD with momentum", "Schedule-Free", "Lion", "SAM"):
        assert min(report.final("characters", name)) > max(adamw)
    quoted(text["Lion"] - text["AdamW"], "0.13")
    quoted(text["SAM"] - text["AdamW"], "0.16")
    assert min(text.values()) > text["AdamW"] - 0.001  # nothing beats it
    assert max(max(report.final("bowl", name)) for name in report.METHODS) < 1e-3  # all solve the bowl
    by_bowl = sorted(report.METHODS, key=lambda name: mean("bowl", name))
    assert by_bowl != sorted(report.METHODS, key=text.__getitem__)


def test_what_a_wrong_rate_costs():
    losses = dict(zip(report.RATES, report.tuning("characters", "AdamW"), strict=True))
    assert report.rate_of("characters", "AdamW") == 0.01
    for rate, digits in ((0.001, "2.55"), (0.01, "2.15"), (0.1, "3.16")):
        quoted(losses[rate], digits)
    worst = max(mean("characters", name) for name in report.METHODS)
    assert min(losses[0.001], losses[0.1]) - losses[0.01] > worst - mean("characters", "AdamW")


def test_what_the_decay_brings():
    decayed, stable, stopped = (fmean(losses) for losses in report.schedules().values())
    for loss, digits in ((decayed, "2.165"), (stable, "2.234"), (stopped, "2.263")):
        quoted(loss, digits)
    assert (stopped - decayed) / (stopped - stable) > 3


def test_what_sgd_does_with_words():
    rows = report.words_rows()
    (adam_rate, adam), (rate, best), (slow_rate, slow) = rows.values()
    assert list(rows) == ["AdamW", "SGD with momentum", "SGD with momentum, slower"]
    assert (rate, slow_rate) == (100 * adam_rate, rate / 10)
    following = report.RATES[report.RATES.index(rate) + 1]
    assert run.mean_loss(report.runs(), "words", "SGD with momentum", following) == float("inf")  # it diverges
    start = report.untrained()
    shares = [[(start - x) / (start - y) for x, y in zip(losses, adam, strict=True)] for losses in (best, slow)]
    quoted(100 * shares[0][0], "90")
    assert all(0.85 < share < 0.95 for share in shares[0])
    quoted(100 * shares[1][1], "79")
    quoted(100 * shares[1][-1], "43")
