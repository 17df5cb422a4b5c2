"""The kill table: every wrong answer that the exercises know, what caught it, and what its author is told.

Rows are the misconceptions and the rule breakers of each exercise and the non-answers thrown at all of them, played on
the public cases. `python -m grading.exercises.kill_table` writes KILL_TABLE.md; with `--check` it fails where that is
out of date or a wrong answer survives.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grading.exercises import load, non_answers, notebooks
from grading.exercises.exercise import Exercise
from helpers.checking.check import examine
from helpers.checking.marking import CORRECT, Report
from helpers.checking.shapes import ExerciseData
from helpers.files import write_whole

FILE = Path(__file__).with_name("KILL_TABLE.md")
NON_ANSWER = "non-answer"
PLACE = re.compile(r" in line \d+ of your cell")
PATIENCE = 0.05  # seconds for the answer that never comes

HEADER = """# Kill table

Every wrong answer that the exercises know, what caught it on the public cases, and what its author is told.
Made by `python -m grading.exercises.kill_table`; a test fails if this file is out of date or if a wrong answer
survives.
"""


class Row(NamedTuple):
    """One wrong answer; `caught` is None where it survived."""

    kind: str
    name: str
    caught: str | None
    earns: float
    told: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the kill table, or compare it with `--check`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m grading.exercises.kill_table", description="Make grading/exercises/KILL_TABLE.md."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the file is out of date")
    parser.add_argument("one", nargs="*", metavar="NOTEBOOK EXERCISE", help="print the table of one exercise")
    options = parser.parse_args(arguments)
    if options.one:
        return show(options.one)
    loaded = {
        name: load(name) for name in notebooks()
    }  # all of them first: Triton is told how to run before it is used
    table = {name: {x.name: rows(x) for x in exercises.values()} for name, exercises in loaded.items()}
    survivors = [
        f"{x}: {r.name}" for part in table.values() for x, found in part.items() for r in found if not r.caught
    ]
    if survivors:
        print("These wrong answers survive:", *survivors, sep="\n  ", file=sys.stderr)
        return 1
    text = as_text(table)
    if options.check:
        fresh = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
        print(f"{FILE.name} is {'up to date' if fresh else 'out of date: run python -m grading.exercises.kill_table'}.")
        return 0 if fresh else 1
    write_whole(FILE, text)
    return 0


def show(one: Sequence[str]) -> int:
    """Print the table of one exercise; returns the exit status, which is 1 where a wrong answer survives."""
    try:
        notebook, name = one
        exercise = load(notebook)[name]
    except (ValueError, KeyError) as problem:
        print(
            f"kill_table: name a notebook and one of its exercises, not {' '.join(one)!r} ({problem})", file=sys.stderr
        )
        return 2
    found = rows(exercise)
    print(section(name, found))
    return 0 if all(one.caught for one in found) else 1


def rows(exercise: Exercise) -> list[Row]:
    """Every wrong answer to an exercise, played on the public cases."""
    data = exercise.as_data()
    return [
        row(kind, name, examine(exercise.name, for_non_answer(data, name) if kind == NON_ANSWER else data, functions))
        for kind, name, functions in wrong_answers(exercise)
    ]


def wrong_answers(exercise: Exercise) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, name, functions) of every wrong answer to an exercise."""
    for name, misconception in exercise.misconceptions.items():
        yield "misconception", name, misconception.functions
    for name, functions in exercise.rule_breakers.items():
        yield "rule breaker", name, functions
    for name, answer in {**non_answers.blunt(exercise), **non_answers.near(exercise)}.items():
        yield NON_ANSWER, name, {**exercise.references, exercise.name: answer}


def for_non_answer(data: ExerciseData, name: str) -> ExerciseData:
    """An exercise's data for a non-answer: without the names that an answer must mention, as its text does not show
    what it is made from, and with little time for the one that takes all there is."""
    seconds = PATIENCE if name == non_answers.NEVER else data["seconds"]
    return {**data, "rules": {**data["rules"], "require": []}, "seconds": seconds}


def row(kind: str, name: str, report: Report) -> Row:
    """The row of an answer's report."""
    if report.broken_rule is not None:
        return Row(kind, name, "source rule", report.marks, report.broken_rule)
    failed = next((criterion for criterion in report.criteria if criterion.failure), None)
    if report.outcome == CORRECT or failed is None or failed.failure is None or failed.failure.problem is None:
        return Row(kind, name, None, report.marks, "")
    return Row(kind, name, failed.name, report.marks, report.mistake_sentence or failed.failure.problem.text)


def as_text(table: dict[str, dict[str, list[Row]]]) -> str:
    """The table as Markdown."""
    parts = [f"## {notebook}\n\n" + "\n".join(map(section, found, found.values())) for notebook, found in table.items()]
    return "\n".join([HEADER, *parts])


def section(name: str, found: list[Row]) -> str:
    """The part of one exercise."""
    lines = [f"### {name}", "", "| wrong answer | caught by | earns | is told |", "|---|---|---|---|"]
    lines += [f"| {label(r)} | {cell(r.caught or '')} | {r.earns:g} | {cell(r.told)} |" for r in found]
    return "\n".join(lines) + "\n"


def label(row: Row) -> str:
    """What a wrong answer is called: a function's name as code, the non-answers in words."""
    return row.name if row.kind == NON_ANSWER else f"`{row.name}`" + (" (rule)" if row.kind == "rule breaker" else "")


def cell(text: str) -> str:
    """Text that cannot break out of its cell, without the line of the definitions that a wrong answer stands in."""
    return " ".join(PLACE.sub("", text).replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
