"""What an exercise is. Each is defined once, in `grading/exercises/`, and everything else is derived from it.

    @exercise(hints=["..."], forbid=["entropy"])
    def entropy(p): ...                                   # the reference

    @entropy.criterion("matches the definition", marks=1, says="Entropy in nats over the last dimension")
    def definition(rng):                                  # the first criterion is the gate for the others
        yield case(distribution(rng, 5))

    @entropy.oracle                                       # a second route to the same number
    def by_torch(p): ...

    @entropy.alternative                                  # another right way to write it
    def with_numpy(p): ...

    @entropy.misconception("These are bits, not nats.")   # a wrong one, and what the learner is told
    def bits(p): ...

    @entropy.breaks_rule                                  # one that the source rules must refuse
    def from_scipy(p): ...

A criterion's function draws its cases from `rng`: once from a public seed for the answer key, afresh for each
submission from a recorded seed."""

from __future__ import annotations

import difflib
import inspect
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never, TypeVar, Unpack, cast

import numpy as np
import torch

from helpers.checking import calling, judging, plain
from helpers.checking.calling import SECONDS_PER_CALL
from helpers.checking.kinds.tables import DRIVERS, JUDGES
from helpers.checking.shapes import (
    Call,
    CaseData,
    ExerciseData,
    Expectation,
    JudgesOptions,
    Observation,
    Rules,
    Symptom,
)
from helpers.checking.watch import unwatched

F = TypeVar("F", bound=Callable[..., Any])
PUBLIC_SEED = 0
# words that every hint and criterion may have
PLAIN_WORDS = {
    "the", "and", "that", "this", "with", "for", "its", "are", "all", "any", "one", "two", "not", "they", "from", "has",
    "have", "where", "what", "which", "into", "than", "then", "does", "let", "may", "every", "each", "same", "other",
    "others", "only", "also", "input", "inputs", "keeps", "right", "stays", "stay", "first", "last",
}  # fmt: skip
MOST_OF_AN_INGREDIENT = 400  # characters of what is expected
OWN_WORK = ("helpers",)  # importing the course's own routine is never an answer


@dataclass(frozen=True)
class Function:
    """A named function as an argument (see helpers.checking.kinds.tables)."""

    name: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Seed:
    """A torch.Generator with this seed as an argument."""

    number: int


@dataclass(frozen=True)
class WithLayout:
    """A tensor in a memory layout of its own (see helpers.checking.plain.laid_out)."""

    tensor: torch.Tensor
    layout: str


@dataclass(frozen=True)
class Case:
    """One call and what is expected of it.

    `driver` says how the function is called and `parameters` are that driver's; `function` names another function of
    the exercise than the main one. `expected` overrides the reference's value, or is a whole expectation with a
    judge; `options` go into the expectation (rtol, atol, unchanged, dtype, parts, text, any_sequence). A case that is
    always `hidden` is in no answer key: its arrays would be long."""

    arguments: tuple[Any, ...]
    driver: str = "call"
    parameters: tuple[Any, ...] = ()
    function: str | None = None
    expected: Any = None
    hidden: bool = False
    options: Options = field(default_factory=lambda: Options())


OPTIONS = ("judge", *JudgesOptions.__annotations__)


class Options(JudgesOptions, total=False):
    """What an author may put into the expectation of a case."""

    judge: str


def case(
    *arguments: Any,
    driver: str = "call",
    parameters: Sequence[Any] = (),
    function: str | None = None,
    expected: Any = None,
    hidden: bool = False,
    **options: Unpack[Options],
) -> Case:
    """A case that is judged by closeness to the reference, unless `expected` says otherwise. Raises TypeError for an
    option that there is not, and names the one that was meant."""
    refuse_unknown(options, OPTIONS, "case")
    return Case(arguments, driver, tuple(parameters), function, expected, hidden, options)


def refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise TypeError for a name that is not known."""
    known = list(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise TypeError(f"{where} has no option {name!r}; {meant}")


def raises(error: str, *arguments: Any, function: str | None = None) -> Case:
    """A case that must raise `error`."""
    return Case(arguments, function=function, expected={"judge": "raises", "error": error})


@dataclass(frozen=True)
class Criterion:
    """A named group of cases with its marks, and the phrases of the exercise's statement that ask for it."""

    name: str
    marks: float
    says: tuple[str, ...]
    draw: Callable[[np.random.Generator], Iterable[Case]]


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that learners write, and the sentence they are told. `looks` is an expectation that such answers
    meet, or makes one from a case (None where it cannot show), where their numbers differ from learner to learner."""

    sentence: str
    functions: dict[str, Callable[..., Any]]
    looks: Expectation | Callable[[Case], Expectation | None] | None = None


class Exercise:
    """An exercise under construction and in use; call it to call its reference."""

    def __init__(
        self, reference: Callable[..., Any], stretch: bool, hints: Sequence[str], rules: Rules, seconds: float
    ):
        self.name = reference.__name__
        self.references = {self.name: reference}
        self.stretch, self.hints, self.rules, self.seconds = stretch, list(hints), rules, seconds
        self.criteria: list[Criterion] = []
        self.drawn: dict[tuple[str, bool], list[CaseData]] = {}
        self.misconceptions: dict[str, Misconception] = {}
        self.alternatives: dict[str, dict[str, Callable[..., Any]]] = {}
        self.rule_breakers: dict[str, dict[str, Callable[..., Any]]] = {}
        self.oracles: dict[str, tuple[Callable[..., Any], float]] = {}
        self.ingredients: dict[str, Callable[..., Any]] = {}
        self.small_cases: Callable[..., Iterable[Case]] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """The reference's value."""
        with unwatched():
            return self.references[self.name](*arguments)

    @property
    def points(self) -> float:
        """The marks of all criteria."""
        return sum(criterion.marks for criterion in self.criteria)

    def also(self, reference: F) -> F:
        """A further function that the same exercise asks for."""
        self.references[reference.__name__] = reference
        return reference

    def criterion(self, name: str, marks: float, says: str | tuple[str, ...] = ()) -> Callable[[F], F]:
        """Add a criterion; the decorated function draws its cases. `says` quotes the statement, where a learner could
        have read it."""
        phrases = (says,) if isinstance(says, str) else says

        def add(draw: F) -> F:
            self.criteria.append(Criterion(name, marks, phrases, draw))
            return draw

        return add

    def oracle(self, function: F | None = None, *, rtol: float = 1e-9) -> Any:
        """Add a second route to the reference's number; it returns None for a case that it cannot speak to."""

        def add(oracle: F) -> F:
            self.oracles[oracle.__name__] = (oracle, rtol)
            return oracle

        return add if function is None else add(function)

    def alternative(self, function: F) -> F:
        """Add another right answer, which must get full marks."""
        self.alternatives[function.__name__] = {**self.references, self.name: function}
        return function

    def misconception(
        self,
        sentence: str,
        function: str | None = None,
        looks: Expectation | Callable[[Case], Expectation | None] | None = None,
    ) -> Callable[[F], F]:
        """Add a wrong answer with the sentence that it is told; `function` names which of several functions is wrong,
        `looks` is an expectation to know it by where its numbers are not always the same, or a function of the case
        that gives one."""

        def add(wrong: F) -> F:
            self.misconceptions[wrong.__name__] = Misconception(
                sentence, {**self.references, (function or self.name): wrong}, looks
            )
            return wrong

        return add

    def made_of(self, ingredients: Mapping[str, Callable[..., Any]]) -> None:
        """Say what the right answer is made of: terms and factors, by what a sentence calls them, as functions of the
        arguments. An answer in which one of them is missing, or has another sign or weight, is told so."""
        self.ingredients |= ingredients

    def made_small(self, cases: F) -> F:
        """Say which cases are made of the gate's arguments made smaller, where these are not judged by closeness to the
        reference (see `ladder`). An error says that there is none for such arguments."""
        self.small_cases = cases
        return cases

    def breaks_rule(self, function: F) -> F:
        """Add an answer that the source rules must refuse, whatever its numbers."""
        self.rule_breakers[function.__name__] = {**self.references, self.name: function}
        return function

    def as_data(self, seed: int | None = None, mistakes: bool = True) -> ExerciseData:
        """The exercise as plain data: its public cases and, with a submission's `seed`, hidden ones behind them.
        Without `mistakes` these do not say what misconceptions would answer: that takes time, and a right answer needs
        none of it."""
        return {
            "functions": list(self.references),
            "points": self.points,
            "stretch": self.stretch,
            "seconds": self.seconds,
            "criteria": [
                {
                    "name": c.name,
                    "marks": c.marks,
                    "cases": self.public(c, mistakes) + self.hidden(c, seed, mistakes),
                    "hint": self.hint_for(c),
                }
                for c in self.criteria
            ],
            "mistakes": {name: wrong.sentence for name, wrong in self.misconceptions.items()},
            "rules": self.rules,
            "hints": self.hints,
        }

    def hint_for(self, criterion: Criterion) -> int:
        """The number of the hint that speaks of a criterion: it shares the most words with its name and its sentences.
        The first one belongs to the gate, and to what no hint speaks of."""
        if criterion is self.criteria[0]:
            return 1
        about = words_of(" ".join((criterion.name, *criterion.says)))
        shared = [len(about & words_of(hint)) for hint in self.hints]
        return shared.index(max(shared)) + 1 if max(shared, default=0) > 0 else 1

    def public(self, criterion: Criterion, mistakes: bool = True) -> list[CaseData]:
        """The public cases of a criterion, drawn once."""
        if (criterion.name, mistakes) not in self.drawn:
            asked = self.worth_asking(criterion) if mistakes else {}
            cases = [one for one in self.draw(criterion, PUBLIC_SEED) if not one.hidden]
            self.drawn[criterion.name, mistakes] = [self.case_as_data(one, asked) for one in cases]
        return self.drawn[criterion.name, mistakes]

    def hidden(self, criterion: Criterion, seed: int | None, mistakes: bool) -> list[CaseData]:
        """The hidden cases of a criterion for a seed, marked as such."""
        asked = self.worth_asking(criterion) if mistakes else {}
        cases = [] if seed is None else self.draw(criterion, seed)
        return [{**self.case_as_data(one, asked), "hidden": True} for one in cases]

    def worth_asking(self, criterion: Criterion) -> dict[str, Misconception]:
        """The misconceptions that may be met in a criterion: one that fails at the gate gets no further."""
        gate = self.criteria[0]
        failed = set() if criterion is gate else {name for one in self.public(gate) for name in one["mistakes"]}
        return {name: m for name, m in self.misconceptions.items() if name not in failed or m.looks is not None}

    def draw(self, criterion: Criterion, seed: int) -> list[Case]:
        """The cases of a criterion for a seed; every criterion has a stream of its own."""
        stream = zlib.crc32(f"{self.name}/{criterion.name}".encode())
        return list(criterion.draw(np.random.default_rng([seed, stream])))

    def case_as_data(self, one: Case, asked: dict[str, Misconception]) -> CaseData:
        """A case as plain data, with what each misconception that is asked would answer where it would be wrong."""
        call, expected = self.call_as_data(one), self.expectation(one)
        found: dict[str, Observation | Symptom] = {}
        for name, wrong in asked.items():
            if wrong.looks is not None:
                looks = wrong.looks(one) if callable(wrong.looks) else wrong.looks
                if looks is not None:
                    found[name] = {"looks": well_formed(looks)}
                continue
            observation = calling.perform(wrong.functions, call, self.seconds)
            if judging.problem(observation, expected) is not None:
                found[name] = rounded({k: v for k, v in observation.items() if k != "line"})
        data: CaseData = {"call": call, "expected": expected, "mistakes": found}
        return data | {"ingredients": self.ingredients_of(one)} if asked and self.small(one, expected) else data

    def small(self, one: Case, expected: Expectation) -> bool:
        """Whether what is expected is so small that its ingredients may lie in the answer key beside it."""
        usual = bool(self.ingredients) and one.driver == "call" and expected["judge"] == "close"
        return usual and len(str(expected["value"])) <= MOST_OF_AN_INGREDIENT

    def ingredients_of(self, one: Case) -> dict[str, Any]:
        """The ingredients of a case, those that are made for its arguments."""
        found = {}
        for name, function in self.ingredients.items():
            arguments = [in_float64(calling.argument(argument_as_data(a))) for a in one.arguments]
            try:
                found[name] = rounded(plain.encode(as_tensors(function(*arguments))), 13)
            except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError):
                continue
        return found

    def call_as_data(self, one: Case) -> Call:
        """The call of a case."""
        function = one.function or self.name
        names = list(inspect.signature(self.references[function]).parameters)[: len(one.arguments)]
        call: Call = {"function": function, "names": names, "arguments": [argument_as_data(a) for a in one.arguments]}
        if one.driver != "call":
            call["driver"], call["parameters"] = one.driver, [argument_as_data(a) for a in one.parameters]
        return call

    def expectation(self, one: Case) -> Expectation:
        """What is expected of a case: its own expectation, or the reference's value, which is judged by closeness."""
        if isinstance(one.expected, dict):
            return well_formed({**one.expected, **one.options})
        value = self.reference_value(one) if one.expected is None else one.expected
        dtype = one.options.get("dtype", dtype_of(one.arguments))
        expected: Expectation = {"judge": "close", "value": plain.encode(as_tensors(value)), "dtype": dtype}
        return well_formed({**expected, **one.options})

    def reference_value(self, one: Case) -> Any:
        """The reference on a case's arguments in float64, called by the case's driver."""
        arguments = [in_float64(calling.argument(argument_as_data(a))) for a in one.arguments]
        parameters = [in_float64(calling.argument(argument_as_data(a))) for a in one.parameters]
        return DRIVERS[one.driver](self.references[one.function or self.name], *parameters, *arguments)


