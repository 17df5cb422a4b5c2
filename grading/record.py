"""Write a judgement down: into the notebook that teacher and learner will see, a verdict file, and the gradebook."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.api import Gradebook

from grading import sanitise
from grading.graft import Grafted, grade_id, is_answer
from grading.judge import Judged, is_check
from grading.sandbox.replies import words
from helpers.checking import card
from helpers.checking.marking import NOT_ATTEMPTED, CriterionReport, Played, Report

FORMAT = 1
UNPROTECTED = "Graded without a sandbox."
GENERAL = (  # what a hidden failure is called, by what our own sentence about it says
    ("changed its input", "It changes its input."),
    ("shape", "The answer has another shape than was expected."),
    ("dtype", "The answer has another dtype than was expected."),
    ("None", "The answer, or a part of it, is None."),
)
OUTCOMES = {
    "raised": "It raises an error.",
    "interrupted": "It does not finish in time.",
    "no value": "What it returns cannot be compared.",
}


# ------------------------------------------------------------------------------------------------- what a learner may
# see
def redact(report: Report) -> Report:
    """The report without anything of a hidden case: no call, no value, no text that the learner's code chose while it
    saw one. What stays of a hidden failure is its criterion, its kind in general words, and the misconception's
    sentence."""
    return replace(report, criteria=[replace(c, played=[hide(one) for one in c.played]) for c in report.criteria])


def hide(one: Played) -> Played:
    """A hidden case with nothing in it."""
    if not one.case.get("hidden"):
        return one
    empty = {"hidden": True, "mistakes": {}, "call": {}, "expected": {"judge": "hidden"}}
    return Played(empty, {"outcome": "hidden"}, None if one.problem is None else general(one))


def general(one: Played) -> str:
    """A hidden failure in general words."""
    said = OUTCOMES.get(one.observation["outcome"])
    if said is None:
        said = next((words for key, words in GENERAL if key in str(one.problem)), "The numbers are not the right ones.")
    return f"{said} This was on an input that is not shown, of the kind that the criterion names."


# ------------------------------------------------------------------------------------------------- the notebook
def fill_in(grafted: Grafted, judged: Judged, confined: bool, output_bytes: int) -> NotebookNode:
    """The graded notebook: what the cells showed, made harmless, and our cards under the checks."""
    notebook = grafted.notebook
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if is_answer(cell) and cell.cell_type != "code":
            cell.source = sanitise.harmless_tex(cell.source)
    room = sanitise.Room()
    for cell in judged.cells:
        shown = cell.reply.get("outputs")
        cell.node.outputs = sanitise.outputs(shown, output_bytes, room) if "outputs" in cell.reply else []
        if cell.reply.get("outcome") == "raised":
            cell.node.outputs.append(error(cell.reply))
    for cell in notebook.cells:
        if is_check(cell):
            report = judged.reports.get(exercise_of(cell))
            cell.outputs = check_outputs(report) if report else [score(0.0)]
    if notes := list(remarks(grafted, confined)):
        lines = "\n".join(f"- {note}" for note in notes)
        notebook.cells.insert(0, new_markdown_cell(f"**Notes on this submission**\n\n{lines}", id="notes"))
    return notebook


def exercise_of(cell: NotebookNode) -> str:
    """The exercise of a check cell."""
    return str(grade_id(cell)).removesuffix("-check")


def error(reply: dict[str, Any]) -> NotebookNode:
    """The error that ended a cell, in one line."""
    line = reply.get("line")
    where = f" (line {line})" if type(line) is int else ""
    name, message = words(reply.get("error"))[:80], words(reply.get("message"))
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}{where}: {message}"])


def check_outputs(report: Report) -> list[NotebookNode]:
    """Our card, and the score where nbgrader looks for it."""
    shown = card.from_report(redact(report))
    data = {"text/plain": shown.text, "text/html": shown.html}
    return [sanitise.display_data(data), score(0.0 if report.stretch else report.marks)]


def score(marks: float) -> NotebookNode:
    """The marks as a cell's result."""
    return new_output("execute_result", data={"text/plain": repr(float(marks))}, execution_count=None)


