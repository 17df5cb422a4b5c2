"""`infograd grade`: grade what a class has handed in."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from nbgrader.converters.base import NbGraderException

from grading.classroom.nbgrader_plugin import SandboxedAutograde
from grading.course import course_directory


def main(arguments: Sequence[str] | None = None) -> int:
    """`infograd grade`: grade what was handed in for an assignment; what is graded already is left alone."""
    parser = argparse.ArgumentParser(prog="infograd grade", description="Grade what was handed in for an assignment.")
    parser.add_argument("assignment", help="such as 01-information-identities")
    parser.add_argument(
        "--learner", "--student", default="*", metavar="ID", help="only this learner; a pattern such as 'a*' is allowed"
    )
    parser.add_argument(
        "--regrade", action="store_true", help="grade again what was graded by an older version of the exercises"
    )
    parser.add_argument("--force", action="store_true", help="grade again whatever has been graded")
    parser.add_argument("--seed", type=int, default=-1, help="draw the hidden cases from this seed")
    parser.add_argument(
        "--without-sandbox", action="store_true", help="run learners' code unprotected; the gradebook says so"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    coursedir, config = course_directory(options.assignment, options.learner)
    config.SandboxedAutograde.without_sandbox = options.without_sandbox
    config.SandboxedAutograde.regrade = options.regrade
    config.SandboxedAutograde.seed = options.seed
    converter = SandboxedAutograde(coursedir=coursedir, config=config)
    converter.force = options.force
    try:
        converter.start()
    except NbGraderException as error:
        print(f"infograd grade: {error}", file=sys.stderr)
        return 1
    return 1 if converter.refused else 0
