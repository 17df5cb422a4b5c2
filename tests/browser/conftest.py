"""The course for the tests in a browser: a learner's JupyterLab and a teacher's formgrader, on one clone."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clones import environment, make_clone

TOKEN = "only-for-this-test"
OPTIONS = ["--no-browser", "--allow-root", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]


class Server:
    """A command of the course that serves pages, run by a person with a home of their own."""

    def __init__(self, course: Path, command: str, home: Path):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.place = free.getsockname()
        line = [str(course / "infograd"), command, *OPTIONS, f"--port={self.place[1]}"]
        self.said, self.ended = list[str](), threading.Event()
        self.process = subprocess.Popen(
            line, cwd="/", env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Read what the server says until it ends."""
        assert self.process.stdout is not None
        self.said.extend(self.process.stdout)
        self.ended.set()

    def url(self) -> str:
        """The address to open first, once the server answers there: it says so a moment before."""
        while not self.ended.wait(0.1):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(self.place):
                return f"http://127.0.0.1:{self.place[1]}/?token={TOKEN}"
        raise AssertionError("".join(self.said))


@dataclass(frozen=True)
class Course:
    """A clone of the course with its two servers, which start at the same time."""

    folder: Path
    lab: Server
    formgrader: Server


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """The clone that all tests in a browser share."""
    place = tmp_path_factory.mktemp("browser")
    folder = make_clone(place / "course")
    servers = [Server(folder, command, place / command) for command in ("lab", "formgrader")]
    try:
        yield Course(folder, *servers)
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            server.process.wait()
