"""The numbers that notebook 04 quotes, by torch.optim as well as by our own routines."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
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


COUNTS = {
    "gradient descent": (35, 346, 3454, 34539),
    "heavy ball": (16, 58, 204, 708),
    "Nesterov": (24, 88, 287, 919),
    figures.BOWL_NESTEROV: (21, 75, 248, 795),
    "Adam": (99, 96, 82, 76),
}
ADAM_TURNED = (96, 113, 418, 1655)


@pytest.mark.parametrize("method", COUNTS)
def test_steps_against_condition_number(method):
    assert tuple(figures.steps_needed(method, kappa) for kappa in KAPPAS) == COUNTS[method]


def from_the_slowest_start(kappa, optimiser, most, angle=0.0, **settings):
    """The most steps to a millionth of the starting loss from twelve directions, under one of torch's optimisers."""
    hessian, slowest = rotated_bowl(kappa, angle), 0
    for direction in figures.DIRECTIONS:
        start = math.sqrt(2) * torch.tensor([math.cos(direction), math.sin(direction)], dtype=torch.float64)
        theta = (rotation(angle) @ start).requires_grad_()
        method, goal = optimiser([theta], foreach=False, **settings), 1e-6 * bowl_loss(hessian, rotation(angle) @ start)
        step = 0
        while bowl_loss(hessian, theta.detach()) > goal and step < most:
            step += 1
            theta.grad = hessian @ theta.detach()
            method.step()
        slowest = max(slowest, step)
    return slowest


def test_steps_from_the_slowest_start_by_torch():
    assert from_the_slowest_start(10, torch.optim.SGD, 99, lr=2 / 22) == COUNTS["gradient descent"][0]
    lr, beta = landscapes.heavy_ball_optimum(2, 200)
    assert from_the_slowest_start(100, torch.optim.SGD, 99, lr=lr, momentum=beta) == COUNTS["heavy ball"][1]


@pytest.mark.parametrize(
    ("angle", "kappa", "steps"), [(0.0, 10, COUNTS["Adam"][0]), (math.pi / 4, 100, ADAM_TURNED[1])]
)
def test_adam_is_tuned(angle, kappa, steps):
    found, lr = figures.tuned_adam(kappa, angle)
    assert found == steps == from_the_slowest_start(kappa, torch.optim.Adam, 2 * steps, angle, lr=lr)
    k = figures.ADAM_RATES.index(lr)
    assert 0 < k < len(figures.ADAM_RATES) - 1  # the best lies inside of what was tried
    for other in (figures.ADAM_RATES[k - 1], figures.ADAM_RATES[k + 1]):
        assert from_the_slowest_start(kappa, torch.optim.Adam, 2 * steps, angle, lr=other) >= steps


def test_adams_immunity_is_an_accident_of_the_axes():
    counts = [figures.steps_needed("Adam", kappa, math.pi / 4) for kappa in KAPPAS]
    assert counts == pytest.approx(ADAM_TURNED, rel=0.005)  # on another processor the longest run ends 3 steps later
    for method in ("gradient descent", "heavy ball", "Nesterov"):
        assert figures.steps_needed(method, 10, 0.3) == figures.steps_needed(method, 10)
        lr, momentum = figures.best_settings(method, 100)
        counts = {figures.steps_from_corner(method, 100, math.radians(a), lr, momentum, 400) for a in (0, 17, 45)}
        assert len(counts) == 1
    # at one learning rate, from the corner (1, 1)
    for angle, counts in ((0.0, (66, 82, 82)), (math.pi / 4, (101, 406, 1725))):
        assert tuple(len(by_torch(k, torch.optim.Adam, 2000, angle, lr=0.1)) - 1 for k in KAPPAS[:3]) == counts


@pytest.mark.parametrize("method", ["gradient descent", "heavy ball"])
def test_theory_predicts_the_steps(method):
    for kappa in KAPPAS[:3]:
        assert math.ceil(figures.steps_in_theory(method, kappa)) == figures.steps_needed(method, kappa)


