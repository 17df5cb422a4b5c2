"""What comes back from a submission's process is checked before anything uses it."""

from __future__ import annotations

import pytest

from grading.sandbox.replies import checked


@pytest.mark.parametrize(
    "reply",
    [
        {}, {"outcome": "correct"}, {"outcome": "returned"}, {"outcome": "returned", "value": 1.0},
        {"outcome": "returned", "value": 1.0, "changed": [5]}, {"outcome": "returned", "value": 1.0, "changed": [True]},
        {"outcome": "returned", "value": {"tensor": "object", "shape": [], "data": []}, "changed": []},
        {"outcome": "returned", "value": {"tensor": "float64", "shape": [10**30], "data": []}, "changed": []},
        {"outcome": "returned", "value": {"list": [[]]}, "changed": []}, {"outcome": ["returned"]}, {"outcome": None},
        {"outcome": "returned", "value": {"tensor": "float64", "shape": [2**40, 0], "data": []}, "changed": "x"},
    ],
)  # fmt: skip
def test_a_reply_that_does_not_conform_is_no_value(reply: dict) -> None:
    assert checked(reply, 1)["outcome"] == "no value"


def test_words_of_a_stranger_are_short_and_printable() -> None:
    observation = checked({"outcome": "raised", "error": "E\n" * 500, "message": "\x1b[2J" * 500, "line": True}, 1)
    assert len(observation["error"]) <= 80
    assert "\x1b" not in observation["message"]
    assert "line" not in observation
