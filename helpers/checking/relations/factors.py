"""The answer is a number times the right one, or differs from it by a number: a constant, or made from the case."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from helpers.checking.comparing import agree
from helpers.checking.relations.samples import RTOL, Form, Sample, distinct, form, right, telling
from helpers.checking.words import Phrase

LOG2, LOG10 = math.log(2), math.log(10)
NAMED = {
    -1.0: ("-1", "a minus sign is missing, or one is too many"),
    2.0: ("2", "where does the 2 come from, or where was it to be divided by?"),
    0.5: ("1/2", "where does the 1/2 come from, or where was it to be doubled?"),
    1 / LOG2: ("1/log 2 = 1.4427", "as with log2 (bits) in place of the natural logarithm"),
    LOG2: ("log 2 = 0.6931", "as in a change from bits to nats that was not to be made"),
    1 / LOG10: ("1/log 10 = 0.4343", "as with log10 in place of the natural logarithm"),
    LOG10: ("log 10 = 2.3026", "as in a change of the logarithm's base"),
    math.pi: ("pi", ""), 1 / math.pi: ("1/pi", ""), 2 * math.pi: ("2 pi", ""), 0.5 / math.pi: ("1/(2 pi)", ""),
    math.sqrt(2): ("the square root of 2", ""), 1 / math.sqrt(2): ("1 over the square root of 2", ""),
    math.e: ("e", ""), 1 / math.e: ("1/e", ""),
    **{float(k): (f"{k}", "") for k in (3, 4, 6, 8, 10, 100, 1000)},
    **{1.0 / k: (f"1/{k}", "") for k in (3, 4, 6, 8, 10, 100, 1000)},
}  # fmt: skip
OFFSETS = {
    1.0: "1", 0.5: "1/2", 2.0: "2", LOG2: "log 2", math.log(2 * math.pi): "log(2 pi)", math.pi: "pi",
    0.5 * math.log(2 * math.pi): "log(2 pi)/2", 0.5 * math.log(2 * math.pi * math.e): "log(2 pi e)/2",
}  # fmt: skip
WHAT_N_IS = {
    "n": (
        ", where n is the size of the last dimension: a sum and a mean are exchanged, or divided by n once "
        "too often or too little"
    ),
    "n - 1": ", where n is the size of the last dimension: n - 1 for n, or n for n - 1",
    "rows": ", where the rows are those of the first argument: a sum and a mean over them are exchanged",
    "size": ", where size counts the numbers of the first argument: a sum and a mean are exchanged",
}
POWERS: dict[str, Callable[[float], float]] = {
    "{q}": lambda q: q,
    "1/({q})": lambda q: 1 / q,
    "the square root of {q}": math.sqrt,
    "1 over the square root of {q}": lambda q: 1 / math.sqrt(q),
    "({q}) squared": lambda q: q * q,
    "1/({q}) squared": lambda q: 1 / (q * q),
    "log({q})": math.log,
    "1/log({q})": lambda q: 1 / math.log(q),
}


def quantities(s: Sample) -> dict[str, float]:
    """What a factor may be made of: sizes of the arguments, and those that are single numbers."""
    found: dict[str, float] = {}
    for value in list(s.tensors.values())[:1]:
        found |= {"n": value.shape[-1], "n - 1": value.shape[-1] - 1, "rows": value.shape[0], "size": value.size}
    for name, x in s.scalars.items():
        found |= {name: x, f"1 - {name}": 1 - x, f"1 + {name}": 1 + x}
        if 0 < x < 1:
            for other, t in s.scalars.items():
                if t >= 1 and t == int(t):
                    power = 1 - x**t
                    found |= {f"1 - {name}**{other}": power, f"(1 - {name}**{other})/(1 - {name})": power / (1 - x)}
                    found |= {f"{name}**{other}": x**t}
    return found


def as_quantity(failed: Sequence[Sample], values: Sequence[float], rtol: float) -> Phrase | None:
    """How one number for each case is made from the arguments of that case."""
    tables = [quantities(s) for s in failed]
    for sign in (1, -1):
        for words, power in POWERS.items():
            for name in tables[0]:
                try:
                    made = [sign * power(table[name]) for table in tables]
                except (KeyError, ValueError, ZeroDivisionError, OverflowError):
                    continue
                near = all(math.isclose(m, v, rel_tol=max(rtol, RTOL)) for m, v in zip(made, values, strict=True))
                if near and any(m not in (0, 1, -1) for m in made):
                    return Phrase("minus " + words if sign < 0 else words, {"q": name})
    return None


def meaning(words: Phrase) -> str:
    """What n stands for in a quantity, behind it."""
    means = WHAT_N_IS.get(str(words.facts["q"]), "")
    return means.split(":")[0] if "log" in words.template or "root" in words.template else means


def ratio(got: np.ndarray, want: np.ndarray, rtol: float) -> float | None:
    """The one number that `got` is times `want`; None where there is none."""
    if got.shape != want.shape:
        return None
    a, b = got.ravel(), want.ravel()
    usable = np.isfinite(a) & np.isfinite(b) & (b != 0)
    if not usable.any():
        return None
    place = int(np.argmax(np.where(usable, np.abs(b), -1)))
    c = float(a[place] / b[place])
    with np.errstate(all="ignore"):
        fits = agree(a, c * b, max(rtol, RTOL), 1e-10 * max(1.0, abs(float(a[place]))))
    return c if c not in (0.0, 1.0) and fits.all() else None


def named(c: float, rtol: float) -> tuple[str, str] | None:
    """A constant by its name and what it may come from."""
    for sign in (1, -1):
        for value, (name, remark) in NAMED.items():
            if math.isclose(sign * c, value, rel_tol=max(rtol, RTOL)):
                return (f"minus {name}", joined(NAMED[-1.0][1], remark)) if sign < 0 else (name, remark)
    return None


def joined(*remarks: str) -> str:
    """Remarks one after the other."""
    return "; ".join(remark for remark in remarks if remark)


def factor(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """The answer is a constant, or a number of the case, times what was wanted."""
    found = [ratio(s.got, s.want, s.tolerance[0]) for s in failed]
    ratios = [c for c in found if c is not None]
    if len(ratios) < len(found) or len({x for s in failed for x in telling(s, s.got)}) < 2:
        return None
    if any(s.want.any() and np.isfinite(s.want).any() for s in passed):
        return None  # a factor would have been seen there
    rtol, s, c = max(s.tolerance[0] for s in failed), failed[0], ratios[0]
    of_the_case = as_quantity(failed, ratios, rtol) if len({f"{c:.9g}" for c in ratios}) > 1 else None
    if of_the_case:
        return form("factor", s, "{c} times {right}{n}.", c=of_the_case, right=right(beside), n=meaning(of_the_case))
    if not all(math.isclose(c, one, rel_tol=max(rtol, RTOL)) for one in ratios):
        return None
    known = named(c, rtol)
    if known == NAMED[-1.0]:
        return form("sign", s, "minus {right}: {remark}.", right=right(beside), remark=known[1])
    if known:
        remark = f": {known[1]}" if known[1] else ""
        end = "" if remark.endswith("?") else "."
        return form("factor", s, "{c} times {right}{remark}" + end, c=known[0], right=right(beside), remark=remark)
    words = as_quantity(failed, ratios, rtol)
    if words:
        facts = {"c": words, "right": right(beside), "n": meaning(words)}
        return form("factor", s, "{c} times {right}{n}.", **facts)
    if beside or sum(len(telling(s, s.got)) for s in failed) < 3:
        return None
    return form("factor", s, "{c:.7g} times {right}, in every case that was tried.", c=c, right=right(beside))


def power(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """The answer is what was wanted to a power that is made of the arguments, as where a mean stands for a sum in an
    exponent."""
    if passed or any(not ((s.got > 0).all() and (s.want > 0).all()) for s in failed):
        return None
    rtol, s = max(s.tolerance[0] for s in failed), failed[0]
    found = [ratio(np.log(s.got), np.log(s.want), rtol) for s in failed]
    exponents = [c for c in found if c is not None]
    if len(exponents) < len(found) or len({x for s in failed for x in telling(s, s.got)}) < 2:
        return None
    words = as_quantity(failed, exponents, rtol)
    if words is None:
        return None
    return form("power", s, "{right} to the power of {c}{n}.", right=right(beside), c=words, n=meaning(words))


def offset(failed: Sequence[Sample], passed: Sequence[Sample], beside: bool = False) -> Form | None:
    """The answer differs from what was wanted by one number, the same everywhere or made from the arguments."""
    values = []
    for s in failed:
        if s.got.shape != s.want.shape or not s.got.size:
            return None
        with np.errstate(invalid="ignore"):
            d = (s.got - s.want).ravel()
        d = d[np.isfinite(d)]
        scale = max(1.0, float(np.abs(s.want[np.isfinite(s.want)]).max(initial=0)))
        near = max(s.tolerance[0], 1e-11) * 4 * scale
        if not d.size or abs(d[0]) < 10 * near or not agree(d, np.full_like(d, d[0]), 0, near).all():
            return None
        values.append(float(d[0]))
    if len({x for s in failed for x in telling(s, s.got)} | {x for s in failed for x in distinct(s.want)}) < 2:
        return None
    if any(s.want.size for s in passed) or sum(s.want.size for s in failed) < 2:
        return None
    rtol, s = max(1e-8, max(s.tolerance[0] for s in failed)), failed[0]
    constant = all(math.isclose(values[0], v, rel_tol=rtol) for v in values)
    for sign, way in ((1, "too large"), (-1, "too small")):
        for value, name in OFFSETS.items():
            if constant and math.isclose(sign * values[0], value, rel_tol=rtol):
                counted = ": one counted too many, or one too few?" if name == "1" else "."
                more = "" if beside else counted
                than = " beside what that gives." if beside else ""
                return form("offset", s, "{name} {way}{more}{than}", name=name, way=way, more=more, than=than)
    words = as_quantity(failed, values, rtol)
    if words and not (constant and len(values) == 1 and failed[0].want.size < 3):
        plus = "" if words.template.startswith("minus") else "plus "
        facts = {"right": right(beside), "plus": plus, "words": words, "n": meaning(words)}
        return form("offset", s, "{right} {plus}{words}{n}.", **facts)
    if beside or not constant or sum(s.want.size for s in failed) < 3:
        return None
    relation = "too {way} by {d:.7g} in every case that was tried: a constant is missing, wrong or too many."
    return form("offset", s, relation, way="large" if values[0] > 0 else "small", d=abs(values[0]))
