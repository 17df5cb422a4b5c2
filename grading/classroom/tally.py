"""What is said at the end of a run of grading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it needs torch, and nbgrader's other commands, which read this too, do not
    from grading.verdict import Verdict

MOST_FREQUENT = 3


@dataclass
class Summary:
    """Counts of a run; no verdict is kept."""

    graded: int = 0
    unreadable: int = 0
    grader_failed: int = 0
    unchanged: int = 0
    marks: float = 0.0
    mistakes: Counter[tuple[str, str]] = field(default_factory=Counter)  # by exercise and name
    told: dict[tuple[str, str], str] = field(default_factory=dict)  # the sentence that a learner read of each

    def add(self, verdict: Verdict) -> None:
        """Count one verdict; where a person must look it has no part in the mean."""
        if verdict.needs_a_person:
            self.grader_failed += 1
            return
        self.graded += 1
        self.unreadable += verdict.outcome == "unreadable"
        self.marks += sum(one.marks for one in verdict.exercises.values())
        for exercise, one in verdict.exercises.items():
            if one.misconception:
                self.mistakes[exercise, one.misconception] += 1
                self.told[exercise, one.misconception] = one.sentence or one.misconception

    def sentences(self) -> Iterator[str]:
        """The summary in words."""
        counts = f"{self.graded} graded ({self.unreadable} of them unreadable), {self.grader_failed} left to a person"
        yield f"{counts}, {self.unchanged} unchanged."
        if self.graded:
            yield f"Mean of those graded now: {self.marks / self.graded:.2f} points, stretch exercises included."
        for mistake, count in self.mistakes.most_common(MOST_FREQUENT):
            yield f"{mistake[0]}, told to {count}: {self.told[mistake]}"
