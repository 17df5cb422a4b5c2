"""Grading processes of this machine, for a class of more than a few."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

from grading.classroom import stopping
from grading.classroom.cluster import Cluster
from grading.classroom.tasks import GradingProcess, Release, Task

if TYPE_CHECKING:
    from grading.grade import GradedNotebook

WORTH_A_PROCESS = 10  # submissions: to warm one up takes as long as to grade so many
MOST_PROCESSES = 4  # by default; each takes up to 1 GB


class Team:
    """So many processes that grade, forked from this one with the first task; each does one task after another."""

    is_there = True

    def __init__(self, workers: int):
        self.slots = workers
        self.processes = [GradingProcess() for _ in range(workers)]
        self.idle: SimpleQueue[GradingProcess] = SimpleQueue()
        self.threads: ThreadPoolExecutor | None = None  # each waits for one process

    def submit(self, task: Task, release: Release) -> Future[GradedNotebook]:
        """Have a task done; in a new process, once, where the one that has it ends."""
        if self.threads is None:
            for one in self.processes:
                one.fork(stopping.leave_locks)
                self.idle.put(one)
            self.threads = ThreadPoolExecutor(self.slots)
        return self.threads.submit(self.grade, task, release)

    def grade(self, task: Task, release: Release) -> GradedNotebook:
        """A thread's part: let an idle process do a task."""
        process = self.idle.get()
        try:
            return process.grade(task, release)
        finally:
            self.idle.put(process)

    def close(self) -> None:
        """End the processes."""
        for one in self.processes:
            one.dismiss()
        if self.threads is not None:
            self.threads.shutdown(cancel_futures=True)
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
