"""Answers that draw random numbers, called often enough to judge them by statistics (notebook 05).

A correct answer draws what it likes from its generator, so no single number can be expected of it. What can be
expected is that its numbers lie within bounds: from many samples, both the estimate and its standard error; at n = 2,
the mean of many squared standard errors, which tells a division by n - 1 from one by n. The bounds come with the
expectation, so wide that chance alone hardly ever leaves them. A mistake that answers for another distribution is
recognised by the same judge with that distribution's bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checking import plain
from helpers.checking.comparing import kind_of
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

Bounds = list[float]
SAMPLES, SIGMAS = 20_000, 7.0
ROUNDING = 1e-4  # of numbers in float32
MEANINGS = ("as for k1", "the gradient of KL(p, q)", "the gradient of KL(q, p), where k3 leads")
# Pairs (mu1, sigma1, mu2, sigma2) of one spread, whose log ratio is a + b z at mu1 + sigma1 z: b > 0, then b < 0.
EQUAL = ((0.5, 0.8, -0.7, 0.8), (-0.4, 0.6, 0.9, 0.6))
OFF = 0.05  # of a standard error, that two answers from the same draws may differ by; float32 takes much less
FEW = 2  # the smallest n with a standard error, where n - 1 and n differ most


def estimate_often(estimator: Callable[..., Any], seed: int, repeats: int, *arguments: Any) -> tuple[Any, ...]:
    """Driver: what `estimator(..., n, generator)` answers with a generator of `seed`, with another of the same seed and
    with one of the next seed, as floats where it is a pair of numbers. With `repeats` also the mean of its squared
    standard error over so many calls at n = 2, None where one of them is no pair."""
    *gaussians, n = arguments

    def answer(at: int, count: int = n) -> Any:
        given = estimator(*gaussians, count, torch.Generator().manual_seed(at))
        return pair(given) or given

    answers = answer(seed), answer(seed), answer(seed + 1)
    if not repeats:
        return answers
    pairs = [pair(answer(seed + 2 + i, FEW)) for i in range(repeats)]
    whole = all(one is not None for one in pairs)
    return (*answers, sum(one[1] ** 2 for one in pairs if one is not None) / repeats if whole else None)


def known_draws(estimator: Callable[..., Any], seed: int, *arguments: Any) -> tuple[Any, ...]:
    """Driver: what `estimator(..., n, generator)` answers for the pairs in EQUAL and for the one given, at n and at 2,
    always with a generator of `seed`; each as floats where it is a pair of numbers."""
    *gaussians, n = arguments
    found = []
    for count in (n, FEW):
        for four in (*EQUAL, gaussians):
            given = estimator(*four, count, torch.Generator().manual_seed(seed))
            found.append(pair(given) or given)
    return tuple(found)


def pair(answer: Any) -> tuple[float, float] | None:
    """An answer (estimate, standard error) as two finite floats, in any of the forms that scalars take; else None."""
    answer = plain.decode(plain.encode(answer))
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return None
    first, second = (scalar(one) for one in answer)
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None


def scalar(value: Any) -> float:
    """A number, or a tensor or array without dimensions, as a float; nan for anything else."""
    if type(value) in (int, float) or (isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0):
        return float(value)
    return math.nan


def mean_gradients(weights: Callable[..., Any], seed: int, *pair: float) -> Any:
    """Driver: what `weights(log_p, log_q)` makes of the gradients of log p = log N(x; mu1, sigma1^2) at SAMPLES samples
    of it, with q = N(mu2, sigma2^2): for each of the three weights the mean of weight times gradient in mu1, its
    standard error, and the same in log sigma1. An answer that is not three tensors of so many numbers comes back as
    it is."""
    mu1, sigma1, mu2, sigma2 = pair
    z = torch.randn(SAMPLES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = mu1 + sigma1 * z
    log_p, log_q = -math.log(sigma1) - z.square() / 2, -math.log(sigma2) - ((x - mu2) / sigma2).square() / 2
    answer = weights(log_p, log_q)
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return answer
    if not all(isinstance(one, Tensor) and one.shape == z.shape and one.is_floating_point() for one in answer):
        return answer
    scores = (z / sigma1, z.square() - 1)
    products = [[one.detach().double() * score for score in scores] for one in answer]
    return tuple(
        tuple(number for each in row for number in (each.mean().item(), each.std().item() / math.sqrt(SAMPLES)))
        for row in products
    )


def affine_decoder(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """A decoder z -> tanh(z W^T + b), from (..., latent) to (..., features), in the dtype of z."""
    return lambda z: torch.tanh(z @ weight.to(z.dtype).T + bias.to(z.dtype))


FUNCTIONS = (affine_decoder,)


def monte_carlo(value: Any, expectation: Expectation) -> Problem | None:
    """The estimate and the standard error at `n`, and the mean squared standard error `squared_at_two` (or None), lie
    within their bounds [low, high]; one seed gives one answer and two seeds give two."""
    pairs = answers(value)
    if pairs is None:
        got = value[0] if isinstance(value, tuple) and value else value
        template = "The answer is {kind}, where two finite numbers were expected: (estimate, standard_error)."
        return Problem.of("structure", template, kind=kind_of(got))
    first, again, other = pairs
    if first != again:
        return Problem.of("randomness", "The same seed gave two answers: draw every random number from `generator`.")
    if first == other:
        return Problem.of(
            "randomness", "Two seeds gave one answer: draw the samples from the `generator` that is given."
        )
    return off(first, expectation) or off(other, expectation) or off_at_two(value[3:], expectation)


def off(answer: tuple[float, float], expectation: Expectation) -> Problem | None:
    """Whether the estimate or the standard error from many samples is out of bounds."""
    parts = {"estimate": expectation["estimate"], "standard error": expectation["standard_error"]}
    for number, (part, bounds) in zip(answer, parts.items(), strict=True):
        if outside(number, bounds):
            template = "The {part} from {n} samples is {number:.6g}; it should be between {low:.4g} and {high:.4g}."
            facts = {"n": expectation["n"], "low": bounds[0], "high": bounds[1]}
            return Problem.of("numbers", template, part=part, number=number, **facts)
    return None


def off_at_two(more: Sequence[Any], expectation: Expectation) -> Problem | None:
    """Whether the mean squared standard error at n = 2, if it is asked for, is out of bounds."""
    bounds = expectation["squared_at_two"]
    if bounds is None:
        return None
    squared = scalar(more[0]) if more else math.nan
    if math.isnan(squared):
        return Problem.of("structure", "At n = 2 the answer is not two finite numbers.")
    if not outside(squared, bounds):
        return None
    template = (
        "At n = 2 the squared standard error is {squared:.4g} on average; "
        "it should be between {low:.4g} and {high:.4g}."
    )
    return Problem.of("numbers", template, squared=squared, low=bounds[0], high=bounds[1])


def mean_gradient(value: Any, expectation: Expectation) -> Problem | None:
    """The three mean gradients in (mu1, log sigma1) are `gradients`, to within SIGMAS of their standard errors."""
    if not isinstance(value, tuple) or len(value) != 3 or not all(isinstance(row, tuple) for row in value):
        template = "The answer is {kind}, where three tensors were expected, one weight for each sample."
        return Problem.of("structure", template, kind=kind_of(value))
    for row, wanted, name, meaning in zip(value, expectation["gradients"], ("g1", "g2", "g3"), MEANINGS, strict=True):
        for mean, error, want, parameter in zip(row[::2], row[1::2], wanted, ("mu1", "log sigma1"), strict=True):
            if not abs(mean - want) <= SIGMAS * error + 1e-9:
                template = (
                    "The mean of {name} times the gradient of log p in {parameter} is {mean:.4f} +- {error:.4f}, "
                    "not {want:.4f}, {meaning}."
                )
                facts = {"mean": mean, "error": error, "want": want, "meaning": meaning}
                return Problem.of("numbers", template, name=name, parameter=parameter, **facts)
    return None


def same_draws(value: Any, expectation: Expectation) -> Problem | None:
    """Answers of `known_draws` go together. At a log ratio a + b z the mean and the error of n samples tell the mean
    and the spread of the draws z, at n = 2 the draws themselves; with these `laws` (a, b, c) the answers for another
    pair of Gaussians are known, a + b z + c z^2. Which n the error divides by is for other cases to say."""
    found = [pair(one) for one in value] if isinstance(value, (tuple, list)) else []
    pairs = [one for one in found if one is not None]
    if len(found) != 6 or len(pairs) != 6:
        return Problem.of("structure", "The answer is not two finite numbers: (estimate, standard_error).")
    laws = expectation["laws"]
    for n, (linear, *others) in ((expectation["n"], pairs[:3]), (FEW, pairs[3:])):
        for got, law in zip(others, laws[1:], strict=True):
            wanted = [expected_of(law, linear, laws[0], n, divisor) for divisor in (n - 1, n, (n - 1) ** 2 / n)]
            if not any(agrees(got, one) for one in wanted):
                template = (
                    "From the same seed the answers for {n} samples do not go together: with the draws that one pair "
                    "of Gaussians shows, the estimate for another is {want:.6g}, not {got:.6g}, or its error is off."
                )
                return Problem.of("randomness", template, n=n, want=wanted[0][0], got=got[0])
    return None


def expected_of(
    law: list[float], answer: tuple[float, float], linear: list[float], n: int, divisor: float
) -> tuple[float, float | None]:
    """(estimate, standard error) for a law (a, b, c), from the answer for a `linear` one with the same draws; None for
    an error that cannot be told from that."""
    a, b, c = law
    first, spread = (answer[0] - linear[0]) / linear[1], answer[1] * math.sqrt(divisor) / abs(linear[1])
    estimate = a + b * first + c * (first**2 + spread**2)  # spread^2 is now the mean of (z - first)^2
    if n == FEW:
        return estimate, abs(b + 2 * c * first) * spread / math.sqrt(divisor)
    return estimate, abs(b) * answer[1] / abs(linear[1]) if c == 0 else None


def agrees(got: tuple[float, float], want: tuple[float, float | None]) -> bool:
    """Whether an answer is the one that its draws make it."""
    room = OFF * got[1] + ROUNDING * (1 + abs(got[0]))
    return abs(got[0] - want[0]) <= room and (want[1] is None or abs(got[1] - want[1]) <= room)


def outside(number: float, bounds: Bounds) -> bool:
    """Whether a number is out of bounds."""
    return not bounds[0] <= number <= bounds[1]


def unrepeatable(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises numbers that do not come from the generator: one seed, two answers."""
    pairs = answers(value)
    return None if pairs and pairs[0] != pairs[1] else Problem.of("randomness", "One seed gives one answer.")


def sampleless(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises an answer that depends on no seed."""
    pairs = answers(value)
    same = pairs and pairs[0] == pairs[1] == pairs[2]
    return None if same else Problem.of("randomness", "The answer depends on the seed.")


def moody(value: Any, expectation: Expectation) -> Problem | None:
    """Recognises a function that was called twice with the same arguments and gave two answers."""
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(one, Tensor) for one in value):
        first, again = value
        if first.shape == again.shape and not torch.allclose(first, again, rtol=0, atol=0, equal_nan=True):
            return None
    return Problem.of("randomness", "Both answers agree.")


def answers(value: Any) -> list[tuple[float, float]] | None:
    """The three answers at n, as floats; None where one of them is not two finite numbers."""
    if not isinstance(value, (tuple, list)) or len(value) not in (3, 4):
        return None
    pairs = [pair(one) for one in value[:3]]
    return None if None in pairs else [one for one in pairs if one is not None]


JUDGES = {
    "monte_carlo": monte_carlo,
    "same_draws": same_draws,
    "unrepeatable": unrepeatable,
    "sampleless": sampleless,
    "moody": moody,
    "mean_gradient": mean_gradient,
}
