"""The learner's own table: which exercises are done. It is kept in one small file on the learner's machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from helpers.checking import card, key
from helpers.checking.marking import Report
from helpers.checking.shapes import Key
from helpers.files import write_whole


def file() -> Path:
    """Where the table is kept: INFOGRAD_PROGRESS, or a file in the home folder."""
    return Path(os.environ.get("INFOGRAD_PROGRESS") or Path.home() / ".infograd-progress.json")


def remember(report: Report) -> None:
    """Write down the best marks for an exercise. A folder that cannot be written is no reason to fail a check."""
    done = recall()
    before = done.get(report.exercise, {})
    if before.get("marks", -1.0) >= report.marks:
        return
    done[report.exercise] = {"marks": report.marks, "outcome": report.outcome}
    try:
        write_whole(file(), json.dumps(done, indent=1, sort_keys=True))
    except OSError:
        return


def recall() -> dict[str, Any]:
    """What has been written down; an unreadable file counts as empty."""
    try:
        done = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in done.items() if isinstance(v, dict)} if isinstance(done, dict) else {}


def progress() -> None:
    """Show which exercises of which notebook are done, and the marks earned so far."""
    done = recall()
    try:
        table = {one["notebook"]: rows_of(one, done) for one in key.keys(key.folder())}
    except key.KeyProblem as problem:
        card.show(card.notice("progress", str(problem)))
        return
    card.show(card.progress_table(table))


def rows_of(one: Key, done: dict[str, Any]) -> list[tuple[str, float, bool, dict[str, Any]]]:
    """The rows of one notebook's answer key."""
    return [(name, entry["points"], entry["stretch"], done.get(name, {})) for name, entry in one["exercises"].items()]
