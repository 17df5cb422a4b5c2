"""A class of thousands through the whole path in one run: time and memory against the number that is graded.

    python -m benchmarks.whole_class [--submissions N]

N submissions (10,000 by default) of a notebook with one exercise, each with a text of its own and every second one
wrong, are graded by `infograd grade`: read, run in the sandbox, judged, recorded in a gradebook, written out. The data
go to benchmarks/results/whole_class.json, and a figure beside it. Memory is that of all processes together, what they
share divided among them (proc_pid_smaps(5)); neither it nor the time of a submission should grow.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from matplotlib.figure import Figure
from nbformat import NotebookNode

from benchmarks.grading import hand_in
from grading.classroom import nbgrader_plugin
from grading.classroom.bulk import main as grade
from grading.course import ROOT
from grading.matching import grade_id
from helpers.files import write_whole

NOTEBOOK, EXERCISE = "01-information-identities", "entropy"
RESULT = ROOT / "benchmarks" / "results" / "whole_class.json"
POINTS = 100  # of the curves


def main(arguments: Sequence[str]) -> int:
    """Measure, write the data, draw the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_class")
    parser.add_argument("--submissions", type=int, default=10_000)
    count = parser.parse_args(arguments).submissions
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="infograd-class-") as folder:
        make_class(Path(folder), count)
        curve = measure(Path(folder), count)
    seconds = curve[-1]["seconds"]
    result = {
        "date": f"{date.today()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 1),
        "submissions": count,
        "seconds_each": round(seconds / count, 3),
        "curve": curve,
    }
    write_whole(RESULT, json.dumps(result, indent=1) + "\n")
    draw(result, RESULT.with_suffix(".svg"))
    print(json.dumps({key: value for key, value in result.items() if key != "curve"}, indent=1))
    return 0


def measure(course: Path, count: int) -> list[dict[str, float]]:
    """Seconds and megabytes after each hundredth of the class."""
    curve: list[dict[str, float]] = []
    real, graded = nbgrader_plugin.record, 0
    begun = time.perf_counter()

    def record(*arguments: Any) -> None:
        nonlocal graded
        real(*arguments)
        graded += 1
        if graded % max(1, count // POINTS) == 0 or graded == count:
            now = {"graded": graded, "seconds": round(time.perf_counter() - begun, 2), "megabytes": round(memory())}
            curve.append(now)

    with (
        patch("grading.course.ROOT", course),
        patch("grading.classroom.nbgrader_plugin.record", record),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        assert grade([NOTEBOOK]) == 0
    assert graded == count
    return curve


def memory() -> float:
    """Megabytes of this process and all that it has started."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
    family = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(proportional, family))


def proportional(process: int) -> float:
    """Megabytes of a process, its part of what it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def make_class(course: Path, count: int) -> None:
    """A course of one exercise, and what its class has handed in."""
    released, perfect = hand_in(NOTEBOOK, course)
    ours, right = (shortened(nbformat.read(file, as_version=4)) for file in (released, perfect))
    executed = shortened(nbformat.read(ROOT / "solutions" / NOTEBOOK / f"{NOTEBOOK}.ipynb", as_version=4))
    shutil.copy(ROOT / "nbgrader_config.py", course)
    for place, notebook in (("notebooks", ours), ("solutions", executed)):
        write_whole(course / place / NOTEBOOK / f"{NOTEBOOK}.ipynb", nbformat.writes(notebook))
    answer = next(cell for cell in right.cells if grade_id(cell) == EXERCISE)
    text = answer.source
    for number in range(count):
        wrong = text.replace("return", "return 2 *", 1) if number % 2 else text
        answer.source = f"{wrong}\n\n# {number}"
        file = course / "classroom" / "submitted" / f"learner{number:06}" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        write_whole(file, nbformat.writes(right))


def shortened(notebook: NotebookNode) -> NotebookNode:
    """A notebook's first cell of code, and the cells of the one exercise."""
    notebook.cells = list(kept(notebook.cells))
    return notebook


def kept(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """Those of its cells that stay."""
    code = [cell for cell in cells if cell.cell_type == "code" and grade_id(cell) is None]
    yield code[0]
    yield from (cell for cell in cells if grade_id(cell) in (EXERCISE, f"{EXERCISE}-check"))


def draw(result: dict[str, Any], file: Path) -> None:
    """Time and memory against the number that is graded."""
    graded = [one["graded"] for one in result["curve"]]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, key, label in zip(
        figure.subplots(1, 2), ("seconds", "megabytes"), ("seconds", "megabytes, all processes"), strict=True
    ):
        axes.plot(graded, [one[key] for one in result["curve"]])
        axes.set(xlabel="submissions graded", ylabel=label, xlim=(0, None), ylim=(0, None))
    figure.suptitle(f"One run of infograd grade, {result['machine']}, {result['date']}", fontsize="medium")
    figure.savefig(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
