"""Workers that grade on many machines: a Dask cluster. Who asks them records what comes back; they write nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from grading.classroom.stopping import Stopped
from grading.classroom.tasks import GradingProcess, Release, Task, setup

if TYPE_CHECKING:  # an extra of its own, imported where it is asked for
    from distributed import Client, Future

    from grading.grade import GradedNotebook

MISSING = "Workers of a scheduler need Dask: python -m pip install -c constraints.txt -e '.[cluster]'"
SECONDS_TO_CONNECT = 20
SECONDS_TO_START = 60  # of the first worker


class NoWorkers(Stopped):
    """The workers cannot be had, or have another setup than this process; the text says what to do."""


class Cluster:
    """The workers of the Dask scheduler at `address`. They are called with the first task."""

    def __init__(self, address: str):
        self.address = address
        self.client: Client | None = None
        self.releases: dict[Release, Future[Release]] = {}

    def connected(self) -> Client:
        """The connection to the scheduler. Raises NoWorkers."""
        if self.client is None:
            self.client = self.connect()
            self.must_be_as_here(self.client)
        return self.client

    def connect(self) -> Client:
        """Find the scheduler, and wait for a worker. Raises NoWorkers."""
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise NoWorkers(MISSING) from error
        logging.getLogger("distributed").setLevel(logging.ERROR)  # it tells of every worker that comes and goes
        try:
            client = distributed.Client(self.address, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise NoWorkers(f"There is no Dask scheduler at {self.address}: {error}") from error
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_START)
        except TimeoutError as error:
            client.close()
            raise NoWorkers(f"The Dask scheduler at {self.address} has no worker.") from error
        return client

    def must_be_as_here(self, client: Client) -> None:
        """Raise NoWorkers where a worker has another setup; one that joins later says so with its first task."""
        for address, theirs in client.run(setup).items():
            if others := list(setup().differences(theirs)):
                raise NoWorkers(f"The worker {address} has {'; '.join(others)}. Install there what is installed here.")

    @property
    def slots(self) -> int:
        """How many submissions are graded at once; at least one, for a worker may come."""
        return 1 if self.client is None else max(1, sum(self.client.nthreads().values()))

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
        """Leave the workers, which are others'."""
        if self.client is not None:
            self.client.close()


# ------------------------------------------------------------------------------------------------- in a worker
beside = GradingProcess()


def grade_beside(task: Task, release: Release) -> GradedNotebook:
    """A worker's part: have a task done in the process beside this one."""
    return beside.grade(task, release)
