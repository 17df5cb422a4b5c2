"""nbgrader's autograding on our grading path: its commands and formgrader's buttons use `SandboxedAutograde` for
Autograde.

nbgrader reads a submission, copies what lies beside it, runs it and believes its outputs. Here none of that happens:
the submitted file goes through `grading.grade` and comes back as our own notebook with the verdict in it, which the
gradebook is filled from. `install` is called in nbgrader_config.py.
"""

from __future__ import annotations

import atexit
import difflib
import glob
import os
import re
import secrets
import sys
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import nbgrader.apps.api
import nbgrader.apps.autogradeapp
import nbgrader.apps.generateassignmentapp
import nbgrader.apps.generatefeedbackapp
import nbgrader.converters
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import parse_utc, rmtree
from traitlets import Bool, Dict, Integer
from tqdm import tqdm
from traitlets.config import Config

from grading.classroom import pages
from grading.classroom.converters import FreshFeedback, RegisteringAssignment
from grading.classroom.gradebook import enter_penalty, not_in, one_transaction, record
from grading.classroom.learners import unfit
from grading.classroom.register import register
from grading.classroom.releases import release_folder, verdict_folder
from grading.classroom.stopping import Stopped, alone, stopping
from grading.classroom.tally import Summary
from grading.sandbox.sandbox import Limits, NoSandbox
from grading.submission import DATE, NBGRADERS_OWN, Unreadable, digest_of, read
from helpers.files import write_whole

if TYPE_CHECKING:  # `grading.grade` needs torch, and nbgrader's other commands, which read this too, do not
    from grading.grade import Grader

MOST_BYTES = 1000  # of one of nbgrader's own files
FIRST_DATE = datetime(2000, 1, 1)  # nothing was handed in before
REGRADE = "Grade again what was graded by an older version of the exercises."


def install(config: Config) -> None:
    """Make nbgrader grade here, show what learners wrote made harmless, and export tables that are safe to open."""
    # nbgrader starts alembic by name; the environment's programs are found even where nobody activated it
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    everywhere = (nbgrader.converters, nbgrader.apps.api)
    for module in (*everywhere, nbgrader.apps.autogradeapp):
        module.Autograde = SandboxedAutograde
    pages.use(config)
    config.ExchangeFactory.collect = "grading.classroom.collecting.CarefulCollect"
    for module in (*everywhere, nbgrader.apps.generateassignmentapp):
        module.GenerateAssignment = RegisteringAssignment
    for module in (*everywhere, nbgrader.apps.generatefeedbackapp):
        module.GenerateFeedback = FreshFeedback
    config.ExchangeFactory.release_assignment = "grading.classroom.exchange.ReleaseAsMade"
    config.ExportApp.plugin_class = "grading.classroom.gradebook.SafeCsvExportPlugin"


