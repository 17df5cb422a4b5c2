"""One submission from file to verdict: what the grader makes of honest answers."""

from __future__ import annotations

import json
import linecache
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import grading.grade
from grading import judge
from grading.classroom.recording import marks_of
from grading.exercises import IMPORTED_LATE, load, notebooks
from grading.grade import GradedNotebook, Grader, imported_by
from grading.sandbox.sandbox import Process, Sandbox
from grading.submission import Cell, grade_id
from grading.verdict import ExerciseVerdict, Verdict, read_verdict, write_verdict
from helpers.checking.check import examine
from tests.grading.courses import ANSWERS, NOTEBOOK, SEED, grade, model_answers


@pytest.mark.parametrize("name", ANSWERS)
def test_agrees_with_the_check_in_a_learners_process(name: str, grader: Grader, released: Path, tmp_path: Path) -> None:
    exercise = load(NOTEBOOK)["entropy"]
    linecache.cache["<answer>"] = (1, None, ANSWERS[name].splitlines(True), "<answer>")
    space = {"torch": torch, "math": math, "np": np, "__name__": "__main__"}
    exec(compile(ANSWERS[name], "<answer>", "exec"), space)
    here = examine("entropy", exercise.as_data(SEED), {"entropy": space["entropy"]})
    there = grade(grader, released, tmp_path, {"entropy": ANSWERS[name]}).judgement.reports["entropy"]
    assert (there.marks, there.outcome, there.mistake, there.broken_rule) == (
        here.marks,
        here.outcome,
        here.mistake,
        here.broken_rule,
    )


def test_a_regrade_repeats_the_verdict_and_a_resubmission_does_not(
    grader: Grader, released: Path, tmp_path: Path
) -> None:
    first = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}, None).verdict
    again = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}, None)
    other = grade(grader, released, tmp_path, {"entropy": ANSWERS["bits"]}, None)
    assert first.seed == again.verdict.seed
    assert [without_seconds(one) for one in (first, again.verdict)] == [without_seconds(first)] * 2
    assert again.changed == set()
    assert other.verdict.seed != first.seed
    assert other.changed == {"entropy"}


def test_a_cell_after_a_crash_is_still_judgement(grader: Grader, released: Path, tmp_path: Path) -> None:
    """The other cells lose nothing where its imports are the last that bind a name."""
    dead = f"import math, os, torch\n{ANSWERS['model']}\nos._exit(0)\n"
    graded = grade(grader, released, tmp_path, {"entropy": dead, "kl_divergence": model_answers()["kl_divergence"]})
    assert graded.judgement.reports["entropy"].marks == 0
    assert graded.judgement.reports["kl_divergence"].outcome == "correct"
    assert graded.verdict.limits_hit == ["the cell entropy: the process ended"]
    assert "did not run to its end, and what it defined is lost: the process ended." in cards_of(graded)


def test_an_error_before_the_definition_is_named(grader: Grader, released: Path, tmp_path: Path) -> None:
    graded = grade(grader, released, tmp_path, {"entropy": "import nothing_of_this_name\n" + ANSWERS["model"]})
    assert "No module named 'nothing_of_this_name'" in cards_of(graded)
    assert "stops before it is defined" in cards_of(graded)


def cards_of(graded: GradedNotebook) -> str:
    """What a graded notebook shows under its cells."""
    return json.dumps([cell.get("outputs") for cell in graded.notebook.cells])


@pytest.mark.parametrize(
    "line",
    [
        "n = input('A number')",
        "display(entropy(torch.ones(2) / 2))",
        "from google.colab import drive",
        "!pip install x",
    ],
)
def test_what_a_cell_does_behind_its_answer_costs_nothing(
    line: str, grader: Grader, released: Path, tmp_path: Path
) -> None:
    graded = grade(grader, released, tmp_path, {"entropy": f"{ANSWERS['model']}\n{line}\n"})
    assert graded.judgement.reports["entropy"].outcome == "correct"


