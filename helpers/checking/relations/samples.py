"""What an answer is held against, case by case, and when a relation to what is right shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from helpers.checking import plain
from helpers.checking.comparing import agree, as_array, numbers
from helpers.checking.shapes import Call
from helpers.checking.words import Phrase, capital, the

RTOL, ATOL = 1e-9, 1e-11  # known mistakes are stored to 11 digits
SHARP = 5e-4  # a case with a looser tolerance shows nothing
DIGITS = 7  # by which numbers are different ones
MOST = 50_000  # numbers of an answer that are looked at
Search = Callable[[Sequence["Sample"], Sequence["Sample"]], "Form | None"]


class Form(NamedTuple):
    """A relation that was found: its name, and the sentence."""

    name: str
    sentence: Phrase


@dataclass(frozen=True)
class Sample:
    """One result of one call, beside what it should be."""

    got: np.ndarray
    want: np.ndarray
    right: np.ndarray  # the right answer, also where `want` is a mistake's
    tolerance: tuple[float, float]
    call: Call
    part: str = ""
    made_of: Mapping[str, Any] = field(default_factory=dict)  # the case's ingredients

    @cached_property
    def ingredients(self) -> dict[str, np.ndarray]:
        """What the right answer is made of, by name, where it has the answer's shape."""
        found = {name: numbers(plain.decode(data)) for name, data in self.made_of.items()}
        shape = self.want.shape
        return {name: np.broadcast_to(x, shape) for name, x in found.items() if fits_into(x.shape, shape)}

    @cached_property
    def failed(self) -> bool:
        """Whether the answer is wrong here."""
        return not self.fits(self.right)

    def fits(self, value: np.ndarray) -> bool:
        """Whether the answer is this."""
        rtol, atol = self.tolerance
        return self.got.shape == value.shape and bool(agree(self.got, value, max(rtol, RTOL), max(atol, ATOL)).all())

    @cached_property
    def arguments(self) -> dict[str, np.ndarray]:
        """The arguments that are numbers, by name."""
        named = zip(self.call["names"], self.call["arguments"], strict=False)
        return {name: numbers(value) for name, data in named for value in decoded(data)}

    @cached_property
    def scalars(self) -> dict[str, float]:
        """The arguments that are single numbers."""
        return {name: float(value) for name, value in self.arguments.items() if value.ndim == 0}

    @cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        """The arguments that are many numbers."""
        return {name: value for name, value in self.arguments.items() if value.ndim > 0}

    def with_values(self, got: np.ndarray, want: np.ndarray) -> Sample:
        """The same case with other numbers."""
        return Sample(got, want, want, self.tolerance, self.call, self.part, self.made_of)


def fits_into(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of one shape can be read as one of another, row by row."""
    return len(small) <= len(shape) and all(a in (1, b) for a, b in zip(small[::-1], shape[::-1], strict=False))


def decoded(data: Any) -> Iterator[Any]:
    """The value of an argument where it is a number, a tensor or a list of numbers."""
    if not (isinstance(data, dict) and ("function" in data or "generator" in data)):
        value = plain.decode(data)
        if isinstance(value, (int, float, torch.Tensor, np.ndarray, list, tuple)) and as_array(value) is not None:
            yield value


def attempt(make: Callable[[Sample], np.ndarray | None], s: Sample) -> np.ndarray | None:
    """What `make` gives for a case; None where it is not made for its shape."""
    try:
        return make(s)
    except (ValueError, IndexError):  # nothing to reduce, no such dimension
        return None


def holds(failed: Sequence[Sample], passed: Sequence[Sample], make: Callable[[Sample], np.ndarray | None]) -> bool:
    """Whether what `make` gives was answered in every case that failed, would have been right in those that passed,
    and shows in enough different numbers."""
    with np.errstate(all="ignore"):
        for s in failed:
            value = attempt(make, s)
            if value is None or not s.fits(value):
                return False
        if sum(len(telling(s, attempt(make, s))) for s in failed) < 2:
            return False
        for s in passed:
            value = attempt(make, s)
            if value is None or not s.fits(value):
                return False
    return len({x for s in failed for x in telling(s, attempt(make, s))}) >= 2


def telling(s: Sample, value: np.ndarray | None) -> set[float]:
    """The numbers that tell what `value` holds from what was wanted: of no special size, and different from it."""
    if value is None:
        return set()
    flat = np.asarray(s.got, dtype=np.float64).ravel()
    if value.shape == s.want.shape:
        flat = flat[~agree(value, s.want, 1e-7, 1e-9).ravel()]
    flat = flat[np.isfinite(flat) & (np.abs(flat) > s.tolerance[1])][:64]
    return {float(f"{x:.{DIGITS}g}") for x in flat} - {0.0, 1.0, -1.0}


def distinct(value: np.ndarray) -> set[float]:
    """The different numbers in an array."""
    return {float(f"{x:.{DIGITS}g}") for x in value.ravel()[:64]}


def subject(s: Sample) -> Phrase:
    """Of what a sentence speaks."""
    if s.want.ndim:
        return Phrase("Each number{of}", {"of": of_part(s)})
    return Phrase("{part}", {"part": part_of(s)})


def part_of(s: Sample) -> str:
    """A part by its name, at the beginning of a sentence."""
    return capital(the(s.part)) if s.part else "The answer"


def of_part(s: Sample) -> str:
    """Of which part of the answer a sentence speaks; nothing where it is the whole."""
    return f" of {the(s.part)}" if s.part else ""


def form(name: str, s: Sample, relation: str, /, **facts: object) -> Form:
    """A form with a sentence about a sample's result."""
    return Form(name, Phrase("{it} is " + relation, {"it": subject(s), **facts}))


def right(beside: bool) -> str:
    """What the relation is to."""
    return "what that gives" if beside else "the right one"
