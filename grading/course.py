"""Where the course is, and its settings for nbgrader, read from nbgrader_config.py."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nbgrader takes a second to import, and `infograd --help` needs only ROOT
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import Config

ROOT = Path(__file__).resolve().parent.parent
CLASSROOM = ROOT / "classroom"  # what a class produces, and what is kept aside; git ignores it
SETTINGS = "nbgrader_config.py"


class NoSuchNotebook(ValueError):
    """No notebook is called this; the text says which there are."""


def notebooks() -> list[str]:
    """The notebooks that have exercises, in order."""
    definitions = Path(__file__).resolve().parent / "exercises"
    return sorted(file.stem.replace("_", "-") for file in definitions.glob("[0-9][0-9]_*.py"))


def notebook_named(given: str, names: Sequence[str]) -> str:
    """The notebook that is meant by its name, its number, its file or its folder. Raises NoSuchNotebook."""
    wanted = given.rstrip("/").removesuffix(".ipynb").rpartition("/")[2]
    for name in names:
        if wanted in (name, name.partition("-")[0]):
            return name
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
    raise NoSuchNotebook(f"there is no notebook {given!r}; {hint}")


def assignment(given: str) -> str:
    """An argument that names an assignment, in full: each folder in `solutions/` is one. Raises ArgumentTypeError,
    which argparse shows with the argument's name."""
    sources = (folder.name for folder in (ROOT / "solutions").glob("*/"))
    return one_of(given, sorted({*notebooks(), *sources}))


def with_exercises(given: str) -> str:
    """An argument that names a notebook that has exercises, in full. Raises ArgumentTypeError."""
    return one_of(given, notebooks())


def one_of(given: str, names: Sequence[str]) -> str:
    """The notebook that an argument names. Raises ArgumentTypeError."""
    try:
        return notebook_named(given, names)
    except NoSuchNotebook as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def course_settings() -> Config:
    """The settings in nbgrader_config.py."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader(SETTINGS, path=str(ROOT)).load_config()


def course_directory(assignment: str, student: str = "*") -> tuple[CourseDirectory, Config]:
    """The course directory, set to an assignment and a learner (or a pattern), with all settings."""
    from nbgrader.coursedir import CourseDirectory

    config = course_settings()
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.student_id = student
    return CourseDirectory(config=config), config


def keep_copy(file: Path, classroom: Path = CLASSROOM) -> Path:
    """Keep a copy of a notebook before it is replaced, in `classroom/kept/NN-name/1.ipynb`, 2, ...; returns where.
    Equal copies are kept once. Raises OSError."""
    content = file.read_bytes()
    folder = classroom / "kept" / file.stem
    folder.mkdir(parents=True, exist_ok=True)
    kept = list(folder.glob("*.ipynb"))
    if same := [one for one in kept if one.read_bytes() == content]:
        return same[0]
    place = folder / f"{1 + max((int(one.stem) for one in kept if one.stem.isdecimal()), default=0)}.ipynb"
    unfinished = place.with_suffix(".tmp")
    unfinished.write_bytes(content)
    os.replace(unfinished, place)
    return place
