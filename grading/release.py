"""The learner's notebook, made by nbgrader's own generate_assignment with the course's own settings."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells
from traitlets.config.loader import Config, PyFileConfigLoader

SETTINGS = "nbgrader_config.py"


def release(name: str, root: Path) -> str:
    """The text of the learner's notebook for `solutions/NAME/NAME.ipynb` under `root`. Only a copy of that notebook
    is shown to nbgrader, and only the notebook it makes is taken, so no text source can slip through."""
    settings = PyFileConfigLoader(SETTINGS, path=str(Path(__file__).resolve().parent.parent)).load_config()
    with tempfile.TemporaryDirectory(prefix="infograd-release-") as folder:
        source = Path(folder) / "source" / name
        source.mkdir(parents=True)
        shutil.copy(root / "solutions" / name / f"{name}.ipynb", source)
        converter = GenerateAssignment(coursedir=course(Path(folder), name, settings), config=settings)
        converter.no_database = True
        converter.preprocessors = [one for one in converter.preprocessors if one is not SaveCells]  # no gradebook
        converter.log.setLevel(logging.ERROR)
        converter.start()
        return (Path(folder) / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8")


def course(folder: Path, name: str, settings: Config) -> CourseDirectory:
    """A course directory of its own in `folder`, with one assignment."""
    settings = Config(settings)
    settings.CourseDirectory = Config(
        root=str(folder), source_directory="source", release_directory="release", assignment_id=name,
        db_url=f"sqlite:///{folder}/gradebook.db",
    )  # fmt: skip
    return CourseDirectory(config=settings)
