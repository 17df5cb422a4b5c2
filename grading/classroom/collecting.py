"""nbgrader's collecting, from an exchange that every learner may write to.

What lies there was put there by strangers: folders and files of any kind and name, links to what only the teacher may
read, work in somebody else's name. So a folder is opened below the exchange's own descriptor without following a link,
it must belong to the learner whose name it bears (or to whoever collects), and of what is in it only regular files with
released names are read, up to the limit of their size. They are handed in when the file system says that they were last
changed, which their owner cannot set. What is left aside is reported, and stops nobody else's collection.
"""

from __future__ import annotations

import fnmatch
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import check_mode, parse_utc
from traitlets import Integer

from grading.sandbox.sandbox import Limits
from grading.submission import DATE, SECRET
from helpers.checking.words import printable

MOST_BYTES_OF_A_SECRET = 1000
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
FOLDER = FILE | os.O_DIRECTORY
DATE_FORMAT = "%Y-%m-%d %H:%M:%S.%f UTC"


class LeftAside(ValueError):
    """Something in the exchange that is not collected; the text says why."""


@dataclass
class HandedIn:
    """One learner's folder in the exchange: its name there, when it was handed in, and its files; what they hold is
    read when they are written."""

    student: str
    folder: str
    time: datetime
    files: dict[str, bytes] = field(default_factory=dict)


