"""Power iterations that begin with a random vector: right ones pass for every submission, others never do."""

from __future__ import annotations

import importlib

import pytest
import torch

from helpers.checking import calling, judging
from helpers.checking.kinds import landscapes

module = importlib.import_module("grading.exercises.04_condition_number_landscapes")
exercise = module.top_hessian_eigenvalue
(START,) = (c for c in exercise.criteria if c.name.startswith("begins with a vector drawn"))


def passes(answer, seed):
    """Whether an answer meets every case of the criterion for a submission's seed."""
    cases = exercise.hidden(START, seed, mistakes=False)
    return all(
        judging.problem(calling.perform({exercise.name: answer}, one["call"]), one["expected"]) is None for one in cases
    )


def beginning(start):
    """Power iteration from the vector that `start` makes of (loss_fn, params, generator)."""

    def answer(loss_fn, params, iterations, generator):
        v = start(loss_fn, params, generator)
        for _ in range(iterations):
            v = v / v.norm()
            image = torch.autograd.functional.hvp(loss_fn, params, v)[1]
            lam, v = (v * image).sum().item(), image
        return lam

    return answer


def drawn(make):
    return beginning(lambda loss_fn, params, generator: make(params.shape, generator=generator, dtype=params.dtype))


def fixed(make):
    return beginning(lambda loss_fn, params, generator: make(params))


STARTS = {
    "ones": fixed(torch.ones_like),
    "the first axis": fixed(lambda params: torch.eye(len(params), dtype=params.dtype)[0]),
    "1, 2, 3, ...": fixed(lambda params: torch.arange(1, len(params) + 1, dtype=params.dtype)),
    "params": fixed(torch.clone),
    "the gradient": beginning(lambda loss_fn, params, generator: torch.func.grad(loss_fn)(params)),
    "a seed of its own": fixed(
        lambda params: torch.randn(params.shape, generator=torch.Generator().manual_seed(0), dtype=params.dtype)
    ),
    "the global generator": fixed(torch.randn_like),
}


@pytest.mark.parametrize("make", [torch.randn, torch.rand])
def test_a_vector_from_the_generator_is_right_for_every_submission(make):
    assert all(passes(drawn(make), seed) for seed in range(25))


@pytest.mark.parametrize("start", STARTS)
def test_any_other_start_is_wrong_for_every_submission(start):
    assert not any(passes(STARTS[start], seed) for seed in range(4))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((5.0, 5.0, 6.0), None),
        ((5.0, 5.5, 6.0), "same seed gave two answers"),
        ((5.0, 5.0, 5.0), "Two seeds gave one answer"),
        ((5.0, 5.0, 99.0), "answers 99, outside"),
        ((5.0, 5.0, float("nan")), "not one finite number"),
        ((torch.ones(2), torch.ones(2), torch.ones(2)), "not one finite number"),
        (5.0, "not one finite number"),
        ((7.95, 7.95, 7.99), "From 2 products it answers 7.95, as near to 8 as many would"),
        ((7.95, 7.95, 6.0), None),  # a lucky start
    ],
)
def test_the_judge_says_what_is_wrong(value, words):
    expectation = {"judge": "seeded_start", "low": 4.0, "high": 8.0, "settled": 7.9, "iterations": 2}
    problem = landscapes.judge_seeded_start(value, expectation)
    assert (problem is None) if words is None else (words in problem.text)
    unseeded = landscapes.judge_unseeded_start(value, {"judge": "unseeded_start"})
    assert (unseeded is None) == (words is not None and "same seed" in words)
