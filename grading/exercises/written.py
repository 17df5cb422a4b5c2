r"""Exercises whose answer is written, not computed: a formula in LaTeX, a choice, an order (notebook 08).

    entropy = {"with a minus": r"...", ...}
    spellings(entropy_in_latex, *texts)                   # other right ways to write it
    mistakes(entropy_in_latex, {"bits": (sentence, text)})  # known by what they are worth on each case's numbers

An answer is a function without arguments that returns a constant, so both are made from the constants alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from grading.exercises.exercise import Case, Exercise, Misconception, case
from helpers.checking import plain, sealing
from helpers.checking.comparing import numbers
from helpers.checking.kinds import choices
from helpers.checking.kinds.formulas import Unreadable
from helpers.checking.kinds.languages import LANGUAGES
from helpers.checking.kinds.latex import PARTS, read, same
from helpers.checking.shapes import Expectation, Proof, Question

MOST_NONCES = 2**31


def returning(value: Any) -> Callable[[], Any]:
    """An answer that is a constant; `as_text` writes it down by its attribute."""

    def answer() -> Any:
        return value

    answer.always = value  # type: ignore[attr-defined]
    return answer


def formula(
    rng: np.random.Generator,
    language: str,
    part: str,
    draws: Sequence[Sequence[Any]],
    values: Sequence[Sequence[Any]],
    place: int | None = None,
    text: str = "",
) -> Case:
    """A case that measures a part of a formula on some draws; `values` holds what the right formula measures there."""
    expected = {
        "judge": "latex",
        "language": language,
        "part": part,
        "inputs": [plain.encode([np.asarray(array, dtype=np.float64) for array in draw]) for draw in draws],
        "value": plain.encode([[np.asarray(one, dtype=np.float64) for one in value] for value in values]),
        **({} if place is None else {"place": place}),
        **({"text": text} if text else {}),
    }
    return case(driver="ask", parameters=[int(rng.integers(MOST_NONCES))], expected=expected)


def spellings(exercise: Exercise, *answers: Any) -> None:
    """Other right ways to write an answer."""
    for number, answer in enumerate(answers, start=1):
        exercise.alternatives[f"spelling_{number}"] = {exercise.name: returning(answer)}


def mistakes(exercise: Exercise, known: Mapping[str, tuple[str, Any]]) -> None:
    """Wrong formulas by name, each with the sentence that its writer is told. Its spelling does not matter."""
    for name, (sentence, answer) in known.items():
        looks = partial(looks_like, answer)
        exercise.misconceptions[name] = Misconception(sentence, {exercise.name: returning(answer)}, looks)


def looks_like(answer: Any, one: Case) -> Expectation | None:
    """What a wrong formula measures in a case; None where it is right there, or cannot be measured."""
    expected: Expectation = one.expected
    language = LANGUAGES[expected["language"]]
    measure, _ = PARTS[expected["part"]]
    values = []
    try:
        statements = read(answer, language, expected.get("place"))
        for draw in expected["inputs"]:
            arrays = [np.asarray(numbers(array)) for array in plain.decode(draw)]
            values.append([np.asarray(v) for v in measure(statements, language, language.scope(*arrays))])
    except Unreadable:
        return None
    right = plain.decode(expected["value"])
    if all(same(got, want, expected) for got, want in zip(values, right, strict=True)):
        return None
    if not all(np.isfinite(number).all() for value in values for number in value):
        return None
    return {**expected, "value": plain.encode(values)}


@dataclass(frozen=True)
class Choice:
    """A question: its right option, and the wrong ones with what their choosers are told."""

    name: str
    text: str
    right: str
    wrong: Mapping[str, str]

    @property
    def options(self) -> list[str]:
        """All options, in an order that says nothing."""
        return sorted((self.right, *self.wrong), key=lambda option: sealing.digest(self.name, option, "place"))

    def as_data(self) -> Question:
        """The question as an answer key holds it."""
        said = {**self.wrong, self.right: "Right."}
        told = {sealing.digest(self.name, o, "told"): sealing.seal(words, self.name, o) for o, words in said.items()}
        right = sealing.digest(self.name, self.right)
        return {
            "name": self.name,
            "text": self.text,
            "options": self.options,
            "right": right,
            "told": dict(sorted(told.items())),
        }


@dataclass(frozen=True)
class Order:
    """A derivation: its steps in order, and the wrong one with what its choosers are told."""

    name: str
    text: str
    steps: Sequence[str]
    wrong: str
    told: str

    @property
    def options(self) -> list[str]:
        """All steps, in an order that says nothing."""
        return sorted((*self.steps, self.wrong), key=lambda step: sealing.digest(self.name, step, "place"))

    def as_data(self) -> Proof:
        """The derivation as an answer key holds it."""
        beginnings = [sealing.digest(self.name, *self.steps[:n]) for n in range(1, len(self.steps) + 1)]
        sealed = sealing.seal(self.told, self.name, self.wrong)
        return {
            "name": self.name,
            "text": self.text,
            "steps": self.options,
            "order": beginnings,
            "told": {sealing.digest(self.name, self.wrong, "told"): sealed},
        }


def asked(rng: np.random.Generator, items: Iterable[Choice | Order], at_least: float = 1.0) -> Case:
    """A case that wants this share of some questions, or of some derivations, right."""
    items = list(items)
    several = isinstance(items[0], Order)
    expected = {
        "judge": "in_order" if several else "chosen",
        "proofs" if several else "questions": [one.as_data() for one in items],
        "at_least": at_least,
        "text": f"{'the right steps in order' if several else 'the right word'} for {', '.join(i.name for i in items)}",
    }
    return case(driver="ask", parameters=[int(rng.integers(MOST_NONCES))], expected=expected)


def on_sheet(items: Iterable[Choice | Order], sheet: int) -> dict[str, Any]:
    """The right answers in the words of a sheet."""
    return {
        one.name: choices.word(sheet, one.name, one.right)
        if isinstance(one, Choice)
        else [choices.word(sheet, one.name, step) for step in one.steps]
        for one in items
    }


def habits(exercise: Exercise, items: Sequence[Choice | Order], known: Mapping[str, tuple[str, str]]) -> None:
    """Ways to answer without reading, by name: the habit (see `choices.HABITS`) and what its owner is told."""
    key = "proofs" if isinstance(items[0], Order) else "questions"
    for name, (habit, sentence) in known.items():
        answer = {one.name: by_habit(one, habit) for one in items}
        looks = partial(looks_habitual, habit, key)
        exercise.misconceptions[name] = Misconception(sentence, {exercise.name: returning(answer)}, looks)


def looks_habitual(habit: str, key: str, one: Case) -> Expectation:
    """How a habit is known in a case."""
    expected: Any = {"judge": "habit", "symptom": habit, key: one.expected[key]}
    return cast(Expectation, expected)


def by_habit(one: Choice | Order, habit: str, sheet: int = 7) -> Any:
    """What somebody answers by habit."""
    shown = choices.in_order_of(sheet, one.name, one.options)
    picked = {
        "longest": [max(one.options, key=len)],
        "first": shown[:1],
        "last": shown[-1:],
        "everything": shown,
        "as shown": shown[:-1],
        "backwards": shown[::-1][:-1],
    }.get(habit)
    if picked is None:
        return {"letters": "a", "texts": one.options[0]}[habit]
    words = [choices.word(sheet, one.name, option) for option in picked]
    return words if isinstance(one, Order) else words[0]
