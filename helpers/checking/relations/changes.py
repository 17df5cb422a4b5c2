"""The answer is the right one changed: its square, its logarithm, transposed, summed, shifted, in another shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from helpers.checking.relations.samples import Form, Sample, form, holds, of_part, right
from helpers.checking.words import Phrase, the

Change = Callable[[np.ndarray], np.ndarray]


def over(axis: int, change: Callable[..., np.ndarray]) -> Change:
    """A change along one dimension."""
    return lambda x: change(x, axis=axis) if x.ndim > (axis if axis >= 0 else -axis - 1) else np.full((0, 0), np.nan)


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Exponentials divided by their sum."""
    e: np.ndarray = np.exp(x - x.max(axis=axis, keepdims=True))
    normalised: np.ndarray = e / e.sum(axis=axis, keepdims=True)
    return normalised


def kept(reduce: str, axis: int) -> Change:
    """A sum or the like that leaves its dimension out."""
    return over(axis, lambda x, axis: np.asarray(getattr(x, reduce)(axis=axis)))


ELEMENTWISE: dict[str, tuple[str, Change]] = {
    "reciprocal": (
        "1/x where x is {right}: numerator and denominator are exchanged, or a sign in an exponent",
        lambda x: 1 / x,
    ),
    "negative reciprocal": ("-1/x where x is {right}", lambda x: -1 / x),
    "square": ("the square of {right}: a root is missing, or something is squared twice", np.square),
    "root": ("the square root of {right}: a square is missing, or a root is too many", np.sqrt),
    "cube": ("{right} to the third power", lambda x: x**3),
    "inverse square": ("1/x**2 where x is {right}", lambda x: x**-2.0),
    "inverse root": ("1 over the square root of {right}", lambda x: x**-0.5),
    "exp": ("exp(x) where x is {right}: a logarithm is missing, or an exponential is too many", np.exp),
    "exp of minus": ("exp(-x) where x is {right}", lambda x: np.exp(-x)),
    "log": ("log(x) where x is {right}: an exponential is missing, or a logarithm is too many", np.log),
    "minus log": ("-log(x) where x is {right}", lambda x: -np.log(x)),
    "two to": ("2**x where x is {right}", np.exp2),
    "log2": ("log2(x) where x is {right}", np.log2),
    "expm1": ("exp(x) - 1 where x is {right}", np.expm1),
    "log1p": ("log(1 + x) where x is {right}", np.log1p),
    "complement": ("1 - x where x is {right}: the other side was taken", lambda x: 1 - x),
    "absolute": ("the absolute value of {right}: signs are lost", np.abs),
    "negative absolute": ("minus the absolute value of {right}", lambda x: -np.abs(x)),
    "positive part": ("{right} where that is positive, and 0 elsewhere", lambda x: np.maximum(x, 0)),
    "at most one": ("{right}, but never more than 1: something is clamped", lambda x: np.minimum(x, 1)),
    "whole": ("{right} rounded to a whole number", np.round),
    "floor": ("{right} rounded down to a whole number", np.floor),
    "ceiling": ("{right} rounded up to a whole number", np.ceil),
    "sign": ("only the sign of {right}", np.sign),
}  # fmt: skip
STRUCTURAL: dict[str, tuple[str, Change]] = {
    "reversed": ("Right numbers, but the last dimension is in reverse order", over(-1, np.flip)),
    "rows reversed": ("Right numbers, but the rows are in reverse order", over(0, np.flip)),
    "transposed": (
        "Right numbers, but transposed: rows and columns are exchanged",
        lambda x: x.swapaxes(-1, -2) if x.ndim > 1 else x,
    ),
    "sorted": ("Right numbers, but sorted: give them back in the order of the input", over(-1, np.sort)),
    "sorted downwards": (
        "Right numbers, but sorted: give them back in the order of the input",
        over(-1, lambda x, axis: -np.sort(-x, axis=axis)),
    ),
    "cumulative": ("These are running sums of the right numbers", over(-1, np.cumsum)),
    "cumulative rows": ("These are running sums of the right rows", over(0, np.cumsum)),
    "one late": ("Every number stands one place too late", over(-1, lambda x, axis: np.roll(x, 1, axis))),
    "one early": ("Every number stands one place too early", over(-1, lambda x, axis: np.roll(x, -1, axis))),
    "normalised": (
        "The right numbers were divided by their sum along the last dimension",
        over(-1, lambda x, axis: x / x.sum(axis=axis, keepdims=True)),
    ),
    "normalised down": (
        "The right numbers were divided by their sum along the first dimension",
        over(0, lambda x, axis: x / x.sum(axis=axis, keepdims=True)),
    ),
    "normalised as a whole": ("The right numbers were divided by the sum of all of them", lambda x: x / x.sum()),
    "softmax": ("The softmax of the right numbers was taken: leave it out", over(-1, softmax)),
    "centred": (
        "The mean was taken off the right numbers",
        over(-1, lambda x, axis: x - x.mean(axis=axis, keepdims=True)),
    ),
    "max taken off": (
        "The largest was taken off the right numbers, and not put back",
        over(-1, lambda x, axis: x - x.max(axis=axis, keepdims=True)),
    ),
    "unit length": (
        "The right numbers were divided by their length (norm)",
        lambda x: x / np.linalg.norm(x) if x.ndim else np.full((0, 0), 0.0),
    ),
    **{
        f"{reduce} {words}": (
            f"The right numbers, but their {name} over {words} was taken: leave that dimension as it is",
            kept(reduce, axis),
        )
        for reduce, name in (("sum", "sum"), ("mean", "mean"), ("max", "maximum"), ("prod", "product"))
        for words, axis in (("the last dimension", -1), ("the first dimension", 0))
    },
    "total": (
        "The sum of all the right numbers: sum over the dimension that is asked for only, so that a batch "
        "stays a batch",
        lambda x: np.asarray(x.sum()),
    ),
    "mean of all": (
        "The mean of all the right numbers: leave out the mean, so that a batch stays a batch",
        lambda x: np.asarray(x.mean()),
    ),
    "without the last": (
        "The right numbers without the last of each row: one too few",
        over(-1, lambda x, axis: x[..., :-1]),
    ),
    "without the first": (
        "The right numbers without the first of each row: one too few",
        over(-1, lambda x, axis: x[..., 1:]),
    ),
    "without the last row": ("The right rows without the last: one too few", over(0, lambda x, axis: x[:-1])),
    "without the first row": ("The right rows without the first: one too few", over(0, lambda x, axis: x[1:])),
    "first alone": ("Only the first of the right rows was given back", over(0, lambda x, axis: x[0])),
    "last alone": ("Only the last of the right rows was given back", over(0, lambda x, axis: x[-1])),
}  # fmt: skip


