"""Learners whom a teacher adds by name, on formgrader's page or by `nbgrader db student`: a name that cannot be used is
refused with the reason."""

from __future__ import annotations

import sys
from typing import Any

import nbgrader.apps.dbapp
from nbgrader.api import Gradebook, Student

from grading.classroom.learners import unfit

FORMGRADERS_HANDLERS = "nbgrader.server_extensions.formgrader.apihandlers"
PAGE = "manage_students.js"  # the script of formgrader's page
# nbgrader's script shows a new learner before the server has answered, and says nothing where it refuses
TELL = (
    "<script>$(document).ajaxError((event, answer) => "
    "{ alert((answer.responseJSON || {message: 'Not saved.'}).message); location.reload(); });</script>"
)


def use() -> None:
    """Refuse such names in this process's commands, and in its formgrader."""
    nbgrader.apps.dbapp.Gradebook = Roster
    if FORMGRADERS_HANDLERS in sys.modules:
        sys.modules[FORMGRADERS_HANDLERS].StudentHandler.prepare = prepare


def refusal(learner: str) -> str | None:
    """The sentence that refuses a name; None where it is fine."""
    reason = unfit(learner)
    return f"Not added: nobody can be called {learner!r}: {reason}." if reason else None


class Roster(Gradebook):
    """The gradebook as `nbgrader db student add` and `import` open it."""

    def add_student(self, student_id: str, **about: Any) -> Student:
        """Add a learner, or end the command with the reason."""
        if said := refusal(student_id):
            print(said, file=sys.stderr)
            sys.exit(1)
        return super().add_student(student_id, **about)


async def prepare(handler: Any) -> None:
    """For formgrader's StudentHandler: before a learner is added, answer what cannot be; one who was added before the
    name was refused can still be changed. The handler itself takes off the spaces around a name."""
    await super(type(handler), handler).prepare()
    if handler.request.method != "PUT":
        return
    learner = handler.path_args[0].strip()
    known = {one.id for one in handler.gradebook.students}
    if learner not in known and (said := refusal(learner)):
        handler.set_status(400)
        handler.finish({"message": said})
