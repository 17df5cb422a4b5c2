"""Which mistake an answer makes: a known one, a relation to the right answer (see `relations`), a slip in a formula
(see `slips`), or two of them at once.

A mistake is told only if it explains more of the cases than it contradicts, and a relation or a pair only if it
contradicts none. What is told last, the pairs, needs the most numbers to agree."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any, NamedTuple, cast

import numpy as np

from helpers.checking import plain, relations, slips
from helpers.checking.comparing import agree, alike, as_array, numbers, tolerance
from helpers.checking.judging import problem
from helpers.checking.marking import Played, Report
from helpers.checking.relations.samples import Form, Sample, distinct
from helpers.checking.shapes import ExerciseData, Expectation, Symptom
from helpers.checking.words import Phrase

MOST_ITEMS, MOST_TIMES = 5000, 4  # an answer may hold 4 times as much as its case and 5000 items do together
CHARACTERS_A_NUMBER = 8  # of base64, some 5 for float32 and 11 for float64
SAY_NOTHING = {0.0, 1.0, -1.0}  # they come of many mistakes
Explains = Callable[[Sequence[Played]], bool]


class Mistake(NamedTuple):
    """A mistake that was recognised: its name, its sentence, and whether it explains what else failed."""

    name: str
    sentence: str
    explains: Explains


def recognise(exercise: ExerciseData, report: Report, smaller: Sequence[Played] = ()) -> None:
    """Write into the report which mistake was made, and which criteria failed for the same cause. `smaller` cases (see
    the key's ladder) were played besides, and say more of a relation to the right answer."""
    report.mistake, report.mistake_sentence, report.by_form = None, None, False
    if report.failure is None or report.broken_rule is not None:
        return
    if any(is_out_of_size(one) for criterion in report.criteria for one in criterion.played):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as NumPy's of what is no relation
        one_of_ours = known(exercise, report)
        found = one_of_ours or of_its_form(exercise, report, smaller)
        if found is None:
            return
        report.mistake, report.mistake_sentence, report.by_form = found.name, found.sentence, one_of_ours is None
        failed = [criterion for criterion in report.criteria if criterion.failure]
        for criterion in failed[1:]:
            speaking = that_speak(report, criterion.played)
            criterion.same_cause = any(map(wrong, speaking)) and found.explains(speaking)


def is_out_of_size(one: Played) -> bool:
    """Whether an answer that is compared number by number holds so much more than its case that it can be no mistake
    that is known here: to compare it in all ways would take seconds, and a learner decides how many."""
    if one.observation["outcome"] != "returned" or one.case["expected"]["judge"] != "close":
        return False
    room = MOST_TIMES * (items_in(one.case) + MOST_ITEMS)
    return items_in(one.observation["value"]) > room


def items_in(data: Any) -> int:
    """How much plain data holds: its numbers, texts and containers."""
    count, queue = 0, [data]
    while queue:
        item = queue.pop()
        count += 1
        if isinstance(item, dict):
            count += len(item["base64"]) // CHARACTERS_A_NUMBER if isinstance(item.get("base64"), str) else 0
            queue += item.values()
        elif isinstance(item, (list, tuple)):
            queue += item
    return count


def of_its_form(exercise: ExerciseData, report: Report, smaller: Sequence[Played]) -> Mistake | None:
    """What the numbers say by themselves: a relation to the right ones, a slip, two mistakes at once; last what says
    only where they are off, or that they are nearly right."""
    found = related(report, smaller)
    if found and found.name not in relations.WEAK_FORMS:
        return found
    return slipped(exercise, report, smaller) or found or pair(exercise, report)


def slipped(exercise: ExerciseData, report: Report, smaller: Sequence[Played]) -> Mistake | None:
    """A slip in a formula that gives these numbers in the first criterion that failed, or in the smaller cases."""
    criterion = next(one for one in report.criteria if one.failure)
    sealed = exercise.get("slips", {})
    sentence = slips.slip(sealed, criterion.name, criterion.played) or slips.slip(sealed, slips.SMALLER, smaller)
    return Mistake("slip", str(sentence), lambda others: False) if sentence else None


def that_speak(report: Report, played: Sequence[Played]) -> list[Played]:
    """The cases that say which mistake it was: the public ones where one of them failed, so that a grading tells what a
    check does; all of them where it took a hidden one."""
    assert report.failure is not None
    every = report.failure.case.get("hidden")
    return [one for one in played if every or not one.case.get("hidden")]


def wrong(one: Played) -> bool:
    """Whether a case failed."""
    return one.problem is not None


# ---------------------------------------------------------------------------------------------- one known mistake
def known(exercise: ExerciseData, report: Report) -> Mistake | None:
    """The known mistake that answers as the learner's function did: it explains the first failure, and more failures,
    less its contradictions, than any other, and more than none."""
    scores = {mistake: found for mistake in exercise["mistakes"] if (found := score(report, mistake)) is not None}
    best = max(scores, key=lambda mistake: scores[mistake], default=None)
    if best is None or scores[best] <= 0:
        best = next((mistake for mistake in scores if first_of_several(report, mistake)), None)
    if best is None:
        return None

    def all_of(played: Sequence[Played]) -> bool:
        return all(explains(one, best) for one in played if one.problem)

    return Mistake(best, exercise["mistakes"][best], all_of)


def score(report: Report, mistake: str) -> int | None:
    """How many cases a mistake explains, less those that it contradicts; None where it does not explain the first
    failure, or where it contradicts some and explains only what many mistakes would."""
    assert report.failure is not None
    if not explains(report.failure, mistake):
        return None
    cases = that_speak(report, [one for criterion in report.criteria for one in criterion.played])
    by_looks = is_by_looks(cases, mistake)
    told = [(one, explains(one, mistake)) for one in cases if concerns(one, mistake, by_looks)]
    if all(explained for _, explained in told) or any(explained and says_much(one) for one, explained in told):
        return sum(1 if explained else -1 for _, explained in told)
    return None


def is_by_looks(cases: Sequence[Played], mistake: str) -> bool:
    """Whether a mistake is known in some of these cases by what its answer looks like, not by what it is."""
    return any("looks" in one.case["mistakes"].get(mistake, {}) for one in cases)


def says_much(one: Played) -> bool:
    """Whether an answer tells one mistake from another: 0 and 1 come of many."""
    if one.observation["outcome"] != "returned":
        return True
    found = samples(one)
    return found is None or any(distinct(s.got[np.isfinite(s.got)]) - SAY_NOTHING or s.got.size == 0 for s in found)


def first_of_several(report: Report, mistake: str) -> bool:
    """Whether a mistake gave all that failed in the first criterion that did, in numbers, and would have failed nothing
    that passed: what else failed may have another cause."""
    first = next(criterion for criterion in report.criteria if criterion.failure)
    numbers_of_it = {
        x
        for one in that_speak(report, first.played)
        if one.problem
        for s in samples(one) or []
        for x in distinct(s.got)
    }
    cases = [one for criterion in report.criteria for one in that_speak(report, criterion.played)]
    if is_by_looks(cases, mistake) or len(numbers_of_it) < 2:
        return False
    passed = (one for one in cases if one.problem is None)
    failed = (one for one in that_speak(report, first.played) if one.problem)
    return all(explains(one, mistake) for one in failed) and not any(mistake in one.case["mistakes"] for one in passed)


def concerns(one: Played, mistake: str, by_looks: bool) -> bool:
    """Whether a case speaks for or against a mistake: it failed, or the mistake would have failed it. Of a mistake that
    is known by its looks nobody can say beforehand what it would have failed, nor where it has no looks."""
    failed, would_fail = one.problem is not None, mistake in one.case["mistakes"]
    return (failed and would_fail) if by_looks else (failed or would_fail)


def explains(one: Played, mistake: str) -> bool:
    """Whether a failed case went as the mistake would have made it go."""
    wrong = one.case["mistakes"].get(mistake)
    if one.problem is None or wrong is None:
        return False
    if "looks" in wrong:
        return problem(one.observation, cast(Symptom, wrong)["looks"]) is None
    return alike(one.observation, wrong, one.case["expected"])


# ---------------------------------------------------------------------------------------- a relation to the right one
def related(report: Report, smaller: Sequence[Played]) -> Mistake | None:
    """A relation of what was answered to what is right, in all cases of the criterion that failed."""
    cases = telling_cases(report)
    if not any(by_numbers(one) for one in cases):  # these say nothing of numbers, but the smaller ones may
        cases, smaller = list(smaller), []
    found = relation([*cases, *smaller]) or (relation(cases) if smaller else None)
    if found is None:
        return None

    def the_same(others: Sequence[Played]) -> bool:
        again = relation(others)
        return again is not None and again.name == found.name

    return Mistake(found.name, str(found.sentence), the_same)


def telling_cases(report: Report) -> list[Played]:
    """The cases of the first criterion that failed, and those that passed before it."""
    cases: list[Played] = []
    for criterion in report.criteria:
        cases += that_speak(report, criterion.played)
        if criterion.failure:
            break
    return cases


def by_numbers(one: Played) -> bool:
    """Whether a case is judged by closeness to right numbers, be it those of an answer's own entropy."""
    return one.case["expected"]["judge"] in ("close", "three_ways", "capacity")


def right_value(one: Played) -> Any:
    """What is right of numbers like those that came back."""
    expected = one.case["expected"]
    own = isinstance(plain.decode(one.observation.get("value")), dict)
    return plain.decode(expected["answers"][0] if own else expected["value"])


def tolerance_of(expected: Expectation, right: np.ndarray) -> tuple[float, float]:
    """(relative, absolute) for one result. Of a capacity, what has dimensions is the input: it may be off by the
    root of what the capacity may be off by, since that is flat where it is largest."""
    rtol, atol = tolerance(expected)
    if expected["judge"] == "capacity" and right.ndim:
        return rtol, max(atol, math.sqrt(expected["tol"]))
    return rtol, atol


def relation(played: Sequence[Played]) -> Form | None:
    """The relation between answers and right answers: in the order of the results, in all of them together, or in the
    first of them that is wrong."""
    table = [samples(one) for one in played]
    if any(row is None for row, one in zip(table, played, strict=True) if one.problem and one.problem.kind != "dtype"):
        return None
    rows = [row for row in table if row]
    if len({len(row) for row in rows}) > 1:  # a list of one tensor, and one of three
        rows = [[s] for row in rows for s in row]
    if not rows:
        return None
    if exchanged := order_of_results(rows):
        return exchanged
    wrong = [column for column in zip(*rows, strict=True) if any(s.failed for s in column)]
    together = relations.find([s for column in wrong for s in column], [relations.factor]) if len(wrong) > 1 else None
    if together:
        return together
    rounded = any(one.problem and one.problem.kind == "dtype" for one in played)  # what is told of it says more
    strengths = (relations.STRONG,) if rounded else (relations.STRONG, relations.WEAK)
    each = ((column, searches) for searches in strengths for column in wrong)
    return next((found for column, searches in each if (found := relations.find(column, searches))), None)


def order_of_results(rows: Sequence[list[Sample]]) -> Form | None:
    """The right results in another order."""
    count = len(rows[0])
    if not 1 < count <= 4:
        return None
    for order in permutations(range(count)):
        if order == tuple(range(count)):
            continue
        fit = all(s.fits(row[j].want) for row in rows for s, j in zip(row, order, strict=True))
        if fit and all(s.failed for row in rows for s, j in zip(row, order, strict=True) if row[j].part != s.part):
            parts = ", ".join(s.part for s in rows[0])
            return Form(
                "order", Phrase("The results are right, but in another order: return {parts}.", {"parts": parts})
            )
    return None


def samples(one: Played, value: Any = None) -> list[Sample] | None:
    """What came back and what was wanted, one for each result; None where they cannot be held side by side. `value` is
    wanted in place of what is right."""
    if not by_numbers(one) or one.observation["outcome"] != "returned":
        return None
    expected, got, right = one.case["expected"], plain.decode(one.observation["value"]), right_value(one)
    if one.case["call"].get("driver") == "gradient":  # a gradient follows from the value by another rule
        right, got = right[0], got[0]
        value = value[0] if isinstance(value, tuple) else value
    if isinstance(got, dict):  # as three_ways gives what does not take the entropy
        got = next(iter(got.values()))
    value = next(iter(value.values())) if isinstance(value, dict) else value
    one_result = not isinstance(right, (tuple, list)) or bool(expected.get("any_sequence"))
    names = [""] if one_result else list(expected.get("parts") or [f"result {i + 1}" for i in range(len(right))])
    columns = [[x] if one_result else list(opened(x)) for x in (got, right if value is None else value, right)]
    if expected["judge"] == "capacity" and not expected["unique"]:  # many inputs are right
        columns = [column[:1] for column in columns]
    found = list(beside(columns, names, one)) if len({len(column) for column in columns}) == 1 else []
    return found or None


def opened(value: Any) -> Sequence[Any]:
    """The results in an answer."""
    return value if isinstance(value, (tuple, list)) else [value]


def beside(columns: Sequence[Sequence[Any]], names: Sequence[str], one: Played) -> Iterator[Sample]:
    """Samples of results that are numbers, a tuple of them inside another opened."""
    for got, want, right, name in zip(*columns, names, strict=False):
        if isinstance(right, (tuple, list)):
            inner = [opened(x) for x in (got, want, right)]
            if len({len(x) for x in inner}) == 1:
                yield from beside(inner, [f"{name}[{i}]" for i in range(len(right))], one)
        elif right is not None and all(as_array(x) is not None for x in (got, want, right)):
            arrays = [numbers(x) for x in (got, want, right)]
            case, (a, b, c) = one.case, arrays
            near = tolerance_of(case["expected"], c)
            yield Sample(a, b, c, near, case["call"], name, case.get("ingredients", {}))


# ------------------------------------------------------------------------------------------------- two at once
def pair(exercise: ExerciseData, report: Report) -> Mistake | None:
    """Two mistakes at once: two known ones, or a known one and a relation to what that gives."""
    played = telling_cases(report)
    if any(samples(one) is None for one in played if one.problem and one.observation["outcome"] != "raised"):
        return None
    wrong = {name: table for name in exercise["mistakes"] if (table := answers_of(name, played)) is not None}
    for name, table in wrong.items():
        if found := relations.find([s for row in table for s in row], relations.BESIDE_A_MISTAKE):
            sentence = f"{exercise['mistakes'][name]} And besides: {lowered(str(found.sentence))}"
            return Mistake(f"{name} and {found.name}", sentence, lambda others: False)
    for first, second in combinations(wrong, 2):
        if composed(wrong[first], wrong[second]):
            sentence = f"Two things at once. {exercise['mistakes'][first]} And: {lowered(exercise['mistakes'][second])}"
            return Mistake(f"{first} and {second}", sentence, lambda others: False)
    return None


def answers_of(mistake: str, played: Sequence[Played]) -> list[list[Sample]] | None:
    """What came back beside what a known mistake gives; None where that gives no numbers, or nothing wrong."""
    table: list[list[Sample]] = []
    differs = False
    for one in played:
        wrong = one.case["mistakes"].get(mistake)
        if one.observation["outcome"] == "raised" and explains(one, mistake):
            table.append([])  # both raise the same error here, and their numbers show elsewhere
            continue
        if wrong is not None and ("looks" in wrong or wrong["outcome"] != "returned"):
            return None
        row = samples(one, None if wrong is None else plain.decode(wrong["value"]))
        telling = any(distinct(s.want) - SAY_NOTHING for s in row or [])
        differs = differs or (wrong is not None and one.problem is not None and telling)
        if row is None and one.problem is not None:
            return None
        table.append(row or [])
    return table if differs else None


def composed(first: list[list[Sample]], second: list[list[Sample]]) -> bool:
    """Whether two mistakes together gave the answers: their errors add up, or their factors multiply."""
    couples = [(a, b) for left, right in zip(first, second, strict=True) for a, b in zip(left, right, strict=False)]
    if any(not a.want.shape == b.want.shape == a.right.shape == a.got.shape for a, b in couples):
        return False
    return any(composes(couples, how) for how in (added, multiplied))


def added(a: np.ndarray, b: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Both errors."""
    both: np.ndarray = a + b - right
    return both


def multiplied(a: np.ndarray, b: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Both factors."""
    both: np.ndarray = a * b / right
    return both


def composes(couples: Sequence[tuple[Sample, Sample]], how: Callable[..., np.ndarray]) -> bool:
    """Whether two mistakes composed in one way gave the answers, in numbers of which each alone has some wrong."""
    told = set[float]()
    with np.errstate(all="ignore"):
        for a, b in couples:
            both = how(a.want, b.want, a.right)
            if not a.fits(both):
                return False
            neither = ~agree(both, a.want, 1e-7, 1e-9) & ~agree(both, b.want, 1e-7, 1e-9)
            told |= distinct(both[neither & np.isfinite(both)]) - SAY_NOTHING
    return len(told) >= 2


def lowered(sentence: str) -> str:
    """A sentence that goes on after another: its first letter small, where it is not a name."""
    first = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if first[1:].islower() or first == "A" else sentence
