"""Judge Monte Carlo estimates, as `sampling.estimate_often` plays them (notebook 05).

A correct answer draws what it likes from its generator, so no single number can be expected of it. What can be
expected is that its numbers lie within bounds: from many samples, both the estimate and its standard error; at n = 2,
the mean of many squared standard errors, which tells a division by n - 1 from one by n. The bounds come with the
expectation, so wide that chance alone hardly ever leaves them. A mistake that answers for another distribution is
recognised by the same judge with that distribution's bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from helpers.checking.comparing import Expectation, kind_of
from helpers.checking.sampling import pair, scalar

Bounds = list[float]


def monte_carlo(value: Any, expectation: Expectation) -> str | None:
    """The estimate and the standard error at `n`, and the mean squared standard error `squared_at_two` (or None), lie
    within their bounds [low, high]; one seed gives one answer and two seeds give two."""
    pairs = answers(value)
    if pairs is None:
        got = value[0] if isinstance(value, tuple) and value else value
        return f"The answer is {kind_of(got)}, where two finite numbers were expected: (estimate, standard_error)."
    first, again, other = pairs
    if first != again:
        return "The same seed gave two answers: draw every random number from `generator`."
    if first == other:
        return "Two seeds gave one answer: draw the samples from the `generator` that is given."
    return off(first, expectation) or off(other, expectation) or off_at_two(value[3:], expectation)


def off(answer: tuple[float, float], expectation: Expectation) -> str | None:
    """Whether the estimate or the standard error from many samples is out of bounds."""
    for number, name in zip(answer, ("estimate", "standard_error"), strict=True):
        bounds, words = expectation[name], name.replace("_", " ")
        if outside(number, bounds):
            return f"The {words} from {expectation['n']} samples is {number:.6g}; {near(bounds)}."
    return None


def off_at_two(more: Sequence[Any], expectation: Expectation) -> str | None:
    """Whether the mean squared standard error at n = 2, if it is asked for, is out of bounds."""
    bounds = expectation["squared_at_two"]
    if bounds is None:
        return None
    squared = scalar(more[0]) if more else math.nan
    if math.isnan(squared):
        return "At n = 2 the answer is not two finite numbers."
    if not outside(squared, bounds):
        return None
    return f"At n = 2 the squared standard error is {squared:.4g} on average; {near(bounds)}."


def outside(number: float, bounds: Bounds) -> bool:
    """Whether a number is out of bounds."""
    return not bounds[0] <= number <= bounds[1]


def near(bounds: Bounds) -> str:
    """Bounds in words."""
    return f"it should be between {bounds[0]:.4g} and {bounds[1]:.4g}"


def unrepeatable(value: Any, expectation: Expectation) -> str | None:
    """Recognises numbers that do not come from the generator: one seed, two answers."""
    pairs = answers(value)
    return None if pairs and pairs[0] != pairs[1] else "One seed gives one answer."


def sampleless(value: Any, expectation: Expectation) -> str | None:
    """Recognises an answer that depends on no seed."""
    pairs = answers(value)
    return None if pairs and pairs[0] == pairs[1] == pairs[2] else "The answer depends on the seed."


def answers(value: Any) -> list[tuple[float, float]] | None:
    """The three answers at n, as floats; None where one of them is not two finite numbers."""
    if not isinstance(value, (tuple, list)) or len(value) not in (3, 4):
        return None
    pairs = [pair(one) for one in value[:3]]
    return None if None in pairs else [one for one in pairs if one is not None]


JUDGES = {"monte_carlo": monte_carlo, "unrepeatable": unrepeatable, "sampleless": sampleless}
