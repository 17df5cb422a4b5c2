"""The released notebooks of an assignment: which files count.

On a single machine the folder of released notebooks is also where a learner works. What is given out and graded
against is therefore never a notebook that someone has worked in: where one is, the release is made afresh from
`solutions/` and kept under `classroom/release`."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory

from grading.matching import grade_id
from grading.release import released_text
from helpers.files import write_whole


def release_folder(coursedir: CourseDirectory, assignment: str) -> Path:
    """The folder with the assignment's notebooks as they are given out."""
    released = Path(coursedir.format_path(coursedir.release_directory, ".", assignment))
    source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
    files = sorted(released.glob("*.ipynb"))
    if not any(worked_in(file, source / file.name) for file in files):
        return released
    fresh = Path(coursedir.root) / Path(coursedir.autograded_directory).parent / "release" / assignment
    for file in files:
        if (source / file.name).is_file():
            write_if_other(fresh / file.name, released_text(file.stem, Path(coursedir.root)))
    return fresh


def verdict_folder(coursedir: CourseDirectory, student: str, assignment: str) -> Path:
    """Where the verdicts on a submission are kept: beside the folder of autograded notebooks."""
    folder = Path(coursedir.autograded_directory).parent / "verdicts"
    return Path(coursedir.format_path(str(folder), student, assignment))


def worked_in(released: Path, executed: Path) -> bool:
    """Whether someone has changed a cell of a released notebook since it was made from the executed solution; False
    where there is no solution to make it from."""
    try:
        theirs, ours = (nbformat.read(file, as_version=4).cells for file in (released, executed))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, nbformat.validator.NotebookValidationError):
        return executed.is_file()
    if len(theirs) != len(ours):
        return True
    return any(changed(cell, source) for cell, source in zip(theirs, ours, strict=True))


def changed(cell: NotebookNode, source: NotebookNode) -> bool:
    """Whether a released cell is another than the one it was made from. The solution is taken out of an answer, so its
    checksum tells."""
    about = cell.metadata.get("nbgrader", {})
    if about.get("grade_id") != grade_id(source):
        return True
    if about.get("solution"):
        return bool(about.get("checksum") != utils.compute_checksum(cell))
    return bool(cell.source != source.source)


def write_if_other(file: Path, text: str) -> None:
    """Write a file unless it says this already."""
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_whole(file, text)
