"""Judging: outcomes, errors that are expected, and optimal codes."""

import numpy as np
import pytest
import torch

from helpers.checking import judging, plain
from helpers.checking.kinds.divergences import prefix_code
from helpers.checking.kinds.tables import JUDGES

P = torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0], dtype=torch.float64)
CODE = {"judge": "prefix_code", "p": plain.encode(P), "mean_length": 1.9, "dtype": "float64"}


def codes(value, **options):
    problem = prefix_code(plain.decode(plain.encode(value)), {**CODE, **options})
    return problem and problem.text


class TestPrefixCodes:
    @pytest.mark.parametrize(
        "value",
        [
            [1, 2, 3, 3, 0],
            (1, 2, 3, 3, 0),
            torch.tensor([1, 2, 3, 3, 0]),
            torch.tensor([1, 2, 3, 3, 0], dtype=torch.uint8),
            np.array([1, 2, 3, 3, 0]),
            [np.int64(1), np.int32(2), 3, torch.tensor(3), 0],
        ],
        ids=range(6),
    )
    def test_whole_numbers_in_any_sequence(self, value):
        assert codes(value) is None

    def test_ties_may_be_broken_in_any_way(self):
        four = torch.tensor([0.4, 0.2, 0.2, 0.2], dtype=torch.float64)
        for lengths in ([1, 2, 3, 3], [1, 3, 2, 3], [2, 2, 2, 2]):
            assert codes(lengths, p=plain.encode(four), mean_length=2.0) is None

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ([2, 2, 2, 2, 0], "needs 2 bits a symbol; the best one needs 1.9"),
            ([3, 3, 2, 1, 0], "the best one needs 1.9"),
            ([1, 1, 1, 1, 0], "Kraft's sum of 2^-length is 2, more than 1"),
            ([1, 2, 2, 3, 0], "Kraft"),
            ([1, 2, 3, 3, 4], "never occurs"),
            ([1, 2, 3, 0, 0], "at least one bit"),
            ([1, 2, 3, -3, 0], "at least one bit"),
            ([1, 2, 3, 2**62, 0], "the best one needs 1.9"),
            ([1.0, 2.0, 3.0, 3.0, 0.0], "dtype float64, where integers were expected"),
            ([1, 2, 3, float("nan"), 0], "integers"),
            ([1, 2, 3, float("inf"), 0], "integers"),
            (torch.tensor([1.0, 2.0, 3.0, 3.0, 0.0]), "integers"),
            ([True] * 5, "5 code lengths were expected, one number for each symbol"),
            (torch.ones(5, dtype=torch.bool), "dtype bool"),
            (["0", "10", "110", "111", ""], "one number for each symbol"),
            ([[1, 2, 3, 3, 0]], "one number for each symbol"),
            (torch.tensor([[1, 2, 3, 3, 0]]), "has shape (1, 5)"),
            ([1, 2, 3, 3], "has shape (4,)"),
            ([], "has shape (0,)"),
            (1.9, "has shape ()"),
            ({0: 1}, "a dict"),
            (None, "None"),
            ("12330", "a text"),
        ],
        ids=str,
    )
    def test_what_is_no_optimal_code(self, value, words):
        assert words in codes(value)

    def test_a_mean_below_the_best_says_that_the_best_was_wrong(self):
        assert codes([1, 2, 3, 3, 0], mean_length=2.0) is not None

    def test_the_rounding_of_single_precision_is_forgiven(self):
        assert codes([1, 2, 3, 3, 0], mean_length=1.9 - 5e-7, dtype="float32") is None
        assert codes([1, 2, 3, 3, 0], mean_length=1.9 - 5e-7) is not None

    def test_one_symbol(self):
        one = plain.encode(torch.tensor([0.0, 1.0], dtype=torch.float64))
        assert codes([0, 1], p=one, mean_length=1.0) is None
        assert "at least one bit" in codes([0, 0], p=one, mean_length=1.0)


def problem(observation, expectation):
    found = judging.problem(observation, expectation)
    return found and found.text


class TestProblems:
    CLOSE = {"judge": "close", "value": 1.5, "dtype": None}  # noqa: RUF012 - read only
    RAISES = {"judge": "raises", "error": "ValueError"}  # noqa: RUF012 - read only

    def test_a_returned_value_goes_to_its_judge(self):
        assert problem({"outcome": "returned", "value": 1.5, "changed": []}, self.CLOSE) is None
        assert problem({"outcome": "returned", "value": 2.5, "changed": []}, self.CLOSE) == "expected 1.5, got 2.5."

    def test_a_changed_input_counts_where_inputs_are_watched(self):
        spoilt = {"outcome": "returned", "value": 1.5, "changed": [0]}
        assert problem(spoilt, self.CLOSE) is None
        assert "changed its input" in problem(spoilt, {**self.CLOSE, "unchanged": True})

    def test_an_error_that_was_not_expected(self):
        raised = {"outcome": "raised", "error": "KeyError", "message": "'x'", "line": 3}
        assert problem(raised, self.CLOSE) == "It raised KeyError in line 3 of your cell: 'x'"
        del raised["line"]
        assert problem({**raised, "message": ""}, self.CLOSE) == "It raised KeyError: without a message"

    def test_other_outcomes(self):
        assert problem({"outcome": "interrupted", "message": "no answer after 1 s"}, self.CLOSE).startswith(
            "It was stopped"
        )
        assert problem({"outcome": "no value", "message": "A set."}, self.CLOSE) == "A set."
        assert problem({"outcome": "not attempted"}, self.CLOSE) == "Not attempted yet."

    def test_an_error_that_was_expected(self):
        assert problem({"outcome": "raised", "error": "ValueError", "message": ""}, self.RAISES) is None
        assert "where ValueError was expected" in problem(
            {"outcome": "raised", "error": "TypeError", "message": ""}, self.RAISES
        )
        assert "returned a value" in problem({"outcome": "returned", "value": None, "changed": []}, self.RAISES)
        assert problem({"outcome": "not attempted"}, self.RAISES) is not None

    def test_every_judge_has_its_name(self):
        assert {"close", "prefix_code"} <= JUDGES.keys()
