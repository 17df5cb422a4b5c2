"""What stops a whole class's grading: a gradebook or a disk that takes nothing more. Each is told in one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbgrader.api import InvalidEntry
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, OperationalError

LOCK = ".grading"  # in the folder of the class; no process holds it when none grades
PATIENCE = 30  # seconds to wait for another program that writes into the gradebook
SAFE = "What was graded stays graded; run this again to go on."
LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay"}  # file systems
GRADEBOOK = {
    "connection": f"The gradebook's server does not answer, or refuses. Is it running, and may you use it? {SAFE}",
    "locked": f"The gradebook is in use by another program: a formgrader, or another grading. Close it. {SAFE}",
    "disk is full": f"The disk is full. Make room. {SAFE}",
    "readonly": "The gradebook, or the folder it is in, cannot be written. Ask its owner, or grade in a copy.",
    "unable to open": "The gradebook cannot be opened: is its folder there, and may you write in it?",
}
DISK = {
    errno.ENOSPC: f"The disk is full. Make room. {SAFE}",
    errno.EDQUOT: f"Your share of the disk is used up. Make room. {SAFE}",
    errno.EROFS: "The folder of the class cannot be written: its file system is read-only. Grade in a copy.",
}


class Stopped(BaseException):
    """Grading cannot go on, for this learner or any other; the text says why. It is no Exception, for nbgrader takes
    those for one learner's."""


@contextmanager
def stopping() -> Iterator[None]:
    """Raise Stopped where the gradebook or the disk takes nothing more."""
    try:
        yield
    except (DatabaseError, InvalidEntry) as problem:
        # nbgrader raises the second in place of the first where it adds something to the gradebook
        found = problem.__context__ if isinstance(problem, InvalidEntry) else problem
        if type(found) not in (OperationalError, DatabaseError):  # the second: the file is no database
            raise
        said = str(found.orig)
        known = (words for mark, words in GRADEBOOK.items() if mark in said)
        other = f"The gradebook cannot be read ({said}). Copy it first; then `nbgrader db upgrade` may mend it."
        raise Stopped(next(known, other)) from problem
    except OSError as problem:
        if problem.errno not in DISK:
            raise
        raise Stopped(DISK[problem.errno]) from problem


held = set[int]()  # locks of this process


def leave_locks() -> None:
    """Leave the locks to the process that this one was forked from: they are free when that one ends."""
    for handle in held:
        os.close(handle)
    held.clear()


@contextmanager
def alone(classroom: Path) -> Iterator[None]:
    """Grade a classroom in one run at a time. Raises Stopped where another run is at work; its end, however it comes,
    frees the classroom."""
    with stopping():
        classroom.mkdir(parents=True, exist_ok=True)
        handle = os.open(classroom / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped(
                "Another run is grading this classroom. Wait until it has ended, then run this again."
            ) from None
        held.add(handle)
        yield
    finally:
        held.discard(handle)
        os.close(handle)


@event.listens_for(Engine, "connect")
def set_up(connection: Any, _: object) -> None:
    """A gradebook in a file waits longer than the usual five seconds for whoever else writes into it, and keeps a
    write-ahead log, so that a formgrader reads while a class is graded (sqlite.org/wal.html). Not so on a network's
    file system, where such a log is not safe, and where the file, or its folder, cannot be written."""
    if not type(connection).__module__.startswith("sqlite3"):
        return
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")
    (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
    if file and is_local(Path(file)) and os.access(Path(file).parent, os.W_OK) and os.access(file, os.W_OK):
        with suppress(sqlite3.OperationalError):  # in use just now: it stays as it is
            connection.execute("PRAGMA journal_mode = WAL")


def is_local(file: Path) -> bool:
    """Whether a file's file system is this machine's own, as far as the system tells (proc_pid_mountinfo(5))."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    mounts = {line.split()[4]: line.partition(" - ")[2].split()[0] for line in lines}  # the last of a place counts
    place = next((str(one) for one in file.resolve().parents if str(one) in mounts), "/")
    return mounts.get(place) in LOCAL
