"""Comparing: what is accepted, and the sentence for each thing that is not."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.checking import comparing, plain
from helpers.checking.comparing import alike, close

VECTOR = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def wanting(value, **options):
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    dtype = str(value.dtype).removeprefix("torch.") if floating else None
    return {"judge": "close", "value": plain.encode(value), "dtype": dtype, **options}


def through(value):
    """A value as it arrives: by way of plain data."""
    return plain.decode(plain.encode(value))


def verdict(value, want, **options):
    problem = close(through(value), wanting(want, **options))
    return problem and problem.text


class TestScalars:
    @pytest.mark.parametrize(
        "value",
        [1.5, np.float64(1.5), np.float32(1.5), np.array(1.5), torch.tensor(1.5, dtype=torch.float64)],
        ids=lambda v: type(v).__name__,
    )
    def test_any_single_number_will_do(self, value):
        assert verdict(value, torch.tensor(1.5, dtype=torch.float64)) is None
        assert verdict(value, 1.5) is None

    @pytest.mark.parametrize("value", [3, np.int32(3), torch.tensor(3)])
    def test_integers_for_an_integer_and_for_a_float(self, value):
        assert verdict(value, 3) is None
        assert (verdict(value, 3.0) is None) == isinstance(value, int)

    @pytest.mark.parametrize("value", [3.0, torch.tensor(3.0), np.float64(3.0)])
    def test_a_float_is_no_integer(self, value):
        assert "integer" in verdict(value, 3)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (True, "True or False"),
            (None, "None: is a return missing?"),
            ("1.5", "a text"),
            ([1.5], "a list, where a single number was expected"),
            ({"a": 1}, "a dict"),
            (torch.tensor([1.5], dtype=torch.float64), "has shape (1,), where () was expected"),
            (torch.tensor(1.5), "has dtype float32, where float64 was expected"),
            (torch.tensor(True), "has dtype bool"),
        ],
    )
    def test_what_is_no_single_number(self, value, words):
        assert words in verdict(value, torch.tensor(1.5, dtype=torch.float64))

    @pytest.mark.parametrize("want", [True, False])
    def test_truth_values(self, want):
        for value in (want, np.bool_(want), torch.tensor(want)):
            assert verdict(value, want) is None
        for value in (not want, int(want), float(want)):
            assert verdict(value, want) is not None

    def test_texts(self):
        assert verdict("a", "a") is None
        assert verdict("b", "a") == "The answer is 'b', not 'a'."

    def test_none_where_none_is_meant(self):
        assert verdict(None, None) is None
        assert verdict(1, None) == "The answer is an int, where None was expected."


class TestTensors:
    def test_agreement(self):
        assert verdict(VECTOR.clone(), VECTOR) is None
        assert verdict(VECTOR.float(), VECTOR.float()) is None

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (VECTOR.tolist(), "a list, where a tensor of shape (3,) was expected; return a torch tensor"),
            (VECTOR.numpy(), "a NumPy array of shape (3,), where a tensor"),
            (VECTOR[None], "has shape (1, 3), where (3,) was expected"),
            (VECTOR[:2], "has shape (2,)"),
            (VECTOR.sum(), "has shape (), where (3,) was expected"),
            (VECTOR.float(), "has dtype float32, where float64 was expected: compute as you like"),
            (VECTOR.long(), "has dtype int64"),
            (2.0, "a float, where a tensor of shape (3,) was expected"),
            (VECTOR + 1, "expected 1 at [0], got 2 (3 of 3 numbers differ)."),
            (VECTOR * torch.tensor([1, 1, math.nan]), "expected 3 at [2], got nan (1 of 3 numbers differ)."),
            (VECTOR * torch.tensor([1, math.inf, 1]), "expected 2 at [1], got inf"),
        ],
    )
    def test_each_kind_of_trouble_has_its_sentence(self, value, words):
        assert words in verdict(value, VECTOR)

    def test_integers(self):
        assert verdict(torch.tensor([1, 2]), torch.tensor([1, 2])) is None
        assert verdict(torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2])) is None
        assert "integers were expected" in verdict(torch.tensor([1.0, 2.0]), torch.tensor([1, 2]))
        assert "expected 2 at [1], got 3" in verdict(torch.tensor([1, 3]), torch.tensor([1, 2]))

    @pytest.mark.parametrize(
        "value",
        [
            VECTOR,
            VECTOR.float(),
            VECTOR.numpy(),
            VECTOR.tolist(),
            tuple(VECTOR.tolist()),
            list(VECTOR),
            list(VECTOR.numpy()),
            list(VECTOR.bfloat16()),
        ],
        ids=range(8),
    )
    def test_any_sequence_where_the_exercise_says_so(self, value):
        assert verdict(value, VECTOR, any_sequence=True) is None

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ([1.0, "a", 2.0], "not all numbers"),
            ([[1.0, 2.0, 3.0]], "not all numbers"),
            ([1.0, True, 3.0], "not all numbers"),
            ([1.0, 2.0], "has shape (2,)"),
            ([], "has shape (0,)"),
            ([1.0, 2.0, 4.0], "expected 3 at [2], got 4"),
        ],
    )
    def test_not_every_sequence(self, value, words):
        assert words in verdict(value, VECTOR, any_sequence=True)

    def test_empty(self):
        assert verdict(torch.zeros(0, 3), torch.zeros(0, 3)) is None
        assert "has shape (0, 2)" in verdict(torch.zeros(0, 2), torch.zeros(0, 3))


class TestSeveralResults:
    WANT = (VECTOR, torch.tensor(2.0, dtype=torch.float64))

    def test_a_tuple_or_a_list(self):
        assert verdict(self.WANT, self.WANT) is None
        assert verdict(list(self.WANT), self.WANT) is None

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (VECTOR, "a tensor of shape (3,), where 2 results were expected (a tuple)"),
            ((VECTOR,), "holds 1 results, where 2 were expected"),
            ((VECTOR, None), "The speed is None"),
            ((VECTOR, 3.0), "speed: expected 2, got 3"),
            ((None, 2.0), "No gradient of p comes back"),
        ],
    )
    def test_the_part_in_question_is_named(self, value, words):
        assert words in verdict(value, self.WANT, parts=["gradient of p", "speed"])

    def test_parts_are_counted_where_they_have_no_names(self):
        assert verdict((VECTOR, 3.0), self.WANT).startswith("result 2: expected 2")


class TestTolerances:
    @pytest.mark.parametrize("name", comparing.TOLERANCES)
    def test_rounding_of_a_dtype_is_forgiven_and_four_times_as_much_is_not(self, name):
        rtol, atol = comparing.TOLERANCES[name]
        want = torch.tensor([0.75, 1.0, 1.9], dtype=torch.float64)
        for factor, good in ((0.5, True), (4.0, False)):
            value = (want * (1 + factor * (rtol + atol))).to(getattr(torch, name))
            assert (close(value, {**wanting(want), "dtype": name}) is None) == good

    def test_an_exercise_may_set_its_own(self):
        assert verdict(1.0001, 1.0, rtol=1e-3) is None
        assert verdict(1e-5, 0.0, atol=1e-4) is None
        assert verdict(1.0001, 1.0) is not None

    @given(st.floats(), st.floats())
    def test_infinities_and_nan_agree_with_themselves_only(self, a, b):
        agrees = comparing.agree(np.array([a]), np.array([b]), 1e-9, 1e-12)[0]
        if math.isfinite(a) and math.isfinite(b):
            assert agrees == (abs(a - b) <= 1e-12 + 1e-9 * abs(b))
        else:
            assert agrees == (a == b or (math.isnan(a) and math.isnan(b)))

    def test_numbers_that_differ_late_are_shown_far_enough(self):
        text = verdict(1.38629432, 1.3862943611)
        assert "expected 1.38629436, got 1.38629432." in text
        assert "not to float64's precision" in text
        assert "precision" not in verdict(1.4, 1.3862943611)
        assert "expected 0.29999999999999999, got 0.30000000000000004" in verdict(0.1 + 0.2, 0.3, rtol=0, atol=0)


def returned(value, changed=()):
    return {"outcome": "returned", "value": plain.encode(value), "changed": list(changed)}


class TestAlike:
    EXPECT = wanting(VECTOR)

    def test_numbers_to_nine_digits(self):
        assert alike(returned(VECTOR), returned(VECTOR * (1 + 5e-10)), self.EXPECT)
        assert not alike(returned(VECTOR), returned(VECTOR * (1 + 5e-8)), self.EXPECT)
        assert alike(returned(VECTOR * math.nan), returned(VECTOR * math.nan), self.EXPECT)

    @pytest.mark.parametrize(
        "other", [VECTOR.float(), VECTOR[:2], VECTOR[None], (VECTOR,), None, "text", {"a": VECTOR}]
    )
    def test_form_counts(self, other):
        assert not alike(returned(VECTOR), returned(other), self.EXPECT)
        assert alike(returned(other), returned(other), self.EXPECT)

    def test_a_python_number_is_like_a_tensor_of_none(self):
        assert alike(returned(2.0), returned(torch.tensor(2.0)), self.EXPECT)
        assert not alike(returned(2.0), returned(torch.tensor([2.0])), self.EXPECT)

    def test_lists_of_anything_are_compared_without_their_own_operators(self):
        mixed = [VECTOR, "a", [VECTOR, None]]
        for options in ({}, {"any_sequence": True}):
            assert alike(returned(mixed), returned(mixed), {**self.EXPECT, **options})
            assert not alike(returned(mixed), returned([VECTOR, "b", [VECTOR, None]]), {**self.EXPECT, **options})

    def test_a_spoilt_input_counts_where_inputs_are_watched(self):
        watched = {**self.EXPECT, "unchanged": True}
        assert not alike(returned(VECTOR), returned(VECTOR, [0]), watched)
        assert alike(returned(VECTOR), returned(VECTOR, [0]), self.EXPECT)

    def test_errors_by_type_and_by_their_words_without_the_numbers(self):
        def error(kind, message):
            return {"outcome": "raised", "error": kind, "message": message}

        first = error("RuntimeError", "The size of tensor a (3) must match the size of tensor b (4)")
        assert alike(
            first, error("RuntimeError", "The size of tensor a (5) must match the size of tensor b (2)"), self.EXPECT
        )
        assert not alike(first, error("ValueError", first["message"]), self.EXPECT)
        assert not alike(first, error("RuntimeError", "another trouble"), self.EXPECT)

    def test_outcomes(self):
        late = {"outcome": "interrupted", "message": "no answer after 10 s"}
        assert alike(late, late, self.EXPECT)
        assert not alike(late, returned(VECTOR), self.EXPECT)
        assert not alike({"outcome": "no value", "message": "a"}, {"outcome": "no value", "message": "b"}, self.EXPECT)