def test_the_share_of_the_loss_and_the_starting_loss():
    """The two columns after exercise 5, and that ten times the condition number takes ten times the steps."""
    hessian = rotated_bowl(100)
    for lr, counts in ((0.009, (127, 254)), (0.005, (229, 458)), (2 / 202, (231, 346))):
        losses = figures.shares(bowl_loss(hessian, figures.descend("gradient descent", hessian, ONES, lr, 0.0, 600)))
        assert tuple(steps_to_reach(losses, share) for share in (1e-4, 1e-6)) == counts
    assert bowl_loss(hessian, ONES).item() == pytest.approx(1 + 100)
    for method, low, high in (("gradient descent", 9.8, 10.1), ("heavy ball", 3.4, 3.7), ("Nesterov", 3.1, 3.8)):
        ratios = [after / before for before, after in itertools.pairwise(COUNTS[method])]
        assert all(low < ratio < high for ratio in ratios)


def test_momentum_raises_the_limit_and_the_noise():
    for beta in (0.0, 0.5, 0.9, 0.99):
        for share, converges in ((0.99, True), (1.01, False)):
            end = landscapes.heavy_ball(lambda theta: theta, ONES[:1], share * 2 * (1 + beta), beta, 5000)[-1]
            assert (end.abs().item() < 1) == converges
    # the stationary variance of theta under noisy gradients solves a Lyapunov equation
    for lr, beta in ((0.05, 0.0), (0.05, 0.9), (0.005, 0.9)):
        step = np.array([[1 + beta - 2 * lr, -beta], [1.0, 0.0]])
        variance = scipy.linalg.solve_discrete_lyapunov(step, np.diag([lr**2, 0.0]))[0, 0]
        theory = lr / 2 * (1 + beta) / (1 - beta) / (2 * (1 + beta) - 2 * lr)
        assert variance == pytest.approx(theory)


def test_the_floor_of_the_roots():
    grid = torch.linspace(0, 4.2, 85, dtype=torch.float64)
    for beta in (0.0, 0.3, 0.9):
        want = [np.abs(np.linalg.eigvals([[1 + beta - x, -beta], [1, 0]])).max() for x in grid.tolist()]
        assert figures.root_modulus(grid, beta).numpy() == pytest.approx(np.array(want), abs=1e-7)
    widest = ((1 + math.sqrt(0.9)) / (1 - math.sqrt(0.9))) ** 2
    assert f"{widest:.0f}" == "1442"


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


def test_nesterov_keeps_his_promise_on_a_chain():
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


def network_at(scale, seed):
    """Its own little network: a loss with a known limit, so that the edge is seen without the notebook."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 2, generator=generator, dtype=torch.float64)
    y = torch.sign(x[:, 1] - torch.sin(2 * x[:, 0]))

    def loss(params):
        return ((torch.tanh(x @ params[:20].reshape(2, 10)) @ params[20:]) - y).square().mean()

    return loss, scale * torch.randn(30, generator=generator, dtype=torch.float64)


def test_sharpness_climbs_to_the_limit_of_the_learning_rate():
    """Gradient descent at a large learning rate ends less sharp than at a small one, near 2 / lr."""
    loss, start = network_at(0.5, 1)

    def gradient(params):
        leaf = params.detach().requires_grad_()
        return torch.autograd.grad(loss(leaf), leaf)[0]

    ends = {}
    for lr in (0.05, 0.3):
        end = landscapes.gradient_descent(gradient, start, lr, round(60 / lr))[-1]
        ends[lr] = landscapes.top_hessian_eigenvalue(loss, end, 60, torch.Generator().manual_seed(0))
    assert ends[0.05] > 1.3 * 2 / 0.3 > 0.9 * ends[0.3]


def test_the_natural_gradient_fits_in_far_fewer_steps():
    plain, natural = (figures.fit_gaussian(1.0, 0.1, lr, steps, kind) for lr, steps, kind in
                      ((2 / 102, 900, False), (1.0, 60, True)))  # fmt: skip
    counts = [steps_to_reach(figures.gaussian_divergence(path, 1.0, 0.1), 1e-4) for path in (natural, plain)]
    assert counts == [8, 241]
