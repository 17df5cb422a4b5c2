"""How fast a class is graded and gets its feedback, beside stock nbgrader on the same submissions, written to
benchmarks/results/bulk.json.

    python -m benchmarks.bulk [NOTEBOOK ...] [--submissions N] [--stock M]

N submissions of a notebook (100 by default), half of them the model answers and half with one answer replaced by a
misconception and another left as it was released, are graded by `infograd grade`, and `infograd feedback --class` makes
their pages. The first M of them (all by default) are graded by nbgrader's own autograde without our settings, which
runs every cell in a kernel and believes what it shows, half of them before and half after ours, so that a machine's
other work falls on both; then come its own pages. All times are from the command's start to its end but for the import
of Python's libraries and the making of an empty gradebook. Where the time goes: `calls_of_answers` are the learner's
calls, timed in the sandbox, which no grader could spare; `processor_seconds` say it apart from what else the machine
does: what the sandboxed processes use, and all else.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import logging
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from benchmarks.grading import hand_in
from grading.classroom.bulk import main as grade
from grading.classroom.class_feedback import main as feedback
from grading.course import ROOT
from grading.exercises import load, notebooks
from grading.exercises.as_text import NoText, answer_text
from grading.matching import grade_id
from helpers.files import write_whole

RESULT = ROOT / "benchmarks" / "results" / "bulk.json"


def main(arguments: Sequence[str]) -> int:
    """Measure the notebooks named (all by default), and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk")
    parser.add_argument("notebooks", nargs="*", default=notebooks())
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--stock", type=int)
    options = parser.parse_args(arguments)
    logging.getLogger().setLevel(logging.ERROR)
    before = json.loads(RESULT.read_text())["notebooks"] if RESULT.is_file() else {}
    for name in options.notebooks:
        before[name] = measure(name, options.submissions, options.stock or options.submissions)
        result = {"machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"}
        write_whole(RESULT, json.dumps({**result, "notebooks": dict(sorted(before.items()))}, indent=1) + "\n")
        print(name, json.dumps(before[name], indent=1), flush=True)
    return 0


