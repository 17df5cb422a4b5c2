"""A small number in a logarithm is known for what it is, whatever its size and place."""

import pytest
import torch

from grading.exercises import load
from helpers.checking import plain
from helpers.checking.check import examine
from helpers.checking.kinds.divergences import small_number

EXERCISES = load("01-information-identities")
SENTENCE = EXERCISES["entropy"].misconceptions["entropy_epsilon"].sentence


def told(name, function):
    return examine(name, EXERCISES[name].as_data(), {name: function})


@pytest.mark.parametrize("e", [1e-5, 1e-7, 1e-9, torch.finfo(torch.float32).eps])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, e: -(p * (p + e).log()).sum(-1),
        lambda p, e: -((p + e) * (p + e).log()).sum(-1),
        lambda p, e: -(p * p.clamp(min=e).log()).sum(-1),
        lambda p, e: -(p * p.clamp(e, 1 - e).log()).sum(-1),
    ],
)
def test_in_entropy(wrong, e):
    report = told("entropy", lambda p: wrong(p, e))
    underflows = e < 1e-8 and report.failure and "float16" in str(report.failure.case["call"])  # where 1e-9 is 0
    if underflows:
        assert report.mistake == "nan"
    else:
        assert report.outcome == "correct" or report.mistake_sentence == SENTENCE


@pytest.mark.parametrize("e", [1e-5, 1e-7, 1e-8, 1e-10, 1e-12, 1e-15])
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("cross_entropy", lambda p, q, e: -(p * (q + e).log()).sum(-1)),
        ("cross_entropy", lambda p, q, e: -(p * q.clamp(e, 1 - e).log()).sum(-1)),
        ("kl_divergence", lambda p, q, e: (p * ((p + e) / (q + e)).log()).sum(-1)),
        ("kl_divergence", lambda p, q, e: ((p + e) * ((p + e) / (q + e)).log()).sum(-1)),
        ("kl_divergence", lambda p, q, e: (p * (p.clamp(min=e) / q.clamp(min=e)).log()).sum(-1)),
        ("perplexity", lambda p, q, e: (-(p * (q + e).log()).sum(-1)).exp()),
    ],
)
def test_in_what_can_be_infinite(name, wrong, e):
    report = told(name, lambda p, q: wrong(p, q, e))
    assert report.marks < report.points
    assert report.mistake_sentence == SENTENCE


def test_other_numbers_are_not_taken_for_it():
    p, q = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64), torch.full((4,), 0.25, dtype=torch.float64)
    expectation = {"formula": "cross_entropy", "inputs": [plain.encode(x) for x in (p, q)]}
    right = -(p * q.log()).sum()
    assert small_number(-(p * (q + 1e-8).log()).sum(), expectation) is None
    assert small_number(right, expectation)  # an answer that fails for another reason, such as a changed input
    assert small_number(right + 1e-8, expectation)
    assert small_number(right + 0.01, expectation)
    assert small_number(right.float(), expectation)
    assert small_number(torch.tensor(float("nan"), dtype=torch.float64), expectation)
    assert small_number("1.386", expectation)
