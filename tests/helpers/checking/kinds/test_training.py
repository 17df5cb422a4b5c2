"""The drivers and judges of whole runs: what they follow, where they say a run leaves, which symptoms they know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.kinds.lending import moved
from helpers.checking.kinds.training import (
    SYMPTOMS,
    by_its_step,
    each_learns,
    follow,
    follows,
    gradients,
    repeats,
    xor_symptom,
    xor_training,
)
from helpers.checking.shapes import Expectation
from helpers.optimisers import adam_step

KEEP = [1, 12, 300]
RATES = (0.05, 0.9, 0.99, 1e-8)
ANY: Expectation = {"judge": "xor_training"}
FALLING = np.geomspace(0.7, 0.01, 60).tolist()
GOOD = (FALLING, [0, 1, 1, 0])


def start() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    theta = torch.tensor([[0.5, -1.0], [2.0, 0.1]], dtype=torch.float64)
    first = torch.tensor([[1.0, 0.0], [1e-12, 1e10]], dtype=torch.float64)
    return theta, first, torch.zeros_like(theta), torch.zeros_like(theta)


def adam_of_torch(seed: int) -> Expectation:
    theta, first, *_ = start()
    parameter = theta.clone().requires_grad_()
    optimiser = torch.optim.Adam([parameter], lr=0.05, betas=(0.9, 0.99))
    kept = []
    for step, grad in enumerate(gradients(seed, first, KEEP[-1]), start=1):
        parameter.grad = grad
        optimiser.step()
        if step in KEEP:
            state = optimiser.state[parameter]
            kept.append([x.detach().clone() for x in (parameter, state["exp_avg"], state["exp_avg_sq"])])
    value = plain.encode(tuple(torch.stack(parts) for parts in zip(*kept, strict=True)))
    return {"judge": "follows", "value": value, "parts": ["theta", "m", "v"], "steps": KEEP, "rtol": 1e-10}


def test_gradients_are_the_same_in_every_version_of_numpy():
    first = torch.tensor([2.0, 0.0, 1e9], dtype=torch.float64)
    grads = gradients(5, first, 20)
    assert torch.equal(grads[0], first)
    assert grads[1].tolist() == pytest.approx([-0.2265476313825867, 0.0, 355181419.6794054], rel=1e-12)
    assert all(not grads[t].any() for t in (9, 19))
    assert all((g.abs() <= first.abs()).all() for g in grads)
    assert gradients(5, torch.zeros(0, 3), 4)[3].shape == (0, 3)


def test_a_right_step_follows_torch():
    assert follows(follow(adam_step, 3, KEEP, 2, *start(), 1, *RATES), adam_of_torch(3)) is None


def test_a_run_that_leaves_late_is_told_where():
    def stops_counting(theta: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> Any:
        return adam_step(theta, grad, m, v, min(t, 12), *rates)

    problem = follows(follow(stops_counting, 3, KEEP, 2, *start(), 1, *RATES), adam_of_torch(3))
    assert problem is not None
    assert problem.text.startswith("After step 300 of the run theta[0, 0] should be ")
    assert problem.text.endswith("It still agreed at step 12.")


def test_a_difference_of_a_millionth_is_seen_in_tiny_states_too():
    def almost(theta: Tensor, grad: Tensor, m: Tensor, v: Tensor, t: int, *rates: float) -> Any:
        theta, m, v = adam_step(theta, grad, m, v, t, *rates)
        return theta, m, torch.where(v < 1e-20, v * (1 + 1e-6), v)

    problem = follows(follow(almost, 3, KEEP, 2, *start(), 1, *RATES), adam_of_torch(3))
    assert problem is not None
    assert "v[1, 0]" in problem.text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda theta, m, v: theta, "(theta, m, v)"),
        (lambda theta, m, v: (theta, m), "(theta, m, v)"),
        (lambda theta, m, v: (theta[0], m, v), "the shape of theta"),
        (lambda theta, m, v: (theta.numpy(), m, v), "the shape of theta"),
        (lambda theta, m, v: (theta.float(), m.float(), v.float()), "float32"),
    ],
)
def test_what_cannot_be_gone_on_with_is_told(spoil: Any, words: str):
    def step(theta: Tensor, grad: Tensor, m: Tensor, v: Tensor, *rest: Any) -> Any:
        return spoil(*adam_step(theta.double(), grad, m.double(), v.double(), *rest))

    assert words in str(follows(follow(step, 3, KEEP, 2, *start(), 1, *RATES), adam_of_torch(3)))


def test_a_step_may_return_plain_numbers_for_scalars_and_damage_what_it_gets():
    def by_floats(theta: Tensor, grad: Tensor, velocity: Tensor, lr: float, beta: float) -> tuple[float, float]:
        new = beta * velocity.item() + grad.item()
        old = theta.item()
        theta.zero_(), velocity.zero_(), grad.zero_()
        return old - lr * new, new

    scalar = torch.tensor(1.5, dtype=torch.float64)
    theta, _ = follow(by_floats, 1, [1, 2], 1, scalar, scalar, torch.zeros_like(scalar), 0.1, 0.9)
    assert theta[0] == 1.5 - 0.1 * 1.5
    assert scalar == 1.5


@pytest.mark.parametrize("losses", [FALLING, tuple(FALLING), np.array(FALLING), torch.tensor(FALLING)[:, None]])
@pytest.mark.parametrize(
    "labels", [[0, 1, 1, 0], torch.tensor([[0], [1], [1], [0]]), np.array([0.0, 1, 1, 0]), (False, True, True, False)]
)
def test_right_runs_pass_in_any_form(losses: Any, labels: Any):
    assert xor_training((losses, labels), ANY) is None
    assert xor_training([[torch.tensor(x) for x in FALLING], labels], ANY) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (FALLING, "two results"),
        ((0.01, [0, 1, 1, 0]), "one number for each"),
        ((FALLING[-5:], [0, 1, 1, 0]), "5 numbers"),
        (([*FALLING, float("nan")], [0, 1, 1, 0]), "step 61 is not finite"),
        (([0.01] * 60, [0, 1, 1, 0]), "untrained"),
        (([0.7] * 60, [0, 1, 1, 0]), "below 0.05"),
        ((FALLING, [0, 1, 1]), "four labels"),
        ((FALLING, [0.1, 0.9, 0.8, 0.2]), "each 0 or 1"),
        ((FALLING, [0, 1, 1, 1]), "[0, 1, 1, 0] was expected"),
        ((FALLING, "0110"), "four labels"),
    ],
)
def test_wrong_runs_are_told_why(value: Any, words: str):
    assert words in str(xor_training(value, ANY))


def test_runs_of_several_seeds():
    other = ([x * 1.01 for x in FALLING], [0, 1, 1, 0])
    assert repeats((GOOD, GOOD, other), ANY) is None
    assert "same seed" in str(repeats((GOOD, other, other), ANY))
    assert "Two different seeds" in str(repeats((GOOD, GOOD, GOOD), ANY))
    assert "below" in str(repeats((GOOD, GOOD, ([0.7] * 60, [0, 1, 1, 0])), ANY))
    assert each_learns((GOOD, other), ANY) is None
    assert "Two different seeds" in str(each_learns((GOOD, other, GOOD), ANY))


def test_runs_with_other_steps():
    other = ([x * 1.01 for x in FALLING], [0, 1, 1, 0])
    weightless = list(FALLING)
    weightless[-10:-3] = [0.693] * 7
    zeros = (weightless, [0, 1, 1, 0])
    for place in moved(60):
        known = list(weightless)
        known[place] = 0.01
        assert "no net with a hidden layer" in str(by_its_step((GOOD, GOOD, other, (known, [0, 1, 1, 0]), ""), {}))
    assert by_its_step((GOOD, GOOD, other, zeros, ""), {}) is None
    assert by_its_step((GOOD, GOOD, (FALLING[:-1], [0, 1, 1, 0]), zeros, ""), {}) is None  # it may take longer
    assert by_its_step((GOOD, GOOD, other, (weightless + [0.01] * 9, [0, 1, 1, 0]), ""), {}) is None
    assert "every weight set to 0" in str(by_its_step((GOOD, GOOD, other, GOOD, ""), {}))
    assert "every weight set to 0" in str(by_its_step((GOOD, GOOD, other, None, ""), {}))
    assert "whatever adamw_step does" in str(by_its_step((GOOD, GOOD, GOOD, zeros, ""), {}))
    assert "same seed" in str(by_its_step((GOOD, other, other, zeros, ""), {}))
    assert "below" in str(by_its_step((([0.7] * 60, [0, 1, 1, 0]), GOOD, other, zeros, ""), {}))
    assert "does not count" in str(by_its_step((GOOD, GOOD, other, zeros, "count"), {}))
    assert "had not returned" in str(by_its_step((GOOD, GOOD, other, zeros, "state"), {}))


@pytest.mark.parametrize("judge", [by_its_step, repeats, each_learns])
@pytest.mark.parametrize("value", [(), (GOOD,), None, 3.0])
def test_fewer_runs_than_were_asked_for_are_no_answer(judge, value):
    assert "not as many runs" in str(judge(value, {}))


def test_symptoms_are_told_apart():
    down = np.linspace(0.9, 0.7, 40).tolist()
    other = ([x * 1.01 for x in FALLING], [0, 1, 1, 0])
    shown = {
        "never moved": ([0.6931] * 40, [0] * 4),
        "stuck: linear": ([*down, *[0.6932] * 20], [0] * 4),
        "stuck: identical units": ([*down, *[0.48] * 20], [0] * 4),
        "stuck: few units": ([*down, *[0.3475] * 20], [0] * 4),
        "stuck: no bias": ([*down, *[0.1745] * 20], [0] * 4),
        "still falling": (down, [0] * 4),
        "probabilities": (FALLING, [0.1, 0.9, 0.9, 0.1]),
        "one loss": (0.01, [0, 1, 1, 0]),
        "two results": (GOOD, other, GOOD),
        "seed ignored": (GOOD, GOOD, GOOD),
        "t does not count": (GOOD, GOOD, other, GOOD, "count"),
        "state lost": (GOOD, GOOD, other, GOOD, "state"),
        "step ignored": (
            GOOD,
            GOOD,
            GOOD,
            GOOD,
            "",
        ),  # which of the two it is depends on what was changed between the runs
    }
    assert shown.keys() == SYMPTOMS.keys()
    for symptom, value in shown.items():
        seen = [name for name in SYMPTOMS if xor_symptom(value, {"symptom": name}) is None]
        assert symptom in seen
        assert set(seen) <= ({"step ignored", "seed ignored"} if symptom.endswith("ignored") else {symptom})
    constant = ([0.6931] * 40, [0] * 4)
    assert xor_symptom((constant,) * 4, {"symptom": "step ignored"})  # no step could move it
    assert all(xor_symptom(value, {"symptom": name}) for name in SYMPTOMS for value in (None, 3.0, [], GOOD))
