"""`infograd lint` and `infograd new-exercise`: what a whole exercise has, and a first draft that builds and lints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grading.building import lint, new_exercise
from grading.building.inputs import source_of
from grading.course import ROOT
from grading.exercises import load, notebooks
from grading.exercises.exercise import case, exercise

NOTEBOOK = "04-condition-number-landscapes"


@pytest.mark.parametrize("notebook", notebooks())
def test_the_exercises_of_the_course_lack_nothing(notebook: str) -> None:
    assert list(map(str, lint.of_notebook(notebook))) == []


def test_whatever_a_definition_lacks_is_said_with_its_remedy() -> None:
    @exercise(hints=["Do it!"], stretch=True)
    def bare(x):
        return x

    @bare.criterion("only one", marks=0.3)
    def only_one(rng):
        yield case(1.0)

    @bare.misconception("TODO")
    def half(x):
        return x / 2

    said = [*lint.counts(bare), *lint.marks(bare), *lint.words(bare)]
    for part in (
        "0 of at least 2 alternatives; add other right answers with @bare.alternative",
        "1 of at least 2 misconceptions; add wrong answers",
        "1 of at least 2 hints",
        "1 of at least 2 criteria of different names; add @bare.criterion(",
        "no oracle; add a second route to the reference's number with @bare.oracle",
        "criterion 'only one' has 0.3 marks; give it quarters",
        "a stretch exercise is worth 3 points, and its criteria add up to 0.3",
        "the misconception half is still to be written",
        "hint 1 has an exclamation mark",
        "the sentence of the misconception half has no full stop",
    ):
        assert any(part in text for text in said), part
    assert list(lint.missing_rows(bare)) == ["no row for half; run python -m grading.exercises.kill_table"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('nbgrader={"grade_id": "nesterov"}', "", 'no solution cell; add # %% nbgrader={"grade_id": "nesterov"}'),
        ('nbgrader={"grade_id": "nesterov-check"}', "", 'no check cell; add # %% nbgrader={"grade_id": "nesterov-ch'),
        ("**Goal:** the path with the gradient at the look-ahead point", "The path", "needs a heading with its name, "),
        ("### BEGIN SOLUTION", "", "learners would be given the answer"),
        (
            "`mu` may be 0",
            "`mu` may be nothing",
            ": then it is gradient descent', which the text does not; quote the text in",
        ),
    ],
)
def test_whatever_a_source_lacks_is_said_with_its_place(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "source.py"
    text = source_of(NOTEBOOK, ROOT).read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(lint, "source_of", lambda name, root: file)
    found = list(map(str, lint.in_source(NOTEBOOK, load(NOTEBOOK)["nesterov"])))
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith(f"{file}:")


def test_a_definition_without_the_range_of_its_inputs_is_named(tmp_path: Path) -> None:
    for text, lacking in (("# ---- a\n# Inputs: 1 to 9.\ndef a():", 0), ("# Inputs: 1.\n# ---- a\ndef a():", 1)):
        file = tmp_path / f"{lacking}.py"
        file.write_text(text)
        assert len(list(lint.inputs_range(file, 3))) == lacking


def test_one_exercise_is_played_and_a_name_that_is_wrong_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.main([NOTEBOOK[:2], "optimal_lr"]) == 0
    assert lint.main([NOTEBOOK, "optimal"]) == 2
    said = capsys.readouterr()
    assert said.out == "infograd lint: nothing lacks\n"
    assert "has no exercise 'optimal'; it has condition_number, " in said.err


def test_a_wrong_answer_that_nothing_catches_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(NOTEBOOK)["optimal_lr"]
    survivor = lint.kill_table.Row("misconception", "optimal_lr", None, 1.0, "")
    monkeypatch.setattr(lint.kill_table, "rows", lambda one: [survivor] if one is found else [])
    (said,) = map(str, lint.survivors(NOTEBOOK, "optimal_lr"))
    assert "the wrong answer 'optimal_lr' survives; add a case that tells it" in said


BUILD = f"""
import json, sys
from pathlib import Path
from grading.building.products import notebook_from_source
from grading.exercises import load
from helpers.checking.check import examine
drafted = load({NOTEBOOK!r})["line_search"]
notebook = notebook_from_source({NOTEBOOK!r}, Path.cwd())
cells = {{cell.id: cell for cell in notebook.cells if "line_search" in cell.id}}
given = {{}}
exec("import torch\\n" + cells["line_search"].source, given)
print(json.dumps([
    sorted(cells), cells["line_search-check"].metadata.nbgrader.points,
    examine("line_search", drafted.as_data(3), {{"line_search": given["line_search"]}}).outcome,
    examine("line_search", drafted.as_data(3), drafted.misconceptions["line_search_total"].functions).mistake,
]))
"""


@pytest.mark.slow
def test_a_new_exercise_can_be_built_and_linted_at_once(tmp_path: Path) -> None:
    for folder in ("grading", "helpers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    source = source_of(NOTEBOOK, tmp_path)
    source.parent.mkdir(parents=True)
    shutil.copy(source_of(NOTEBOOK, ROOT), source)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def infograd(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, *arguments]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    made = infograd("-m", "grading.command", "new-exercise", NOTEBOOK, "line_search")
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith(f"Now: infograd lint {NOTEBOOK} line_search\n")
    linted = infograd("-m", "grading.command", "lint", NOTEBOOK, "line_search")
    assert linted.returncode == 1
    assert "line_search: 1 of at least 3 alternatives" in linted.stdout
    assert "line_search: its text is still to be written" in linted.stdout
    assert "survives" not in linted.stdout
    built = infograd("-c", BUILD)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout) == [["line_search", "line_search-check"], 1, "correct", "line_search_total"]
    definitions = tmp_path / lint.definitions_of(NOTEBOOK).relative_to(ROOT)
    for action in (["check"], ["format", "--check"]):
        tidy = infograd("-m", "ruff", *action, "--no-cache", str(definitions))
        assert tidy.returncode == 0, tidy.stdout

    again = infograd("-m", "grading.command", "new-exercise", NOTEBOOK, "line_search")
    assert again.returncode == 2
    assert f"{NOTEBOOK} has an exercise 'line_search'" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([NOTEBOOK, "line search"], "'line search' is no name of a function"),
        ([NOTEBOOK, "lambda"], "'lambda' is no name of a function"),
        ([NOTEBOOK, "entropy"], "01-information-identities has an exercise 'entropy'"),
        ([NOTEBOOK, "spectrum"], "uses the name 'spectrum' already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_exercise.main(arguments) == 2
    assert said in capsys.readouterr().err
