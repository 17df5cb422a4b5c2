"""Check replies from the sandbox: a submission's process may send anything, so nothing is used before it has the right
form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, get_args

from helpers.checking.shapes import Observation, Outcome
from helpers.checking.words import printable

MOST_WORDS = 300
MOST_LETTERS_OF_A_NAME = 80
MOST_LINES = 10_000  # of a cell; more than `cell_characters` has room for
MOST_BASES = 8  # of an error
MOST_SECONDS = 3600.0
OUTCOMES = frozenset(get_args(Outcome)) - {"hidden"}


def checked(reply: dict[str, Any], arguments: int) -> Observation:
    """The observation in a reply to a call with so many arguments; one that says so where the reply has none."""
    try:
        return rebuilt(reply, arguments)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        return {"outcome": "no value", "message": f"The answer came back in no form that can be read ({words(error)})."}


def rebuilt(reply: dict[str, Any], arguments: int) -> Observation:
    """The observation in a reply, rebuilt from checked parts. Raises ValueError."""
    from helpers.checking import plain  # it needs torch, and nbgrader's other commands, which read this too, do not

    outcome = reply.get("outcome")
    if type(outcome) is not str or outcome not in OUTCOMES:
        raise ValueError("unknown outcome")
    if outcome == "returned":
        plain.decode(reply.get("value"))
        changed = reply.get("changed")
        if type(changed) is not list or any(type(i) is not int or not 0 <= i < arguments for i in changed):
            raise ValueError("unknown arguments")
        return {"outcome": "returned", "value": reply.get("value"), "changed": changed}
    if outcome == "not attempted":
        return {"outcome": "not attempted"}
    message = words(reply.get("message"))
    if outcome != "raised":
        return {"outcome": cast(Outcome, outcome), "message": message}
    found: Observation = {"outcome": "raised", "message": message}
    found["error"] = words(reply.get("error"))[:MOST_LETTERS_OF_A_NAME]
    if type(bases := reply.get("bases")) is list:
        found["bases"] = [words(one)[:MOST_LETTERS_OF_A_NAME] for one in bases[:MOST_BASES]]
    if type(line := reply.get("line")) is int and 0 < line < MOST_LINES:
        found["line"] = line
    return found


@dataclass(frozen=True)
class CellError:
    """The error that ended a cell: its type's name, its message and its line in the cell, all in a stranger's words."""

    name: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f" in line {self.line}" if self.line is not None else ""
        return f"{self.name}{where}: {self.message}"


def error_of_cell(reply: dict[str, Any]) -> CellError | None:
    """The error in a reply to a cell; None where the cell has run."""
    if reply.get("outcome") != "raised":
        return None
    line = reply.get("line")
    return CellError(
        words(reply.get("error"))[:MOST_LETTERS_OF_A_NAME],
        words(reply.get("message")),
        line if type(line) is int and 0 < line < MOST_LINES else None,
    )


def seconds(reply: dict[str, Any]) -> float:
    """The seconds that a call is said to have taken; 0 where that is no sensible number."""
    told = reply.get("seconds")
    return told if type(told) is float and 0.0 <= told <= MOST_SECONDS else 0.0


def words(text: object) -> str:
    """Text from a submission's process: short, on one line, printable."""
    text = text if type(text) is str else str(text) if isinstance(text, Exception) else ""
    return printable(text, MOST_WORDS, " ")
