"""One module for each notebook, with the definitions of its exercises.

Module `01_information_identities` belongs to the notebook `01-information-identities`; the names begin with a digit, so
they are loaded by `load`, not by an import statement.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from grading.course import ROOT, notebooks
from grading.exercises.exercise import Exercise
from helpers import interpreter
from helpers.checking.kinds.tables import DRIVERS, JUDGES, NAMED

FOLDER = Path(__file__).resolve().parent
# What decides a verdict on every notebook: how cases are drawn, answers read, run, called and compared.
DECIDING = (
    "grading.exercises.exercise", "grading.exercises.draws", "grading.matching", "grading.submission",
    "grading.source_rules", "grading.slicing", "grading.reading",
    "grading.judge", "grading.sandbox.worker", "grading.sandbox.confine", "grading.sandbox.replies",
    *(f"helpers.checking.{name}" for name in ("calling", "comparing", "judging", "marking", "names", "plain", "rules")),
    "helpers.checking.kinds.calls",
)  # fmt: skip

# What answers import while they run, in the library's own lines: half a second for sympy, behind autograd.grad with
# weights. It is imported once for a class.
IMPORTED_LATE = {
    "01-information-identities": ("scipy.optimize",),
    "04-condition-number-landscapes": ("torch.fx.experimental.symbolic_shapes",),
}

interpreter.prepare()  # now: the first use of torch.optim imports triton, and kernels then run as they were decorated


@cache
def load(notebook: str) -> dict[str, Exercise]:
    """The exercises of a notebook by name, in the order of their definition. Raises ValueError for an unknown
    notebook."""
    if notebook not in notebooks():
        raise ValueError(f"there are no exercises for {notebook!r}; known notebooks: {', '.join(notebooks())}")
    module = importlib.import_module(f"grading.exercises.{notebook.replace('-', '_')}")
    return {item.name: item for item in vars(module).values() if isinstance(item, Exercise)}


def version(notebook: str) -> str:
    """A digest of what decides a verdict on this notebook: its definitions, and the code that reads, plays and compares
    answers. What only shows a verdict, and what other notebooks need, does not change it."""
    digest = hashlib.sha256()
    for file in deciding(notebook):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def deciding(notebook: str) -> list[Path]:
    """The files that decide a verdict on a notebook."""
    definitions = FOLDER / f"{notebook.replace('-', '_')}.py"
    modules = {*DECIDING, *imported_helpers(definitions), *kinds_used(definitions)}
    return [definitions, *sorted(ROOT / f"{module.replace('.', '/')}.py" for module in modules)]


def imported_helpers(file: Path) -> set[str]:
    """The course's routines that a file of definitions imports: a reference or a draw may rest on them."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers")]
    paths = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    return {path for found in paths for path in (found, found.rpartition(".")[0]) if is_module(path)}


def kinds_used(file: Path) -> set[str]:
    """The modules of `helpers.checking.kinds` whose drivers, judges or functions a file of definitions names."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    entries: list[tuple[str, Callable[..., object]]] = [*DRIVERS.items(), *JUDGES.items(), *NAMED.items()]
    return {entry.__module__ for name, entry in entries if name in words}


def is_module(path: str) -> bool:
    """Whether a dotted path is a file of ours."""
    return (ROOT / f"{path.replace('.', '/')}.py").is_file()
