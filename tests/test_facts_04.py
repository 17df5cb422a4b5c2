"""The numbers that notebook 04 quotes, by torch.optim as well as by our own routines."""

from __future__ import annotations

import math

import pytest
import torch

from helpers import landscapes
from helpers.figures import landscapes as figures
from helpers.landscapes import bowl_loss, rotated_bowl, rotation, steps_to_reach

ONES = torch.ones(2, dtype=torch.float64)
KAPPAS = (10, 100, 1000, 10000)


def by_torch(kappa, optimiser, most, angle=0.0, **settings):
    """Losses from (1, 1) under one of torch's optimisers, to the first at or below 1e-4 or for `most` steps."""
    hessian = rotated_bowl(kappa, angle)
    theta = (rotation(angle) @ ONES).requires_grad_()
    method = optimiser([theta], foreach=False, **settings)
    losses = []
    while len(losses) <= most:
        losses.append(bowl_loss(hessian, theta.detach()).item())
        if losses[-1] <= 1e-4:
            break
        theta.grad = hessian @ theta.detach()
        method.step()
    return losses


@pytest.mark.parametrize(("lr", "first", "second"), [(0.009, 127, 254), (0.005, 230, 459), (2 / 202, 231, 346)])
def test_gradient_descent_at_condition_number_100(lr, first, second):
    losses = by_torch(100, torch.optim.SGD, 500, lr=lr)
    assert (steps_to_reach(losses, 0.01), steps_to_reach(losses, 1e-4)) == (first, second)
    hessian = rotated_bowl(100)
    ours = bowl_loss(hessian, landscapes.gradient_descent(lambda theta: hessian @ theta, ONES, lr, 500))
    assert (steps_to_reach(ours, 0.01), steps_to_reach(ours, 1e-4)) == (first, second)


def test_a_learning_rate_just_above_the_limit_diverges():
    losses = by_torch(100, torch.optim.SGD, 1000, lr=0.0101)
    assert steps_to_reach(losses, 1e-2) is None
    assert losses[-1] > 1e10


def test_twice_one_over_lambda_max_is_the_limit():
    hessian = rotated_bowl(100)
    limit = landscapes.max_stable_lr(hessian).item()
    assert limit == pytest.approx(0.01)
    for share, converges in ((0.5, True), (0.999, True), (1.001, False)):
        path = landscapes.gradient_descent(lambda theta: hessian @ theta, ONES, share * limit, 4000)
        assert (bowl_loss(hessian, path)[-1] < 0.1) == converges


def test_adam_and_heavy_ball_at_condition_number_100():
    losses = by_torch(100, torch.optim.Adam, 500, lr=0.1)
    assert (steps_to_reach(losses, 0.01), steps_to_reach(losses, 1e-4)) == (11, 82)
    lr, beta = landscapes.heavy_ball_optimum(2, 200)
    losses = by_torch(100, torch.optim.SGD, 500, lr=lr, momentum=beta)
    assert (steps_to_reach(losses, 0.01), steps_to_reach(losses, 1e-4)) == (45, 58)


def test_the_slow_direction_is_the_flat_one():
    hessian = rotated_bowl(100)
    path = landscapes.gradient_descent(lambda theta: hessian @ theta, ONES, 0.009, 100)
    assert f"{path[100, 0]:.3f}" == "0.163"
    assert f"{path[100, 1]:.1e}" == "2.0e-10"


@pytest.mark.parametrize(
    ("method", "counts"),
    [
        ("gradient descent", (29, 346, 4030, 46052)),
        ("heavy ball", (14, 58, 224, 831)),
        ("Nesterov", (17, 63, 207, 661)),
        ("Adam", (66, 82, 82, 82)),
    ],
)
def test_steps_against_condition_number(method, counts):
    assert tuple(figures.steps_needed(method, kappa) for kappa in KAPPAS) == counts


