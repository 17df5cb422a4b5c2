"""A learner's check and the grading come to the same verdict: the check plays functions that cells have defined, the
grading reads, slices and plays their text in the sandbox. Whatever one of them alone refuses or accepts fails here."""

from __future__ import annotations

import linecache
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import nbformat
import pytest

from grading.exercises import load, notebooks
from grading.exercises.as_text import NoText, answer_text
from grading.exercises.exercise import Exercise
from grading.grade import Grader
from grading.judge import judge
from grading.slicing import shown_by
from grading.submission import Submission, sorted_cells
from helpers.checking import key
from helpers.checking.check import examine
from helpers.checking.marking import Report
from tests.grading.courses import ROOT

SEED = 3
Answers = dict[str, str]


@cache
def executed(notebook: str) -> nbformat.NotebookNode:
    """The notebook with the model answers."""
    return nbformat.read(ROOT / "solutions" / notebook / f"{notebook}.ipynb", as_version=4)


def written(notebook: str, exercise: Exercise) -> Iterator[tuple[str, str]]:
    """The alternatives and misconceptions that have a text."""
    wrong = {name: one.functions for name, one in exercise.misconceptions.items()}
    for name, functions in {**exercise.alternatives, **wrong}.items():
        with suppress(NoText):
            yield name, answer_text(notebook, functions)


@cache
def rows(notebook: str) -> list[list[tuple[str, str]]]:
    """Each exercise's answers by name."""
    return [list(written(notebook, one)) for one in load(notebook).values()]


def played(notebook: str, row: int) -> tuple[Answers, Answers]:
    """What one submission hands in, by exercise: an answer's name, and its text."""
    chosen = {n: some[row] for n, some in zip(load(notebook), rows(notebook), strict=True) if row < len(some)}
    return {n: name for n, (name, _) in chosen.items()}, {n: text for n, (_, text) in chosen.items()}


def checked(notebook: str, answers: Answers) -> dict[str, Report]:
    """What the checks say in the notebook in which these answers stand."""
    place = sys.modules["a_notebook"] = types.ModuleType("a_notebook")  # without a file, as a kernel's is
    first = True
    for number, cell in enumerate(sorted_cells(executed(notebook))):
        if cell.runs and (cell.is_learners or first):  # of ours that with the imports
            first = False
            text, file = answers.get(cell.name, cell.python), f"<cell {number} of {notebook}>"
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)
            exec(compile(text, file, "exec"), vars(place))
    found = {}
    for name in answers:
        exercise = key.find(name)
        found[name] = examine(name, exercise, {n: vars(place)[n] for n in exercise["functions"]})
    return found


def graded(grader: Grader, notebook: str, answers: Answers) -> dict[str, Report]:
    """What the grading says of them."""
    ours = nbformat.from_dict(executed(notebook))
    cells = sorted_cells(ours)
    for cell in cells:
        if cell.is_learners and cell.name in answers:
            cell.node.source = answers[cell.name]
    known = shown_by(executed(notebook), grader.sandbox.limits.output_bytes)
    judgement = judge(Submission(ours, cells, ""), load(notebook), SEED, grader.sandbox, 300.0, known)
    assert not judgement.failed
    return {name: judgement.reports[name] for name in answers}


def verdict(report: Report) -> Any:
    """What both must agree on; what hidden cases alone may show, and the mistake where they may speak, is left out."""
    known = None if report.by_form else report.mistake
    return report.marks, report.outcome, report.broken_rule, known, [(one.name, one.passed) for one in report.criteria]


def differences(grader: Grader, notebook: str, row: int) -> dict[str, Any]:
    """The answers of a row on which check and grading differ, with both verdicts."""
    names, answers = played(notebook, row)
    one, other = checked(notebook, answers), graded(grader, notebook, answers)
    pairs = {f"{n}: {names[n]}": (verdict(one[n]), verdict(other[n])) for n in answers}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.fixture(scope="module")
def patient() -> Iterator[Grader]:
    """A grader with the usual limits, which whole notebooks keep."""
    with Grader() as one:
        yield one


@pytest.mark.long
@pytest.mark.parametrize("notebook", notebooks())
def test_check_and_grading_agree_on_every_answer(notebook: str, patient: Grader) -> None:
    for row in range(max(map(len, rows(notebook)))):
        assert not differences(patient, notebook, row), row
