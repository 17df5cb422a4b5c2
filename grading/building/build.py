"""`infograd build`: from one text source to everything that is made from it.

`solutions/NN-name/NN-name.py` (jupytext's percent format) is the only file an author edits. From it come

    helpers/keys/NN-name.json             the public answer key, from the definitions in grading/exercises
    solutions/NN-name/NN-name.ipynb       the executed notebook, with its outputs
    notebooks/NN-name/NN-name.ipynb       the learner's notebook, through nbgrader's own generate_assignment

A second build changes nothing. `infograd build --check` builds beside the tree and names the files that differ:
pictures are compared for presence (another machine may draw a pixel differently), numbers in the key to 12 digits
(another processor may round the last ones differently), all else exactly."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import jupytext
import nbformat
import torch
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum
from tqdm import tqdm

from grading.building.comparing import UNCOMPARED, comparable, same_notebook
from grading.course import ROOT, keep_copy
from grading.exercises import load, notebooks
from grading.exercises.key import make_key, same_key
from grading.release import released_text
from grading.submission import INTERACTIVE
from helpers.files import write_whole

SECONDS_PER_CELL = 600  # generous: a busy machine is slow, and a cell that never ends is what this is for
WORKERS = 2
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NBGRADER_DEFAULTS = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}


class BuildError(RuntimeError):
    """A source that cannot be built, with its file and the reason."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the notebooks named (all by default), or compare with `--check`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd build", description="Make notebooks and answer keys from their sources."
    )
    parser.add_argument("notebooks", nargs="*", help="such as 01-information-identities; all by default")
    parser.add_argument("--check", action="store_true", help="change nothing; fail with the names of files that differ")
    options = parser.parse_args(arguments)
    names = options.notebooks or notebooks()
    if unknown := [name for name in names if not source_of(name, ROOT).is_file()]:
        print(f"infograd build: no source solutions/{unknown[0]}/{unknown[0]}.py", file=sys.stderr)
        return 2
    try:
        return compare(names) if options.check else build_all(names, ROOT)
    except BuildError as error:
        print(f"infograd build: {error}", file=sys.stderr)
        return 1


def build_all(names: Sequence[str], root: Path) -> int:
    """Build into the tree at `root`, two notebooks at a time, with a progress bar."""
    kinds = {"answer keys": write_key, "executed solutions": write_solution, "learners' notebooks": write_release}
    with tqdm(total=len(kinds) * len(names), unit="file", file=sys.stderr) as bar, notebooks_at_once() as pool:
        for kind, write_product in kinds.items():  # all keys first: progress() in a notebook reads them all
            bar.set_description(kind)
            for done in as_completed([pool.submit(write_product, name, root) for name in names]):
                done.result()
                bar.update()
    return 0


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


def compare(names: Sequence[str]) -> int:
    """Build into a temporary copy and say which files differ."""
    with tempfile.TemporaryDirectory(prefix="infograd-build-") as folder:
        beside = Path(folder)
        for name in names:
            target = source_of(name, beside)
            target.parent.mkdir(parents=True)
            shutil.copy(source_of(name, ROOT), target)
        build_all(names, beside)
        different = [path for name in names for path in products(name) if not same(beside / path, ROOT / path)]
    for path in different:
        print(f"infograd build --check: {path} differs from a fresh build; run `infograd build`", file=sys.stderr)
    return 1 if different else 0


def source_of(name: str, root: Path) -> Path:
    """The text source of a notebook."""
    return root / "solutions" / name / f"{name}.py"


def products(name: str) -> list[Path]:
    """The files made from a source, relative to the root."""
    files = (f"helpers/keys/{name}.json", f"solutions/{name}/{name}.ipynb", f"notebooks/{name}/{name}.ipynb")
    return [Path(file) for file in files]


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


if __name__ == "__main__":
    sys.exit(main())
