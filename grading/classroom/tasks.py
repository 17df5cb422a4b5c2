"""A submission as a task for another process or another machine, and the process that does it.

A task holds all that grading needs but the course's code and libraries, which must be those of whoever asks (`Setup`).
It is done in a process of one thread, since reading a submission forks (see `grading.aside`), which a process with
threads must not do: a Dask worker keeps one such process beside it (`GradingProcess`).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from helpers.files import write_whole

if TYPE_CHECKING:  # they need torch, which is imported where something is graded
    from grading.grade import GradedNotebook
    from grading.submission import HandedIn
    from grading.verdict import Verdict

CODE = Path(__file__).resolve().parents[2]
ROOMS = ("grading", "helpers")
LIBRARIES = ("torch", "triton", "numpy", "scipy", "matplotlib", "ipython")


class OtherSetup(RuntimeError):
    """What is to grade is not what asks; the text says in what they differ."""


@dataclass(frozen=True)
class Setup:
    """What a verdict depends on besides its submission: the course's code, Python and the libraries."""

    course: str  # a digest
    python: str
    libraries: tuple[tuple[str, str], ...]

    def differences(self, other: Setup) -> Iterator[str]:
        """What another setup has that this one has not, in words."""
        if self.course != other.course:
            yield "another version of the course"
        if self.python != other.python:
            yield f"Python {other.python} for {self.python}"
        theirs = dict(other.libraries)
        yield from (
            f"{name} {theirs.get(name)} for {mine}" for name, mine in self.libraries if theirs.get(name) != mine
        )


@cache
def setup() -> Setup:
    """That of this process."""
    digest = hashlib.sha256()
    for file in sorted(file for room in ROOMS for file in (CODE / room).rglob("*.py")):
        digest.update(f"{file.relative_to(CODE)}\0".encode() + file.read_bytes() + b"\0")
    return Setup(digest.hexdigest(), platform.python_version(), tuple((name, version(name)) for name in LIBRARIES))


@dataclass(frozen=True)
class Release:
    """A notebook as it was released, and the executed one that it was made from, as the texts of their files."""

    name: str
    released: str
    executed: str | None

    @classmethod
    def of(cls, released: Path, executed: Path) -> Release:
        """That of two files, of which the executed one may be missing."""
        text = executed.read_text(encoding="utf-8") if executed.is_file() else None
        return cls(released.stem, released.read_text(encoding="utf-8"), text)

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Both as files in a folder, which are written once. The executed one is missing where there is none."""
        digest = hashlib.sha256(repr(self).encode()).hexdigest()
        released, executed = folder / digest / f"{self.name}.ipynb", folder / digest / "executed" / f"{self.name}.ipynb"
        if not released.is_file():
            if self.executed is not None:
                write_whole(executed, self.executed)
            write_whole(released, self.released)
        return released, executed


@dataclass(frozen=True)
class Task:
    """A submission to grade from a seed, with the verdict before; `limits` and `confined` are the sandbox's."""

    setup: Setup
    limits: tuple[tuple[str, Any], ...]
    confined: bool
    handed_in: HandedIn
    before: Verdict | None
    seed: int


def grade(task: Task, release: Release, folder: Path) -> GradedNotebook:
    """Grade a task in this process, which keeps releases in a folder. Raises OtherSetup and NoSandbox."""
    from grading.classroom.warm import warm_grader
    from grading.judge import Judgement

    if others := list(task.setup.differences(setup())):
        raise OtherSetup("; ".join(others))
    released, executed = release.files(folder)
    graded = warm_grader(task.limits, task.confined).grade(task.handed_in, released, task.before, task.seed, executed)
    return replace(graded, judgement=Judgement())  # its verdict says all that is recorded


class GradingProcess:
    """A process of one thread that grades one task after another."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def grade(self, task: Task, release: Release) -> GradedNotebook:
        """Grade a task; in a new process, once, where the old one did not last. Raises what grading raises, and
        RuntimeError where the new one did not last either."""
        for _ in range(2):
            with suppress(OSError, EOFError, pickle.UnpicklingError):
                return self.ask(task, release)
            self.close()
        raise RuntimeError("the grading process ended twice")

    def ask(self, task: Task, release: Release) -> GradedNotebook:
        """Send a task and wait for what comes of it."""
        if self.process is None:
            program = [sys.executable, "-m", "grading.classroom.tasks"]
            self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CODE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump((task, release), self.process.stdin)
        self.process.stdin.flush()
        found: GradedNotebook | Exception = pickle.load(self.process.stdout)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            with suppress(OSError):  # what was still to be sent
                self.process.communicate()
        self.process = None


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Grade what is asked until nobody asks any more."""
    with tempfile.TemporaryDirectory(prefix="infograd-release-") as folder, suppress(EOFError, BrokenPipeError):
        while True:
            task, release = pickle.load(asked)
            found: GradedNotebook | Exception
            try:
                found = grade(task, release, Path(folder))
            except Exception as error:
                found = error
            pickle.dump(found, answers)
            answers.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints shall not write among the answers
    from grading.classroom import tasks  # as others name it, so that what is sent has the names that they know

    tasks.serve(sys.stdin.buffer, answers)
