"""A submission: the file that was handed in, read, and our notebook rebuilt with its answers, its cells sorted.

Only the text of solution cells and hand-graded cells is the learner's. The submitted file is read, in a child process
with limits, as what it is, bytes from a stranger; its structure, metadata, outputs and kernel are looked at only to
list what was changed. Of two cells with the same grade_id the first that was worked in counts, unless the second is the
rest of it; of two equal keys in an object the last.

What is no Python is written out as Python: magics that time or capture are taken off, and what they are put before
stays code, so that the source rules read it; all others do nothing in the sandbox (see `worker.Shell`).
"""

from __future__ import annotations

import ast
import codecs
import copy
import hashlib
import json
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from grading.aside import TookTooMuch, aside
from grading.first_cell import installs_for
from grading.left_out import is_rest_of, used_from_elsewhere
from grading.matching import defined_in, grade_id, recover, text_of
from grading.sandbox.replies import CellError, words

DATE, SECRET = NBGRADERS_OWN = ("timestamp.txt", "submission_secret.txt")  # the files that nbgrader puts beside
INTERACTIVE = "interactive"  # the tag of our cells whose widgets need a kernel
CHECK = "-check"  # what the grade_id of a check cell ends with
MAX_DEPTH = 40
MAX_CELLS = 2000
MAX_NOTES = 20
MOST_FILES = 20  # looked at beside one another
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)  # no line of JSON begins with it
STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
BRACKET = re.compile(r"[\[\]{}]")
AROUND_A_CELL = re.compile(r"\s*%%(time|timeit|capture|prun)\b[^\n]*(\n|$)")
BEFORE_A_STATEMENT = re.compile(
    r"^([ \t]*)%(?:time|timeit|prun)[ \t]+(?:-\w++[ \t]++(?:\d++[ \t]++)?+)*+", re.MULTILINE
)
SPECIAL = re.compile(r"^\s*[%!?/,;]|\?\s*$|=\s*[%!]")
SECONDS_TO_READ = 20.0  # a whole file, and its code as Python; a notebook takes less than a tenth of one
BYTES_TO_READ = 2**30
MOST_WORK = 200_000  # lines of special syntax times characters: IPython reads a cell anew for each


class Unreadable(ValueError):
    """A file that is no notebook; the text is the reason, for learner and teacher."""


Kind = Literal["answer", "hand-graded", "check", "interactive", "ours", "prose"]


@dataclass
class Cell:
    """A cell of our notebook and what it is: a learner's `answer` in code, one that a person grades, a `check` whose
    output the grader writes, code of `ours` (`interactive` where its widgets need a kernel), or `prose`.

    `name` is its grade_id, or its number for a cell without one; `exercise` that of a check or an answer."""

    kind: Kind
    name: str
    node: NotebookNode
    code: str | None = None  # a learner's code as Python, as the child that read the file has written it out
    unread: CellError | None = None  # what is said of code that is no Python to the grader, and so does not run

    @property
    def exercise(self) -> str:
        """The exercise that a check or an answer belongs to."""
        return self.name.removesuffix(CHECK)

    @property
    def is_learners(self) -> bool:
        """Whether its text is the learner's to write."""
        return self.kind in ("answer", "hand-graded")

    @property
    def is_untouched(self) -> bool:
        """Whether a learner's cell is as it was released."""
        return bool(self.node.metadata.get("nbgrader", {}).get("checksum") == compute_checksum(self.node))

    @property
    def runs(self) -> bool:
        """Whether it runs when a submission is graded: our code and the learner's, no check, nothing interactive."""
        return self.node.cell_type == "code" and self.kind in ("answer", "hand-graded", "ours")

    @property
    def python(self) -> str:
        """Its code, IPython's magics written out."""
        return as_python(self.node.source) if self.code is None else self.code


@dataclass
class Submission:
    """Our notebook with a learner's answers in it, the digest of the file they came from, and what was odd about it."""

    notebook: NotebookNode
    cells: list[Cell]
    digest: str
    irregularities: list[str] = field(default_factory=list)
    unreadable: str | None = None  # why nothing could be read

    @property
    def answers(self) -> list[Cell]:
        """The cells whose text is the learner's."""
        return [cell for cell in self.cells if cell.is_learners]

    @property
    def exercises(self) -> list[str]:
        """The exercises that have a check cell, in order."""
        return [cell.exercise for cell in self.cells if cell.kind == "check"]

    def note(self, sentence: str) -> None:
        """Add an irregularity; of very many only the first are kept."""
        if sentence in self.irregularities or len(self.irregularities) > MAX_NOTES:
            return
        full = len(self.irregularities) == MAX_NOTES
        self.irregularities.append("More of the same kind is left out here." if full else sentence)


