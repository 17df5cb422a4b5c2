"""The sandbox, seen from outside: start it warm, open a fresh process for each submission, ask it, end it.

bubblewrap makes the place (`command` says all that is in it), `worker` runs inside. A submission's process is a fork of
the warm one in namespaces of its own; it and all that it started are gone when `Process.end` returns.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import secrets
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from grading.course import ROOT
from grading.sandbox import group

INSIDE = Path(__file__).resolve().parent
PROGRAM = ("worker.py", "confine.py", "large_pages.py", "outputs.py")  # what of this folder the sandbox sees
HEADER = struct.Struct(">I")
MOST_PARTS = 1_000_000  # of one frame: a value has at most some 100,000 items
PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
HALF = re.compile(rb"\\\\|" + PAIR + rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})")
REPLACEMENT = rb"\ufffd"
SECONDS_TO_START = 180.0
SECONDS_TO_END = 20.0
LIBRARIES = ("torch", "numpy", "scipy", "matplotlib", "IPython", "ipywidgets", "jaxtyping", "tqdm")
ENVIRONMENT = {
    "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "learner", "LOGNAME": "learner", "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin", "MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp", "IPYTHONDIR": "/tmp", "PYTHONHASHSEED": "0",
    "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": "/tmp/triton",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one submission may take; SECURITY.md has the table, and says how nbgrader_config.py changes one."""

    notebook_bytes: int = 10 * 2**20
    cell_characters: int = 50_000
    cell_seconds: float = 60.0
    call_seconds: float = 60.0
    notebook_seconds: float = 300.0
    cpu_seconds: int = 300
    memory_bytes: int = 4 * 2**30
    processes: int = 64
    open_files: int = 256
    file_bytes: int = 64 * 2**20
    scratch_bytes: int = 256 * 2**20
    scratch_files: int = 10_000
    output_bytes: int = 200_000
    frame_bytes: int = 8 * 2**20
    reply_bytes: int = 32 * 2**20


class NoSandbox(RuntimeError):
    """The sandbox cannot be made here; the text says what is missing and what to do."""


class ProcessEnded(Exception):
    """The submission's process did not answer as it must, and has been ended; `why` is one word for it."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


class Sandbox:
    """A warm place to run submissions in. With `confined=False` it only looks like one: for machines without
    bubblewrap."""

    def __init__(self, limits: Limits | None = None, confined: bool = True):
        self.limits, self.confined = limits or Limits(), confined
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.mapped_pages = 0
        self.starts = 0
        self.imported: set[str] = set()
        self.group: group.Group | None = None

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_warm(self) -> bool:
        """Whether the warm process is there."""
        return self.control is not None and self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the warm process; raises NoSandbox where it does not come up."""
        if self.is_warm:
            return
        self.close()
        self.starts += 1
        ours, theirs = socket.socketpair()
        self.group = group.make() if self.confined else None
        with tempfile.TemporaryFile() as complaints, theirs:
            try:
                program = command(theirs.fileno(), self.confined)
                program = program if self.group is None else self.group.enter(program)
                self.process = subprocess.Popen(
                    program, pass_fds=[theirs.fileno()], env=ENVIRONMENT, cwd="/",
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints,
                )  # fmt: skip
            except OSError as error:
                raise NoSandbox(f"{error}. {REMEDY}") from error
            theirs.close()
            self.control = ours
            ours.settimeout(SECONDS_TO_START)
            try:
                self.await_size()
            except (OSError, ValueError) as error:
                self.close()
                raise NoSandbox(explain(complaints)) from error
            if self.group is not None:
                self.group.limit(self.limits.memory_bytes)

    def await_size(self) -> None:
        """Wait until the warm process is ready for the next order. Raises OSError and ValueError."""
        assert self.control is not None
        self.mapped_pages = json.loads(self.control.recv(4096))["mapped_pages"]

    def prepare(self, modules: Iterable[str]) -> None:
        """Have the warm process import modules of ours or of the libraries, if it has not. Where it does not outlast
        that, the next process starts it anew."""
        self.start()
        assert self.control is not None
        if missing := sorted(set(modules) - self.imported):
            self.imported.update(missing)
            with suppress(OSError, ValueError):
                self.control.sendall(json.dumps({"import": missing}).encode())
                self.await_size()
                if self.group is not None:
                    self.group.limit(self.limits.memory_bytes)

    def open(self) -> Process:
        """A fresh process for one submission; raises NoSandbox where the system refuses a step."""
        self.start()
        assert self.control is not None
        channel, their_channel = socket.socketpair()
        order, their_order = socket.socketpair()
        limits = {**asdict(self.limits), "mapped_pages": self.mapped_pages, "confined": self.confined}
        with their_channel, their_order:
            files = [their_channel.fileno(), their_order.fileno()]
            socket.send_fds(self.control, [json.dumps(limits).encode()], files)
        process = Process(self, channel, order)
        process.await_ready()
        return process

    def close(self) -> None:
        """End the warm process and everything in it."""
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if self.group is not None:
            self.group.remove()
        self.control = self.process = self.group = None
        self.imported = set()


