"""Cells of ours that no answer needs do not run: what is spared, and that nobody's verdict is another for it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache

import nbformat
import pytest

from grading.exercises import load, notebooks
from grading.exercises.as_text import NoText, answer_text
from grading.exercises.exercise import Exercise
from grading.grade import Grader
from grading.judge import judge
from grading.slicing import ASKING, changed_by, names_of, shown_by, shows_what_keys_hold, spared
from grading.source_rules import AnswerText, CellText
from grading.submission import Cell, Submission, sorted_cells
from tests.grading.courses import ROOT

# Progress bars, and how long something took.
TIMED = re.compile(r"[^\r\n]*%\|[^\r\n]*it/s\]|\d+ times as long|reaches \d+%|\r")
# Shows how Triton compiles the learner's own kernel, and so runs.
ON_AN_ANSWER = {("06-triton-log-softmax", "log_softmax_kernel")}


def executed(notebook: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "solutions" / notebook / f"{notebook}.ipynb", as_version=4)


@cache
def model(notebook: str) -> list[Cell]:
    return [cell for cell in sorted_cells(executed(notebook)) if cell.runs]


def texts(notebook: str, answers: dict[str, str]) -> list[CellText]:
    cells = model(notebook)
    return [CellText(answers.get(c.name, c.python) if c.is_learners else c.python, not c.is_learners) for c in cells]


@pytest.mark.parametrize("notebook", notebooks())
def test_none_of_our_cells_reads_an_answer(notebook: str) -> None:
    cells = texts(notebook, {})
    answers = {name for cell in cells if not cell.ours for name in names_of(cell.source, False).binds}
    reads = {name for cell in cells if cell.ours for name in names_of(cell.source, True).needs & answers}
    assert {(notebook, name) for name in reads} <= ON_AN_ANSWER


@pytest.mark.parametrize("notebook", notebooks())
def test_of_our_cells_few_run_for_the_model_answers(notebook: str) -> None:
    cells = texts(notebook, {})
    ours = {number for number, cell in enumerate(cells) if cell.ours}
    assert 1 <= len(ours - spared(cells)) <= 3 < len(ours)  # imports, what an answer reads, progress()


@pytest.mark.parametrize("notebook", notebooks())
def test_no_rule_is_read_into_an_honest_answer_among_all_cells(notebook: str) -> None:
    exercises = load(notebook)
    rows = [[*right_texts(notebook, one)] for one in exercises.values()]
    for number in range(-1, max(map(len, rows))):
        row = {n: some[number] for n, some in zip(exercises, rows, strict=True) if 0 <= number < len(some)}
        read = AnswerText(texts(notebook, row))
        for name in row if row else exercises:
            one = exercises[name]
            assert read.broken_rule({"functions": [*one.references], "rules": one.rules}) is None, (name, number)


def right_texts(notebook: str, exercise: Exercise) -> Iterator[str]:
    """The alternatives that have a text."""
    for functions in exercise.alternatives.values():
        with suppress(NoText):
            yield answer_text(notebook, functions)


SHARED = "x = [1]\n", "def f():\n    return x\n"
CASES = {
    "what an answer reads": (["x = 1", "y = 2"], "print(x)", {0}),
    "through another cell": (["x = 1", "y = x", "z = 3"], "print(y)", {0, 1}),
    "what may have changed it": (["x = []", "x.append(1)", "show(3)"], "print(x)", {0, 1}),
    "a function that reads it": ([*SHARED, "z = 3"], "print(f())", {0, 1}),
    "definitions alone": (["x = 1"], "def g():\n    return x\n", set()),
    "a default": (["x = 1"], "def g(a=x):\n    return a\n", {0}),
    "an annotation": (["import torch"], "def g(a: torch.Tensor):\n    return a\n", {0}),
    "a seed, where the answer acts": (["import torch\ntorch.manual_seed(0)"], "print(3)", {0}),
    "a seed, where it does not": (["import torch\ntorch.manual_seed(0)"], "def g():\n    return 1\n", set()),
    "an answer's exec": (["x = 1", "y = 2"], "exec('print(x)')", {0, 1}),
    "its globals": (["x = 1", "y = 2"], "print(globals()['x'])", {0, 1}),
    "its star import": (["x = 1", "y = 2"], "from math import *", {0, 1}),
    "the notebook as a module": (["x = 1", "y = 2"], "import __main__ as m\nprint(m.x)", {0, 1}),
    "our star import": (["from math import *", "y = 2"], "print(pi)", {0, 1}),
    "what asks about answers": (["from helpers import progress", "progress()", "y = 2"], "y = 1", {0, 1}),
    "a loop of ours": (["n = 3", "for n in range(2):\n    print(n)"], "n = 7\nprint(n)", set()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_runs(case: str) -> None:
    ours, answer, runs = CASES[case]
    cells = [*(CellText(text, True) for text in ours), CellText(answer)]
    assert set(range(len(ours))) - spared(cells) == runs


def test_ours_run_where_they_see_what_an_answer_has_changed() -> None:
    after = [CellText("import torch", True), CellText("import torch\n"), CellText("print(torch.pi)", True)]
    assert 2 in spared(after)
    for spoilt in ("torch = None\n", "import numpy as torch\n", "def torch():\n    pass\n", "torch.pi = 3\n"):
        assert 2 not in spared([after[0], CellText(spoilt), after[2]]), spoilt


NOTEBOOK = "01-information-identities"
LOOKS = "print(information.__name__)\n\ndef entropy(p):\n    return torch.special.entr(p).sum(-1)\n"
SPOILS = "plotting = None\n\ndef entropy(p):\n    return torch.special.entr(p).sum(-1) / math.log(2)\n"


@pytest.mark.parametrize("answer", [LOOKS, SPOILS])
def test_verdict_and_graded_notebook_are_the_same_sliced_and_whole(answer: str, grader: Grader) -> None:
    sliced, whole = (graded(grader, NOTEBOOK, {"entropy": answer}, keep) for keep in (True, False))
    assert sliced == whole
    assert answer == SPOILS or "Stopped" not in json.dumps(sliced)


def test_questions_are_not_asked_of_the_key_where_all_of_our_cells_run(grader: Grader) -> None:
    ours = executed("08-reading-and-writing-math")
    shown = shown_by(ours, 10_000)
    first = [cell for cell in sorted_cells(ours) if cell.runs][:3]
    (asked,) = (cell for cell in first if shows_what_keys_hold(cell.python))
    next(cell for cell in first if cell.is_learners).node.source = "seen = sorted(globals())\n"
    for known in (shown, {}):
        judgement = judge(Submission(ours, first, ""), {}, 3, grader.sandbox, 60.0, known)
        assert [run.error for run in judgement.runs] == [None] * 3
        (run,) = (run for run in judgement.runs if run.cell is asked)
        assert run.outputs == known.get((asked.name, asked.node.source), [])


@pytest.mark.parametrize("call", ["progress()", "checklist()"])
def test_nobodys_progress_is_shown(call: str, grader: Grader) -> None:
    """There is none in the sandbox, and it would say that the course must be installed again."""
    ours = executed("08-reading-and-writing-math")
    known = shown_by(ours, 10_000)
    cells = [cell for cell in sorted_cells(ours) if cell.runs]
    some = [cells[0], *(cell for cell in cells if cell.node.source == call)]
    for shown in (known, {}):
        judgement = judge(Submission(ours, some, ""), {}, 3, grader.sandbox, 60.0, shown)
        assert [(run.error, run.outputs) for run in judgement.runs[1:]] == [(None, [])]


@pytest.mark.parametrize("notebook", notebooks())
def test_whatever_reads_the_keys_in_a_cell_of_ours_is_known(notebook: str) -> None:
    """The sandbox has no keys, and what else reads them would end in an error there."""
    reads = re.compile(r"^from helpers\.checking import .*\bkey\b", re.M)
    readers = {file.stem for file in (ROOT / "helpers").rglob("*.py") if reads.search(file.read_text(encoding="utf-8"))}
    assert readers >= {"check", "progress", "questions", "checklist"}
    for cell in (one for one in sorted_cells(executed(notebook)) if one.kind == "ours"):
        calls = (node for node in ast.walk(ast.parse(cell.python)) if isinstance(node, ast.Call))
        asking = {name for call in calls if (name := ast.unparse(call.func)).partition(".")[0] in readers}
        assert asking <= ASKING or shows_what_keys_hold(cell.python), cell.name


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("questions.show('a')", True),
        ("questions.show('a')\nprogress()", True),
        ("checklist()", True),
        ("progress()\nentropy = 3", False),
        ("progress", False),
        ("# nothing", False),
        ("check('a', a)", False),
        ("progress(", False),
    ],
)
def test_which_cells_show_what_the_keys_hold(source: str, wanted: bool) -> None:
    assert shows_what_keys_hold(source) == wanted


@pytest.mark.long
@pytest.mark.parametrize("notebook", notebooks())
def test_every_answer_is_judged_the_same_sliced_and_whole(notebook: str, patient: Grader) -> None:
    exercises = load(notebook)
    rows = [list(written(notebook, one)) for one in exercises.values()]
    for number in range(max(map(len, rows))):
        answers = {n: some[number] for n, some in zip(exercises, rows, strict=True) if number < len(some)}
        sliced, whole = (graded(patient, notebook, answers, keep) for keep in (True, False))
        assert repr(sliced) == repr(whole), number  # nan is not equal to itself


@pytest.fixture(scope="module")
def patient() -> Iterator[Grader]:
    """A grader with the usual limits, which whole notebooks keep."""
    with Grader() as one:
        yield one


def written(notebook: str, exercise: Exercise) -> Iterator[str]:
    """The alternatives and misconceptions that have a text."""
    yield from right_texts(notebook, exercise)
    for functions in (one.functions for one in exercise.misconceptions.values()):
        with suppress(NoText):
            yield answer_text(notebook, functions)


def graded(grader: Grader, notebook: str, answers: dict[str, str], sliced: bool) -> list[object]:
    """The reports without what the clock said, and what each cell shows; figures count by their number."""
    ours = executed(notebook)
    known = shown_by(ours, grader.sandbox.limits.output_bytes)
    cells = sorted_cells(ours)
    for cell in cells:
        if cell.is_learners and cell.name in answers:
            cell.node.source = answers[cell.name]
    submission = Submission(ours, cells, "")
    if not sliced:
        known = {cell: outputs for cell, outputs in known.items() if shows_what_keys_hold(cell[1])}
    judgement = judge(submission, load(notebook), 3, grader.sandbox, 300.0, known)
    shown = [(run.cell.name, run.error, list(filter(None, map(words, run.outputs)))) for run in judgement.runs]
    not_run = [run for run in judgement.runs if run.spared and not shows_what_keys_hold(run.cell.python)]
    assert bool(not_run) == sliced or rebound(cells)
    return [judgement.failed, *(marks(one) for one in judgement.reports.values()), *shown]


def rebound(cells: Sequence[Cell]) -> set[str]:
    """The names of ours that an answer gives another meaning: what uses them runs, to see it."""
    ours, answers = (
        [names_of(cell.python, one) for cell in cells if cell.runs and (cell.kind == "ours") == one]
        for one in (True, False)
    )
    return changed_by(answers, ours) & {name for one in ours for name in one.binds}


def marks(report):
    return [
        (report.exercise, report.marks, report.outcome, report.mistake, report.broken_rule),
        *((one.name, one.passed, one.failure and one.failure.problem) for one in report.criteria),
    ]


def words(output: nbformat.NotebookNode) -> object:
    """The text of an output, but for what tells the time; a figure and HTML by their being there."""
    text = "" if output.get("name") == "stderr" else TIMED.sub("", output.get("text", ""))
    return text or sorted(output.get("data", ()))