class SandboxedAutograde(Autograde):
    """nbgrader's Autograde without its trust in what was handed in."""

    without_sandbox = Bool(False, help="Grade unprotected where there is no sandbox; the gradebook says so.").tag(
        config=True
    )
    limits = Dict(help="Limits other than the usual ones, such as {'memory_bytes': 2**31} (see SECURITY.md).").tag(
        config=True
    )
    seed = Integer(-1, help="Draw the hidden cases from this seed (by default each submission has its own).").tag(
        config=True
    )

    pool = Integer(16, min=1, help="So many seeds are drawn for a run, which its submissions share.").tag(config=True)

    regrade = Bool(False, help=REGRADE).tag(config=True)
    retry_failed = Bool(False, help="Grade again where the grader itself failed.").tag(config=True)

    def start(self) -> None:
        """Grade; the sandbox is started first, so that where there is none nothing has been touched."""
        try:
            self.grader().sandbox.start()
            self.grader().seeds = [secrets.randbits(63) for _ in range(self.pool)]
        except (NoSandbox, UnknownLimit) as problem:
            self.log.error(str(problem))
            raise NbGraderException(str(problem)) from problem
        self.need_a_person: list[str] = []
        self.older: list[str] = []
        self.refused: list[str] = []
        self.summary = Summary()
        self.penalties = AssignLatePenalties(parent=self)
        self.penalties.init_plugin()
        self.release = release_folder(self.coursedir, self.coursedir.assignment_id)
        try:
            with alone(self.classroom):
                self.grade_all()
        except Stopped as reason:
            self.log.error(str(reason))
            raise NbGraderException(str(reason)) from None
        if self.older:
            self.log.warning(
                "%d of these submissions were graded by an older version of the exercises; --regrade of infograd grade "
                "grades them again: %s", len(self.older), ", ".join(self.older),
            )  # fmt: skip
        if self.need_a_person:
            self.log.error(
                "%d of these submissions need a person, since the grader itself failed; they have no marks until "
                "someone has looked: %s",
                len(self.need_a_person),
                ", ".join(self.need_a_person),
            )

    @property
    def classroom(self) -> Path:
        """The folder of the class, in which its submissions and its verdicts are."""
        return Path(self.coursedir.root) / Path(self.coursedir.autograded_directory).parent

    def grade_all(self) -> None:
        """Grade with the gradebook open. Raises Stopped."""
        with stopping(), Gradebook(self.coursedir.db_url, self.coursedir.course_id) as self.gradebook:
            if released := sorted(self.release.glob("*.ipynb")):
                for said in register(self.gradebook, self.coursedir.assignment_id, released, self.regrade):
                    self.log.warning(said)
            super().start()

    def grader(self) -> Grader:
        """The grader, warm from the first submission of this process to the last."""
        return warm_grader(tuple(sorted(self.limits.items())), not self.without_sandbox)

    def init_notebooks(self) -> None:
        """The notebooks of the assignment as it was released, whether or not they were handed in; nothing else."""
        names = sorted(file.name for file in self.release.glob(self.coursedir.notebook_id + ".ipynb"))
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        found = glob.glob(pattern, include_hidden=True)
        found = [folder for folder in found if os.path.isdir(folder) and not os.path.islink(folder)]
        folders = [folder for folder in found if not self.is_refused(folder)]
        if not names or not found:
            super().init_notebooks()  # says what is missing
            return
        self.assignments = {folder: [os.path.join(folder, name) for name in names] for folder in folders}
        self.notebooks: list[str] = []
        self.progress = tqdm(total=len(self.assignments), unit=" submissions", disable=None)

    def convert_notebooks(self) -> None:
        """Grade, with a bar where someone looks."""
        super().convert_notebooks()
        self.progress.close()

    def is_refused(self, folder: str) -> bool:
        """Whether the learner's name cannot be used; the reason is logged."""
        place = re.escape(self._format_source("\0", "\1")).replace("\0", ".*").replace("\1", "(.*)")
        found = re.fullmatch(place, folder, re.DOTALL)
        reason = unfit(found[1]) if found else None
        if found and reason:
            self.refused.append(found[1])
            self.log.error("Not graded: nobody can be called %r: %s. Rename the folder.", found[1], reason)
        return reason is not None

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether to grade this submission. What is graded is left alone while the files handed in are what they were,
        whatever their dates say."""
        if student_id in self.coursedir.student_id_exclude.split(","):
            return False
        place = Path(self._format_dest(assignment_id, student_id))
        self.progress.update()
        with stopping():
            reason = "--force" if self.force else self.reason_to_grade(assignment_id, student_id, place)
            if reason is None:
                self.log.info("Skipping %s: graded already, and unchanged", student_id)
                self.summary.unchanged += 1
                self.penalise_again(assignment_id, student_id)
                return False
        if os.path.lexists(place):
            self.log.info("Grading %s again: %s", student_id, reason)
            rmtree(str(place))
        return True

    def reason_to_grade(self, assignment: str, student: str, graded: Path) -> str | None:
        """Why a submission is to be graded (again); None where it is not."""
        from grading.grade import is_older
        from grading.verdict import read_verdict

        submitted = Path(self._format_source(assignment, student))
        if any(small_text(submitted / name) != small_text(graded / name) for name in NBGRADERS_OWN):
            return "it was handed in at another time"
        for file in map(Path, self.notebooks):
            about = {"assignment": assignment, "student": student, "notebook": file.stem}
            verdict = read_verdict(Path(self.verdict_file(about)))
            if not (graded / file.name).is_file():
                return "it has not been graded"
            if self.retry_failed and verdict is not None and verdict.needs_a_person:
                return "the grader failed"
            if not_in(self.gradebook, (file.stem, assignment, student), graded / file.name):
                return "the gradebook lacks its marks"
            most_bytes = self.grader().sandbox.limits.notebook_bytes
            ours = nbformat.read(self.release / file.name, as_version=4)
            if verdict is not None and verdict.submission != digest_of(file, ours, most_bytes):
                return "its content has changed"
            if is_older(verdict, file.stem):
                if self.regrade:
                    return "an older version of the exercises graded it"
                self.older.append(student)
                return None
        return None

    def penalise_again(self, assignment: str, student: str) -> None:
        """The late penalty of what is graded already, where the due date, the setting or an extension has changed."""
        with one_transaction(self.gradebook):
            for file in self.notebooks:
                enter_penalty(self.gradebook, (Path(file).stem, assignment, student), self.penalties)

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """See that the gradebook knows the assignment. Of the files handed in only nbgrader's own two are copied: the
        date, and the secret by which feedback finds its learner."""
        if not self.create_student:
            self.must_be_known("student", student_id, self.gradebook.find_student, student_id)
        self.must_be_known("assignment", assignment_id, self.gradebook.find_assignment, assignment_id)
        for file in self.notebooks:
            name = Path(file).stem
            self.must_be_known("notebook", name, self.gradebook.find_notebook, name, assignment_id)
        source, place = (Path(path(assignment_id, student_id)) for path in (self._format_source, self._format_dest))
        with stopping():
            place.mkdir(parents=True, exist_ok=True)
            for name in NBGRADERS_OWN:
                if (text := small_text(source / name)) is not None:
                    write_whole(place / name, text)

    def must_be_known(self, kind: str, name: str, find: Any, *arguments: str) -> None:
        """Raise NbGraderException for what the gradebook does not know."""
        try:
            find(*arguments)
        except MissingEntry:
            message = f"No {kind} with ID '{name}' exists in the database"
            self.log.error(message)
            raise NbGraderException(message) from None

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Grade one notebook. What the file holds can make this a bad mark, not an error.

        The gradebook comes first and the graded notebook last: it is what a later run looks for, so a run that is
        killed in between grades this submission again, with the same result."""
        self.log.info("Grading %s", notebook_filename)
        file = Path(notebook_filename)
        about = self.init_single_notebook_resources(notebook_filename)["nbgrader"]
        name, assignment, student = about["notebook"], about["assignment"], about["student"]
        from grading.verdict import read_verdict, write_verdict

        released = self.release / f"{name}.ipynb"
        verdict_file = Path(self.verdict_file(about))
        seed = None if self.seed < 0 else self.seed
        executed = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", assignment)) / released.name
        graded = self.grader().grade(file, released, read_verdict(verdict_file), seed, executed)
        date = small_text(file.parent / DATE)
        with stopping():
            record(self.gradebook, assignment, student, date, graded, name, self.penalties)
            write_verdict(verdict_file, graded.verdict)
            graded_file = Path(self._format_dest(assignment, student)) / f"{name}.ipynb"
            write_whole(graded_file, graded.text)
        self.summary.add(graded.verdict)
        if graded.verdict.needs_a_person:
            self.need_a_person.append(student)

    def verdict_file(self, about: dict[str, str]) -> str:
        """Where the verdict is kept."""
        return str(verdict_folder(self.coursedir, about["student"], about["assignment"]) / f"{about['notebook']}.json")


