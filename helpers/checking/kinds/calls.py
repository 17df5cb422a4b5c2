"""The drivers that every notebook uses: call once, call for the gradient, call twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def call_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Driver: call once."""
    return function(*arguments)


def call_for_gradient(function: Callable[..., Any], weights: torch.Tensor | None, *arguments: Any) -> tuple[Any, ...]:
    """Call, then differentiate sum(weights * value) by every floating tensor argument. Returns (value, gradient,
    ...), a gradient being None where the value does not depend on the argument through autograd."""
    leaves = [a.requires_grad_() for a in arguments if isinstance(a, torch.Tensor) and a.is_floating_point()]
    value = function(*arguments)
    gradients: list[torch.Tensor | None] = [None] * len(leaves)
    if type(value) is torch.Tensor and value.requires_grad:
        if weights is None or weights.shape != value.shape:  # a wrong shape is for the judge to tell
            weights = torch.ones_like(value)
        total = (value * weights).sum()
        gradients = list(torch.autograd.grad(total, leaves, allow_unused=True))
    return (value, *gradients)


def call_twice(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """Call twice with the same arguments: an answer that remembers, or that spoils its inputs, gives itself away."""
    return function(*arguments), function(*arguments)
