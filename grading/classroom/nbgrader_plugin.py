"""nbgrader's autograding on our grading path: its commands and formgrader's buttons use `SandboxedAutograde` for
Autograde.

nbgrader reads a submission, copies what lies beside it, runs it and believes its outputs. Here none of that happens:
the submitted file goes through `grading.grade` and comes back as our own notebook with the verdict in it, which the
gradebook is filled from. `install` is called in nbgrader_config.py.
"""

from __future__ import annotations

import atexit
import glob
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import nbgrader.apps.api
import nbgrader.apps.autogradeapp
import nbgrader.converters
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import parse_utc, setenv
from traitlets import Bool, Dict, Integer
from traitlets.config import Config

DATE, SECRET = NBGRADERS_OWN = ("timestamp.txt", "submission_secret.txt")
MOST_BYTES = 1000


def install(config: Config) -> None:
    """Make nbgrader grade here, show what learners wrote made harmless, and export tables that are safe to open."""
    # nbgrader starts alembic by name; the environment's programs are found even where nobody activated it
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    for module in (nbgrader.converters, nbgrader.apps.api, nbgrader.apps.autogradeapp):
        module.Autograde = SandboxedAutograde
    config.Autograde.sanitize_preprocessors = []
    config.Autograde.autograde_preprocessors = [Record]
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {"clean_html": "grading.sanitise.clean"}
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

    def start(self) -> None:
        """Grade; the sandbox is started first, so that where there is none nothing has been touched."""
        from grading.sandbox.sandbox import NoSandbox

        try:
            self.grader().sandbox.start()
        except NoSandbox as missing:
            self.log.error(str(missing))
            raise NbGraderException(str(missing)) from missing
        super().start()

    def grader(self) -> Any:
        """The grader, warm from the first submission of this process to the last."""
        return warm_grader(tuple(sorted(self.limits.items())), not self.without_sandbox)

    def init_notebooks(self) -> None:
        """The notebooks of the assignment as it was released, whether or not they were handed in; nothing else."""
        released = glob.glob(os.path.join(self.format_release(), self.coursedir.notebook_id + ".ipynb"))
        names = sorted(os.path.basename(file) for file in released)
        pattern = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        folders = [folder for folder in glob.glob(pattern) if os.path.isdir(folder) and not os.path.islink(folder)]
        if not names or not folders:
            super().init_notebooks()  # says what is missing
            return
        self.assignments = {folder: [os.path.join(folder, name) for name in names] for folder in folders}
        self.notebooks: list[str] = []

    def format_release(self) -> str:
        """The folder of the released assignment."""
        return str(self.coursedir.format_path(self.coursedir.release_directory, ".", self.coursedir.assignment_id))

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Student and submission in the gradebook. Of the files handed in only nbgrader's own two are copied: the date,
        and the secret by which feedback finds its learner."""
        source, place = (Path(path(assignment_id, student_id)) for path in (self._format_source, self._format_dest))
        own = {name: text for name in NBGRADERS_OWN if (text := small_text(source / name)) is not None}
        patterns, dates = self.coursedir.ignore, self.coursedir.get_existing_timestamp
        try:
            self.coursedir.ignore = ["*"]
            self.coursedir.get_existing_timestamp = lambda folder: dates(folder) if DATE in own else None
            super().init_assignment(assignment_id, student_id)
        finally:
            self.coursedir.ignore = patterns
            del self.coursedir.get_existing_timestamp
        place.mkdir(parents=True, exist_ok=True)
        for name, text in own.items():
            (place / name).write_text(text, encoding="ascii")

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Grade one notebook. What the file holds can make this a bad mark, not an error."""
        self.log.info("Grading %s", notebook_filename)
        resources = self.init_single_notebook_resources(notebook_filename)
        about = resources["nbgrader"]
        graded = self.grader().grade(
            Path(notebook_filename),
            Path(self.format_release()) / f"{about['notebook']}.ipynb",
            Path(self.verdict_file(about)),
            None if self.seed < 0 else self.seed,
        )
        resources["graded"] = graded
        self._sanitizing = False
        try:
            self._init_preprocessors()
            with setenv(NBGRADER_EXECUTION="autograde"):
                output, resources = self.exporter.from_notebook_node(graded.notebook, resources)
            self.write_single_notebook(output, resources)
        finally:
            self._sanitizing = True

    def verdict_file(self, about: dict[str, str]) -> str:
        """Where the verdict is kept: beside the folder of autograded notebooks."""
        folder = os.path.join(os.path.dirname(self.coursedir.autograded_directory), "verdicts")
        place = self.coursedir.format_path(folder, about["student"], about["assignment"])
        return os.path.join(place, f"{about['notebook']}.json")


class Record(AssignLatePenalties):
    """Scores, comments and the late penalty of one notebook into the gradebook, in one transaction."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Enter what `resources` says about the notebook."""
        from grading.record import enter_grades

        about, graded = resources["nbgrader"], resources["graded"]
        place = (about["notebook"], about["assignment"], about["student"])
        self.init_plugin()
        with Gradebook(about["db_url"]) as gradebook:
            try:
                enter_grades(gradebook, place, nb, graded.judged, graded.changed)
                self.enter_penalty(gradebook, place)
                gradebook.db.commit()
            except BaseException:
                gradebook.db.rollback()
                raise
        return nb, resources

    def enter_penalty(self, gradebook: Gradebook, place: tuple[str, str, str]) -> None:
        """The late penalty, by nbgrader's own plugin."""
        notebook = gradebook.find_submission_notebook(*place)
        notebook.late_submission_penalty = None
        gradebook.db.flush()
        gradebook.db.refresh(notebook)
        late = notebook.assignment.total_seconds_late
        if late > 0:
            penalty = self.plugin_inst.late_submission_penalty(place[2], notebook.score, late)
            if penalty is not None:
                notebook.late_submission_penalty = self._check_late_penalty(notebook, penalty)


@cache
def warm_grader(limits: tuple[tuple[str, Any], ...], confined: bool) -> Any:
    """One grader for each setting, closed when this process ends."""
    from grading.grade import Grader
    from grading.sandbox.sandbox import Limits

    grader = Grader(Limits(**dict(limits)), confined)
    atexit.register(grader.close)
    return grader


def small_text(file: Path) -> str | None:
    """The text of a small file of nbgrader's own; None for a link, or anything else that came in its place."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            text = stream.read(MOST_BYTES + 1).decode("ascii")
        if file.name == DATE:
            parse_utc(text.strip())
    except (OSError, ValueError, OverflowError):
        return None
    return text if len(text) <= MOST_BYTES else None


__all__ = ["NBGRADERS_OWN", "Record", "SandboxedAutograde", "install"]
