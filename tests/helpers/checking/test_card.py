"""Values as a card writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from helpers.checking import plain
from helpers.checking.card import call_text, describe

VALUES: dict[str, tuple[Any, str]] = {
    "a vector": (torch.tensor([1, 1.526316]), "tensor([1.0, 1.52632], float32)"),
    "a number alone": (torch.tensor(1 / 3).double(), "tensor(0.3333333, float64)"),
    "whole numbers": (torch.tensor([1, 300]), "tensor([1, 300], int64)"),
    "far apart": (torch.tensor([1e-9, 1.0]), "tensor([1e-09, 1.0], float32)"),
    "no numbers": (torch.tensor([float("nan"), -torch.inf]), "tensor([nan, -inf], float32)"),
    "truths": (torch.tensor([True, False]), "tensor([True, False], bool)"),
    "nothing": (torch.zeros(0), "tensor([], float32)"),
    "numpy's": (np.array([1, 2.5]), "array([1.0, 2.5], float64)"),
    "in a tuple": ((torch.tensor([1.0, 0.5]), 2.0), "(tensor([1.0, 0.5], float32), 2.0)"),
    "a table": (
        torch.tensor([[1, 0.5], [0, 12.25]]),
        "tensor([[  1.0,   0.5],\n        [  0.0, 12.25]], float32)",
    ),
    "tables in a tuple": (
        (torch.tensor([[1], [2]]), torch.tensor([3, 4])),
        "(tensor([[1],\n         [2]], int64),\n tensor([3, 4], int64))",
    ),
    "a long vector": (
        torch.arange(30.0),
        "tensor([0.0, 1.0, 2.0, ..., 27.0, 28.0, 29.0], shape=(30,), float32)",
    ),
    "a high table": (
        torch.arange(10).reshape(5, 2),
        "tensor([[0, 1],\n        [2, 3],\n        [4, 5],\n        [6, 7] ..., shape=(5, 2), int64)",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_numbers_are_written_as_people_write_them(name: str) -> None:
    value, text = VALUES[name]
    assert describe(value) == text


def test_a_large_table_shows_its_corners_and_one_place_that_says_so() -> None:
    text = describe(torch.arange(64.0).reshape(8, 8) / 7)
    assert len({len(line) for line in text.splitlines()[:3]}) == 1, "numbers stand below each other"
    assert text.splitlines()[3].strip() == "..., shape=(8, 8), float32)"
    assert max(map(len, text.splitlines())) <= 88, "what a card is wide"


@pytest.mark.parametrize("off", [1e-3, 1e-8, 1e-12, 1e-15])
def test_enough_digits_show_that_two_differ(off: float) -> None:
    one, other = torch.tensor([0.5, 0.7], dtype=torch.float64), torch.tensor([0.5, 0.7 + off], dtype=torch.float64)
    assert describe(one, 17) != describe(other, 17)


def test_a_call_is_written_as_its_arguments_need() -> None:
    table, vector = (plain.encode(torch.tensor(one)) for one in ([[1, 2], [3, 4]], [1, 2]))

    def text(*arguments: Any) -> str:
        return call_text({"function": "f", "names": ["joint", "p"][: len(arguments)], "arguments": list(arguments)})

    assert text(vector, vector) == "f(joint=tensor([1, 2], int64), p=tensor([1, 2], int64))"
    assert text(table) == "f(joint=tensor([[1, 2],\n                [3, 4]], int64))"
    rows = ["f(", "  joint=tensor([[1, 2],", "                [3, 4]], int64),", "  p=tensor([1, 2], int64))"]
    assert text(table, vector).split("\n") == rows
