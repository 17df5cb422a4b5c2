"""One of the things the right answer is made of is missing, or has another sign, weight or power.

An author names them (`Exercise.made_of`); arguments are ingredients of every answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from helpers.checking.comparing import agree
from helpers.checking.relations.changes import ELEMENTWISE
from helpers.checking.relations.factors import as_quantity, factor, named, ratio
from helpers.checking.relations.samples import (
    Form,
    Sample,
    distinct,
    fits_into,
    form,
    holds,
    part_of,
    subject,
    telling,
)
from helpers.checking.words import Phrase, capital, the

ALONE = {0.0: "is missing", -1.0: "has the wrong sign", 2.0: "is counted twice", 0.5: "is counted half"}
POWERS_IN_WORDS = {
    1.0: "{q}", -1.0: "1/({q})", 2.0: "({q})**2", -2.0: "1/({q})**2", 4.0: "({q})**4", -4.0: "1/({q})**4",
    0.5: "the root of {q}", -0.5: "1 over the root of {q}",
}  # fmt: skip


def an_ingredient(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """One of the things the right answer is made of is missing, has another sign, weight or power, or two of them."""
    names = [name for name in failed[0].ingredients if all(name in s.ingredients for s in [*failed, *passed])]
    if not names or any(s.got.shape != s.want.shape for s in failed):
        return None
    for name in names:
        if found := weighed(failed, passed, name) or multiplied(failed, passed, name):
            return found
    for first, second in combinations(names, 2):
        if found := two_weighed(failed, passed, first, second):
            return found
    for name in names:
        if holds(failed, passed, lambda s, name=name: s.ingredients[name]):  # type: ignore[misc]
            return form("ingredient", failed[0], "{name}, and nothing else.", name=name)
    return next((found for name in names if (found := entered_otherwise(failed, passed, name))), None)


def off_by(s: Sample, change: np.ndarray) -> np.ndarray:
    """What was wanted, and a change."""
    value: np.ndarray = s.want + change
    return value


def weighed(failed: Sequence[Sample], passed: Sequence[Sample], name: str) -> Form | None:
    """An ingredient with another weight: a constant, or a power of an argument or of another ingredient."""
    with np.errstate(all="ignore"):
        weights = [1 + (s.got - s.want) / s.ingredients[name] for s in failed]
    flat = np.concatenate([w.ravel() for w in weights])
    if not flat.size or not np.isfinite(flat).all():
        return None
    rtol, first = max(1e-7, max(s.tolerance[0] for s in failed)), float(flat[0])
    it = capital(name) + (f" (in {the(failed[0].part)})" if failed[0].part else "")
    if not agree(flat, np.full_like(flat, first), rtol, rtol).all():
        return weighed_by_another(failed, passed, name, it)
    if not holds(failed, passed, lambda s: off_by(s, (first - 1) * s.ingredients[name])):
        return None
    usual = next((words for w, words in ALONE.items() if math.isclose(first, w, abs_tol=rtol)), None)
    if usual:
        return Form("ingredient", Phrase("{it} {is_so}.", {"it": it, "is_so": usual}))
    constant = named(first, rtol)
    if constant is None and len({x for s in failed for x in distinct(s.ingredients[name])}) < 2:
        return None  # a number more or less: not of this one alone
    if constant is None and (len(failed) < 2 or sum(len(telling(s, s.got)) for s in failed) < 3):
        return None  # in one case alone an odd number may come of anything
    size, remark = constant or (f"{first:.7g}", "")
    facts = {"it": it, "c": size, "remark": f": {remark}" if remark else ""}
    return Form("ingredient", Phrase("{it} is {c} times as large as it should be{remark}.", facts))


def weighed_by_another(failed: Sequence[Sample], passed: Sequence[Sample], name: str, it: str) -> Form | None:
    """An ingredient multiplied by a power of an argument, or of another ingredient."""
    for other in (*failed[0].arguments, *failed[0].ingredients):
        for power, words in POWERS_IN_WORDS.items():

            def made(s: Sample, other: str = other, power: float = power) -> np.ndarray | None:
                factor = s.ingredients.get(other, s.arguments.get(other))
                if factor is None or not fits_into(factor.shape, s.want.shape):
                    return None
                return off_by(s, s.ingredients[name] * (factor**power - 1))

            if holds(failed, passed, made):
                return Form(
                    "ingredient", Phrase("{it} is multiplied by {power}.", {"it": it, "power": words.format(q=other)})
                )
    return None


def multiplied(failed: Sequence[Sample], passed: Sequence[Sample], name: str) -> Form | None:
    """The right answer, or the right step from an argument, times a power of an ingredient."""
    starts: list[str | None] = [None, *(n for n, a in failed[0].tensors.items() if a.shape == failed[0].want.shape)]
    for start in starts:
        for power, words in (
            (-1, "divided by"),
            (1, "times"),
            (-2, "divided by the square of"),
            (2, "times the square of"),
        ):

            def made(s: Sample, start: str | None = start, power: int = power) -> np.ndarray | None:
                origin = s.tensors.get(start) if start else np.zeros(())
                if origin is None or (start and origin.shape != s.want.shape):
                    return None
                value: np.ndarray = origin + (s.want - origin) * s.ingredients[name] ** float(power)
                return value

            if holds(failed, passed, made):
                what = "what should be added" if start else "the right one"
                it = f"{part_of(failed[0])}: what is added to {start}" if start else subject(failed[0])
                facts = {"it": it, "what": what, "words": words, "name": name}
                return Form("ingredient", Phrase("{it} is {what} {words} {name}.", facts))
    return None


def two_weighed(failed: Sequence[Sample], passed: Sequence[Sample], first: str, second: str) -> Form | None:
    """Two ingredients, each missing, of the wrong sign or counted twice; or one in the other's place."""
    for a, b in product((-1.0, -2.0, 1.0), repeat=2):
        if holds(failed, passed, lambda s, a=a, b=b: off_by(s, a * s.ingredients[first] + b * s.ingredients[second])):  # type: ignore[misc]
            facts = {"first": capital(first), "a": ALONE[1 + a], "second": second, "b": ALONE[1 + b]}
            return Form("two ingredients", Phrase("{first} {a}, and {second} {b}.", facts))
    return None


