"""Hold an observation against an expectation: the problem, or None where they agree.

An expectation is plain data with the name of its judge. `close`, the usual one, compares numbers; others judge
answers of which many are right. The judges are listed in `kinds.tables`."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.checking import plain
from helpers.checking.kinds.tables import JUDGES
from helpers.checking.shapes import Expectation, Observation
from helpers.checking.words import Phrase, Problem

CHANGED = (
    "It changed its input{s}{which}. Work on a copy, or use operations that return new tensors (x * 2, not x *= 2)."
)


def problem(observation: Observation, expectation: Expectation, names: Sequence[str] = ()) -> Problem | None:
    """What is wrong with `observation`; None where it meets `expectation`. `names` are those of the arguments."""
    if expectation["judge"] == "raises":
        return raises(observation, expectation)
    if observation["outcome"] == "raised":
        return raised(observation)
    if observation["outcome"] != "returned":
        return unanswered(observation)
    if expectation.get("unchanged") and observation["changed"]:
        changed = [names[i] for i in observation["changed"] if i < len(names)]
        which = " and ".join([", ".join(changed[:-1]), changed[-1]][len(changed) == 1 :]) if changed else ""
        return Problem.of(
            "input changed",
            CHANGED,
            which=f" {which}" if which else "",
            s="s" if len(observation["changed"]) > 1 else "",
        )
    return JUDGES[expectation["judge"]](plain.decode(observation["value"]), expectation)


def raised(observation: Observation) -> Problem:
    """An error where a value was expected."""
    where = Phrase(" in line {line} of your cell", {"line": observation["line"]}) if "line" in observation else ""
    message = observation["message"] or Phrase("without a message")
    return Problem.of(
        "raised", "It raised {error}{where}: {message}", error=observation["error"], where=where, message=message
    )


def raises(observation: Observation, expectation: Expectation) -> Problem | None:
    """The call must raise an error of the expected type."""
    wanted = expectation["error"]
    if observation["outcome"] == "raised":
        if wanted in (observation["error"], *observation.get("bases", [])):
            return None
        template = "It raised {got} where {want} was expected."
        return Problem.of("not raised", template, got=observation["error"], want=wanted)
    if observation["outcome"] == "returned":
        return Problem.of("not raised", "It returned a value where {want} was expected.", want=wanted)
    return unanswered(observation)


def unanswered(observation: Observation) -> Problem:
    """Neither a value nor an error."""
    outcome, message = observation["outcome"], observation.get("message", "")
    if outcome == "refused":
        return Problem.of("refused", "{message}", message=message)
    if outcome == "interrupted":
        return Problem.of("time", "It was stopped: {message}.", message=message)
    if outcome == "no function":
        return Problem.of("no function", "{message}", message=message)
    if outcome == "not attempted":
        return Problem("not attempted", Phrase("Not attempted yet."))
    return Problem.of("no value", "{message}", message=message)