@dataclass(frozen=True)
class HandedIn:
    """What was handed in for a notebook: the bytes of its file, or why there are none, and what was odd around it. It
    can be sent to another machine."""

    content: bytes
    unreadable: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the file."""
        return hashlib.sha256(self.content).hexdigest()


def handed_in(file: Path, ours: NotebookNode, most_bytes: int, expected: Collection[str] = ()) -> HandedIn:
    """The submitted `file`, or the one that came in its place. With the names `expected` in its folder, what else lies
    there is noted. Nothing is read as a notebook but where the file has another name."""
    content, unreadable, notes = b"", None, []
    try:
        place = find_notebook(file, ours, most_bytes)
        content = read(place, most_bytes)
        if place != file:
            notes.append("The notebook was handed in under another name; it was found by its content.")
    except Unreadable as reason:
        unreadable = str(reason)
    return HandedIn(content, unreadable, (*notes, *(files_beside(file.parent, set(expected)) if expected else ())))


def read_submission(
    file: Path | HandedIn,
    ours: NotebookNode,
    most_bytes: int,
    most_characters: int,
    seconds: float = SECONDS_TO_READ,
    memory_bytes: int = BYTES_TO_READ,
) -> Submission:
    """Our notebook with the answers in what was handed in, which a child with so many seconds and so much memory reads.
    Never raises for what the file holds: one that cannot be read gives our notebook as it was released, with the
    reason."""
    given = file if isinstance(file, HandedIn) else handed_in(file, ours, most_bytes)
    notebook = copy.deepcopy(ours)
    result = Submission(notebook, sorted_cells(notebook), given.digest, [*given.notes], given.unreadable)
    if result.unreadable is not None:
        return result
    try:
        found = aside(lambda: answers_in(given.content, result, most_characters), seconds, memory_bytes)
    except TookTooMuch:
        found = {"unreadable": "Reading the file takes longer, or more memory, than that of any notebook."}
    if "unreadable" in found:
        result.unreadable = found["unreadable"]
        return result
    result.irregularities = found["irregularities"]
    for cell in result.answers:
        if cell.name in found["answers"]:
            cell.node.source, cell.code, unread = found["answers"][cell.name]
            cell.unread = None if unread is None else CellError(*unread)
    return result


def answers_in(content: bytes, result: Submission, most_characters: int) -> dict[str, Any]:
    """The answers in a file, each with its code as Python, and what is odd about it; or why it cannot be read."""
    try:
        theirs = parse(content)
    except Unreadable as reason:
        return {"unreadable": str(reason)}
    answers = collect_answers(theirs, result, most_characters)
    compare_metadata(theirs, result)
    texts = {text_of(cell) for cell in theirs["cells"] if type(cell) is dict and not grade_id(cell)}
    for cell in result.answers:
        if cell.name not in answers and cell.node.source not in texts:  # as it was released, and nameless
            result.note(f"The cell {cell.name} is missing; it counts as not attempted.")
    return {
        "answers": {name: (text, code := as_python(text), why_unread(code)) for name, text in answers.items()},
        "irregularities": result.irregularities,
    }


def digest_of(file: Path, ours: NotebookNode, most_bytes: int) -> str:
    """The digest of a file as `read_submission` would give it."""
    return handed_in(file, ours, most_bytes).digest


def find_notebook(file: Path, ours: NotebookNode, most_bytes: int) -> Path:
    """The file handed in for `file`: itself, or, where no such file is there, the one notebook beside it that has most
    of our answers, whatever it is called. Raises Unreadable where several have, and differ."""
    if os.path.lexists(file) or not file.parent.is_dir():
        return file
    found: dict[str, Path] = {}
    with os.scandir(file.parent) as entries:
        names = sorted(one.name for one in entries if one.is_file(follow_symlinks=False))
    for name in [name for name in names if ".ipynb" in name or name.endswith(".json")][:MOST_FILES]:
        try:
            content = read(file.with_name(name), most_bytes)
            if aside(partial(is_ours, content, ours), SECONDS_TO_READ, BYTES_TO_READ):
                found.setdefault(hashlib.sha256(content).hexdigest(), file.with_name(name))
        except (Unreadable, TookTooMuch):
            continue
    if len(found) > 1:
        several = ", ".join(sorted(one.name for one in found.values()))
        raise Unreadable(f"Several files could be the notebook: {several}. Hand in one of them, as {file.name}.")
    return next(iter(found.values()), file)


def is_ours(content: bytes, ours: NotebookNode) -> bool:
    """Whether a file is a notebook with more than half of our answers."""
    try:
        theirs = parse(content)
    except Unreadable:
        return False
    return 2 * len(answers_of(theirs, ours)) > sum(1 for cell in sorted_cells(ours) if cell.is_learners)


def answers_of(theirs: dict[str, Any], ours: NotebookNode) -> set[str]:
    """Which of our answers are in a notebook, by grade_id, by id, or by what a cell defines."""
    cells = [cell for cell in theirs["cells"] if type(cell) is dict]
    names = {grade_id(cell) or cell.get("id") for cell in cells if isinstance(cell.get("id", ""), str)}
    defined = set().union(*(defined_in(text_of(cell) or "") for cell in cells))
    return {
        cell.name
        for cell in sorted_cells(ours)
        if cell.is_learners and (cell.name in names or ((wanted := defined_in(cell.node.source)) and wanted <= defined))
    }


def sorted_cells(notebook: NotebookNode) -> list[Cell]:
    """Each cell of a notebook of ours with its kind."""
    return [
        Cell(kind_of_cell(node), grade_id(node) or f"cell {number}", node)
        for number, node in enumerate(notebook.cells, 1)
    ]


def kind_of_cell(node: NotebookNode) -> Kind:
    """What a cell of ours is."""
    about = node.metadata.get("nbgrader", {})
    if about.get("solution"):
        return "hand-graded" if about.get("grade") else "answer"
    if node.cell_type != "code":
        return "prose"
    if about.get("grade"):
        return "check"
    return "interactive" if INTERACTIVE in node.metadata.get("tags", ()) else "ours"


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
    if content.startswith(b"PK\x03\x04"):
        raise Unreadable("The file is a zip archive. Unpack it and hand in the notebook.")
    if content.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        raise Unreadable("The file is a web page, not the notebook. Download the .ipynb file itself and hand it in.")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8, as a notebook is.") from None
    if CONFLICT.search(text):
        chosen = "`git checkout --ours` or `--theirs` with its name chooses a version"
        raise Unreadable(f"The file has git's marks of a conflict in it (<<<<<<<); {chosen}.")
    if too_deep(text):
        raise Unreadable(f"The file is nested more than {MAX_DEPTH} levels deep, which no notebook is.")
    try:
        notebook = json.loads(text)
    except ValueError:
        raise Unreadable(
            "The file is not a notebook: it is not whole JSON. Was it cut short while it was copied?"
        ) from None
    if type(notebook) is dict and "worksheets" in notebook:
        raise Unreadable(
            "The notebook is of the old format 3, not of format 4. Open it in Jupyter, save it and hand it in again."
        )
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


def collect_answers(theirs: dict[str, Any], result: Submission, most_characters: int) -> dict[str, str]:
    """The learner's text for each of our answer cells."""
    known = {cell.name: cell for cell in result.cells if grade_id(cell.node)}
    own_texts = {cell.node.source for cell in result.cells}
    answers: dict[str, str] = {}
    seen, foreign = set(), 0
    for cell in whole_cells(theirs["cells"], result):
        name = grade_id(cell)
        if name is None or name not in known:
            foreign += type(cell) is not dict or name is not None or is_new(cell, own_texts)
            continue
        if name in seen:
            if answers.get(name) == known[name].node.source != text_of(cell):
                result.note(f"The cell {name} is there more than once; the first that was worked in counts.")
                take(name, cell, answers, result, most_characters)
            else:
                result.note(f"The cell {name} is there more than once; the first counts.")
            continue
        seen.add(name)
        compare_cell(cell, known[name], result)
        if known[name].is_learners:
            take(name, cell, answers, result, most_characters)
    lost = {cell.name: cell.node for cell in result.answers if cell.name not in seen}
    found = recover(lost, [cell.node for cell in result.cells], theirs["cells"])
    for name, cell in found.items():
        foreign -= is_new(cell, own_texts)
        take(name, cell, answers, result, most_characters)
    if len(found) == 1:
        result.note(f"The cell {next(iter(found))} had lost its name; it was found by its content.")
    elif found:
        result.note(f"{len(found)} cells had lost their names; they were found by their content: {', '.join(found)}.")
    if result.answers and not answers:
        result.note("None of this notebook's answers is in the file. Is it another notebook?")
    for name, cell in known.items():
        # where no cell has kept its name, ours are not gone, but nameless
        if seen and name not in seen and not cell.is_learners:
            result.note(f"The cell {name} was deleted; it was put back.")
    if foreign:
        count, were = ("1 cell is", "it was") if foreign == 1 else (f"{foreign} cells are", "they were")
        result.note(f"{count} not from the course's notebook; {were} left out.")
        taken = {id(cell) for cell in found.values()}
        others = [cell for cell in theirs["cells"] if type(cell) is dict and id(cell) not in taken]
        note_what_is_missed(answers, [cell for cell in others if not grade_id(cell)], own_texts, result)
    return answers


