"""What a class handed in and what became of it, read from the files that grading leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.verdict import Verdict, read_verdict


class NothingGraded(ValueError):
    """There is no verdict on any submission of the assignment."""


@dataclass(frozen=True)
class Graded:
    """One learner's graded notebook: the verdict, and the text of each answer by its exercise's name."""

    learner: str
    verdict: Verdict
    answers: dict[str, str]

    @property
    def marks(self) -> float:
        """The marks of the core exercises, without extra credit and without what a person grades."""
        return sum(one.marks for one in self.verdict.exercises.values() if not one.stretch)


def read_class(classroom: Path, assignment: str) -> list[Graded]:
    """Every learner's verdict on an assignment, in the order of their names. Raises NothingGraded."""
    found = list(verdicts(classroom, assignment))
    if not found:
        raise NothingGraded(f"no submission of {assignment} has been graded; `infograd grade {assignment}` does it")
    return found


def verdicts(classroom: Path, assignment: str) -> Iterator[Graded]:
    """The verdicts that this version can read, each with its graded notebook's answers."""
    for file in sorted(classroom.glob(f"verdicts/*/{assignment}/{assignment}.json")):
        verdict = read_verdict(file)
        if verdict is not None:
            learner = file.parent.parent.name
            notebook = classroom / "autograded" / learner / assignment / f"{assignment}.ipynb"
            yield Graded(learner, verdict, answers_in(notebook))


def answers_in(notebook: Path) -> dict[str, str]:
    """The text of each answer in a graded notebook, by grade_id; none where the file is away."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return {}
    abouts = [(cell, cell["metadata"].get("nbgrader", {})) for cell in cells if cell["cell_type"] == "code"]
    return {about["grade_id"]: "".join(cell["source"]) for cell, about in abouts if about.get("solution")}
