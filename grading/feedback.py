"""The graded notebook: what teacher and learner see of a judgement, without anything that hidden cases hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell, new_output

from grading import sanitise
from grading.judge import CellRun, Judgement
from grading.sandbox.replies import CellError
from grading.submission import Cell, Submission
from grading.verdict import Verdict
from helpers.checking import card
from helpers.checking.marking import CORRECT, NOT_ATTEMPTED, CriterionReport, Played, Report
from helpers.checking.words import ITEM, Phrase, Problem, ProblemKind, printable

NOTES = "notes"  # the id of the cell in front
FACTS = "infograd"  # in the notebook's metadata: what its page leads with, by exercise
LONGEST_SENTENCE = 300
GRADER_FAILED = "The grader itself failed, and this was not judged. Your teacher will look at it."
NUMBERS = "The numbers are not the right ones."
GENERAL: dict[ProblemKind, str] = {  # what a hidden failure is called, by its kind
    "missing": "The answer, or a part of it, is None.",
    "structure": "The answer has another type or structure than was expected.",
    "shape": "The answer has another shape than was expected.",
    "dtype": "The answer has another dtype than was expected.",
    "input changed": "It changes its input.",
    "raised": "It raises an error.",
    "not raised": "It does not raise the error that was expected.",
    "time": "It does not finish in time.",
    "no value": "What it returns cannot be compared.",
    "no function": "The function is not there.",
    "randomness": "Its random numbers do not follow the seed that is given.",
}
ELSEWHERE = "{what} This was on an input that is not shown, of the kind that the criterion names."


def redact(report: Report) -> Report:
    """The report without anything of a hidden case: no call, no value, no text that the learner's code chose while it
    saw one. What stays of a hidden failure is its criterion, its kind in general words, and a known misconception's
    sentence; one that was read off hidden numbers goes with them."""
    if report.by_form and shown_by_a_hidden_case(report):
        report = replace(report, mistake=None, mistake_sentence=None)
    return replace(report, criteria=[redact_criterion(criterion) for criterion in report.criteria])


def shown_by_a_hidden_case(report: Report) -> bool:
    """Whether it took a hidden case to see that the answer is wrong."""
    return bool(report.failure and report.failure.case.get("hidden"))


def redact_criterion(criterion: CriterionReport) -> CriterionReport:
    """A criterion with its hidden cases emptied."""
    return replace(criterion, played=[hide(one) for one in criterion.played])


def hide(one: Played) -> Played:
    """A hidden case with nothing in it."""
    if not one.case.get("hidden"):
        return one
    return Played(
        {
            "hidden": True,
            "mistakes": {},
            "call": {"function": "", "names": [], "arguments": []},
            "expected": {"judge": "hidden"},
        },
        {"outcome": "hidden"},
        None if one.problem is None else general(one.problem),
    )


def general(problem: Problem) -> Problem:
    """A hidden failure in general words."""
    return Problem.of(problem.kind, ELSEWHERE, what=Phrase(GENERAL.get(problem.kind, NUMBERS)))


def graded_notebook(submission: Submission, judgement: Judgement, verdict: Verdict) -> NotebookNode:
    """The graded notebook: what the cells showed, made harmless, and our cards under the checks."""
    runs = {run.cell.name: run for run in judgement.runs}
    for cell in submission.cells:
        if cell.is_learners and cell.node.cell_type != "code":
            cell.node.source = sanitise.harmless_tex(cell.node.source)
        if cell.node.cell_type == "code":
            cell.node.execution_count = None
            cell.node.outputs = list(outputs_of(cell, runs.get(cell.name), judgement, verdict))
    submission.notebook.metadata[FACTS] = facts(submission, judgement)
    if notes := list(remarks(verdict)):
        lines = "\n".join(f"- {note}" for note in notes)
        front = new_markdown_cell(f"**Notes on this submission**\n\n{lines}", id=NOTES)
        submission.notebook.cells.insert(0, front)
    return submission.notebook


def facts(submission: Submission, judgement: Judgement) -> NotebookNode:
    """What the page of a graded notebook leads with: for each check the marks, the outcome and what to mend."""
    found = {}
    for cell in submission.cells:
        if cell.kind == "check" and (report := judgement.reports.get(cell.exercise)):
            found[cell.exercise] = {
                "marks": report.marks,
                "points": report.points,
                "stretch": report.stretch,
                "outcome": report.outcome,
                "sentence": remedy(redact(report)),
            }
        elif cell.kind == "check" and cell.exercise in judgement.failed:
            found[cell.exercise] = {"outcome": "not judged", "sentence": GRADER_FAILED}
    node: NotebookNode = from_dict(found)
    return node


def remedy(report: Report) -> str:
    """The one sentence that says what to mend; nothing for an answer that is right or was not begun."""
    if report.outcome in (CORRECT, NOT_ATTEMPTED):
        return ""
    failure = card.sentence_of(report.failure) if report.failure else ""
    found = report.broken_rule or report.mistake_sentence or failure
    before_a_list, *_ = found.split(ITEM)
    return printable(" ".join(before_a_list.split()), LONGEST_SENTENCE)


def outputs_of(cell: Cell, run: CellRun | None, judgement: Judgement, verdict: Verdict) -> Iterator[NotebookNode]:
    """What stands under a code cell."""
    if cell.kind == "check":
        yield from check_outputs(cell, judgement, verdict)
    elif run is not None:
        yield from run.outputs
        if run.error is not None:
            yield error(run.error)


def error(found: CellError) -> NotebookNode:
    """The error that ended a cell, in one line."""
    where = f" (line {found.line})" if found.line is not None else ""
    traceback = [f"{found.name}{where}: {found.message}"]
    output: NotebookNode = new_output("error", ename=found.name, evalue=found.message, traceback=traceback)
    return output


def check_outputs(cell: Cell, judgement: Judgement, verdict: Verdict) -> Iterator[NotebookNode]:
    """Our card, and the score where nbgrader looks for it: none where a person must look."""
    report = judgement.reports.get(cell.exercise)
    if report is not None:
        yield shown(card.from_report(redact(report)))
        yield score(0.0 if report.stretch else report.marks)
    elif cell.exercise in judgement.failed or verdict.outcome == "grader failed":
        yield shown(card.notice(cell.exercise, GRADER_FAILED))
    else:
        yield score(0.0)


def shown(one: card.Card) -> NotebookNode:
    """A card as an output."""
    return sanitise.display_data({"text/plain": one.text, "text/html": one.html})


def score(marks: float) -> NotebookNode:
    """The marks as a cell's result."""
    data = {"text/plain": repr(float(marks))}
    # not by new_output, which checks each against the schema: that takes longer than all else here
    result = {"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": None}
    output: NotebookNode = from_dict(result)
    return output


def remarks(verdict: Verdict) -> Iterator[str]:
    """What teacher and learner should know about a submission as a whole."""
    if verdict.reason:
        yield verdict.reason
    if verdict.failed:
        yield f"Not judged, and left to a person: {', '.join(verdict.failed)}."
    if not verdict.sandbox:
        yield "Graded without a sandbox."
    yield from verdict.irregularities
