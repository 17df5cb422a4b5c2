"""`infograd report`: the statistics, mistakes and likenesses of a class as one HTML file, and each table as CSV."""

from __future__ import annotations

import argparse
import base64
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import jinja2

from grading.classroom.gradebook import safe
from grading.course import CLASSROOM, ROOT, assignment
from grading.report import similarity, statistics
from grading.report.mistakes import Cluster, Mistake, Unpassed, clusters, told_mistakes, unpassed
from grading.report.reading import Graded, NothingGraded, answers_in, read_class
from helpers.checking.words import printable, prose
from helpers.files import write_whole

TEMPLATES = Path(__file__).resolve().parent / "templates"
SLOWEST = 10


@dataclass(frozen=True)
class Slow:
    """What an exercise's calls took for one learner, in seconds."""

    learner: str
    exercise: str
    seconds: float


@dataclass(frozen=True)
class Noticed:
    """Something unusual about a submission: a limit that it hit, or a thing that it should not hold."""

    learner: str
    what: str


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    assignment: str
    learners: int
    points: float
    mean: float
    ungraded: list[Noticed]  # submissions that could not be read, or that need a person
    distribution: list[statistics.Bin]
    exercises: list[statistics.ExerciseStatistics]
    mistakes: list[Mistake]
    unpassed: list[Unpassed]
    clusters: list[Cluster]
    slowest: list[Slow]
    limits: list[Noticed]
    irregular: list[Noticed]
    pairs: list[similarity.Pair]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report on an assignment and say where it is; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd report",
        description="Show on one page what a class did with an assignment.",
        epilog="example: infograd report 01-information-identities --to report.html",
    )
    parser.add_argument("assignment", type=assignment, help="such as 01, or 01-information-identities")
    parser.add_argument("--to", type=Path, metavar="FILE", help="default: classroom/reports/ASSIGNMENT.html")
    options = parser.parse_args(arguments)
    file = options.to or CLASSROOM / "reports" / f"{options.assignment}.html"
    try:
        write_report(CLASSROOM, options.assignment, file)
    except NothingGraded as error:
        print(f"infograd report: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"infograd report: --to {file} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"The report on {options.assignment} is {file}")
    return 0


def write_report(classroom: Path, assignment: str, file: Path) -> None:
    """Make the page from the verdicts in a classroom. Raises NothingGraded or OSError."""
    graded = read_class(classroom, assignment)
    released = answers_in(ROOT / "notebooks" / assignment / f"{assignment}.ipynb")
    page = render(make_report(assignment, graded, released))
    write_whole(file, page)


def make_report(assignment: str, graded: Sequence[Graded], released: dict[str, str]) -> Report:
    """The facts of the page."""
    exercises = statistics.exercise_statistics(graded)
    points = sum(one.points for one in exercises if not one.stretch)
    times = [Slow(one.learner, name, v.seconds) for one in graded for name, v in one.verdict.exercises.items()]
    return Report(
        assignment,
        learners=len(graded),
        points=points,
        mean=sum(one.marks for one in graded) / len(graded),
        ungraded=[Noticed(one.learner, state) for one in graded if (state := not_graded(one))],
        distribution=statistics.distribution(graded, points),
        exercises=exercises,
        mistakes=told_mistakes(graded),
        unpassed=unpassed(graded),
        clusters=clusters(graded),
        slowest=sorted(times, key=lambda one: -one.seconds)[:SLOWEST],
        limits=[Noticed(one.learner, what) for one in graded for what in one.verdict.limits_hit],
        irregular=[Noticed(one.learner, what) for one in graded for what in one.verdict.irregularities],
        pairs=similarity.similar_pairs(graded, released),
    )


def not_graded(one: Graded) -> str:
    """Why a submission has no marks, or waits for some; nothing where it has them all."""
    verdict = one.verdict
    if verdict.outcome != "graded":
        return f"{verdict.outcome}: {verdict.reason}"
    return "; ".join(f"the grader failed in {name}: {error}" for name, error in verdict.failed.items())


def render(report: Report) -> str:
    """The page. Everything that a learner may have written is text in it, never markup."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"csv": csv_link, "plain": plain, "prose": prose, "percent": "{:.0%}".format}
    return environment.get_template("report.html").render(report=report)


def plain(text: str) -> str:
    """Text without control characters, in its lines."""
    return "\n".join(map(printable, text.split("\n")))


def csv_link(rows: Sequence[Any]) -> str:
    """A table's rows, dataclasses of one kind, as an address that a browser saves as a CSV file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if rows:
        writer.writerow(type(rows[0]).__dataclass_fields__)
    for row in rows:
        writer.writerow([safe(" ".join(value) if isinstance(value, list) else value) for value in astuple(row)])
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(stream.getvalue().encode()).decode()
