"""What judging the exercises of notebook 04 needs: the gradients and losses that they hand to a learner's function, and
a driver and its judge for a power iteration that begins with a random vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

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


def flat_bottom_gradient(width: float) -> Map:
    """The gradient of a valley whose bottom is flat: 0 from -width to width, and theta -+ width beyond."""
    return lambda theta: theta - theta.clamp(-width, width)


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


FUNCTIONS = (
    quadratic_gradient,
    bowl_gradient,
    tanh_gradient,
    flat_bottom_gradient,
    quadratic_loss,
    quartic_loss,
    logistic_loss,
)


def seeded_start(function: Callable[..., Any], seed: int, *arguments: Any) -> tuple[Any, Any, Any]:
    """Driver: what `function(..., generator)` answers with a generator of `seed`, with another of the same seed and
    with one of the next seed."""

    def answer(at: int) -> Any:
        fresh = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
        return function(*fresh, torch.Generator().manual_seed(at))

    return answer(seed), answer(seed), answer(seed + 1)


def three_numbers(value: Any) -> list[float] | None:
    """The answers of `seeded_start` as floats; None unless each is one finite number."""
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    found = [float(one) if plain_number(one) else math.nan for one in value]
    return found if all(map(math.isfinite, found)) else None


def plain_number(one: Any) -> bool:
    """Whether a decoded answer is one number."""
    return type(one) in (int, float) or getattr(one, "ndim", 1) == 0


def judge_seeded_start(value: Any, expectation: Expectation) -> Problem | None:
    """Rayleigh quotients from a few products lie inside the spectrum, between `low` and `high`, depend on the
    generator's seed and on nothing else, and are not both as near to the top as many products would be (`settled`)."""
    found = three_numbers(value)
    if found is None:
        return Problem.of("structure", "The answer is not one finite number.")
    first, again, other = found
    low, high = expectation["low"], expectation["high"]
    if off := [one for one in found if not low <= one <= high]:
        template = "From {n} products it answers {off:.6g}, outside of the spectrum from {low:.4g} to {high:.4g}."
        return Problem.of("numbers", template, n=expectation["iterations"], off=off[0], low=low, high=high)
    if first != again:
        return Problem.of("randomness", "The same seed gave two answers: draw the first vector from `generator`.")
    if math.isclose(first, other, rel_tol=1e-9):
        template = "Two seeds gave one answer, as if `generator` or `iterations` were not used."
        return Problem.of("randomness", template)
    if min(first, other) > expectation["settled"]:
        template = "From {n} products it answers {answer:.6g}, as near to {high:.6g} as many would: count `iterations`."
        return Problem.of("numbers", template, n=expectation["iterations"], answer=min(first, other), high=high)
    return None


def judge_unseeded_start(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises numbers that do not come from the generator: one seed, two answers."""
    found = three_numbers(value)
    if found and found[0] != found[1]:
        return None
    return Problem.of("randomness", "One seed gives one answer.")


JUDGES = {"seeded_start": judge_seeded_start, "unseeded_start": judge_unseeded_start}
