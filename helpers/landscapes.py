"""Verified routines for quadratic bowls and the methods that descend them (notebook 04).

A bowl is L(theta) = theta^T H theta / 2 with a symmetric positive definite Hessian H; its condition number kappa is the
largest eigenvalue of H over the smallest. Paths hold the start and one point for each step. Inputs are never changed;
every routine checks its inputs first and raises ``ValueError`` naming the argument.

Sources: Polyak, Some methods of speeding up the convergence of iteration methods (1964); Nesterov, Lectures on Convex
Optimization (2018), chapter 2; Amari, Natural gradient works efficiently in learning (1998).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.information import floating

Gradient = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor], Tensor]
# How far from symmetric a matrix may be, relative to its largest entry: the rounding of the products that made it.
ASYMMETRY = {torch.float64: 1e-9, torch.float32: 1e-4}


def eigenvalues(hessian: Float[Tensor, "*batch d d"], name: str = "hessian") -> Float[Tensor, "*batch d"]:
    """The eigenvalues of symmetric positive definite matrices in ascending order, in at least float32.

    Raises ValueError unless ``hessian`` holds finite, square, symmetric matrices whose eigenvalues are positive.
    """
    matrices = floating(hessian, name)
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2] or matrices.shape[-1] == 0:
        raise ValueError(f"{name} must hold square matrices, got shape {tuple(hessian.shape)}")
    if not matrices.isfinite().all():
        raise ValueError(f"{name} must be finite")
    if not matrices.numel():
        return matrices[..., 0]
    gap, scale = (matrices - matrices.mT).abs().amax((-2, -1)), matrices.abs().amax((-2, -1))
    if (gap > ASYMMETRY[matrices.dtype] * scale).any():
        raise ValueError(f"{name} must be symmetric: it differs from its transpose by {gap.max().item():.6g}")
    lam = torch.linalg.eigvalsh(matrices)
    if (lam[..., 0] <= 0).any():
        raise ValueError(f"{name} must be positive definite, but has the eigenvalue {lam[..., 0].min().item():.6g}")
    return lam


def condition_number(hessian: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    """kappa = lambda_max / lambda_min, at least 1. Raises ValueError as ``eigenvalues`` does."""
    lam = eigenvalues(hessian)
    return (lam[..., -1] / lam[..., 0]).to(hessian.dtype)


def max_stable_lr(hessian: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    """2 / lambda_max: gradient descent converges exactly for the learning rates in (0, this) (Polyak 1964).

    Raises ValueError as ``eigenvalues`` does.
    """
    return (2 / eigenvalues(hessian)[..., -1]).to(hessian.dtype)


def optimal_lr(hessian: Float[Tensor, "*batch d d"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """The learning rate 2 / (lambda_min + lambda_max) and its rate (kappa - 1) / (kappa + 1).

    No constant learning rate of gradient descent has a smaller rate, the factor by which the distance to the minimum
    shrinks in each step at worst (Nesterov 2018, theorem 2.1.15). Raises ValueError as ``eigenvalues`` does.
    """
    lam = eigenvalues(hessian)
    low, high = lam[..., 0], lam[..., -1]
    return (2 / (low + high)).to(hessian.dtype), ((high - low) / (high + low)).to(hessian.dtype)


def heavy_ball_optimum(lambda_min: float, lambda_max: float) -> tuple[float, float]:
    """The learning rate and momentum with which heavy ball is fastest on bowls with these extreme eigenvalues.

    lr = (2 / (sqrt(lambda_max) + sqrt(lambda_min)))^2, beta = ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2; the distance
    then shrinks like sqrt(beta)^t (Polyak 1964, theorem 9). Raises ValueError unless 0 < lambda_min <= lambda_max.
    """
    if not 0 < lambda_min <= lambda_max < math.inf:
        raise ValueError(f"0 < lambda_min <= lambda_max must hold, got {lambda_min} and {lambda_max}")
    low, high = math.sqrt(lambda_min), math.sqrt(lambda_max)
    return (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2


def nesterov_optimum(lambda_min: float, lambda_max: float) -> tuple[float, float]:
    """Nesterov's constant settings lr = 1 / lambda_max, mu = (sqrt(kappa) - 1) / (sqrt(kappa) + 1) (2018, 2.2.22).

    Raises ValueError unless 0 < lambda_min <= lambda_max.
    """
    _, beta = heavy_ball_optimum(lambda_min, lambda_max)
    return 1 / lambda_max, math.sqrt(beta)


def nesterov_bowl_optimum(lambda_min: float, lambda_max: float) -> tuple[float, float]:
    """The settings with which Nesterov's method is fastest on bowls: lr = 4 / (3 lambda_max + lambda_min),
    mu = (sqrt(3 kappa + 1) - 2) / (sqrt(3 kappa + 1) + 2), with the rate 1 - 2 / sqrt(3 kappa + 1).

    Source: Lessard, Recht and Packard (2016). Raises ValueError unless 0 < lambda_min <= lambda_max.
    """
    heavy_ball_optimum(lambda_min, lambda_max)  # for its errors
    root = math.sqrt(3 * lambda_max / lambda_min + 1)
    return 4 / (3 * lambda_max + lambda_min), (root - 2) / (root + 2)


def gradient_descent(
    grad_fn: Gradient, theta0: Float[Tensor, " d"], lr: float, steps: int
) -> Float[Tensor, "points d"]:
    """theta <- theta - lr g(theta) from ``theta0``: steps + 1 points, the start included.

    A run that diverges is followed all the way (to inf and nan). Raises ValueError unless ``theta0`` is one floating
    vector, lr >= 0 and ``steps`` an int >= 0, or if ``grad_fn`` changes the shape.
    """
    return heavy_ball(grad_fn, theta0, lr, 0.0, steps)


def heavy_ball(
    grad_fn: Gradient, theta0: Float[Tensor, " d"], lr: float, beta: float, steps: int
) -> Float[Tensor, "points d"]:
    """Polyak's momentum v <- beta v - lr g(theta), theta <- theta + v from v = 0 (Polyak 1964, equation 9).

    Raises ValueError as ``gradient_descent`` does, or if ``beta`` is not in [0, 1].
    """
    return _path(grad_fn, theta0, lr, beta, 0.0, steps, "beta")


def nesterov(
    grad_fn: Gradient, theta0: Float[Tensor, " d"], lr: float, mu: float, steps: int
) -> Float[Tensor, "points d"]:
    """Nesterov's momentum v <- mu v - lr g(theta + mu v), theta <- theta + v from v = 0; the path is of theta.

    The form is that of Sutskever et al. (2013), equations 3 and 4. Raises ValueError as ``heavy_ball`` does.
    """
    return _path(grad_fn, theta0, lr, mu, mu, steps, "mu")


def _path(grad_fn: Gradient, theta0: Tensor, lr: float, keep: float, look: float, steps: int, name: str) -> Tensor:
    """v <- keep v - lr g(theta + look v), theta <- theta + v: all three methods."""
    theta = floating(theta0, "theta0").detach()
    if theta.ndim != 1:
        raise ValueError(f"theta0 must be one vector, got shape {tuple(theta.shape)}")
    if not (math.isfinite(lr) and lr >= 0):
        raise ValueError(f"lr must be a finite number, not negative, got {lr}")
    if not 0 <= keep <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {keep}")
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise ValueError(f"steps must be an int, not negative, got {steps!r}")
    path, velocity = [theta], torch.zeros_like(theta)
    for _ in range(steps):
        grad = grad_fn((theta + look * velocity).to(theta0.dtype))
        if grad.shape != theta.shape:
            raise ValueError(f"grad_fn must keep the shape {tuple(theta.shape)}, but returned {tuple(grad.shape)}")
        velocity = keep * velocity - lr * grad
        theta = theta + velocity
        path.append(theta)
    return torch.stack(path).to(theta0.dtype)


def steps_to_reach(losses: Float[Tensor, " n"] | Sequence[float], threshold: float) -> int | None:
    """The first index at which the loss is at or below ``threshold`` (nan is not), or None.

    Raises ValueError if ``losses`` is not one-dimensional or ``threshold`` is nan.
    """
    values = torch.as_tensor(losses, dtype=None if isinstance(losses, Tensor) else torch.float64)
    if values.ndim != 1:
        raise ValueError(f"losses must be one vector, got shape {tuple(values.shape)}")
    if math.isnan(threshold):
        raise ValueError("threshold must be a number, got nan")
    found = (values <= threshold).nonzero()
    return int(found[0]) if len(found) else None


def top_hessian_eigenvalue(
    loss_fn: Loss, params: Float[Tensor, "*shape"], iterations: int, generator: torch.Generator | None = None
) -> float:
    """The eigenvalue of largest magnitude of the Hessian of ``loss_fn`` at ``params``, with its sign.

    Power iteration (von Mises and Pollaczek-Geiringer 1929) on Hessian-vector products (Pearlmutter 1994): the Hessian
    is never formed. The error falls like (lambda_2 / lambda_1)^(2 iterations). ``generator`` draws the first vector.
    Raises ValueError unless ``params`` is a floating tensor, the loss one number and ``iterations`` at least 1.
    """
    theta = floating(params, "params").detach().clone().requires_grad_()
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    loss = loss_fn(theta)
    if loss.numel() != 1:
        raise ValueError(f"loss_fn must return one number, got shape {tuple(loss.shape)}")
    (grad,) = torch.autograd.grad(loss.sum(), theta, create_graph=True)
    if not grad.requires_grad:
        return 0.0  # a linear loss
    vector = torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
    for _ in range(iterations):
        vector = vector / torch.linalg.vector_norm(vector)
        (image,) = torch.autograd.grad(grad, theta, grad_outputs=vector, retain_graph=True)
        top = (vector * image).sum().item()
        if not image.any():
            break
        vector = image
    return top


def natural_gradient_step(
    theta: Float[Tensor, "*batch d"],
    grad: Float[Tensor, "*batch d"],
    fisher: Float[Tensor, "*batch d d"],
    lr: float,
    damping: float,
) -> Float[Tensor, "*batch d"]:
    """theta - lr x with (fisher + damping I) x = grad, solved by a Cholesky factor (Amari 1998, theorem 1).

    Raises ValueError unless the shapes match, ``fisher`` is symmetric and ``fisher + damping I`` positive definite.
    """
    point, slope, matrix = floating(theta, "theta"), floating(grad, "grad"), floating(fisher, "fisher")
    d = point.shape[-1] if point.ndim else 0
    if slope.shape != point.shape or matrix.shape != (*point.shape, d):
        shapes = f"{tuple(theta.shape)}, {tuple(grad.shape)} and {tuple(fisher.shape)}"
        raise ValueError(f"the shapes of theta, grad and fisher do not match: {shapes}")
    damped = matrix + damping * torch.eye(d, dtype=matrix.dtype)
    eigenvalues(damped, "fisher + damping * I")
    solution = torch.cholesky_solve(slope[..., None], torch.linalg.cholesky(damped))[..., 0]
    return (point - lr * solution).to(theta.dtype)


def rotation(angle: float) -> Float[Tensor, "2 2"]:
    """The matrix that turns the plane by ``angle`` radians, counter-clockwise, in float64."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def rotated_bowl(kappa: float, angle: float = 0.0) -> Float[Tensor, "2 2"]:
    """The Hessian R diag(2, 2 kappa) R^T of theta_1^2 + kappa theta_2^2, turned by ``angle`` radians, in float64.

    Raises ValueError unless kappa >= 1.
    """
    if not 1 <= kappa < math.inf:
        raise ValueError(f"kappa must be a finite number of at least 1, got {kappa}")
    turn = rotation(angle)
    hessian = turn @ torch.diag(torch.tensor([2.0, 2.0 * kappa], dtype=torch.float64)) @ turn.T
    return (hessian + hessian.T) / 2


def bowl_loss(hessian: Float[Tensor, "d d"], theta: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
    """theta^T H theta / 2 for each point. Raises ValueError if the shapes do not match."""
    if theta.ndim == 0 or hessian.shape != (theta.shape[-1], theta.shape[-1]):
        raise ValueError(f"the shapes of hessian and theta do not match: {tuple(hessian.shape)}, {tuple(theta.shape)}")
    return ((theta @ hessian) * theta).sum(-1) / 2
