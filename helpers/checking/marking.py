"""From an exercise and a way to play its cases to a report.

The exercise is plain data (see `key`): in a learner's hands its public cases, in the grader's the hidden ones too.
The first criterion is the gate: while it fails, the others wait and earn nothing, so that a constant that happens to
meet an edge case is worth what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from helpers.checking.judging import problem
from helpers.checking.shapes import Call, CaseData, ExerciseData, Observation
from helpers.checking.words import Problem

# plays the calls of the criterion with that number, in order; may end after an outcome in calling.FINAL
Play = Callable[[int, list[Call]], Iterable[Observation]]
CORRECT, INCORRECT, NOT_ATTEMPTED, RAISED = "correct", "incorrect", "not attempted", "raised an error"


@dataclass
class Played:
    """One case, what happened, and what was wrong with it (None: nothing)."""

    case: CaseData
    observation: Observation
    problem: Problem | None


@dataclass
class CriterionReport:
    """A criterion with the marks it is worth, the cases played, and whether all of them passed (None: it waits)."""

    name: str
    marks: float
    passed: bool | None = None
    played: list[Played] = field(default_factory=list)
    same_cause: bool = False  # as the criterion that failed first
    hint: int = 1  # the number of the hint that belongs to it

    @property
    def failure(self) -> Played | None:
        """The first case that failed."""
        return next((one for one in self.played if one.problem), None)


@dataclass
class Report:
    """What is known of one answer."""

    exercise: str
    points: float
    stretch: bool
    outcome: str
    criteria: list[CriterionReport]
    mistake: str | None = None
    mistake_sentence: str | None = None
    by_form: bool = False  # the mistake was read off the numbers, and its sentence may hold some of them
    broken_rule: str | None = None
    hints: list[str] = field(default_factory=list)
    smaller: Played | None = None  # a case that is smaller than the first that failed, and fails too

    @property
    def hint(self) -> int:
        """The number of the hint that belongs to the first criterion that failed."""
        failed = next((c for c in self.criteria if c.failure), None)
        return min(failed.hint if failed else 1, max(len(self.hints), 1))

    @property
    def marks(self) -> float:
        """The marks earned, out of `points`."""
        earned = sum(c.marks for c in self.criteria if c.passed) if self.broken_rule is None else 0.0
        return round(earned, 6)

    @property
    def failure(self) -> Played | None:
        """The first case that failed, over all criteria."""
        return next((c.failure for c in self.criteria if c.failure), None)


def mark(name: str, exercise: ExerciseData, play: Play, broken_rule: Callable[[], str | None]) -> Report:
    """Play the criteria of `exercise` in order and report. `broken_rule` is asked only of an attempted answer."""
    criteria = [CriterionReport(c["name"], c["marks"], hint=c.get("hint", 1)) for c in exercise["criteria"]]
    report = Report(name, exercise["points"], exercise["stretch"], INCORRECT, criteria, hints=exercise["hints"])
    for number, (criterion, result) in enumerate(zip(exercise["criteria"], criteria, strict=True)):
        cases = criterion["cases"]
        for played in judged_cases(cases, play(number, [case["call"] for case in cases])):
            result.played.append(played)
            if played.observation["outcome"] == "refused":
                report.broken_rule = broken_rule() or played.observation["message"]  # reading tells more
                return report
            if result is not criteria[0] or len(result.played) > 1:
                continue
            if played.observation["outcome"] == "not attempted":
                report.outcome = NOT_ATTEMPTED
                return report
            if rule := broken_rule():
                report.broken_rule = rule
                return report
        result.passed = bool(result.played) and result.failure is None
        if not criteria[0].passed:
            break
    report.outcome = outcome_of(report)
    return report


def judged_cases(cases: list[CaseData], observations: Iterable[Observation]) -> Iterator[Played]:
    """Judge cases until one is interrupted: what does not end once will not end the next time."""
    for case, observation in zip(cases, observations, strict=False):
        yield Played(case, observation, problem(observation, case["expected"], case["call"]["names"]))
        if observation["outcome"] == "interrupted":
            return


def outcome_of(report: Report) -> str:
    """Correct, incorrect, or raised an error where the first failure is one."""
    if report.failure is None:
        return CORRECT
    unexpected = report.failure.observation["outcome"] == "raised"
    return RAISED if unexpected and report.failure.case["expected"]["judge"] != "raises" else INCORRECT
