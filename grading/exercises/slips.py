"""The slips that an answer key knows: one small change in a right answer at a time (see `mutants`).

Only changes are taken that a reader understands without the answer they were made in: those of an expression in the
function's own arguments, and of an argument itself (see `arguments`). Where the first criterion is not judged by its
numbers, they are those of the smaller cases. See `helpers.checking.slips` for how they are read."""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import itertools
import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from grading.exercises.arguments import taken_otherwise
from grading.exercises.exercise import Exercise
from grading.exercises.ladder import ladder
from grading.exercises.mutants import Mutant, mutants
from helpers.checking import plain, slips
from helpers.checking.calling import perform
from helpers.checking.marking import INCORRECT, Played, mark
from helpers.checking.sealing import digest, seal
from helpers.checking.shapes import CaseData, ExerciseData, Rules

NO_RULES: Rules = {"forbid": [], "modules": [], "require": [], "because": ""}
SECONDS = 1.0  # for a call that may never end
MOST_CHARACTERS = 60  # of an expression in a sentence
NEAR = 1e-8  # by how much numbers of two machines differ at most
NEAR_IN_SINGLE = 5e-6  # and those computed in single precision, where a tolerance admits that
STIR = 1e-12  # far more than rounding moves a number, far less than a digit that is compared
LIBRARIES = {
    "torch",
    "np",
    "math",
    "special",
    "functional",
    "linalg",
    "stats",
    "range",
    "len",
    "sum",
    "max",
    "min",
    "abs",
}
CONVERSIONS = {
    "double",
    "float",
    "numpy",
    "to",
    "tolist",
    "clone",
    "detach",
    "from_numpy",
    "as_tensor",
    "asarray",
    "dtype",
}


def known_slips(exercise: Exercise, without: str = "") -> dict[str, str]:
    """Sealed sentences by the digest of the numbers, for an exercise that numbers judge and that is quickly played;
    made of all right answers but the one called `without`."""
    torch.broadcast_shapes((1,), (1,))  # imports SymPy, which the time limit of a call must not cut in two
    if exercise.seconds > 10 or "kernel" in exercise.rules or exercise.name in TOO_SLOW:
        return {}
    data = exercise.as_data(mistakes=False)
    if not by_numbers(data["criteria"][0]["cases"]):
        data["criteria"] = [{"name": slips.SMALLER, "marks": 1, "cases": ladder(exercise), "hint": 1}]
        if not by_numbers(data["criteria"][0]["cases"]):
            return {}
    found: dict[str, str] = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a wrong formula divides by
        for sentence, function in (*sentences(exercise, without), *of_arguments(exercise, without)):
            if numbers := numbers_of(exercise, data, function):
                found.setdefault(digest(*numbers), seal(sentence, *numbers))
    return found


def by_numbers(cases: Sequence[CaseData]) -> bool:
    """Whether there are cases, and all are judged by closeness to right numbers."""
    return bool(cases) and all(one["expected"]["judge"] == "close" for one in cases)


