"""The demonstration: a class hands in, is graded, gets feedback, and is reported on, in a folder of its own."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from tqdm import tqdm
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from grading.classroom.converters import FreshFeedback
from grading.classroom.nbgrader_plugin import SandboxedAutograde
from grading.course import ROOT, SETTINGS, with_exercises
from grading.demo.people import Learner, simulated_class
from grading.report.page import write_report

NOTEBOOK = "01-information-identities"
SIZE = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the whole circle and say where to look; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd demo",
        description="Grade a simulated class in a folder of its own, up to the teacher's report.",
        epilog="example: infograd demo 02-mutual-information --learners 20",
    )
    parser.add_argument("notebook", nargs="?", type=with_exercises, default=NOTEBOOK, help=f"default: {NOTEBOOK}")
    parser.add_argument("--learners", type=int, default=SIZE, metavar="N", help=f"default: {SIZE}")
    parser.add_argument("--seed", type=int, default=0, help="which class it is")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where; by default a temporary folder, which is kept")
    options = parser.parse_args(arguments)
    if options.learners < 1:
        print("infograd demo: --learners must be at least 1", file=sys.stderr)
        return 2
    if options.to is not None and (reason := unfit(options.to)):
        print(f"infograd demo: --to {options.to} {reason}", file=sys.stderr)
        return 2
    folder = options.to or Path(tempfile.mkdtemp(prefix="infograd-demo-"))
    try:
        play(options.notebook, folder.resolve(), options.learners, options.seed)
    except NbGraderException as error:
        print(f"infograd demo: {error}", file=sys.stderr)
        return 1
    return 0


def unfit(folder: Path) -> str | None:
    """Why a class cannot be played in a folder."""
    if folder.exists() and not folder.is_dir():
        return "is a file: give a folder"
    return "is not empty" if folder.exists() and any(folder.iterdir()) else None


def play(notebook: str, folder: Path, size: int, seed: int) -> None:
    """The whole circle in `folder`, with a line for each step. Raises NbGraderException."""
    made = make_course(notebook, folder)
    counts = Counter[str]()

    def hand_in() -> None:
        class_list = simulated_class(notebook, *made, size, seed)
        for learner in class_list:
            place = folder / "classroom" / "submitted" / learner.name / notebook / f"{notebook}.ipynb"
            place.parent.mkdir(parents=True)
            place.write_text(learner.text, encoding="utf-8")
            (place.parent / "timestamp.txt").write_text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
            counts[learner.kind] += 1
        enter(class_list, settings(folder, notebook))

    report = folder / "classroom" / "reports" / f"{notebook}.html"
    step(f"{size} learners hand in", hand_in)
    print("    " + ", ".join(f"{number} {kind}" for kind, number in counts.most_common()))
    step("their submissions are graded", lambda: convert(SandboxedAutograde, notebook, folder, size))
    step("feedback is written", lambda: convert(FreshFeedback, notebook, folder, size))
    step("the report is written", lambda: write_report(folder / "classroom", notebook, report))
    formgrader = shlex.join([sys.executable, "-m", "jupyterlab", "--LabApp.default_url=/formgrader"])
    print(f"\nThe report      {report}")
    print(f"The feedback    {folder / 'classroom' / 'feedback'}/NAME/{notebook}/{notebook}.html")
    print(f"The formgrader  cd {shlex.quote(str(folder))} && {formgrader}")
    print(f"\nRemove the folder {folder} when you have seen it.")


def make_course(notebook: str, folder: Path) -> tuple[Path, Path]:
    """A course in `folder` with one notebook; returns the learner's notebook and the executed one."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / SETTINGS, folder)
    places = []
    for room in ("notebooks", "solutions"):
        place = folder / room / notebook / f"{notebook}.ipynb"
        place.parent.mkdir(parents=True)
        shutil.copy(ROOT / room / notebook / f"{notebook}.ipynb", place)
        places.append(place)
    return places[0], places[1]


def settings(folder: Path, notebook: str) -> Config:
    """The settings of the course in `folder`, for one assignment."""
    config = PyFileConfigLoader(SETTINGS, path=str(folder)).load_config()
    config.CourseDirectory.assignment_id = notebook
    return config


def enter(class_list: Sequence[Learner], config: Config) -> None:
    """Tell the gradebook the learners' names and addresses, which formgrader shows."""
    with Gradebook(CourseDirectory(config=config).db_url) as gradebook:
        for one in class_list:
            first, last = one.full_name
            address = f"{one.name}@example.org"
            gradebook.update_or_create_student(one.name, first_name=first, last_name=last, email=address)


def convert(converter: type, notebook: str, folder: Path, size: int) -> None:
    """Run one of nbgrader's steps over the class with a progress bar; what it logs goes to a file in the folder."""
    config = settings(folder, notebook)
    log = logging.getLogger(f"infograd.demo.{converter.__name__}")
    log.propagate, log.handlers = False, [logging.FileHandler(folder / "log.txt", encoding="utf-8")]
    log.setLevel(logging.INFO)
    steps = converter(coursedir=CourseDirectory(config=config), config=config, log=log)
    finish = steps.set_permissions  # nbgrader's last act for each learner

    with tqdm(total=size, unit="learner", leave=False) as bar, contextlib.redirect_stderr(io.StringIO()):

        def count(assignment: str, learner: str) -> None:
            finish(assignment, learner)
            bar.update()

        steps.set_permissions = count
        steps.start()


def step(what: str, do: Callable[[], None]) -> None:
    """Do one step of the circle and say how long it took."""
    begun = time.monotonic()
    do()
    print(f"{time.monotonic() - begun:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
