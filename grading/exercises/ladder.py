"""Small cases for an answer whose mistake has no name: the public cases made smaller, smallest first.

A case is made smaller by fewer classes, fewer rows, rounder numbers. It is kept where all right answers of the exercise
agree on it and a known mistake fails it: then it is an honest input, and it tells something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch

from grading.exercises.exercise import PUBLIC_SEED, Case, Exercise, case, flatten
from helpers.checking import calling, judging, plain
from helpers.checking.comparing import as_array, numbers
from helpers.checking.shapes import Call, CaseData, Expectation

STEPS = 3  # of a ladder
MOST_TRIED, MOST_MADE = 40, 10  # cases; where an exercise makes them itself, they take longer
MOST_CHARACTERS = 700  # of a case's arguments


def ladder(exercise: Exercise) -> list[CaseData]:
    """Up to three cases, smallest first, each with a mistake that the smaller ones do not fail."""
    found: list[CaseData] = []
    missed = dict(exercise.misconceptions)
    most = MOST_TRIED if exercise.small_cases is None else MOST_MADE
    for one in islice(candidates(exercise), most):
        if len(found) == STEPS or not missed:
            break
        data = honest(exercise, one)
        failed = data and [name for name, wrong in missed.items() if fails(wrong.functions, data, exercise.seconds)]
        if data and failed:
            found.append(data)
            missed = {name: wrong for name, wrong in missed.items() if name not in failed}
    return found


def candidates(exercise: Exercise) -> Iterator[Case]:
    """Smaller cases made of the gate's public ones, smallest first."""
    gate = exercise.criteria[0]
    tried: dict[str, Case] = {}
    for one in exercise.draw(gate, PUBLIC_SEED):
        for arguments in () if one.hidden else smaller(one.arguments):
            for made in remade(exercise, one, arguments):
                tried.setdefault(str(made.arguments), made)
    yield from sorted(tried.values(), key=lambda one: len(str(exercise.call_as_data(one)["arguments"])))


def remade(exercise: Exercise, one: Case, arguments: tuple[Any, ...]) -> Sequence[Case]:
    """Cases with other arguments: as the exercise makes them, or one judged by closeness to the reference."""
    if exercise.small_cases is not None:
        try:
            return list(exercise.small_cases(*arguments))
        except Exception:  # no input of this exercise
            return []
    if one.driver != "call" or one.expected is not None:
        return []
    options = {k: v for k, v in one.options.items() if k in ("parts", "any_sequence", "rtol", "atol", "dtype")}
    return [case(*arguments, function=one.function, **options)]  # type: ignore[arg-type] # options of a case


def smaller(arguments: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The arguments cut to fewer rows and classes, and rounded."""
    for rows in (None, 1, 2):
        for classes in (None, 2, 3):
            for digits in (None, 1, 2):
                yield tuple(made_smaller(a, rows, classes, digits) for a in arguments)


def made_smaller(value: Any, rows: int | None, classes: int | None, digits: int | None) -> Any:
    """One argument made smaller; distributions stay distributions."""
    if isinstance(value, (list, tuple)):
        return type(value)(made_smaller(item, rows, classes, digits) for item in value)
    if type(value) is float:
        short = value if digits is None else float(f"{value:.{digits}g}")
        return value if short in (0.0, 1.0) else short  # a rate of 0.999 is not 1
    if not isinstance(value, torch.Tensor) or value.ndim == 0:
        return value
    cut = value
    if classes is not None:
        square = value.ndim > 1 and value.shape[-1] == value.shape[-2]
        cut = cut[..., :classes, :classes] if square else cut[..., :classes]
    if rows is not None and (value.ndim > 1 or not value.is_floating_point()):  # such as one target for each row
        cut = (cut if value.ndim > 1 else value)[:rows]
    if not value.is_floating_point() or not value.numel():
        return cut.clone()
    return rounded_as(cut, value, digits)


def rounded_as(cut: torch.Tensor, value: torch.Tensor, digits: int | None) -> torch.Tensor:
    """Fewer numbers with few digits, that sum to 1 in the way in which `value` does."""
    for dims in ([-1], list(range(value.ndim))):
        if (value >= 0).all() and (value.sum(dims) - 1).abs().max() < 1e-6:
            cut = cut / cut.sum(dims, keepdim=True)
            if digits is not None:
                cut = (cut * 10**digits).round() / 10**digits
                flat = cut.flatten(-len(dims))
                flat[..., -1] = ((1 - flat[..., :-1].sum(-1)) * 10**digits).round() / 10**digits
                return flat.reshape(cut.shape)
            return cut
    if digits is None:
        return cut.clone()
    return torch.tensor([float(f"{x:.{digits}g}") for x in cut.flatten().tolist()], dtype=cut.dtype).reshape(cut.shape)


def honest(exercise: Exercise, one: Case) -> CaseData | None:
    """A case as data, where all right answers agree on it."""
    try:
        with np.errstate(all="ignore"):
            call, expected = exercise.call_as_data(one), exercise.expectation(one)
        if len(str(call["arguments"])) > MOST_CHARACTERS or not finite(expected):
            return None
        data: CaseData = {"call": call, "expected": expected, "mistakes": {}}
        if exercise.small(one, expected):
            data["ingredients"] = exercise.ingredients_of(one)
        right = exercise.alternatives.values()
        return None if any(fails(functions, data, exercise.seconds) for functions in right) else data
    except Exception:  # the reference refuses what it was cut to
        return None


def finite(expected: Expectation) -> bool:
    """Whether finite numbers are expected, and not 0 alone; what judges without a value expect is."""
    if "value" not in expected:
        return True
    found = [numbers(item) for item in flatten([plain.decode(expected["value"])]) if as_array(item) is not None]
    return all(np.isfinite(x).all() for x in found) and any((np.abs(x) > 1e-9).any() for x in found)


def fails(functions: Mapping[str, Callable[..., Any]], data: CaseData, seconds: float) -> bool:
    """Whether functions answer a case wrongly."""
    call: Call = data["call"]
    return judging.problem(calling.perform(functions, call, seconds), data["expected"]) is not None
