"""Let the gradebook know an assignment, from its released notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry, Notebook, SubmittedNotebook

from grading.classroom.recording import one_transaction
from grading.matching import grade_id


def register(gradebook: Gradebook, assignment: str, files: Iterable[Path], regrade: bool = False) -> list[str]:
    """Let the gradebook know an assignment as it is released: its notebooks, cells and points, as nbgrader's
    generate_assignment would. Where it knows other points already, it follows the release; a cell that is no more in
    the release goes only with `regrade`, since marks of a person may hang on it. Returns a sentence for each
    difference."""
    try:
        found = gradebook.find_assignment(assignment)
        before, known = float(found.max_score), bool(found.notebooks)
    except MissingEntry:
        before, known = 0.0, False
    said: list[str] = []
    with one_transaction(gradebook):
        gradebook.update_or_create_assignment(assignment)
        for file in files:
            said += register_notebook(gradebook, assignment, nbformat.read(file, as_version=4), file.stem, regrade)
    if not known:
        return []
    gradebook.db.expire_all()
    total = float(gradebook.find_assignment(assignment).max_score)
    if total != before:
        said.append(f"The total of {assignment} was {before:g} points in the gradebook and is {total:g} now.")
    return said


def register_notebook(
    gradebook: Gradebook, assignment: str, notebook: NotebookNode, name: str, regrade: bool
) -> list[str]:
    """Register one notebook; returns what was different."""
    place = (name, assignment)
    try:
        points = {cell.name: float(cell.max_score) for cell in gradebook.find_notebook(*place).grade_cells}
        new = False
    except MissingEntry:
        gradebook.add_notebook(*place, kernelspec=json.dumps(notebook.metadata.get("kernelspec", {})))
        points, new = {}, True
    said: list[str] = []
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if not about.get("grade_id"):
            continue
        if about.get("grade"):
            said += [] if new else other_points(points.get(about.grade_id), about)
            values = {"max_score": float(about.points), "cell_type": cell.cell_type}
            gradebook.update_or_create_grade_cell(about.grade_id, *place, **values)
        if about.get("solution"):
            gradebook.update_or_create_solution_cell(about.grade_id, *place)
        source = {"cell_type": cell.cell_type, "locked": bool(about.get("locked")), "source": cell.source}
        gradebook.update_or_create_source_cell(about.grade_id, *place, **source, checksum=about.get("checksum"))
    gradebook.db.flush()
    recorded = gradebook.find_notebook(*place)
    said += remove_cells(gradebook, recorded, {str(grade_id(cell)) for cell in notebook.cells}, regrade)
    for submitted in recorded.submissions:
        complete(gradebook, submitted)
    return said


def other_points(known: float | None, about: NotebookNode) -> Iterator[str]:
    """What the gradebook had for a graded cell, if it was something else."""
    if known is None:
        yield f"{about.grade_id} is new in the release, with {about.points:g} points."
    elif known != float(about.points):
        yield f"{about.grade_id} had {known:g} points in the gradebook; the release says {about.points:g}."


def remove_cells(gradebook: Gradebook, notebook: Notebook, released: set[str], regrade: bool) -> list[str]:
    """Remove cells that are no more in the release, if that is wanted; returns a sentence for each."""
    gone = [cell for cell in (*notebook.grade_cells, *notebook.solution_cells) if cell.name not in released]
    if regrade:
        for cell in gone:
            for entry in [*getattr(cell, "grades", ()), *getattr(cell, "comments", ())]:
                gradebook.db.delete(entry)
            gradebook.db.delete(cell)
        for cell in notebook.source_cells:
            if cell.name not in released:
                gradebook.db.delete(cell)
        gradebook.db.flush()
        gradebook.db.expire(notebook)
    what = "the gradebook has dropped it." if regrade else "the gradebook keeps it until --regrade drops it."
    return [f"{name} is no more in the release; {what}" for name in sorted({cell.name for cell in gone})]


def complete(gradebook: Gradebook, submitted: SubmittedNotebook) -> None:
    """Give a submission that is in the gradebook an entry for each cell that came later."""
    graded, commented = {one.name for one in submitted.grades}, {one.name for one in submitted.comments}
    for cell in [*submitted.notebook.grade_cells, *submitted.notebook.task_cells]:
        if cell.name not in graded:
            gradebook.db.add(Grade(cell=cell, notebook=submitted))
    for cell in submitted.notebook.solution_cells:
        if cell.name not in commented:
            gradebook.db.add(Comment(cell=cell, notebook=submitted))
