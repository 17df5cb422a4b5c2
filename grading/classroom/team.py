"""Grading processes of this machine, for a class of more than a few."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING

from grading.classroom import stopping
from grading.classroom.cluster import Cluster
from grading.classroom.tasks import GradingProcess, Release, Task

if TYPE_CHECKING:
    from grading.grade import GradedNotebook

WORTH_A_PROCESS = 10  # submissions: to warm one up takes as long as to grade so many
MOST_PROCESSES = 4  # by default; each takes up to 1 GB


@dataclass(eq=False)
class Waiting:
    """A task that no process has yet, and what comes of it."""

    task: Task
    release: Release
    outcome: Future[GradedNotebook] = field(default_factory=Future)


class Team:
    """So many processes that grade, forked from this one with the first task; each does one task after another. Tasks
    of one seed go to the process that has drawn its hidden cases, unless another would have nothing to do."""

    is_there = True

    def __init__(self, workers: int):
        self.slots = workers
        self.processes = [GradingProcess() for _ in range(workers)]
        self.threads: list[Thread] = []  # each waits for one process
        self.waiting: list[Waiting] = []
        self.changed = Condition()  # held to look at what is waiting
        self.process_of: dict[int, int] = {}  # by seed, the process's number
        self.closed = False

    def submit(self, task: Task, release: Release) -> Future[GradedNotebook]:
        """Have a task done; in a new process, once, where the one that has it ends."""
        if not self.threads:
            for one in self.processes:
                one.fork(stopping.leave_locks)
            self.threads = [Thread(target=self.work, args=numbered) for numbered in enumerate(self.processes)]
            for thread in self.threads:
                thread.start()
        waits = Waiting(task, release)
        with self.changed:
            self.waiting.append(waits)
            self.changed.notify_all()
        return waits.outcome

    def work(self, number: int, process: GradingProcess) -> None:
        """A thread's part: let its process do one task after another."""
        while (one := self.next_for(number)) is not None:
            try:
                one.outcome.set_result(process.grade(one.task, one.release))
            except Exception as error:
                one.outcome.set_exception(error)

    def next_for(self, number: int) -> Waiting | None:
        """The task that has waited longest among those of a process's seeds, or else of all; None at the end."""
        with self.changed:
            while not self.waiting and not self.closed:
                self.changed.wait()
            if self.closed:
                return None
            for one in self.waiting:
                self.process_of.setdefault(one.task.seed, len(self.process_of) % self.slots)
            its_own = (one for one in self.waiting if self.process_of[one.task.seed] == number)
            taken = next(its_own, self.waiting[0])
            self.waiting.remove(taken)
            return taken

    def close(self) -> None:
        """End the processes; what is waiting is not done."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        for one in self.processes:
            one.dismiss()
        for thread in self.threads:
            thread.join()
        for waits in self.waiting:
            waits.outcome.cancel()
        for one in self.processes:
            one.close()


@contextmanager
def at_work(workers: int, address: str) -> Iterator[Team | Cluster | None]:
    """The workers, until the end; None where this process is to grade."""
    if workers == 1 and not address:
        yield None
        return
    team = Cluster(address) if address else Team(workers)
    try:
        yield team
    finally:
        team.close()


def worth(submissions: int) -> int:
    """How many processes it is worth to start for so many submissions."""
    return max(1, min(submissions // WORTH_A_PROCESS, os.cpu_count() or 1, MOST_PROCESSES))


def at_least_one(text: str) -> int:
    """A number from 1. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers; 1 takes one after another")
    return int(text)