def whole_cells(cells: list[Any], result: Submission) -> list[Any]:
    """The cells, an answer that was split (as JupyterLab does it) in one piece again."""
    learners = {cell.name for cell in result.answers}
    whole: list[Any] = []
    for cell in cells:
        name = grade_id(cell)
        if whole and name in learners and grade_id(whole[-1]) == name:
            first, second = text_of(whole[-1]) or "", text_of(cell) or ""
            if is_rest_of(second, first):
                whole[-1] = {**whole[-1], "source": f"{first}\n{second}"}
                result.note(f"The cell {name} was split; its parts count together.")
                continue
        whole.append(cell)
    return whole


def note_what_is_missed(
    answers: dict[str, str], others: list[dict[str, Any]], own_texts: set[str], result: Submission
) -> None:
    """Note the answers that use what only other cells define: a check in the notebook has seen it, grading has not."""
    for name, used in used_from_elsewhere(answers, [text_of(cell) or "" for cell in others], own_texts):
        result.note(f"The cell {name} uses {', '.join(used)} of a cell that was left out: write it into {name}.")


def take(name: str, cell: dict[str, Any], answers: dict[str, str], result: Submission, most_characters: int) -> None:
    """Take the text of a learner's cell."""
    text = text_of(cell)
    if text is None or len(text) > most_characters:
        result.note(f"The text of the cell {name} is missing or longer than {most_characters} characters.")
    else:
        answers[name] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def is_new(cell: dict[str, Any], own_texts: set[str]) -> bool:
    """Whether a cell without a grade_id is none of ours. Empty cells do not count, as Jupyter adds one at the end; nor
    does our first cell in the notebooks of a bundle, which installs the course."""
    text = text_of(cell)
    return text is not None and bool(text.strip()) and text not in own_texts and not installs_for(text, own_texts)