class CarefulCollect(ExchangeCollect):
    """nbgrader's collect without its trust in what the exchange holds."""

    notebook_bytes = Integer(Limits().notebook_bytes, help="The largest notebook that is collected, in bytes.").tag(
        config=True
    )

    def init_src(self) -> None:
        """Find each learner's folder that is to be collected."""
        if self.coursedir.course_id == "":
            self.fail("No course id specified. Re-run with --course flag.")
        self.inbound_path = os.path.join(self.root, self.coursedir.course_id, "inbound")
        if not os.path.isdir(self.inbound_path):
            self.fail(f"Course not found: {self.inbound_path}")
        if not check_mode(self.inbound_path, read=True, execute=True):
            self.fail(f"You don't have read permissions for the directory: {self.inbound_path}")
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                self.duedate = gradebook.find_assignment(self.coursedir.assignment_id).duedate
            except MissingEntry:
                self.duedate = None
        self.left_aside = 0
        self.src_records = list(self.chosen())

    def chosen(self) -> Iterator[HandedIn]:
        """Of each learner what was handed in last, or last in time where that is asked for."""
        by_student: dict[str, list[HandedIn]] = {}
        for one in self.found():
            by_student.setdefault(one.student, []).append(one)
        for _, records in sorted(by_student.items()):
            in_time = [one for one in records if self.duedate is None or naive(one.time) <= self.duedate]
            some = in_time if in_time and self.before_duedate else records
            yield max(some, key=lambda one: one.time)

    def found(self) -> Iterator[HandedIn]:
        """What is there of the assignment, as far as it can be collected; the rest is reported."""
        inbound = os.open(self.inbound_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in sorted(os.listdir(inbound)):
                student, mark, when = name.partition(f"+{self.coursedir.assignment_id}+")
                if mark and fnmatch.fnmatchcase(student, self.coursedir.student_id or "*"):
                    try:
                        yield self.handed_in(inbound, name, student, when)
                    except (LeftAside, OSError) as problem:
                        self.leave_aside(name, problem)
        finally:
            os.close(inbound)

    def handed_in(self, inbound: int, name: str, student: str, when: str) -> HandedIn:
        """What a folder holds, unread. Raises LeftAside, or OSError where it cannot be opened."""
        if not is_name(student):
            raise LeftAside("its name begins with no learner's name")
        try:
            parse_utc(when.partition("+")[0])
        except (ValueError, OverflowError):
            raise LeftAside("its name holds no date") from None
        return self.opened(inbound, name, student, self.wanted(), read=False)

    def read(self, one: HandedIn) -> HandedIn:
        """The same with what its files hold: one learner's at a time, as there may be any number of folders. Raises
        LeftAside or OSError."""
        inbound = os.open(self.inbound_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            wanted = {file: most for file, most in self.wanted().items() if file in one.files}
            return self.opened(inbound, one.folder, one.student, wanted, read=True)
        finally:
            os.close(inbound)

    def opened(self, inbound: int, name: str, student: str, wanted: dict[str, int], read: bool) -> HandedIn:
        """What a folder holds of the `wanted` files. Raises LeftAside or OSError."""
        folder = os.open(name, FOLDER, dir_fd=inbound)
        try:
            about = os.fstat(folder)
            self.check_whose(about.st_uid, student)
            files, times = {}, []
            for file, most in wanted.items():
                try:
                    files[file], time = content(folder, file, most, about.st_uid, read)
                    times.append(time)
                except FileNotFoundError:
                    continue
                except (LeftAside, OSError) as problem:
                    self.leave_aside(f"{name}/{file}", problem)
            time = max(times, default=about.st_ctime)
        finally:
            os.close(folder)
        return HandedIn(student, name, datetime.fromtimestamp(time, UTC), files)

    def wanted(self) -> dict[str, int]:
        """The names of the files to collect, and the most bytes of each."""
        release = Path(self.coursedir.format_path(self.coursedir.release_directory, ".", self.coursedir.assignment_id))
        notebooks = {file.name: self.notebook_bytes for file in release.glob("*.ipynb")}
        return {**notebooks, SECRET: MOST_BYTES_OF_A_SECRET}

    def check_whose(self, owner: int, student: str) -> None:
        """Raise LeftAside for the folder of another learner than its name says."""
        if not self.check_owner or owner == me():
            return
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"user {owner}"
        if name != student:
            raise LeftAside(f"it is {name}'s, who is not {student}")

    def leave_aside(self, name: str, problem: Exception) -> None:
        """Report what is not collected."""
        self.left_aside += 1
        reason = problem.strerror if isinstance(problem, OSError) else str(problem)
        self.log.warning("Left aside: %s: %s", plain(name), plain(str(reason)))

    def copy_files(self) -> None:
        """Put what was handed in where it is graded."""
        assignment, course = self.coursedir.assignment_id, self.coursedir.course_id
        if self.src_records:
            self.log.info(
                "Processing %d submissions of '%s' for course '%s'", len(self.src_records), assignment, course
            )
        else:
            self.log.warning("No submissions of '%s' for course '%s' to collect", assignment, course)
        for one in self.src_records:
            try:
                self.put(one)
            except (LeftAside, OSError) as problem:
                self.leave_aside(one.folder, problem)
        if self.left_aside:
            self.log.warning("%d folders or files in the exchange were left aside; see above", self.left_aside)

    def put(self, one: HandedIn) -> None:
        """Write one learner's files whole or not at all, in place of what was collected before if they are newer."""
        assignment = self.coursedir.assignment_id
        place = Path(self.coursedir.format_path(self.coursedir.submitted_directory, one.student, assignment))
        if os.path.lexists(place):
            before = date_in(place / DATE)
            newer = self.update and (before is None or naive(one.time) > before)
            if not newer and not (self.before_duedate and before != naive(one.time)):
                if self.update:
                    self.log.info("No newer submission to collect: %s %s", one.student, assignment)
                return
            self.log.info("Updating submission: %s %s", one.student, assignment)
        else:
            self.log.info("Collecting submission: %s %s", one.student, assignment)
        one = self.read(one)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".collecting-", dir=place.parent) as scratch:
            made = Path(scratch) / "new"
            made.mkdir(mode=0o2770 if self.coursedir.groupshared else 0o755)
            for name, data in {**one.files, DATE: one.time.strftime(DATE_FORMAT).encode()}.items():
                (made / name).write_bytes(data)
                (made / name).chmod(0o664 if self.coursedir.groupshared else 0o644)
            if os.path.lexists(place):
                place.rename(Path(scratch) / "old")
            made.rename(place)


def content(folder: int, name: str, most: int, owner: int, read: bool) -> tuple[bytes, float]:
    """A file of the folder's owner, empty unless it is to be read, and when it was last changed. Raises LeftAside or
    OSError."""
    handle = os.open(name, FILE, dir_fd=folder)
    with os.fdopen(handle, "rb") as stream:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise LeftAside("it is no file")
        if about.st_uid != owner:
            raise LeftAside("it belongs to another user than the folder that it lies in")
        if about.st_size > most:
            raise LeftAside(f"it is larger than {most} bytes")
        return stream.read(most) if read else b"", os.fstat(handle).st_ctime


def me() -> int:
    """The user who collects."""
    return os.geteuid()


def is_name(student: str) -> bool:
    """Whether a text can be a learner's name: one part of a path, and one line, of letters that can be shown."""
    return bool(student) and student.isprintable() and "/" not in student and not student.startswith(".")


def plain(text: str) -> str:
    """A stranger's text in a message."""
    return printable(text.encode("utf-8", "replace").decode(), 300, "?")


def date_in(file: Path) -> datetime | None:
    """The date of what was collected before; None where there is none that can be read."""
    try:
        return naive(parse_utc(file.read_text(encoding="ascii").strip()))
    except (OSError, ValueError, OverflowError):
        return None


def naive(time: datetime) -> datetime:
    """A time in UTC as the gradebook keeps it, without its zone."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


__all__ = ["CarefulCollect", "is_name"]
