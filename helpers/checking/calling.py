"""Play one case: make its arguments afresh, call the learner's function, write down what happened as plain data.

A call is plain data too: `{"function": name, "names": [...], "arguments": [...]}`, and where the ordinary way is not
meant `"driver": name` with its own `"parameters": [...]`: `gradient` also asks autograd, others (see `kinds.tables`)
call many times. What happened, the observation, has one of these outcomes:

returned       with the plain value, and the positions of arguments that the call changed
raised         with the error's type, its first line, and the line of the learner's cell
not attempted  the stub is still there
no value       what was returned has no plain form; with a sentence that says why
no function    there is none of that name; with a sentence that says so
interrupted    the time limit, or the learner, stopped it
refused        it has called what the exercise forbids, or does not come from what it requires (see `watch`)
"""

from __future__ import annotations

import builtins
import inspect
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import equal, isnan  # bound once: an answer that patches torch does not change what is seen here

from helpers.checking import plain
from helpers.checking.comparing import as_array
from helpers.checking.kinds.flow import answering
from helpers.checking.kinds.tables import DRIVERS, NAMED
from helpers.checking.shapes import Call, Observation, Rules
from helpers.checking.started import nothing_started
from helpers.checking.watch import UNUSED, Spoilt, Watch, differing, watched
from helpers.checking.words import printable

FINAL = ("interrupted", "not attempted", "refused")  # outcomes after which the same answer is asked nothing more
SECONDS_PER_CALL = 10.0
SEEN = 0.25  # of an answer, by which it changes at least when every number from what is required is twice as large
SECONDS_FOR_TEXT = 1.0  # of an error
SECONDS_TO_NEXT_ALARM = 0.5  # long enough to leave, where the first one was heard
OWN_ERRORS = [one for one in vars(builtins).values() if isinstance(one, type) and issubclass(one, Exception)]
MOST_LETTERS_OF_A_MESSAGE, MOST_LETTERS_OF_A_NAME = 300, 80


class OutOfTime(BaseException):
    """The time limit of a call; no `except Exception` in an answer swallows it."""


def perform(
    functions: Mapping[str, Any], call: Call, seconds: float = SECONDS_PER_CALL, rules: Rules | None = None
) -> Observation:
    """Play `call` with one of `functions` and return the observation. Raises nothing that the function raised. With the
    `rules` of an exercise, what the answer calls is held against them."""
    name = call["function"]
    if name not in functions:
        return {"outcome": "no function", "message": f"There is no function called {name}."}
    function = functions[name]
    if not callable(function):
        kind = type(function).__name__
        return {"outcome": "no value", "message": f"What is called {name} is not a function but of type {kind}."}
    observation, fault = played(function, call, seconds, rules)
    if fault is not None and observation["outcome"] != "interrupted":
        return {"outcome": "refused", "message": fault}
    if rules is not None and rules["require"] and observation["outcome"] == "returned":
        return held_against(rules, observation, function, call, seconds)
    return observation


def held_against(rules: Rules, observation: Observation, function: Any, call: Call, seconds: float) -> Observation:
    """The observation of an answer that comes from what is required: it is another when that gives twice the numbers,
    where it is asked about the arguments. What it is asked whatever the arguments are does not count. Where the answer
    has no number but zeros, which may be known without it, or its arguments are the same when they are turned round,
    nothing is held against it."""
    value, turned = plain.decode(observation["value"]), turned_round(call)
    if not has_numbers(value) or turned == call:
        return observation
    with Spoilt(rules["require"]) as asked:
        played(function, call, seconds)
    with Spoilt(rules["require"]) as asked_otherwise:
        played(function, turned, seconds)
    about_arguments = differing(asked.given, asked_otherwise.given)
    if asked.given and not any(torch.numel(one) for given in asked.given for one in given):
        return observation
    with Spoilt(rules["require"], about_arguments):
        again, _ = played(function, call, seconds)
    if again["outcome"] != "returned" or moved(value, plain.decode(again["value"])):
        return observation
    sentence = UNUSED.format(required=" or ".join(rules["require"]))
    return {"outcome": "refused", "message": f"{sentence} {rules['because']}".strip()}


def turned_round(call: Call) -> Call:
    """The call with the numbers of each tensor in the other order along the last dimension."""
    values = [argument(data) for data in call["arguments"]]
    turned = [x.flip(-1) if isinstance(x, torch.Tensor) and x.ndim and x.is_floating_point() else None for x in values]
    pairs = zip(turned, call["arguments"], strict=True)
    arguments = [data if one is None or same_numbers(one, argument(data)) else plain.encode(one) for one, data in pairs]
    return {**call, "arguments": arguments}


def moved(value: Any, again: Any) -> bool:
    """Whether an answer is another, by more than a part of it that nobody would see."""
    before, after = as_array(value), as_array(again)
    if before is None or after is None or before.shape != after.shape:
        return True
    with np.errstate(all="ignore"):
        return bool(np.nanmax(np.abs(after - before) / np.abs(before), initial=0.0, where=before != 0) > SEEN)


def has_numbers(value: Any) -> bool:
    """Whether a value has any finite number in it that is not zero."""
    array = as_array(value)
    return array is not None and bool((np.isfinite(array) & (array != 0)).any())


