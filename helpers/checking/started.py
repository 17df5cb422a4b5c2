"""Processes and threads that an answer starts: what watches over its calls sees those of its own thread only.

Python tells of each by an event of its audit, which nobody can take off. In the sandbox everything counts that was
started since the submission's process was forked, so that nothing waits for a call; elsewhere, as in a learner's own
notebook, what the thread of the call starts during it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

EVENTS = {
    "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "subprocess.Popen", "_thread.start_new_thread",
    "_thread.start_joinable_thread",
}  # fmt: skip
# Files of libraries that may start one: they run nothing of an answer's in it.
THEIRS = ("torch/_inductor/",)
STARTS = "The answer starts a process or a thread, where its calls cannot be seen: write it without."

WORKER = "confine"  # a module that only the sandbox's worker has under this name
STANDARD = os.path.dirname(os.__file__)  # the folder of Python's own library
PACKAGES = "-packages"  # as in site-packages, which lies in that folder

by_thread: list[int] = []  # for each that was started, the thread that has done so
sandboxed = False  # whether this process was forked for a submission


@dataclass
class Started:
    """What a call of an answer has started, as a sentence, when it is over."""

    fault: str | None = None


@contextmanager
def nothing_started() -> Iterator[Started]:
    """Look whether a process or a thread is started in here, or, in the sandbox, was before."""
    found, before = Started(), len(by_thread)
    try:
        with bars_left_alone():
            yield found
    finally:
        if (sandboxed and by_thread) or threading.get_ident() in by_thread[before:]:
            found.fault = STARTS


@contextmanager
def bars_left_alone() -> Iterator[None]:
    """Have tqdm, which torch imports where it is there, start no thread for its bars."""
    bars = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    if bars is None:
        yield
        return
    before, bars.monitor_interval = bars.monitor_interval, 0
    try:
        yield
    finally:
        bars.monitor_interval = before


def note(event: str, arguments: object) -> None:
    """An event of Python's audit."""
    if event in EVENTS and not is_theirs(sys._getframe(1)):
        by_thread.append(threading.get_ident())


def is_theirs(frame: FrameType | None) -> bool:
    """Whether a library that may do so starts something."""
    while frame is not None and is_looked_through(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and any(one in frame.f_code.co_filename.replace(os.sep, "/") for one in THEIRS)


def is_looked_through(file: str) -> bool:
    """Whether a file is ours, or of Python's own library, by whose hand others start something."""
    return file == __file__ or (file.startswith(STANDARD) and PACKAGES not in file.removeprefix(STANDARD))


def begin_anew() -> None:
    """In a forked process: nothing was started here yet."""
    global sandboxed
    sandboxed = WORKER in sys.modules
    by_thread.clear()
    if sandboxed and (bars := sys.modules.get("tqdm.std")):
        bars.tqdm.monitor_interval = 0  # for good: what a cell has started counts, too


def start_thread(*given: Any) -> Any:
    """Start a thread, and tell of it."""
    note("_thread.start_new_thread", given)
    return START_THREAD(*given)


sys.addaudithook(note)
if sys.version_info < (3, 12):  # Python tells of no threads yet
    START_THREAD = threading._start_new_thread  # type: ignore[attr-defined] # private to it
    threading._start_new_thread = start_thread  # type: ignore[attr-defined]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=begin_anew)
