"""nbgrader's autograding on our grading path: its commands and formgrader's buttons use `SandboxedAutograde` for
Autograde.

nbgrader reads a submission, copies what lies beside it, runs it and believes its outputs. Here none of that happens:
the submitted file goes through `grading.grade` and comes back as our own notebook with the verdict in it, which the
gradebook is filled from. `install` is called in nbgrader_config.py.
"""

from __future__ import annotations

import glob
import os
import re
import secrets
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
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
from tqdm import tqdm
from traitlets import Bool, Dict, Integer, Unicode
from traitlets.config import Config

from grading.classroom import pages, roster
from grading.classroom.ahead import Ahead, Lost, NotForAWorker, in_order
from grading.classroom.converters import FreshFeedback, RegisteringAssignment
from grading.classroom.gradebook import not_in
from grading.classroom.learners import unfit
from grading.classroom.recording import enter_penalty, one_transaction, record
from grading.classroom.register import register
from grading.classroom.releases import release_folder, verdict_folder
from grading.classroom.stopping import Stopped, alone, stopping
from grading.classroom.tally import Summary
from grading.classroom.tasks import Release, Task, setup
from grading.classroom.team import at_work, worth
from grading.classroom.warm import UnknownLimit, warm_grader
from grading.sandbox.sandbox import NoSandbox
from grading.submission import DATE, NBGRADERS_OWN, Unreadable, digest_of, read
from helpers.files import write_whole

