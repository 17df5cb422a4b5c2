"""A PostgreSQL server of a test's own: Debian's, in a folder, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from glob import glob
from importlib.util import find_spec
from pathlib import Path

import pytest

USER = "postgres"  # whom Debian makes for it: the server does not run as root


def programs() -> Path:
    """Where the server's programs are; the test is skipped where there are none, or no driver."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb") or ""]
    if not found[-1]:
        pytest.skip("there is no PostgreSQL server (apt install postgresql)")
    if find_spec("psycopg") is None:
        pytest.skip("there is no driver for PostgreSQL (pip install -e '.[postgresql]')")
    return Path(found[-1]).parent


class Server:
    """A server with an empty database, in a folder of its own: pytest's are closed to other users."""

    def __init__(self) -> None:
        self.programs, self.user = programs(), USER if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="infograd-postgresql-"))
        if self.user:
            os.chown(self.folder, pwd.getpwnam(USER).pw_uid, -1)
        self.run("initdb", "-D", self.data, "-U", "teacher", "-A", "trust", "--no-sync")
        self.start()
        self.run("createdb", "-h", str(self.folder), "-U", "teacher", "course")

    @property
    def data(self) -> str:
        """The folder of its files."""
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        """The gradebook's address."""
        return f"postgresql+psycopg://teacher@/course?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs."""
        line = [str(self.programs / program), *arguments]
        subprocess.run(line, user=self.user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-l", str(self.folder / "log"), "-w", "-o", settings, "start")

    def stop(self) -> None:
        """Stop it at once."""
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """Stop it, if it runs, and remove its files."""
        with suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder)
