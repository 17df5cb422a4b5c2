"""What workers grade ahead of the submission that is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from grading.classroom.stopping import SAFE, Stopped
from grading.classroom.tasks import OtherSetup, Release, Task
from grading.sandbox.sandbox import NoSandbox

if TYPE_CHECKING:  # they need torch, and what nbgrader's other commands read does not
    from concurrent.futures import Future

    from distributed import Future as DaskFuture

    from grading.classroom.cluster import Cluster
    from grading.classroom.team import Team
    from grading.grade import GradedNotebook

AHEAD = 4  # submissions for each worker that are waiting for it, or whose results wait to be recorded


class NotForAWorker(Exception):
    """A submission that this process must look at itself."""


class Lost(Exception):
    """A submission whose workers were lost again and again."""


class Ahead:
    """The submissions to come: `reason` says why one is graded (None: it is not), and `task` makes a worker's task of
    one of its files. Without `workers` nothing is given out."""

    def __init__(
        self,
        workers: Team | Cluster | None,
        to_come: Iterable[tuple[str, list[str]]],
        reason: Callable[[str, list[str]], str | None],
        task: Callable[[Path, str], tuple[Task, Release]],
    ):
        self.workers, self.to_come = workers, iter(to_come)
        self.ask, self.task = reason, task
        self.reasons: dict[str, str | None] = {}  # of the next submissions, by learner
        self.given_out: dict[str, Future[GradedNotebook] | DaskFuture[GradedNotebook]] = {}  # by file

    def reason(self, student: str, files: list[str]) -> str | None:
        """Why a submission is graded; None where it is not. The workers are kept busy with those behind it."""
        self.give_out()
        return self.reasons.pop(student) if student in self.reasons else self.ask(student, files)

    def give_out(self) -> None:
        """Of the submissions to come, give the workers those that are to be graded."""
        while self.workers is not None and len(self.reasons) < AHEAD * self.workers.slots:
            if (following := next(self.to_come, None)) is None:
                return
            student, files = following
            self.reasons[student] = self.ask(student, files)
            if self.reasons[student] is not None:
                for file in files:
                    with suppress(NotForAWorker):
                        self.given_out[file] = self.workers.submit(*self.task(Path(file), student))

    def result(self, file: Path) -> GradedNotebook | None:
        """What a worker has made of a file; None where none was given it. Raises Stopped where there are no workers any
        more, or they cannot grade, and Lost."""
        if (given := self.given_out.pop(str(file), None)) is None:
            return None
        try:
            found: GradedNotebook = given.result()
            return found
        except (NoSandbox, OtherSetup) as problem:
            raise Stopped(str(problem)) from problem
        except Exception as error:
            if self.workers is None or not self.workers.is_there:
                raise Stopped(f"The workers are gone. {SAFE}") from error
            logging.exception("a submission was lost with its workers")
            raise Lost from error


def in_order(
    found: dict[str, list[str]], student_of: Callable[[str], str | None], left_out: Callable[[str], bool]
) -> Iterator[tuple[str, list[str]]]:
    """The learner and the files of each submission folder, in the order in which nbgrader takes them."""
    for folder in sorted(found):
        if not left_out(student := str(student_of(folder))):
            yield student, found[folder]
