"""The exercises of notebook 07: what came after Adam, one method for each thing that Adam lacks."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import signal

from grading.exercises.draws import normal, number, size
from grading.exercises.exercise import Function, Seed, argument_as_data, case, dtype_of, exercise
from helpers.checking import plain
from helpers.checking.kinds.training import gradients

OPTIMISERS = (
    "Lion", "Muon", "SAM", "ADOPT", "SophiaH", "SophiaG", "SGDScheduleFree", "AdamWScheduleFree", "KFAC",
    "_zeropower_via_newtonschulz", "zeropower_via_newtonschulz5", "zero_power_via_newton_schulz_5",
)  # fmt: skip
# What gives singular values, eigenvalues or an orthogonal factor without a step of the iteration.
FACTORISATIONS = (
    "svd", "svdvals", "svds", "svd_lowrank", "pca_lowrank", "cossin", "polar", "orthogonal", "orth", "null_space",
    "orthogonal_procrustes", "eig", "eigh", "eigs", "eigsh", "eigvals", "eigvalsh", "eig_banded", "eigvals_banded",
    "eigh_tridiagonal", "eigvalsh_tridiagonal", "lobpcg", "schur", "qz", "ordqz", "hessenberg", "qr", "rq",
    "qr_multiply", "geqrf", "orgqr", "ormqr", "householder_product", "sqrtm", "fractional_matrix_power", "funm",
    "signm", "pinv", "pinverse", "pinvh",
)  # fmt: skip
MODULES = ["torch.optim", "pytorch_optimizer", "schedulefree", "lion_pytorch"]
BECAUSE = "Write the update yourself."
KEPT = (1, 12, 300)  # the steps of a run that are compared
ROUNDING = 1e-9  # relative, over a whole run in float64
F32, F64 = torch.float32, torch.float64


def f64(*values):
    return torch.tensor(values, dtype=F64)


def signed(rng, *shape, scale=1.0, dtype=F64):
    """Numbers away from 0, of either sign."""
    sizes = scale * rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
    return torch.from_numpy(np.asarray(sizes)).to(dtype)


def positive(rng, *shape, dtype=F64):
    """Numbers between 1/2 and 2."""
    return signed(rng, *shape, dtype=dtype).abs()


def streams(seed, firsts, steps=KEPT[-1]):
    """What `follow_on` draws afresh at each step: one array (steps, ...) for each of the arguments `firsts`."""
    return [np.stack([g.numpy() for g in gradients(seed + i, first, steps)]) for i, first in enumerate(firsts)]


def average(values, beta, start=None):
    """beta m + (1 - beta) x along the first dimension, from `start` (0 by default)."""
    zi = beta * (np.zeros_like(values[0]) if start is None else start)
    return signal.lfilter([1 - beta], [1, -beta], values, axis=0, zi=zi[None])[0]


def run(expected, names, fed, drawn, *arguments, source):
    """A case that goes on from its own results for all steps up to the last in KEPT; `expected` holds one array
    (steps, ...) for each result, `fed` says which argument each result becomes and `drawn` which are drawn afresh."""
    seed = arguments[0]
    value = plain.encode(tuple(torch.from_numpy(np.stack([part[step - 1] for step in KEPT])) for part in expected))
    judged = {"judge": "follows", "value": value, "parts": list(names), "steps": list(KEPT), "dtype": "float64"}
    return case(*arguments[1:], driver="follow_on", parameters=[seed, list(KEPT), fed, drawn],
                expected=judged | {"rtol": ROUNDING, "text": source})  # fmt: skip


def starts(rng):
    """(theta, first gradient) of two runs: a scalar, and a batch with ordinary, zero, tiny and huge gradients."""
    spread = signed(rng, 4) * f64(1.0, 0.0, 10.0 ** -size(rng, 3, 6), 10.0 ** size(rng, 4, 6))
    yield normal(rng), signed(rng), size(rng, 1, 10_000)
    yield normal(rng, 2, 2), spread.reshape(2, 2), size(rng, 1, 10_000)


# ------------------------------------------------------------------------------------------------- lion_step
# Inputs: gradients 0, 1e-14 to 1e12; betas and decay from 0; runs of 300 steps; no entries at all.
@exercise(
    hints=[
        "Three lines: a blend of m and the gradient, whose sign is the step; the decay; and the new m. The blend and the new m use different betas.",
        "The step is the sign of beta1 * m + (1 - beta1) * grad, with the m that came in. The new m is beta2 * m + (1 - beta2) * grad.",
        "return theta - lr * (torch.sign(blend) + weight_decay * theta), beta2 * m + (1 - beta2) * grad",
    ],
    forbid=OPTIMISERS,
    modules=MODULES,
    because=BECAUSE,
)
def lion_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    theta, grad, m = (x.numpy() for x in (theta, grad, m))
    blend = m + (1 - beta1) * (grad - m)
    direction = (blend > 0).astype(float) - (blend < 0)
    return theta * (1 - lr * weight_decay) - lr * direction, m + (1 - beta2) * (grad - m)


lion_step.made_of(
    {
        "the decay lr weight_decay theta": lambda theta, grad, m, lr, beta1, beta2, decay: -lr * decay * theta,
        "lr times the sign": lambda theta, grad, m, lr, beta1, beta2, decay: (
            -lr * (beta1 * m + (1 - beta1) * grad).sign()
        ),
        "beta2 m": lambda theta, grad, m, lr, beta1, beta2, decay: beta2 * m,
        "(1 - beta2) grad": lambda theta, grad, m, lr, beta1, beta2, decay: (1 - beta2) * grad,
    }
)


@lion_step.oracle
def lion_one_number_at_a_time(theta, grad, m, lr, beta1, beta2, weight_decay):
    rows = []
    for p, g, a in zip(*(x.flatten().tolist() for x in (theta, grad, m)), strict=True):
        blend = beta1 * a + (1 - beta1) * g
        step = math.copysign(1.0, blend) if blend else 0.0
        rows.append((p - lr * step - lr * weight_decay * p, beta2 * a + (1 - beta2) * g))
    return tuple(f64(*column).reshape(theta.shape) for column in zip(*rows, strict=True)) if rows else (theta, m)


LION_PARTS = ["theta", "m"]


def lion_rates(rng):
    """lr, beta1, beta2 and weight_decay."""
    return number(rng, 0.01, 0.1), number(rng, 0.7, 0.92), number(rng, 0.94, 0.99), number(rng, 0.1, 0.5)


def lion_state(rng, *shape, dtype=F64):
    """theta, grad and m, some of them pulling apart."""
    return normal(rng, *shape, dtype=dtype), signed(rng, *shape, dtype=dtype), signed(rng, *shape, dtype=dtype) / 4


@lion_step.criterion("one step", marks=1, says="One step of Lion: the new (theta, m)")
def lion_definition(rng):
    yield case(f64(1.0, -2.0, 0.5), f64(3.0, -0.5, -0.2), f64(-0.35, 0.1, 0.01), 0.1, 0.9, 0.99, 0.1, parts=LION_PARTS)
    theta, grad, m = lion_state(rng, 6)
    pulled = (
        -13.5 * m
    )  # the other way, so far that the blend by beta1 follows the gradient and the one by beta2 follows m
    yield case(theta, torch.where(torch.arange(6) < 3, pulled, grad), m, *lion_rates(rng), parts=LION_PARTS)


@lion_step.criterion(
    "zero, tiny and huge gradients",
    marks=0.5,
    says=("gradients may be 0, tiny or huge", "Where the blend is 0 only the decay"),
)
def lion_scales(rng):
    grad = signed(rng, 5) * f64(0.0, 10.0 ** -size(rng, 10, 14), 1.0, 10.0 ** size(rng, 8, 12), 0.0)
    m = signed(rng, 5) * f64(0.0, 0.0, 1e-3, 1.0, 1e-6)
    yield case(normal(rng, 5), grad, m, *lion_rates(rng), parts=LION_PARTS, atol=0.0)


@lion_step.criterion(
    "any shape, no decay, no memory",
    marks=0.5,
    says="any shape, empty ones too; gradients may be 0, tiny or huge, the betas and the decay 0",
)
def lion_shapes(rng):
    lr, beta1, beta2, decay = lion_rates(rng)
    yield case(*lion_state(rng), lr, beta1, beta2, decay, parts=LION_PARTS)
    yield case(*lion_state(rng, 2, 3), lr, beta1, beta2, 0.0, parts=LION_PARTS)
    yield case(*lion_state(rng, 3), lr, 0.0, 0.0, decay, parts=LION_PARTS)
    yield case(*[torch.zeros(0, 3, dtype=F64)] * 3, lr, beta1, beta2, decay, parts=LION_PARTS)


@lion_step.criterion("follows Lion for 300 steps", marks=1.5, says="one step of Lion, and then three hundred")
def lion_runs(rng):
    lr, beta1, beta2, decay = lion_rates(rng)
    for theta, first, seed in starts(rng):
        (grads,) = streams(seed, [first])
        m = average(grads, beta2)
        before = np.concatenate([np.zeros_like(m[:1]), m[:-1]])
        pulls = lr * np.sign(beta1 * before + (1 - beta1) * grads)
        kept = (1 - lr * decay) ** np.arange(1, len(grads) + 1).reshape(-1, *[1] * theta.ndim)
        path = kept * theta.numpy() - signal.lfilter([1], [1, -(1 - lr * decay)], pulls, axis=0)
        yield run((path, m), LION_PARTS, [[0, 0], [2, 1]], [1], seed, theta, first, torch.zeros_like(theta),
                  lr, beta1, beta2, decay, source="what Lion (Chen et al., 2023) does")  # fmt: skip


@lion_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="in the dtype of `theta`. Nothing that came in is changed"
)
def lion_dtypes(rng):
    for dtype in (F64, F32):
        yield case(*lion_state(rng, 4, dtype=dtype), *lion_rates(rng), parts=LION_PARTS, unchanged=True)


def blend_of(old, new, beta):
    return beta * old + (1 - beta) * new


@lion_step.alternative
def lion_as_printed(theta, grad, m, lr, beta1, beta2, weight_decay):
    c = beta1 * m + (1 - beta1) * grad
    return theta - lr * (torch.sign(c) + weight_decay * theta), beta2 * m + (1 - beta2) * grad


@lion_step.alternative
def lion_decay_first(theta, grad, m, lr, beta1, beta2, weight_decay):
    theta = theta * (1 - lr * weight_decay)
    return [theta - lr * m.lerp(grad, 1 - beta1).sign(), torch.lerp(m, grad, 1 - beta2)]


@lion_step.alternative
def lion_in_place_on_copies(theta, grad, m, lr, beta1, beta2, weight_decay):
    theta, update, m = theta.clone(), m.clone(), m.clone()
    update.mul_(beta1).add_(grad, alpha=1 - beta1).sign_()
    theta.mul_(1 - lr * weight_decay).add_(update, alpha=-lr)
    return theta, m.mul_(beta2).add_(grad, alpha=1 - beta2)


@lion_step.alternative
def lion_with_numpy(theta, grad, m, lr, beta1, beta2, weight_decay):
    t, g, a = (x.numpy().astype(np.float64) for x in (theta, grad, m))
    new = t - lr * np.sign(beta1 * a + (1 - beta1) * g) - lr * weight_decay * t
    return torch.as_tensor(new, dtype=theta.dtype), torch.as_tensor(blend_of(a, g, beta2), dtype=theta.dtype)


@lion_step.misconception(
    "The step uses the new m. Lion blends the m that came in with the gradient by beta1, takes that sign, and only then renews m by beta2."
)
def lion_sign_of_the_new_m(theta, grad, m, lr, beta1, beta2, weight_decay):
    m = blend_of(m, grad, beta2)
    return theta - lr * (m.sign() + weight_decay * theta), m


@lion_step.misconception("beta1 and beta2 are exchanged: beta1 makes the blend for the step, beta2 the new m.")
def lion_betas_exchanged(theta, grad, m, lr, beta1, beta2, weight_decay):
    return lion_as_printed(theta, grad, m, lr, beta2, beta1, weight_decay)


@lion_step.misconception("The blend is returned as the new m. m is renewed by beta2; the blend is for the step alone.")
def lion_keeps_the_blend(theta, grad, m, lr, beta1, beta2, weight_decay):
    c = blend_of(m, grad, beta1)
    return theta - lr * (c.sign() + weight_decay * theta), c


@lion_step.misconception(
    "The blend is stored in m, and m is then renewed from the blend. Give the blend a name of its own: the new m comes from "
    "the m that came in."
)
def lion_blend_overwrites_m(theta, grad, m, lr, beta1, beta2, weight_decay):
    m = blend_of(m, grad, beta1)
    return theta - lr * (m.sign() + weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception("The sign is missing: every parameter moves by lr, whatever the size of its blend.")
def lion_without_sign(theta, grad, m, lr, beta1, beta2, weight_decay):
    c = blend_of(m, grad, beta1)
    return theta - lr * (c + weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception(
    "The step goes by the sign of the gradient: Lion takes that of the blend of m and gradient, in which m weighs beta1."
)
def lion_sign_of_the_gradient(theta, grad, m, lr, beta1, beta2, weight_decay):
    return theta - lr * (grad.sign() + weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception(
    "m is renewed before the blend is made, so the gradient comes in twice. Make the blend from the m that came in."
)
def lion_m_first(theta, grad, m, lr, beta1, beta2, weight_decay):
    m = blend_of(m, grad, beta2)
    return theta - lr * (blend_of(m, grad, beta1).sign() + weight_decay * theta), m


@lion_step.misconception("The decay goes through the gradient. Take lr * weight_decay * theta off theta itself.")
def lion_decay_in_the_gradient(theta, grad, m, lr, beta1, beta2, weight_decay):
    return lion_as_printed(theta, grad + weight_decay * theta, m, lr, beta1, beta2, 0.0)


@lion_step.misconception("The decay lacks lr: theta shrinks by lr * weight_decay * theta.")
def lion_decay_without_lr(theta, grad, m, lr, beta1, beta2, weight_decay):
    return theta * (1 - weight_decay) - lr * blend_of(m, grad, beta1).sign(), blend_of(m, grad, beta2)


@lion_step.misconception("The decay acts on the theta after the step; it uses the theta that came in.")
def lion_decay_after_the_step(theta, grad, m, lr, beta1, beta2, weight_decay):
    stepped = theta - lr * blend_of(m, grad, beta1).sign()
    return stepped * (1 - lr * weight_decay), blend_of(m, grad, beta2)


@lion_step.misconception("The weight decay is missing: theta also shrinks by lr * weight_decay * theta.")
def lion_without_decay(theta, grad, m, lr, beta1, beta2, weight_decay):
    return lion_as_printed(theta, grad, m, lr, beta1, beta2, 0.0)


@lion_step.misconception("This walks uphill: subtract lr times the sign.")
def lion_uphill(theta, grad, m, lr, beta1, beta2, weight_decay):
    return theta + lr * (blend_of(m, grad, beta1).sign() - weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception(
    "The weights are exchanged: the old m keeps beta, the gradient gets 1 - beta, in the blend and in the new m."
)
def lion_weights_exchanged(theta, grad, m, lr, beta1, beta2, weight_decay):
    return lion_as_printed(theta, grad, m, lr, 1 - beta1, 1 - beta2, weight_decay)


@lion_step.misconception("Where the blend is 0 nothing moves: sign(0) is 0. torch.sign knows it.")
def lion_zero_moves(theta, grad, m, lr, beta1, beta2, weight_decay):
    c = blend_of(m, grad, beta1)
    step = torch.where(c > 0, 1.0, -1.0).to(theta.dtype)
    return theta - lr * (step + weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception(
    "Dividing by the absolute value gives 0/0 = nan where the blend is 0; torch.sign gives 0 there."
)
def lion_divides_by_the_size(theta, grad, m, lr, beta1, beta2, weight_decay):
    c = blend_of(m, grad, beta1)
    return theta - lr * (c / c.abs() + weight_decay * theta), blend_of(m, grad, beta2)


@lion_step.misconception(
    "The caller's tensors were changed in place. Write m = beta2 * m + ..., which makes a new tensor, not m.mul_(beta2) or theta -= ..."
)
def lion_in_place(theta, grad, m, lr, beta1, beta2, weight_decay):
    update = blend_of(m, grad, beta1).sign()
    theta.mul_(1 - lr * weight_decay).sub_(lr * update)
    return theta, m.mul_(beta2).add_(grad, alpha=1 - beta2)


@lion_step.breaks_rule
def lion_by_a_package(theta, grad, m, lr, beta1, beta2, weight_decay):
    from pytorch_optimizer import Lion

    parameter = theta.clone().requires_grad_()
    optimiser = Lion([parameter], lr=lr, betas=(beta1, beta2), weight_decay=weight_decay)
    parameter.grad = grad.clone()
    optimiser.step()
    return parameter.detach(), optimiser.state[parameter]["exp_avg"]


# ------------------------------------------------------------------------------------- muon_orthogonalize
A, B, C = 3.4445, -4.7750, 2.0315
MUON = {"rtol": 3e-4, "atol": 3e-4}  # float32 inside, whose rounding grows where singular values are small


# Inputs: 1e-2 to 1e8 in size, and 0; wide, tall, none to four matrices; 0 to 5 steps.
@exercise(
    hints=[
        "Divide the matrix by its Frobenius norm (all entries together), then repeat one line `steps` times.",
        "The line is X <- a X + b (X X^T) X + c (X X^T)^2 X. For a batch, `X.mT` is the transpose of each matrix, and the norm is taken over the last two dimensions with keepdim=True.",
        "X = matrix.float(); X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7); steps times: S = X @ X.mT; X = a * X + (b * S + c * S @ S) @ X. Return X.to(matrix.dtype).",
    ],
    forbid=[*OPTIMISERS, *FACTORISATIONS],
    modules=MODULES,
    because="Write the iteration: it needs nothing but matrix products.",
)
def muon_orthogonalize(matrix, steps):
    if not matrix.numel():
        return matrix.numpy()
    u, s, vt = np.linalg.svd(matrix.numpy(), full_matrices=False)
    norm = np.sqrt((s**2).sum(-1, keepdims=True))
    s = np.divide(s, norm, out=np.zeros_like(s), where=norm > 0)
    for _ in range(steps):
        s = A * s + B * s**3 + C * s**5
    return (u * s[..., None, :]) @ vt


@muon_orthogonalize.oracle
def muon_by_powers_on_the_other_side(matrix, steps):
    """The same polynomial in X^T X, from the right, in float64."""
    norm = matrix.square().sum((-2, -1), keepdim=True).sqrt()
    x = matrix / torch.where(norm > 0, norm, 1.0)
    eye = torch.eye(matrix.shape[-1], dtype=F64)
    for _ in range(steps):
        gram = x.mT @ x
        x = x @ (A * eye + B * gram + C * torch.linalg.matrix_power(gram, 2))
    return x


@muon_orthogonalize.criterion(
    "five steps on one matrix", marks=1.5, says="The matrix with its singular values near 1, after so many steps"
)
def muon_definition(rng):
    yield case(f64(3.0, 1.0, -2.0, 4.0).reshape(2, 2), 1, **MUON)
    yield case(signed(rng, 3, 3), 5, **MUON)


@muon_orthogonalize.criterion(
    "wide and tall matrices, any number of steps", marks=1, says=("Wide, tall", "`steps` may be 0")
)
def muon_shapes(rng):
    yield case(signed(rng, 2, 4), 5, **MUON)
    yield case(signed(rng, 5, 2), 5, **MUON)
    yield case(signed(rng, 3, 2), size(rng, 2, 4), **MUON)
    yield case(signed(rng, 2, 3), 0, **MUON)


@muon_orthogonalize.criterion("every matrix of a batch by itself", marks=0.5, says="batched (a batch may be empty)")
def muon_batches(rng):
    sizes = f64(1.0, 30.0, 0.05).reshape(3, 1, 1)
    yield case(signed(rng, 3, 2, 3) * sizes, 5, **MUON)
    yield case(signed(rng, 2, 2, 3, 2), 5, **MUON)
    yield case(torch.zeros(0, 2, 3, dtype=F64), 5, **MUON)


@muon_orthogonalize.criterion(
    "a zero matrix, and matrices of any size", marks=0.5, says="of any scale; a zero matrix stays zero"
)
def muon_scales(rng):
    yield case(torch.zeros(2, 3, dtype=F64), 5, **MUON)
    yield case(signed(rng, 2, 2) * 10.0 ** size(rng, 5, 8), 5, **MUON)
    yield case(signed(rng, 2, 3) * 0.01, 5, **MUON)


@muon_orthogonalize.criterion("turns momentum into steps for 300 steps", marks=1, says="a whole run, 300 steps long")
def muon_runs(rng):
    beta, lr = number(rng, 0.9, 0.97), number(rng, 0.01, 0.05)
    for shape in ((2, 3), (3, 2)):
        weight, first, seed = normal(rng, *shape), signed(rng, *shape), size(rng, 1, 10_000)
        (grads,) = streams(seed, [first])
        velocity = signal.lfilter([1], [1, -beta], grads, axis=0)
        path = weight.numpy() - lr * np.cumsum(muon_orthogonalize(torch.from_numpy(velocity), 5), axis=0)
        value = plain.encode((torch.from_numpy(np.stack([path[step - 1] for step in KEPT])),))
        yield case(first, 5, driver="orthogonal_momentum", parameters=[seed, list(KEPT), weight, beta, lr],
                   expected={"judge": "follows", "value": value, "parts": ["weight"], "steps": list(KEPT), "dtype": "float64",
                             "rtol": 3e-4, "text": "what Muon (Jordan, 2024) does"})  # fmt: skip


@muon_orthogonalize.criterion(
    "keeps the dtype and its input", marks=0.5, says="return the dtype of `matrix`, which is not changed"
)
def muon_dtypes(rng):
    for dtype in (F64, F32):
        yield case(signed(rng, 3, 2, dtype=dtype), 5, unchanged=True, **MUON)


def newton_schulz(matrix, steps, a=A, b=B, c=C, dtype=F64):
    x = matrix.to(dtype)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.to(matrix.dtype)


@muon_orthogonalize.alternative
def muon_as_printed(matrix, steps):
    x = matrix.float()
    if matrix.shape[-2] > matrix.shape[-1]:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    if matrix.shape[-2] > matrix.shape[-1]:
        x = x.mT
    return x.to(matrix.dtype)


@muon_orthogonalize.alternative
def muon_from_the_right(matrix, steps):
    x = matrix.to(torch.float32) / torch.linalg.matrix_norm(matrix.to(torch.float32), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        s = torch.matmul(x.transpose(-1, -2), x)
        cubed = torch.matmul(x, s)
        x = 3.4445 * x - 4.7750 * cubed + 2.0315 * torch.matmul(cubed, s)
    return x.to(matrix.dtype)


@muon_orthogonalize.alternative
def muon_in_double(matrix, steps):
    return newton_schulz(matrix, steps)


@muon_orthogonalize.alternative
def muon_with_numpy(matrix, steps):
    x = matrix.double().numpy()
    norm = np.sqrt((x**2).sum(axis=(-2, -1), keepdims=True))
    x = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
    for _ in range(steps):
        s = x @ np.swapaxes(x, -1, -2)
        x = 3.4445 * x - 4.775 * (s @ x) + 2.0315 * (s @ s @ x)
    return torch.from_numpy(np.ascontiguousarray(x)).to(matrix.dtype)


@muon_orthogonalize.alternative
def muon_matrix_by_matrix(matrix, steps):
    if matrix.ndim > 2:
        flat = matrix.reshape(-1, *matrix.shape[-2:])
        made = [muon_matrix_by_matrix(one, steps) for one in flat]
        return torch.stack(made).reshape(matrix.shape) if made else matrix.clone()
    x = matrix.float()
    norm = x.norm()
    x = x / norm if norm > 0 else x
    for _ in range(steps):
        s = x @ x.T
        x = torch.addmm(x, torch.addmm(s, s, s, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.to(matrix.dtype)


@muon_orthogonalize.misconception(
    "The matrix is not divided by its norm first: the iteration grows without bounds where a singular value is above 1.26."
)
def muon_not_normalised(matrix, steps):
    x = matrix.double()
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x.to(matrix.dtype)


@muon_orthogonalize.misconception("Divide by the Frobenius norm of all entries, not by the largest singular value.")
def muon_spectral_norm(matrix, steps):
    if not matrix.any():
        return torch.zeros_like(matrix)
    x = matrix / torch.linalg.matrix_norm(matrix, 2, keepdim=True)
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x


@muon_orthogonalize.misconception(
    "The norm is taken over the whole batch. Every matrix has its own: norm(dim=(-2, -1), keepdim=True)."
)
def muon_one_norm_for_all(matrix, steps):
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x


@muon_orthogonalize.misconception(
    "Each row is divided by its own norm. The whole matrix has one: norm(dim=(-2, -1), keepdim=True)."
)
def muon_rows_normalised(matrix, steps):
    x = matrix / (matrix.norm(dim=-1, keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x


@muon_orthogonalize.misconception(
    "These are the classical coefficients 1.5 and -0.5, which go to 1 slowly from below; Muon's are 3.4445, -4.7750 and 2.0315."
)
def muon_classical_cubic(matrix, steps):
    return newton_schulz(matrix, steps, 1.5, -0.5, 0.0)


@muon_orthogonalize.misconception(
    "These are the classical coefficients 15/8, -10/8 and 3/8; Muon's are 3.4445, -4.7750 and 2.0315."
)
def muon_classical_quintic(matrix, steps):
    return newton_schulz(matrix, steps, 15 / 8, -10 / 8, 3 / 8)


@muon_orthogonalize.misconception(
    "The coefficients are in the wrong places: -4.7750 goes with S = X X^T, 2.0315 with S S."
)
def muon_coefficients_exchanged(matrix, steps):
    return newton_schulz(matrix, steps, A, C, B)


@muon_orthogonalize.misconception("The middle coefficient is negative: -4.7750.")
def muon_sign_of_b(matrix, steps):
    return newton_schulz(matrix, steps, A, -B, C)


@muon_orthogonalize.misconception("The last term is c S S X; here one S is missing, so that it is c S X.")
def muon_one_power_short(matrix, steps):
    return newton_schulz(matrix, steps, A, B + C, 0.0)


@muon_orthogonalize.misconception("S * S is elementwise. The square of the matrix S is S @ S.")
def muon_elementwise_square(matrix, steps):
    x = matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s * s) @ x
    return x


@muon_orthogonalize.misconception(
    "A tall matrix is transposed for the iteration and comes back transposed: turn it round at the end."
)
def muon_left_transposed(matrix, steps):
    x = newton_schulz(matrix, steps)
    return x.mT if matrix.shape[-2] > matrix.shape[-1] else x


def roughly(one):
    """Knows a matrix that is right but for what bfloat16 rounds."""
    if one.driver != "call":
        return None
    matrix, steps = one.arguments
    value = torch.from_numpy(np.asarray(muon_orthogonalize(matrix.double(), steps)))
    return {
        "judge": "close",
        "value": argument_as_data(value),
        "rtol": 0.0,
        "atol": 0.06,
        "dtype": dtype_of([matrix]),
        "unchanged": one.options.get("unchanged", False),
    }


@muon_orthogonalize.misconception(
    "This is nearly right: it looks iterated in bfloat16, as the published code does to be fast. Here float32 is asked for: matrix.float().",
    looks=roughly,
)
def muon_in_bfloat16(matrix, steps):
    return newton_schulz(matrix, steps, dtype=torch.bfloat16)


@muon_orthogonalize.misconception(
    "This is the exact polar factor, all singular values 1. Muon's iteration only comes near it, and only that is asked."
)
def muon_exact_polar(matrix, steps):
    if not matrix.any():
        return torch.zeros_like(matrix)
    x = newton_schulz(matrix, 3)
    for _ in range(60):  # Newton and Schulz's own, to the end
        x = 1.5 * x - 0.5 * x @ x.mT @ x
    return x


@muon_orthogonalize.misconception("That is one step too few: the line runs `steps` times.")
def muon_one_step_short(matrix, steps):
    return newton_schulz(matrix, max(0, steps - 1))


@muon_orthogonalize.misconception("That is one step too many: the line runs `steps` times.")
def muon_one_step_more(matrix, steps):
    return newton_schulz(matrix, steps + 1)


@muon_orthogonalize.misconception("Five steps are taken whatever `steps` says.")
def muon_always_five(matrix, steps):
    return newton_schulz(matrix, 5)


@muon_orthogonalize.misconception(
    "0/0 is nan for a zero matrix, whose step is zero: add 1e-7 to the norm, or clamp it."
)
def muon_zero_over_zero(matrix, steps):
    x = matrix.float() / matrix.float().norm(dim=(-2, -1), keepdim=True)
    for _ in range(steps):
        s = x @ x.mT
        x = A * x + (B * s + C * s @ s) @ x
    return x.to(matrix.dtype)


@muon_orthogonalize.misconception("X.T reverses all dimensions of a batch: use X.mT, which turns the last two round.")
def muon_transposes_the_batch(matrix, steps):
    x = matrix.double() / (matrix.double().norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.permute(*reversed(range(x.ndim)))  # what .T does
        x = A * x + (B * s + C * s @ s) @ x
    return x.to(matrix.dtype)


@muon_orthogonalize.misconception("The caller's matrix was changed in place. Write X = X / norm, not X /= norm.")
def muon_in_place(matrix, steps):
    matrix /= matrix.norm(dim=(-2, -1), keepdim=True) + 1e-7
    return newton_schulz(matrix, steps)


@muon_orthogonalize.breaks_rule
def muon_by_torch(matrix, steps):
    from torch.optim._muon import _zeropower_via_newtonschulz

    return _zeropower_via_newtonschulz(matrix, (A, B, C), steps, 1e-7).to(matrix.dtype)


@muon_orthogonalize.breaks_rule
def muon_by_singular_values(matrix, steps):
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    for _ in range(steps):
        s = A * s + B * s**3 + C * s**5
    return u @ torch.diag_embed(s) @ vt


@muon_orthogonalize.breaks_rule
def muon_by_eigenvectors(matrix, steps):
    x = matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    values, vectors = torch.linalg.eig(x.mT @ x)
    factor = torch.ones_like(values)
    for _ in range(steps):
        factor = factor * (A + B * values * factor**2 + C * (values * factor**2) ** 2)
    return (x.to(values.dtype) @ vectors @ torch.diag_embed(factor) @ torch.linalg.inv(vectors)).real


@muon_orthogonalize.breaks_rule
def muon_by_principal_components(matrix, steps):
    u, s, v = torch.pca_lowrank(matrix, q=min(matrix.shape[-2:]), center=False)
    s = s / (s.norm(dim=-1, keepdim=True) + 1e-7)
    for _ in range(steps):
        s = A * s + B * s**3 + C * s**5
    return u @ torch.diag_embed(s) @ v.mT


# ---------------------------------------------------------------------------------------------- sam_gradient
# Inputs: gradients 0 and 5e-3 to 1e6; rho from 0; a scalar to six entries; runs of 300 steps.
@exercise(
    hints=[
        "Two calls of grad_fn: one where you are, one a distance rho further uphill.",
        "Uphill is the direction of the gradient, so the second place is theta + rho * grad / norm, with the norm over all of theta. Return the gradient there, and leave theta where it is.",
        "g = grad_fn(theta); return grad_fn(theta + rho * g / (g.norm() + 1e-12))",
    ],
    forbid=OPTIMISERS,
    modules=MODULES,
    because=BECAUSE,
)
def sam_gradient(grad_fn, theta, rho):
    grad = grad_fn(theta)
    size_of_it = float(np.sqrt((grad.numpy() ** 2).sum()))
    return grad_fn(theta + rho * (grad / size_of_it if size_of_it else grad))


sam_gradient.made_of(
    {
        "the gradient at theta itself": lambda grad_fn, theta, rho: grad_fn(theta),
        "the gradient at theta - rho g / |g|": lambda grad_fn, theta, rho: grad_fn(
            theta - rho * grad_fn(theta) / grad_fn(theta).norm()
        ),
        "the gradient at theta + rho g": lambda grad_fn, theta, rho: grad_fn(theta + rho * grad_fn(theta)),
    }
)


@sam_gradient.oracle(rtol=1e-5)
def sam_by_the_largest_linear_loss(grad_fn, theta, rho):
    """The gradient where, on the sphere of radius rho, the loss's linear model is largest: found by turning."""
    grad = grad_fn(theta).flatten()
    if len(grad) != 2 or not grad.any():
        return None
    angles = np.linspace(0, 2 * np.pi, 2_000_001)
    rise = grad[0].item() * np.cos(angles) + grad[1].item() * np.sin(angles)
    best = float(angles[np.argmax(rise)])
    return grad_fn(theta + rho * f64(math.cos(best), math.sin(best)).reshape(theta.shape))


