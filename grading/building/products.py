"""What is made from a notebook's source and its definitions: the answer key, the executed notebook, the learner's."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jupytext
import nbformat
import torch
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from grading.building.comparing import UNCOMPARED, comparable, same_notebook
from grading.building.inputs import BuildError, source_of
from grading.course import ROOT, keep_copy
from grading.exercises import load
from grading.exercises.key import make_key, same_key
from grading.first_cell import IN_REACH
from grading.release import released_text
from grading.submission import INTERACTIVE
from helpers.files import write_whole

SECONDS_PER_CELL = 600  # generous: a busy machine is slow, and a cell that never ends is what this is for
WORKERS = 2
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NBGRADER_DEFAULTS = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}


def notebooks_at_once() -> ProcessPoolExecutor:
    """A pool of processes with one thread each: with more they would only wait for each other, for minutes where a
    machine shows more cores than it lends."""
    return ProcessPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,))


def write_key(name: str, root: Path) -> None:
    """Make the answer key. One that says the same stays as it is: another processor rounds last digits differently."""
    file, text = root / "helpers" / "keys" / f"{name}.json", make_key(name)
    if not (file.is_file() and same_key(text, file.read_text(encoding="utf-8"))):
        write_whole(file, text)


def write_solution(name: str, root: Path) -> None:
    """Make the executed notebook. One that shows the same stays as it is (see `comparing.same_notebook`)."""
    executed = execute(notebook_from_source(name, root), root / "solutions" / name, root / "helpers" / "keys")
    file, text = root / "solutions" / name / f"{name}.ipynb", nbformat.writes(executed) + "\n"
    if not (file.is_file() and same_notebook(text, file.read_text(encoding="utf-8"))):
        write_whole(file, text)


def write_cells(name: str, root: Path) -> None:
    """Make the executed notebook without running it: the cells of its source, with the outputs that are committed."""
    notebook, file = notebook_from_source(name, root), Path("solutions") / name / f"{name}.ipynb"
    committed = nbformat.read(ROOT / file, as_version=4).cells if (ROOT / file).is_file() else []
    for cell, before in zip(notebook.cells, committed, strict=False):
        if cell.cell_type == before.cell_type == "code":
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    write_whole(root / file, nbformat.writes(notebook) + "\n")


def write_release(name: str, root: Path) -> None:
    """Make the learner's notebook from the executed one. What somebody wrote in it is kept first."""
    file, text = root / "notebooks" / name / f"{name}.ipynb", released_text(name, root)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        if root == ROOT and has_answers(file):
            print(f"\n{file} has been worked in; it is kept as {keep_copy(file)}", file=sys.stderr)
        write_whole(file, text)


def has_answers(file: Path) -> bool:
    """Whether somebody wrote an answer into a learner's notebook; one that is no notebook counts as written in."""
    try:
        cells = nbformat.read(file, as_version=4).cells
    except FileNotFoundError:
        return False
    except (OSError, ValueError, nbformat.validator.NotebookValidationError):
        return True
    abouts = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    return any(about.solution and about.checksum != compute_checksum(cell) for cell, about in abouts if about)


def same(fresh: Path, committed: Path) -> bool:
    """Whether a committed file is what a fresh build makes."""
    if not committed.is_file():
        return False
    if committed.suffix == ".json":
        return same_key(fresh.read_text(encoding="utf-8"), committed.read_text(encoding="utf-8"))
    texts = (file.read_text(encoding="utf-8") for file in (fresh, committed))
    return len({comparable(text) for text in texts}) == 1


def notebook_from_source(name: str, root: Path) -> NotebookNode:
    """The notebook of a source: nbgrader's metadata completed, points taken from the definitions, ids that stay the
    same."""
    notebook: NotebookNode = jupytext.read(source_of(name, root), fmt="py:percent")
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = IN_REACH + first.source
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            complete(cell, name)
        if INTERACTIVE in (tags := cell.metadata.get("tags", [])) and UNCOMPARED not in tags:
            tags.append(UNCOMPARED)
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        identity = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell["id"] = identity or f"{digest}-{seen[digest]}"
        cell.metadata.pop("lines_to_next_cell", None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def complete(cell: NotebookNode, name: str) -> None:
    """Fill in what nbgrader wants to see in a cell's metadata, so that a source gives only what says something."""
    given = cell.metadata["nbgrader"]
    identity = given.get("grade_id")
    exercise = load(name).get(str(identity).removesuffix("-check"))
    is_check = str(identity).endswith("-check")
    if not identity or (exercise is None and "points" not in given):
        raise BuildError(f"solutions/{name}/{name}.py: there is no exercise for the cell with grade_id {identity!r}")
    filled = {**NBGRADER_DEFAULTS, "cell_type": cell.cell_type, **given}
    if is_check and exercise is not None:
        filled |= {"grade": True, "locked": True, "points": 0 if exercise.stretch else exercise.points}
    elif exercise is not None:
        filled |= {"solution": True}
    cell.metadata["nbgrader"] = NotebookNode(dict(sorted(filled.items())))


def execute(notebook: NotebookNode, folder: Path, keys: Path) -> NotebookNode:
    """Run a notebook from top to bottom in a fresh kernel, with the answer keys in `keys`; raises BuildError where a
    cell raises or warns."""
    with tempfile.TemporaryDirectory(prefix="infograd-run-") as scratch:
        environment = os.environ | {
            "INFOGRAD_PROGRESS": str(Path(scratch) / "progress.json"),
            "INFOGRAD_KEYS": str(keys),
            "INFOGRAD_SHEET": "0",  # the one that model answers are in the words of
            "IPYTHONDIR": scratch,
            "OMP_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=SECONDS_PER_CELL,
            allow_errors=True,
            store_widget_state=False,
            coalesce_streams=True,  # how a stream is cut into pieces depends on time
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = tidy_outputs(cell, f"{folder.name}, cell {number}")
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    return notebook


def tidy_outputs(cell: NotebookNode, place: str) -> list[NotebookNode]:
    """The outputs worth keeping: no widgets that need a kernel, and nothing from stderr but progress bars, which are
    dropped."""
    kept = []
    for output in cell.outputs:
        if output.output_type == "error":
            raise BuildError(f"{place} raised {output.ename}: {output.evalue}")
        if output.output_type == "stream" and output.name == "stderr":
            if "Warning" in output.text:
                raise BuildError(f"{place} warns: {output.text.strip()[:300]}")
            continue
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
            continue
        kept.append(output)
    return [] if INTERACTIVE in cell.metadata.get("tags", ()) else kept


WRITE = {"answer key": write_key, "executed solution": write_solution, "learner's notebook": write_release}
WRITE_UNRUN = {**WRITE, "executed solution": write_cells}
