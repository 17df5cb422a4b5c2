"""`infograd results`: what each learner's answers were worth, and why, from the verdicts."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from nbgrader.coursedir import CourseDirectory

from grading.classroom.gradebook import safe
from grading.classroom.releases import verdict_folder
from grading.course import assignment, course_directory
from grading.exercises import load, notebooks
from grading.verdict import ExerciseVerdict, Verdict, read_verdict
from helpers.checking.words import printable

WIDEST = 40  # characters of a column of the table


@dataclass(frozen=True)
class Result:
    """One exercise of one learner. `outcome` is that of the exercise; where nothing was judged, that of the submission.
    `criteria` are those that failed; `reason` is what was wrong first. `seconds` is what the calls took."""

    learner: str
    exercise: str
    points: float | None  # None: a person must look
    max_points: float
    outcome: str
    misconception: str | None
    criteria: str
    reason: str | None
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """`infograd results`: print a record for each learner and exercise of an assignment."""
    parser = argparse.ArgumentParser(
        prog="infograd results",
        description="Print what each answer was worth, and why.",
        epilog="example: infograd results 01-information-identities --format csv > results.csv",
    )
    parser.add_argument("assignment", type=assignment, help="such as 01, or 01-information-identities")
    parser.add_argument("--learner", default="*", metavar="PATTERN", help="only these learners, such as 'a*'")
    parser.add_argument("--format", choices=list(WRITERS), default="table")
    options = parser.parse_args(arguments)
    coursedir, _ = course_directory(options.assignment)
    found = list(results(coursedir, options.assignment, options.learner))
    if not found:
        whose = "" if options.learner == "*" else f" by a learner {options.learner!r}"
        remedy = f"`infograd grade {options.assignment}` grades what was handed in"
        print(f"infograd results: nothing of {options.assignment}{whose} is graded; {remedy}", file=sys.stderr)
        return 1
    WRITERS[options.format](found, sys.stdout)
    return 0


def results(coursedir: CourseDirectory, assignment: str, pattern: str = "*") -> Iterator[Result]:
    """The results of an assignment, by learner, in the order of the exercises."""
    any_learner = verdict_folder(coursedir, "*", assignment)
    place = any_learner.parts.index("*")
    for file in sorted(Path(any_learner.anchor).glob(f"{any_learner.relative_to(any_learner.anchor)}/*.json")):
        learner, verdict = file.parts[place], read_verdict(file)
        if verdict is not None and fnmatchcase(learner, pattern):
            yield from results_of(learner, file.stem, verdict)


def results_of(learner: str, notebook: str, verdict: Verdict) -> Iterator[Result]:
    """The results in one verdict."""
    for name, exercise in (load(notebook) if notebook in notebooks() else {}).items():
        found = verdict.exercises.get(name)
        if found is not None:
            yield judged(learner, name, found)
        elif name in verdict.failed or verdict.outcome != "graded":
            marks = 0.0 if verdict.outcome == "unreadable" else None
            outcome = "grader failed" if name in verdict.failed else verdict.outcome
            reason = verdict.failed.get(name, verdict.reason)
            yield Result(learner, name, marks, exercise.points, outcome, None, "", reason, 0.0)


def judged(learner: str, name: str, found: ExerciseVerdict) -> Result:
    """The result of an exercise that was judged."""
    failed = [one for one in found.criteria if one.passed is False]
    reason = found.broken_rule or next((one.problem for one in failed if one.problem), None)
    names = "; ".join(one.name for one in failed)
    about = found.outcome, found.misconception, names, reason
    return Result(learner, name, found.marks, found.points, *about, found.seconds)


def write_csv(found: Sequence[Result], stream: TextIO) -> None:
    """Comma-separated values, with no formula for a spreadsheet."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(one.name for one in fields(Result))
    writer.writerows([safe(value) for value in astuple(one)] for one in found)


def write_jsonl(found: Sequence[Result], stream: TextIO) -> None:
    """A line of JSON for each result."""
    for one in found:
        stream.write(json.dumps(asdict(one)) + "\n")


def write_table(found: Sequence[Result], stream: TextIO) -> None:
    """Columns to be read, long texts cut."""
    lines = [[one.name for one in fields(Result)], *([shown(value) for value in astuple(one)] for one in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        stream.write("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n")


def shown(value: object) -> str:
    """A value in the table."""
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else printable(str(value), WIDEST, " ")


WRITERS = {"table": write_table, "csv": write_csv, "jsonl": write_jsonl}