def spd(rng, *eigenvalues):
    """A symmetric matrix with these eigenvalues in a random basis."""
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return torch.from_numpy((basis * np.array(eigenvalues)) @ basis.T)


def bowl(rng, *eigenvalues):
    return Function("quadratic_gradient", (spd(rng, *eigenvalues), normal(rng, len(eigenvalues))))


@sam_gradient.criterion(
    "the gradient from rho further uphill", marks=1.5, says="The gradient at a distance rho uphill from theta"
)
def sam_definition(rng):
    yield case(Function("bowl_gradient", (2.0,)), f64(1.5, 1.0), 0.5)
    yield case(bowl(rng, 1.0, number(rng, 4, 9)), signed(rng, 2, scale=2.0), number(rng, 0.1, 0.5))


@sam_gradient.criterion(
    "any loss and any shape, with one norm over all of theta",
    marks=0.5,
    says=("`theta` has any shape, and one norm", "`grad_fn` may be any gradient"),
)
def sam_shapes(rng):
    yield case(Function("tanh_gradient", (positive(rng, 2, 3),)), signed(rng, 2, 3), number(rng, 0.3, 0.8))
    yield case(Function("tanh_gradient", (f64(number(rng, 1, 2))[0],)), signed(rng), number(rng, 0.1, 0.5))
    yield case(bowl(rng, 0.5, 1.0, 2.0, number(rng, 4, 9)), signed(rng, 4, scale=2.0), number(rng, 0.1, 0.5))


