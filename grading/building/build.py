"""`infograd build`: from one text source to everything that is made from it.

`solutions/NN-name/NN-name.py` (jupytext's percent format) is the only file an author edits. From it come

    helpers/keys/NN-name.json             the public answer key, from the definitions in grading/exercises
    solutions/NN-name/NN-name.ipynb       the executed notebook, with its outputs
    notebooks/NN-name/NN-name.ipynb       the learner's notebook, through nbgrader's own generate_assignment

Only what a change can have changed is made again (see `inputs`). `infograd build --check` builds everything, beside
the tree, and names the files that differ: pictures are compared for presence (another machine may draw a pixel
differently), numbers in the key to 12 digits (another processor may round the last ones differently), all else exactly.
With `--unrun` as well it takes the outputs as they are: `infograd test` has nbval run the same cells and compare those.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path

from tqdm import tqdm

from grading.building.inputs import MAKING, PRODUCTS, BuildError, Inputs, Record, product, source_of
from grading.course import ROOT, assignment, notebooks


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the notebooks named (all by default), or compare with `--check`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd build",
        description="Make answer keys, executed solutions and learners' notebooks, where something has changed.",
        epilog="example: infograd build 04-condition-number-landscapes",
    )
    parser.add_argument(
        "notebooks", nargs="*", type=assignment, help="such as 01, or 01-information-identities; all by default"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="change nothing; fail with the names of files that differ")
    how.add_argument("--force", action="store_true", help="make everything again, changed or not")
    parser.add_argument("--unrun", action="store_true", help="with --check: leave it to nbval to run the notebooks")
    options = parser.parse_args(arguments)
    if options.unrun and not options.check:
        parser.error("--unrun goes with --check alone: what is built is run")
    names = options.notebooks or notebooks()
    if unknown := [name for name in names if not source_of(name, ROOT).is_file()]:
        source = f"solutions/{unknown[0]}/{unknown[0]}.py"
        print(f"infograd build: no source {source}; write it, or git restore it", file=sys.stderr)
        return 2
    try:
        return compare(names, options.unrun) if options.check else build(names, ROOT, options.force)
    except BuildError as error:
        print(f"infograd build: {error}", file=sys.stderr)
        return 1


def build(names: Sequence[str], root: Path, force: bool = False) -> int:
    """Make what is stale in the tree at `root`, or everything with `force`. Raises BuildError."""
    inputs, record = Inputs(root, names), Record(root)

    def stale(kind: str) -> dict[str, str]:
        made_from = {name: inputs.digest(kind, name) for name in names}
        return {n: digest for n, digest in made_from.items() if force or not record.is_fresh(kind, n, digest)}

    if not any(map(stale, PRODUCTS)):
        print("infograd build: nothing has changed")
        return 0
    making = importlib.import_module(MAKING)
    with making.notebooks_at_once() as pool:
        for kind in PRODUCTS:  # in this order; what is stale depends on what was made before
            wanted = stale(kind)
            for name in make(kind, list(wanted), root, pool):
                record.note(kind, name, wanted[name])
    return 0


def make(kind: str, names: Sequence[str], root: Path, pool: Executor, unrun: bool = False) -> Iterator[str]:
    """Make one product of each of these notebooks, two at a time, with a progress bar; gives each name when it is made.
    With ``unrun`` no notebook runs, and the committed outputs count. Raises BuildError."""
    making = importlib.import_module(MAKING)
    write_product = (making.WRITE_UNRUN if unrun else making.WRITE)[kind]
    at_work = {pool.submit(write_product, name, root): name for name in names}
    for done in tqdm(as_completed(at_work), kind, len(names), file=sys.stderr, disable=not names):
        done.result()
        yield at_work[done]


def compare(names: Sequence[str], unrun: bool = False) -> int:
    """Build into a temporary copy, with ``unrun`` running no notebook, and say what differs. Raises BuildError."""
    making = importlib.import_module(MAKING)
    with tempfile.TemporaryDirectory(prefix="infograd-build-") as folder, making.notebooks_at_once() as pool:
        beside = Path(folder)
        shutil.copytree(ROOT / "helpers" / "keys", beside / "helpers" / "keys")  # progress() reads all of them
        for name in names:
            target = source_of(name, beside)
            target.parent.mkdir(parents=True)
            shutil.copy(source_of(name, ROOT), target)
            (beside / product("answer key", name)).unlink(missing_ok=True)
        for kind in PRODUCTS:
            list(make(kind, names, beside, pool, unrun))
        files = [product(kind, name) for name in names for kind in PRODUCTS]
        different = [file for file in files if not making.same(beside / file, ROOT / file)]
    for file in different:
        print(f"infograd build --check: {file} differs from a fresh build; run `infograd build`", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
