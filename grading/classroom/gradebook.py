"""nbgrader's table of grades as CSV that a spreadsheet opens as text and numbers, never as formulas."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import CsvExportPlugin

COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


class SafeCsvExportPlugin(CsvExportPlugin):
    """The columns of nbgrader's own export, quoted as CSV is, with formulas made text (OWASP, CSV injection)."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the table to `--to`, or to grades.csv."""
        file = Path(self.to or "grades.csv")
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for assignment in gradebook.assignments:
            for student in gradebook.students:
                if chosen(assignment.name, self.assignment) and chosen(student.id, self.student):
                    writer.writerow(safe(value) for value in line(gradebook, assignment, student))
        part = file.with_name(file.name + ".tmp")
        part.write_text(stream.getvalue(), encoding="utf-8")
        os.replace(part, file)
        self.log.info("Exported grades to %s", file)


def chosen(name: str, wanted: list[Any]) -> bool:
    """Whether a name is asked for; all are if none is."""
    return not wanted or name in map(str, wanted)


def line(gradebook: Gradebook, assignment: Any, student: Any) -> list[Any]:
    """One learner's line for one assignment; 0 where nothing was handed in."""
    about = [student.id, student.last_name, student.first_name, student.email]
    try:
        submission = gradebook.find_submission(assignment.name, student.id)
    except MissingEntry:
        return [assignment.name, assignment.duedate, None, *about, 0.0, 0.0, 0.0, assignment.max_score]
    raw, penalty = submission.score, submission.late_submission_penalty
    final = max(0.0, raw - penalty)
    return [
        assignment.name,
        assignment.duedate,
        submission.timestamp,
        *about,
        raw,
        penalty,
        final,
        assignment.max_score,
    ]


def safe(value: Any) -> str:
    """A value as a cell: numbers as they are, text without line ends, and with an apostrophe before what would
    compute."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return "'" + text if str(value).startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text
