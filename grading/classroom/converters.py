"""nbgrader's own steps before and after grading, with nothing stale: generate_assignment and generate_feedback."""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from traitlets.config import Config

from grading.classroom import pages
from grading.classroom.gradebook import not_in
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

    def start(self) -> None:
        """Make the pages from our template. Only now is it named: formgrader's button names nbgrader's own before."""
        config = Config()
        config.HTMLExporter.template_name = pages.PAGE
        config.HTMLExporter.extra_template_basedirs = [str(FOLDER)]
        self.update_config(config)
        super().start()

    def convert_notebooks(self) -> None:
        """Make the pages. Raises NbGraderException at the end where some could not be made."""
        self.without_marks: list[str] = []
        super().convert_notebooks()
        if self.without_marks:
            message = f"No feedback for {', '.join(self.without_marks)}; see above."
            self.log.error(message)
            raise NbGraderException(message)

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether to make the pages."""
        if lacking := self.lacking(assignment_id, student_id):
            self.without_marks.append(student_id)
            self.log.error(
                "No feedback for %s: the gradebook has no entry for %s. `infograd grade %s` grades this submission "
                "again.",
                student_id, ", ".join(lacking), assignment_id,
            )  # fmt: skip
            return False
        place = Path(self._format_dest(assignment_id, student_id))
        fresh = bool(super().init_destination(assignment_id, student_id))
        return fresh or self.state(assignment_id, student_id) != read_state(place)

    def lacking(self, assignment: str, student: str) -> list[str]:
        """What was graded and is not in the gradebook."""
        if student in self.coursedir.student_id_exclude.split(","):
            return []
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            files = map(Path, self.notebooks)
            return [name for file in files for name in not_in(gradebook, (file.stem, assignment, student), file)]

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
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                notebooks = gradebook.find_submission(assignment, student).notebooks
            except MissingEntry:
                notebooks = []
            for one in notebooks:
                marks = [(g.name, g.auto_score, g.manual_score, g.extra_credit, g.max_score) for g in one.grades]
                words = [(c.name, c.comment) for c in one.comments]
                digest.update(repr((one.name, one.late_submission_penalty, sorted(marks), sorted(words))).encode())
        return digest.hexdigest()


def read_state(place: Path) -> str | None:
    """What a feedback folder says that it was made from."""
    try:
        return (place / STATE).read_text(encoding="utf-8")
    except OSError:
        return None
