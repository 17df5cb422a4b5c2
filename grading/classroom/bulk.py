"""`infograd grade`: grade what a class has handed in."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nbgrader.converters.base import NbGraderException
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError

from grading.classroom.nbgrader_plugin import SandboxedAutograde
from grading.classroom.team import at_least_one
from grading.course import assignment, course_directory


def main(arguments: Sequence[str] | None = None) -> int:
    """`infograd grade`: grade what was handed in for an assignment; what is graded already is left alone."""
    parser = argparse.ArgumentParser(
        prog="infograd grade",
        description="Grade what was handed in for an assignment. What has been graded and has not changed stays.",
        epilog="example: infograd grade 01-information-identities --learner ada",
    )
    parser.add_argument("assignment", type=assignment, help="such as 01, or 01-information-identities")
    parser.add_argument(
        "--learner", "--student", default="*", metavar="ID", help="only this learner; a pattern such as 'a*' is allowed"
    )
    parser.add_argument(
        "--regrade", action="store_true", help="grade again what was graded by an older version of the exercises"
    )
    parser.add_argument("--retry-failed", action="store_true", help="grade again where the grader itself failed")
    parser.add_argument(
        "--workers",
        type=at_least_one,
        default=0,
        metavar="N",
        help="grade so many at once, on this machine (by default as many as it has processors, up to four, for a class "
        "of more than a few)",
    )
    parser.add_argument("--scheduler", default="", metavar="ADDRESS", help="let the workers of this Dask cluster grade")
    parser.add_argument(
        "--db", type=database, metavar="URL", help="the gradebook, such as postgresql+psycopg://user@host/course"
    )
    parser.add_argument("--force", action="store_true", help="grade again whatever has been graded")
    parser.add_argument("--seed", type=int, default=-1, help="draw the hidden cases from this seed")
    parser.add_argument(
        "--without-sandbox", action="store_true", help="run learners' code unprotected; the gradebook says so"
    )
    options = parser.parse_args(arguments)
    coursedir, config = course_directory(options.assignment, options.learner)
    if options.db:
        coursedir.db_url = config.CourseDirectory.db_url = options.db
    config.SandboxedAutograde.without_sandbox = options.without_sandbox
    config.SandboxedAutograde.regrade = options.regrade
    config.SandboxedAutograde.workers = options.workers
    config.SandboxedAutograde.scheduler = options.scheduler
    config.SandboxedAutograde.seed = options.seed
    config.SandboxedAutograde.retry_failed = options.retry_failed
    converter = SandboxedAutograde(coursedir=coursedir, config=config)
    converter.force = options.force
    with logged(converter.classroom / "logs" / f"{options.assignment}.log") as log:
        try:
            converter.start()
        except NbGraderException as error:
            print(f"infograd grade: {error}", file=sys.stderr)
            return 1
        for sentence in converter.summary.sentences():
            log.handle(logging.makeLogRecord({"levelname": "INFO", "msg": sentence}))
            print(sentence)
    return 1 if converter.refused else 0


def database(text: str) -> str:
    """The address of a database whose driver is installed. Raises ArgumentTypeError."""
    try:
        create_engine(text)  # asks nobody yet
    except (ArgumentError, ModuleNotFoundError) as problem:
        form = "write it as sqlite:////home/me/gradebook.db or postgresql+psycopg://user@host/course"
        raise argparse.ArgumentTypeError(f"{text!r} is no gradebook's address ({problem}); {form}") from None
    return text


class Log(logging.FileHandler):
    """A log which a full disk cuts short and no more: grading itself says what is wrong with the disk."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Go on."""

    def close(self) -> None:
        """Close the file, whether or not its end could be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def logged(file: Path) -> Iterator[logging.Handler]:
    """Write what is logged to a file, behind what earlier runs wrote; and to the terminal, where a bar leaves room for
    warnings only. Gives what writes to the file alone."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler and sys.stderr.isatty():
            handler.setLevel(logging.WARNING)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        to_file: logging.Handler = Log(file, encoding="utf-8")
    except OSError:  # grading itself will say what is wrong with the folder
        to_file = logging.NullHandler()
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root.addHandler(to_file)
    try:
        yield to_file
    finally:
        root.removeHandler(to_file)
        root.setLevel(level)
        to_file.close()
