"""Slips in a formula, known by the numbers that come of them.

An answer key holds for each slip a digest of the numbers that it gives in the public cases of a criterion, and what
was changed sealed with them: only who has made a slip reads of it. `grading.exercises.slips` makes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers.checking import plain
from helpers.checking.comparing import as_array
from helpers.checking.marking import Played
from helpers.checking.sealing import digest, opened
from helpers.checking.shapes import Plain
from helpers.checking.words import Phrase

SMALLER = "smaller cases"  # in place of a criterion's name
INSTEAD_OF = "\0"  # between what was written and what is right, of which the first may be nothing
DIGITS, NOTHING = 5, 1e-9
MOST = 24  # numbers of a case


def slip(known: dict[str, str], criterion: str, played: Sequence[Played]) -> Phrase | None:
    """What to say of the slip that gave the answers to a criterion's public cases; None where there is none."""
    found = answered([one for one in played if not one.case.get("hidden")])
    sealed = known.get(digest(criterion, *found)) if found else None
    if not sealed or not found:
        return None
    after, _, before = opened(sealed, criterion, *found).partition(INSTEAD_OF)
    if not after:
        return Phrase("The numbers are those that come without `{before}`.", {"before": before})
    facts = {"after": after, "before": before}
    return Phrase("The numbers are those that come of `{after}` in place of `{before}`.", facts)


def answered(played: Sequence[Played]) -> list[str] | None:
    """The numbers that came back, to some digits; None where there are none, or something else came back."""
    found: list[float] = []
    for one in played:
        if one.case["expected"]["judge"] != "close" or one.observation["outcome"] != "returned":
            return None
        numbers = flat(one.observation["value"])
        if numbers is None:
            return None
        found += numbers
    return [rounded(x) for x in found] or None


def flat(data: Plain) -> list[float] | None:
    """The first numbers in each result of an answer; None where one holds something else."""
    return in_a_row(plain.decode(data))


def in_a_row(value: object) -> list[float] | None:
    """The numbers of a result, or of several inside it."""
    array = as_array(value)
    if array is not None:
        found: list[float] = np.asarray(array, dtype=np.float64).ravel()[:MOST].tolist()
        return found
    parts = [in_a_row(part) for part in value] if isinstance(value, (tuple, list)) else [None]
    return None if None in parts else [x for part in parts for x in part or []]


def rounded(x: float) -> str:
    """A number to some digits; what is nearly nothing is nothing."""
    return "0" if abs(x) < NOTHING else f"{x:.{DIGITS - 1}e}"
