"""The learner's own table: which exercises are done. It is kept in one small file on the learner's machine."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

from helpers.checking import card, key
from helpers.checking.marking import NOT_ATTEMPTED, Report
from helpers.checking.shapes import Key
from helpers.files import write_whole

PATIENCE = 2.0  # seconds to wait for another notebook that is writing


def file() -> Path:
    """Where the table is kept: INFOGRAD_PROGRESS, or a file in the home folder."""
    return Path(os.environ.get("INFOGRAD_PROGRESS") or Path.home() / ".infograd-progress.json")


def remember(report: Report) -> None:
    """Write down the best marks for an exercise that was tried. A folder that cannot be written is no reason to fail a
    check."""
    if report.outcome == NOT_ATTEMPTED:
        return
    try:
        with alone():
            keep_damaged()
            done = recall()
            if done.get(report.exercise, {}).get("marks", -1.0) < report.marks:
                done[report.exercise] = {"marks": report.marks, "outcome": report.outcome}
                write_whole(file(), json.dumps(done, indent=1, sort_keys=True))
    except OSError:
        return


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else writes the table meanwhile: two notebooks may be open. After PATIENCE seconds it goes on without the
    lock, which some network folders do not give. Raises OSError where the folder cannot be written."""
    file().parent.mkdir(parents=True, exist_ok=True)
    with file().with_name(f"{file().name}.lock").open("a+") as lock:
        end = time.monotonic() + PATIENCE
        while not take(lock) and time.monotonic() < end:
            time.sleep(0.01)
        yield


def take(lock: IO[str]) -> bool:
    """Whether the lock is ours now; it is given back when its file is closed."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def keep_damaged() -> None:
    """Keep a table that cannot be read, under another name, before a new one is begun."""
    if trouble_reading():
        os.replace(file(), file().with_name(f"{file().name}.damaged"))


def recall() -> dict[str, Any]:
    """What has been written down; an unreadable file counts as empty."""
    try:
        done = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in done.items() if is_entry(v)} if isinstance(done, dict) else {}


def is_entry(value: object) -> bool:
    """Whether this is what an exercise's entry looks like that was tried; others used to be written down, too."""
    if not isinstance(value, dict) or value.get("outcome") == NOT_ATTEMPTED:
        return False
    return isinstance(value.get("marks"), (int, float))


def trouble() -> str | None:
    """What is wrong with the file of the table, and what to do; None where nothing is."""
    place = file()
    folder = next((one for one in place.parents if one.exists()), place.parent)
    if not folder.is_dir() or not os.access(folder, os.W_OK) or (place.exists() and not os.access(place, os.R_OK)):
        return (
            f"{place} cannot be written, so nothing is remembered. Set INFOGRAD_PROGRESS to a file in a folder of "
            "yours before you start JupyterLab."
        )
    if trouble_reading():
        return f"{place} is damaged. The next check keeps it as {place.name}.damaged, and begins a new table."
    return None


def trouble_reading() -> bool:
    """Whether the file is there and holds no table."""
    try:
        return not isinstance(json.loads(file().read_text(encoding="utf-8")), dict)
    except FileNotFoundError:
        return False
    except ValueError:
        return True


def progress() -> None:
    """Show which exercises of which notebook are done, and the marks earned so far."""
    done = recall()
    try:
        table = {one["notebook"]: rows_of(one, done) for one in key.keys(key.folder())}
    except key.KeyProblem as problem:
        card.show(card.notice("progress", str(problem)))
        return
    card.show(card.progress_table(table))
    if found := trouble():
        card.show(card.notice("progress", found))


def rows_of(one: Key, done: dict[str, Any]) -> list[tuple[str, float, bool, dict[str, Any]]]:
    """The rows of one notebook's answer key."""
    return [(name, entry["points"], entry["stretch"], done.get(name, {})) for name, entry in one["exercises"].items()]
