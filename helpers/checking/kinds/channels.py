"""Judge the capacity of a channel: within the tolerance asked for, at an input that reaches it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.checking import plain
from helpers.checking.comparing import close, missing, numbers, wrong_form, wrong_numbers
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

ROUNDING = 1e-5  # of a sum of float32 probabilities


def capacity(value: Any, expectation: Expectation) -> Problem | None:
    """(C, r): C within `tol` of the capacity, and r within sqrt(tol) of the best input where that is `unique`; where it
    is not, any input that carries the capacity to within `tol`."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return close(value, expectation)
    tol, (best, best_input) = expectation["tol"], plain.decode(expectation["value"])
    found, r = value
    if found is None or r is None:
        return missing("capacity" if found is None else "input distribution")
    slack: Expectation = {**expectation, "rtol": 0.0, "atol": 1.001 * tol}
    problem = wrong_form(found, best, expectation, "capacity") or wrong_numbers(found, best, slack, "capacity")
    problem = problem or wrong_form(r, best_input, expectation, "input distribution")
    if problem:
        return problem
    inputs = numbers(r)
    if not (inputs >= -1e-9).all() or not abs(inputs.sum() - 1) <= ROUNDING:
        template = "The input distribution is none: its smallest entry is {least:.6g} and its sum {total:.6g}."
        return Problem.of("numbers", template, least=inputs.min(), total=inputs.sum())
    if expectation["unique"]:
        return wrong_numbers(r, best_input, {**slack, "atol": math.sqrt(tol)}, "input distribution")
    carried = information(inputs, numbers(plain.decode(expectation["channel"])))
    if not carried >= best - 1.01 * tol:
        template = "This input carries {carried:.6g} nats, but the capacity is {best:.6g}."
        return Problem.of("numbers", template, carried=carried, best=best)
    return None


def information(inputs: np.ndarray, channel: np.ndarray) -> float:
    """The mutual information in nats of input and output."""
    joint = inputs[:, None] * channel
    used = joint > 0
    outer = np.outer(joint.sum(1), joint.sum(0))
    return float((joint[used] * np.log(joint[used] / outer[used])).sum())
