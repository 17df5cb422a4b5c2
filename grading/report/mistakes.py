"""What went wrong in a class: known mistakes, criteria that nobody passes, and wrong answers that nothing explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grading.report.reading import Graded
from grading.verdict import CriterionVerdict, ExerciseVerdict
from helpers.checking.marking import NOT_ATTEMPTED


@dataclass(frozen=True)
class Mistake:
    """A mistake that was told, or a rule that was broken, with who made it."""

    exercise: str
    name: str
    sentence: str
    learners: list[str]


@dataclass(frozen=True)
class Unpassed:
    """A criterion that everybody failed who came as far as it. It may be hard, and it may be wrong."""

    exercise: str
    criterion: str
    tried: int
    problem: str  # the commonest


@dataclass(frozen=True)
class Cluster:
    """Wrong answers of one exercise that no known mistake explains and that went wrong alike."""

    exercise: str
    failed: list[str]  # criteria
    problem: str
    learners: list[str]
    example: str  # the shortest of their texts


Group = TypeVar("Group", Mistake, Cluster)


def told_mistakes(graded: Sequence[Graded]) -> list[Mistake]:
    """Mistakes that were told and broken rules, the most frequent first, with the sentences that learners read."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for learner, name, verdict in lost_marks(graded):
        if verdict.broken_rule:
            found[name, "", verdict.broken_rule].append(learner)
        elif verdict.misconception:
            found[name, verdict.misconception, verdict.sentence or verdict.misconception].append(learner)
    return most_first([Mistake(*key, learners) for key, learners in found.items()])


def unpassed(graded: Sequence[Graded]) -> list[Unpassed]:
    """Criteria that at least two learners tried and none passed."""
    outcomes: dict[tuple[str, str], list[CriterionVerdict]] = defaultdict(list)
    for one in graded:
        for name, verdict in one.verdict.exercises.items():
            for criterion in verdict.criteria:
                if criterion.passed is not None and not verdict.broken_rule:
                    outcomes[name, criterion.name].append(criterion)
    return [
        Unpassed(*key, len(tried), commonest([one.problem or "" for one in tried]))
        for key, tried in outcomes.items()
        if len(tried) > 1 and not any(one.passed for one in tried)
    ]


def clusters(graded: Sequence[Graded]) -> list[Cluster]:
    """Unexplained wrong answers in groups, the largest first. Two belong together when the same criteria fail and the
    public cases went wrong with the same words, which hold the numbers; hidden cases differ between learners."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[str, str]]] = defaultdict(list)
    texts = {one.learner: one.answers for one in graded}
    for learner, name, verdict in lost_marks(graded):
        if not (verdict.misconception or verdict.broken_rule):
            found[name, symptoms(verdict)].append((learner, texts[learner].get(name, "")))
    return most_first([cluster(*key, members) for key, members in found.items()])


def cluster(name: str, seen: tuple[tuple[str, str], ...], members: list[tuple[str, str]]) -> Cluster:
    """A group of wrong answers as data."""
    problem = next((problem for _, problem in seen if problem), "")
    example = min((text for _, text in members if text), key=len, default="")
    return Cluster(name, [criterion for criterion, _ in seen], problem, [learner for learner, _ in members], example)


def symptoms(verdict: ExerciseVerdict) -> tuple[tuple[str, str], ...]:
    """Each failed criterion with what a public case said of it."""
    failed = [one for one in verdict.criteria if one.passed is False]
    return tuple((one.name, "" if one.hidden else one.problem or "") for one in failed)


def lost_marks(graded: Sequence[Graded]) -> Iterator[tuple[str, str, ExerciseVerdict]]:
    """Every attempted exercise that lost marks: learner, exercise, verdict."""
    for one in graded:
        for name, verdict in one.verdict.exercises.items():
            if verdict.outcome != NOT_ATTEMPTED and verdict.marks < verdict.points:
                yield one.learner, name, verdict


def most_first(groups: list[Group]) -> list[Group]:
    """Groups in the order of their size, then of their exercise."""
    return sorted(groups, key=lambda group: (-len(group.learners), group.exercise))


def commonest(texts: Sequence[str]) -> str:
    """The most frequent of some texts."""
    return max(set(texts), key=lambda text: (texts.count(text), text))
