"""The types of the data that crosses rooms: what is called, what happened, what was expected.

All of it is plain data (see `plain`): it lies in answer keys, and crosses the socket to the sandbox, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NotRequired, TypedDict

from helpers.checking.words import Problem

Plain = Any  # a value's plain form, as `plain.encode` makes it

Outcome = Literal["returned", "raised", "not attempted", "no value", "no function", "interrupted", "refused", "hidden"]


class Observation(TypedDict):
    """What happened in a call (see `calling`)."""

    outcome: Outcome
    value: NotRequired[Plain]  # returned
    changed: NotRequired[list[int]]  # returned: positions of arguments that the call changed
    error: NotRequired[str]  # raised: the type of the error
    bases: NotRequired[list[str]]  # raised: Python's own errors that it is a kind of, where it is not one itself
    message: NotRequired[str]  # raised, no value, no function, interrupted, refused
    line: NotRequired[int]  # raised: in the learner's cell


class Call(TypedDict):
    """A call: of which function, with which arguments, in which way."""

    function: str
    names: list[str]  # of the arguments, for the card
    arguments: list[Plain]
    driver: NotRequired[str]  # see `kinds.tables`; "call" where there is none
    parameters: NotRequired[list[Plain]]  # of the driver


class Question(TypedDict):
    """A question with its options, as an answer key holds it (see `kinds.choices`)."""

    name: str
    text: str
    options: list[str]
    right: str  # a salted digest
    told: dict[str, str]  # by an option's digest, sealed


class Proof(TypedDict):
    """A derivation to put in order, as an answer key holds it (see `kinds.choices`)."""

    name: str
    text: str
    steps: list[str]
    order: list[str]  # salted digests of its beginnings, each one step longer
    told: dict[str, str]  # by a step's digest, sealed


class JudgesOptions(TypedDict, total=False):
    """What judges read in an expectation."""

    text: str  # what the card shows as expected, in place of the value
    # every judge of a returned value
    value: Plain
    dtype: str | None
    rtol: float
    atol: float
    unchanged: bool  # the call must not change its arguments
    parts: list[str]  # what the results are called
    any_sequence: bool  # a list or an array is as good as a tensor
    error: str  # raises
    p: Plain  # prefix_code
    mean_length: float  # prefix_code
    formula: str  # small_number
    inputs: list[Plain]  # small_number
    tol: float  # capacity
    unique: bool  # capacity
    channel: Plain  # capacity
    joint: Plain  # bottleneck, bottleneck_symptom
    beta: float  # bottleneck, bottleneck_symptom
    clusters: int  # bottleneck_symptom
    answers: list[Plain]  # deviates, three_ways
    steps: list[int]  # follows
    symptom: str  # xor_symptom, bottleneck_symptom
    n: int  # monte_carlo, same_draws
    laws: list[list[float]]  # same_draws
    estimate: list[float]  # monte_carlo
    standard_error: list[float]  # monte_carlo
    squared_at_two: list[float] | None  # monte_carlo
    gradients: list[list[float]]  # mean_gradient
    seems: str  # estimates
    low: float  # seeded_start
    high: float  # seeded_start
    iterations: int  # seeded_start
    settled: float  # seeded_start
    block: int  # within_block, whole_block
    language: str  # latex
    part: str  # latex
    place: int  # latex
    questions: list[Question]  # chosen, chosen_symptom
    proofs: list[Proof]  # in_order, in_order_symptom
    at_least: float  # chosen, in_order: the share that must be right


class Expectation(JudgesOptions):
    """What is expected of a call: a judge, and what that judge reads. An author's `case(...)` makes it."""

    judge: str  # see `kinds.tables`; "raises" is known to `judging` itself


class Symptom(TypedDict):
    """How a mistake is known whose numbers differ from learner to learner."""

    looks: Expectation


class CaseData(TypedDict):
    """A case: the call, what is expected, and what each known mistake would make happen."""

    call: Call
    expected: Expectation
    mistakes: dict[str, Observation | Symptom]
    ingredients: NotRequired[dict[str, Plain]]  # what the right answer is made of, by what it is called
    hidden: NotRequired[bool]


class CriterionData(TypedDict):
    """A criterion with its marks and cases."""

    name: str
    marks: float
    cases: list[CaseData]
    hint: NotRequired[int]  # the number of the hint that belongs to it; 1 where there is none


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
    slips: NotRequired[dict[str, str]]  # sealed sentences by the digest of numbers (see `slips`)
    ladder: NotRequired[list[CaseData]]  # small cases for an answer whose mistake has no name, smallest first


class Key(TypedDict):
    """The answer key of a notebook."""

    format: int
    notebook: str
    exercises: dict[str, ExerciseData]


Judge = Callable[[Any, Expectation], Problem | None]