@pytest.mark.parametrize(
    ("line", "outcome"), [("%pip install pandas", "correct"), ("n = input('A number')", "incorrect")]
)
def test_what_a_cell_does_before_its_answer_is_named_where_it_stops(
    line: str, outcome: str, grader: Grader, released: Path, tmp_path: Path
) -> None:
    graded = grade(grader, released, tmp_path, {"entropy": f"{line}\n{ANSWERS['model']}"})
    assert graded.judgement.reports["entropy"].outcome == outcome
    problems = [one.problem or "" for one in graded.verdict.exercises["entropy"].criteria]
    assert any("EOFError in line 1: EOF when reading a line" in one for one in problems) == (outcome == "incorrect")


RIGHT, WRONG = f"exec({ANSWERS['model']!r})\n", "def entropy(p):\n    return p.sum(-1)\n"
DIFFERING = {
    "changed in a way that is not read": (
        ANSWERS["model"] + "\nglobals()['entropy'] = lambda p: p\n",
        "correct",
        [False],
    ),
    "there in a way that is not read": (RIGHT, "incorrect", [True]),
    "mended in a way that is not read": (WRONG + RIGHT, "incorrect", [True]),
    "the same": (ANSWERS["model"] + "\nprint(entropy(torch.ones(2) / 2), globals()['entropy'])\n", "correct", []),
    "wrong both ways": (WRONG + "print(globals())\n", "incorrect", []),
}


@pytest.mark.parametrize("case", DIFFERING)
def test_where_the_whole_notebook_answers_otherwise_it_is_said(
    case: str, grader: Grader, released: Path, tmp_path: Path
) -> None:
    text, outcome, right_as_a_whole = DIFFERING[case]
    graded = grade(grader, released, tmp_path, {"entropy": text})
    assert graded.judgement.reports["entropy"].outcome == outcome
    sentences = {True: judge.RIGHT_AS_A_WHOLE, False: judge.WRONG_AS_A_WHOLE}
    assert graded.verdict.irregularities == [sentences[right].format(name="entropy") for right in right_as_a_whole]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["open", "ask", "replies"])
