"""`infograd submit` and `infograd feedback`: what the Assignment List does, from a terminal, for any notebook file."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import Exchange, ExchangeFetchFeedback
from nbgrader.utils import compute_checksum, get_username, parse_utc
from traitlets.config import Config

from grading.classroom.exchange import DeskSubmit
from grading.classroom.learners import unfit
from grading.classroom.releases import release_folder
from grading.course import ROOT, NoSuchNotebook, course_settings, notebook_named
from grading.sandbox.sandbox import Limits
from grading.submission import Submission, Unreadable, answers_of, parse, read, read_submission

NOTEBOOKS = ROOT / "notebooks"
FOR_A_CLASS = "--class"


class NotHandedIn(ValueError):
    """What cannot be handed in; the text says why, and what to do."""


def submit(arguments: Sequence[str] | None = None) -> int:
    """`infograd submit`: hand in a notebook; says what was handed in, and where feedback will be."""
    parser = argparse.ArgumentParser(
        prog="infograd submit",
        description="Hand in a notebook. Save it first: what is not in the file is not handed in.",
        epilog="example: infograd submit 01",
    )
    parser.add_argument("notebook", help="such as 01, 01-information-identities, or a file from anywhere")
    parser.add_argument("--learner", metavar="ID", help="who hands it in; your account's name by default")
    options = parser.parse_args(arguments)
    try:
        hand_in(options.notebook, options.learner)
    except (NotHandedIn, ExchangeError) as problem:
        print(f"infograd submit: {problem}", file=sys.stderr)
        return 1
    return 0


def hand_in(given: str, learner: str | None) -> None:
    """Find the notebook, look at it, hand it in and report. Raises NotHandedIn, ExchangeError or OSError."""
    learner = named_learner(learner)
    file = find(given)
    name = which_notebook(file)
    settings = settings_for(name, learner)
    coursedir = CourseDirectory(config=settings)
    ours = nbformat.read(release_folder(coursedir, name) / f"{name}.ipynb", as_version=4)
    limits = Limits()
    submission = read_submission(file, ours, limits.notebook_bytes, limits.cell_characters)
    with tempfile.TemporaryDirectory(prefix="infograd-submit-") as folder:
        place = Path(folder) / name / f"{name}.ipynb"
        place.parent.mkdir()
        place.write_bytes(file.read_bytes())
        settings.Exchange.assignment_dir = folder
        sender = exchange(DeskSubmit, settings, coursedir)
        sender.start()
    moment = parse_utc(sender.timestamp).replace(tzinfo=UTC).astimezone()
    for line in report(file, learner, name, submission, moment.strftime("%Y-%m-%d %H:%M:%S %Z")):
        print(line)


def named_learner(given: str | None) -> str:
    """The learner's name, by default the account's. Raises NotHandedIn."""
    learner = given or get_username()
    if reason := unfit(learner):
        raise NotHandedIn(f"nobody can be called {learner!r}: {reason}. Name yourself with --learner.")
    return learner


def find(given: str) -> Path:
    """The file that is meant: a path, or the name of a notebook of the course, or its number. Raises NotHandedIn."""
    if Path(given).is_file():
        return Path(given)
    try:
        name = notebook_named(given, notebooks_here())
    except NoSuchNotebook as problem:
        raise NotHandedIn(f"{given!r} is no file, and {problem}") from None
    return NOTEBOOKS / name / f"{name}.ipynb"


def which_notebook(file: Path) -> str:
    """The notebook of the course that a file is, by its cells: the one with most of its answers. Raises NotHandedIn."""
    try:
        theirs = parse(read(file, Limits().notebook_bytes))
    except Unreadable as reason:
        raise NotHandedIn(f"{file} cannot be read. {reason}") from None
    counts = {
        name: len(answers_of(theirs, nbformat.read(NOTEBOOKS / name / f"{name}.ipynb", as_version=4)))
        for name in notebooks_here()
    }
    best = [name for name, count in counts.items() if count and count == max(counts.values())]
    if len(best) != 1:
        what = "could be any of " + ", ".join(best) if best else "is none of the course's notebooks"
        raise NotHandedIn(f"{file} {what}: hand in the one that you worked in.")
    return best[0]


def notebooks_here() -> list[str]:
    """The notebooks of the course."""
    return sorted(file.stem for file in NOTEBOOKS.glob("*/*.ipynb") if file.stem == file.parent.name)


def settings_for(assignment: str, learner: str) -> Config:
    """The course's settings for one assignment and learner."""
    settings = course_settings()
    settings.CourseDirectory.assignment_id = assignment
    settings.CourseDirectory.student_id = learner
    return settings


