"""Hold an observation against an expectation: a sentence for the learner, or None where they agree.

An expectation is plain data with the name of its judge. `close`, the usual one, compares numbers; others judge
answers of which many are right. The judges are listed in `kinds.tables`."""

from __future__ import annotations

from helpers.checking import plain
from helpers.checking.kinds.tables import JUDGES
from helpers.checking.shapes import Expectation, Observation


def problem(observation: Observation, expectation: Expectation) -> str | None:
    """What is wrong with `observation`, in a sentence; None where it meets `expectation`."""
    outcome = observation["outcome"]
    judge = expectation["judge"]
    if judge == "raises":
        return raises(observation, expectation)
    if outcome == "raised":
        where = f" in line {observation['line']} of your cell" if "line" in observation else ""
        return f"It raised {observation['error']}{where}: {observation['message'] or 'without a message'}"
    if outcome == "interrupted":
        return f"It was stopped: {observation['message']}."
    if outcome != "returned":
        return observation.get("message", "Not attempted yet.")
    if expectation.get("unchanged") and observation["changed"]:
        return "It changed its input. Work on a copy, or use operations that return new tensors (x * 2, not x *= 2)."
    return JUDGES[judge](plain.decode(observation["value"]), expectation)


def raises(observation: Observation, expectation: Expectation) -> str | None:
    """The call must raise an error of the expected type."""
    if observation["outcome"] == "raised":
        if observation["error"] == expectation["error"]:
            return None
        return f"It raised {observation['error']} where {expectation['error']} was expected."
    if observation["outcome"] == "returned":
        return f"It returned a value where {expectation['error']} was expected."
    return observation.get("message", "Not attempted yet.")