@sam_gradient.criterion(
    "at a minimum, with no radius, with huge gradients and small ones",
    marks=0.5,
    says=("Where the gradient is 0 there is nothing to climb", "however large or small, and `rho` 0"),
)
def sam_edges(rng):
    yield case(Function("bowl_gradient", (number(rng, 2, 5),)), f64(0.0, 0.0), number(rng, 0.1, 0.5))
    yield case(bowl(rng, 1.0, 3.0), signed(rng, 2), 0.0)
    yield case(Function("bowl_gradient", (10.0 ** size(rng, 4, 6),)), signed(rng, 2), number(rng, 0.1, 0.5))
    yield case(bowl(rng, 0.01, number(rng, 0.02, 0.04)), signed(rng, 2, scale=4.0), number(rng, 0.1, 0.5))


@sam_gradient.criterion("leads descent for 300 steps", marks=0.5, says="descends for 300 steps by your answers")
def sam_runs(rng):
    lr, rho = 0.004, number(rng, 0.05, 0.2)
    # far from the minimum for the whole run: near it SAM jumps to and fro, and rounding would grow
    hessian, centre, theta = spd(rng, 0.2, 0.5, number(rng, 1.0, 1.5)), normal(rng, 3), signed(rng, 3, scale=20.0)
    path, at = [], theta
    for _ in range(KEPT[-1]):
        slope = hessian @ (at - centre)
        # the gradient of a bowl is linear, so SAM's is H (theta - centre) + rho H slope / |slope|
        at = at - lr * (slope + rho / slope.square().sum().sqrt() * (hessian @ slope))
        path.append(at)
    value = plain.encode((torch.stack([path[step - 1] for step in KEPT]),))
    yield case(Function("quadratic_gradient", (hessian, centre)), theta, rho,
               driver="descend_by", parameters=[list(KEPT), lr],
               expected={"judge": "follows", "value": value, "parts": ["theta"], "steps": list(KEPT), "dtype": "float64",
                         "rtol": 1e-8, "text": "what SAM (Foret et al., 2021) does"})  # fmt: skip


