"""Compare numbers, structure, shape and dtype: a sentence for the learner, or None where they agree.

Nothing here uses an operator of the learner's objects: values arrive as plain data and are decoded by us.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch

from helpers.checking import plain
from helpers.checking.shapes import Expectation, Observation

TOLERANCES = {  # relative, absolute
    "float64": (1e-9, 1e-12),
    "float32": (1e-5, 1e-6),
    "float16": (2.0**-10, 1e-6),
    "bfloat16": (2.0**-7, 1e-6),
}
# A known mistake is stored to 11 digits. It is told from the right answer, and from other mistakes, by nearly as many.
MISTAKE_RTOL, MISTAKE_ATOL = 1e-9, 1e-11
DIGITS = re.compile(r"[-+.\d]+")


def close(value: Any, expectation: Expectation) -> str | None:
    """Numbers agree within the tolerance, and so do structure, shape and dtype."""
    return _close(value, plain.decode(expectation["value"]), expectation, "")


def _close(value: Any, want: Any, expectation: Expectation, part: str) -> str | None:
    if isinstance(want, (tuple, list)):
        if not isinstance(value, (tuple, list)):
            return f"{_it(part)} is {kind_of(value)}, where {len(want)} results were expected (a tuple)."
        if len(value) != len(want):
            return f"{_it(part)} holds {len(value)} results, where {len(want)} were expected."
        names = (not part and expectation.get("parts")) or [f"result {i + 1}" for i in range(len(want))]
        pairs = zip(value, want, names, strict=True)
        return next((p for v, w, name in pairs if (p := _close(v, w, expectation, name))), None)
    if want is None:
        return None if value is None else f"{_it(part)} is {kind_of(value)}, where None was expected."
    if value is None:
        return missing(part)
    if isinstance(want, (bool, str)):
        if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim == 0:
            value = value.item()
        same = type(value) is type(want) and value == want
        return None if same else f"{_it(part)} is {value!r:.80}, not {want!r:.80}."
    return wrong_form(value, want, expectation, part) or wrong_numbers(value, want, expectation, part)


def missing(part: str) -> str:
    """The sentence for None where a number was expected."""
    if part.startswith("gradient"):
        return (
            f"No {part} comes back: somewhere the answer leaves autograd (.item(), .detach(), .numpy(), torch.no_grad)."
        )
    return f"{_it(part)} is None: is a return missing?"


def wrong_form(value: Any, want: Any, expectation: Expectation, part: str) -> str | None:
    """Kind, shape and dtype, before any number is looked at."""
    scalar = np.ndim(want) == 0
    if scalar:
        if type(value) in (int, float):
            return (
                None
                if type(value) is int or not whole(want)
                else f"{_it(part)} is a float, where an integer was expected."
            )
        if not isinstance(value, (torch.Tensor, np.ndarray)):
            return f"{_it(part)} is {kind_of(value)}, where a single number was expected."
    elif expectation.get("any_sequence") and isinstance(value, (list, tuple, np.ndarray, torch.Tensor)):
        value = as_array(value)
        if value is None:
            return f"{_it(part)} is a list whose items are not all numbers."
    elif not isinstance(value, torch.Tensor):
        remedy = "; return a torch tensor" if isinstance(value, (list, tuple, np.ndarray)) else ""
        return f"{_it(part)} is {kind_of(value)}, where a tensor of shape {shape_of(want)} was expected{remedy}."
    if shape_of(value) != shape_of(want):
        return f"{_it(part)} has shape {shape_of(value)}, where {shape_of(want)} was expected."
    dtype, wanted = str(value.dtype).removeprefix("torch."), expectation.get("dtype")
    if whole(want):
        return None if "int" in dtype else f"{_it(part)} has dtype {dtype}, where integers were expected."
    if wanted and isinstance(value, torch.Tensor) and dtype != wanted:
        return f"{_it(part)} has dtype {dtype}, where {wanted} was expected (the dtype of the input)."
    if "float" not in dtype:
        return f"{_it(part)} has dtype {dtype}, where floating-point numbers were expected."
    return None


def wrong_numbers(value: Any, want: Any, expectation: Expectation, part: str) -> str | None:
    """The first number that is off, with its place."""
    got, wanted = numbers(value), numbers(want)
    rtol, atol = tolerance(expectation)
    bad = ~agree(got, wanted, rtol, atol)
    if not bad.any():
        return None
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    at = f" at {list(place)}" if place else ""
    which = f"{part}: " if part else ""
    count = f" ({int(bad.sum())} of {bad.size} numbers differ)" if bad.size > 1 else ""
    right, wrong = in_digits(float(wanted[place]), float(got[place]))
    return f"{which}expected {right}{at}, got {wrong}{count}.{nearly(got, wanted, rtol)}"


def in_digits(want: float, got: float) -> tuple[str, str]:
    """Two different numbers with as many digits, six at least, as it takes to see that they differ."""
    pairs = ((f"{want:.{digits}g}", f"{got:.{digits}g}") for digits in (6, 9, 12, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(want), repr(got)))


def nearly(got: np.ndarray, want: np.ndarray, rtol: float) -> str:
    """A word on numbers that are right to single precision where double was asked for."""
    if rtol >= TOLERANCES["float32"][0] or not agree(got, want, *TOLERANCES["float32"]).all():
        return ""
    return " That is close, but not to float64's precision: was something rounded, or a small number added, on the way?"


def agree(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Elementwise agreement; inf only with the same inf, nan only with nan."""
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - want) <= atol + rtol * np.abs(want)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(np.isfinite(want) & np.isfinite(got), near, same)


