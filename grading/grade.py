"""Grade one submission: read it, run and judge it, and say all that there is to record."""

from __future__ import annotations

import ast
import copy
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grading.exercises import IMPORTED_LATE, load, notebooks, version
from grading.feedback import graded_notebook
from grading.judge import Judgement, judge
from grading.sandbox.sandbox import Limits, NoSandbox, Sandbox
from grading.slicing import Shown, shown_by
from grading.source_rules import parse
from grading.submission import (
    NBGRADERS_OWN,
    SECONDS_TO_READ,
    HandedIn,
    Submission,
    handed_in,
    read_submission,
    sorted_cells,
)
from grading.verdict import (
    Outcome,
    Verdict,
    changed_answers,
    digests,
    exercise_verdict,
)
from helpers.checking.names import names_imported_by

FAILED = "The grader itself failed ({error}), and no answer was judged. Tell your teacher."


@dataclass
class GradedNotebook:
    """A graded notebook with its submission, judgement and verdict, and the answers that changed since the verdict
    before."""

    notebook: NotebookNode
    text: str  # of its file
    submission: Submission
    judgement: Judgement
    verdict: Verdict
    changed: set[str]


class Grader:
    """Grades one submission after another with one warm sandbox. Hidden cases are drawn from a pool of `seeds`, so that
    a class shares the work; without one each submission has a seed of its own."""

    def __init__(self, limits: Limits | None = None, confined: bool = True, seeds: Sequence[int] = ()):
        self.sandbox = Sandbox(limits, confined)
        self.seeds = seeds

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox."""
        self.sandbox.close()

    def grade(
        self,
        file: Path | HandedIn,
        released: Path,
        before: Verdict | None,
        seed: int | None = None,
        executed: Path | None = None,
    ) -> GradedNotebook:
        """Grade the submitted `file`, or what was taken of it, against the `released` notebook. Hidden cases are drawn
        from `seed`; by default from that of the verdict `before` if submission and exercises are the same, else from a
        new one. With the `executed` notebook that the release was made from, those of our cells that no answer needs do
        not run. Raises NoSandbox; nothing else for what was handed in: a fault of our own, wherever it is, is in the
        verdict, and a person must look."""
        ours = released_notebook(released, released.stat().st_mtime_ns)
        try:
            shown = self.shown(executed) if executed is not None and executed.is_file() else {}
            return self.graded(file, released, ours, before, seed, shown)
        except NoSandbox:
            raise
        except Exception as error:
            logging.exception("a submission could not be graded")
            return self.not_graded(released, error)

    def shown(self, executed: Path) -> Shown:
        """What our cells show in the executed notebook."""
        return shown_once(executed, executed.stat().st_mtime_ns, self.sandbox.limits.output_bytes)

    def seed_for(self, digest: str, current: str, before: Verdict | None) -> int:
        """The seed of the verdict before on the same submission by the same exercises, else one from the pool, which
        the submission's digest chooses, else a new one."""
        if before and (before.submission, before.exercises_version) == (digest, current):
            return before.seed
        return self.seeds[int(digest, 16) % len(self.seeds)] if self.seeds else secrets.randbits(63)

    def not_graded(self, released: Path, error: Exception) -> GradedNotebook:
        """Our notebook as it was released, with a verdict that says that the grader failed."""
        notebook = copy.deepcopy(released_notebook(released, released.stat().st_mtime_ns))
        submission = Submission(notebook, sorted_cells(notebook), "")
        verdict = Verdict(
            submission="",
            exercises_version="none",
            seed=0,
            sandbox=self.sandbox.confined,
            outcome="grader failed",
            reason=FAILED.format(error=type(error).__name__),
            irregularities=[],
            answers={},
            exercises={},
            failed={},
        )
        judgement = Judgement()
        return written(graded_notebook(submission, judgement, verdict), submission, judgement, verdict, set())

    def graded(
        self,
        file: Path | HandedIn,
        released: Path,
        ours: NotebookNode,
        before: Verdict | None,
        seed: int | None,
        shown: Shown,
    ) -> GradedNotebook:
        """Read, judge and write out a submission; the time that reading takes is part of the whole."""
        limits, name = self.sandbox.limits, released.stem
        begun = time.monotonic()
        given = file if isinstance(file, HandedIn) else self.take(file, released)
        seconds = min(SECONDS_TO_READ, limits.notebook_seconds)
        submission = read_submission(given, ours, limits.notebook_bytes, limits.cell_characters, seconds)
        current = version_now(name) if name in notebooks() else "none"
        seed = self.seed_for(submission.digest, current, before) if seed is None else seed
        left = limits.notebook_seconds - (time.monotonic() - begun)
        outcome, reason, judgement = self.judge(submission, name, seed, left, shown)
        verdict = Verdict(
            submission=submission.digest,
            exercises_version=current,
            seed=seed,
            sandbox=self.sandbox.confined,
            outcome=outcome,
            reason=reason,
            irregularities=[*submission.irregularities, *judgement.notes],
            answers=digests(submission),
            exercises={
                exercise: exercise_verdict(report, judgement.seconds_of.get(exercise, 0.0))
                for exercise, report in judgement.reports.items()
            },
            failed=judgement.failed,
            limits_hit=judgement.limits_hit,
            seconds={part: round(value, 4) for part, value in judgement.seconds.items()},
            memory_bytes=judgement.memory_bytes,
        )
        changed = changed_answers(verdict, before)
        return written(graded_notebook(submission, judgement, verdict), submission, judgement, verdict, changed)

    def take(self, file: Path, released: Path) -> HandedIn:
        """What was handed in as a file, and what is odd about its folder; nothing of it is read as a notebook."""
        ours = released_notebook(released, released.stat().st_mtime_ns)
        expected = {*NBGRADERS_OWN, *(one.name for one in released.parent.glob("*.ipynb"))}
        return handed_in(file, ours, self.sandbox.limits.notebook_bytes, expected)

    def judge(
        self, submission: Submission, name: str, seed: int, seconds: float, shown: Shown
    ) -> tuple[Outcome, str | None, Judgement]:
        """Judge what there is; once more, with as much time, where the warm process did not outlast the judging: what
        was lost with it is not the learner's fault."""
        if submission.unreadable is not None:
            return "unreadable", submission.unreadable, Judgement()
        ours = tuple(cell.node.source for cell in submission.cells if cell.kind == "ours")
        self.sandbox.prepare((*imported_by(ours), *IMPORTED_LATE.get(name, ())))
        starts = self.sandbox.starts
        try:
            first = self.judge_once(submission, name, seed, seconds, shown)
        except NoSandbox:
            if self.sandbox.is_warm:
                raise
        if self.sandbox.is_warm and self.sandbox.starts == starts:
            return first
        logging.warning("the sandbox's warm process ended; this submission is judged again in a new one")
        return self.judge_once(submission, name, seed, seconds, shown)

    def judge_once(
        self, submission: Submission, name: str, seed: int, seconds: float, shown: Shown
    ) -> tuple[Outcome, str | None, Judgement]:
        """Judge. A fault of our own is this submission's alone: told in the verdict, and no mark."""
        try:
            exercises = load(name) if name in notebooks() else {}
            return "graded", None, judge(submission, exercises, seed, self.sandbox, seconds, shown)
        except NoSandbox:
            raise
        except Exception as error:
            logging.exception("a submission could not be judged")
            return "grader failed", FAILED.format(error=type(error).__name__), Judgement()