def compare_cell(theirs: dict[str, Any], ours: Cell, result: Submission) -> None:
    """Note what was changed about a cell that is not the learner's to change; it has no effect."""
    given, own, name = theirs["metadata"]["nbgrader"], ours.node.metadata["nbgrader"], ours.name
    for key in ("grade", "solution", "locked", "task", "points", "schema_version"):
        if key in own and given.get(key) != own[key]:
            result.note(f"The setting {key} of the cell {name} was changed; ours counts.")
    if theirs.get("cell_type") != ours.node.cell_type:
        result.note(f"The type of the cell {name} was changed; ours counts.")
    if not ours.is_learners and text_of(theirs) != ours.node.source:
        result.note(f"The text of the cell {name} was changed; ours counts.")


def compare_metadata(theirs: dict[str, Any], result: Submission) -> None:
    """Note another format or kernel."""
    if theirs.get("nbformat") != 4:
        result.note("The file says that it is not of notebook format 4.")
    metadata = theirs.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = kernel.get("language") if isinstance(kernel, dict) else "python"
    if language not in (None, "python"):
        result.note("The notebook names another language than Python; ours counts.")


def files_beside(folder: Path, expected: set[str]) -> list[str]:
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


@lru_cache(maxsize=1000)
def as_python(source: str) -> str:
    """A cell's text as Python; as it is where that cannot be done, or would take long, and no Python then."""
    if is_python(source):
        return source
    while whole := AROUND_A_CELL.match(source):
        source = source[whole.end() :]
    source = BEFORE_A_STATEMENT.sub(r"\1", source)
    special = sum(1 for line in source.splitlines() if SPECIAL.search(line))
    if is_python(source) or special * len(source) > MOST_WORK:
        return source
    try:
        return str(TransformerManager().transform_cell(source))
    except Exception:
        return source


def is_python(source: str) -> bool:
    """Whether the text is Python as it stands."""
    return why_unread(source) is None


def why_unread(source: str) -> tuple[str, str, int | None] | None:
    """The error's name, message and line of code that does not run as the grader cannot read it; None where it can."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        return "SyntaxError", words(str(error.msg)), error.lineno
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__, "the cell cannot be read: it is nested too deeply, or holds odd characters", None
    return None
