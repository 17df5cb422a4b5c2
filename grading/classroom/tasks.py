"""A submission as a task for another process or another machine, and the process that does it.

A task holds all that grading needs but the course's code and libraries, which must be those of whoever asks (`Setup`).
It is done in a process of one thread, since reading a submission forks (see `grading.aside`), which a process with
threads must not do: a Dask worker keeps one such process beside it (`GradingProcess`).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import pickle
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nbformat import NotebookNode

from grading.classroom.warm import warm_grader
from grading.sandbox import large_pages
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

    @cached_property
    def digest(self) -> str:
        """By which folders are told apart."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @classmethod
    def of(cls, released: Path, executed: Path) -> Release:
        """That of two files, of which the executed one may be missing."""
        text = executed.read_text(encoding="utf-8") if executed.is_file() else None
        return cls(released.stem, released.read_text(encoding="utf-8"), text)

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Both as files in a folder, which are written once. The executed one is missing where there is none."""
        place = folder / self.digest
        released, executed = place / f"{self.name}.ipynb", place / "executed" / f"{self.name}.ipynb"
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
    if others := list(task.setup.differences(setup())):
        raise OtherSetup("; ".join(others))
    released, executed = release.files(folder)
    graded = warm_grader(task.limits, task.confined).grade(task.handed_in, released, task.before, task.seed, executed)
    return lean(graded)


def lean(graded: GradedNotebook) -> GradedNotebook:
    """What is recorded of a graded notebook: its text has the rest."""
    from grading.judge import Judgement

    for cell in graded.submission.cells:
        cell.node.pop("outputs", None)
    nothing = NotebookNode()
    submission = replace(graded.submission, notebook=nothing)
    return replace(graded, notebook=nothing, submission=submission, judgement=Judgement())


class GradingProcess:
    """A process of one thread that grades one task after another: a program of its own, or a fork of this process where
    `fork` was called."""

    def __init__(self) -> None:
        self.number: int | None = None  # the process's
        self.asking: BinaryIO
        self.answering: BinaryIO
        self.has = set[Release]()  # it is sent a release once
        self.folder: tempfile.TemporaryDirectory[str] | None = None  # for releases; this process removes it
        self.dismissed = False

    def grade(self, task: Task, release: Release) -> GradedNotebook:
        """Grade a task; in a new process, once, where the old one did not last. Raises what grading raises, and
        RuntimeError where the new one did not last either."""
        for _ in range(2):
            with suppress(OSError, EOFError, pickle.UnpicklingError):
                return self.ask(task, release)
            if self.dismissed:
                raise RuntimeError("the grading process was dismissed")
            self.close()
        raise RuntimeError("the grading process ended twice")

    def ask(self, task: Task, release: Release) -> GradedNotebook:
        """Send a task and wait for what comes of it."""
        if self.number is None:
            self.start()
        pickle.dump((task, release.name if release in self.has else release), self.asking)
        self.asking.flush()
        self.has.add(release)
        found: GradedNotebook | Exception = pickle.load(self.answering)
        if isinstance(found, Exception):
            raise found
        return found

    def start(self) -> None:
        """Start the program. It is no part of this process's group, whose end is told to it."""
        folder, (ours, theirs) = self.new_folder(), socket.socketpair()
        with theirs:
            program = [sys.executable, "-m", "grading.classroom.tasks", str(theirs.fileno()), str(folder)]
            started = subprocess.Popen(program, pass_fds=[theirs.fileno()], cwd=CODE, start_new_session=True)
        started.returncode = 0  # so that Popen waits for nothing: `close` does
        self.connect(started.pid, ours)

    def fork(self, first: Callable[[], None] = lambda: None) -> None:
        """Let a fork of this process grade, which has imported what that needs; it does `first` before anything else.
        This process must have no other thread."""
        folder, (ours, theirs) = self.new_folder(), socket.socketpair()
        number = os.fork()
        if number == 0:
            with suppress(BaseException):
                os.setsid()
                end_with_parent()
                ours.close()
                warm_grader.cache_clear()  # its sandbox is its own
                first()
                serve(theirs.makefile("rb"), theirs.makefile("wb"), folder)
            os._exit(0)
        theirs.close()
        self.connect(number, ours)

    def new_folder(self) -> Path:
        """A folder for releases, until the process ends."""
        self.folder = tempfile.TemporaryDirectory(prefix="infograd-release-")
        return Path(self.folder.name)

    def connect(self, number: int, ours: socket.socket) -> None:
        """Talk to the process with this number over a socket."""
        self.number, self.has = number, set()
        self.asking, self.answering = ours.makefile("wb"), ours.makefile("rb")
        ours.close()  # the two files keep it open

    def dismiss(self) -> None:
        """End the process in the middle of what it does; who waits for it is told."""
        self.dismissed = True
        if self.number is not None:
            os.kill(self.number, signal.SIGKILL)

    def close(self) -> None:
        """End the process."""
        if self.number is not None:
            os.kill(self.number, signal.SIGKILL)
            os.waitpid(self.number, 0)
            for stream in (self.asking, self.answering):
                with suppress(OSError):  # what was still to be sent
                    stream.close()
        if self.folder is not None:
            self.folder.cleanup()
        self.number = self.folder = None


def end_with_parent() -> None:
    """Have the kernel end this process with the one that forked it."""
    set_signal_at_parents_death = 1
    ctypes.CDLL(None).prctl(set_signal_at_parents_death, signal.SIGKILL, 0, 0, 0)


def serve(asked: BinaryIO, answers: BinaryIO, folder: Path) -> None:
    """Grade what is asked until nobody asks any more; releases are kept in a folder."""
    known: dict[str, Release] = {}
    ready = False
    with suppress(EOFError, OSError):
        while True:
            task, release = pickle.load(asked)
            if isinstance(release, Release):
                known[release.name] = release
            else:
                release = known[release]
            found: GradedNotebook | Exception
            try:
                found = grade(task, release, folder)
            except Exception as error:
                found = sendable(error)
            pickle.dump(found, answers)
            answers.flush()
            if not ready:  # with the first task comes all that is imported; from now on this process forks and forks
                large_pages.ready_to_fork()
                ready = True


def sendable(error: Exception) -> Exception:
    """An error that another process can read: itself, or what it says where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    from grading.classroom import tasks  # as others name it, so that what is sent has the names that they know

    with socket.socket(fileno=int(sys.argv[1])) as channel:
        tasks.serve(channel.makefile("rb"), channel.makefile("wb"), Path(sys.argv[2]))