def exercise(
    *,
    hints: Sequence[str],
    stretch: bool = False,
    forbid: Sequence[str] = (),
    modules: Sequence[str] = (),
    require: Sequence[str] = (),
    because: str = "",
    kernel: bool = False,
    seconds: float = SECONDS_PER_CALL,
    **misspelt: Never,
) -> Callable[[Callable[..., Any]], Exercise]:
    """Define an exercise by its reference: `forbid`, `modules`, `require`, `because` and `kernel` are its source rules
    (see helpers.checking.rules), `seconds` limits one call. Raises TypeError for an option that there is not, and names
    the one that was meant."""
    refuse_unknown(misspelt, list(inspect.signature(exercise).parameters)[:-1], "exercise")
    rules: Rules = {
        "forbid": list(forbid),
        "modules": [*OWN_WORK, *modules],
        "require": list(require),
        "because": because,
    }
    if kernel:
        rules["kernel"] = True
    return lambda reference: Exercise(reference, stretch, hints, rules, seconds)


def words_of(text: str) -> set[str]:
    """The telling words of a text, by their first letters, so that "batches" is "batch"."""
    return {word[:5] for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in PLAIN_WORDS}


def well_formed(expectation: Any) -> Expectation:
    """An author's own expectation. Raises TypeError where its judge or one of its options does not exist."""
    judge = str(expectation.get("judge"))
    if judge != "raises":
        refuse_unknown([judge], JUDGES, "the table of judges")
    refuse_unknown(expectation, OPTIONS, f"an expectation for the judge {judge!r}")
    return cast(Expectation, expectation)