@sam_gradient.criterion(
    "keeps the dtype and its input",
    marks=0.5,
    says="Return a gradient of the shape and dtype of `theta`, and leave `theta` where it is",
)
def sam_dtypes(rng):
    for dtype in (F64, F32):
        yield case(
            bowl(rng, 1.0, number(rng, 2, 4)),
            signed(rng, 2, scale=2.0, dtype=dtype),
            number(rng, 0.1, 0.5),
            unchanged=True,
        )


@sam_gradient.alternative
def sam_with_a_small_number(grad_fn, theta, rho):
    grad = grad_fn(theta)
    return grad_fn(theta + rho * grad / (grad.norm() + 1e-12))


@sam_gradient.alternative
def sam_with_a_question(grad_fn, theta, rho):
    grad = grad_fn(theta)
    norm = torch.linalg.vector_norm(grad)
    if norm == 0:
        return grad
    climb = torch.nn.functional.normalize(grad.flatten(), dim=0).reshape(theta.shape)
    return grad_fn(theta.add(climb, alpha=rho))


@sam_gradient.alternative
def sam_there_and_back(grad_fn, theta, rho):
    here = theta.clone()
    grad = grad_fn(here)
    scale = rho / grad.square().sum().sqrt().clamp(min=1e-12)
    here.add_(grad * scale)
    return grad_fn(here).clone()


@sam_gradient.alternative
def sam_with_numpy(grad_fn, theta, rho):
    grad = grad_fn(theta).double().numpy()
    norm = np.linalg.norm(grad.ravel())
    step = rho * grad / norm if norm > 0 else np.zeros_like(grad)
    return grad_fn((theta.double() + torch.from_numpy(np.asarray(step))).to(theta.dtype))


@sam_gradient.misconception("This is the gradient where theta is: take it again, a distance rho further uphill.")
def sam_does_not_climb(grad_fn, theta, rho):
    return grad_fn(theta)


@sam_gradient.misconception(
    "The climb is rho times the whole gradient. It has length rho: divide the gradient by its norm."
)
def sam_climb_not_normalised(grad_fn, theta, rho):
    return grad_fn(theta + rho * grad_fn(theta))


@sam_gradient.misconception("This goes downhill: SAM looks where the loss is *larger*, at theta + rho * g / |g|.")
def sam_downhill(grad_fn, theta, rho):
    g = grad_fn(theta)
    return grad_fn(theta - rho * g / (g.norm() + 1e-12))


@sam_gradient.misconception("The climb is divided by the squared norm: take the root of the sum of squares.")
def sam_squared_norm(grad_fn, theta, rho):
    g = grad_fn(theta)
    return grad_fn(theta + rho * g / (g.square().sum() + 1e-12))


@sam_gradient.misconception(
    "The climb is rho times the sign of the gradient, a corner of a cube. The ball of radius rho needs g / |g|."
)
def sam_by_signs(grad_fn, theta, rho):
    return grad_fn(theta + rho * grad_fn(theta).sign())


@sam_gradient.misconception("Each row is scaled by its own norm; the climb has one length, over all of theta.")
def sam_norm_of_rows(grad_fn, theta, rho):
    g = grad_fn(theta)
    return grad_fn(theta + rho * g / (g.norm(dim=-1, keepdim=True) + 1e-12 if g.ndim else g.abs() + 1e-12))


@sam_gradient.misconception("The unit vector of theta is climbed along; it is the gradient's that leads uphill.")
def sam_along_theta(grad_fn, theta, rho):
    return grad_fn(theta + rho * theta / (theta.norm() + 1e-12))


@sam_gradient.misconception("This is the place rho uphill; return the gradient there.")
def sam_returns_the_place(grad_fn, theta, rho):
    g = grad_fn(theta)
    return theta + rho * g / (g.norm() + 1e-12)


@sam_gradient.misconception("The two gradients are added up or averaged. SAM uses the second alone.")
def sam_mean_of_both(grad_fn, theta, rho):
    g = grad_fn(theta)
    return (g + grad_fn(theta + rho * g / (g.norm() + 1e-12))) / 2


@sam_gradient.misconception("The two gradients are added up. SAM uses the second alone.")
def sam_sum_of_both(grad_fn, theta, rho):
    g = grad_fn(theta)
    return g + grad_fn(theta + rho * g / (g.norm() + 1e-12))


@sam_gradient.misconception("At a minimum the gradient is 0, and 0/0 is nan: add a small number to the norm.")
def sam_zero_over_zero(grad_fn, theta, rho):
    g = grad_fn(theta)
    return grad_fn(theta + rho * g / g.norm())


@sam_gradient.misconception(
    "theta was moved and not moved back: work on a copy, or write theta + ..., which makes a new tensor."
)
def sam_in_place(grad_fn, theta, rho):
    g = grad_fn(theta).clone()
    theta += rho * g / (g.norm() + 1e-12)
    return grad_fn(theta)


@sam_gradient.breaks_rule
def sam_by_a_package(grad_fn, theta, rho):
    from pytorch_optimizer import SAM

    parameter = theta.clone().requires_grad_()
    optimiser = SAM([parameter], torch.optim.SGD, lr=1.0, rho=rho)
    parameter.grad = grad_fn(theta)
    optimiser.first_step()
    return grad_fn(parameter.detach())


# ---------------------------------------------------------------------------------------- schedule_free_step
# Inputs: t from 1 to 90,000; beta from 0 to 1; runs of 300 steps.
@exercise(
    hints=[
        "Three lines, in this order: z takes a plain gradient step, x becomes the average of all z so far, y lies between the two.",
        "The average without keeping all z: x <- (1 - 1/t) x + (1/t) z, with the new z and t counted from 1, so that the first x is the first z.",
        "z = z - lr * grad; x = x + (z - x) / t; return z, x, (1 - beta) * z + beta * x",
    ],
    forbid=OPTIMISERS,
    modules=MODULES,
    because=BECAUSE,
)
def schedule_free_step(z, x, grad, t, lr, beta):
    z, x = z.numpy() - lr * grad.numpy(), x.numpy()
    x = np.average(np.stack([x, z]), axis=0, weights=[t - 1, 1])
    return z, x, np.average(np.stack([z, x]), axis=0, weights=[1 - beta, beta])


schedule_free_step.made_of(
    {
        "lr times the gradient": lambda z, x, grad, t, lr, beta: -lr * grad,
        "the old x, times 1 - 1/t": lambda z, x, grad, t, lr, beta: (1 - 1 / t) * x,
        "the new z, times 1/t": lambda z, x, grad, t, lr, beta: (z - lr * grad) / t,
        "(1 - beta) z": lambda z, x, grad, t, lr, beta: (1 - beta) * (z - lr * grad),
        "beta x": lambda z, x, grad, t, lr, beta: beta * (x + (z - lr * grad - x) / t),
    }
)


@schedule_free_step.oracle
def schedule_free_one_number_at_a_time(z, x, grad, t, lr, beta):
    rows = []
    for at, mean, slope in zip(*(part.flatten().tolist() for part in (z, x, grad)), strict=True):
        total = mean * (t - 1) + at - lr * slope
        rows.append((at - lr * slope, total / t, (at - lr * slope) + beta * (total / t - (at - lr * slope))))
    return tuple(f64(*column).reshape(z.shape) for column in zip(*rows, strict=True)) if rows else (z, z, z)


FREE_PARTS = ["z", "x", "y"]


def free_state(rng, *shape, dtype=F64):
    """z, x and a gradient."""
    return normal(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype), signed(rng, *shape, dtype=dtype)


def free_rates(rng):
    """lr and beta."""
    return number(rng, 0.05, 0.5), number(rng, 0.6, 0.95)