def elementwise(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """The answer is a function of each number that was wanted."""
    for name, (words, change) in ELEMENTWISE.items():
        if holds(failed, passed, lambda s, change=change: change(s.want)):  # type: ignore[misc]
            return form(name, failed[0], words + ".", right=right(beside))
    return None


def structural(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """The numbers that were wanted in another order, shape or sum."""
    if not any(s.want.ndim for s in failed):
        return None
    for name, (words, change) in STRUCTURAL.items():
        if holds(failed, passed, lambda s, change=change: change(s.want)):  # type: ignore[misc]
            of = Phrase(" ({part})", {"part": the(failed[0].part)}) if failed[0].part else ""
            return Form(name, Phrase("{words}{of}.", {"words": words, "of": of}))
    return None


def reshaped(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """The right numbers in another shape."""
    if not any(s.got.shape != s.want.shape for s in failed):
        return None
    if not all(
        s.got.size == s.want.size and s.with_values(s.got.reshape(s.want.shape), s.want).fits(s.want) for s in failed
    ):
        return None
    s = next((s for s in failed if s.got.shape != s.want.shape and s.want.size), None)
    if s is None:
        return None
    remedy = "reshape, or squeeze the dimension that keepdim=True or [None] left"
    if s.got.ndim < s.want.ndim:
        remedy = "a dimension was lost on the way (squeeze, flatten): keep it"
    facts = {"part": of_part(s), "got": s.got.shape, "want": s.want.shape, "remedy": remedy}
    return Form(
        "reshaped",
        Phrase("The numbers{part} are right, but not their shape: {got} in place of {want}; {remedy}.", facts),
    )


WHERE: dict[str, Callable[[int], int | tuple[int, ...] | None]] = {
    "over all of them together": lambda dims: tuple(range(dims)),
    "over the first dimension": lambda dims: 0,
    "over the second dimension": lambda dims: 1 if dims > 2 else None,
    "over the last but one dimension": lambda dims: dims - 2 if dims > 3 else None,
}


def normalised_elsewhere(failed: Sequence[Sample], passed: Sequence[Sample]) -> Form | None:
    """Probabilities, or their logarithms, that sum to 1 over another dimension than the last, or over all of them."""
    for words, change in ("the numbers", lambda x: x), ("the exponentials of the numbers", np.exp):
        with np.errstate(all="ignore"):
            pairs = [(change(s.got), change(s.want)) for s in failed if s.got.shape == s.want.shape and s.want.ndim > 1]
        if len(pairs) < len(failed) or not all(sums_to_one(want, -1) for _, want in pairs):
            continue
        if any(sums_to_one(got, -1) for got, _ in pairs):
            continue
        for where, axis in WHERE.items():
            if all(sums_to_one(got, axis(got.ndim)) for got, _ in pairs):
                facts = {"of": of_part(failed[0]), "numbers": words, "where": where}
                sentence = (
                    "Not each row was normalised{of}: {numbers} sum to 1 {where}. Normalise over the last (dim=-1)."
                )
                return Form("normalised elsewhere", Phrase(sentence, facts))
    return None


def sums_to_one(x: np.ndarray, axis: int | tuple[int, ...] | None) -> bool:
    """Whether numbers sum to 1 over some dimensions, all of them along the others."""
    return axis is not None and x.size > 0 and bool(np.allclose(x.sum(axis=axis), 1, rtol=0, atol=1e-5))