def test_steps_against_condition_number_by_torch():
    for kappa, plain, heavy in zip(KAPPAS[:3], (29, 346, 4030), (14, 58, 224), strict=True):
        assert len(by_torch(kappa, torch.optim.SGD, 10**5, lr=2 / (2 + 2 * kappa))) - 1 == plain
        lr, beta = landscapes.heavy_ball_optimum(2, 2 * kappa)
        assert len(by_torch(kappa, torch.optim.SGD, 10**5, lr=lr, momentum=beta)) - 1 == heavy


def test_adams_immunity_is_an_accident_of_the_axes():
    assert tuple(figures.steps_needed("Adam", kappa, math.pi / 4) for kappa in KAPPAS) == (101, 406, 1725, 4940)
    assert len(by_torch(100, torch.optim.Adam, 10**4, math.pi / 4, lr=0.1)) - 1 == 406
    for method, count in (("gradient descent", 346), ("heavy ball", 58), ("Nesterov", 63)):
        assert {figures.steps_needed(method, 100, math.radians(angle)) for angle in (17, 45)} == {count}


@pytest.mark.parametrize("method", ["gradient descent", "heavy ball"])
def test_theory_predicts_the_steps(method):
    for kappa in KAPPAS[:3]:
        assert math.ceil(figures.steps_in_theory(method, kappa)) == figures.steps_needed(method, kappa)


def test_the_window_of_momentum():
    weights = 0.9 ** torch.arange(400, dtype=torch.float64)
    assert f"{weights.sum():.6f}" == "10.000000"
    assert f"{weights[:10].sum() / weights.sum():.3f}" == "0.651"


def test_heavy_ball_cycles_where_nesterov_converges():
    start = torch.tensor([3.3], dtype=torch.float64)
    lr, beta = landscapes.heavy_ball_optimum(1, 25)
    assert (lr, beta) == (pytest.approx(1 / 9), pytest.approx(4 / 9))
    path = landscapes.heavy_ball(figures.kinked_gradient, start, lr, beta, 3000)[:, 0]
    assert [f"{x:.4f}" for x in sorted(path[-3:].tolist())] == ["-1.8024", "0.6465", "2.1159"]
    assert torch.allclose(path[-3:], path[-6:-3], rtol=1e-9)  # a cycle of three
    looking = landscapes.nesterov(figures.kinked_gradient, start, *landscapes.nesterov_optimum(1, 25), 40)
    assert looking[-1].abs() < 1e-6


def test_nesterov_keeps_his_promise_on_the_hardest_convex_function():
    for steps in (10, 50, 200):
        nesterov, plain = (figures.chain_loss(method, steps) for method in ("Nesterov", "gradient descent"))
        lower, upper = 3 * 4 / (32 * (steps + 1) ** 2), 2 * 4 / (steps + 1) ** 2  # Nesterov 2018, 2.1.7 and 2.2.1
        assert lower <= nesterov <= upper < 1
        assert lower <= plain <= 4 / (2 * steps)
    fall = figures.chain_loss("Nesterov", 100) / figures.chain_loss("Nesterov", 200)
    assert 3.5 < fall < 4.5  # twice the steps, a quarter of the loss
    fall = figures.chain_loss("gradient descent", 100) / figures.chain_loss("gradient descent", 200)
    assert 1.5 < fall < 3.5


def test_the_natural_gradient_undoes_a_gaussians_condition_number():
    best = torch.tensor([1.0, math.log(0.1)], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda theta: figures.gaussian_divergence(theta, 1.0, 0.1), best)
    fisher = torch.diag(torch.tensor([100.0, 2.0], dtype=torch.float64))
    assert torch.allclose(hessian, fisher)
    assert f"{landscapes.condition_number(hessian):.6f}" == "50.000000"
    assert f"{landscapes.condition_number(torch.linalg.solve(fisher, hessian)):.6f}" == "1.000000"


def test_the_natural_gradient_fits_in_far_fewer_steps():
    plain, natural = (figures.fit_gaussian(1.0, 0.1, lr, steps, kind) for lr, steps, kind in
                      ((0.01, 900, False), (0.5, 60, True)))  # fmt: skip
    counts = [steps_to_reach(figures.gaussian_divergence(path, 1.0, 0.1), 1e-4) for path in (natural, plain)]
    assert counts == [17, 474]
