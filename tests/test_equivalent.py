"""What the benchmark of recognition calls equivalent is: it answers as the answer it was made from, wherever that is
held against the exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks.equivalent import EQUIVALENT
from benchmarks.recognition import Wrong, wrong_answers
from grading.exercises import load, notebooks
from grading.exercises.exercise import Exercise
from helpers.checking import plain
from helpers.checking.calling import perform
from helpers.checking.comparing import agree, as_array, numbers, tolerance
from helpers.checking.judging import problem
from helpers.checking.shapes import CaseData

EXERCISES = {name: one for notebook in notebooks() for name, one in load(notebook).items()}
QUICK = [name for name in EQUIVALENT if name in load("05-gaussian-kl-monte-carlo")]
Functions = dict[str, Callable[..., Any]]


def right_answer(exercise: Exercise, wrong: Wrong) -> Functions:
    """The answer that a mutant was made from, or any where a mistake was undone by another."""
    name = wrong.change.split(",")[0]
    named = {functions[exercise.name].__name__: functions for functions in exercise.alternatives.values()}
    return named.get(name) or next(iter(named.values()))


def cases(exercise: Exercise, seeds: range) -> Iterator[CaseData]:
    """The public cases, and the hidden ones of some seeds."""
    for seed in seeds:
        for criterion in exercise.as_data(seed, mistakes=False)["criteria"]:
            yield from (one for one in criterion["cases"] if one.get("hidden") or seed == seeds[0])


def differs(one: CaseData, wrong: Functions, right: Functions, seconds: float) -> bool:
    """Whether two answers differ in a case, or the first of them is wrong there."""
    here, there = (perform(functions, one["call"], seconds) for functions in (wrong, right))
    if problem(here, one["expected"]) is not None:
        return True
    if one["expected"]["judge"] != "close" or here["outcome"] != "returned":
        return False  # many answers are right here
    got, want = (plain.decode(seen["value"]) for seen in (here, there))
    pairs = zip(got, want, strict=True) if isinstance(got, (tuple, list)) else [(got, want)]
    return not all(
        as_array(a) is None or agree(numbers(a), numbers(b), *tolerance(one["expected"])).all() for a, b in pairs
    )


def differences(name: str, seeds: range) -> list[str]:
    """What is said to be equivalent and is not, or is no change of any answer."""
    exercise, found = EXERCISES[name], []
    made = [wrong for wrong in wrong_answers(exercise, 10**6) if wrong.change in EQUIVALENT[name]]
    drawn = list(cases(exercise, seeds))
    for wrong in made:
        right = right_answer(exercise, wrong)
        if any(differs(one, wrong.functions, right, exercise.seconds) for one in drawn):
            found.append(wrong.change)
    return found + sorted(set(EQUIVALENT[name]) - {wrong.change for wrong in made})


@pytest.mark.parametrize("name", QUICK)
def test_an_equivalent_mutant_answers_as_what_it_was_made_from(name: str) -> None:
    assert differences(name, range(1, 2)) == []


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", EQUIVALENT)
def test_so_it_does_for_many_seeds(name: str) -> None:
    assert differences(name, range(1, 7)) == []


def test_each_has_a_reason() -> None:
    assert all(len(reason.split()) > 3 for table in EQUIVALENT.values() for reason in table.values())


def test_a_mutant_that_is_wrong_is_not_equivalent(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = next(w for w in wrong_answers(EXERCISES["vae_kl"], 10**6) if w.source == "mutant" and "0.25" in w.change)
    monkeypatch.setitem(EQUIVALENT, "vae_kl", {wrong.change: "it is not", "no such change": "nor is this"})
    assert differences("vae_kl", range(1, 2)) == [wrong.change, "no such change"]