def entered_otherwise(failed: Sequence[Sample], passed: Sequence[Sample], name: str) -> Form | None:
    """An ingredient that was changed before it was added."""
    for changed, (words, change) in ELEMENTWISE.items():
        if holds(failed, passed, lambda s, change=change: off_by(s, change(s.ingredients[name]) - s.ingredients[name])):  # type: ignore[misc]
            relation = words.split(":")[0].format(right="what it should be")
            return Form(
                f"ingredient, {changed}",
                Phrase("{it} went in as {relation}.", {"it": capital(name), "relation": relation}),
            )
    return None


def steps(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """The step from an argument is a factor times the right step, or the difference is a multiple of an argument."""
    for name in failed[0].tensors:
        of = [s.tensors.get(name) for s in failed]
        if not all(
            a is not None and a.shape == s.want.shape == s.got.shape and a.size for a, s in zip(of, failed, strict=True)
        ):
            continue
        moved = [
            s.with_values(s.got - a, s.want - a) for a, s in zip(of, failed, strict=True) if a is not None and a.any()
        ]
        if len(moved) == len(failed) and enough(moved) and (found := factor(moved, [])):
            words = str(found.sentence).split(" is ", 1)[1].replace("the right one", "what should be added")
            facts = {"it": part_of(failed[0]), "name": name, "words": words}
            return Form("step", Phrase("{it}: what is added to {name} is {words}", facts))
    found_in = [name for name in failed[0].tensors if multiples(failed, name)]
    if len(found_in) == 1 and not any(s.want.size for s in passed):
        return missing_term(failed, found_in[0], multiples(failed, found_in[0]) or [])
    return None


def missing_term(failed: Sequence[Sample], name: str, ratios: Sequence[float]) -> Form:
    """The difference is a multiple of an argument: say which."""
    rtol = max(1e-7, failed[0].tolerance[0])
    constant = named(ratios[0], rtol) if all(math.isclose(ratios[0], c, rel_tol=rtol) for c in ratios) else None
    words = (constant[0] if constant else "") or as_quantity(failed, ratios, rtol) or f"{ratios[0]:.6g}"
    minus = str(words).startswith(("minus ", "-"))
    times = Phrase("{sign} {size} times", {"sign": "minus" if minus else "plus", "size": unsigned(str(words))})
    facts = {"it": subject(failed[0]), "times": times, "name": name}
    sentence = "{it} is the right one {times} {name}: a term with {name} is missing, too many, or has another weight."
    return Form("term", Phrase(sentence, facts))


def unsigned(words: str) -> str:
    """A number in words, or a quantity, without its minus."""
    return words.removeprefix("minus ").removeprefix("-")


def multiples(failed: Sequence[Sample], name: str) -> list[float] | None:
    """How many times an argument what was answered is off, in each case; None where it is no multiple."""
    found = []
    for s in failed:
        a = s.tensors.get(name)
        if a is None or a.shape != s.want.shape or s.got.shape != s.want.shape or a.size < 2 or not a.all():
            return None
        c = (s.got - s.want) / a
        if (
            not np.isfinite(c).all()
            or not agree(c, np.full_like(c, c.flat[0]), 1e-7, 1e-11).all()
            or abs(c.flat[0]) < 1e-9
        ):
            return None
        if len(distinct(a)) < 2 or ((proportional := ratio(s.want, a, 1e-9)) is not None and proportional):
            return None
        found.append(float(c.flat[0]))
    return found if sum(s.want.size - 1 for s in failed) >= 2 else None


def enough(samples: Sequence[Sample]) -> bool:
    """Whether there are more numbers than factors that were fitted."""
    return sum(s.want.size for s in samples) - len(samples) >= 2 or len(samples) > 2
