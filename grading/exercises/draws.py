"""Random inputs for cases, drawn from a NumPy generator so that a seed gives the same cases everywhere."""

from __future__ import annotations

import numpy as np
import torch


def distribution(
    rng: np.random.Generator, *shape: int, zeros: int = 0, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """Distributions over the last dimension, well away from uniform; `zeros` of the entries of each are exactly 0."""
    weights = rng.gamma(1.5, size=shape) + 0.02
    if zeros:
        order = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
        weights = np.where(order < zeros, 0.0, weights)
    return torch.from_numpy(weights / weights.sum(-1, keepdims=True)).to(dtype)


def normal(
    rng: np.random.Generator, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """Normal numbers of mean 0."""
    return torch.from_numpy(np.asarray(scale * rng.standard_normal(shape))).to(dtype)


def number(rng: np.random.Generator, low: float, high: float) -> float:
    """A float in [low, high), with few digits so that a card reads well."""
    return round(float(rng.uniform(low, high)), 4)


def size(rng: np.random.Generator, low: int, high: int) -> int:
    """An int in [low, high]."""
    return int(rng.integers(low, high + 1))