@schedule_free_step.criterion("one step", marks=1.5, says="One step of Schedule-Free SGD, t counted from 1")
def schedule_free_definition(rng):
    yield case(f64(1.0, -2.0), f64(2.0, 0.0), f64(3.0, -0.5), 4, 0.1, 0.9, parts=FREE_PARTS)
    yield case(*free_state(rng, 3), size(rng, 3, 20), *free_rates(rng), parts=FREE_PARTS)


@schedule_free_step.criterion("the first step, and a late one", marks=0.5, says="`t` 1 or large")
def schedule_free_first(rng):
    start = normal(rng, 3)
    yield case(start, start.clone(), signed(rng, 3), 1, *free_rates(rng), parts=FREE_PARTS)
    yield case(*free_state(rng, 2), size(rng, 10_000, 90_000), *free_rates(rng), parts=FREE_PARTS)


@schedule_free_step.criterion(
    "any shape, beta 0 and 1", marks=0.5, says="Shapes, dtype and inputs as in `lion_step`; `beta` may be 0 or 1"
)
def schedule_free_shapes(rng):
    lr, beta = free_rates(rng)
    yield case(*free_state(rng), size(rng, 2, 9), lr, beta, parts=FREE_PARTS)
    yield case(*free_state(rng, 2, 3), size(rng, 2, 9), lr, 0.0, parts=FREE_PARTS)
    yield case(*free_state(rng, 3), size(rng, 2, 9), lr, 1.0, parts=FREE_PARTS)
    yield case(*[torch.zeros(0, 3, dtype=F64)] * 3, 2, lr, beta, parts=FREE_PARTS)


@schedule_free_step.criterion("follows Schedule-Free SGD for 300 steps", marks=1, says="on for 300 steps")
def schedule_free_runs(rng):
    lr, beta = free_rates(rng)
    for theta, first, seed in starts(rng):
        (grads,) = streams(seed, [first])
        z = theta.numpy() - lr * np.cumsum(grads, axis=0)
        x = np.cumsum(z, axis=0) / np.arange(1, len(z) + 1).reshape(-1, *[1] * theta.ndim)
        yield run((z, x, z + beta * (x - z)), FREE_PARTS, [[0, 0], [1, 1]], [2], seed, theta, theta.clone(), first, 1, lr, beta,
                  source="what Schedule-Free SGD (Defazio et al., 2024) does")  # fmt: skip


@schedule_free_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="Shapes, dtype and inputs as in `lion_step`"
)
def schedule_free_dtypes(rng):
    for dtype in (F64, F32):
        yield case(
            *free_state(rng, 3, dtype=dtype), size(rng, 2, 9), *free_rates(rng), parts=FREE_PARTS, unchanged=True
        )


