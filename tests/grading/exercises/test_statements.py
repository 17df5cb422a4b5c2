"""Statements and grading agree: what a criterion asks for stands in the exercise, and an answer that is right but for
one kind of input loses no more than the one criterion that says so."""

import re
from functools import cache

import pytest
import torch

from grading.course import ROOT
from grading.exercises import load, notebooks
from helpers.checking import calling
from helpers.checking.marking import mark

EXERCISES = [(notebook, name) for notebook in notebooks() for name in load(notebook)]
each_exercise = pytest.mark.parametrize(("notebook", "name"), EXERCISES, ids=[f"{n[:2]}-{x}" for n, x in EXERCISES])
FURTHER = r"as (before|in `|in exercise)|(conventions|[Cc]ontract) (of|as)"  # what sends a reader to earlier exercises
SPECIAL = {
    "half types": r"[Hh]alf types|bfloat16|floating dtype",
    "another dtype": r"dtype|float32",
    "an empty batch": r"empty|no rows?\b",
    "nan": r"nan",
    "infinity": r"inf",
    "an input that must stay": r"chang|leave `theta`|inputs? as|inputs?,? and|inputs\b",
    "shapes that broadcast": r"broadcast|may be a batch",
    "bad input": r"ValueError",
}


@cache
def cells(notebook):
    """The cells of a notebook's source, by the first line of each."""
    text = (ROOT / f"solutions/{notebook}/{notebook}.py").read_text(encoding="utf-8")
    return re.split(r"^# %%", text, flags=re.M)


def statement(notebook, name):
    """What a learner reads of an exercise: the text above its cell, and the cell without its solution, in one line."""
    place = next(i for i, cell in enumerate(cells(notebook)) if cell.startswith(f' nbgrader={{"grade_id": "{name}"}}'))
    code = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", cells(notebook)[place], flags=re.S)
    return " ".join(re.sub(r"^# ?", "", cells(notebook)[place - 1] + code, flags=re.M).split())


def with_what_it_refers_to(notebook, name):
    """The statement, and those of the exercises before it where it says that something is as there."""
    own, before = statement(notebook, name), []
    if re.search(FURTHER, own):
        names = list(load(notebook))
        before = [statement(notebook, one) for one in names[: names.index(name)]]
    return " ".join([*before, own])


def tensors_in(arguments):
    """The tensors among arguments, those in lists too."""
    flat = [one for a in arguments for one in (a if isinstance(a, list) else [a])]
    return [one for one in flat if isinstance(one, torch.Tensor)]


def special_in(case):
    """What of a case a learner must have been told of."""
    given = tensors_in([calling.argument(one) for one in case["call"]["arguments"]])
    floating = [one for one in given if one.is_floating_point()]
    if any(one.dtype in (torch.float16, torch.bfloat16) for one in floating):
        yield "half types"
    if case["expected"].get("dtype") == "float32" and floating:
        yield "another dtype"
    if any(one.numel() == 0 for one in given):
        yield "an empty batch"
    if any(one.isnan().any() for one in floating):
        yield "nan"
    if any(one.isinf().any() for one in floating):
        yield "infinity"
    if case["expected"].get("unchanged"):
        yield "an input that must stay"
    if case["expected"]["judge"] == "raises":
        yield "bad input"


@each_exercise
def test_what_is_special_in_a_case_is_told(notebook, name):
    exercise = load(notebook)[name]
    text = with_what_it_refers_to(notebook, name)
    for criterion in exercise.as_data(1, mistakes=False)["criteria"]:
        for special in {kind for case in criterion["cases"] for kind in special_in(case)}:
            assert re.search(SPECIAL[special], text), (criterion["name"], special)


def empty(arguments):
    """Whether a tensor without numbers is among the arguments."""
    return any(one.numel() == 0 for one in tensors_in(arguments))


def broadcasts(arguments):
    """Whether two tensors of one exercise have leading dimensions that only broadcasting brings together."""
    shapes = [tuple(one.shape) for one in arguments if isinstance(one, torch.Tensor)]
    return len({shape[:-1] for shape in shapes}) > 1


TAKES_MANY_SHAPES = {  # whose arguments differ in shape by their meaning
    "push_through_channel", "moment_match", "natural_gradient_step", "multivariate_gaussian_kl", "elbo", "kfac_step",
    "cross_entropy_from_logits", "cross_entropy_triton", "rate_distortion", "muon_orthogonalize",
}  # fmt: skip


def refusing(right, refused):
    """A right answer that gives up where `refused` holds of its arguments."""

    def answer(*arguments):
        if refused(arguments):
            raise NotImplementedByMe
        return right(*arguments)

    return answer


class NotImplementedByMe(Exception):
    """What the wrapped answers raise."""


def lost(notebook, name, refused):
    """The criteria that a right answer loses which gives up on some inputs."""
    exercise = load(notebook)[name]
    data = exercise.as_data(1, mistakes=False)
    calls = [one["call"]["arguments"] for criterion in data["criteria"] for one in criterion["cases"]]
    if not any(refused([calling.argument(one) for one in arguments]) for arguments in calls):
        return []
    right = next(iter(exercise.alternatives.values()))
    functions = {one: refusing(function, refused) for one, function in right.items()}

    def play(number, calls):
        return (calling.perform(functions, call, exercise.seconds) for call in calls)

    report = mark(name, data, play, lambda: None)
    return [one.name for one in report.criteria if not one.passed]


@each_exercise
def test_an_answer_that_fails_on_an_empty_batch_alone_loses_the_one_criterion_that_says_so(notebook, name):
    assert len(lost(notebook, name, empty)) <= 1


@each_exercise
def test_an_answer_that_does_not_broadcast_loses_at_most_the_one_criterion_that_says_so(notebook, name):
    if name in TAKES_MANY_SHAPES:
        pytest.skip("its arguments have different shapes by their meaning")
    found = lost(notebook, name, broadcasts)
    assert len(found) <= 1
    if found:
        assert "broadcast" in with_what_it_refers_to(notebook, name), found
