"""check, hint: what a learner calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from helpers.checking import card, key, rules, start
from helpers.checking.calling import SECONDS_PER_CALL, perform
from helpers.checking.library import belongs_to_a_library
from helpers.checking.marking import CORRECT, NOT_ATTEMPTED, Report, judged_cases, mark
from helpers.checking.progress import remember
from helpers.checking.recognising import recognise
from helpers.checking.shapes import Call, CaseData, ExerciseData, Observation
from helpers.checking.words import printable

SECONDS_FOR_SMALL = 2.0


class Score(float):
    """The marks of a check cell. nbgrader reads the number, JupyterLab shows it with its words."""

    words = ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": repr(float(self)), "text/html": f"<small>{self.words}</small>"}


def check(name: str, *functions: Callable[..., Any]) -> Score:
    """Check an answer, show its card and return the marks it earns.

    `name` is the exercise's name, `functions` the function (or functions) it asks for: `check("entropy", entropy)`. A
    stretch exercise returns 0.0: it never lowers a mark, its extra credit is recorded apart."""
    try:
        exercise = key.find(name)
    except key.KeyProblem as problem:
        card.show(card.notice(short(name), str(problem)))
        return score(0.0, "not checked")
    wanted = exercise["functions"]
    if len(functions) != len(wanted):
        card.show(card.notice(name, f"This check takes {' and '.join(wanted)}: check({name!r}, {', '.join(wanted)})."))
        return score(0.0, "not checked")
    report = examine(name, exercise, dict(zip(wanted, functions, strict=True)))
    remember(report)
    start.refresh()
    card.show(card.from_report(report))
    words = f"{report.marks:g} of {report.points:g} points"
    return score(0.0 if report.stretch else report.marks, words + (" (stretch)" if report.stretch else ""))


def examine(name: str, exercise: ExerciseData, functions: dict[str, Any]) -> Report:
    """The report on an answer in this process."""
    seconds = exercise.get("seconds", SECONDS_PER_CALL)

    def play(criterion: int, calls: list[Call]) -> Iterator[Observation]:
        return (perform(functions, call, seconds, exercise["rules"]) for call in calls)

    report = mark(name, exercise, play, lambda: broken_rule(exercise, functions))
    if report.outcome not in (CORRECT, NOT_ATTEMPTED) and report.broken_rule is None:
        explain(exercise, report, functions)
    return report


def explain(exercise: ExerciseData, report: Report, functions: dict[str, Any]) -> None:
    """Write into the report which mistake was made; where it has no name, the smallest case that fails."""
    ladder = exercise.get("ladder", [])
    late = report.failure is not None and report.failure.observation["outcome"] == "interrupted"
    seconds = min(SECONDS_FOR_SMALL, exercise.get("seconds", SECONDS_FOR_SMALL))
    played = list(judged_cases(ladder, (perform(functions, one["call"], seconds) for one in ladder if not late)))
    gate_failed = report.criteria[0].failure is not None
    recognise(exercise, report, played if gate_failed else [])
    small = next((one for one in played if one.problem), None)  # the cases of a ladder are ordered by size
    if report.mistake is None and small and report.failure and size(small.case) < size(report.failure.case):
        report.smaller = small


def size(case: CaseData) -> int:
    """How many characters a case's arguments take: what a reader has to look at."""
    return len(str(case["call"]["arguments"]))


def broken_rule(exercise: ExerciseData, functions: dict[str, Any]) -> str | None:
    """The source rule that the functions break, read from their text."""
    for function in functions.values():
        if belongs_to_a_library(function):
            return f"This is {function.__module__}'s own {function.__name__}, which is not an answer: write yours."
        tree = rules.tree_of(function)
        if tree is not None and (found := rules.violation(tree, exercise["rules"], rules.scope_of(function))):
            return found
    return None


def hint(name: str, stage: int = 1) -> None:
    """Show a hint for the exercise `name`: stage 1 nudges, the last one nearly tells."""
    try:
        hints = key.find(name)["hints"]
    except key.KeyProblem as problem:
        card.show(card.notice(short(name), str(problem)))
        return
    if not isinstance(stage, int) or not 1 <= stage <= len(hints):
        card.show(card.notice(name, f"There are hints 1 to {len(hints)} for {name}: hint({name!r}, 1)."))
        return
    card.show(card.hint(name, hints, stage))


def short(name: object) -> str:
    """What was given for an exercise's name, as a card's title."""
    return printable(str(name), 80)


def score(marks: float, words: str) -> Score:
    """A score with the words shown beside it."""
    result = Score(marks)
    result.words = words
    return result
