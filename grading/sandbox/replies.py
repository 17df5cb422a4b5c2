"""Take what a submission's process says for what it is: hold it against a strict form before anything uses it."""

from __future__ import annotations

from typing import Any

from helpers.checking import plain
from helpers.checking.shapes import Observation

MAX_WORDS = 300
OUTCOMES = ("returned", "raised", "not attempted", "no value", "interrupted")


def conforming(reply: dict[str, Any], arguments: int) -> Observation:
    """The observation in a reply to a call with so many arguments; one that says so where the reply has none."""
    try:
        return observation(reply, arguments)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        return {"outcome": "no value", "message": f"The answer came back in no form that can be read ({words(error)})."}


def observation(reply: dict[str, Any], arguments: int) -> Observation:
    """The observation in a reply, rebuilt from checked parts. Raises ValueError."""
    outcome = reply.get("outcome")
    if outcome not in OUTCOMES:
        raise ValueError("unknown outcome")
    if outcome == "returned":
        plain.decode(reply.get("value"))
        changed = reply.get("changed")
        if type(changed) is not list or any(type(i) is not int or not 0 <= i < arguments for i in changed):
            raise ValueError("unknown arguments")
        return {"outcome": outcome, "value": reply.get("value"), "changed": changed}
    if outcome == "not attempted":
        return {"outcome": outcome}
    found: Observation = {"outcome": outcome, "message": words(reply.get("message"))}
    if outcome == "raised":
        found["error"] = words(reply.get("error"))[:80]
        if type(line := reply.get("line")) is int and 0 < line < 10_000:
            found["line"] = line
    return found


def words(text: object) -> str:
    """A stranger's words: short, on one line, printable."""
    text = text if type(text) is str else str(text) if isinstance(text, Exception) else ""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_WORDS])
