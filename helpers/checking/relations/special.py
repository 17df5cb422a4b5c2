"""An argument handed back, a constant, nan and inf, what is nearly right, and where the wrong numbers stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from helpers.checking.comparing import agree
from helpers.checking.relations.samples import ATOL, RTOL, Form, Sample, distinct, form, holds, of_part
from helpers.checking.words import Phrase

FROM_NAN = "0/0, 0 * log 0, inf - inf, or a root or logarithm of a negative number"
SMALL_THINGS = (
    "a small number that was added (in a logarithm, a root or a division), a clamp, a constant that was rounded, "
    "float32 on the way (torch.eye and torch.tensor make it), steps that end too early, or a term of little weight."
)
FROM_INF = "a division by 0, log 0, or an exponential that overflows"


def an_argument(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """The answer is an argument, as it was given."""
    for name in failed[0].arguments:
        if holds(failed, passed, lambda s, name=name: s.arguments.get(name)):  # type: ignore[misc]
            what = Phrase("What came back{of} is {name}, as it was given.", {"of": of_part(failed[0]), "name": name})
            return Form("argument", what)
    return None


def a_constant(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """The answer is always the same."""
    first = failed[0].got.ravel()
    if passed or not first.size or len({x for s in failed for x in distinct(s.want)}) < 2:
        return None
    if all(
        s.got.size and bool((s.got == first[0]).all() or (np.isnan(s.got).all() and np.isnan(first[0]))) for s in failed
    ):
        c = float(first[0]) + 0.0
        why = "." if math.isfinite(c) else f": look for {FROM_NAN if math.isnan(c) else FROM_INF}."
        return form("constant", failed[0], "{c:.7g} in every case that was tried{why}", c=c, why=why)
    return None


def not_finite(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """Nan, inf, or a finite number in place of inf, where all other numbers are right."""
    masks = []
    for s in failed:
        if s.got.shape != s.want.shape:
            return None
        rtol, atol = s.tolerance
        masks.append(~agree(s.got, s.want, max(rtol, RTOL), max(atol, ATOL)))
    if not passed and all(mask.all() for mask in masks):
        return None
    bad_got = np.concatenate([s.got[m].ravel() for s, m in zip(failed, masks, strict=True)])
    bad_want = np.concatenate([s.want[m].ravel() for s, m in zip(failed, masks, strict=True)])
    if np.isnan(bad_got).all() and not np.isnan(bad_want).any():
        facts = {"where": where_from(failed, passed)}
        if any("kernel" in str(s.call.get("driver")) for s in failed):
            return Form(
                "nan",
                Phrase(
                    "The other numbers are right, but some are nan{where}: they were never written, as new memory is "
                    "full of nan here (look at the grid and the mask), or come of 0/0 or inf - inf.",
                    facts,
                ),
            )
        return Form(
            "nan",
            Phrase(
                "The other numbers are right, but some are nan, as 0 * log 0, 0/0 and inf - inf are{where}: "
                "give such terms their limit before they meet (torch.where, xlogy, a check for 0).",
                facts,
            ),
        )
    if np.isinf(bad_got).all() and np.isfinite(bad_want).all():
        facts = {"where": where_from(failed, passed)}
        return Form(
            "inf",
            Phrase(
                "The other numbers are right, but some are infinite where they should not be{where}: a "
                "division by 0, log 0, or an exponential that overflows.",
                facts,
            ),
        )
    if np.isinf(bad_want).all() and np.isfinite(bad_got).all():
        return Form(
            "finite",
            Phrase(
                "The other numbers are right, but where {want:g} is right a finite number came, such as "
                "{got:.6g}: a clamp or a small number in a logarithm, or such terms were left out.",
                {"want": float(bad_want[0]), "got": float(bad_got[0])},
            ),
        )
    return None


SPECIAL: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "0": lambda x: x == 0,
    "inf": lambda x: x == np.inf,
    "-inf": lambda x: x == -np.inf,
    "nan": np.isnan,
}


def where_from(failed: Sequence[Sample], passed: Sequence[Sample]) -> str:
    """What the arguments hold in all cases that failed and in none that passed."""
    for name in failed[0].arguments:
        for word, holds_it in SPECIAL.items():
            here = all(name in s.arguments and holds_it(s.arguments[name]).any() for s in failed)
            if here and not any(name in s.arguments and holds_it(s.arguments[name]).any() for s in passed):
                return f" (in the cases in which {name} holds {word}, and only there)"
    return ""


def nearly_right(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """All numbers are what was wanted, but for a small error."""
    worst = 0.0
    for s in failed:
        if s.got.shape != s.want.shape or not s.want.size:
            return None
        finite = np.isfinite(s.want)
        if not agree(s.got, s.want, 3e-4, 3e-4 * min(1.0, float(np.abs(s.want[finite]).max(initial=0)))).all():
            return None
        worst = max(worst, float(np.max(np.abs(s.got - s.want)[finite], initial=0)))
    if len({x for s in [*failed, *passed] for x in distinct(s.want)} - {0.0, 1.0}) < 2:
        return None
    if beside and (not all(map(far_from_right, failed)) or all(s.fits(s.want) for s in failed)):
        return None
    if beside:
        sentence = (
            "The numbers are nearly what that gives, {worst:.2g} off at most: something small bends them: {these}"
        )
    else:
        sentence = (
            "The numbers are nearly right, {worst:.2g} off at most, so the main part is there, and something small "
            "bends it: {these}"
        )
    return Form("small", Phrase(sentence, {"worst": worst, "these": SMALL_THINGS}))


def far_from_right(s: Sample) -> bool:
    """Whether a mistake's answer, which was wanted, is much further from the right one than from what came. Another
    shape is far."""
    if s.right.shape != s.want.shape:
        return True
    apart, off = (np.abs(x - s.want)[np.isfinite(s.want)].max(initial=0) for x in (s.right, s.got))
    return bool(apart > 100 * off)


def places(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """Which numbers are wrong, where the others are right: the first, the last, the diagonal."""
    regions: dict[str, Callable[[tuple[int, ...]], Any]] = {
        "the last number of each row": lambda shape: (..., -1),
        "the first number of each row": lambda shape: (..., 0),
        "the last row": lambda shape: (-1,),
        "the first row": lambda shape: (0,),
    }
    found = None
    for words, region in regions.items():
        for s in failed:
            if (
                s.got.shape != s.want.shape
                or s.want.ndim == 0
                or s.want.size < 3
                or ("row" in words and s.want.ndim < 2 and "each" not in words)
            ):
                break
            wanted = np.zeros(s.want.shape, dtype=bool)
            wanted[region(s.want.shape)] = True
            wrong = ~agree(s.got, s.want, max(s.tolerance[0], RTOL), max(s.tolerance[1], ATOL))
            if wanted.all() or not (wrong == wanted).all():
                break
        else:
            found = words
            break
    if found is None or len(failed) + len(passed) < 2:
        return None
    if all(s.want.ndim == 1 for s in failed):
        found = found.removesuffix(" of each row")
    return Form("place", Phrase("All numbers{of} are right but {found}.", {"of": of_part(failed[0]), "found": found}))
