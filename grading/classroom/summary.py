"""What a page of feedback leads with: one row for each graded cell, and the notebook's cells in parts.

Rows are made from the gradebook's marks and from what the grader wrote into the graded notebook's own metadata; nothing
that a learner wrote is read for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode

from helpers.checking.words import prose

# What a graded notebook and its verdict call these: imported from there, torch would come with them.
FACTS, CORRECT = "infograd", "correct"
BY_HAND = "graded by a person"
UNKNOWN = "not judged"
FOLDER = Path(__file__).resolve().parent / "templates"
TEMPLATES = Environment(loader=FileSystemLoader(FOLDER / "page"), autoescape=True)
TEMPLATES.filters["prose"] = prose


@dataclass(frozen=True)
class Row:
    """One graded cell: its grade_id, its exercise, the marks in words, the outcome, and what to mend."""

    cell: str
    name: str
    marks: str
    outcome: str
    sentence: str

    @property
    def good(self) -> bool:
        """Whether there is nothing to mend."""
        return self.outcome == CORRECT


@dataclass
class Part:
    """Cells that belong together: an exercise's answer and check, or (without a name) the course's own text."""

    name: str
    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """What a row's link leads to: the grade_id of the cell that is graded."""
        return next((str(about(cell)["grade_id"]) for cell in self.cells if about(cell).get("grade")), "")


def as_html(notebook: NotebookNode) -> str:
    """The table of a graded notebook."""
    return TEMPLATES.get_template("summary.html.j2").render(rows=rows(notebook))


def rows(notebook: NotebookNode) -> list[Row]:
    """The rows of a graded notebook."""
    facts = notebook.metadata.get(FACTS, {})
    return [row(cell.metadata.nbgrader, facts) for cell in notebook.cells if about(cell).get("grade")]


def row(cell: Any, facts: Any) -> Row:
    """The row of a graded cell; without the gradebook's marks (formgrader has fields for them) the grader's."""
    name = exercise_of(cell)
    if cell.get("solution"):
        marks = f"{cell['score']:g} of {cell['points']:g}" if "score" in cell else f"– of {cell['points']:g}"
        return Row(cell["grade_id"], name, marks, BY_HAND, first_line(cell.get("comment")))
    one = facts.get(name, {})
    marks = cell.get("score", one.get("marks") or 0.0)
    possible = f"{one['points']:g} extra credit" if one.get("stretch") else f"{cell['points']:g}"
    words = f"{marks:g} of {possible}"
    return Row(cell["grade_id"], name, words, one.get("outcome", UNKNOWN), one.get("sentence", ""))


def first_line(comment: object) -> str:
    """The beginning of a person's comment."""
    lines = str(comment or "").strip().splitlines()
    return lines[0] if lines else ""


def parts(notebook: NotebookNode) -> Iterator[Part]:
    """The notebook's cells, the course's own between the exercises."""
    for name, cells in groupby(notebook.cells, key=lambda cell: exercise_of(about(cell))):
        yield Part(name, list(cells))


def about(cell: NotebookNode) -> Any:
    """What nbgrader knows of a cell."""
    return cell.metadata.get("nbgrader", {})


def exercise_of(cell: Any) -> str:
    """The exercise that a cell's metadata name; nothing where they name none."""
    return str(cell.get("grade_id", "")).removesuffix("-check")
