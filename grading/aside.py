"""Work on a stranger's text in a child process with limits of its own.

Nothing of the text runs there, but reading alone can take for ever or all memory: a parser that is quadratic, a regular
expression that goes back and forth, a tree of a million nodes. What takes too much ends the child, and is an answer.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LENGTH = struct.Struct(">Q")


class TookTooMuch(Exception):
    """The work was not done within its limits."""


def aside(work: Callable[[], Any], seconds: float, memory_bytes: int) -> Any:
    """What `work` returns, as JSON can hold it, from a fork of this process that has so many seconds and so much memory
    more than this one. Raises TookTooMuch where no whole answer comes, and RuntimeError where the work raises an error
    of any other kind, with its name."""
    return Aside(work, seconds, memory_bytes).result()


class Aside:
    """Work that is done aside while this process does something else. `result` or `stop` must follow."""

    def __init__(self, work: Callable[[], Any], seconds: float, memory_bytes: int):
        self.deadline = time.monotonic() + seconds
        self.receiving, sending = os.pipe()
        self.child: int | None = os.fork()
        if self.child == 0:
            os.close(self.receiving)
            work_and_tell(work, sending, seconds, memory_bytes)
        os.close(sending)

    def result(self) -> Any:
        """What the work returns; waited for, at most up to its deadline. Raises as `aside` does."""
        try:
            told = read_all(self.receiving, self.deadline)
        finally:
            self.stop()
        if len(told) < LENGTH.size or LENGTH.unpack_from(told)[0] != len(told) - LENGTH.size:
            raise TookTooMuch
        answer = json.loads(told[LENGTH.size :])
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def stop(self) -> None:
        """End the child, if it is still there."""
        if self.child is not None:
            os.close(self.receiving)
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.child = None


def work_and_tell(work: Callable[[], Any], sending: int, seconds: float, memory_bytes: int) -> None:
    """The child's part. Does not return."""
    status = 1
    try:
        gc.freeze()  # a collection would write to all that this fork shares, and so copy it
        set_limits(seconds, memory_bytes)
        body = json.dumps(answer_of(work)).encode()
        with os.fdopen(sending, "wb") as stream:
            stream.write(LENGTH.pack(len(body)) + body)
        status = 0
    finally:
        os._exit(status)


def set_limits(seconds: float, memory_bytes: int) -> None:
    """Limit this process."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(FileNotFoundError):  # where there is no Linux to say what it has
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory_bytes,) * 2)


def answer_of(work: Callable[[], Any]) -> dict[str, Any]:
    """What the work returns, or the error of ours that ends it."""
    try:
        return {"value": work()}
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        return {"error": type(error).__name__}


def read_all(receiving: int, deadline: float) -> bytes:
    """What comes through a pipe up to its end, or up to the deadline."""
    parts = []
    while (left := deadline - time.monotonic()) > 0 and select.select([receiving], [], [], left)[0]:
        part = os.read(receiving, 1 << 20)
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
