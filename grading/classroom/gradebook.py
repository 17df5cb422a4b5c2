"""nbgrader's gradebook: what a judgement enters into it, and its table of grades as CSV.

A spreadsheet opens that CSV as text and numbers, never as formulas."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Grade, Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.plugins import CsvExportPlugin

from helpers.checking.words import printable
from helpers.files import write_whole

if TYPE_CHECKING:  # nbgrader's other commands read the settings, which name this module, and need no torch
    pass

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def not_in(gradebook: Gradebook, place: tuple[str, str, str], graded: Path) -> list[str]:
    """What a graded notebook has and the gradebook has not for this learner (place: notebook, assignment, student):
    the notebook, if the learner or the whole gradebook was removed, or cells that a regrade of others has dropped."""
    try:
        submitted = gradebook.find_submission_notebook(*place)
        cells = nbformat.read(graded, as_version=4).cells
    except MissingEntry:
        return [place[0]]
    except (OSError, ValueError, nbformat.validator.NotebookValidationError):
        return []
    known = {"grade": {one.name for one in submitted.grades}, "solution": {one.name for one in submitted.comments}}
    abouts = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    return [a.grade_id for a in abouts if any(a.get(kind) and a.grade_id not in names for kind, names in known.items())]


@dataclass(frozen=True)
class Entered:
    """What the gradebook has of a submitted notebook: its score and the score that was possible, the late penalty, and
    by cell (score, possible score) and comment. `digest_of` is all from which a page is made."""

    score: float
    max_score: float
    late_penalty: float
    grades: dict[str, tuple[float, float]]
    comments: dict[str, str | None]
    digest_of: str

    @classmethod
    def of(cls, one: SubmittedNotebook) -> Entered:
        """That of an entry. nbgrader's own sums ask the database for each grade."""
        possible = {g.name: g.cell.max_score or 0.0 for g in one.grades}
        marks = [(g.name, g.auto_score, g.manual_score, g.extra_credit, possible[g.name]) for g in one.grades]
        words = [(c.name, c.comment) for c in one.comments]
        return cls(
            one.score,
            one.notebook.max_score,
            one.late_submission_penalty or 0.0,
            {g.name: (score_of(g), possible[g.name]) for g in one.grades},
            dict(words),
            repr((one.name, one.late_submission_penalty, sorted(marks), sorted(words))),
        )

    def lacks(self, notebook: NotebookNode) -> list[str]:
        """The cells of a graded notebook that have no entry."""
        known = {"grade": set(self.grades), "solution": set(self.comments)}
        abouts = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
        return [a.grade_id for a in abouts if any(a.get(kind) and a.grade_id not in has for kind, has in known.items())]

    def put_into(self, notebook: NotebookNode) -> None:
        """Write marks and comments into a graded notebook, as nbgrader's own pages have them."""
        for about in (cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata):
            if about.get("solution"):
                about["comment"] = self.comments[about.grade_id]
            if about.get("grade"):
                about["score"], about["points"] = self.grades[about.grade_id]


def score_of(grade: Grade) -> float:
    """The score of a cell: a person's before the grader's, with extra credit."""
    given = grade.auto_score if grade.manual_score is None else grade.manual_score
    return 0.0 if given is None else float(given + (grade.extra_credit or 0.0))


def entries(gradebook: Gradebook, assignment: str, student: str) -> dict[str, Entered]:
    """What the gradebook has of a submission, by notebook; nothing of one that it does not know."""
    try:
        return {one.name: Entered.of(one) for one in gradebook.find_submission(assignment, student).notebooks}
    except MissingEntry:
        return {}


class SafeCsvExportPlugin(CsvExportPlugin):
    """The columns of nbgrader's own export, quoted as CSV is, with formulas made text (OWASP, CSV injection)."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the table to `--to`, or to grades.csv."""
        file = Path(self.to or "grades.csv")
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for assignment in gradebook.assignments:
            for student in gradebook.students:
                if chosen(assignment.name, self.assignment) and chosen(student.id, self.student):
                    writer.writerow(safe(value) for value in line(gradebook, assignment, student))
        write_whole(file, stream.getvalue())
        self.log.info("Exported grades to %s", file)


def chosen(name: str, wanted: list[Any]) -> bool:
    """Whether a name is asked for; all are if none is."""
    return not wanted or name in map(str, wanted)


def line(gradebook: Gradebook, assignment: Any, student: Any) -> list[Any]:
    """One learner's line for one assignment; 0 where nothing was handed in."""
    about = [student.id, student.last_name, student.first_name, student.email]
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        return [assignment.name, assignment.duedate, None, *about, 0.0, 0.0, 0.0, assignment.max_score]
    raw, penalty = submission.score, submission.late_submission_penalty
    final = max(0.0, raw - penalty)
    return [
        assignment.name,
        assignment.duedate,
        submission.timestamp,
        *about,
        raw,
        penalty,
        final,
        assignment.max_score,
    ]


def safe(value: Any) -> str:
    """A value as a cell: numbers as they are, text without line ends, and with an apostrophe before what would
    compute."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = printable(str(value), instead=" ")
    return "'" + text if str(value).startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text
