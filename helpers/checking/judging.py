"""Hold an observation against an expectation: a sentence for the learner, or None where they agree.

An expectation is plain data with the name of its judge. `close`, the usual one, compares numbers; others judge
answers of which many are right. A judge takes the decoded value and the expectation; a notebook that needs one of its
own writes it beside the others and adds it to JUDGES."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.checking import estimates, plain
from helpers.checking.calling import Observation
from helpers.checking.capacity import capacity
from helpers.checking.comparing import Expectation, as_array, close, kind_of, numbers, tolerance
from helpers.checking.runs import each_learns, follows, repeats, xor_symptom, xor_training

Judge = Callable[[Any, Expectation], str | None]


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


def prefix_code(value: Any, expectation: Expectation) -> str | None:
    """Code lengths of any optimal binary prefix code: whole numbers, Kraft's sum, the least mean length (to the
    rounding of p's dtype, in which a learner may have added probabilities up)."""
    p = numbers(plain.decode(expectation["p"]))
    lengths = as_array(value)
    if lengths is None:
        return f"The answer is {kind_of(value)}, where {len(p)} code lengths were expected, one number for each symbol."
    if lengths.shape != p.shape:
        return f"The answer has shape {lengths.shape}, where {len(p)} code lengths were expected."
    if lengths.dtype.kind not in "iu":
        return f"The lengths have dtype {lengths.dtype}, where integers were expected."
    if (lengths[p == 0] != 0).any():
        return "A symbol that never occurs needs no code: its length is 0."
    used = lengths[p > 0].astype(np.float64)
    if (used < 1).any():
        return "Every symbol that occurs needs a code of at least one bit."
    kraft = float((2.0**-used).sum())
    if kraft > 1 + 1e-12:
        return f"No prefix code has these lengths: Kraft's sum of 2^-length is {kraft:.6g}, more than 1."
    mean, best = float((p[p > 0] * used).sum()), expectation["mean_length"]
    if abs(mean - best) > tolerance(expectation)[1]:
        return f"This code needs {mean:.6g} bits a symbol; the best one needs {best:.6g}."
    return None


def from_kernel(value: Any, expectation: Expectation) -> str | None:
    """With all kernels left out, the right answer must not come (see `kernels.call_without_kernels`)."""
    if value is None or close(value, expectation) is not None:
        return None
    return "With every kernel left out the same answer comes: return what the kernel has stored."


JUDGES: dict[str, Judge] = {
    "close": close,
    "prefix_code": prefix_code,
    "follows": follows,
    "xor_training": xor_training,
    "repeats": repeats,
    "each_learns": each_learns,
    "xor_symptom": xor_symptom,
    "capacity": capacity,
    "from_kernel": from_kernel,
    **estimates.JUDGES,
}
