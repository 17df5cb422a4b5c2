from __future__ import annotations

import math

import pytest
import torch

from helpers.checking import plain
from helpers.checking.kinds.channels import capacity
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem

Z_CHANNEL = torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64)
TWINS = torch.tensor([[1, 0], [0, 1], [0, 1]], dtype=torch.float64)  # the last two inputs are one
C, BEST = math.log(5 / 4), torch.tensor([0.6, 0.4], dtype=torch.float64)


def expectation(
    unique: bool = True, channel: torch.Tensor = Z_CHANNEL, best: float = C, r: torch.Tensor = BEST
) -> Expectation:
    value = plain.encode((best, r))
    return {
        "judge": "capacity",
        "value": value,
        "dtype": "float64",
        "tol": 1e-4,
        "unique": unique,
        "channel": plain.encode(channel),
    }


def twins(value: object) -> Problem | None:
    r = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    return capacity(value, expectation(False, TWINS, math.log(2), r))


@pytest.mark.parametrize(
    "value",
    [
        (C, BEST),
        [torch.tensor(C).double(), BEST],
        (C - 0.9e-4, BEST),
        (C + 0.9e-4, BEST + torch.tensor([0.009, -0.009])),  # r is graded to sqrt(tol)
    ],
)
def test_what_is_within_tol_is_right(value):
    assert capacity(value, expectation()) is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ((C + 2e-4, BEST), "apacity: expected 0.223144, got 0.223344"),
        ((C / math.log(2), BEST), "apacity: expected 0.223144"),
        ((math.nan, BEST), "got nan"),
        ((C, torch.tensor([0.5, 0.5]).double()), "input distribution: expected 0.6"),
        ((C, 2 * BEST), "its sum 2"),
        ((C, torch.tensor([1.6, -0.6]).double()), "smallest entry is -0.6"),
        ((C, BEST * math.nan), "its sum nan"),
        ((C, BEST.float()), "float32"),
        ((C, BEST[None]), "shape (1, 2)"),
        ((C, [0.6, 0.4]), "return a torch tensor"),
        ((None, BEST), "The capacity is None"),
        ((C, None), "The input distribution is None"),
        (C, "2 results were expected"),
        ((C, BEST, 3), "3 results"),
    ],
)
def test_what_is_wrong_is_named(value, sentence):
    assert sentence in str(capacity(value, expectation()))


def test_any_input_counts_that_carries_the_capacity():
    for share in (0.0, 0.1, 0.5):
        assert twins((math.log(2), torch.tensor([0.5, share, 0.5 - share], dtype=torch.float64))) is None
    poor = twins((math.log(2), torch.tensor([0.2, 0.4, 0.4], dtype=torch.float64)))
    assert str(poor) == "This input carries 0.500402 nats, but the capacity is 0.693147."
