"""`infograd feedback --class`: the pages of feedback for a class, by several processes."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from glob import glob

from nbgrader.converters.base import NbGraderException

from grading.classroom.converters import FreshFeedback
from grading.classroom.team import at_least_one, worth
from grading.course import assignment, course_directory


@dataclass(frozen=True)
class Made:
    """What came of a part of a class: pages made, submissions left as they were, and why some have no page."""

    pages: int
    unchanged: int
    problem: str | None


def main(arguments: Sequence[str]) -> int:
    """Make the feedback of a class. Returns 1 where some learner has none."""
    parser = argparse.ArgumentParser(
        prog="infograd feedback --class",
        description="Make the pages of feedback on what has been graded. What has not changed stays.",
        epilog="example: infograd feedback --class 01",
    )
    parser.add_argument("assignment", type=assignment, help="such as 01, or 01-information-identities")
    parser.add_argument("--learner", default="*", metavar="ID", help="only this learner; or a pattern such as 'a*'")
    parser.add_argument("--workers", type=at_least_one, default=0, metavar="N", help="make so many pages at once")
    parser.add_argument("--force", action="store_true", help="make again what has been made")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    name, learner = options.assignment, options.learner
    coursedir, _ = course_directory(name, learner)
    graded = glob(coursedir.format_path(coursedir.autograded_directory, learner, name), include_hidden=True)
    if not graded:
        print(f"infograd feedback: nothing of {name} is graded; `infograd grade {name}` does it.", file=sys.stderr)
        return 1
    parts = options.workers or worth(len(graded))
    part = partial(make, name, learner, options.force, parts)
    if parts == 1:
        found = [part(0)]
    else:
        with ProcessPoolExecutor(parts, multiprocessing.get_context("fork")) as pool:
            found = list(pool.map(part, range(parts)))
    for problem in (one.problem for one in found if one.problem):
        print(f"infograd feedback: {problem}", file=sys.stderr)
    pages, unchanged = sum(one.pages for one in found), sum(one.unchanged for one in found)
    print(f"{pages} pages made, {unchanged} unchanged. `nbgrader release_feedback {name}` hands them out.")
    return 1 if any(one.problem for one in found) else 0


def make(name: str, learner: str, force: bool, parts: int, first: int) -> Made:
    """Make the pages of one part of so many."""
    coursedir, config = course_directory(name, learner)
    converter = FreshFeedback(coursedir=coursedir, config=config)
    converter.force, converter.part = force, (first, parts)
    try:
        converter.start()
    except NbGraderException as problem:
        return Made(converter.made, converter.unchanged, str(problem))
    return Made(converter.made, converter.unchanged, None)
