"""Compare numbers, structure, shape and dtype: the problem, or None where they agree.

Nothing here uses an operator of the learner's objects: values arrive as plain data and are decoded by us.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch

from helpers.checking import plain
from helpers.checking.shapes import Expectation, Observation
from helpers.checking.words import Phrase, Problem, capital, the

TOLERANCES = {  # relative, absolute
    "float64": (1e-9, 1e-12),
    "float32": (1e-5, 1e-6),
    "float16": (2.0**-10, 1e-6),
    "bfloat16": (2.0**-7, 1e-6),
}
# A known mistake is stored to 11 digits. It is told from the right answer, and from other mistakes, by nearly as many.
MISTAKE_RTOL, MISTAKE_ATOL = 1e-9, 1e-11
REMEDIES = {  # for what should be a tensor
    np.ndarray: "; return a torch tensor: torch.from_numpy(...), or torch.as_tensor(...) of a single number",
    list: "; return a torch tensor: torch.tensor(...) of numbers, torch.stack(...) of tensors",
    tuple: "; return a torch tensor: torch.tensor(...) of numbers, torch.stack(...) of tensors",
    float: "; return a torch tensor, without .item() or float(...) on the way",
    int: "; return a torch tensor, without .item() or int(...) on the way",
}
DIGITS = re.compile(r"[-+.\d]+")


def close(value: Any, expectation: Expectation) -> Problem | None:
    """Numbers agree within the tolerance, and so do structure, shape and dtype."""
    return _close(value, plain.decode(expectation["value"]), expectation, "")


def _close(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    if isinstance(want, (tuple, list)):
        return _close_results(value, want, expectation, part)
    if want is None and value is not None:
        return Problem.of("structure", "{it} is {kind}, where None was expected.", it=_it(part), kind=kind_of(value))
    if value is None:
        return missing(part) if want is not None else None
    if isinstance(want, (bool, str)):
        return _same_word(value, want, part)
    return wrong_form(value, want, expectation, part) or wrong_numbers(value, want, expectation, part)


def _close_results(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    """Several results, one after the other."""
    it, count = _it(part), len(want)
    if not isinstance(value, (tuple, list)):
        template = "{it} is {kind}, where {count} results were expected (a tuple)."
        return Problem.of("structure", template, it=it, kind=kind_of(value), count=count)
    if len(value) != count:
        template = "{it} holds {got} results, where {count} were expected."
        return Problem.of("structure", template, it=it, got=len(value), count=count)
    numbered = [f"{part}[{i}]" if part else f"result {i + 1}" for i in range(count)]
    names = (not part and expectation.get("parts")) or numbered
    pairs = zip(value, want, names, strict=True)
    return next((p for v, w, name in pairs if (p := _close(v, w, expectation, name))), None)


def _same_word(value: Any, want: bool | str, part: str) -> Problem | None:
    """The same truth value, or the same text."""
    if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if type(value) is type(want) and value == want:
        return None
    return Problem.of("numbers", "{it} is {got}, not {want}.", it=_it(part), got=f"{value!r:.80}", want=f"{want!r:.80}")


def missing(part: str) -> Problem:
    """None where a number was expected."""
    if part.startswith("gradient"):
        template = (
            "No {part} comes back: somewhere the answer leaves autograd (.item(), .detach(), .numpy(), torch.no_grad)."
        )
        return Problem.of("missing", template, part=part)
    return Problem.of("missing", "{it} is None: is a return missing?", it=_it(part))


def wrong_form(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    """Kind, shape and dtype, before any number is looked at."""
    if problem := wrong_structure(value, want, expectation, part):
        return problem
    if type(value) in (int, float):
        return None
    if expectation.get("any_sequence"):
        value = as_array(value)
    if shape_of(value) != shape_of(want):
        template = "{it} has shape {got}, where {want} was expected."
        return Problem.of("shape", template, it=_it(part), got=shape_of(value), want=shape_of(want))
    return wrong_dtype(value, want, expectation, part)


def wrong_structure(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    """Whether a value is of no kind that can hold what is wanted."""
    it, kind = _it(part), kind_of(value)
    if np.ndim(want) == 0:
        if type(value) is float and whole(want):
            return Problem.of(
                "dtype", "{it} is a float, where an integer was expected: int(...) makes one of it.", it=it
            )
        if type(value) in (int, float) or isinstance(value, (torch.Tensor, np.ndarray)):
            return None
        return Problem.of("structure", "{it} is {kind}, where a single number was expected.", it=it, kind=kind)
    if expectation.get("any_sequence") and isinstance(value, (list, tuple, np.ndarray, torch.Tensor)):
        if as_array(value) is not None:
            return None
        return Problem.of("structure", "{it} is a list whose items are not all numbers.", it=it)
    if isinstance(value, torch.Tensor):
        return None
    remedy = Phrase(REMEDIES.get(type(value), ""))
    template = "{it} is {kind}, where a tensor of shape {want} was expected{remedy}."
    return Problem.of("structure", template, it=it, kind=kind, want=shape_of(want), remedy=remedy)


def wrong_dtype(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    """Whether a tensor or array has another dtype than is wanted."""
    dtype, wanted, it = str(value.dtype).removeprefix("torch."), expectation.get("dtype"), _it(part)
    if whole(want):
        template = "{it} has dtype {got}, where {what}: {remedy} makes one of it."
        one = np.ndim(want) == 0
        facts = {"what": "an integer was expected" if one else "integers were expected"}
        remedy = "int(...)" if one else ".long()"
        return None if "int" in dtype else Problem.of("dtype", template, it=it, got=dtype, remedy=remedy, **facts)
    if wanted and isinstance(value, torch.Tensor) and dtype != wanted:
        template = (
            "{it} has dtype {got}, where {want} was expected: compute as you like, and end with .to(torch.{want}), or "
            "with .to(x.dtype), where x is an input of that dtype."
        )
        return Problem.of("dtype", template, it=it, got=dtype, want=wanted)
    if "float" not in dtype:
        template = "{it} has dtype {got}, where floating-point numbers were expected."
        return Problem.of("dtype", template, it=it, got=dtype)
    return None


def wrong_numbers(value: Any, want: Any, expectation: Expectation, part: str) -> Problem | None:
    """The first number that is off, with its place."""
    got, wanted = numbers(value), numbers(want)
    rtol, atol = tolerance(expectation)
    bad = ~agree(got, wanted, rtol, atol)
    if not bad.any():
        return None
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    how_many = Phrase(" ({bad} of {size} numbers differ)", {"bad": int(bad.sum()), "size": bad.size})
    right, wrong = in_digits(float(wanted[place]), float(got[place]))
    return Problem.of(
        "numbers",
        "{which}expected {right}{at}, got {wrong}{count}.{nearly}",
        which=Phrase("{part}: ", {"part": part}) if part else "",
        right=right,
        at=Phrase(" at {place}", {"place": list(place)}) if place else "",
        wrong=wrong,
        count=how_many if bad.size > 1 else "",
        nearly=nearly(got, wanted, rtol),
    )


def in_digits(want: float, got: float) -> tuple[str, str]:
    """Two different numbers with as many digits, six at least, as it takes to see that they differ."""
    pairs = ((f"{want:.{digits}g}", f"{got:.{digits}g}") for digits in (6, 9, 12, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(want), repr(got)))


def nearly(got: np.ndarray, want: np.ndarray, rtol: float) -> Phrase:
    """A word on numbers that are right to single precision where double was asked for."""
    if rtol >= TOLERANCES["float32"][0] or not agree(got, want, *TOLERANCES["float32"]).all():
        return Phrase("")
    return Phrase(
        " That is close, but not to float64's precision: was something rounded, or a small number added, on the way?"
    )


def agree(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Elementwise agreement; inf only with the same inf, nan only with nan."""
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - want) <= atol + rtol * np.abs(want)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    agreed: np.ndarray = np.where(np.isfinite(want) & np.isfinite(got), near, same)
    return agreed


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
    loose: Expectation = {**expectation, "rtol": max(rtol, MISTAKE_RTOL), "atol": max(atol, MISTAKE_ATOL)}
    return _alike(plain.decode(observation["value"]), plain.decode(mistake["value"]), loose)


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
        value = (value.double() if value.is_floating_point() else value).numpy()
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


def kind_of(value: Any) -> Phrase:
    """What a value is, in words a learner uses."""
    names = {type(None): "None", bool: "True or False", int: "an int", float: "a float", str: "a text"}
    names |= {list: "a list", tuple: "a tuple", dict: "a dict", np.ndarray: "a NumPy array", torch.Tensor: "a tensor"}
    name = Phrase(names[type(value)]) if type(value) in names else Phrase("{name}", {"name": type(value).__name__})
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return Phrase("{name} of shape {shape}", {"name": name, "shape": shape_of(value)})
    return name


def _it(part: str) -> Phrase:
    """The subject of a sentence about a part of the answer."""
    if not part:
        return Phrase("The answer")
    return Phrase("{part}", {"part": capital(the(part))})
