"""Make the public answer key of a notebook from the definitions of its exercises, and compare two of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from grading.exercises import load
from grading.exercises.ladder import ladder
from grading.exercises.slips import known_slips
from helpers.checking import plain
from helpers.checking.comparing import numbers
from helpers.checking.key import FORMAT

DIGITS = 1e-12


def make_key(notebook: str) -> str:
    """The answer key as JSON text, one exercise a line."""
    lines = (
        f"{json.dumps(name)}: {json.dumps({**one.as_data(), 'ladder': ladder(one), 'slips': known_slips(one)})}"
        for name, one in load(notebook).items()
    )
    return f'{{"format": {FORMAT}, "notebook": {json.dumps(notebook)}, "exercises": {{\n' + ",\n".join(lines) + "\n}}\n"


def same_key(fresh: str, committed: str) -> bool:
    """Whether two keys say the same, their numbers to 12 digits (what a mistake would answer to 4)."""
    try:
        return alike(json.loads(fresh), json.loads(committed), DIGITS)
    except ValueError:
        return False


def alike(a: Any, b: Any, digits: float) -> bool:
    """Whether two pieces of plain data are the same up to rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        if "base64" in a and "base64" in b and a.keys() == b.keys():
            form = a | {"base64": ""} == b | {"base64": ""}
            return form and near(plain.decode(a), plain.decode(b), digits)
        return a.keys() == b.keys() and all(alike(a[k], b[k], 1e-4 if k == "mistakes" else digits) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y, digits) for x, y in zip(a, b, strict=True))
    if type(a) is float and type(b) is float:
        return near(a, b, digits)
    return type(a) is type(b) and a == b


def near(a: float | np.ndarray | torch.Tensor, b: float | np.ndarray | torch.Tensor, digits: float) -> bool:
    """Whether numbers agree to so many digits, relative above 1 and absolute below."""
    return np.allclose(numbers(a), numbers(b), rtol=digits, atol=digits, equal_nan=True)
