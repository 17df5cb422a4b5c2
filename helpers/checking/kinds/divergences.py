"""Divergences and codes (notebook 01): the generators f that an f-divergence is asked for, the judge of codes, and the
judge that knows a small number which keeps a logarithm from 0, wherever it was added and however small it is.

`-(p * (p + 1e-8).log()).sum(-1)` is the most common wrong entropy of all, with other numbers and in other places: one
judge knows them all, so that no answer key has to list them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.comparing import as_array, kind_of, numbers, tolerance
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

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


def prefix_code(value: Any, expectation: Expectation) -> Problem | None:
    """Code lengths of any optimal binary prefix code: whole numbers, Kraft's sum, the least mean length (to the
    rounding of p's dtype, in which a learner may have added probabilities up)."""
    p = numbers(plain.decode(expectation["p"]))
    lengths = as_array(value)
    if lengths is None:
        template = "The answer is {kind}, where {count} code lengths were expected, one number for each symbol."
        return Problem.of("structure", template, kind=kind_of(value), count=len(p))
    if lengths.shape != p.shape:
        template = "The answer has shape {got}, where {count} code lengths were expected."
        return Problem.of("shape", template, got=lengths.shape, count=len(p))
    if lengths.dtype.kind not in "iu":
        return Problem.of("dtype", "The lengths have dtype {got}, where integers were expected.", got=lengths.dtype)
    return wrong_lengths(p, lengths, expectation)


def wrong_lengths(p: np.ndarray, lengths: np.ndarray, expectation: Expectation) -> Problem | None:
    """What is wrong with code lengths that have the right form."""
    if (lengths[p == 0] != 0).any():
        return Problem.of("numbers", "A symbol that never occurs needs no code: its length is 0.")
    used = lengths[p > 0].astype(np.float64)
    if (used < 1).any():
        return Problem.of("numbers", "Every symbol that occurs needs a code of at least one bit.")
    kraft = float((2.0**-used).sum())
    if kraft > 1 + 1e-12:
        template = "No prefix code has these lengths: Kraft's sum of 2^-length is {kraft:.6g}, more than 1."
        return Problem.of("numbers", template, kraft=kraft)
    mean, best = float((p[p > 0] * used).sum()), expectation["mean_length"]
    if abs(mean - best) > tolerance(expectation)[1]:
        template = "This code needs {mean:.6g} bits a symbol; the best one needs {best:.6g}."
        return Problem.of("numbers", template, mean=mean, best=best)
    return None


SIZES = (*(10.0**-k for k in range(3, 17)), torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps)
PLACES: tuple[Callable[[Tensor, float], Tensor], ...] = (
    lambda x, e: x + e,
    lambda x, e: x.clamp(min=e),
    lambda x, e: x.clamp(e, 1 - e),
)


def small_number(value: Any, expectation: Expectation) -> Problem | None:
    """Whether the value is what the `formula` of the `arguments` gives with a small number in it, and not what it gives
    without one: None where it is."""
    if isinstance(value, Tensor) and value.dtype == torch.float64:
        got = value.detach()
        right, *nudged = FORMULAS[expectation["formula"]](*(plain.decode(one) for one in expectation["inputs"]))
        if not same(got, right, rtol=1e-10) and any(same(got, one, rtol=1e-12) for one in nudged):
            return None
    return Problem.of("numbers", "There is no small number that gives this.")


def same(got: Tensor, want: Tensor, rtol: float) -> bool:
    """Whether two results agree, to a relative error."""
    return got.shape == want.shape and torch.allclose(got, want, rtol=rtol, atol=1e-14)


def surprises(p: Tensor, q: Tensor) -> Iterator[Tensor]:
    """-sum p log q: right, then with a small number in q alone, or in p as well."""
    yield -torch.special.xlogy(p, q).sum(-1)
    for e in SIZES:
        for nudge in PLACES:
            logs = nudge(q, e).log()
            yield -(p * logs).sum(-1)
            yield -(nudge(p, e) * logs).sum(-1)


def ratios(p: Tensor, q: Tensor) -> Iterator[Tensor]:
    """sum p log(p / q): right, then with a small number in both logarithms, in q's, in the ratio, or everywhere."""
    yield (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)
    for e in SIZES:
        for nudge in PLACES:
            above, below = nudge(p, e), nudge(q, e)
            yield (p * (above / below).log()).sum(-1)
            yield (above * (above / below).log()).sum(-1)
            yield (torch.special.xlogy(p, p) - p * below.log()).sum(-1)
        yield (p * (p / q + e).log()).sum(-1)
        yield (p * (p / (q + e) + e).log()).sum(-1)


def from_independence(joint: Tensor) -> Iterator[Tensor]:
    """Mutual information: right, then with a small number in a logarithm or in the table itself."""
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    yield from ratios(joint.flatten(-2), product.flatten(-2))
    for e in SIZES:
        for nudged in (joint + e, (joint + e) / (joint + e).sum((-2, -1), keepdim=True)):
            product = nudged.sum(-1, keepdim=True) * nudged.sum(-2, keepdim=True)
            yield (nudged * (nudged / product).log()).sum((-2, -1))


def from_rows(joint: Tensor) -> Iterator[Tensor]:
    """Conditional entropy: right, then with a small number in a logarithm or in p(y given x)."""
    px = joint.sum(-1, keepdim=True).expand_as(joint)
    for ratio in ratios(joint.flatten(-2), px.flatten(-2)):
        yield -ratio
    for e in SIZES:
        yield -(joint * (joint / px).clamp(min=e).log()).sum((-2, -1))


def from_conditional_independence(joint: Tensor) -> Iterator[Tensor]:
    """Conditional mutual information: right, then with a small number in a logarithm, on either form of the ratio."""
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    above, below = joint * pz, pxz * pyz
    yield from ratios(joint.flatten(-3), (below / torch.where(pz > 0, pz, 1)).flatten(-3))
    for e in SIZES:
        yield (joint * ((above + e) / (below + e)).log()).sum((-3, -2, -1))
        yield (joint * (above / (below + e) + e).log()).sum((-3, -2, -1))


def from_histogram(x: Tensor, y: Tensor, bins: int) -> Iterator[Tensor]:
    """The plug-in estimate, with a small number in its mutual information."""
    counts = torch.bincount(x * bins + y, minlength=bins * bins).double().reshape(bins, bins)
    return from_independence(counts / len(x))


FORMULAS: dict[str, Callable[..., Iterator[Tensor]]] = {
    "entropy": lambda p: surprises(p, p),
    "cross_entropy": surprises,
    "kl_divergence": ratios,
    "mutual_information": from_independence,
    "conditional_mutual_information": from_conditional_independence,
    "conditional_entropy": from_rows,
    "plugin_mutual_information": from_histogram,
    "perplexity": lambda p, q: (h.exp() for h in surprises(p, q)),
}
FUNCTIONS = (
    kl_generator,
    reverse_kl_generator,
    total_variation_generator,
    chi_squared_generator,
    hellinger_generator,
    jensen_shannon_generator,
    offset_power_generator,
)