def of_arguments(exercise: Exercise, without: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Arguments taken otherwise, as `helpers.checking.slips` reads it, and the wrong answer."""
    for after, before, function in taken_otherwise(exercise, without):
        yield f"{after}{slips.INSTEAD_OF}{before}", function


# Where one right answer takes a tenth of a second, hundreds of wrong ones would take minutes.
TOO_SLOW = ("rate_distortion", "max_entropy_with_mean")


def sentences(exercise: Exercise, without: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """What was changed in each mutant, as `helpers.checking.slips` reads it, and the mutant; shorter texts first."""
    parameters = list(inspect.signature(exercise.references[exercise.name]).parameters)
    made = []
    for functions in exercise.alternatives.values():
        if functions[exercise.name].__name__ not in ("<lambda>", without):
            words = Words(functions[exercise.name], parameters)
            made += [(words.of(mutant), mutant.function) for mutant in mutants(functions[exercise.name])]
    yield from sorted(((s, f) for s, f in made if s), key=lambda pair: len(pair[0]))


class Words:
    """Says what was changed in an answer in the names of its arguments."""

    def __init__(self, function: Callable[..., Any], parameters: list[str]):
        self.tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        own = [argument.arg for argument in self.tree.body[0].args.args]  # type: ignore[attr-defined] # a function
        self.names = dict(zip(own, parameters, strict=False))
        self.names |= {name: self.names[of] for name, of in self.converted() if of in self.names}

    def converted(self) -> Iterator[tuple[str, str]]:
        """Names that stand for an argument in another dtype or container, and never for anything else."""
        stores = [n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign):
                target, value = node.targets[0], node.value
                both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                pairs = zip(target.elts, value.elts, strict=False) if both else [(target, value)]  # type: ignore[attr-defined]
                for name, of in pairs:
                    if isinstance(name, ast.Name) and stores.count(name.id) == 1 and (argument := conversion_of(of)):
                        yield name.id, argument

    def of(self, mutant: Mutant) -> str:
        """What was changed; empty where that needs a name that only the answer has."""
        try:
            before, after = self.renamed(mutant.before), self.renamed(mutant.after)
        except (SyntaxError, KeyError):
            return ""
        if before.startswith("return"):  # the results in another order: a relation, which is told already
            return ""
        about_arguments = any(name in self.names.values() for name in re.findall(r"\w+", before))
        if before == after or max(len(before), len(after)) > MOST_CHARACTERS or not about_arguments:
            return ""
        return f"{after}{slips.INSTEAD_OF}{before}"

    def renamed(self, text: str) -> str:
        """An expression in the names of the arguments. Raises KeyError where that cannot be."""
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in LIBRARIES:
                node.id = self.names[node.id]
        return re.sub(r"(?<!\w)-0\b(?!\.)", "0", ast.unparse(tree))


def conversion_of(node: ast.expr) -> str | None:
    """The name that an expression only converts: p of p.double()."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - LIBRARIES
    attributes = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    plain = all(isinstance(n, (ast.Name, ast.Attribute, ast.Call, ast.Load)) for n in ast.walk(node))
    return names.pop() if plain and len(names) == 1 and attributes <= CONVERSIONS | LIBRARIES else None


def numbers_of(exercise: Exercise, data: ExerciseData, function: Callable[..., Any]) -> list[str] | None:
    """The first criterion that a wrong answer fails and what it answers there; None where that says nothing: other
    things than numbers, all of them special, or one so near the middle between two roundings that machines differ."""
    functions = {**exercise.references, exercise.name: function}
    seconds = min(exercise.seconds, SECONDS)
    report = mark(
        exercise.name, data, lambda _, calls: (perform(functions, call, seconds) for call in calls), lambda: None
    )
    criterion = next((one for one in report.criteria if one.failure), None)
    if report.outcome != INCORRECT or criterion is None:
        return None
    found = slips.answered(criterion.played)
    if found is None or len(set(found) - SPECIAL) < 2 or found == wanted(criterion.played):
        return None
    steady = settled(criterion.played) and stays(functions, criterion.played, seconds)
    return [criterion.name, *found] if steady else None


SPECIAL = {slips.rounded(x) for x in (0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan)}


def wanted(played: Sequence[Played]) -> list[str]:
    """The numbers of the right answer."""
    return [slips.rounded(x) for one in played for x in slips.flat(one.case["expected"]["value"]) or []]


def settled(played: Sequence[Played]) -> bool:
    """Whether no number lies so near the middle between two roundings that another machine may round it otherwise."""
    for one in played:
        numbers = slips.flat(one.observation["value"]) or []
        near = NEAR_IN_SINGLE if may_be_single(one, numbers) else NEAR
        if any(slips.rounded(x * (1 - near)) != slips.rounded(x * (1 + near)) for x in numbers):
            return False
    return True


def may_be_single(one: Played, numbers: Sequence[float]) -> bool:
    """Whether numbers may have been computed in single precision: where the arguments are double, only answers that a
    wide tolerance admits do that, and each machine adds up their products otherwise."""
    return one.case["expected"].get("rtol", 0.0) > NEAR_IN_SINGLE and all(float(np.float32(x)) == x for x in numbers)


def stays(functions: dict[str, Callable[..., Any]], played: Sequence[Played], seconds: float) -> bool:
    """Whether the numbers stay when the arguments change in their last digits and fresh memory holds nan. Steps that
    diverge do not, nor what was never written: they come out otherwise each time."""
    again = []
    with memory_of_nan():
        for one in played:
            call = copy.copy(one.case["call"])
            call["arguments"], call["parameters"] = stirred([call["arguments"], call.get("parameters", [])])
            again.append(Played(one.case, perform(functions, call, seconds), None))
    return slips.answered(again) == slips.answered(played)


@contextlib.contextmanager
def memory_of_nan() -> Iterator[None]:
    """Have torch fill with nan what torch.empty gives."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def stirred(data: Any, count: Iterator[int] | None = None) -> Any:
    """Plain data whose numbers with a point are a little larger or smaller by turns."""
    count = itertools.count() if count is None else count
    if isinstance(data, dict) and "base64" in data:
        return {**data, **plain.encode(moved(plain.decode(data)))}
    if isinstance(data, dict):
        return {key: stirred(value, count) for key, value in data.items()}
    if isinstance(data, list):
        return [stirred(value, count) for value in data]
    return data * (1 + STIR * (-1) ** next(count)) if type(data) is float else data


def moved(numbers: np.ndarray | torch.Tensor) -> np.ndarray | torch.Tensor:
    """Numbers with a point a little larger, others as they are."""
    floating = numbers.is_floating_point() if isinstance(numbers, torch.Tensor) else numbers.dtype.kind == "f"
    return numbers * (1 + STIR) if floating else numbers
