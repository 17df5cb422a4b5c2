"""A control group around a sandbox, where the system lets one be made: the kernel then counts all memory of what runs
in it, files in memory and buffers of sockets, too (cgroups(7)). Where none can be made, `confine.watch` counts what
processes hold, and the filter of system calls keeps the rest from them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

PROC = Path("/proc/self")
MEMBERS = "cgroup.procs"
TRIES = 50  # to remove a group whose last process is still ending
numbers = count()


@dataclass(frozen=True)
class Names:
    """What the files of a group are called."""

    limit: str
    swap_limit: str
    used: str
    killed: str  # the file with a line "oom_kill N"


VERSION_2 = Names("memory.max", "memory.swap.max", "memory.current", "memory.events")
VERSION_1 = Names("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control")


@dataclass(frozen=True)
class Group:
    """A control group of our own."""

    place: Path
    names: Names

    def enter(self, command: list[str]) -> list[str]:
        """The command, started inside: with it all that it will ever start."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.place / MEMBERS), *command]

    def limit(self, more_bytes: int) -> None:
        """From now on it may take so many bytes more than it has; nothing of it is moved to swap."""
        bound = str(int((self.place / self.names.used).read_text()) + more_bytes)
        (self.place / self.names.limit).write_text(bound)
        with suppress(OSError):  # a kernel that does not count swap
            is_total = self.names is VERSION_1  # there it is memory and swap together
            (self.place / self.names.swap_limit).write_text(bound if is_total else "0")

    @property
    def killed(self) -> int:
        """How many of its processes the kernel has ended for want of memory."""
        with suppress(OSError):
            lines = (self.place / self.names.killed).read_text().splitlines()
            return sum(int(number) for name, number in map(str.split, lines) if name == "oom_kill")
        return 0

    def remove(self) -> None:
        """Remove the group, whose processes have been ended."""
        for _ in range(TRIES):
            with suppress(OSError):
                self.place.rmdir()
            if not self.place.exists():
                return
            time.sleep(0.02)


def make() -> Group | None:
    """A new group; None where this user cannot make one."""
    for parent, names in places():
        place = parent / f"infograd-{os.getpid()}-{next(numbers)}"
        with suppress(OSError):
            place.mkdir()
            if all((place / name).is_file() for name in (MEMBERS, names.limit, names.used)) and can_write(place):
                return Group(place, names)
            place.rmdir()
    return None


def can_write(place: Path) -> bool:
    """Whether processes of ours may be put into a group: that needs leave to take them out of where they are."""
    return os.access(place / MEMBERS, os.W_OK) and os.access(place.parent / MEMBERS, os.W_OK)


def places() -> Iterator[tuple[Path, Names]]:
    """Where a group could be made. In version 2 that is beside our own group: a group with processes in it has no
    groups with limits below it."""
    for mount, root, is_2 in mounts():
        for line in read_lines(PROC / "cgroup"):
            _, controllers, path = line.split(":", 2)
            if (is_2 and not controllers) or (not is_2 and "memory" in controllers.split(",")):
                own = mount / path.removeprefix(root).lstrip("/")
                yield (own if own == mount else own.parent, VERSION_2) if is_2 else (own, VERSION_1)


def mounts() -> Iterator[tuple[Path, str, bool]]:
    """Hierarchies that can count memory: where each is mounted, which part of it, and whether it is of version 2."""
    for line in read_lines(PROC / "mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            _, _, _, root, mount, *_ = before.split(" ")
            yield Path(mount), root, kind == "cgroup2"


def read_lines(file: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
