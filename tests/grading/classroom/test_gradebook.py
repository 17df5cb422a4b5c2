"""The gradebook and its table."""

from __future__ import annotations

import pytest

from grading.classroom.gradebook import safe


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", " =1", "%x", "|y"])
def test_no_cell_of_the_table_computes(text: str) -> None:
    assert safe(text).startswith("'")


def test_plain_values_stay_in_the_table() -> None:
    assert [safe(value) for value in (None, 1.5, -2.0, "ada", "a,b")] == ["", "1.5", "-2.0", "ada", "a,b"]
