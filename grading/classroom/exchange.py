"""nbgrader's exchange: what is released is what was made, and doing it twice is no error; and a learner's desk, where
the notebooks of the course are, and where an exchange that is theirs alone is open from the start."""

from __future__ import annotations

from filecmp import cmpfiles
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import Exchange, ExchangeList, ExchangeReleaseAssignment, ExchangeSubmit
from traitlets import Bool
from traitlets.config import Config

from grading.classroom.learners import unfit
from grading.classroom.register import register
from grading.classroom.releases import release_folder
from helpers.files import unwritable


class ReleaseAsMade(ExchangeReleaseAssignment):
    """release_assignment, of notebooks as they were made: never of one that someone has worked in. The gradebook learns
    of the assignment, unless it is a learner who opens an exchange of their own."""

    by_learner = Bool(False)

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
        if self.by_learner:
            return
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            for sentence in register(gradebook, self.coursedir.assignment_id, files):
                self.log.warning(sentence)


def same_files(source: Path, place: Path) -> bool:
    """Whether both folders hold the same notebooks."""
    names = [{file.name for file in folder.glob("*.ipynb")} for folder in (source, place)]
    return names[0] == names[1] and set(cmpfiles(source, place, names[0], shallow=False)[0]) == names[0]


def open_own_exchange(root: str, config: Config) -> None:
    """Where the exchange is the one in the course's own folder, nobody else releases anything: what lies in `notebooks`
    counts as released."""
    coursedir = CourseDirectory(config=config)
    own = Path(coursedir.root) / "classroom" / "exchange"
    if Path(root).resolve() != own.resolve():
        return
    outbound = own / coursedir.course_id / "outbound"
    for folder in sorted((Path(coursedir.root) / coursedir.release_directory).glob("*")):
        if any(folder.glob("*.ipynb")) and not (outbound / folder.name).is_dir():
            settings = Config(config)
            settings.CourseDirectory = Config(config.CourseDirectory, assignment_id=folder.name)
            release = ReleaseAsMade(coursedir=CourseDirectory(config=settings), config=settings)
            release.authenticator = Authenticator(config=settings)
            release.by_learner = True
            release.log.setLevel("ERROR")
            release.start()


class Desk(Exchange):
    """A step that a learner takes, from JupyterLab or a terminal."""

    def start(self) -> Any:
        """Open an exchange that is theirs alone, then take the step. Raises ExchangeError, with the reason."""
        if Path(self.root).is_dir() and (reason := unwritable(Path(self.root))):
            self.fail(
                f"the exchange {self.root} cannot be written ({reason}). If it is in a course of yours, copy the "
                "course to a folder that can be; otherwise tell your teacher."
            )
        open_own_exchange(self.root, self.config)
        if not Path(self.root).is_dir():
            self.fail(f"there is no exchange {self.root}; nbgrader_config.py names it, and your teacher makes it.")
        return super().start()


class DeskList(Desk, ExchangeList):
    """What the Assignment List shows."""


class DeskSubmit(Desk, ExchangeSubmit):
    """Handing in. A name that cannot be used is refused before anything is copied."""

    def init_dest(self) -> None:
        """Where it goes."""
        if self.coursedir.student_id != "*" and (reason := unfit(self.coursedir.student_id)):
            self.fail(f"nobody can be called {self.coursedir.student_id!r}: {reason}.")
        super().init_dest()
        if reason := unwritable(Path(self.cache_path)):  # nbgrader would find out when half is handed in
            self.fail(
                f"nothing was handed in: {self.cache_path} cannot be written ({reason}). "
                "Set HOME or JUPYTER_DATA_DIR to a folder of yours."
            )
