"""Call an answer that draws random numbers, often enough to judge it by statistics (notebook 05).

The driver is here, `estimates` judges what it returns, and FUNCTIONS are handed to learners' functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.checking import plain

FEW = 2  # the smallest n with a standard error, where n - 1 and n differ most


def estimate_often(estimator: Callable[..., Any], seed: int, repeats: int, *arguments: Any) -> tuple[Any, ...]:
    """Driver: what `estimator(..., n, generator)` answers with a generator of `seed`, with another of the same seed and
    with one of the next seed, as floats where it is a pair of numbers. With `repeats` also the mean of its squared
    standard error over so many calls at n = 2, None where one of them is no pair."""
    *gaussians, n = arguments

    def answer(at: int, count: int = n) -> Any:
        given = estimator(*gaussians, count, torch.Generator().manual_seed(at))
        return pair(given) or given

    answers = answer(seed), answer(seed), answer(seed + 1)
    if not repeats:
        return answers
    pairs = [pair(answer(seed + 2 + i, FEW)) for i in range(repeats)]
    whole = all(one is not None for one in pairs)
    return (*answers, sum(one[1] ** 2 for one in pairs if one is not None) / repeats if whole else None)


def pair(answer: Any) -> tuple[float, float] | None:
    """An answer (estimate, standard error) as two finite floats, in any of the forms that scalars take; else None."""
    answer = plain.decode(plain.encode(answer))
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return None
    first, second = (scalar(one) for one in answer)
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None


def scalar(value: Any) -> float:
    """A number, or a tensor or array without dimensions, as a float; nan for anything else."""
    if type(value) in (int, float) or (isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0):
        return float(value)
    return math.nan


def affine_decoder(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """A decoder z -> tanh(z W^T + b), from (..., latent) to (..., features), in the dtype of z."""
    return lambda z: torch.tanh(z @ weight.to(z.dtype).T + bias.to(z.dtype))


FUNCTIONS = (affine_decoder,)
