"""Drivers that follow a learner's function over a whole run (notebook 03).

`follow` feeds an optimiser's step its own results, with fresh gradients, for hundreds of steps; `reseed` and
`for_each_seed` call a training function, which takes a seed, more than once. What they return is judged in `runs`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

REST_EVERY = 10  # every tenth gradient is zero


def gradients(seed: int, first: Tensor, steps: int) -> list[Tensor]:
    """`steps` gradients: `first`, then `first` times fresh numbers in [-1, 1), and zero at every tenth step.

    The numbers are raw words of Philox, which NumPy keeps the same in all its versions, on every machine.
    """
    words = np.random.Philox(key=seed).random_raw(steps * first.numel())
    factors = torch.from_numpy((words >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1).reshape(steps, *first.shape)
    factors[REST_EVERY - 1 :: REST_EVERY] = 0
    factors[:1] = 1
    return list(factors.to(first.dtype) * first)


def follow(step: Callable[..., Any], seed: int, keep: Sequence[int], states: int, *arguments: Any) -> Any:
    """Driver: call `step(theta, grad, *states, ...)` up to step `keep[-1]`, each time with the theta and the `states`
    that it returned and a fresh gradient. An int behind the states is t and counts up.

    Returns theta and the states at the steps in `keep` (from 1), each stacked along a new first dimension; or at once
    what `step` returned, where that cannot be gone on with.
    """
    theta, first, *rest = arguments
    state, others = [theta, *rest[:states]], rest[states:]
    kept = []
    for number, grad in enumerate(gradients(seed, first, keep[-1]), start=1):
        if type(others[0]) is int and number > 1:
            others[0] += 1
        result = step(state[0].clone(), grad, *(s.clone() for s in state[1:]), *others)
        if not isinstance(result, (tuple, list)) or len(result) != len(state):
            return result
        state = [as_tensor(part, theta.dtype) for part in result]
        if not all(isinstance(part, Tensor) and part.shape == theta.shape for part in state):
            return result
        if number in keep:
            kept.append([part.detach().clone() for part in state])
    return tuple(torch.stack(parts) for parts in zip(*kept, strict=True))


def as_tensor(value: Any, dtype: torch.dtype) -> Any:
    """A number as a tensor, so that a run on scalars may return Python's or NumPy's; anything else as it is."""
    return torch.tensor(float(value), dtype=dtype) if isinstance(value, (int, float, np.number)) else value


def reseed(train: Callable[..., Any], other: int, seed: int) -> tuple[Any, Any, Any]:
    """Driver: train twice with `seed`, then with the seed `other`, with the global generators in another state each
    time. They are put back afterwards."""
    before = (torch.get_rng_state(), np.random.get_state(), random.getstate())
    runs = []
    try:
        for state, number in ((101, seed), (202, seed), (303, other)):
            torch.manual_seed(state)
            np.random.seed(state)
            random.seed(state)
            runs.append(train(number))
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
    return runs[0], runs[1], runs[2]


def for_each_seed(train: Callable[..., Any], others: Sequence[int], seed: int) -> tuple[Any, ...]:
    """Driver: train with `seed` and with each of the seeds `others`."""
    return tuple(train(number) for number in (seed, *others))
