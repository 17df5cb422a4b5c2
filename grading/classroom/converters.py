"""nbgrader's own steps before and after grading, with nothing stale: generate_assignment and generate_feedback."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import BaseCell, Gradebook
from nbgrader.converters import GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from traitlets.config import Config

from grading.classroom import pages
from grading.classroom.gradebook import Entered, entries
from grading.classroom.register import register
from grading.classroom.releases import release_folder, worked_in
from grading.classroom.summary import FOLDER
from grading.course import keep_copy
from grading.submission import DATE, SECRET
from helpers.files import write_whole

STATE = ".made-from"  # in a feedback folder: a digest of what its pages were made from


class RegisteringAssignment(GenerateAssignment):
    """generate_assignment. The released notebook is committed, so usually there is nothing to make; then the gradebook
    is told of it. Work in a notebook that is made again is kept."""

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether to make the release."""
        source, place = Path(self._format_source(assignment_id, ".")), Path(self._format_dest(assignment_id, "."))
        if self.force:
            for file in sorted(place.glob("*.ipynb")):
                if worked_in(file, source / file.name):
                    kept = keep_copy(file, Path(self.coursedir.root) / "classroom")
                    self.log.warning("%s has been worked in; it is kept as %s", file, kept)
        if super().init_destination(assignment_id, student_id):
            return True
        if not self.no_database:
            files = sorted(release_folder(self.coursedir, assignment_id).glob("*.ipynb"))
            with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
                said = register(gradebook, assignment_id, files)
            self.log.info("The gradebook knows %s as it is released", assignment_id)
            for sentence in said:
                self.log.warning(sentence)
        return False


class FreshFeedback(GenerateFeedback):
    """generate_feedback. Its pages are made again whenever the graded notebook or the gradebook's marks and comments
    are others, whatever their dates say. Where the gradebook lacks marks there is none, and the others get theirs."""

    part = (0, 1)  # of a class: from this learner on, one of so many
    made = unchanged = 0

    def start(self) -> None:
        """Make the pages from our template. Only now is it named: formgrader's button names nbgrader's own before."""
        config = Config()
        config.HTMLExporter.template_name = pages.PAGE
        config.HTMLExporter.extra_template_basedirs = [str(FOLDER)]
        self.update_config(config)
        super().start()

    def init_notebooks(self) -> None:
        """The graded notebooks; of a part of the class where others make the rest."""
        super().init_notebooks()
        first, step = self.part
        found: dict[str, list[str]] = getattr(self, "assignments")  # noqa: B009 - nbgrader's, without a type
        self.assignments = {folder: found[folder] for folder in sorted(found)[first::step]}

    def convert_notebooks(self) -> None:
        """Make the pages. Raises NbGraderException at the end where some could not be made."""
        self.without_marks: list[str] = []
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as self.gradebook:
            self.cells = self.gradebook.db.query(BaseCell).all()  # else each is asked for again with each learner
            super().convert_notebooks()
        if self.without_marks:
            message = f"No feedback for {', '.join(self.without_marks)}; see above."
            self.log.error(message)
            raise NbGraderException(message)

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether to make the pages."""
        self.graded: dict[str, NotebookNode] = {}  # by file
        self.entered: dict[str, Entered] = {}  # by notebook
        if student_id not in self.coursedir.student_id_exclude.split(","):
            self.entered = entries(self.gradebook, assignment_id, student_id)
            if lacking := self.lacking():
                self.without_marks.append(student_id)
                self.log.error(
                    "No feedback for %s: the gradebook has no entry for %s. `infograd grade %s` grades this submission "
                    "again.",
                    student_id, ", ".join(lacking), assignment_id,
                )  # fmt: skip
                return False
        place = Path(self._format_dest(assignment_id, student_id))
        fresh = bool(super().init_destination(assignment_id, student_id))
        fresh = fresh or self.state(assignment_id, student_id) != read_state(place)
        self.unchanged += not fresh
        return fresh

    def lacking(self) -> list[str]:
        """What was graded and is not in the gradebook."""
        found = []
        for file in self.notebooks:
            if (entered := self.entered.get(name := Path(file).stem)) is None:
                found.append(name)
                continue
            with suppress(OSError, ValueError):  # told when its page is made
                self.graded[file] = nbformat.v4.reads(Path(file).read_text(encoding="utf-8"))
                found += entered.lacks(self.graded[file])
        return found

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Make one page; by nbgrader's own way where another exporter was set."""
        if not isinstance(self.exporter, pages.PageExporter) or notebook_filename not in self.graded:
            super().convert_single_notebook(notebook_filename)
            return
        self.log.info("Making the page of %s", notebook_filename)
        resources = self.init_single_notebook_resources(notebook_filename)
        notebook, entered = self.graded[notebook_filename], self.entered[resources["unique_key"]]
        entered.put_into(notebook)
        resources["nbgrader"] |= {
            "score": entered.score - entered.late_penalty,
            "max_score": entered.max_score,
            "late_penalty": entered.late_penalty,
        }
        file = Path(self._format_dest(self.names["nbgrader"]["assignment"], self.names["nbgrader"]["student"]))
        write_whole(file / f"{resources['unique_key']}.html", self.exporter.page(notebook, resources))
        self.made += 1

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """What the page is about."""
        resources: dict[str, Any] = super().init_single_notebook_resources(notebook_filename)
        self.names = {"nbgrader": dict(resources["nbgrader"]), "unique_key": resources["unique_key"]}
        return resources

    def write_single_notebook(self, output: str, resources: ResourcesDict) -> None:
        """Write the page where its learner's is: in the page the names are escaped for HTML, here they are names."""
        resources.update(self.names)
        super().write_single_notebook(output, resources)

    def set_permissions(self, assignment_id: str, student_id: str) -> None:
        """The pages are made: note from what. What was not handed in through the exchange has neither date nor secret,
        without which nbgrader's release_feedback ends for the whole class; its pages get some that no learner knows."""
        super().set_permissions(assignment_id, student_id)
        place = Path(self._format_dest(assignment_id, student_id))
        made_up = {DATE: f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC", SECRET: secrets.token_hex(16)}
        for name, text in made_up.items():
            if not (place / name).exists():
                write_whole(place / name, text)
        write_whole(place / STATE, self.state(assignment_id, student_id))

    def state(self, assignment: str, student: str) -> str:
        """A digest of what the pages are made from."""
        digest = hashlib.sha256()
        for file in sorted(Path(self._format_source(assignment, student)).glob("*")):
            digest.update(os.fsencode(file.name) + b"\0" + file.read_bytes() + b"\0")
        for one in self.entered.values():
            digest.update(one.digest_of.encode())
        return digest.hexdigest()


def read_state(place: Path) -> str | None:
    """What a feedback folder says that it was made from."""
    try:
        return (place / STATE).read_text(encoding="utf-8")
    except OSError:
        return None