def tolerance(expectation: Expectation) -> tuple[float, float]:
    """(relative, absolute): the expectation's own, or its dtype's."""
    rtol, atol = TOLERANCES[expectation.get("dtype") or "float64"]
    return expectation.get("rtol", rtol), expectation.get("atol", atol)


def alike(observation: Observation, mistake: Observation, expectation: Expectation) -> bool:
    """Whether what happened is what a known mistake would have made happen."""
    if observation["outcome"] != mistake["outcome"]:
        return False
    if mistake["outcome"] == "raised":
        texts = (DIGITS.sub("", one["message"]) for one in (observation, mistake))
        return observation["error"] == mistake["error"] and len(set(texts)) == 1
    if mistake["outcome"] != "returned":
        return bool(mistake["outcome"] == "not attempted") or observation.get("message") == mistake.get("message")
    if expectation.get("unchanged") and observation["changed"] != mistake["changed"]:
        return False
    rtol, atol = tolerance(expectation)
    slack = {"rtol": max(rtol, MISTAKE_RTOL), "atol": max(atol, MISTAKE_ATOL)}
    return _alike(plain.decode(observation["value"]), plain.decode(mistake["value"]), {**expectation, **slack})


def _alike(value: Any, want: Any, expectation: Expectation) -> bool:
    if isinstance(value, (tuple, list)) and isinstance(want, (tuple, list)) and not expectation.get("any_sequence"):
        return len(value) == len(want) and all(_alike(v, w, expectation) for v, w in zip(value, want, strict=True))
    got, wanted = as_array(value), as_array(want)
    if got is None or wanted is None:
        return type(value) is type(want) and plain.encode(value) == plain.encode(want)
    tensors = isinstance(value, torch.Tensor) and isinstance(want, torch.Tensor)
    if got.shape != wanted.shape or (tensors and value.dtype != want.dtype):
        return False
    return bool(agree(numbers(got), numbers(wanted), *tolerance(expectation)).all())


def numbers(value: Any) -> np.ndarray:
    """Any number, tensor, array or flat list of numbers as float64."""
    array = as_array(value)
    return np.asarray(value if array is None else array, dtype=np.float64)


def as_array(value: Any) -> np.ndarray | None:
    """A number, tensor, array, or flat list of numbers as an array; None for anything else."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.double().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, np.ndarray) or type(value) in (int, float):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        items = [
            item.item() if isinstance(item, (torch.Tensor, np.ndarray)) and item.ndim == 0 else item for item in value
        ]
        if all(type(item) in (int, float) for item in items):
            return np.asarray(items) if items else np.zeros(0, dtype=np.int64)
    return None


def whole(want: Any) -> bool:
    """Whether integers are expected."""
    return type(want) is int or "int" in str(getattr(want, "dtype", ""))


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape as a plain tuple."""
    return tuple(np.shape(value)) if not isinstance(value, torch.Tensor) else tuple(value.shape)


def kind_of(value: Any) -> str:
    """What a value is, in words a learner uses."""
    names = {type(None): "None", bool: "True or False", int: "an int", float: "a float", str: "a text"}
    names |= {list: "a list", tuple: "a tuple", dict: "a dict", np.ndarray: "a NumPy array", torch.Tensor: "a tensor"}
    name = names.get(type(value), type(value).__name__)
    return f"{name} of shape {shape_of(value)}" if isinstance(value, (np.ndarray, torch.Tensor)) else name


def _it(part: str) -> str:
    return f"The {part}" if part and not part.startswith("result") else part.capitalize() or "The answer"