def measure(name: str, count: int, stock: int) -> dict[str, Any]:
    """Seconds for each submission of a notebook, ours and nbgrader's."""
    with tempfile.TemporaryDirectory(prefix="infograd-bulk-") as folder:
        course = Path(folder)
        make_class(course, name, count)
        register_stock(course, name)
        with Gradebook(f"sqlite:///{course}/classroom/gradebook.db", "infograd"):
            pass  # nbgrader starts a program of its own for a new one
        learners = sorted(os.listdir(course / "classroom" / "submitted"))[:stock]
        theirs = stock_seconds(course, name, learners[: stock // 2])
        used = processor()
        ours = seconds_of(course, lambda: grade([name]))
        used = processor() - used
        theirs += stock_seconds(course, name, learners[stock // 2 :])
        their_pages = stock_pages(course, name)
        our_pages = seconds_of(course, lambda: feedback([name]))
        verdicts = [json.loads(file.read_text()) for file in (course / "classroom" / "verdicts").rglob("*.json")]
        assert len(verdicts) == count
        assert len(list((course / "classroom" / "feedback").rglob("*.html"))) == count

    def mean(values: Iterable[float]) -> float:
        return round(sum(values) / count, 4)

    parts = sorted({part for verdict in verdicts for part in verdict["seconds"]})
    return {
        "date": f"{date.today()}",
        "load_average": round(os.getloadavg()[0], 1),
        "submissions": count,
        "submissions_by_nbgrader": stock,
        "seconds_each": round(ours / count, 3),
        "seconds_each_by_nbgrader": round(theirs / stock, 3),
        "times_as_fast": round(theirs / stock / (ours / count), 1),
        "calls_of_answers_seconds_each": mean(one["seconds"] for v in verdicts for one in v["exercises"].values()),
        "parts_seconds_each": {part: mean(v["seconds"].get(part, 0.0) for v in verdicts) for part in parts},
        "processor_seconds_each_outside_the_sandbox": round(used / count, 4),
        "feedback_seconds_each": round(our_pages / count, 4),
        "feedback_seconds_each_by_nbgrader": round(their_pages / stock, 4),
        "feedback_times_as_fast": round(their_pages / stock / (our_pages / count), 1),
        "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def seconds_of(course: Path, command: Callable[[], int]) -> float:
    """Seconds that one of our commands takes in a course."""
    begun = time.perf_counter()
    with patch("grading.course.ROOT", course), contextlib.redirect_stderr(io.StringIO()):
        assert command() == 0
    return time.perf_counter() - begun


def processor() -> float:
    """Seconds of processors that this process and those which it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def stock_config(course: Path, name: str) -> Config:
    """The settings of a course of nbgrader's own."""
    config = Config()
    config.CourseDirectory = Config(
        root=str(course), course_id="stock", assignment_id=name, student_id="*", source_directory="solutions",
        release_directory="notebooks", submitted_directory=str(course / "some"), autograded_directory="stock",
        feedback_directory="stock-feedback", db_url=f"sqlite:///{course}/stock.db",
    )  # fmt: skip
    return config


def stock_seconds(course: Path, name: str, learners: Sequence[str]) -> float:
    """Seconds that nbgrader's own autograde takes for some learners."""
    shutil.rmtree(course / "some", ignore_errors=True)
    os.makedirs(course / "some")
    for student in learners:
        os.symlink(course / "classroom" / "submitted" / student, course / "some" / student)
    before = len(list((course / "stock").glob(f"*/{name}/{name}.ipynb")))
    seconds = run_stock(Autograde, stock_config(course, name))
    assert len(list((course / "stock").glob(f"*/{name}/{name}.ipynb"))) == before + len(learners)
    return seconds


def stock_pages(course: Path, name: str) -> float:
    """Seconds that nbgrader's own generate_feedback takes for what its autograde has graded."""
    return run_stock(GenerateFeedback, stock_config(course, name))


def run_stock(converter_class: type[BaseConverter], config: Config) -> float:
    """Seconds that one of nbgrader's own steps takes."""
    begun = time.perf_counter()
    converter = converter_class(coursedir=CourseDirectory(config=config), config=config)
    converter.log.setLevel(logging.CRITICAL)
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        converter.start()
    return time.perf_counter() - begun


def register_stock(course: Path, name: str) -> None:
    """Let nbgrader's gradebook know the assignment."""
    from nbgrader.api import Gradebook

    from grading.classroom.register import register

    with Gradebook(f"sqlite:///{course}/stock.db", "stock") as gradebook:
        register(gradebook, name, [course / "notebooks" / name / f"{name}.ipynb"])


def make_class(course: Path, name: str, count: int) -> None:
    """A course with one notebook, and its submissions."""
    released, perfect = hand_in(name, course)
    place = course / "notebooks" / name
    place.mkdir(parents=True)
    released.rename(place / released.name)
    for file in (f"solutions/{name}/{name}.ipynb", "nbgrader_config.py"):
        shutil.copy(ROOT / file, course / file)
    ours = nbformat.read(place / released.name, as_version=4)
    wrong = itertools.cycle(mistakes(name))
    for number in range(count):
        notebook = nbformat.read(perfect, as_version=4)
        if number % 2:
            exercise, text = next(wrong)
            left = list(load(name))[number % len(load(name))]
            stub = next(cell.source for cell in ours.cells if grade_id(cell) == left)
            for cell in notebook.cells:
                cell.source = {left: stub, exercise: text}.get(str(grade_id(cell)), cell.source)
        handed_in = course / "classroom" / "submitted" / f"learner{number:05}" / name / f"{name}.ipynb"
        write_whole(handed_in, nbformat.writes(notebook))


def mistakes(name: str) -> Iterator[tuple[str, str]]:
    """(exercise, text of a wrong answer) for each misconception that has a text."""
    for exercise, definition in load(name).items():
        for one in definition.misconceptions.values():
            with suppress(NoText):
                yield exercise, answer_text(name, one.functions)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
