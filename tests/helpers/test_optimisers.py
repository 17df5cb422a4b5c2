"""The routines of notebook 03 against torch.optim, torch.nn.utils and plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from helpers.optimisers import (
    adam_step,
    adamw_step,
    amsgrad_step,
    clip_by_global_norm,
    ema,
    momentum_step,
    online_problem,
    uncorrected_step_ratio,
    warmup_cosine,
    warmup_stable_decay,
)

proof = settings(deadline=None, derandomize=True, max_examples=60)
STEPS = 300
Make = Callable[[list[Tensor]], torch.optim.Optimizer]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(got: Tensor, want: Tensor, rtol: float = 1e-10, atol: float = 1e-13) -> None:
    torch.testing.assert_close(got, want, rtol=rtol, atol=atol)


def gradients(*shape: int) -> Tensor:
    """Gradients of mixed sizes: ordinary, tiny, huge and, now and then, zero."""
    scale = 10.0 ** torch.tensor([0.0, -20.0, 12.0, -3.0], dtype=torch.float64)[: math.prod(shape)].reshape(shape)
    grads = normal(STEPS, *shape, seed=1) * scale
    grads[::7] = 0
    return grads


# how many states a step has, the step, its rates, and torch's
RUNS: dict[str, tuple[int, Callable[..., tuple[Tensor, ...]], tuple[float, ...], Make]] = {
    "momentum": (1, momentum_step, (0.05, 0.9), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
    "adam": (2, adam_step, (0.05, 0.9, 0.99, 1e-8), lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.99))),
    "adamw": (
        2,
        adamw_step,
        (0.05, 0.9, 0.99, 1e-8, 0.3),
        lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.9, 0.99), weight_decay=0.3),
    ),
    "amsgrad": (
        3,
        amsgrad_step,
        (0.05, 0.9, 0.99, 1e-8),
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.99), amsgrad=True),
    ),
}


@pytest.mark.parametrize("shape", [(), (4,), (2, 2), (0, 3)])
@pytest.mark.parametrize("name", RUNS)
def test_steps_follow_torch(name: str, shape: tuple[int, ...]):
    states, step, rates, make = RUNS[name]
    theta = normal(*shape, seed=99)
    parameter = theta.clone().requires_grad_()
    optimiser = make([parameter])
    state = [torch.zeros_like(theta)] * states
    for t, grad in enumerate(gradients(*shape), start=1):
        parameter.grad = grad.clone()
        optimiser.step()
        theta, *state = step(theta, grad, *state, *([] if states == 1 else [t]), *rates)
        close(theta, parameter.detach())
    theirs = optimiser.state[parameter]
    names = ["momentum_buffer"] if states == 1 else ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"][:states]
    for key, ours in zip(names, state, strict=True):
        close(ours, theirs[key], atol=0)


@given(st.integers(1, 30), st.floats(0, 0.999), st.integers(0, 9))
@proof
def test_averages_are_weighted_sums(n: int, beta: float, seed: int):
    values = normal(n, 2, seed=seed)
    raw, corrected = ema(values, beta)
    ages = torch.arange(n - 1, -1, -1, dtype=torch.float64)
    weights = (1 - beta) * torch.tensor(beta, dtype=torch.float64) ** ages
    close(raw[-1], weights @ values, atol=1e-12)
    close(corrected[-1], weights @ values / weights.sum(), rtol=1e-9, atol=1e-9)
    close(ema(torch.ones(n, dtype=torch.float64), beta)[1], torch.ones(n, dtype=torch.float64))


def test_averages_keep_shape_dtype_and_input():
    values = normal(5, 0, 3)
    assert [x.shape for x in ema(values, 0.9)] == [(5, 0, 3)] * 2
    narrow = normal(4, 2).float()
    before = narrow.clone()
    assert {x.dtype for x in ema(narrow, 0.9)} == {torch.float32}
    assert torch.equal(narrow, before)


@pytest.mark.parametrize("step", [momentum_step, adam_step, adamw_step, amsgrad_step])
def test_steps_change_nothing_in_place(step: Callable[..., tuple[Tensor, ...]]):
    states = {momentum_step: 1, amsgrad_step: 3}.get(step, 2)
    rest = {momentum_step: (0.1, 0.9), adamw_step: (3, 0.1, 0.9, 0.99, 1e-8, 0.1)}.get(step, (3, 0.1, 0.9, 0.99, 1e-8))
    tensors = [normal(3, seed=i).abs() for i in range(2 + states)]
    before = [x.clone() for x in tensors]
    results = step(*tensors, *rest)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))
    assert not any(result.data_ptr() == x.data_ptr() for result in results for x in tensors)


@given(st.integers(1, 400), st.floats(0.1, 0.95), st.floats(0.5, 0.999))
@proof
def test_ratio_is_what_adam_without_correction_does(t: int, beta1: float, beta2: float):
    m = v = 0.0
    for _ in range(t):
        m, v = beta1 * m + 1 - beta1, beta2 * v + 1 - beta2
    assert uncorrected_step_ratio(t, beta1, beta2) == pytest.approx(m / math.sqrt(v), rel=1e-9)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.floats(0.01, 200))
@proof
def test_clipping_follows_torch_and_keeps_the_direction(numbers: list[float], max_norm: float):
    grads = [torch.tensor(numbers, dtype=torch.float64), normal(2, 2), normal(), torch.zeros(0, dtype=torch.float64)]
    parameters = [torch.zeros_like(g).requires_grad_() for g in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad.clone()
    theirs = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clipped, norm = clip_by_global_norm(grads, max_norm)
    close(norm, theirs)
    factor = min(1.0, max_norm / float(norm))
    for ours, parameter, grad in zip(clipped, parameters, grads, strict=True):
        assert parameter.grad is not None
        close(ours, parameter.grad, rtol=1e-4)  # torch adds 1e-6 to the norm
        close(ours, grad * factor)
    assert torch.cat([g.reshape(-1) for g in clipped]).norm() <= max_norm * (1 + 1e-12)


def test_clipping_leaves_zero_gradients_alone():
    clipped, norm = clip_by_global_norm([torch.zeros(3)], 1.0)
    assert norm == 0
    assert torch.equal(clipped[0], torch.zeros(3))


def test_cosine_schedule_follows_torch():
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    warmup = LinearLR(optimiser, start_factor=1e-9, total_iters=7)
    schedule = SequentialLR(optimiser, [warmup, CosineAnnealingLR(optimiser, 33, eta_min=0.02)], milestones=[7])
    for step in range(41):
        assert warmup_cosine(step, 7, 40, 0.3, 0.02) == pytest.approx(schedule.get_last_lr()[0], rel=1e-6, abs=1e-8)
        optimiser.step()
        schedule.step()
    assert warmup_cosine(1000, 7, 40, 0.3, 0.02) == 0.02


@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 20))
@proof
def test_schedules_rise_stay_and_fall(warmup: int, plateau: int, decay: int):
    start, total = warmup + plateau, warmup + plateau + decay
    rates = [warmup_stable_decay(step, warmup, start, total, 0.5, 0.1) for step in range(total + 5)]
    assert rates[:warmup] == pytest.approx([0.5 * step / warmup for step in range(warmup)])
    assert rates[warmup : start + 1] == [0.5] * (plateau + 1)
    assert all(a > b for a, b in zip(rates[start:total], rates[start + 1 : total + 1], strict=True))
    assert rates[total:] == pytest.approx([0.1] * 5)
    without = [warmup_cosine(step, start, total, 0.5, 0.1) for step in range(start, total + 5)]
    assert rates[start:] == pytest.approx(without)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_online_problem_is_the_steps_own_run(amsgrad: bool):
    theta = m = v = v_max = torch.zeros((), dtype=torch.float64)
    for t, position in enumerate(online_problem(250, amsgrad), start=1):
        grad = torch.tensor(1010.0 if t % 101 == 1 else -10.0, dtype=torch.float64)
        rest = (t, 0.5 / math.sqrt(t), 0.9, 0.99, 1e-8)
        if amsgrad:
            theta, m, v, v_max = amsgrad_step(theta, grad, m, v, v_max, *rest)
        else:
            theta, m, v = adam_step(theta, grad, m, v, *rest)
        theta = theta.clamp(-1, 1)
        assert position == pytest.approx(theta.item(), rel=1e-9, abs=1e-12)


ONE = torch.ones(2, dtype=torch.float64)
BAD: list[tuple[str, Callable[[], object]]] = [
    ("beta", lambda: ema(ONE, 1.0)),
    ("values", lambda: ema(torch.ones(()), 0.9)),
    ("values", lambda: ema(torch.ones(3, dtype=torch.int64), 0.9)),
    ("velocity", lambda: momentum_step(ONE, ONE, torch.ones(3, dtype=torch.float64), 0.1, 0.9)),
    ("grad", lambda: momentum_step(ONE, ONE.float(), ONE, 0.1, 0.9)),
    ("lr", lambda: momentum_step(ONE, ONE, ONE, -0.1, 0.9)),
    ("t must", lambda: adam_step(ONE, ONE, ONE, ONE, 0, 0.1, 0.9, 0.999, 1e-8)),
    ("beta2", lambda: adam_step(ONE, ONE, ONE, ONE, 1, 0.1, 0.9, 1.0, 1e-8)),
    ("eps", lambda: adam_step(ONE, ONE, ONE, ONE, 1, 0.1, 0.9, 0.999, math.nan)),
    ("weight_decay", lambda: adamw_step(ONE, ONE, ONE, ONE, 1, 0.1, 0.9, 0.999, 1e-8, -1.0)),
    ("v_max", lambda: amsgrad_step(ONE, ONE, ONE, ONE, ONE[:1], 1, 0.1, 0.9, 0.999, 1e-8)),
    ("t must", lambda: uncorrected_step_ratio(0, 0.9, 0.999)),
    ("t must", lambda: uncorrected_step_ratio(1.0, 0.9, 0.999)),  # type: ignore[arg-type]  # the mistake under test
    ("max_norm", lambda: clip_by_global_norm([ONE], 0.0)),
    ("grads", lambda: clip_by_global_norm([], 1.0)),
    (r"grads\[1\]", lambda: clip_by_global_norm([ONE, ONE.float()], 1.0)),
    ("step ", lambda: warmup_cosine(-1, 2, 5, 0.1, 0.0)),
    ("schedule", lambda: warmup_cosine(1, 5, 5, 0.1, 0.0)),
    ("schedule", lambda: warmup_stable_decay(1, 3, 2, 5, 0.1, 0.0)),
    ("lr_min", lambda: warmup_cosine(1, 2, 5, 0.1, -0.1)),
]


@pytest.mark.parametrize(("name", "call"), BAD)
def test_bad_arguments_are_named(name: str, call: Callable[[], object]):
    with pytest.raises(ValueError, match=name):
        call()