class UnknownLimit(ValueError):
    """A limit of another name than those that there are; the text names the one that was meant."""


@cache
def warm_grader(limits: tuple[tuple[str, Any], ...], confined: bool) -> Grader:
    """One grader for each setting, closed when this process ends. Raises UnknownLimit."""
    from grading.grade import Grader

    refuse_unknown_limits(name for name, _ in limits)
    grader = Grader(Limits(**dict(limits)), confined)
    atexit.register(grader.close)
    return grader


def refuse_unknown_limits(names: Iterable[str]) -> None:
    """Raise UnknownLimit for a limit that there is not."""
    known = [one.name for one in fields(Limits)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise UnknownLimit(
                f"c.SandboxedAutograde.limits: there is no limit {name!r}{meant} SECURITY.md lists them."
            )


def small_text(file: Path) -> str | None:
    """The text of a small file of nbgrader's own; None for a link, for anything else that came in its
    place, and for a date on which nothing can have been handed in."""
    try:
        text = read(file, MOST_BYTES).decode("ascii")
        if file.name == DATE and not FIRST_DATE < parse_utc(text.strip()) < datetime.now() + timedelta(days=1):
            return None
    except (Unreadable, ValueError, OverflowError):
        return None
    return text


__all__ = ["SandboxedAutograde", "install"]