def played(function: Any, call: Call, seconds: float, rules: Rules | None = None) -> tuple[Observation, str | None]:
    """Play a call with a function: the observation, and what the answer did against the `rules`, in a sentence. Only
    the answer is watched; to make its arguments and to write down its value is ours."""
    arguments = [argument(data) for data in call["arguments"]]
    driver = DRIVERS[call.get("driver", "call")]
    parameters = [argument(data) for data in call.get("parameters", [])]
    watch: Watch | None = None
    observation: Observation
    try:
        with nothing_started() as started, watched(rules) as watch, time_limit(seconds), as_answer():
            value = driver(function, *parameters, *arguments)
        with time_limit(seconds):
            observation = {"outcome": "returned", "value": plain.encode(value), "changed": []}
    except plain.Unsupported as error:
        observation = {"outcome": "no value", "message": str(error)}
    except (OutOfTime, KeyboardInterrupt) as stop:
        late = isinstance(stop, OutOfTime)
        observation = {"outcome": "interrupted", "message": f"no answer after {seconds:g} s" if late else "interrupted"}
    except BaseException as error:  # an answer may raise anything, SystemExit too
        observation = raised(error, function)
    if observation["outcome"] == "returned":
        pairs = zip(arguments, call["arguments"], strict=True)
        observation["changed"] = [i for i, pair in enumerate(pairs) if changed(*pair)]
    fault = started.fault if rules is not None else None
    return observation, fault if watch is None else watch.fault or fault


def as_written() -> AbstractContextManager[object]:
    """What torch.compile has wrapped runs as it was written: to compile takes longer than a call may, and gives the
    same numbers."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def argument(data: Any) -> Any:
    """An argument made from its plain form: a value, a named function or a seeded generator."""
    if isinstance(data, dict) and "function" in data:
        return NAMED[data["function"]](*[argument(item) for item in data["arguments"]])
    if isinstance(data, dict) and "generator" in data:
        return torch.Generator().manual_seed(data["generator"])
    return plain.decode(data)


def changed(now: Any, data: Any) -> bool:
    """Whether an argument is no longer what it was made from. Scalars cannot change, generators and functions may."""
    try:
        return not same(now, argument(data))
    except Exception:  # whatever was done to it, it can no longer be read
        return True


def same(now: Any, before: Any) -> bool:
    """Whether two arguments agree, number for number."""
    if isinstance(before, torch.Tensor):
        form = (type(now), getattr(now, "dtype", None), getattr(now, "shape", None))
        return form == (type(before), before.dtype, before.shape) and same_numbers(now, before)
    if isinstance(before, (list, tuple)):
        return len(now) == len(before) and all(map(same, now, before))
    return True


def same_numbers(now: torch.Tensor, before: torch.Tensor) -> bool:
    """Whether two tensors of one form hold the same numbers, nan at the same places."""
    now_nan, before_nan = isnan(now), isnan(before)
    return equal(now_nan, before_nan) and equal(now[~now_nan], before[~before_nan])


def raised(error: BaseException, function: Any) -> Observation:
    """The observation of an error. A bare NotImplementedError is the stub's, if it comes from the function itself."""
    code = code_of(function)
    steps = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if type(error) is NotImplementedError and not error.args:
        at = steps[-1][0] if steps else None
        if at is None or code is None or at is code:
            return {"outcome": "not attempted"}
        error = NotImplementedError(f"{at.co_name} is not written yet")
    observation: Observation = {"outcome": "raised", "error": kind_of(error), "message": first_line(error)}
    if bases := own_errors(error):
        observation["bases"] = bases
    lines = [line for at, line in steps if code is not None and at.co_filename == code.co_filename]
    if lines:
        observation["line"] = lines[-1]
    return observation


def code_of(function: Any) -> CodeType | None:
    """The code of a function, below its decorators; None for what has none."""
    try:
        code = inspect.unwrap(function).__code__
    except Exception:  # a callable object may answer to anything in any way
        return None
    return code if isinstance(code, CodeType) else None


def kind_of(error: BaseException) -> str:
    """The name of an error's class."""
    name: str = type.__dict__["__name__"].__get__(type(error))  # a metaclass may lie about it, or raise
    return name[:MOST_LETTERS_OF_A_NAME]


def own_errors(error: BaseException) -> list[str]:
    """Python's own errors that an error of another class is a kind of: ValueError for `class TooLarge(ValueError)`."""
    kinds = type.__dict__["__mro__"].__get__(type(error))
    own = [known.__name__ for one in kinds for known in OWN_ERRORS if one is known]  # a metaclass may lie about ==
    return own if all(kinds[0] is not known for known in OWN_ERRORS) else []


def first_line(error: BaseException) -> str:
    """The first line of an error's text, empty where the text itself raises or takes for ever."""
    try:
        with time_limit(SECONDS_FOR_TEXT):
            lines = str.strip(str(error)).splitlines()
    except BaseException:
        lines = []
    return printable(lines[0] if lines else "", MOST_LETTERS_OF_A_MESSAGE)


@contextmanager
def as_answer() -> Iterator[None]:
    """What is called in here is an answer: the drivers that watch answers do so, and it runs as it was written."""
    before = answering.set(True)
    try:
        with torch.enable_grad(), as_written():
            yield
    finally:
        answering.reset(before)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime after `seconds`, where the platform has an alarm and this is the main thread; elsewhere the
    learner interrupts the kernel. It is raised again and again until what runs here ends: Python drops an exception
    that is raised in `__del__` or while it collects garbage. An alarm that was set before goes on afterwards."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise OutOfTime

    handler = signal.signal(signal.SIGALRM, stop)
    start = time.monotonic()
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds, SECONDS_TO_NEXT_ALARM)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # an alarm may ring while it is turned off
            signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if delay:  # an outer alarm was running, and time has passed
            signal.setitimer(signal.ITIMER_REAL, max(delay - (time.monotonic() - start), 1e-3), interval)
