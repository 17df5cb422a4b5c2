"""Verified routines for what came after Adam (notebook 07).

A step takes parameters, gradients and the optimiser's state as tensors of one shape and dtype (float64 or float32) and
returns new ones: nothing is changed in place and nothing is remembered. Rates are plain floats. Every routine raises
``ValueError`` naming the argument that cannot be meant: a negative rate, a beta outside its range, a step counted from
0, shapes that do not match.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.optimisers import _counted, _rates, _same_form

Gradient = Callable[[Tensor], Tensor]
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Muon's polynomial (Jordan 2024)


def lion_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of Lion: the sign of a blend of ``m`` and ``grad``, and decoupled decay. Returns (theta, m).

    The blend for the step has weight ``beta1``, the new m has ``beta2`` (Chen et al. 2023). Raises
    ValueError for shapes or dtypes that do not match, a negative rate, or a beta outside [0, 1).
    """
    _same_form(theta=theta, grad=grad, m=m)
    _rates(lr=lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay)
    blend = beta1 * m + (1 - beta1) * grad
    return theta - lr * (blend.sign() + weight_decay * theta), beta2 * m + (1 - beta2) * grad


def muon_orthogonalize(
    matrix: Float[Tensor, "*batch rows columns"], steps: int
) -> Float[Tensor, "*batch rows columns"]:
    """Bring the singular values of each matrix near 1, by ``steps`` times X <- a X + b S X + c S S X with S = X X^T.

    X begins as the matrix over its Frobenius norm, and a, b, c are Jordan's (2024). Half types and float32 are computed
    in float32, float64 in its own. Raises ValueError unless ``matrix`` is floating and has two dimensions at least, or
    for negative ``steps``.
    """
    if not isinstance(matrix, Tensor) or not matrix.is_floating_point() or matrix.ndim < 2:
        raise ValueError("matrix must be a floating tensor of at least two dimensions")
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise ValueError(f"steps must be an int, not negative, got {steps!r}")
    a, b, c = COEFFICIENTS
    x = matrix if matrix.dtype == torch.float64 else matrix.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x  # S is the smaller of X X^T and X^T X
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    result: Tensor = (x.mT if tall else x).to(matrix.dtype)
    return result


def muon_step(
    weight: Float[Tensor, "rows columns"],
    grad: Float[Tensor, "rows columns"],
    velocity: Float[Tensor, "rows columns"],
    lr: float,
    beta: float,
    weight_decay: float,
) -> tuple[Float[Tensor, "rows columns"], Float[Tensor, "rows columns"]]:
    """One step of Muon on a weight matrix: Nesterov momentum, orthogonalised in five steps. Returns (weight, velocity).

    The velocity is an average; its blend with the gradient is orthogonalised and scaled by
    sqrt(max(1, rows / columns)), beside decoupled decay, as in torch.optim.Muon. Raises ValueError for shapes or dtypes
    that do not match, a negative rate, or ``beta`` outside [0, 1).
    """
    _same_form(weight=weight, grad=grad, velocity=velocity)
    _rates(lr=lr, beta=beta, weight_decay=weight_decay)
    velocity = beta * velocity + (1 - beta) * grad
    step = muon_orthogonalize(beta * velocity + (1 - beta) * grad, 5)
    scale = math.sqrt(max(1.0, weight.shape[-2] / weight.shape[-1]))
    return weight * (1 - lr * weight_decay) - lr * scale * step, velocity


def sam_gradient(grad_fn: Gradient, theta: Float[Tensor, "*shape"], rho: float) -> Float[Tensor, "*shape"]:
    """The gradient a distance ``rho`` further uphill: ``grad_fn`` at theta + rho g / |g| (Foret et al. 2021).

    The norm is over all of theta; where the gradient is 0 nothing is climbed. Raises ValueError unless ``theta`` is
    floating and ``rho`` finite and not negative.
    """
    _same_form(theta=theta)
    _rates(rho=rho)
    grad = grad_fn(theta)
    return grad_fn(theta + rho * grad / grad.norm().clamp(min=1e-12))