def test_a_submission_is_judged_again_where_the_warm_process_dies_under_it(
    step: str, grader: Grader, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner: Any = Sandbox if step == "open" else Process
    real = getattr(owner, step)
    killed: list[str] = []

    def kill_once(*arguments: Any, **named: Any) -> Any:
        if not killed and grader.sandbox.process is not None:
            killed.append(step)
            grader.sandbox.process.kill()
            grader.sandbox.process.wait()
        return real(*arguments, **named)

    monkeypatch.setattr(owner, step, kill_once)
    graded = grade(grader, released, tmp_path, {"entropy": ANSWERS["model"]})
    assert killed
    assert graded.judgement.reports["entropy"].outcome == "correct"
    assert (graded.verdict.outcome, graded.verdict.limits_hit) == ("graded", [])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The function and the number of calls of each request to a process; nothing is known of stubs at first."""
    real, found = Process.replies, []

    def replies(process: Process, request: dict[str, Any], *rest: Any) -> Iterator[dict[str, Any]]:
        if calls := request.get("calls"):
            found.append((calls[0]["function"], len(calls)))
        return real(process, request, *rest)

    monkeypatch.setattr(judge, "NOT_ATTEMPTED_STUBS", set())
    monkeypatch.setattr(Process, "replies", replies)
    return found


def test_what_is_as_it_was_released_is_called_once_for_a_class(
    grader: Grader, released: Path, tmp_path: Path, asked: list[tuple[str, int]]
) -> None:
    first, again = (grade(grader, released, tmp_path, {}).verdict for _ in range(2))
    assert without_seconds(again) == without_seconds(first)
    assert [name for name, _ in asked] == [*first.exercises]
    stub_before = f"{ANSWERS['model']}\n\ndef kl_divergence(p, q):\n    return 0 * entropy(p)\n"
    outcomes = grade(grader, released, tmp_path, {"kl_divergence": stub_before}).judgement.reports
    assert [outcomes[name].outcome for name in ("entropy", "kl_divergence")] == ["correct", "incorrect"]


def test_of_an_answer_that_breaks_a_rule_no_hidden_case_is_played(
    grader: Grader, released: Path, tmp_path: Path, asked: list[tuple[str, int]]
) -> None:
    text = "import torch\n\ndef entropy(p):\n    return torch.distributions.Categorical(p).entropy()\n"
    report = grade(grader, released, tmp_path, {"entropy": text}).judgement.reports["entropy"]
    assert report.broken_rule
    assert [name for name, _ in asked].count("entropy") == 1


def without_seconds(verdict: Verdict) -> dict[str, ExerciseVerdict]:
    """The exercises of a verdict without what the clock said."""
    return {name: replace(one, seconds=0.0) for name, one in verdict.exercises.items()}


def test_a_fault_of_the_grader_is_no_mark_and_asks_for_a_person(
    grader: Grader, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("grading.grade.judge", fail)
    graded = grade(grader, released, tmp_path, {"entropy": ANSWERS["model"]})
    assert (graded.verdict.outcome, graded.verdict.needs_a_person) == ("grader failed", True)
    assert "KeyError" in str(graded.verdict.reason)
    assert graded.verdict.exercises == {}
    assert "The grader itself failed" in graded.notebook.cells[0].source
    check = next(cell for cell in graded.notebook.cells if grade_id(cell) == "entropy-check")
    assert not [output for output in check.outputs if output.output_type == "execute_result"]
    assert marks_of(cell_named(graded, "entropy-check"), graded) == (None, None)


@pytest.mark.parametrize("step", ["read_submission", "handed_in", "graded_notebook", "digests"])
def test_a_fault_at_any_step_is_a_verdict_and_a_notebook(
    step: str, grader: Grader, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(grading.grade, step), []

    def fail_once(*arguments: Any) -> Any:
        calls.append(step)
        if len(calls) == 1:
            raise RecursionError
        return real(*arguments)

    monkeypatch.setattr(grading.grade, step, fail_once)
    graded = grade(grader, released, tmp_path, {"entropy": ANSWERS["model"]})
    assert (graded.verdict.outcome, graded.verdict.needs_a_person) == ("grader failed", True)
    assert "RecursionError" in str(graded.verdict.reason)
    assert "The grader itself failed" in graded.text


@pytest.mark.parametrize("step", ["mark", "recognise"])
def test_a_fault_in_one_exercise_leaves_the_others(
    step: str, grader: Grader, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(judge, step)

    def fail(*arguments: Any) -> Any:
        if "entropy" in (arguments[0], getattr(arguments[-1], "exercise", None)):
            raise ZeroDivisionError
        return real(*arguments)

    monkeypatch.setattr(judge, step, fail)
    graded = grade(grader, released, tmp_path, {**model_answers(), "entropy": ANSWERS["bits"]})
    assert graded.verdict.failed == {"entropy": "ZeroDivisionError"}
    assert graded.verdict.needs_a_person
    assert marks_of(cell_named(graded, "entropy-check"), graded) == (None, None)
    full = load(NOTEBOOK)["kl_divergence"].points
    assert marks_of(cell_named(graded, "kl_divergence-check"), graded) == (full, None)
    assert "entropy" in graded.notebook.cells[0].source


def cell_named(graded: GradedNotebook, name: str) -> Cell:
    """A cell of the submission by its grade_id."""
    return next(cell for cell in graded.submission.cells if cell.name == name)


def test_a_verdict_survives_its_file(grader: Grader, released: Path, tmp_path: Path) -> None:
    verdict = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}).verdict
    file = tmp_path / "kept.json"
    write_verdict(file, verdict)
    assert read_verdict(file) == verdict
    assert verdict.exercises["entropy"].seconds > 0
    assert {one.kind for one in verdict.exercises["entropy"].criteria if one.problem} == {"numbers"}
    for spoilt in ("", "[]", "{}", file.read_text().replace('"format": 2', '"format": 1'), file.read_text()[:-20]):
        file.write_text(spoilt)
        assert read_verdict(file) is None


def test_the_modules_of_our_cells_are_known_and_those_that_answers_import_late_exist() -> None:
    assert imported_by(("from helpers.information import entropy\nimport torch.optim as o", "no python!")) == [
        "helpers.information", "helpers.information.entropy", "torch", "torch.optim",
    ]  # fmt: skip
    for name, late in IMPORTED_LATE.items():
        assert name in notebooks()
        assert all(find_spec(module) for module in late)