def exchange(kind: type[Exchange], settings: Config, coursedir: CourseDirectory) -> Any:
    """One of nbgrader's steps between desks; only its errors are told."""
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    return kind(coursedir=coursedir, authenticator=Authenticator(config=settings), config=settings)


def report(file: Path, learner: str, name: str, submission: Submission, handed_in: str) -> list[str]:
    """What was handed in, in a few lines."""
    seconds = time.time() - file.stat().st_mtime
    date = time.strftime("on %Y-%m-%d at %H:%M", time.localtime(file.stat().st_mtime))
    ago = f"{seconds / 60:.0f} minutes ago" if 60 <= seconds < 5400 else date
    open_ = [
        one.name for one in submission.answers if one.node.metadata.nbgrader.checksum == compute_checksum(one.node)
    ]
    done = len(submission.answers) - len(open_)
    lines = [
        f"Handed in {name} as {learner}, at {handed_in}.",
        f"  from       {file}, saved {ago}; what was written since is not in it",
        f"  answered   {done} of {len(submission.answers)}",
    ]
    if open_:
        lines.append(f"  untouched  {', '.join(open_)}")
    lines += [f"  note       {note}" for note in submission.irregularities]
    lines.append(f"Feedback: `infograd feedback {name}` fetches it when your teacher has released it.")
    return lines


def feedback(arguments: Sequence[str] | None = None) -> int:
    """`infograd feedback`: fetch the feedback on what was handed in, and say where it is; or make that of a class."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if FOR_A_CLASS in given:
        from grading.classroom.class_feedback import main

        return main([one for one in given if one != FOR_A_CLASS])
    parser = argparse.ArgumentParser(
        prog="infograd feedback",
        description="Fetch your teacher's feedback on a notebook that you have handed in, and say where its page is.",
        epilog="example: infograd feedback 01",
    )
    parser.add_argument("notebook", help="such as 01, 01-information-identities, or a file from anywhere")
    parser.add_argument("--learner", metavar="ID", help="who handed it in; your account's name by default")
    parser.add_argument(FOR_A_CLASS, action="store_true", help="for teachers: make the pages of all who were graded")
    options = parser.parse_args(given)
    try:
        file = find(options.notebook)
        name = file.stem if file.is_relative_to(NOTEBOOKS) else which_notebook(file)
        settings = settings_for(name, named_learner(options.learner))
        settings.Exchange.assignment_dir = str(NOTEBOOKS)
        fetcher = exchange(ExchangeFetchFeedback, settings, CourseDirectory(config=settings))
        released = Path(fetcher.root) / settings.CourseDirectory.course_id / "feedback"
        if released.is_dir():
            fetcher.start()
    except (NotHandedIn, ExchangeError) as problem:
        print(f"infograd feedback: {problem}", file=sys.stderr)
        return 1
    pages = sorted((NOTEBOOKS / name / "feedback").glob("*/*.html"))
    if not getattr(fetcher, "feedback_files", []):
        print(f"No feedback on {name} has been released yet.")
    elif pages:
        print(f"The newest feedback on {name}: {pages[-1]}")
    return 0
