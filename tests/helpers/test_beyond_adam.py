"""The routines of notebook 07 against published packages, step by step, and against second derivations."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_optimizer import ADOPT, SAM, Lion, SophiaH
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5
from schedulefree import SGDScheduleFree
from torch import Tensor

from helpers.beyond_adam import (
    COEFFICIENTS,
    adopt_online_problem,
    adopt_step,
    hessian_diagonal_estimate,
    kfac_step,
    lion_step,
    muon_orthogonalize,
    muon_step,
    sam_gradient,
    schedule_free_step,
    sophia_step,
)

STEPS = 320
F64 = torch.float64
proof = settings(deadline=None, derandomize=True, max_examples=30)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


def close(got: Tensor, want: Tensor, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    torch.testing.assert_close(got, want, rtol=rtol, atol=atol)


def gradients(*shape: int, seed: int = 1) -> Tensor:
    """Gradients of mixed sizes, now and then zero."""
    scale = 10.0 ** torch.tensor([0.0, -4.0, 4.0, -1.0], dtype=F64)[: math.prod(shape)].reshape(shape)
    grads = normal(STEPS, *shape, seed=seed) * scale
    grads[7::7] = 0
    return grads


class TestAgainstPackages:
    @pytest.mark.parametrize("shape", [(), (4,), (2, 2)])
    def test_lion_follows_pytorch_optimizer(self, shape: tuple[int, ...]):
        theta, m = normal(*shape, seed=9), torch.zeros(shape, dtype=F64)
        parameter = theta.clone().requires_grad_()
        optimiser = Lion([parameter], lr=0.02, betas=(0.9, 0.99), weight_decay=0.3)
        for grad in gradients(*shape):
            parameter.grad = grad.clone()
            optimiser.step()
            theta, m = lion_step(theta, grad, m, 0.02, 0.9, 0.99, 0.3)
            close(theta, parameter.detach())
            close(m, optimiser.state[parameter]["exp_avg"])

    @pytest.mark.parametrize("shape", [(), (4,), (2, 2)])
    def test_adopt_follows_pytorch_optimizer(self, shape: tuple[int, ...]):
        theta = normal(*shape, seed=9)
        m = v = torch.zeros(shape, dtype=F64)
        parameter = theta.clone().requires_grad_()
        optimiser = ADOPT([parameter], lr=0.02, betas=(0.9, 0.99), eps=1e-6, clip_lambda=None)  # type: ignore[arg-type]  # None is its way to say no clipping
        for t, grad in enumerate(gradients(*shape), start=1):
            parameter.grad = grad.clone()
            optimiser.step()
            theta, m, v = adopt_step(theta, grad, m, v, t, 0.02, 0.9, 0.99, 1e-6)
            close(theta, parameter.detach())
            close(v, optimiser.state[parameter]["exp_avg_sq"])

    @pytest.mark.parametrize("shape", [(), (4,), (2, 2)])
    def test_schedule_free_follows_its_authors(self, shape: tuple[int, ...]):
        z = x = normal(*shape, seed=9)
        parameter = x.clone().requires_grad_()
        optimiser = SGDScheduleFree([parameter], lr=0.1, momentum=0.8)
        optimiser.train()
        for t, grad in enumerate(gradients(*shape), start=1):
            parameter.grad = grad.clone()
            optimiser.step()
            z, x, y = schedule_free_step(z, x, grad, t, 0.1, 0.8)
            close(y, parameter.detach(), rtol=1e-8, atol=1e-9)
            close(z, optimiser.state[parameter]["z"])
        optimiser.eval()
        close(x, parameter.detach(), rtol=1e-8, atol=1e-9)

    @pytest.mark.parametrize("shape", [(), (4,), (2, 2)])
    def test_sophia_follows_pytorch_optimizer(self, shape: tuple[int, ...]):
        theta = normal(*shape, seed=9)
        m = h = torch.zeros(shape, dtype=F64)
        parameter = theta.clone().requires_grad_()
        optimiser = SophiaH([parameter], lr=0.05, betas=(0.9, 0.95), p=0.5, eps=1e-3)
        for grad, estimate in zip(gradients(*shape), gradients(*shape, seed=2), strict=True):
            parameter.grad = grad.clone()
            optimiser.step(hessian=[estimate.clone()])
            theta, m, h = sophia_step(theta, grad, estimate, m, h, 0.05, 0.9, 0.95, 0.5, 1e-3)
            close(theta, parameter.detach())

    def test_sam_follows_pytorch_optimizer(self):
        hessian = torch.diag(torch.tensor([0.2, 0.6, 1.4], dtype=F64))
        theta = 20 * normal(3, seed=9)
        parameter = theta.clone().requires_grad_()
        optimiser = SAM([parameter], torch.optim.SGD, lr=0.004, rho=0.1)

        def gradient(at: Tensor) -> Tensor:
            return hessian @ at

        for _ in range(STEPS):
            parameter.grad = gradient(parameter.detach())
            optimiser.first_step()
            parameter.grad = gradient(parameter.detach())
            optimiser.second_step()
            theta = theta - 0.004 * sam_gradient(gradient, theta, 0.1)
            close(theta, parameter.detach())

    @pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 4)])
    def test_orthogonalisation_follows_pytorch_optimizer(self, shape: tuple[int, ...]):
        for seed in range(STEPS):
            matrix = normal(*shape, seed=seed)
            theirs = zero_power_via_newton_schulz_5(matrix, 5, dtype=F64)
            close(muon_orthogonalize(matrix, 5), theirs)

    def test_muon_follows_torch_to_bfloat16s_digits(self):
        weight = normal(4, 6, seed=9)
        velocity = torch.zeros_like(weight)
        parameter = weight.clone().requires_grad_()
        optimiser = torch.optim.Muon([parameter], lr=0.02, momentum=0.9, weight_decay=0.1)
        for grad in normal(STEPS, 4, 6, seed=1):
            parameter.grad = grad.clone()
            before, theirs = weight, parameter.detach().clone()
            optimiser.step()
            weight, velocity = muon_step(weight, grad, velocity, 0.02, 0.9, 0.1)
            close((weight - before) / 0.02, (parameter.detach() - theirs) / 0.02, rtol=0, atol=0.25)
            weight = parameter.detach().clone()  # go on from the same place
        close(velocity, optimiser.state[parameter]["momentum_buffer"])


class TestMuon:
    @given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
    @proof
    def test_singular_vectors_stay_and_values_follow_the_polynomial(self, rows: int, columns: int, seed: int):
        matrix = normal(rows, columns, seed=seed)
        u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
        s, (a, b, c) = s / matrix.norm(), COEFFICIENTS
        for _ in range(5):
            s = a * s + b * s**3 + c * s**5
        close(muon_orthogonalize(matrix, 5), u @ torch.diag(s) @ vt, rtol=1e-8, atol=1e-9)

    def test_batches_half_types_and_zero(self):
        batch = normal(3, 2, 4)
        close(muon_orthogonalize(batch, 5), torch.stack([muon_orthogonalize(one, 5) for one in batch]))
        half = muon_orthogonalize(batch.bfloat16(), 5)
        assert half.dtype == torch.bfloat16
        close(half.double(), muon_orthogonalize(batch.bfloat16().double(), 5), rtol=2**-7, atol=1e-4)
        assert not muon_orthogonalize(torch.zeros(2, 3), 5).any()
        assert muon_orthogonalize(torch.zeros(0, 2, 3), 5).shape == (0, 2, 3)


class TestSecondOrder:
    def test_estimates_are_exact_for_a_diagonal_and_right_on_average(self):
        generator = torch.Generator().manual_seed(0)
        weights, at = normal(2, 3).abs(), normal(2, 3, seed=1)
        exact = weights * at**2
        close(hessian_diagonal_estimate(lambda p: (weights * p**4).sum() / 12, at, generator), exact)
        root = normal(4, 4, seed=2)
        hessian = root @ root.mT
        draws = [hessian_diagonal_estimate(lambda p: p @ hessian @ p / 2, normal(4), generator) for _ in range(4000)]
        close(torch.stack(draws).mean(0), hessian.diagonal(), rtol=0.1, atol=0.1)

    @given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.floats(0.01, 2))
    @proof
    def test_kfac_solves_with_the_kronecker_product(self, outs: int, ins: int, n: int, damping: float):
        weight, grad, a, g = (
            normal(outs, ins),
            normal(outs, ins, seed=1),
            normal(n, ins, seed=2),
            normal(n, outs, seed=3),
        )
        right, left = (x.mT @ x / n + damping**0.5 * torch.eye(x.shape[1], dtype=F64) for x in (a, g))
        step = torch.linalg.solve(torch.kron(left, right), grad.flatten()).reshape(outs, ins)
        close(kfac_step(weight, grad, a, g, 0.3, damping), weight - 0.3 * step, rtol=1e-7)

    def test_kfac_is_newtons_step_for_least_squares(self):
        """With G = I the damping aside, one step of rate 1 reaches the minimum."""
        a, target = normal(50, 4, seed=1), normal(3, 4, seed=2)
        g = math.sqrt(3) * torch.eye(3, dtype=F64).repeat(50, 1)
        weight = normal(3, 4)
        grad = (weight - target) @ (a.mT @ a) / 50
        close(kfac_step(weight, grad, a.repeat(3, 1), g, 1.0, 0.0), target, rtol=1e-8)


def test_sam_at_a_minimum_stays_there():
    assert not sam_gradient(lambda at: at * 3, torch.zeros(3), 0.1).any()


def test_adopt_online_problem_is_the_steps_own_run():
    theta = m = v = torch.zeros((), dtype=F64)
    for t, position in enumerate(adopt_online_problem(250), start=1):
        grad = torch.tensor(1010.0 if t % 101 == 1 else -10.0, dtype=F64)
        theta, m, v = adopt_step(theta, grad, m, v, t, 0.5 / math.sqrt(t), 0.9, 0.99, 1e-6)
        theta = theta.clamp(-1, 1)
        assert position == pytest.approx(theta.item(), rel=1e-9, abs=1e-12)


CALLS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], object]] = {
    "lion": lambda a, b, c, d, e: lion_step(a, b, c, 0.1, 0.9, 0.99, 0.1),
    "schedule-free": lambda a, b, c, d, e: schedule_free_step(a, b, c, 3, 0.1, 0.9),
    "adopt": lambda a, b, c, d, e: adopt_step(a, b, c, d, 3, 0.1, 0.9, 0.99, 1e-6),
    "adopt's first": lambda a, b, c, d, e: adopt_step(a, b, c, d, 1, 0.1, 0.9, 0.99, 1e-6),
    "sophia": lambda a, b, c, d, e: sophia_step(a, b, c, d, e, 0.1, 0.9, 0.99, 0.5, 1e-12),
    "muon": lambda a, b, c, d, e: muon_step(a, b, c, 0.1, 0.9, 0.1),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_steps_keep_the_dtype_and_change_nothing(name: str, dtype: torch.dtype):
    a, b, c, d, e = tensors = [normal(2, 3, seed=i, dtype=dtype).abs() for i in range(5)]
    before = [x.clone() for x in tensors]
    results = CALLS[name](a, b, c, d, e)
    assert isinstance(results, tuple)
    assert {x.dtype for x in results} == {dtype}
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


ONE = torch.ones(2, dtype=F64)
SQUARE = torch.ones(2, 2, dtype=F64)
BAD: list[tuple[str, Callable[[], object]]] = [
    ("grad", lambda: lion_step(ONE, ONE.float(), ONE, 0.1, 0.9, 0.99, 0.0)),
    ("weight_decay", lambda: lion_step(ONE, ONE, ONE, 0.1, 0.9, 0.99, -1.0)),
    ("matrix", lambda: muon_orthogonalize(ONE, 5)),
    ("matrix", lambda: muon_orthogonalize(torch.ones(2, 2, dtype=torch.int64), 5)),
    ("steps", lambda: muon_orthogonalize(SQUARE, -1)),
    ("beta", lambda: muon_step(SQUARE, SQUARE, SQUARE, 0.1, 1.0, 0.0)),
    ("rho", lambda: sam_gradient(lambda at: at, ONE, -0.1)),
    ("theta", lambda: sam_gradient(lambda at: at, torch.ones(2, dtype=torch.int64), 0.1)),
    ("t must", lambda: schedule_free_step(ONE, ONE, ONE, 0, 0.1, 0.9)),
    ("beta", lambda: schedule_free_step(ONE, ONE, ONE, 1, 0.1, 1.1)),
    ("v must", lambda: adopt_step(ONE, ONE, ONE, ONE[:1], 1, 0.1, 0.9, 0.99, 1e-6)),
    ("t must", lambda: adopt_step(ONE, ONE, ONE, ONE, 0, 0.1, 0.9, 0.99, 1e-6)),
    ("lr", lambda: adopt_online_problem(10, lr=-1.0)),
    ("rho", lambda: sophia_step(ONE, ONE, ONE, ONE, ONE, 0.1, 0.9, 0.99, -0.5, 1e-12)),
    ("loss_fn", lambda: hessian_diagonal_estimate(lambda at: at, ONE, torch.Generator())),
    ("a must", lambda: kfac_step(SQUARE, SQUARE, torch.ones(3, 4, dtype=F64), SQUARE, 0.1, 0.1)),
    ("g must", lambda: kfac_step(SQUARE, SQUARE, SQUARE, torch.ones(3, 2, dtype=F64), 0.1, 0.1)),
    ("damping", lambda: kfac_step(SQUARE, SQUARE, SQUARE, SQUARE, 0.1, -0.1)),
]


@pytest.mark.parametrize(("name", "call"), BAD)
def test_bad_arguments_are_named(name: str, call: Callable[[], object]):
    with pytest.raises(ValueError, match=name):
        call()
