"""Grade submissions: graft, run, judge, and what there is to record."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grading import record
from grading.exercises import load, notebooks, version
from grading.exercises.exercise import Exercise
from grading.graft import Grafted, graft, others
from grading.judge import Judged, judge
from grading.sandbox.sandbox import Limits, NoSandbox, Sandbox

BESIDE = ("timestamp.txt", "submission_secret.txt")  # nbgrader puts them there


@dataclass
class Graded:
    """A graded notebook with its verdict, and the answers that changed since the verdict before."""

    notebook: NotebookNode
    judged: Judged
    verdict: dict[str, Any]
    changed: set[str]


class Grader:
    """Grades one submission after another with one warm sandbox."""

    def __init__(self, limits: Limits | None = None, confined: bool = True):
        self.sandbox = Sandbox(limits, confined)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox."""
        self.sandbox.close()

    def grade(self, file: Path, released: Path, verdict_file: Path, seed: int | None = None) -> Graded:
        """Grade the submitted `file` against the `released` notebook and write the verdict. Hidden cases are drawn from
        `seed`; by default from that of the verdict before if submission and exercises are the same, else from a new
        one. Raises NoSandbox; nothing else for what was handed in."""
        limits, name = self.sandbox.limits, released.stem
        ours = released_notebook(released, released.stat().st_mtime_ns)
        grafted = graft(file, ours, limits.notebook_bytes, limits.cell_characters)
        for sentence in others(file.parent, {*BESIDE, *(one.name for one in released.parent.glob("*.ipynb"))}):
            grafted.note(sentence)
        before = record.read_verdict(verdict_file)
        exercises, current = (load(name), version_now(name)) if name in notebooks() else ({}, "none")
        if seed is None:
            same = (before.get("submission"), before.get("exercises_version")) == (grafted.digest, current)
            seed = before["seed"] if same else secrets.randbits(63)
        judged = self.judge(grafted, exercises, seed)
        verdict = record.verdict(grafted, judged, current, seed, self.sandbox.confined)
        changed = record.changed_answers(verdict, before)
        notebook = record.fill_in(grafted, judged, self.sandbox.confined, limits.output_bytes)
        record.write_verdict(verdict_file, verdict)
        return Graded(notebook, judged, verdict, changed)

    def judge(self, grafted: Grafted, exercises: dict[str, Exercise], seed: int) -> Judged:
        """Judge what there is. A fault of our own is this submission's alone: noted there, told here, and no mark."""
        if grafted.problem is not None:
            return Judged()
        try:
            return judge(grafted.notebook, exercises, seed, self.sandbox)
        except NoSandbox:
            raise
        except Exception as error:
            logging.exception("a submission could not be judged")
            kind = type(error).__name__
            grafted.problem = f"The grader itself failed ({kind}), and no answer was judged. Tell your teacher."
            return Judged()


@lru_cache(maxsize=16)
def released_notebook(file: Path, changed: int) -> NotebookNode:
    """A released notebook as it was at the time of its last change, read once for a class."""
    return nbformat.read(file, as_version=4)


version_now = cache(version)  # that of the definitions which this process has loaded
