"""The functions that an exercise may hand to a learner's function as an argument.

A case is plain data, so it names a function and gives its parameters: `{"function": "power", "arguments": [2.0]}`. Each
entry below takes the parameters and returns the function. The graders of notebooks add theirs here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checking import landscape_functions, sampling

Elementwise = Callable[[Tensor], Tensor]


def kl_generator() -> Elementwise:
    """f(t) = t log t, the generator of KL(p, q), with f(0) = 0."""
    return lambda t: torch.special.xlogy(t, t)


def reverse_kl_generator() -> Elementwise:
    """f(t) = -log t, the generator of KL(q, p); it is finite for t > 0 only."""
    return lambda t: -t.log()


def total_variation_generator() -> Elementwise:
    """f(t) = |t - 1| / 2."""
    return lambda t: (t - 1).abs() / 2


def chi_squared_generator() -> Elementwise:
    """f(t) = (t - 1)^2."""
    return lambda t: (t - 1) ** 2


def hellinger_generator() -> Elementwise:
    """f(t) = (sqrt(t) - 1)^2 / 2, the generator of the squared Hellinger distance 1 - sum sqrt(p q)."""
    return lambda t: (t.sqrt() - 1) ** 2 / 2


def jensen_shannon_generator() -> Elementwise:
    """f(t) = (t log t - (1 + t) log((1 + t) / 2)) / 2."""
    return lambda t: (torch.special.xlogy(t, t) - (1 + t) * torch.log((1 + t) / 2)) / 2


def offset_power_generator(power: float, offset: float) -> Elementwise:
    """f(t) = offset + t^power: no divergence (f(1) need not be 0), but a function all the same."""
    return lambda t: offset + t**power


NAMED: dict[str, Callable[..., Callable[..., object]]] = {
    function.__name__: function
    for function in (
        kl_generator,
        reverse_kl_generator,
        total_variation_generator,
        chi_squared_generator,
        hellinger_generator,
        jensen_shannon_generator,
        offset_power_generator,
        *landscape_functions.FUNCTIONS,
        *sampling.FUNCTIONS,
    )
}