def rounded(data: Any, digits: int = 11) -> Any:
    """Plain data with its floats to 11 digits: more than recognising a mistake looks at, in a shorter answer key."""
    if isinstance(data, dict):
        return {k: rounded(v, digits) for k, v in data.items()}
    if isinstance(data, list):
        return [rounded(item, digits) for item in data]
    return float(f"{data:.{digits}g}") if isinstance(data, float) else data


def argument_as_data(value: Any) -> Any:
    """An argument of a case as plain data."""
    if isinstance(value, Function):
        return {"function": value.name, "arguments": [argument_as_data(item) for item in value.arguments]}
    if isinstance(value, Seed):
        return {"generator": value.number}
    if isinstance(value, WithLayout):
        return {**plain.encode(value.tensor), "layout": value.layout}
    return plain.encode(value)


def dtype_of(arguments: Iterable[Any]) -> str | None:
    """The dtype of the first floating tensor among the arguments, by name."""
    tensors = (a.tensor if isinstance(a, WithLayout) else a for a in flatten(arguments))
    floating = (t for t in tensors if isinstance(t, torch.Tensor) and t.is_floating_point())
    first = next(floating, None)
    return None if first is None else str(first.dtype).removeprefix("torch.")


def flatten(arguments: Iterable[Any]) -> Iterable[Any]:
    """Arguments with lists of tensors opened."""
    for argument in arguments:
        yield from argument if isinstance(argument, (list, tuple)) else (argument,)


def in_float64(value: Any) -> Any:
    """Floating tensors in float64; everything else as it is."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.double()
    if isinstance(value, (list, tuple)):
        return type(value)(in_float64(item) for item in value)
    return value


def as_tensors(value: Any) -> Any:
    """A reference's NumPy results as tensors, so that references may be written with SciPy."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))  # a copy with strides that torch knows; 0-d stays 0-d
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return tuple(as_tensors(item) for item in value)
    return value


__all__ = ["Case", "Exercise", "Function", "Observation", "Seed", "WithLayout", "case", "exercise", "raises"]
