"""`infograd due`: when an assignment is due, in people's own time zones, and who has longer."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties

from grading.classroom.learners import unfit
from grading.classroom.recording import enter_penalty, one_transaction
from grading.classroom.register import register
from grading.classroom.releases import release_folder
from grading.classroom.stopping import Stopped, stopping
from grading.course import assignment, course_directory


class NotSet(ValueError):
    """A date or an extension that cannot be; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Show or set when an assignment is due; penalties of what has been graded follow."""
    parser = argparse.ArgumentParser(
        prog="infograd due",
        description="Show or set when an assignment is due. With --learner, give one learner longer.",
        epilog="Late work loses what c.LateSubmissionPlugin.penalty_method in nbgrader_config.py says. "
        "example: infograd due 01-information-identities '2026-12-01 23:59' --zone Europe/Berlin",
    )
    parser.add_argument("assignment", type=assignment, help="such as 01, or 01-information-identities")
    parser.add_argument("when", nargs="?", help="such as '2026-12-01 23:59', or 'never'; without it: show")
    parser.add_argument("--zone", help="the time zone of WHEN, such as Europe/Berlin; this machine's by default")
    parser.add_argument("--learner", metavar="ID", help="an extension, for this learner alone")
    options = parser.parse_args(arguments)
    coursedir, config = course_directory(options.assignment)
    files = sorted(release_folder(coursedir, options.assignment).glob("*.ipynb"))
    if not files:
        name = options.assignment
        print(
            f"infograd due: {name} is not released; `nbgrader generate_assignment {name}` makes notebooks/{name}",
            file=sys.stderr,
        )
        return 1
    try:
        when = None if options.when in (None, "never") else moment(options.when, options.zone)
        with stopping(), Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            register(gradebook, options.assignment, files)
            if options.when is not None:
                with one_transaction(gradebook):
                    change(gradebook, options.assignment, when, options.learner)
                    penalise_again(gradebook, options.assignment, AssignLatePenalties(config=config))
            show(gradebook, options.assignment, options.zone)
    except (NotSet, Stopped) as problem:
        print(f"infograd due: {problem}", file=sys.stderr)
        return 1
    return 0


def moment(text: str, zone: str | None) -> datetime:
    """A date with its time, in UTC. An offset in the text counts before the zone. Raises NotSet."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NotSet(f"WHEN {text!r} is no date; write it as '2026-12-01 23:59'.") from None
    if found.tzinfo is None:
        place = zone_of(zone)
        found = found.astimezone() if place is None else found.replace(tzinfo=place)
    return found.astimezone(UTC)


def zone_of(name: str | None) -> ZoneInfo | None:
    """A time zone by name; None for this machine's. Raises NotSet."""
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(str(name), available_timezones(), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise NotSet(f"--zone: there is no time zone {name!r}{hint}") from None


def change(gradebook: Gradebook, assignment: str, when: datetime | None, learner: str | None) -> None:
    """Set the due date, or one learner's extension. Raises NotSet."""
    if learner is None:
        found = gradebook.update_or_create_assignment(assignment)
        found.duedate = when and when.replace(tzinfo=None)
        for submission in found.submissions if when is None else ():
            submission.extension = None  # nbgrader adds it to the due date without asking whether there is one
        return
    due = gradebook.find_assignment(assignment).duedate
    if due is None:
        raise NotSet(f"{assignment} has no due date, so nobody needs longer; set one first, without --learner.")
    if reason := unfit(learner):
        raise NotSet(f"--learner: nobody can be called {learner!r}: {reason}.")
    extension = None if when is None else when.replace(tzinfo=None) - due
    if extension is not None and extension.total_seconds() <= 0:
        raise NotSet(f"{assignment} is due at {due} UTC, which is not before {when}.")
    gradebook.update_or_create_student(learner)
    gradebook.update_or_create_submission(assignment, learner, extension=extension)


def penalise_again(gradebook: Gradebook, assignment: str, penalties: AssignLatePenalties) -> None:
    """Reckon the late penalties of all that has been handed in anew."""
    penalties.init_plugin()
    gradebook.db.flush()
    for submission in gradebook.find_assignment(assignment).submissions:
        for notebook in submission.notebooks:
            enter_penalty(gradebook, (notebook.name, assignment, submission.student.id), penalties)


def show(gradebook: Gradebook, assignment: str, zone: str | None) -> None:
    """Print when it is due, for all and for each who has longer."""
    place = zone_of(zone)

    def words(when: datetime) -> str:
        return when.replace(tzinfo=UTC).astimezone(place).strftime("%A %Y-%m-%d %H:%M %Z")

    found = gradebook.find_assignment(assignment)
    if found.duedate is None:
        print(f"{assignment} has no due date.")
        return
    print(f"{assignment} is due {words(found.duedate)}.")
    for submission in found.submissions:
        if submission.extension is not None:
            print(f"  {submission.student.id} has until {words(submission.duedate)}.")