def written(
    notebook: NotebookNode, submission: Submission, judgement: Judgement, verdict: Verdict, changed: set[str]
) -> GradedNotebook:
    """The graded notebook with the text of its file, which is in UTF-8 whatever a learner wrote."""
    text = nbformat.writes(notebook) + "\n"
    text.encode()
    return GradedNotebook(notebook, text, submission, judgement, verdict, changed)


@lru_cache(maxsize=16)
def released_notebook(file: Path, changed: int) -> NotebookNode:
    """A released notebook as it was at the time of its last change, read once for a class."""
    notebook: NotebookNode = nbformat.read(file, as_version=4)
    return notebook


@lru_cache(maxsize=16)
def shown_once(file: Path, changed: int, most: int) -> Shown:
    """What an executed notebook shows as it was at the time of its last change, read once for a class."""
    return shown_by(nbformat.read(file, as_version=4), most)


@lru_cache(maxsize=16)
def imported_by(sources: tuple[str, ...]) -> list[str]:
    """The modules that our cells import, and what may be one: a class needs them, and so they are imported once."""
    nodes = [node for source in sources if (tree := parse(source)) for node in ast.walk(tree)]
    imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    paths = {path for node in imports for _, path in names_imported_by(node)}
    return sorted({part for path in paths for part in (path, path.rpartition(".")[0]) if part})


version_now = cache(version)  # that of the definitions which this process has loaded


def is_older(verdict: Verdict | None, notebook: str) -> bool:
    """Whether a verdict was reached by another version of the exercises; one that cannot be read was."""
    return notebook in notebooks() and (verdict is None or verdict.exercises_version != version_now(notebook))
