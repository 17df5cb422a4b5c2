"""Rebuild a submitted notebook from our own: only the text of solution cells and hand-graded cells is the learner's.

The submitted file is read as what it is, bytes from a stranger; its structure, metadata, outputs and kernel are looked
at only to list what was changed. Of two cells with the same grade_id the first counts, of two equal keys in an object
the last.
"""

from __future__ import annotations

import codecs
import copy
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

MAX_DEPTH = 40
MAX_CELLS = 2000
MAX_NOTES = 20
MAX_NAME = 60
STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
BRACKET = re.compile(r"[\[\]{}]")


class Unreadable(ValueError):
    """A file that is no notebook; the text is the reason, for learner and teacher."""


@dataclass
class Grafted:
    """Our notebook with a learner's answers in it, the digest of the file they came from, and what was odd about it."""

    notebook: NotebookNode
    digest: str
    irregularities: list[str] = field(default_factory=list)
    problem: str | None = None  # why nothing could be read

    def note(self, sentence: str) -> None:
        """Add an irregularity; of very many only the first are kept."""
        if sentence in self.irregularities or len(self.irregularities) > MAX_NOTES:
            return
        full = len(self.irregularities) == MAX_NOTES
        self.irregularities.append("More of the same kind is left out here." if full else sentence)


def graft(file: Path, ours: NotebookNode, most_bytes: int, most_characters: int) -> Grafted:
    """Our notebook with the answers in the submitted `file`. Never raises for what the file holds: a file that cannot
    be read gives our notebook as it was released, with the reason."""
    result = Grafted(copy.deepcopy(ours), hashlib.sha256(b"").hexdigest())
    try:
        content = read(file, most_bytes)
        result.digest = hashlib.sha256(content).hexdigest()
        notebook = parse(content)
        answers = collect(notebook, ours, most_characters, result)
    except Unreadable as reason:
        result.problem = str(reason)
        return result
    compare_metadata(notebook, ours, result)
    for cell in result.notebook.cells:
        name = grade_id(cell)
        if not is_answer(cell):
            continue
        if name in answers:
            cell.source = answers[name]
        else:
            result.note(f"The cell {name} is missing; it counts as not attempted.")
    return result


def read(file: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file, which is opened without following a link and without waiting. Raises Unreadable."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unreadable("No notebook with the right name was handed in.") from None
    except OSError:
        raise Unreadable("What was handed in under the notebook's name is not a file of its own.") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise Unreadable("What was handed in under the notebook's name is not a file.")
    with os.fdopen(handle, "rb") as stream:
        if status.st_size > most_bytes:
            raise Unreadable(
                f"The file is larger than {most_bytes / 2**20:g} MB. Clear its outputs and hand it in again."
            )
        return stream.read(most_bytes)


def parse(content: bytes) -> dict[str, Any]:
    """The notebook in `content`, as JSON. Raises Unreadable."""
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8, as a notebook is.") from None
    if too_deep(text):
        raise Unreadable(f"The file is nested more than {MAX_DEPTH} levels deep, which no notebook is.")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(
            "The file is not a notebook: it is not whole JSON. Was it cut short while it was copied?"
        ) from None
    cells = notebook.get("cells") if type(notebook) is dict else None
    if type(cells) is not list:
        raise Unreadable("The file is not a notebook of format 4: it has no list of cells.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has more than {MAX_CELLS} cells.")
    return dict(notebook)


def too_deep(text: str) -> bool:
    """Whether brackets outside strings are nested deeper than MAX_DEPTH. Looked at first, as JSON's parser recurses."""
    depth = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def collect(notebook: dict[str, Any], ours: NotebookNode, most_characters: int, result: Grafted) -> dict[str, str]:
    """The learner's text for each of our answer cells."""
    known = {grade_id(cell): cell for cell in ours.cells if grade_id(cell)}
    answers: dict[str, str] = {}
    seen, foreign = set(), 0
    for cell in notebook["cells"]:
        name = grade_id(cell)
        if name is None or name not in known:
            foreign += type(cell) is not dict or (name is not None) or is_new(cell, ours)
            continue
        if name in seen:
            result.note(f"The cell {name} is there more than once; the first counts.")
            continue
        seen.add(name)
        compare_cell(cell, known[name], name, result)
        if is_answer(known[name]):
            text = text_of(cell)
            if text is None or len(text) > most_characters:
                result.note(f"The text of the cell {name} is missing or longer than {most_characters} characters.")
            else:
                answers[name] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    for name in known.keys() - seen:
        if not is_answer(known[name]):
            result.note(f"The cell {name} was deleted; it was put back.")
    if foreign:
        result.note(f"{foreign} cells are not from the course's notebook; they were left out.")
    return answers


def grade_id(cell: Any) -> str | None:
    """The grade_id of a cell, ours or a stranger's; None without one."""
    found: Any = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def is_answer(cell: NotebookNode) -> bool:
    """Whether the text of our cell is the learner's to write."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def text_of(cell: dict[str, Any]) -> str | None:
    """A cell's source: text, or a list of lines."""
    source = cell.get("source")
    if isinstance(source, list) and all(type(line) is str for line in source):
        source = "".join(source)
    return surrogates_replaced(source) if type(source) is str else None


def surrogates_replaced(text: str) -> str:
    """Text that can be written as UTF-8: JSON can smuggle in halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_new(cell: Any, ours: NotebookNode) -> bool:
    """Whether a cell without a grade_id is none of ours. Empty cells do not count: Jupyter adds one at the end."""
    text = text_of(cell)
    return bool(text and text.strip()) and all(one.source != text for one in ours.cells)


def compare_cell(cell: dict[str, Any], known: NotebookNode, name: str, result: Grafted) -> None:
    """Note what was changed about a cell that is not the learner's to change; it has no effect."""
    theirs, own = cell["metadata"]["nbgrader"], known.metadata["nbgrader"]
    for key in ("grade", "solution", "locked", "task", "points", "schema_version"):
        if key in own and theirs.get(key) != own[key]:
            result.note(f"The setting {key} of the cell {name} was changed; ours counts.")
    if cell.get("cell_type") != known.cell_type:
        result.note(f"The type of the cell {name} was changed; ours counts.")
    if not is_answer(known) and text_of(cell) != known.source:
        result.note(f"The text of the cell {name} was changed; ours counts.")


def compare_metadata(notebook: dict[str, Any], ours: NotebookNode, result: Grafted) -> None:
    """Note another format or kernel."""
    if notebook.get("nbformat") != 4:
        result.note("The file says that it is not of notebook format 4.")
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    theirs = kernel.get("language") if isinstance(kernel, dict) else "python"
    if theirs not in (None, "python"):
        result.note("The notebook names another language than Python; ours counts.")


def others(folder: Path, expected: set[str]) -> list[str]:
    """Sentences on what else was handed in; nothing of it is followed, opened or copied."""
    extra, links = 0, 0
    with os.scandir(folder) as entries:
        for entry in entries:
            links += entry.is_symlink()
            extra += not entry.is_symlink() and entry.name not in expected
    found = []
    if extra:
        found.append(f"{extra} other files or folders were handed in; they were left aside.")
    if links:
        found.append(f"{links} symbolic links were handed in; they were not followed.")
    return found


def printable(text: str) -> str:
    """A stranger's name for something, short and on one line."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_NAME])
