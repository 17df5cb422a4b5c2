"""One module for each notebook, with the definitions of its exercises.

Module `01_information_identities` belongs to the notebook `01-information-identities`; the names begin with a digit, so
they are loaded by `load`, not by an import statement.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import cache
from pathlib import Path

from grading.exercises.exercise import Exercise
from helpers import interpreter

FOLDER = Path(__file__).resolve().parent
CHECKING = FOLDER.parent.parent / "helpers" / "checking"

interpreter.prepare()  # now: the first use of torch.optim imports triton, and kernels then run as they were decorated


def notebooks() -> list[str]:
    """The notebooks that have exercises, in order."""
    return sorted(file.stem.replace("_", "-") for file in FOLDER.glob("[0-9][0-9]_*.py"))


@cache
def load(notebook: str) -> dict[str, Exercise]:
    """The exercises of a notebook by name, in the order of their definition. Raises ValueError for an unknown
    notebook."""
    if notebook not in notebooks():
        raise ValueError(f"there are no exercises for {notebook!r}; known notebooks: {', '.join(notebooks())}")
    module = importlib.import_module(f"grading.exercises.{notebook.replace('-', '_')}")
    return {item.name: item for item in vars(module).values() if isinstance(item, Exercise)}


def version(notebook: str) -> str:
    """A digest of what decides a verdict: the definitions and the code that plays and compares them."""
    files = [FOLDER / f"{notebook.replace('-', '_')}.py", FOLDER / "exercise.py", FOLDER / "draws.py"]
    digest = hashlib.sha256()
    for file in [*files, *sorted(CHECKING.glob("*.py"))]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
