"""Divergences and codes (notebook 01): the generators f that an f-divergence is asked for, and the judge of codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.comparing import as_array, kind_of, numbers, tolerance
from helpers.checking.shapes import Expectation

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


def prefix_code(value: Any, expectation: Expectation) -> str | None:
    """Code lengths of any optimal binary prefix code: whole numbers, Kraft's sum, the least mean length (to the
    rounding of p's dtype, in which a learner may have added probabilities up)."""
    p = numbers(plain.decode(expectation["p"]))
    lengths = as_array(value)
    if lengths is None:
        return f"The answer is {kind_of(value)}, where {len(p)} code lengths were expected, one number for each symbol."
    if lengths.shape != p.shape:
        return f"The answer has shape {lengths.shape}, where {len(p)} code lengths were expected."
    if lengths.dtype.kind not in "iu":
        return f"The lengths have dtype {lengths.dtype}, where integers were expected."
    if (lengths[p == 0] != 0).any():
        return "A symbol that never occurs needs no code: its length is 0."
    used = lengths[p > 0].astype(np.float64)
    if (used < 1).any():
        return "Every symbol that occurs needs a code of at least one bit."
    kraft = float((2.0**-used).sum())
    if kraft > 1 + 1e-12:
        return f"No prefix code has these lengths: Kraft's sum of 2^-length is {kraft:.6g}, more than 1."
    mean, best = float((p[p > 0] * used).sum()), expectation["mean_length"]
    if abs(mean - best) > tolerance(expectation)[1]:
        return f"This code needs {mean:.6g} bits a symbol; the best one needs {best:.6g}."
    return None


FUNCTIONS = (
    kl_generator,
    reverse_kl_generator,
    total_variation_generator,
    chi_squared_generator,
    hellinger_generator,
    jensen_shannon_generator,
    offset_power_generator,
)
