"""The verdict on a submission: what is known of it as typed data, and its file.

A regrade of the same submission, by the same version of the exercises, from the same seed repeats it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from grading.submission import Submission
from helpers.checking.marking import CriterionReport, Report
from helpers.checking.words import ProblemKind
from helpers.files import write_whole

FORMAT = 2

# graded: each exercise has its marks. unreadable: the file is no notebook, which is worth 0 marks. grader failed: a
# fault of our own; there are no marks, and a person must look.
Outcome = Literal["graded", "unreadable", "grader failed"]


@dataclass(frozen=True)
class CriterionVerdict:
    """A criterion: its marks, whether it passed (None: it waits), and what was wrong first."""

    name: str
    marks: float
    passed: bool | None
    cases: int
    kind: ProblemKind | None = None
    problem: str | None = None
    hidden: bool = False  # whether a hidden case showed the problem


@dataclass(frozen=True)
class ExerciseVerdict:
    """An exercise: marks out of points, and why. `sentence` is what is told of the misconception, `seconds` is what its
    calls took inside the sandbox."""

    marks: float
    points: float
    stretch: bool
    outcome: str
    misconception: str | None
    broken_rule: str | None
    seconds: float
    criteria: list[CriterionVerdict]
    sentence: str | None = None


@dataclass
class Verdict:
    """All that is known of a judgement, for the teacher."""

    submission: str  # digest of the file
    exercises_version: str
    seed: int
    sandbox: bool
    outcome: Outcome
    reason: str | None  # for an outcome other than graded
    irregularities: list[str]
    answers: dict[str, str]  # a digest of each answer's text
    exercises: dict[str, ExerciseVerdict]
    failed: dict[str, str]  # exercises that the grader failed to judge, with its error
    limits_hit: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    memory_bytes: int = 0
    format: int = FORMAT

    @property
    def needs_a_person(self) -> bool:
        """Whether the grader failed somewhere."""
        return self.outcome == "grader failed" or bool(self.failed)


def exercise_verdict(report: Report, seconds: float) -> ExerciseVerdict:
    """A report as plain data, with the sentences that only the teacher reads."""
    return ExerciseVerdict(
        report.marks,
        report.points,
        report.stretch,
        report.outcome,
        report.mistake,
        report.broken_rule,
        round(seconds, 4),
        [criterion_verdict(one) for one in report.criteria],
        report.mistake_sentence,
    )


def criterion_verdict(criterion: CriterionReport) -> CriterionVerdict:
    """A criterion with what was wrong first, and whether a hidden case showed it."""
    failure = criterion.failure
    problem = failure.problem if failure else None
    return CriterionVerdict(
        criterion.name,
        criterion.marks,
        criterion.passed,
        len(criterion.played),
        problem.kind if problem else None,
        problem.text if problem else None,
        bool(failure and failure.case.get("hidden")),
    )


def digests(submission: Submission) -> dict[str, str]:
    """A digest of each answer's text, by which a later submission is seen to hold another one."""
    texts = {cell.name: cell.node.source for cell in submission.answers}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def changed_answers(now: Verdict, before: Verdict | None) -> set[str]:
    """The answers that are not what they were at the verdict before."""
    known = before.answers if before else {}
    return {name for name, digest in now.answers.items() if known.get(name, digest) != digest}


def write_verdict(file: Path, verdict: Verdict) -> None:
    """Write the file whole or not at all."""
    write_whole(file, json.dumps(asdict(verdict), indent=1) + "\n")


def read_verdict(file: Path) -> Verdict | None:
    """The verdict in a file; None where there is none that this version can read."""
    try:
        return from_data(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def from_data(data: dict[str, Any]) -> Verdict | None:
    """A verdict from its JSON. Raises KeyError, TypeError or AttributeError where it is none."""
    if data["format"] != FORMAT:
        return None
    exercises = {}
    for name, one in data["exercises"].items():
        criteria = [CriterionVerdict(**criterion) for criterion in one["criteria"]]
        exercises[name] = ExerciseVerdict(**{**one, "criteria": criteria})
    return Verdict(**{**data, "exercises": exercises})
