"""nbgrader's exchange: what is released is what was made, and doing it twice is no error."""

from __future__ import annotations

from filecmp import cmpfiles
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.exchange.default import ExchangeReleaseAssignment

from grading.classroom.register import register
from grading.classroom.releases import release_folder


class ReleaseAsMade(ExchangeReleaseAssignment):
    """release_assignment, of notebooks as they were made: never of one that someone has worked in. The gradebook learns
    of the assignment."""

    def init_src(self) -> None:
        """The folder to release."""
        super().init_src()
        self.src_path = str(release_folder(self.coursedir, self.coursedir.assignment_id))

    def copy_files(self) -> None:
        """Release, unless this is released already."""
        files = sorted(Path(self.src_path).glob("*.ipynb"))
        if same_files(Path(self.src_path), Path(self.dest_path)) and not self.force:
            self.log.info("Released already: %s %s", self.coursedir.course_id, self.coursedir.assignment_id)
        else:
            super().copy_files()
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            for sentence in register(gradebook, self.coursedir.assignment_id, files):
                self.log.warning(sentence)


def same_files(source: Path, place: Path) -> bool:
    """Whether both folders hold the same notebooks."""
    names = [{file.name for file in folder.glob("*.ipynb")} for folder in (source, place)]
    return names[0] == names[1] and set(cmpfiles(source, place, names[0], shallow=False)[0]) == names[0]