def schedule_free_step(
    z: Float[Tensor, "*shape"],
    x: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    t: int,
    lr: float,
    beta: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of Schedule-Free SGD, ``t`` counted from 1: a step of z, the average x of all z so far, and y between.

    ``grad`` was taken at the last y (at the start all three are one). Returns (z, x, y) with y = (1 - beta) z + beta x
    (Defazio et al. 2024). Raises ValueError for shapes or dtypes that do not match, ``t`` below 1, a negative ``lr``,
    or ``beta`` outside [0, 1].
    """
    _same_form(z=z, x=x, grad=grad)
    _rates(lr=lr)
    _counted(t)
    if not 0 <= beta <= 1:
        raise ValueError(f"beta must lie in [0, 1], got {beta}")
    z = z - lr * grad
    x = x + (z - x) / t
    return z, x, (1 - beta) * z + beta * x


def adopt_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    v: Float[Tensor, "*shape"],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of ADOPT, ``t`` counted from 1: divide by the v from before, then average. Returns (theta, m, v).

    The first call only sets v to the squared gradient (Taniguchi et al. 2024, without clipping). Raises
    ValueError for shapes or dtypes that do not match, ``t`` below 1, a negative rate, or a beta outside [0, 1).
    """
    _same_form(theta=theta, grad=grad, m=m, v=v)
    _rates(lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    _counted(t)
    if t == 1:
        return theta.clone(), m.clone(), grad**2
    m = beta1 * m + (1 - beta1) * grad / v.sqrt().clamp(min=eps)
    return theta - lr * m, m, beta2 * v + (1 - beta2) * grad**2


def adopt_online_problem(steps: int, lr: float = 0.5, beta1: float = 0.9, beta2: float = 0.99) -> list[float]:
    """Where ADOPT goes on the problem of ``optimisers.online_problem``: the position after each step, from 0.

    In plain floats, as a run needs many. Raises ValueError for a bad rate.
    """
    _rates(lr=lr, beta1=beta1, beta2=beta2)
    x = m = v = 0.0
    path = []
    for t in range(1, steps + 1):
        grad = 1010.0 if t % 101 == 1 else -10.0
        if t > 1:
            m = beta1 * m + (1 - beta1) * grad / max(math.sqrt(v), 1e-6)
            x = min(max(-1.0, x - lr / math.sqrt(t) * m), 1.0)
        v = beta2 * v + (1 - beta2) * grad**2 if t > 1 else grad**2
        path.append(x)
    return path


def sophia_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    hessian_diagonal: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    h: Float[Tensor, "*shape"],
    lr: float,
    beta1: float,
    beta2: float,
    rho: float,
    eps: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of Sophia: average gradient over average curvature, each entry clipped to [-rho, rho].

    Returns (theta, m, h). ``hessian_diagonal`` is an estimate of the Hessian's diagonal (Liu et al. 2023; in the form
    with the bound ``rho``, which the later version puts into the divisor). Raises ValueError for shapes or dtypes that
    do not match, a negative rate, or a beta outside [0, 1).
    """
    _same_form(theta=theta, grad=grad, hessian_diagonal=hessian_diagonal, m=m, h=h)
    _rates(lr=lr, beta1=beta1, beta2=beta2, rho=rho, eps=eps)
    m = beta1 * m + (1 - beta1) * grad
    h = beta2 * h + (1 - beta2) * hessian_diagonal
    return theta - lr * (m / h.clamp(min=eps)).clamp(-rho, rho), m, h


def hessian_diagonal_estimate(
    loss_fn: Gradient, params: Float[Tensor, "*shape"], generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """u (H u) for random signs u: right on average for the diagonal of the Hessian of ``loss_fn`` at ``params``.

    Hutchinson's (1989) estimate, entry by entry (Bekas, Kokiopoulou and Saad 2007), with a Hessian-vector product by
    autograd. Raises ValueError unless ``params`` is floating and the loss one number.
    """
    _same_form(params=params)
    theta = params.detach().clone().requires_grad_()
    loss = loss_fn(theta)
    if loss.numel() != 1:
        raise ValueError(f"loss_fn must return one number, got shape {tuple(loss.shape)}")
    u = torch.randint(0, 2, theta.shape, generator=generator).to(theta.dtype) * 2 - 1
    (grad,) = torch.autograd.grad(loss.sum(), theta, create_graph=True)
    (product,) = torch.autograd.grad((grad * u).sum(), theta)
    return u * product


def kfac_step(
    weight: Float[Tensor, "outs ins"],
    grad: Float[Tensor, "outs ins"],
    a: Float[Tensor, "n ins"],
    g: Float[Tensor, "n outs"],
    lr: float,
    damping: float,
) -> Float[Tensor, "outs ins"]:
    """One step of K-FAC for one linear layer: weight - lr G^-1 grad A^-1, by two solutions.

    A = a^T a / n holds the second moments of the layer's inputs, G = g^T g / n those of the gradients at its outputs;
    each gets sqrt(damping) on its diagonal (Martens and Grosse 2015). Raises ValueError for shapes or dtypes that do
    not match, an empty batch, or a negative rate.
    """
    _same_form(weight=weight, grad=grad)
    _rates(lr=lr, damping=damping)
    for name, x, size in (("a", a, weight.shape[1]), ("g", g, weight.shape[0])):
        if x.ndim != 2 or x.shape[1] != size or len(x) != len(a) or not len(x) or x.dtype != weight.dtype:
            raise ValueError(
                f"{name} must have shape (n, {size}) and the dtype of weight, got {tuple(x.shape)} {x.dtype}"
            )
    right, left = (x.mT @ x / len(x) + math.sqrt(damping) * torch.eye(x.shape[1], dtype=x.dtype) for x in (a, g))
    step: Tensor = torch.linalg.solve(right, torch.linalg.solve(left, grad), left=False)
    return weight - lr * step