class Process:
    """The connection to one submission's process."""

    def __init__(self, sandbox: Sandbox, channel: socket.socket, order: socket.socket):
        self.sandbox, self.channel, self.order = sandbox, channel, order
        self.report: dict[str, Any] | None = None
        self.bytes_read = 0
        self.killed_before = sandbox.group.killed if sandbox.group is not None else 0

    def await_ready(self) -> None:
        """Wait until the process is shut in; nothing of the learner's has run before."""
        try:
            first = self.read(time.monotonic() + SECONDS_TO_END)
        except ProcessEnded:
            raise NoSandbox(f"{self.end().get('message', 'the sandbox did not start')}. {REMEDY}") from None
        if first.get("ready") is not True:
            self.end()
            raise NoSandbox(f"{first.get('message')}. {REMEDY}")

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request, and return the one reply to it. Raises ProcessEnded, as `replies` does."""
        (reply,) = self.replies(request, seconds, 1)
        return reply

    def replies(
        self, request: dict[str, Any], seconds: float, most: int, latest: float = math.inf
    ) -> Iterator[dict[str, Any]]:
        """Send a request, and yield up to so many replies to it, as they come. Raises ProcessEnded, and ends the
        process, where one does not come within `seconds` of the one before, or before `latest` on the clock, or where
        anything else than a whole reply comes."""
        number = secrets.randbits(48)
        body = json.dumps({**request, "id": number}).encode()
        try:
            if select.select([self.channel], [], [], 0)[0]:
                raise ProcessEnded("talks unasked" if self.channel.recv(1, socket.MSG_PEEK) else "ended")
            self.channel.settimeout(seconds)
            self.channel.sendall(HEADER.pack(len(body)) + body)
            for expected in range(number, number + most):
                reply = self.read(min(time.monotonic() + seconds, latest))
                if reply.pop("id", None) != expected:
                    raise ProcessEnded("protocol")
                yield reply
        except TimeoutError:
            self.end()
            raise ProcessEnded("time") from None
        except OSError:
            self.end()
            raise ProcessEnded("ended") from None
        except ProcessEnded:
            self.end()
            raise

    def read(self, deadline: float) -> dict[str, Any]:
        """One frame from the process. Raises ProcessEnded."""
        (length,) = HEADER.unpack(self.read_bytes(HEADER.size, deadline))
        if length > self.sandbox.limits.frame_bytes:
            raise ProcessEnded("frame too large")
        self.bytes_read += length
        if self.bytes_read > self.sandbox.limits.reply_bytes:
            raise ProcessEnded("too much")
        return parsed(self.read_bytes(length, deadline))

    def read_bytes(self, count: int, deadline: float) -> bytes:
        """So many bytes, before the deadline."""
        parts, missing = [], count
        while missing:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProcessEnded("time")
            self.channel.settimeout(left)
            try:
                part = self.channel.recv(min(missing, 1 << 20))
            except TimeoutError:
                raise ProcessEnded("time") from None
            except OSError:
                raise ProcessEnded("ended") from None
            if not part:
                raise ProcessEnded("ended")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def end(self) -> dict[str, Any]:
        """End the process with all that it started, and say how it went; everything is dead when this returns."""
        if self.report is None:
            self.channel.close()
            self.report = self.await_report()
            self.order.close()
        return self.report

    def await_report(self) -> dict[str, Any]:
        """How the process ended, as its guard reports. Where no report comes the whole sandbox is ended, to be sure."""
        try:
            self.order.shutdown(socket.SHUT_WR)
            self.order.settimeout(SECONDS_TO_END)
            report = dict(json.loads(self.order.recv(4096)))
            if self.sandbox.group is not None and self.sandbox.group.killed > self.killed_before:
                report["why"] = "memory"
            return report
        except (OSError, ValueError):
            self.sandbox.close()
            return {"why": "lost", "memory_bytes": 0}


def parsed(body: bytes) -> dict[str, Any]:
    """The object in a frame, without halves of characters. Raises ProcessEnded for anything else, and for so many parts
    that reading them would take many times the frame's memory."""
    if sum(map(body.count, (b"[", b"{", b","))) > MOST_PARTS:
        raise ProcessEnded("frame too large")
    try:
        frame = json.loads(without_halves(body).decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise ProcessEnded("protocol") from None
    if type(frame) is not dict:
        raise ProcessEnded("protocol")
    return frame


def without_halves(body: bytes) -> bytes:
    """JSON with each escaped half of a character (a surrogate without its other half) replaced: such a text could not
    be written down. Escaped backslashes and whole pairs are passed over as what they are."""
    return HALF.sub(lambda found: REPLACEMENT if found.lastgroup else found[0], body)


def refuse(constant: str) -> float:
    """NaN and Infinity are not JSON."""
    raise ValueError(constant)


# ------------------------------------------------------------------------------------------------- the place
REMEDY = (
    "`infograd doctor` says what the sandbox needs; --without-sandbox grades unprotected, and says so in the gradebook"
)


def command(control: int, confined: bool) -> list[str]:
    """The command that starts the warm process."""
    if not confined:
        paths = [str(ROOT), *site_packages()]
        return [interpreter(), "-I", "-S", "-B", str(INSIDE / "worker.py"), "open", str(control), *paths]
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise NoSandbox(f"bubblewrap is not installed (apt install bubblewrap). {REMEDY}")
    packages = site_packages()
    places = [f"/course/packages/{number}" for number in range(len(packages))]
    binds = [("--ro-bind", folder, place) for folder, place in zip(packages, places, strict=True)]
    # fmt: off
    return [
        bubblewrap, *privileges(), "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net",
        "--unshare-cgroup-try", "--hostname", "course", "--new-session", "--die-with-parent",
        *system(), "--dir", "/course", "--dir", "/course/packages", *flat(binds), *hidden(packages, places),
        "--ro-bind", str(ROOT / "helpers"), "/course/helpers", "--tmpfs", "/course/helpers/keys",
        "--remount-ro", "/course/helpers/keys",
        *flat(("--ro-bind", str(INSIDE / name), f"/course/{name}") for name in PROGRAM),
        "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp",
        "--remount-ro", "/dev", "--remount-ro", "/",
        "--chdir", "/tmp", "--clearenv", *flat(("--setenv", *pair) for pair in ENVIRONMENT.items()),
        interpreter(), "-I", "-S", "-B", "/course/worker.py", "confined", str(control), *places,
    ]
    # fmt: on


def privileges() -> list[str]:
    """Root keeps just what it needs to become an ordinary user (see confine.leave_root); others need a user
    namespace."""
    if os.getuid() == 0:
        return ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", "--uid", "1000", "--gid", "1000"]


def interpreter() -> str:
    """The Python under the virtual environment: its own site-packages come in read-only, as a folder of data."""
    return os.path.realpath(sys.executable)


def site_packages() -> list[str]:
    """The folders in which the course's libraries are installed."""
    specs = (importlib.util.find_spec(name) for name in LIBRARIES)
    origins = [Path(spec.origin).resolve().parent.parent for spec in specs if spec is not None and spec.origin]
    return [str(folder) for folder in dict.fromkeys(origins)]


def system() -> list[str]:
    """The system's programs and libraries, and the interpreter's, read-only."""
    processor = "/sys/devices/system/cpu"  # PyTorch asks what the processor can do
    arguments = ["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    arguments += ["--ro-bind-try", processor, processor]
    for place in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(place):
            arguments += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            arguments += ["--ro-bind", place, place]
    home = Path(interpreter()).parent.parent
    if home.is_relative_to("/usr"):
        return arguments
    above = [str(folder) for folder in reversed(home.parents[:-1])]  # made first: bubblewrap would close them to others
    return [*arguments, *flat(("--dir", folder) for folder in above), "--ro-bind", str(home), str(home)]


def hidden(packages: list[str], places: list[str]) -> list[str]:
    """Cover what must not be seen where the course itself lies in a folder that is shown."""
    arguments = []
    for folder, place in [
        *zip(packages, places, strict=True),
        ("/usr", "/usr"),
        (str(Path(interpreter()).parent.parent),) * 2,
    ]:
        for name in ("grading", "solutions", "benchmarks", "classroom", "tests", ".git"):
            secret = ROOT / name
            if secret.is_dir() and secret.is_relative_to(folder):
                covered = str(Path(place) / secret.relative_to(folder))
                arguments += ["--tmpfs", covered, "--remount-ro", covered]
    return arguments


def flat(groups: Any) -> list[str]:
    """Groups of arguments as one list."""
    return [argument for group in groups for argument in group]


def explain(complaints: IO[bytes]) -> str:
    """Why the warm process did not come up, from what it wrote."""
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return f"The sandbox does not start: {lines[-1] if lines else 'no reason was given'}. {REMEDY}"
