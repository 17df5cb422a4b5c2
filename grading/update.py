"""`infograd update`: bring the course up to date, and carry a learner's answers into its new notebooks.

A notebook that somebody has worked in is copied to `classroom/kept` before anything else happens. Git then brings the
new release, and each answer is put into the cell of the same name. What was written elsewhere in the old notebook stays
in the copy."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from grading import course
from grading.course import keep_copy
from grading.matching import grade_id
from grading.sandbox.sandbox import Limits
from grading.submission import Unreadable, answers_of, parse, read, read_submission, sorted_cells
from helpers.files import write_whole


class NotUpdated(RuntimeError):
    """The course could not be brought up to date; the text says why. Nothing has changed."""


@dataclass
class Carried:
    """What became of the answers in an old notebook, by the names of their cells."""

    done: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # carried, but what is asked for is not what it was
    kept: list[str] = field(default_factory=list)  # the new notebook holds another answer already
    gone: list[str] = field(default_factory=list)  # the new notebook has no such cell


def main(arguments: Sequence[str] | None = None) -> int:
    """Update the course with git, or carry the answers of the files that are named."""
    parser = argparse.ArgumentParser(
        prog="infograd update",
        description="Bring the course up to date with git, and keep your answers. With files: carry the answers in "
        "these old notebooks into the notebooks that are here.",
        epilog="example: infograd update ~/Downloads/01-information-identities.ipynb",
    )
    parser.add_argument("old", nargs="*", type=Path, help="old notebooks, such as those of a course downloaded before")
    options = parser.parse_args(arguments)
    try:
        if options.old:
            carry_files(options.old)
        else:
            update()
    except (NotUpdated, Unreadable, OSError) as problem:
        print(f"infograd update: {problem}", file=sys.stderr)
        return 1
    return 0


def update() -> None:
    """Fetch the new release, and carry the answers of all notebooks that were worked in. Raises NotUpdated."""
    if git("rev-parse", "--is-inside-work-tree").stdout.strip() != "true":
        raise NotUpdated(
            f"{course.ROOT} is no git checkout. Download the new release into a folder of its own, and there run "
            "./infograd update with the paths of your old notebooks."
        )
    here = git("rev-parse", "HEAD").stdout.strip()
    worked_in = [file for file in notebooks() if git("diff", "--quiet", "HEAD", "--", str(file)).returncode]
    before = {file: asked(file.stem) for file in worked_in}
    kept = {file: keep_copy(file, course.ROOT / "classroom") for file in worked_in}
    for file, copy in kept.items():
        print(f"{file.stem}: your notebook is kept as {copy}")
    try:
        if worked_in:
            git("checkout", "HEAD", "--", *map(str, worked_in))
        pulled = git("pull", "--ff-only")
        if pulled.returncode:
            raise NotUpdated(
                f"git could not bring the new release; all is as it was. It says:\n{pulled.stderr.strip()}"
            )
    except BaseException:
        for file, copy in kept.items():
            file.write_bytes(copy.read_bytes())
        raise
    new = int(git("rev-list", "--count", f"{here}..HEAD").stdout)
    print(
        f"The course is brought up to date: {new} change{'s' * (new > 1)}."
        if new
        else "The course was up to date already."
    )
    for file, copy in kept.items():
        if not file.is_file():
            print(f"{file.stem} is no more in the course; your notebook is {copy}")
            continue
        carried = carry(copy, file)
        after = asked(file.stem)
        carried.changed += [
            name for name in carried.done if name not in carried.changed and before[file].get(name) != after.get(name)
        ]
        report(file, carried)


def carry_files(files: Sequence[Path]) -> None:
    """Carry the answers of old notebooks, each into the one that it is. Raises NotUpdated, Unreadable or OSError."""
    plans = [(file, which(file)) for file in files]
    for old, new in plans:
        if new.samefile(old):
            raise NotUpdated(f"{old} is the course's own notebook; name an old one.")
        print(f"{new.stem}: the notebook that was here is kept as {keep_copy(new, course.ROOT / 'classroom')}")
        report(new, carry(old, new))


def which(old: Path) -> Path:
    """The notebook of the course that an old file is. Raises NotUpdated."""
    if not old.is_file():
        raise NotUpdated(f"there is no file {old}; name an old notebook.")
    try:
        theirs = parse(read(old, Limits().notebook_bytes))
    except Unreadable as reason:
        raise NotUpdated(f"{old} cannot be read. {reason}") from None
    counts = {file: len(answers_of(theirs, nbformat.read(file, as_version=4))) for file in notebooks()}
    best = [file for file, count in counts.items() if count and count == max(counts.values())]
    if len(best) != 1:
        known = ", ".join(file.stem for file in notebooks())
        raise NotUpdated(f"{old} is not recognised as one of the course's notebooks, which are {known}.")
    return best[0]


def carry(old: Path, new: Path) -> Carried:
    """Put the answers of an old notebook into a new one, whose own answers stay. Raises Unreadable or OSError."""
    limits = Limits()
    notebook = nbformat.read(new, as_version=4)
    theirs = parse(read(old, limits.notebook_bytes))
    known = {name: one for one in theirs["cells"] if (name := grade_id(one))}
    answers = read_submission(old, notebook, limits.notebook_bytes, limits.cell_characters)
    carried = Carried()
    ours = {cell.name: cell.node for cell in sorted_cells(notebook) if cell.is_learners}
    for cell in answers.answers:
        mine, text = ours[cell.name], cell.node.source
        if text == mine.source or (cell.name in known and is_untouched(known[cell.name])):
            continue
        if not is_untouched(mine):
            carried.kept.append(cell.name)
            continue
        carried.done.append(cell.name)
        if cell.name in known and stub_of(known[cell.name]) != stub_of(mine):
            carried.changed.append(cell.name)
        mine.source = text
    carried.gone = [
        name for name, one in known.items() if name not in ours and is_answer(one) and not is_untouched(one)
    ]
    write_whole(new, nbformat.writes(notebook) + "\n")
    return carried


def stub_of(cell: Any) -> Any:
    """The checksum of a cell as it was released."""
    return cell["metadata"]["nbgrader"].get("checksum")


def is_untouched(cell: Any) -> bool:
    """Whether a cell is as it was released."""
    node = NotebookNode({**nbformat.from_dict(cell), "source": "".join(cell["source"])})
    return bool(stub_of(cell) == compute_checksum(node))


def is_answer(cell: Any) -> bool:
    """Whether a cell is a learner's to write."""
    return bool(cell["metadata"]["nbgrader"].get("solution"))


def asked(name: str) -> dict[str, Any]:
    """What each exercise of a notebook asks for, from its answer key: all but its hints."""
    try:
        key = json.loads((course.ROOT / "helpers" / "keys" / f"{name}.json").read_text(encoding="utf-8"))
        return {exercise: {**about, "hints": None} for exercise, about in key["exercises"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def report(file: Path, carried: Carried) -> None:
    """Say what became of the answers."""
    print(f"{file.stem}: answers carried over: {', '.join(carried.done) or 'none'}")
    for words, names in (
        ("look again, what is asked for has changed", carried.changed),
        ("left as they are, since there are answers already", carried.kept),
        ("no more in the notebook", carried.gone),
    ):
        if names:
            print(f"  {words}: {', '.join(names)}")


def notebooks() -> list[Path]:
    """The learner's notebooks of the course."""
    return sorted(file for file in (course.ROOT / "notebooks").glob("*/*.ipynb") if file.stem == file.parent.name)


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in the course's folder. Raises NotUpdated where there is no git."""
    try:
        line = ["git", "-C", str(course.ROOT), *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotUpdated("there is no git on this machine.") from None
