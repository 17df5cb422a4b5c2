"""nbgrader's gradebook: what a judgement enters into it, and its table of grades as CSV.

A spreadsheet opens that CSV as text and numbers, never as formulas."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Grade, Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.plugins import CsvExportPlugin
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SAWarning

from helpers.checking.words import printable
from helpers.files import write_whole

if TYPE_CHECKING:  # nbgrader's other commands read the settings, which name this module, and need no torch
    from grading.grade import GradedNotebook
    from grading.submission import Cell

UNPROTECTED = "Graded without a sandbox."

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@contextmanager
def one_transaction(gradebook: Gradebook) -> Iterator[None]:
    """What happens inside is committed together at its end, nbgrader's own commits included, or not at all."""
    session = gradebook.db
    session.commit = session.flush
    try:
        with warnings.catch_warnings():  # nbgrader asks for a new submission's cells before it is in the session
            warnings.simplefilter("ignore", SAWarning)
            yield
    except BaseException:
        del session.commit
        session.rollback()
        raise
    del session.commit
    session.commit()


def record(
    gradebook: Gradebook,
    assignment: str,
    student: str,
    timestamp: str | None,
    graded: GradedNotebook,
    notebook: str,
    penalties: AssignLatePenalties,
) -> None:
    """Enter one graded notebook, in one transaction: its learner and submission if they are new, its scores and
    comments in place of all earlier ones, and its late penalty."""
    with one_transaction(gradebook):
        gradebook.update_or_create_student(student)
        when = {} if timestamp is None else {"timestamp": timestamp}
        gradebook.update_or_create_submission(assignment, student, **when)
        enter_grades(gradebook, (notebook, assignment, student), graded)
        enter_penalty(gradebook, (notebook, assignment, student), penalties)


def enter_grades(gradebook: Gradebook, place: tuple[str, str, str], graded: GradedNotebook) -> None:
    """Scores and comments of one notebook (its name, assignment and student). Marks that a person gave stay until the
    answer is another. Where the grader failed there is no score, and the cell waits for a person."""
    for cell in graded.submission.cells:
        if cell.kind in ("check", "hand-graded"):
            grade = gradebook.find_grade(cell.name, *place)
            grade.auto_score, grade.extra_credit = marks_of(cell, graded)
            if cell.exercise in graded.changed:
                grade.manual_score = None
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        if cell.is_learners:
            comment = gradebook.find_comment(cell.name, *place)
            comment.auto_comment = comment_on(cell, graded)


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


def marks_of(cell: Cell, graded: GradedNotebook) -> tuple[float | None, float | None]:
    """(score, extra credit) of a cell; no score where a person must give one."""
    if cell.kind == "hand-graded":
        return (0.0 if is_untouched(cell) else None), None
    exercise = graded.verdict.exercises.get(cell.exercise)
    if exercise is not None:
        return (0.0, exercise.marks) if exercise.stretch else (exercise.marks, None)
    failed = cell.exercise in graded.verdict.failed or graded.verdict.outcome == "grader failed"
    return (None if failed else 0.0), None


def is_untouched(cell: Cell) -> bool:
    """Whether an answer is as it was released."""
    return bool(cell.node.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell.node))


def comment_on(cell: Cell, graded: GradedNotebook) -> str | None:
    """nbgrader's own words for an untouched answer, and a warning where there was no sandbox."""
    exercise = graded.verdict.exercises.get(cell.exercise)
    untouched = is_untouched(cell) or (exercise is not None and exercise.outcome == "not attempted")
    said = ["No response."] if untouched else []
    return " ".join(said + ([] if graded.verdict.sandbox else [UNPROTECTED])) or None


def enter_penalty(gradebook: Gradebook, place: tuple[str, str, str], penalties: AssignLatePenalties) -> None:
    """The late penalty, by nbgrader's own plugin."""
    notebook = gradebook.find_submission_notebook(*place)
    notebook.late_submission_penalty = None
    gradebook.db.flush()
    gradebook.db.refresh(notebook)
    late = notebook.assignment.total_seconds_late
    if late > 0:
        penalty = penalties.plugin_inst.late_submission_penalty(place[2], notebook.score, late)
        if penalty is not None:
            notebook.late_submission_penalty = penalties._check_late_penalty(notebook, penalty)


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