def remarks(grafted: Grafted, confined: bool) -> Iterator[str]:
    """What teacher and learner should know about a submission as a whole."""
    if grafted.problem:
        yield grafted.problem
    if not confined:
        yield UNPROTECTED
    yield from grafted.irregularities


# ------------------------------------------------------------------------------------------------- the verdict file
def verdict(grafted: Grafted, judged: Judged, version: str, seed: int, confined: bool) -> dict[str, Any]:
    """Everything about a judgement as plain data, for the teacher; a regrade with the same three first entries
    repeats it."""
    return {
        "format": FORMAT,
        "submission": grafted.digest,
        "exercises_version": version,
        "seed": seed,
        "sandbox": confined,
        "problem": grafted.problem,
        "irregularities": grafted.irregularities,
        "answers": digests(grafted.notebook),
        "exercises": {name: report_as_data(report) for name, report in judged.reports.items()},
        "limits_hit": judged.limits_hit,
        "seconds": {name: round(value, 4) for name, value in judged.seconds.items()},
        "memory_bytes": judged.memory_bytes,
    }


def digests(notebook: NotebookNode) -> dict[str, str]:
    """A digest of each answer's text, by which a later submission is seen to hold another one."""
    answers = (cell for cell in notebook.cells if is_answer(cell))
    return {str(grade_id(cell)): hashlib.sha256(cell.source.encode()).hexdigest()[:16] for cell in answers}


def changed_answers(now: dict[str, Any], before: dict[str, Any]) -> set[str]:
    """The answers that are not what they were at the verdict before."""
    known = before.get("answers", {})
    return {name for name, digest in now["answers"].items() if known.get(name, digest) != digest}


def report_as_data(report: Report) -> dict[str, Any]:
    """A report as plain data, with the sentences that only the teacher reads."""
    return {
        "marks": report.marks,
        "points": report.points,
        "stretch": report.stretch,
        "outcome": report.outcome,
        "misconception": report.mistake,
        "broken_rule": report.broken_rule,
        "criteria": [criterion_as_data(criterion) for criterion in report.criteria],
    }


def criterion_as_data(criterion: CriterionReport) -> dict[str, Any]:
    """A criterion with what was wrong first, and whether a hidden case showed it."""
    failure = criterion.failure
    about = {
        "name": criterion.name,
        "marks": criterion.marks,
        "passed": criterion.passed,
        "cases": len(criterion.played),
    }
    return about | ({"problem": failure.problem, "hidden": bool(failure.case.get("hidden"))} if failure else {})


def write_verdict(file: Path, content: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=file.name, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
    os.replace(part, file)


def read_verdict(file: Path) -> dict[str, Any]:
    """The verdict written before, or an empty one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("format") == FORMAT else {}


# ------------------------------------------------------------------------------------------------- the gradebook
def enter_grades(gradebook: Gradebook, place: tuple[str, str, str], graded: NotebookNode, judged: Judged,
                 changed: set[str]) -> None:  # fmt: skip
    """Put scores and comments of one notebook (its name, assignment and student) into the open gradebook session, in
    place of all earlier ones; the caller commits. Marks that a person gave stay until the answer, by name in `changed`,
    is another."""
    for cell in graded.cells:
        if utils.is_grade(cell):
            grade = gradebook.find_grade(grade_id(cell), *place)
            grade.auto_score, _ = utils.determine_grade(cell)
            report = judged.reports.get(exercise_of(cell)) if is_check(cell) else None
            grade.extra_credit = report.marks if report and report.stretch else None
            if exercise_of(cell) in changed:
                grade.manual_score = None
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        if utils.is_solution(cell):
            comment = gradebook.find_comment(grade_id(cell), *place)
            comment.auto_comment = comment_on(cell, graded, judged)


def comment_on(cell: NotebookNode, graded: NotebookNode, judged: Judged) -> str | None:
    """nbgrader's own words for an untouched answer, and a warning where there was no sandbox."""
    untouched = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
    report = judged.reports.get(str(grade_id(cell)))
    said = ["No response."] if untouched or (report and report.outcome == NOT_ATTEMPTED) else []
    notes = graded.cells[0].source if graded.cells and graded.cells[0].get("id") == "notes" else ""
    return " ".join(said + ([UNPROTECTED] if UNPROTECTED in notes else [])) or None
