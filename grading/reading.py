"""Read the code of a submission: which cells of ours need not run, which rules its answers break, and which statements
run before an exercise is called.

Reading takes time and memory that the text decides, so it is done in a child with limits of its own. What is read of
our own cells is the same for a class: the child finds it there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from grading.aside import TookTooMuch, aside
from grading.slicing import names_of, spared
from grading.source_rules import AnswerText, CellText, ToRead, statements_of
from helpers.checking.library import MODULES, module_named

BYTES_TO_READ = 2**30
LONG = "Reading the answers takes longer, or more memory, than that of any notebook"


@dataclass
class ReadRules:
    """What was read for an exercise: the sentence of the rule that it breaks, if any, and the statements that run
    before it is called, by cell, each with its number in the cell and its line, which for imports is 0."""

    broken: str | None
    keep: dict[int, list[tuple[int, int]]]


class Reading:
    """What a child process has read in the cells of a submission: the numbers of our cells that need not run, and the
    rules of some exercises. `told` is None where that took too much; then all cells run, and no rule is known."""

    def __init__(self, cells: Sequence[CellText], exercises: Mapping[str, ToRead], seconds: float):
        for number, cell in enumerate(cells):
            if cell.ours:  # now, so that the child finds it
                names_of(cell.source, True)
                statements_of(number, cell)
        self.told: dict[str, Any] | None = None
        self.spared: list[int] = []
        with suppress(TookTooMuch):
            told = aside(lambda: read_all(cells, exercises), seconds, BYTES_TO_READ)
            self.told, self.spared = told["exercises"], told["spared"]
            for name in told["imported"]:  # what the child had to import stays for the next submission, if it is listed
                module_named(name)

    def is_apart(self, name: str) -> bool:
        """Whether the learner has statements that an exercise could feel, and that do not run for it."""
        return self.told is not None and bool(self.told[name].get("apart"))

    def of(self, name: str) -> ReadRules | None:
        """What was read for an exercise; None where that took too much. Raises RuntimeError for a fault of ours."""
        if self.told is None:
            return None
        told = self.told[name]
        if "failed" in told:
            raise RuntimeError(told["failed"])
        keep = {int(cell): [(number, line) for number, line in some] for cell, some in told["keep"].items()}
        return ReadRules(told["broken"], keep)


def read_all(cells: Sequence[CellText], exercises: Mapping[str, ToRead]) -> dict[str, Any]:
    """The child's part: our cells that need not run; what was read for each exercise, or the name of the error of ours;
    and the modules that were imported for it."""
    before, not_needed = set(sys.modules), sorted(spared(cells))
    text = AnswerText(cells)
    found = {}
    for name, exercise in exercises.items():
        try:
            kept = text.kept(exercise)
            keep = {cell: [(one.number, one.line) for one in some] for cell, some in kept.items()}
            found[name] = {"broken": text.broken_rule(exercise), "keep": keep, "apart": text.is_apart(exercise, kept)}
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            found[name] = {"failed": type(error).__name__}
    imported = [name for name in set(sys.modules) - before if name in MODULES]
    return {"spared": not_needed, "exercises": found, "imported": imported}
