"""Answers that are no answers, whatever the exercise: none of them may count as correct.

The blunt ones (zeros, NaN, an input handed back, None, ...) earn nothing at all. The near ones have the right numbers
in the wrong form (another dtype, another shape, detached, the input spoilt) and may earn what they deserve, but never
everything; each is made only for exercises whose cases can tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grading.exercises.exercise import Exercise
from helpers.checking import plain
from helpers.checking.shapes import CaseData

Answer = Callable[..., Any]
NEVER = "nothing, for ever"
CONSTANT = 0.3779  # what no exercise has for its answer


def blunt(exercise: Exercise) -> dict[str, Answer]:
    """Answers that must earn nothing."""
    right = right_answer(exercise)
    inputs = exercise.as_data()["criteria"][0]["cases"][0]["call"]["names"]
    echoes = {f"the input {name} handed back": handing_back(i) for i, name in enumerate(inputs)}
    return {
        "zeros": lambda *arguments: filled(right(*arguments), 0.0),
        "ones": lambda *arguments: filled(right(*arguments), 1.0),
        "a constant": lambda *arguments: filled(right(*arguments), CONSTANT),
        "NaN": lambda *arguments: filled(right(*arguments), float("nan")),
        "inf": lambda *arguments: filled(right(*arguments), float("inf")),
        **echoes,
        "None": lambda *arguments: None,
        "a list of its own": lambda *arguments: [CONSTANT, "text"],
        "a text": lambda *arguments: "done",
        "a function": lambda *arguments: right,
        "a generator": lambda *arguments: (x for x in arguments),
        "an error": raising,
        "a ValueError": refusing,
        NEVER: sleeping,
        "borrowed from helpers": borrowing,
    }


def near(exercise: Exercise) -> dict[str, Answer]:
    """Answers with the right numbers in the wrong form, where the exercise's public cases can tell."""
    right = right_answer(exercise)
    cases = [one for criterion in exercise.as_data()["criteria"] for one in criterion["cases"]]
    close = [one for one in cases if one["expected"]["judge"] == "close"]
    strict = [one for one in close if not one["expected"].get("any_sequence")]
    wanted = [tensor for one in strict for tensor in tensors(wanted_of(one))]
    made: dict[str, Answer] = {}
    if any(one["expected"].get("dtype") for one in strict) and wanted:
        made["another dtype"] = lambda *arguments: changed(right(*arguments), other_dtype)
    if wanted and len(close) == len(cases):
        made["one dimension more"] = lambda *arguments: changed(right(*arguments), lambda t: t[None])
    if any(t.ndim > 0 for t in wanted):
        made["a list for a tensor"] = lambda *arguments: changed(right(*arguments), Tensor.tolist)
    if any(t.ndim > 1 for t in wanted):
        made["flattened"] = lambda *arguments: changed(right(*arguments), lambda t: t.reshape(-1) if t.ndim > 1 else t)
    if any(t.ndim > 1 and t.shape[-1] != t.shape[-2] for t in wanted):
        made["transposed"] = lambda *arguments: changed(right(*arguments), lambda t: t.mT if t.ndim > 1 else t)
    if any(one["call"].get("driver") == "gradient" for one in cases):
        made["detached"] = lambda *arguments: changed(right(*arguments), Tensor.detach)
    if any(one["expected"].get("unchanged") for one in cases):
        made["the input spoilt"] = spoiling(right)
    return made


def wanted_of(one: CaseData) -> Any:
    """The value that a case wants, without the gradients that its driver adds."""
    value = plain.decode(one["expected"]["value"])
    return value[0] if one["call"].get("driver") == "gradient" else value


def right_answer(exercise: Exercise) -> Answer:
    """The first alternative: it keeps dtypes, which the reference does not. What it answered once to scalars it does
    not work out again for every non-answer: training takes a while."""
    right = next(iter(exercise.alternatives.values()))[exercise.name]
    known: dict[Any, Any] = {}

    def answer(*arguments: Any) -> Any:
        if not all(isinstance(a, (int, float)) for a in arguments):
            return right(*arguments)
        if arguments not in known:
            known[arguments] = right(*arguments)
        return known[arguments]

    return answer


def handing_back(place: int) -> Answer:
    """Returns the argument at `place`, where there is one."""
    return lambda *arguments: arguments[min(place, len(arguments) - 1)]


def spoiling(right: Answer) -> Answer:
    """The right answer, after which the tensors it was given are zero."""

    def spoil(*arguments: Any) -> Any:
        value = right(*(a.clone() if isinstance(a, Tensor) else a for a in arguments))
        for tensor in tensors(arguments):
            with torch.no_grad():
                tensor.mul_(0)
        return value

    return spoil


def raising(*arguments: Any) -> Any:
    """An error of the learner's own."""
    raise RuntimeError("an error of my own")


def refusing(*arguments: Any) -> Any:
    """The error that bad input asks for, for any input."""
    raise ValueError("every input is refused")


def sleeping(*arguments: Any) -> Any:
    """No answer, ever."""
    while True:
        time.sleep(1)


def borrowing(*arguments: Any) -> Any:
    """The course's own routines, whichever they are."""
    from helpers import information

    return information.entropy(*arguments)


def filled(value: Any, number: float) -> Any:
    """The same structure with one number everywhere; integers stay integers where the number is one."""
    if isinstance(value, (list, tuple)):
        return type(value)(filled(item, number) for item in value)
    whole = number in (0.0, 1.0)
    if isinstance(value, Tensor):
        return torch.full_like(value, number) if whole or value.is_floating_point() else torch.full(value.shape, number)
    if isinstance(value, np.ndarray):
        return np.full(value.shape, number, dtype=value.dtype if whole or value.dtype.kind == "f" else None)
    return int(number) if whole and isinstance(value, (int, np.integer)) else number


def changed(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same structure with `change` done to every tensor; a NumPy array counts as one."""
    if isinstance(value, (list, tuple)):
        return type(value)(changed(item, change) for item in value)
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    return change(value) if isinstance(value, Tensor) else value


def other_dtype(tensor: Tensor) -> Tensor:
    """The same numbers in a dtype that was not asked for."""
    if not tensor.is_floating_point():
        return tensor.double()
    return tensor.float() if tensor.dtype != torch.float32 else tensor.double()


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