@schedule_free_step.alternative
def schedule_free_as_printed(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = (1 - 1 / t) * x + 1 / t * z
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.alternative
def schedule_free_with_lerp(z, x, grad, t, lr, beta):
    z = torch.sub(z, grad, alpha=lr)
    x = torch.lerp(x, z, 1 / t)
    return [z, x, torch.lerp(z, x, beta)]


@schedule_free_step.alternative
def schedule_free_in_place_on_copies(z, x, grad, t, lr, beta):
    z, x = z.clone(), x.clone()
    z.add_(grad, alpha=-lr)
    x.mul_(t - 1).add_(z).div_(t)
    return z, x, z.mul(1 - beta).add_(x, alpha=beta)


@schedule_free_step.alternative
def schedule_free_with_numpy(z, x, grad, t, lr, beta):
    a, b, g = (part.numpy().astype(np.float64) for part in (z, x, grad))
    a = a - lr * g
    b = b + (a - b) / t
    return tuple(torch.as_tensor(part, dtype=z.dtype) for part in (a, b, beta * b + (1 - beta) * a))


@schedule_free_step.misconception(
    "The average is one step late: with t counted from 1 the newest z has weight 1/t, so that the first x is the first z; this gives it 1/(t + 1), and the starting point stays in for ever."
)
def schedule_free_weight_of_the_next(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = x + (z - x) / (t + 1)
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception("beta weighs x, the average; z gets 1 - beta. Here the two are exchanged in y.")
def schedule_free_weights_exchanged(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = x + (z - x) / t
    return z, x, beta * z + (1 - beta) * x


@schedule_free_step.misconception("x averages the new z: take z's step before the average.")
def schedule_free_averages_the_old_z(z, x, grad, t, lr, beta):
    x = x + (z - x) / t
    z = z - lr * grad
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception("y is made from the new z and the new x; this still uses the x that came in.")
def schedule_free_y_from_the_old_x(z, x, grad, t, lr, beta):
    z = z - lr * grad
    return z, x + (z - x) / t, (1 - beta) * z + beta * x


@schedule_free_step.misconception(
    "y is made from the z and x that came in: that is the place where `grad` was taken. Return the next one."
)
def schedule_free_old_y(z, x, grad, t, lr, beta):
    y = (1 - beta) * z + beta * x
    z = z - lr * grad
    return z, x + (z - x) / t, y


@schedule_free_step.misconception("The gradient moves z, not x or y: x only averages.")
def schedule_free_moves_x(z, x, grad, t, lr, beta):
    z = x - lr * grad
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception(
    "The gradient step starts from y. The gradient is *taken* at y, but it is z that moves: z - lr * grad."
)
def schedule_free_moves_y(z, x, grad, t, lr, beta):
    z = (1 - beta) * z + beta * x - lr * grad
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception(
    "x is a moving average with beta here. It is the plain average of all z: the newest has weight 1/t."
)
def schedule_free_moving_average(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = beta * x + (1 - beta) * z
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception(
    "The weights of the average are exchanged: the newest z gets 1/t, the old x keeps 1 - 1/t."
)
def schedule_free_newest_heavy(z, x, grad, t, lr, beta):
    z = z - lr * grad
    x = x / t + (1 - 1 / t) * z
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.misconception("This walks uphill: z - lr * grad.")
def schedule_free_uphill(z, x, grad, t, lr, beta):
    return schedule_free_as_printed(z, x, grad, t, -lr, beta)


@schedule_free_step.misconception("The results are in another order: return (z, x, y).")
def schedule_free_another_order(z, x, grad, t, lr, beta):
    z, x, y = schedule_free_as_printed(z, x, grad, t, lr, beta)
    return x, y, z


@schedule_free_step.misconception("y is missing: return (z, x, y), with y the place for the next gradient.")
def schedule_free_without_y(z, x, grad, t, lr, beta):
    return schedule_free_as_printed(z, x, grad, t, lr, beta)[:2]


@schedule_free_step.misconception(
    "The caller's z or x was changed in place. Write z = z - lr * grad, which makes a new tensor, not z -= ..."
)
def schedule_free_in_place(z, x, grad, t, lr, beta):
    z -= lr * grad
    x += (z - x) / t
    return z, x, (1 - beta) * z + beta * x


@schedule_free_step.breaks_rule
def schedule_free_by_its_authors(z, x, grad, t, lr, beta):
    from schedulefree import SGDScheduleFree

    parameter = ((1 - beta) * z + beta * x).requires_grad_()
    optimiser = SGDScheduleFree([parameter], lr=lr, momentum=beta)
    optimiser.train()
    parameter.grad = grad.clone()
    optimiser.step()
    return optimiser.state[parameter]["z"], x, parameter.detach()


# ------------------------------------------------------------------------------------------------ adopt_step
# Inputs: v below eps^2, 0 and far above; t = 1; runs of 300 steps.
@exercise(
    hints=[
        "In the first call (t == 1) only v changes: it becomes the squared gradient. theta and m come back as they are.",
        "Afterwards, in this order: divide the gradient by the root of the v that came in (at least eps), average the result into m, step along m, and only then put the gradient into v.",
        "m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps); theta = theta - lr * m; v = beta2 * v + (1 - beta2) * grad**2",
    ],
    forbid=OPTIMISERS,
    modules=MODULES,
    because=BECAUSE,
)
def adopt_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    theta, grad, m, v = (x.numpy() for x in (theta, grad, m, v))
    if t == 1:
        return theta, m, np.square(grad)
    m = m + (1 - beta1) * (grad / np.maximum(np.sqrt(v), eps) - m)
    return theta - lr * m, m, v + (1 - beta2) * (np.square(grad) - v)


adopt_step.made_of(
    {
        "beta1 m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: beta1 * m,
        "(1 - beta1) times the normalised gradient": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (
            (1 - beta1) * grad / v.sqrt().clamp(min=eps)
        ),
        "beta2 v": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: beta2 * v,
        "(1 - beta2) grad**2": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (1 - beta2) * grad**2,
        "lr times the new m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (
            -lr * (beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps))
        ),
    }
)


@adopt_step.oracle
def adopt_one_number_at_a_time(theta, grad, m, v, t, lr, beta1, beta2, eps):
    rows = []
    for p, g, a, b in zip(*(x.flatten().tolist() for x in (theta, grad, m, v)), strict=True):
        if t > 1:
            a = beta1 * a + (1 - beta1) * g / max(math.sqrt(b), eps)
            p -= lr * a
            b = math.fsum([beta2 * b, (1 - beta2) * g**2])
        else:
            b = g**2
        rows.append((p, a, b))
    return tuple(f64(*column).reshape(theta.shape) for column in zip(*rows, strict=True)) if rows else (theta, m, v)


ADOPT_PARTS = ["theta", "m", "v"]


def adopt_state(rng, *shape, dtype=F64):
    """theta, grad, m and v of a run that is under way."""
    return [
        x.to(dtype) for x in (normal(rng, *shape), signed(rng, *shape), signed(rng, *shape) / 2, positive(rng, *shape))
    ]


def adopt_rates(rng):
    """lr, beta1 and beta2."""
    return number(rng, 0.01, 0.1), number(rng, 0.8, 0.95), number(rng, 0.97, 0.995)


@adopt_step.criterion("one step", marks=1, says="One step of ADOPT, t counted from 1")
def adopt_definition(rng):
    yield case(f64(1.0, -2.0), f64(3.0, -0.5), f64(0.2, 0.1), f64(4.0, 1.0), 2, 0.1, 0.9, 0.99, 1e-6, parts=ADOPT_PARTS)
    yield case(*adopt_state(rng, 3), size(rng, 3, 12), *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS)


@adopt_step.criterion("the first call only fills v", marks=0.5, says="Where `t` is 1, only `v` changes")
def adopt_first(rng):
    zero = torch.zeros(3, dtype=F64)
    yield case(normal(rng, 3), signed(rng, 3), zero, zero, 1, *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS)
    yield case(normal(rng), signed(rng), f64(0.0)[0], f64(0.0)[0], 1, *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS)


@adopt_step.criterion(
    "eps is a floor, and any shape",
    marks=0.5,
    says=("`eps` is a floor under the root, not added to it", "Shapes, dtype, inputs and the 300 steps as before"),
)
def adopt_scales(rng):
    theta, grad, m, v = adopt_state(rng, 4)
    tiny = grad * f64(1.0, 0.0, 1e-3, 1.0)
    yield case(
        theta,
        tiny,
        m,
        v * f64(1e-4, 0.0, 0.0, 1.0),
        size(rng, 2, 9),
        *adopt_rates(rng),
        number(rng, 0.05, 0.2),
        parts=ADOPT_PARTS,
    )
    yield case(*adopt_state(rng, 2, size(rng, 1, 2)), size(rng, 2, 9), *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS)
    yield case(*adopt_state(rng, 0, 3), size(rng, 2, 9), *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS)


@adopt_step.criterion("follows ADOPT for 300 steps", marks=1, says="Shapes, dtype, inputs and the 300 steps as before")
def adopt_runs(rng):
    lr, beta1, beta2 = adopt_rates(rng)
    for theta, first, seed in starts(rng):
        (grads,) = streams(seed, [first])
        rest = signal.lfilter([1 - beta2], [1, -beta2], grads[1:] ** 2, axis=0, zi=beta2 * grads[:1] ** 2)[0]
        v = np.concatenate([grads[:1] ** 2, rest])
        m = np.concatenate([0 * grads[:1], average(grads[1:] / np.maximum(np.sqrt(v[:-1]), 1e-6), beta1)])
        path = theta.numpy() - lr * np.cumsum(m, axis=0)
        zero = torch.zeros_like(theta)
        yield run((path, m, v), ADOPT_PARTS, [[0, 0], [2, 1], [3, 2]], [1], seed, theta, first, zero, zero.clone(), 1,
                  lr, beta1, beta2, 1e-6, source="what ADOPT (Taniguchi et al., 2024) does")  # fmt: skip


@adopt_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="Shapes, dtype, inputs and the 300 steps as before"
)
def adopt_dtypes(rng):
    for dtype in (F64, F32):
        yield case(
            *adopt_state(rng, 3, dtype=dtype),
            size(rng, 2, 9),
            *adopt_rates(rng),
            1e-6,
            parts=ADOPT_PARTS,
            unchanged=True,
        )
        yield case(*adopt_state(rng, 2, dtype=dtype), 1, *adopt_rates(rng), 1e-6, parts=ADOPT_PARTS, unchanged=True)


@adopt_step.alternative
def adopt_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / torch.clamp(v.sqrt(), min=eps)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.alternative
def adopt_with_lerp(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t < 2:
        return [theta.clone(), m.clone(), grad.square()]
    scaled = grad / torch.maximum(torch.sqrt(v), torch.tensor(eps, dtype=v.dtype))
    m = torch.lerp(m, scaled, 1 - beta1)
    return [torch.add(theta, m, alpha=-lr), m, torch.lerp(v, grad * grad, 1 - beta2)]


@adopt_step.alternative
def adopt_in_place_on_copies(theta, grad, m, v, t, lr, beta1, beta2, eps):
    theta, m, v = theta.clone(), m.clone(), v.clone()
    if t == 1:
        v.copy_(grad).mul_(grad)
    else:
        m.mul_(beta1).addcdiv_(grad, v.sqrt().clamp_(min=eps), value=1 - beta1)
        theta.sub_(m, alpha=lr)
        v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    return theta, m, v


@adopt_step.alternative
def adopt_with_numpy(theta, grad, m, v, t, lr, beta1, beta2, eps):
    p, g, a, b = (x.numpy().astype(np.float64) for x in (theta, grad, m, v))
    if t > 1:
        a = beta1 * a + (1 - beta1) * g / np.maximum(np.sqrt(b), eps)
        p = p - lr * a
    b = g**2 if t == 1 else beta2 * b + (1 - beta2) * g**2
    return tuple(torch.as_tensor(x, dtype=theta.dtype) for x in (p, a, b))


@adopt_step.misconception(
    "v gets the gradient before it divides it, as in Adam; that is what ADOPT mends. Divide by the v that came in, and renew v last."
)
def adopt_new_v(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    v = beta2 * v + (1 - beta2) * grad**2
    m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps)
    return theta - lr * m, m, v


@adopt_step.misconception(
    "m averages plain gradients and is divided afterwards. ADOPT divides each gradient first, and averages the quotients."
)
def adopt_divides_m(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad
    return theta - lr * m / v.sqrt().clamp(min=eps), m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("eps is added to the root; here it is the least that the root may be: max(sqrt(v), eps).")
def adopt_eps_added(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / (v.sqrt() + eps)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("The floor is put under v; it belongs under the root: max(sqrt(v), eps).")
def adopt_floor_under_v(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / v.clamp(min=eps).sqrt()
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("The root is missing: the gradient is divided by max(sqrt(v), eps).")
def adopt_without_root(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / v.clamp(min=eps)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("In the first call v becomes the whole squared gradient, not 1 - beta2 of it.")
def adopt_first_v_averaged(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return (
        (theta, m, (1 - beta2) * grad**2) if t == 1 else adopt_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    )


@adopt_step.misconception("The first call (t == 1) only fills v: there is no v yet to divide by, so theta and m stay.")
def adopt_steps_at_once(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adopt_as_printed(theta, grad, m, v, t + 1, lr, beta1, beta2, eps)


@adopt_step.misconception(
    "The first call moves theta: it fills v with the squared gradient and goes on with that. It only fills v."
)
def adopt_fills_and_steps(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adopt_as_printed(theta, grad, m, grad**2 if t == 1 else v, max(t, 2), lr, beta1, beta2, eps)


@adopt_step.misconception("There is no bias correction here: v starts at the first squared gradient, not at 0.")
def adopt_v_corrected(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    root = (v / (1 - beta2 ** (t - 1))).sqrt().clamp(min=eps)
    m = beta1 * m + (1 - beta1) * grad / root
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("m is not corrected: theta moves by lr * m.")
def adopt_m_corrected(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps)
    return theta - lr * m / (1 - beta1**t), m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception(
    "The quotient is clipped at t^(1/4), as in the authors' later code; here it is left as it is."
)
def adopt_clipped(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, grad**2
    bound = t**0.25
    m = beta1 * m + (1 - beta1) * (grad / v.sqrt().clamp(min=eps)).clamp(-bound, bound)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


@adopt_step.misconception("theta moves along the m that came in; renew m first.")
def adopt_old_m(theta, grad, m, v, t, lr, beta1, beta2, eps):
    _, new, v = adopt_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return (theta if t == 1 else theta - lr * m), new, v


@adopt_step.misconception("beta1 and beta2 are exchanged: beta1 belongs to m, beta2 to v.")
def adopt_betas_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adopt_as_printed(theta, grad, m, v, t, lr, beta2, beta1, eps)


@adopt_step.misconception("This walks uphill: subtract lr * m.")
def adopt_uphill(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adopt_as_printed(theta, grad, m, v, t, -lr, beta1, beta2, eps)


@adopt_step.misconception(
    "The caller's tensors were changed in place. Write v = beta2 * v + ..., which makes a new tensor, not v.mul_(beta2) or theta -= ..."
)
def adopt_in_place(theta, grad, m, v, t, lr, beta1, beta2, eps):
    if t == 1:
        return theta, m, v.copy_(grad**2)
    m.mul_(beta1).add_(grad / v.sqrt().clamp(min=eps), alpha=1 - beta1)
    theta -= lr * m
    return theta, m, v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)


@adopt_step.breaks_rule
def adopt_by_a_package(theta, grad, m, v, t, lr, beta1, beta2, eps):
    from pytorch_optimizer import ADOPT

    parameter = theta.clone().requires_grad_()
    optimiser = ADOPT([parameter], lr=lr, betas=(beta1, beta2), eps=eps, clip_lambda=None)
    parameter.grad = grad.clone()
    optimiser.step()
    return parameter.detach(), m, v


# ----------------------------------------------------------------------------------------------- sophia_step
# Inputs: h negative, 0 and above eps; runs of 300 steps; indefinite Hessians.
@exercise(
    stretch=True,
    hints=[
        "The estimate: draw u with entries +1 and -1, differentiate once with create_graph=True, differentiate (gradient . u) again for H u, and multiply by u elementwise.",
        "The step: average the gradient into m and the estimate into h, divide m by h (at least eps), clip the quotient to [-rho, rho], and step against it.",
        "m = beta1 * m + (1 - beta1) * grad; h = beta2 * h + (1 - beta2) * hessian_diagonal; theta = theta - lr * (m / h.clamp(min=eps)).clamp(-rho, rho)",
    ],
    forbid=[*OPTIMISERS, "hessian", "jacobian", "jacrev", "jacfwd", "vhp"],
    modules=MODULES,
    because="Write the update yourself, and never form the Hessian.",
)
def sophia_step(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = torch.lerp(m, grad, 1 - beta1), torch.lerp(h, hessian_diagonal, 1 - beta2)
    quotient = m / h.clamp(min=eps)
    return theta - lr * torch.where(quotient.abs() > rho, rho * m.sign(), quotient), m, h


@sophia_step.also
def hessian_diagonal_estimate(loss_fn, params, generator):
    u = torch.randint(0, 2, params.shape, generator=generator).to(params.dtype) * 2 - 1
    _, product = torch.autograd.functional.hvp(loss_fn, params, u)
    return u * product


sophia_step.made_of(
    {
        "beta1 m": lambda theta, grad, curvature, m, h, lr, beta1, beta2, rho, eps: beta1 * m,
        "(1 - beta1) grad": lambda theta, grad, curvature, m, h, lr, beta1, beta2, rho, eps: (1 - beta1) * grad,
        "beta2 h": lambda theta, grad, curvature, m, h, lr, beta1, beta2, rho, eps: beta2 * h,
        "(1 - beta2) hessian_diagonal": lambda theta, grad, curvature, m, h, lr, beta1, beta2, rho, eps: (
            (1 - beta2) * curvature
        ),
    }
)


@sophia_step.oracle
def sophia_one_number_at_a_time(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    rows = []
    for p, g, d, a, b in zip(*(x.flatten().tolist() for x in (theta, grad, hessian_diagonal, m, h)), strict=True):
        a, b = beta1 * a + (1 - beta1) * g, beta2 * b + (1 - beta2) * d
        least = b if b > eps else eps
        rows.append((p - lr * math.copysign(min(abs(a) / least, rho), a), a, b))
    return tuple(f64(*column).reshape(theta.shape) for column in zip(*rows, strict=True)) if rows else (theta, m, h)


SOPHIA_PARTS = ["theta", "m", "h"]


def sophia_state(rng, *shape, dtype=F64):
    """theta, grad, an estimate of the Hessian's diagonal, m and h."""
    made = (normal(rng, *shape), signed(rng, *shape), positive(rng, *shape), signed(rng, *shape), positive(rng, *shape))
    return [x.to(dtype) for x in made]


def sophia_rates(rng):
    """lr, beta1, beta2 and rho: about half of the quotients are clipped."""
    return number(rng, 0.01, 0.1), number(rng, 0.8, 0.95), number(rng, 0.9, 0.99), number(rng, 0.7, 0.95)


@sophia_step.criterion("one step", marks=1, says="One step of Sophia: the new (theta, m, h)")
def sophia_definition(rng):
    two = (f64(1.0, -2.0), f64(0.5, 3.0), f64(2.0, 1.0), f64(0.1, 1.0), f64(1.0, 0.5))
    yield case(*two, 0.1, 0.9, 0.99, 0.5, 1e-12, parts=SOPHIA_PARTS)
    yield case(*sophia_state(rng, 6), *sophia_rates(rng), 1e-12, parts=SOPHIA_PARTS)


@sophia_step.criterion(
    "flat and negative curvature, any shape",
    marks=0.5,
    says=("Where $h$ is not above `eps`, divide by `eps`", "Shapes,"),
)
def sophia_edges(rng):
    theta, grad, estimate, m, h = sophia_state(rng, 4)
    bent = f64(-1.0, 0.0, 1.0, 1.0)
    yield case(
        theta, grad, estimate * bent, m, h * bent, *sophia_rates(rng), number(rng, 0.05, 0.2), parts=SOPHIA_PARTS
    )
    for shape in ((), (2, 3), (0, 3)):
        yield case(*sophia_state(rng, *shape), *sophia_rates(rng), 1e-12, parts=SOPHIA_PARTS)


@sophia_step.criterion("follows Sophia for 300 steps", marks=0.5, says="the 300 steps as before")
def sophia_runs(rng):
    lr, beta1, beta2, rho = sophia_rates(rng)
    for shape in ((), (2, 2)):
        theta, first, estimate, seed = (
            normal(rng, *shape),
            signed(rng, *shape),
            positive(rng, *shape),
            size(rng, 1, 10_000),
        )
        grads, estimates = streams(seed, [first, estimate])
        m, h = average(grads, beta1), average(estimates, beta2)
        path = theta.numpy() - lr * np.cumsum(np.clip(m / np.maximum(h, 0.01), -rho, rho), axis=0)
        zero = torch.zeros_like(theta)
        yield run((path, m, h), SOPHIA_PARTS, [[0, 0], [3, 1], [4, 2]], [1, 2], seed, theta, first, estimate, zero,
                  zero.clone(), lr, beta1, beta2, rho, 0.01, source="what Sophia (Liu et al., 2023) does")  # fmt: skip


DRAWS = 150


def estimates_of(loss, hessian, params, rng):
    """Estimates over many draws: their mean, within six standard errors of normal draws, which are the widest."""
    spread = (hessian.diagonal().square() + hessian.square().sum(-1)).sqrt().max().item()
    return case(loss, params, Seed(size(rng, 0, 10**6)), function="hessian_diagonal_estimate",
                driver="average_estimates", parameters=[DRAWS],
                expected={"judge": "estimates", "value": plain.encode(hessian.diagonal().reshape(params.shape).clone()),
                          "dtype": "float64", "rtol": 0.0, "atol": 6 * spread / math.sqrt(DRAWS)})  # fmt: skip


@sophia_step.criterion(
    "the estimate is right on average, by products alone",
    marks=0.5,
    says=("one estimate, in the shape of `params`", "The Hessian is never formed"),
)
def sophia_estimates(rng):
    weights, point = positive(rng, 4), signed(rng, 2, 2)
    bent = torch.diag(weights * point.flatten() ** 2)
    yield estimates_of(Function("quartic_loss", (weights.reshape(2, 2),)), bent, point, rng)
    tilt = signed(rng, 3, 3, scale=0.2)
    saddle = torch.diag(f64(-number(rng, 4, 6), number(rng, 1, 2), 3.0)) + tilt + tilt.T
    yield estimates_of(Function("quadratic_loss", (saddle,)), saddle, normal(rng, 3), rng)


@sophia_step.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("changes nothing that came in", "dtype and the 300 steps as before"),
)
def sophia_dtypes(rng):
    for dtype in (F64, F32):
        yield case(*sophia_state(rng, 3, dtype=dtype), *sophia_rates(rng), 1e-12, parts=SOPHIA_PARTS, unchanged=True)


def sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2):
    return blend_of(m, grad, beta1), blend_of(h, hessian_diagonal, beta2)


@sophia_step.alternative
def sophia_as_printed(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m = beta1 * m + (1 - beta1) * grad
    h = beta2 * h + (1 - beta2) * hessian_diagonal
    return theta - lr * torch.clamp(m / torch.clamp(h, min=eps), -rho, rho), m, h


@sophia_step.alternative
def sophia_in_place_on_copies(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    theta, m, h = theta.clone(), m.clone(), h.clone()
    m.mul_(beta1).add_(grad, alpha=1 - beta1)
    h.mul_(beta2).add_(hessian_diagonal, alpha=1 - beta2)
    update = m.div(h.clamp(min=eps)).clamp_(-rho, rho)
    return [theta.sub_(update, alpha=lr), m, h]


@sophia_step.alternative
def sophia_with_numpy(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    p, g, d, a, b = (x.numpy().astype(np.float64) for x in (theta, grad, hessian_diagonal, m, h))
    a, b = beta1 * a + (1 - beta1) * g, beta2 * b + (1 - beta2) * d
    p = p - lr * np.sign(a) * np.minimum(np.abs(a) / np.maximum(b, eps), rho)
    return tuple(torch.as_tensor(x, dtype=theta.dtype) for x in (p, a, b))


def with_estimate(function):
    """An alternative that differs in the estimate."""
    sophia_step.alternatives[function.__name__] = {**sophia_step.references, "sophia_step": sophia_as_printed,
                                                   "hessian_diagonal_estimate": function}  # fmt: skip
    return function


@with_estimate
def estimate_by_two_gradients(loss_fn, params, generator):
    theta = params.detach().clone().requires_grad_()
    u = torch.sign(torch.rand(params.shape, generator=generator, dtype=params.dtype) - 0.5)
    (grad,) = torch.autograd.grad(loss_fn(theta), theta, create_graph=True)
    (product,) = torch.autograd.grad((grad * u).sum(), theta)
    return product * u


@with_estimate
def estimate_with_normal_draws(loss_fn, params, generator):
    theta = params.clone().requires_grad_()
    u = torch.randn(params.shape, generator=generator, dtype=params.dtype)
    grad = torch.autograd.grad(loss_fn(theta), [theta], create_graph=True)
    return u * torch.autograd.grad(grad, [theta], [u])[0]


@with_estimate
def estimate_with_bernoulli(loss_fn, params, generator):
    theta = params.clone().requires_grad_()
    u = torch.full_like(params, 0.5).bernoulli_(0.5, generator=generator) * 2 - 1
    grad = torch.autograd.grad(loss_fn(theta), theta, create_graph=True)[0]
    return u * torch.autograd.grad(grad, theta, grad_outputs=u)[0]


@sophia_step.misconception("The quotient is not clipped: each entry stays within [-rho, rho].")
def sophia_not_clipped(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * m / h.clamp(min=eps), m, h


@sophia_step.misconception("m is clipped before it is divided. Divide first, and clip the quotient.")
def sophia_clips_m(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * m.clamp(-rho, rho) / h.clamp(min=eps), m, h


@sophia_step.misconception("The quotient is clipped at 1; the bound is rho.")
def sophia_clips_at_one(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return sophia_as_printed(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, 1.0, eps)


@sophia_step.misconception(
    "This divides by the root of h, as Adam does with v. h is a curvature already: divide by h itself."
)
def sophia_with_root(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * (m / h.clamp(min=eps).sqrt()).clamp(-rho, rho), m, h


@sophia_step.misconception("h averages the square of the estimate here; it averages the estimate itself.")
def sophia_squares_the_estimate(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return sophia_as_printed(theta, grad, hessian_diagonal**2, m, h, lr, beta1, beta2, rho, eps)


@sophia_step.misconception("The new estimate is used as it comes. Average it into h by beta2, and divide by h.")
def sophia_h_not_averaged(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return sophia_as_printed(theta, grad, hessian_diagonal, m, h, lr, beta1, 0.0, rho, eps)


@sophia_step.misconception("The gradient is divided instead of m, its average.")
def sophia_divides_the_gradient(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * (grad / h.clamp(min=eps)).clamp(-rho, rho), m, h


@sophia_step.misconception(
    "The absolute value of h lets a step grow where the curvature is negative. Take max(h, eps), which there steps as far as the clip allows."
)
def sophia_absolute_curvature(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * (m / h.abs().clamp(min=eps)).clamp(-rho, rho), m, h


@sophia_step.misconception(
    "eps is added to h; it is the least divisor: max(h, eps). Added, a negative h turns the step uphill."
)
def sophia_eps_added(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m, h = sophia_moments(grad, hessian_diagonal, m, h, beta1, beta2)
    return theta - lr * (m / (h + eps)).clamp(-rho, rho), m, h


@sophia_step.misconception("beta1 and beta2 are exchanged: beta1 belongs to m, beta2 to h.")
def sophia_betas_exchanged(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return sophia_as_printed(theta, grad, hessian_diagonal, m, h, lr, beta2, beta1, rho, eps)


@sophia_step.misconception("This walks uphill: subtract lr times the clipped quotient.")
def sophia_uphill(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    return sophia_as_printed(theta, grad, hessian_diagonal, m, h, -lr, beta1, beta2, rho, eps)


@sophia_step.misconception(
    "The caller's tensors were changed in place. Write m = beta1 * m + ..., which makes a new tensor, not m.mul_(beta1)."
)
def sophia_in_place(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    m.mul_(beta1).add_(grad, alpha=1 - beta1)
    h.mul_(beta2).add_(hessian_diagonal, alpha=1 - beta2)
    return theta.sub_(lr * (m / h.clamp(min=eps)).clamp(-rho, rho)), m, h


NEVER = {"judge": "estimates", "value": argument_as_data(f64()), "rtol": 0.0, "atol": 0.0}


def seems(what):
    """Knows estimates by what their mean seems to be."""
    return lambda one: one.expected | {"seems": what} if one.driver == "average_estimates" else NEVER


def signs_like(params, generator):
    return torch.randint(0, 2, params.shape, generator=generator).to(params.dtype) * 2 - 1


def raises_where_it_estimates(one):
    """How an answer looks that cannot differentiate twice."""
    return {"judge": "raises", "error": "RuntimeError"} if one.driver == "average_estimates" else NEVER


@sophia_step.misconception(
    "The gradient cannot be differentiated a second time: ask for it with create_graph=True.",
    function="hessian_diagonal_estimate",
    looks=raises_where_it_estimates,
)
def estimate_without_graph(loss_fn, params, generator):
    theta, u = params.clone().requires_grad_(), signs_like(params, generator)
    (grad,) = torch.autograd.grad(loss_fn(theta), theta)
    return u * torch.autograd.grad((grad * u).sum(), theta)[0]


@sophia_step.misconception(
    "H u is not multiplied by u again, so it is 0 on average: the estimate is u * (H u).",
    function="hessian_diagonal_estimate",
    looks=seems("zero"),
)
def estimate_without_second_u(loss_fn, params, generator):
    return torch.autograd.functional.hvp(loss_fn, params, signs_like(params, generator))[1]


@sophia_step.misconception(
    "This is the sum over all parameters, an estimate of the trace. Multiply u and H u elementwise, and add nothing up.",
    function="hessian_diagonal_estimate",
    looks=seems("the trace"),
)
def estimate_of_the_trace(loss_fn, params, generator):
    u = signs_like(params, generator)
    return torch.full_like(u, (u * torch.autograd.functional.hvp(loss_fn, params, u)[1]).sum().item())


@sophia_step.misconception(
    "The sign of the curvature is lost: return u * (H u) as it is, negative where the loss bends down.",
    function="hessian_diagonal_estimate",
    looks=seems("never negative"),
)
def estimate_without_sign(loss_fn, params, generator):
    u = signs_like(params, generator)
    return (u * torch.autograd.functional.hvp(loss_fn, params, u)[1]).abs()


@sophia_step.breaks_rule
def sophia_by_a_package(theta, grad, hessian_diagonal, m, h, lr, beta1, beta2, rho, eps):
    from pytorch_optimizer import SophiaH

    parameter = theta.clone().requires_grad_()
    optimiser = SophiaH([parameter], lr=lr, betas=(beta1, beta2), p=rho, eps=eps)
    parameter.grad = grad.clone()
    optimiser.step(hessian=[hessian_diagonal])
    return parameter.detach(), m, h


# ------------------------------------------------------------------------------------------------- kfac_step
# Inputs: 1 to 9 samples, layers to 2 x 4; damping from 0 to 9; runs of 300 steps.
@exercise(
    stretch=True,
    hints=[
        "Two small matrices: A = a^T a / n of the inputs, (in, in), and G = g^T g / n of the gradients at the outputs, (out, out). Each gets sqrt(damping) on its diagonal.",
        "The step is G^-1 grad A^-1: solve from the left with G, and from the right with A.",
        "left = torch.linalg.solve(G, grad); step = torch.linalg.solve(A, left.mT).mT, as A is symmetric; return weight - lr * step.",
    ],
    forbid=[
        "inv",
        "inverse",
        "inv_ex",
        "pinv",
        "pinverse",
        "pinvh",
        "cholesky_inverse",
        "tensorinv",
        "matrix_power",
        "fractional_matrix_power",
        "kron",
        *OPTIMISERS,
    ],
    modules=MODULES,
    because="Solve with the two small matrices; neither an inverse nor the large product is needed.",
)
def kfac_step(weight, grad, a, g, lr, damping):
    left, right = (x.numpy().T @ x.numpy() / len(x) + math.sqrt(damping) * np.eye(x.shape[1]) for x in (g, a))
    lam, u = np.linalg.eigh(left)
    mu, v = np.linalg.eigh(right)
    return weight.numpy() - lr * u @ ((u.T @ grad.numpy() @ v) / np.outer(lam, mu)) @ v.T


@kfac_step.oracle(rtol=1e-8)
def kfac_as_one_large_matrix(weight, grad, a, g, lr, damping):
    """The Kronecker product itself, on the weight's entries row by row."""
    left, right = (x.T @ x / len(x) + math.sqrt(damping) * torch.eye(x.shape[1], dtype=F64) for x in (g, a))
    return weight - lr * torch.linalg.solve(torch.kron(left, right), grad.reshape(-1)).reshape(grad.shape)


def kfac_layer(rng, n, ins, outs, dtype=F64):
    """weight, grad, a and g of one layer seen on a batch of n."""
    a = normal(rng, n, ins) * f64(*rng.uniform(0.5, 2.0, ins)) + 0.3
    return [x.to(dtype) for x in (normal(rng, outs, ins), signed(rng, outs, ins), a, normal(rng, n, outs))]


def kfac_rates(rng):
    """lr and damping."""
    return number(rng, 0.05, 0.5), number(rng, 0.05, 0.3)


@kfac_step.criterion("one layer", marks=1.5, says="One step of K-FAC for one linear layer: the new weight")
def kfac_definition(rng):
    yield case(*kfac_layer(rng, 6, 2, 2), *kfac_rates(rng))
    yield case(*kfac_layer(rng, size(rng, 7, 9), 3, 2), *kfac_rates(rng))


@kfac_step.criterion(
    "wide layers, small batches, strong and weak damping",
    marks=0.5,
    says="Layers may be wide and batches small; the damping may",
)
def kfac_edges(rng):
    yield case(*kfac_layer(rng, 8, 2, 4), *kfac_rates(rng))
    yield case(*kfac_layer(rng, 1, 3, 2), *kfac_rates(rng))  # of rank one: only the damping makes it solvable
    yield case(*kfac_layer(rng, 9, 2, 1), number(rng, 0.05, 0.5), 0.0)
    yield case(*kfac_layer(rng, 5, 2, 2), number(rng, 0.05, 0.5), number(rng, 4.0, 9.0))


@kfac_step.criterion("goes on for 300 steps", marks=0.5, says="on for 300 steps")
def kfac_runs(rng):
    (lr, damping), seed = kfac_rates(rng), size(rng, 1, 10_000)
    weight, grad, a, g = kfac_layer(rng, 4, 3, 2)
    drawn = streams(seed, [grad, a, g])
    still = torch.zeros_like(weight)
    steps = [
        kfac_as_one_large_matrix(still, *map(torch.from_numpy, one), 1.0, damping) for one in zip(*drawn, strict=True)
    ]
    path = weight.numpy() + lr * np.cumsum(np.stack(steps), axis=0)
    yield run((path,), ["weight"], [[0, 0]], [1, 2, 3], seed, weight, grad, a, g, lr, damping,
              source="what K-FAC (Martens and Grosse, 2015) does")  # fmt: skip


@kfac_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="in the dtype of `weight`; nothing that came in is changed"
)
def kfac_dtypes(rng):
    for dtype in (F64, F32):
        yield case(
            *kfac_layer(rng, 6, 3, 2, dtype=dtype), number(rng, 0.05, 0.5), 0.5, unchanged=True, rtol=2e-5, atol=1e-5
        )


def factors(a, g, damping):
    eye = torch.eye(a.shape[1], dtype=a.dtype), torch.eye(g.shape[1], dtype=g.dtype)
    return a.mT @ a / len(a) + damping * eye[0], g.mT @ g / len(g) + damping * eye[1]


def between(grad, right, left):
    return torch.linalg.solve(right, torch.linalg.solve(left, grad).mT).mT


@kfac_step.alternative
def kfac_by_two_solutions(weight, grad, a, g, lr, damping):
    right = a.T @ a / a.shape[0] + math.sqrt(damping) * torch.eye(a.shape[1], dtype=a.dtype)
    left = g.T @ g / g.shape[0] + math.sqrt(damping) * torch.eye(g.shape[1], dtype=g.dtype)
    step = torch.linalg.solve(left, grad)
    return weight - lr * torch.linalg.solve(right, step, left=False)


@kfac_step.alternative
def kfac_by_cholesky(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, damping**0.5)
    step = torch.cholesky_solve(grad, torch.linalg.cholesky(left))
    return weight - lr * torch.cholesky_solve(step.mT.contiguous(), torch.linalg.cholesky(right)).mT


@kfac_step.alternative
def kfac_with_numpy(weight, grad, a, g, lr, damping):
    w, d, x, y = (part.double().numpy() for part in (weight, grad, a, g))
    right = np.einsum("ni,nj->ij", x, x) / len(x) + np.sqrt(damping) * np.eye(x.shape[1])
    left = np.einsum("ni,nj->ij", y, y) / len(y) + np.sqrt(damping) * np.eye(y.shape[1])
    step = np.linalg.solve(right, np.linalg.solve(left, d).T).T
    return torch.from_numpy(w - lr * step).to(weight.dtype)


@kfac_step.misconception(
    "Each factor gets the root of the damping, so that their product has the damping: math.sqrt(damping)."
)
def kfac_damping_not_rooted(weight, grad, a, g, lr, damping):
    return weight - lr * between(grad, *factors(a, g, damping))


@kfac_step.misconception("The damping is missing: sqrt(damping) goes on the diagonal of both factors.")
def kfac_undamped(weight, grad, a, g, lr, damping):
    return weight - lr * between(grad, *factors(a, g, 0.0))


@kfac_step.misconception(
    "The number is added to every entry: the damping goes on the diagonal, math.sqrt(damping) * torch.eye(d)."
)
def kfac_damping_everywhere(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, 0.0)
    return weight - lr * between(grad, right + math.sqrt(damping), left + math.sqrt(damping))


@kfac_step.misconception(
    "The damping is added to the whole product, whose diagonal gets damping. Here each factor has its own: sqrt(damping) on each diagonal."
)
def kfac_damped_as_a_whole(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, 0.0)
    lam, u = torch.linalg.eigh(left)
    mu, v = torch.linalg.eigh(right)
    return weight - lr * u @ ((u.mT @ grad @ v) / (torch.outer(lam, mu) + damping)) @ v.mT


@kfac_step.misconception("The factors are sums over the batch: divide by its size, a^T a / n and g^T g / n.")
def kfac_sums(weight, grad, a, g, lr, damping):
    n = math.sqrt(len(a))
    return weight - lr * between(grad, *factors(a * n, g * n, math.sqrt(damping)))


@kfac_step.misconception("Only the inputs' factor is used: G, of the gradients at the outputs, goes in from the left.")
def kfac_inputs_only(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * between(grad, right, torch.eye(len(left), dtype=left.dtype))


@kfac_step.misconception("Only the outputs' factor is used: A, of the inputs, goes in from the right.")
def kfac_outputs_only(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * between(grad, torch.eye(len(right), dtype=right.dtype), left)


@kfac_step.misconception("The gradient is multiplied by the factors; it must be divided, by solving with each.")
def kfac_multiplied(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * left @ grad @ right


@kfac_step.misconception(
    "The gradient is divided by roots of the factors, as Shampoo does with its own; K-FAC divides by the factors themselves."
)
def kfac_inverse_roots(weight, grad, a, g, lr, damping):
    def root(matrix):
        lam, basis = torch.linalg.eigh(matrix)
        return basis @ torch.diag(lam**-0.5) @ basis.mT

    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * root(left) @ grad @ root(right)


@kfac_step.misconception(
    "The means are taken off first, which makes covariances. K-FAC's factors are plain second moments."
)
def kfac_centred(weight, grad, a, g, lr, damping):
    return weight - lr * between(grad, *factors(a - a.mean(0), g - g.mean(0), math.sqrt(damping)))


@kfac_step.misconception("This climbs: subtract the step.")
def kfac_climbs(weight, grad, a, g, lr, damping):
    return weight + lr * between(grad, *factors(a, g, math.sqrt(damping)))


@kfac_step.misconception(
    "The caller's weight was changed in place. Write weight - lr * step, which makes a new tensor, not weight -= ..."
)
def kfac_in_place(weight, grad, a, g, lr, damping):
    weight -= lr * between(grad, *factors(a, g, math.sqrt(damping)))
    return weight


@kfac_step.breaks_rule
def kfac_by_inverses(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * torch.linalg.inv(left) @ grad @ torch.linalg.inv(right)


@kfac_step.breaks_rule
def kfac_by_the_large_matrix(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * torch.linalg.solve(torch.kron(left, right), grad.reshape(-1)).reshape(grad.shape)


@kfac_step.breaks_rule
def kfac_by_a_negative_power(weight, grad, a, g, lr, damping):
    right, left = factors(a, g, math.sqrt(damping))
    return weight - lr * torch.linalg.matrix_power(left, -1) @ grad @ torch.linalg.matrix_power(right, -1)
