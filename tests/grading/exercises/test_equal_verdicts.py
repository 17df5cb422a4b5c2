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
import torch

from grading.exercises import load, notebooks
from grading.exercises.as_text import NoText, answer_text
from grading.exercises.exercise import Exercise
from grading.grade import Grader
from grading.judge import judge
from grading.slicing import shown_by
from grading.source_rules import AnswerText, CellText
from grading.submission import Submission, sorted_cells
from helpers.checking import key
from helpers.checking.check import broken_rule, examine
from helpers.checking.marking import CORRECT, Report
from tests.grading.courses import ROOT
from tests.grading.exercises.styles import IMPORTS
from tests.grading.exercises.wrapped import WRAPPED

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


def in_row(notebook: str, row: int) -> dict[str, tuple[str, str]]:
    """What one submission hands in, by exercise: an answer's name, and its text."""
    return {n: some[row] for n, some in zip(load(notebook), rows(notebook), strict=True) if row < len(some)}


def notebook_with(notebook: str, answers: Answers) -> dict[str, Any]:
    """The names of a notebook in which these answers stand and have run."""
    place = sys.modules["a_notebook"] = types.ModuleType("a_notebook")  # without a file, as a kernel's is
    first, exercises = True, load(notebook)
    for number, cell in enumerate(sorted_cells(executed(notebook))):
        if cell.runs and (cell.name in exercises or first):  # of ours that with the imports
            first = False
            text, file = answers.get(cell.name, cell.python), f"<cell {number} of {notebook}>"
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)
            with suppress(*([] if cell.name in answers else [NameError])):  # a model answer may need a cell of ours
                exec(compile(text, file, "exec"), vars(place))
    return vars(place)


def checked(notebook: str, answers: Answers) -> dict[str, Report]:
    """What the checks say of them."""
    place = notebook_with(notebook, answers)
    return {
        name: examine(name, exercise, {n: place[n] for n in exercise["functions"]})
        for name in answers
        for exercise in [key.find(name)]
    }


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


def differences(
    grader: Grader, notebook: str, chosen: dict[str, tuple[str, str]], full_marks: bool = False
) -> dict[str, Any]:
    """The answers on which check and grading differ, or that lose marks where they should not, with both verdicts."""
    answers = {n: text for n, (_, text) in chosen.items()}
    one, other = checked(notebook, answers), graded(grader, notebook, answers)
    pairs = {f"{n}: {chosen[n][0]}": (verdict(one[n]), verdict(other[n])) for n in answers}
    lost = {name for name, (found, _) in pairs.items() if full_marks and found[1] != CORRECT}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] or name in lost}


QUICK = ("01-information-identities", "05-gaussian-kl-monte-carlo")
MOST_WRAPPED = max(map(len, WRAPPED.values()))
each_notebook = pytest.mark.parametrize(
    "notebook", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long]) for name in notebooks()]
)


@each_notebook
def test_the_rules_are_read_alike_in_every_answer(notebook: str) -> None:
    """By the check in the live function, by the grading in the text of the whole notebook."""
    for row in range(max(map(len, rows(notebook)))):
        chosen = in_row(notebook, row)
        answers = {n: text for n, (_, text) in chosen.items()}
        place, cells = notebook_with(notebook, answers), []
        for cell in sorted_cells(executed(notebook)):
            if cell.runs:
                text = answers.get(cell.name, cell.python) if cell.is_learners else cell.python
                cells.append(CellText(text, not cell.is_learners))
        read = AnswerText(cells)
        for name in answers:
            data = key.find(name)
            live = broken_rule(data, {n: place[n] for n in data["functions"]})
            assert read.broken_rule(data) == live, chosen[name]


@each_notebook
def test_check_and_grading_agree_on_some_answers(notebook: str, patient: Grader) -> None:
    """One answer to each exercise, alternatives and misconceptions by turns, in one submission; the long test plays
    all of them."""
    chosen = {
        n: some[5 * i % len(some)] for i, (n, some) in enumerate(zip(load(notebook), rows(notebook), strict=True))
    }
    assert not differences(patient, notebook, chosen)


@pytest.mark.slow
@pytest.mark.parametrize("row", [0, *(pytest.param(row, marks=pytest.mark.long) for row in range(1, MOST_WRAPPED))])
@pytest.mark.parametrize("notebook", [n for n in notebooks() if WRAPPED.keys() & load(n).keys()])
def test_check_and_grading_take_what_libraries_wrap(notebook: str, row: int, patient: Grader) -> None:
    chosen = {n: (n, IMPORTS + some[row]) for n, some in WRAPPED.items() if n in load(notebook) and row < len(some)}
    if chosen:
        assert not differences(patient, notebook, chosen, full_marks=True)


@pytest.fixture(scope="module")
def patient() -> Iterator[Grader]:
    """A grader with the usual limits, which whole notebooks keep."""
    torch.broadcast_shapes((1,), (1,))  # imports SymPy, which the time limit of a call must not cut in two
    with Grader() as one:
        yield one


@pytest.mark.long
@pytest.mark.timeout(0)  # a quarter of an hour for a notebook of kernels
@pytest.mark.parametrize("notebook", notebooks())
def test_check_and_grading_agree_on_every_answer(notebook: str, patient: Grader) -> None:
    for row in range(max(map(len, rows(notebook)))):
        assert not differences(patient, notebook, in_row(notebook, row)), row