if TYPE_CHECKING:  # `grading.grade` needs torch, and nbgrader's other commands, which read this too, do not
    from grading.grade import GradedNotebook, Grader
    from grading.verdict import Verdict

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
    roster.use()
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
    pool = Integer(8, min=1, help="So many seeds are drawn for a run, which its submissions share.").tag(config=True)
    regrade = Bool(False, help=REGRADE).tag(config=True)
    workers = Integer(0, min=0, help="So many processes grade at once; 0: as many as the class is worth.").tag(
        config=True
    )
    scheduler = Unicode("", help="The address of a Dask scheduler whose workers grade.").tag(config=True)
    retry_failed = Bool(False, help="Grade again where the grader itself failed.").tag(config=True)

    def start(self) -> None:
        """Grade; the sandbox is started first, so that where there is none nothing has been touched. Where others
        grade, theirs is asked for with the first submission."""
        self.at_once = self.workers or worth(self.not_graded_yet())
        try:
            if self.at_once == 1 and not self.scheduler:
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
        self.say_what_is_left()

    def say_what_is_left(self) -> None:
        """Log whose submissions were left as an older version graded them, and whose need a person."""
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
        """Grade with the gradebook open and the workers waiting. Raises Stopped."""
        with (
            stopping(),
            at_work(self.at_once, self.scheduler) as self.team,
            Gradebook(self.coursedir.db_url, self.coursedir.course_id) as self.gradebook,
        ):
            if released := sorted(self.release.glob("*.ipynb")):
                for said in register(self.gradebook, self.coursedir.assignment_id, released, self.regrade):
                    self.log.warning(said)
            super().start()

    def not_graded_yet(self) -> int:
        """About how many submissions there are to grade."""
        assignment, student = self.coursedir.assignment_id, self.coursedir.student_id
        handed_in = glob.glob(self._format_source(assignment, student), include_hidden=True)
        return len(handed_in) - (0 if self.force else len(glob.glob(self._format_dest(assignment, student))))

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
        if not found:
            raise NbGraderException(self.why_nothing_is_there(pattern))
        if not names:
            super().init_notebooks()  # says what is missing
            return
        self.assignments = {folder: [os.path.join(folder, name) for name in names] for folder in folders}
        self.notebooks: list[str] = []
        to_come = in_order(self.assignments, self.student_of, self.is_excluded)
        self.ahead = Ahead(self.team, to_come, self.reason_to_grade, self.task)
        self.releases: dict[str, Release] = {}  # by file's name
        tqdm.monitor_interval = 0  # a thread of its own, and this process forks
        self.progress = tqdm(total=len(self.assignments), unit=" submissions", disable=None)

    def why_nothing_is_there(self, pattern: str) -> str:
        """What to say where no folder of a submission has this name."""
        if os.path.isdir(pattern) and self.is_refused(pattern):  # one has, which read as a pattern matches itself not
            return f"Not graded: {self.refused[0]!r} is no name."
        assignment = self.coursedir.assignment_id
        collect = f"`nbgrader collect {assignment}` fetches what was, and files can be put there by hand"
        return f"{pattern} is not there: nobody has handed in {assignment}. {collect}."

    def convert_notebooks(self) -> None:
        """Grade, with a bar where someone looks."""
        super().convert_notebooks()
        self.progress.close()

    def student_of(self, folder: str) -> str | None:
        """The learner whose submission a folder is, by its name."""
        place = re.escape(self._format_source("\0", "\1")).replace("\0", ".*").replace("\1", "(.*)")
        found = re.fullmatch(place, folder, re.DOTALL)
        return found[1] if found else None

    def is_excluded(self, student: str) -> bool:
        """Whether nbgrader's settings leave this learner out."""
        return student in self.coursedir.student_id_exclude.split(",")

    def is_refused(self, folder: str) -> bool:
        """Whether the learner's name cannot be used; the reason is logged."""
        student = self.student_of(folder)
        reason = unfit(student) if student is not None else None
        if student is not None and reason:
            self.refused.append(student)
            self.log.error("Not graded: nobody can be called %r: %s. Rename the folder.", student, reason)
        return reason is not None

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether to grade this submission. What is graded is left alone while the files handed in are what they were,
        whatever their dates say."""
        if self.is_excluded(student_id):
            return False
        place = Path(self._format_dest(assignment_id, student_id))
        self.progress.update()
        with stopping():
            reason = self.ahead.reason(student_id, self.notebooks)
            if reason is None:
                self.log.info("Skipping %s: graded already, and unchanged", student_id)
                self.summary.unchanged += 1
                self.penalise_again(assignment_id, student_id)
                return False
        if os.path.lexists(place):
            self.log.info("Grading %s again: %s", student_id, reason)
            rmtree(str(place))
        return True

    def reason_to_grade(self, student: str, files: Iterable[str]) -> str | None:
        """Why a submission is to be graded (again); None where it is not."""
        from grading.grade import is_older
        from grading.verdict import read_verdict

        assignment = self.coursedir.assignment_id
        if self.force:
            return "--force"
        graded = Path(self._format_dest(assignment, student))
        submitted = Path(self._format_source(assignment, student))
        if any(small_text(submitted / name) != small_text(graded / name) for name in NBGRADERS_OWN):
            return "it was handed in at another time"
        for file in map(Path, files):
            verdict = read_verdict(self.verdict_file(student, assignment, file.stem))
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

        verdict_file = self.verdict_file(student, assignment, name)
        graded = self.graded(file, assignment, student, read_verdict(verdict_file))
        date = small_text(file.parent / DATE)
        with stopping():
            record(self.gradebook, assignment, student, date, graded, name, self.penalties)
            write_verdict(verdict_file, graded.verdict)
            graded_file = Path(self._format_dest(assignment, student)) / f"{name}.ipynb"
            write_whole(graded_file, graded.text)
        self.summary.add(graded.verdict)
        if graded.verdict.needs_a_person:
            self.need_a_person.append(student)

    def graded(self, file: Path, assignment: str, student: str, before: Verdict | None) -> GradedNotebook:
        """The graded notebook, by a worker where one has been given it. Raises Stopped where nothing can be graded."""
        released, executed = self.release / file.name, self.executed(assignment, file.name)
        try:
            found = self.ahead.result(file)
            return self.grader().grade(file, released, before, self.drawn_from, executed) if found is None else found
        except NoSandbox as problem:
            raise Stopped(str(problem)) from problem
        except Lost as error:
            return self.grader().not_graded(released, error)

    def task(self, file: Path, student: str) -> tuple[Task, Release]:
        """A submission and its release as a worker gets them. Raises NotForAWorker where it cannot be taken: then this
        process grades it, and says what is wrong."""
        from grading.grade import version_now
        from grading.verdict import read_verdict

        assignment, released = self.coursedir.assignment_id, self.release / file.name
        try:
            handed_in = self.grader().take(file, released)
        except Exception as problem:
            raise NotForAWorker from problem
        before = read_verdict(self.verdict_file(student, assignment, file.stem))
        seed = self.drawn_from
        if seed is None:
            seed = self.grader().seed_for(handed_in.digest, version_now(file.stem), before)
        if file.name not in self.releases:
            self.releases[file.name] = Release.of(released, self.executed(assignment, file.name))
        limits = tuple(sorted(self.limits.items()))
        return Task(setup(), limits, not self.without_sandbox, handed_in, before, seed), self.releases[file.name]

    @property
    def drawn_from(self) -> int | None:
        """The seed that was asked for."""
        return None if self.seed < 0 else self.seed

    def executed(self, assignment: str, name: str) -> Path:
        """The executed notebook that a released one was made from."""
        return Path(self.coursedir.format_path(self.coursedir.source_directory, ".", assignment)) / name

    def verdict_file(self, student: str, assignment: str, notebook: str) -> Path:
        """Where the verdict is kept."""
        return verdict_folder(self.coursedir, student, assignment) / f"{notebook}.json"


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
