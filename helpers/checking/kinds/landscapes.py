"""Gradients and losses that the exercises of notebook 04 hand to a learner's function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Map = Callable[[Tensor], Tensor]


def quadratic_gradient(hessian: Tensor, minimum: Tensor) -> Map:
    """The gradient H (theta - minimum) of the bowl (theta - minimum)^T H (theta - minimum) / 2."""
    return lambda theta: hessian.to(theta.dtype) @ (theta - minimum.to(theta.dtype))


def bowl_gradient(kappa: float) -> Map:
    """The gradient (2 theta_1, 2 kappa theta_2) of theta_1^2 + kappa theta_2^2."""
    return lambda theta: theta * torch.tensor([2.0, 2.0 * kappa], dtype=theta.dtype)


def tanh_gradient(scales: Tensor) -> Map:
    """The gradient of sum log cosh(scales theta): steep nowhere, flat far away."""
    return lambda theta: scales.to(theta.dtype) * torch.tanh(scales.to(theta.dtype) * theta)


def quadratic_loss(hessian: Tensor) -> Map:
    """vec(theta)^T H vec(theta) / 2 for a theta of any shape; H may be indefinite."""
    return lambda theta: theta.reshape(-1) @ (hessian.to(theta.dtype) @ theta.reshape(-1)) / 2


def quartic_loss(weights: Tensor) -> Map:
    """sum weights theta^4 / 12, whose Hessian is diag(weights theta^2)."""
    return lambda theta: (weights.to(theta.dtype) * theta**4).sum() / 12


def logistic_loss(features: Tensor, labels: Tensor) -> Map:
    """The mean logistic loss of logits features @ theta against labels 0 and 1."""
    return lambda theta: functional.binary_cross_entropy_with_logits(
        features.to(theta.dtype) @ theta, labels.to(theta.dtype)
    )


FUNCTIONS = (quadratic_gradient, bowl_gradient, tanh_gradient, quadratic_loss, quartic_loss, logistic_loss)
