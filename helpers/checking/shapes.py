"""The types of the data that crosses rooms: what is called, what happened, what was expected.

All of it is plain data (see `plain`): it lies in answer keys, and crosses the socket to the sandbox, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NotRequired, TypedDict

from helpers.checking.words import Problem

Plain = Any  # a value's plain form, as `plain.encode` makes it

Outcome = Literal["returned", "raised", "not attempted", "no value", "no function", "interrupted", "hidden"]


class Observation(TypedDict):
    """What happened in a call (see `calling`)."""

    outcome: Outcome
    value: NotRequired[Plain]  # returned
    changed: NotRequired[list[int]]  # returned: positions of arguments that the call changed
    error: NotRequired[str]  # raised: the type of the error
    message: NotRequired[str]  # raised, no value, no function, interrupted
    line: NotRequired[int]  # raised: in the learner's cell


class Call(TypedDict):
    """A call: of which function, with which arguments, in which way."""

    function: str
    names: list[str]  # of the arguments, for the card
    arguments: list[Plain]
    driver: NotRequired[str]  # see `kinds.tables`; "call" where there is none
    parameters: NotRequired[list[Plain]]  # of the driver


class Expectation(TypedDict):
    """What is expected of a call: a judge, and what that judge reads. An author's `case(...)` makes it."""

    judge: str  # see `kinds.tables`; "raises" is known to `judging` itself
    text: NotRequired[str]  # what the card shows as expected, in place of the value
    # every judge of a returned value
    value: NotRequired[Plain]
    dtype: NotRequired[str | None]
    rtol: NotRequired[float]
    atol: NotRequired[float]
    unchanged: NotRequired[bool]  # the call must not change its arguments
    parts: NotRequired[list[str]]  # what the results are called
    any_sequence: NotRequired[bool]  # a list or an array is as good as a tensor
    error: NotRequired[str]  # raises
    p: NotRequired[Plain]  # prefix_code
    mean_length: NotRequired[float]  # prefix_code
    formula: NotRequired[str]  # small_number
    arguments: NotRequired[list[Plain]]  # small_number
    tol: NotRequired[float]  # capacity
    unique: NotRequired[bool]  # capacity
    channel: NotRequired[Plain]  # capacity
    joint: NotRequired[Plain]  # bottleneck, bottleneck_symptom
    beta: NotRequired[float]  # bottleneck, bottleneck_symptom
    clusters: NotRequired[int]  # bottleneck_symptom
    answers: NotRequired[list[Plain]]  # deviates
    steps: NotRequired[list[int]]  # follows
    symptom: NotRequired[str]  # xor_symptom, bottleneck_symptom
    n: NotRequired[int]  # monte_carlo
    estimate: NotRequired[list[float]]  # monte_carlo
    standard_error: NotRequired[list[float]]  # monte_carlo
    squared_at_two: NotRequired[list[float] | None]  # monte_carlo
    gradients: NotRequired[list[list[float]]]  # mean_gradient
    low: NotRequired[float]  # seeded_start
    high: NotRequired[float]  # seeded_start
    iterations: NotRequired[int]  # seeded_start
    block: NotRequired[int]  # within_block


class Symptom(TypedDict):
    """How a mistake is known whose numbers differ from learner to learner."""

    looks: Expectation


class CaseData(TypedDict):
    """A case: the call, what is expected, and what each known mistake would make happen."""

    call: Call
    expected: Expectation
    mistakes: dict[str, Observation | Symptom]
    hidden: NotRequired[bool]


class CriterionData(TypedDict):
    """A criterion with its marks and cases."""

    name: str
    marks: float
    cases: list[CaseData]


class Rules(TypedDict):
    """What the text of an answer may and must not call (see `rules`)."""

    forbid: list[str]
    modules: list[str]
    require: list[str]
    because: str
    kernel: NotRequired[bool]


class ExerciseData(TypedDict):
    """An exercise as `mark` plays it and as the answer key holds it."""

    functions: list[str]
    points: float
    stretch: bool
    seconds: float
    criteria: list[CriterionData]
    mistakes: dict[str, str]  # the sentence for each
    rules: Rules
    hints: list[str]


class Key(TypedDict):
    """The answer key of a notebook."""

    format: int
    notebook: str
    exercises: dict[str, ExerciseData]


Judge = Callable[[Any, Expectation], Problem | None]
