"""One warm grader for each setting of the sandbox, for all that this process grades."""

from __future__ import annotations

import atexit
import difflib
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from grading.sandbox.sandbox import Limits

if TYPE_CHECKING:  # it needs torch, and nbgrader's other commands, which read this too, do not
    from grading.grade import Grader


class UnknownLimit(ValueError):
    """A limit of another name than those that there are; the text names the one that was meant."""


@cache
def warm_grader(limits: tuple[tuple[str, Any], ...], confined: bool) -> Grader:
    """One grader for each setting, closed when this process ends. Raises UnknownLimit."""
    from grading.grade import Grader

    refuse_unknown_limits(name for name, _ in limits)
    grader = Grader(Limits(**dict(limits)), confined)
    atexit.register(grader.close)
    return grader


def refuse_unknown_limits(names: Iterable[str]) -> None:
    """Raise UnknownLimit for a limit that there is not."""
    known = [one.name for one in fields(Limits)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise UnknownLimit(
                f"c.SandboxedAutograde.limits: there is no limit {name!r}{meant} SECURITY.md lists them."
            )
