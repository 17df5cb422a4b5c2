"""Enter a graded notebook into nbgrader's gradebook, whole or not at all.

A submission that the gradebook does not know yet, which most of a class's are, is entered row by row in a few
statements; nbgrader's own way, one object after another, is kept for what is there already."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbgrader import utils
from nbgrader.api import (
    Comment,
    Grade,
    Gradebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import insert, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session

if TYPE_CHECKING:  # nbgrader's other commands read the settings, which name this module, and need no torch
    from grading.grade import GradedNotebook
    from grading.submission import Cell

UNPROTECTED = "Graded without a sandbox."
KNOWN, WAITS = "infograd assignments", "infograd waits for the disk"  # in the session


@contextmanager
def one_transaction(gradebook: Gradebook) -> Iterator[None]:
    """What happens inside is committed together at its end, nbgrader's own commits included, or not at all."""
    session = gradebook.db
    leave_to_the_log(session)
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


def leave_to_the_log(session: Session) -> None:
    """Do not wait at each commit for the disk, where a write-ahead log keeps the gradebook whole without that
    (sqlite.org/pragma.html#pragma_synchronous): if the power fails, what was graded last is graded again. A gradebook
    that people work in elsewhere waits as before."""
    if WAITS not in session.info and session.get_bind().dialect.name == "sqlite":
        connection = session.connection()
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    session.info[WAITS] = False


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
        if enter_new(gradebook, (notebook, assignment, student), timestamp, graded):
            if known_assignment(gradebook, assignment).due is not None:
                enter_penalty(gradebook, (notebook, assignment, student), penalties)
            return
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


@dataclass(frozen=True)
class Notebook:
    """A notebook of an assignment: its id, and the ids of its cells with a grade and with a comment, by name."""

    id: str
    graded: dict[str, str]
    commented: dict[str, str]


@dataclass(frozen=True)
class Assignment:
    """An assignment: its id, when it is due, and its notebooks by name."""

    id: str
    due: datetime | None
    notebooks: dict[str, Notebook]


def known_assignment(gradebook: Gradebook, name: str) -> Assignment:
    """What the gradebook has of an assignment, asked for once. Raises MissingEntry."""
    known: dict[str, Assignment] = gradebook.db().info.setdefault(KNOWN, {})
    if name not in known:
        one = gradebook.find_assignment(name)
        notebooks = {
            notebook.name: Notebook(
                notebook.id,
                {cell.name: cell.id for cell in (*notebook.grade_cells, *notebook.task_cells)},
                {cell.name: cell.id for cell in (*notebook.solution_cells, *notebook.task_cells)},
            )
            for notebook in one.notebooks
        }
        known[name] = Assignment(one.id, one.duedate, notebooks)
    return known[name]


def enter_new(gradebook: Gradebook, place: tuple[str, str, str], timestamp: str | None, graded: GradedNotebook) -> bool:
    """Enter a submission that the gradebook does not know, with the learner where that is new. Returns False where
    nothing was entered: it is there, or its cells are not those that the gradebook knows."""
    name, assignment, student = place
    one = known_assignment(gradebook, assignment)
    owner = (SubmittedAssignment.assignment_id == one.id, SubmittedAssignment.student_id == student)
    grades, comments = rows(graded)
    known = one.notebooks.get(name)
    if known is None or grades.keys() - known.graded.keys() or comments.keys() - known.commented.keys():
        return False
    execute = gradebook.db.connection().execute  # of rows, not of nbgrader's objects
    if gradebook.authenticator or execute(select(SubmittedAssignment.id).where(*owner)).first():
        return False
    if execute(select(Student.id).where(Student.id == student)).first() is None:
        execute(insert(Student.__table__), [{"id": student}])
    submission = {"id": new_uuid(), "assignment_id": one.id, "student_id": student}
    when = None if timestamp is None else utils.parse_utc(timestamp)
    execute(insert(SubmittedAssignment.__table__), [{**submission, "timestamp": when}])
    for notebook in one.notebooks.values():
        about = {"notebook_id": new_uuid()}
        entry = {"id": about["notebook_id"], "notebook_id": notebook.id, "assignment_id": submission["id"]}
        execute(insert(SubmittedNotebook.__table__), [entry])
        scores, words = (grades, comments) if notebook is known else ({}, {})
        nothing: dict[str, Any] = {"auto_score": None, "extra_credit": None, "needs_manual_grade": True}
        if notebook.graded:
            execute(insert(Grade.__table__), [
                {"cell_id": cell, **about, **scores.get(each, nothing)} for each, cell in notebook.graded.items()
            ])  # fmt: skip
        if notebook.commented:
            execute(insert(Comment.__table__), [
                {"cell_id": cell, **about, "auto_comment": words.get(each)} for each, cell in notebook.commented.items()
            ])  # fmt: skip
    return True


def rows(graded: GradedNotebook) -> tuple[dict[str, dict[str, Any]], dict[str, str | None]]:
    """What is entered of each cell with a grade, and of each with a comment."""
    grades, comments = {}, {}
    for cell in graded.submission.cells:
        if cell.kind in ("check", "hand-graded"):
            score, extra = marks_of(cell, graded)
            grades[cell.name] = {"auto_score": score, "extra_credit": extra, "needs_manual_grade": score is None}
        if cell.is_learners:
            comments[cell.name] = comment_on(cell, graded)
    return grades, comments


def marks_of(cell: Cell, graded: GradedNotebook) -> tuple[float | None, float | None]:
    """(score, extra credit) of a cell; no score where a person must give one."""
    if cell.kind == "hand-graded":
        return (0.0 if cell.is_untouched else None), None
    exercise = graded.verdict.exercises.get(cell.exercise)
    if exercise is not None:
        return (0.0, exercise.marks) if exercise.stretch else (exercise.marks, None)
    failed = cell.exercise in graded.verdict.failed or graded.verdict.outcome == "grader failed"
    return (None if failed else 0.0), None


def comment_on(cell: Cell, graded: GradedNotebook) -> str | None:
    """nbgrader's own words for an untouched answer, and a warning where there was no sandbox."""
    exercise = graded.verdict.exercises.get(cell.exercise)
    untouched = cell.is_untouched or (exercise is not None and exercise.outcome == "not attempted")
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
