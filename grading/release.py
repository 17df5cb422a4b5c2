"""A learner's notebook, made from the executed solution by nbgrader's own generate_assignment."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells
from traitlets.config.loader import Config

from grading.course import course_settings


def released_text(name: str, root: Path) -> str:
    """The text of the learner's notebook for `solutions/NAME/NAME.ipynb` under `root`. Only a copy of that notebook
    is shown to nbgrader, and only the notebook it makes is taken, so no text source can slip through."""
    settings = course_settings()
    with tempfile.TemporaryDirectory(prefix="infograd-release-") as folder:
        source = Path(folder) / "source" / name
        source.mkdir(parents=True)
        shutil.copy(root / "solutions" / name / f"{name}.ipynb", source)
        converter = GenerateAssignment(coursedir=scratch_course(Path(folder), name, settings), config=settings)
        converter.no_database = True
        converter.preprocessors = [one for one in converter.preprocessors if one is not SaveCells]  # no gradebook
        converter.log.setLevel(logging.ERROR)
        converter.start()
        return (Path(folder) / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")


def scratch_course(folder: Path, name: str, settings: Config) -> CourseDirectory:
    """A course directory of its own in `folder`, with one assignment."""
    settings = Config(settings)
    settings.CourseDirectory = Config(
        root=str(folder),
        source_directory="source",
        release_directory="release",
        assignment_id=name,
        db_url=f"sqlite:///{folder}/gradebook.db",
    )
    return CourseDirectory(config=settings)
