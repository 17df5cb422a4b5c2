"""Workers that grade, on this machine or on many: a Dask cluster. Who asks them records what comes back; they write
nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from grading.classroom.stopping import Stopped
from grading.classroom.tasks import GradingProcess, Release, Task, setup

if TYPE_CHECKING:  # an extra of its own, imported where it is asked for
    from distributed import Client, Future, LocalCluster

    from grading.grade import GradedNotebook

MISSING = "Several workers need Dask: python -m pip install -c constraints.txt -e '.[cluster]'"
SECONDS_TO_CONNECT = 20
SECONDS_TO_START = 60  # of the first worker


class NoWorkers(Stopped):
    """The workers cannot be had, or have another setup than this process; the text says what to do."""


class Cluster:
    """A Dask cluster: one of this machine with so many workers, or the one whose scheduler has the `address`. It is
    called with the first task."""

    def __init__(self, workers: int, address: str):
        self.workers, self.address = workers, address
        self.local: LocalCluster | None = None
        self.client: Client | None = None
        self.releases: dict[Release, Future[Release]] = {}

    def connected(self) -> Client:
        """The connection to the scheduler. Raises NoWorkers."""
        if self.client is None:
            self.client = self.connect()
            self.must_be_as_here(self.client)
        return self.client

    def connect(self) -> Client:
        """Start or find the scheduler, and wait for a worker. Raises NoWorkers."""
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise NoWorkers(MISSING) from error
        logging.getLogger("distributed").setLevel(logging.ERROR)  # it tells of every worker that comes and goes
        if not self.address:  # one thread each: a worker waits for its own grading process
            with dask.config.set({"distributed.worker.daemon": False}):
                self.local = distributed.LocalCluster(
                    n_workers=self.workers, threads_per_worker=1, dashboard_address=None
                )
        try:
            client = distributed.Client(self.local or self.address, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise NoWorkers(f"There is no Dask scheduler at {self.address}: {error}") from error
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_START)
        except TimeoutError as error:
            client.close()
            raise NoWorkers(f"The Dask scheduler{self.address and ' at ' + self.address} has no worker.") from error
        return client

    def must_be_as_here(self, client: Client) -> None:
        """Raise NoWorkers where a worker has another setup; one that joins later says so with its first task."""
        for address, theirs in client.run(setup).items():
            if others := list(setup().differences(theirs)):
                raise NoWorkers(f"The worker {address} has {'; '.join(others)}. Install there what is installed here.")

    @property
    def slots(self) -> int:
        """How many submissions are graded at once; at least one, for a worker may come."""
        return self.workers if self.client is None else max(1, sum(self.client.nthreads().values()))

    @property
    def is_there(self) -> bool:
        """Whether the scheduler answers."""
        return self.client is not None and bool(self.client.status == "running")

    def submit(self, task: Task, release: Release) -> Future[GradedNotebook]:
        """Have a task done; where its worker is lost another one does it. Every worker gets a release once."""
        client = self.connected()
        if release not in self.releases:
            self.releases[release] = client.scatter(release, broadcast=True)
        return client.submit(grade_beside, task, self.releases[release], pure=False)

    def close(self) -> None:
        """End the workers of this machine, or leave those of others."""
        if self.client is not None:
            self.client.close()
        if self.local is not None:
            self.local.close()


@contextmanager
def at_work(workers: int, address: str) -> Iterator[Cluster | None]:
    """The workers, until the end; None where this process is to grade."""
    if workers == 1 and not address:
        yield None
        return
    cluster = Cluster(workers, address)
    try:
        yield cluster
    finally:
        cluster.close()


# ------------------------------------------------------------------------------------------------- in a worker
beside = GradingProcess()


def grade_beside(task: Task, release: Release) -> GradedNotebook:
    """A worker's part: have a task done in the process beside this one."""
    return beside.grade(task, release)
