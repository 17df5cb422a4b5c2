"""Play one case: make its arguments afresh, call the learner's function, write down what happened as plain data.

A call is plain data too: `{"function": name, "names": [...], "arguments": [...]}`, and where the ordinary way is not
meant `"driver": name` with its own `"parameters": [...]`: `gradient` also asks autograd, others (see `drivers`) call
many times. What happened, the observation, has one of these outcomes:

returned       with the plain value, and the positions of arguments that the call changed
raised         with the error's type, its first line, and the line of the learner's cell
not attempted  the stub is still there
no value       what was returned has no plain form; with a sentence that says why
interrupted    the time limit, or the learner, stopped it
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import equal, nan_to_num  # bound once: an answer that patches torch does not change what is seen here

from helpers.checking import plain
from helpers.checking.drivers import DRIVERS
from helpers.checking.functions import NAMED

Observation = dict[str, Any]
SECONDS_PER_CALL = 10.0
MAX_MESSAGE = 300


class OutOfTime(BaseException):
    """The time limit of a call; no `except Exception` in an answer swallows it."""


def perform(functions: Mapping[str, Any], call: dict[str, Any], seconds: float = SECONDS_PER_CALL) -> Observation:
    """Play `call` with one of `functions` and return the observation. Raises nothing that the function raised."""
    name = call["function"]
    if name not in functions:
        return {"outcome": "no value", "message": f"There is no function called {name}."}
    function = functions[name]
    if not callable(function):
        return {"outcome": "no value", "message": f"{name} is not a function but of type {type(function).__name__}."}
    arguments = [argument(data) for data in call["arguments"]]
    untouched = [argument(data) for data in call["arguments"]]
    driver = DRIVERS[call.get("driver", "call")]
    parameters = [argument(data) for data in call.get("parameters", [])]
    try:
        with time_limit(seconds), torch.enable_grad():
            value = driver(function, *parameters, *arguments)
            data = plain.encode(value)
    except plain.Unsupported as error:
        return {"outcome": "no value", "message": str(error)}
    except (OutOfTime, KeyboardInterrupt) as stop:
        late = isinstance(stop, OutOfTime)
        return {"outcome": "interrupted", "message": f"no answer after {seconds:g} s" if late else "interrupted"}
    except BaseException as error:  # an answer may raise anything, SystemExit too
        return raised(error, function)
    changed = [i for i, (now, before) in enumerate(zip(arguments, untouched, strict=True)) if not same(now, before)]
    return {"outcome": "returned", "value": data, "changed": changed}


def argument(data: Any) -> Any:
    """An argument made from its plain form: a value, a named function or a seeded generator."""
    if isinstance(data, dict) and "function" in data:
        return NAMED[data["function"]](*[argument(item) for item in data["arguments"]])
    if isinstance(data, dict) and "generator" in data:
        return torch.Generator().manual_seed(data["generator"])
    return plain.decode(data)


def same(now: Any, before: Any) -> bool:
    """Whether an argument is what it was, number for number."""
    if isinstance(before, torch.Tensor):
        return now.shape == before.shape and equal(nan_to_num(now, 7.25), nan_to_num(before, 7.25))
    if isinstance(before, (list, tuple)):
        return len(now) == len(before) and all(map(same, now, before))
    return True  # scalars cannot change, generators and functions may


def raised(error: BaseException, function: Any) -> Observation:
    """The observation of an error; a bare NotImplementedError is the stub's."""
    if type(error) is NotImplementedError and not error.args:
        return {"outcome": "not attempted"}
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an error whose own text raises
        lines = []
    message = "".join(c for c in (lines[0] if lines else "")[:MAX_MESSAGE] if c.isprintable())
    observation: Observation = {"outcome": "raised", "error": type(error).__name__[:80], "message": message}
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    steps = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == file]
    if steps and steps[-1] is not None:
        observation["line"] = steps[-1]
    return observation


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime after `seconds`, where the platform has an alarm and this is the main thread; elsewhere the
    learner interrupts the kernel. Restores whatever alarm was set before."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
