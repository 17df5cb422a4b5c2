"""The exercises of notebook 01: entropy, cross-entropy, KL divergence and what they are good for."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import torch
from scipy import optimize, special, stats
from torch.distributions import Categorical
from torch.nn import functional

from grading.draws import distribution, number, size
from grading.exercise import Function, case, exercise, raises

HALF = (torch.float16, torch.bfloat16)


# --------------------------------------------------------------------------------------------------- entropy
@exercise(
    hints=[
        "Sum -p log p over the last dimension: `dim=-1`, so that leading dimensions stay.",
        "log 0 is -inf and 0 * -inf is nan. `torch.special.xlogy(p, p)` is p log p with 0 log 0 = 0.",
        "`-torch.special.xlogy(p, p).sum(-1)` does it for float32 and float64; for half types compute in `p.float()` and go back with `.to(p.dtype)`.",
    ],
    forbid=["entropy", "Categorical"],
    because="Write the sum yourself; xlogy and entr are allowed.",
)
def entropy(p):
    return special.entr(p.numpy()).sum(-1)


@entropy.oracle
def entropy_by_torch(p):
    if not p.numel() or (p.sum(-1) - 1).abs().max() > 1e-12:
        return None  # Categorical normalises, and half types are normalised only to their rounding
    return Categorical(probs=p).entropy()


@entropy.criterion("matches the definition", marks=1)
def entropy_definition(rng):
    yield case(torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64))
    yield case(distribution(rng, size(rng, 5, 9)))


@entropy.criterion("0 log 0 is 0", marks=0.5)
def entropy_zeros(rng):
    yield case(torch.tensor([0.5, 0.0, 0.5, 0.0], dtype=torch.float64))
    yield case(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    yield case(distribution(rng, size(rng, 5, 8), zeros=2))


@entropy.criterion("keeps batches", marks=0.5)
def entropy_batches(rng):
    yield case(distribution(rng, 3, 4))
    yield case(distribution(rng, 2, 3, size(rng, 4, 6), zeros=1))
    yield case(torch.zeros(0, 5, dtype=torch.float64))


@entropy.criterion("has the right gradient", marks=0.5)
def entropy_gradient(rng):
    for p in (torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64), distribution(rng, 2, 5)):
        value = special.entr(p.numpy()).sum(-1)
        yield case(
            p, driver="gradient", parameters=[None], expected=(value, -p.log() - 1), parts=["value", "gradient of p"]
        )


@entropy.criterion("keeps the dtype and its input", marks=0.5)
def entropy_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(distribution(rng, 4, 6, zeros=1, dtype=dtype), unchanged=True)
    yield case(distribution(rng, 1000, dtype=torch.float16), unchanged=True)


@entropy.alternative
def entropy_xlogy(p):
    x = p if p.dtype in (torch.float32, torch.float64) else p.float()
    return -torch.special.xlogy(x, x).sum(-1).to(p.dtype)


@entropy.alternative
def entropy_masked(p):
    x = p.to(torch.promote_types(p.dtype, torch.float32))
    logs = torch.where(x > 0, torch.where(x > 0, x, 1.0).log(), 0.0)
    return (-(x * logs).sum(dim=-1)).to(p.dtype)


@entropy.alternative
def entropy_base_two_and_back(p):
    x = p.double()
    bits = -(x * torch.log2(x.clamp_min(1e-300))).sum(-1)
    return (bits * np.log(2)).to(p.dtype)


@entropy.alternative
def entropy_one_row_at_a_time(p):
    if p.ndim > 1:
        rows = [entropy_one_row_at_a_time(row) for row in p]
        return torch.stack(rows) if rows else torch.zeros(p.shape[:-1], dtype=p.dtype)
    total = torch.zeros((), dtype=torch.promote_types(p.dtype, torch.float32))
    for x in p:
        if x > 0:
            total = total - x.to(total.dtype) * x.to(total.dtype).log()
    return total.to(p.dtype)


@entropy.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def entropy_bits(p):
    return torch.special.entr(p).sum(-1) / np.log(2)


@entropy.misconception("The minus sign is missing: log p is negative, entropy is not.")
def entropy_sign(p):
    return torch.special.xlogy(p, p).sum(-1)


@entropy.misconception("0 * log 0 is nan in floating point. Its limit is 0: use xlogy, or leave such terms out.")
def entropy_nan(p):
    return -(p * p.log()).sum(-1)


@entropy.misconception(
    "Adding a small number inside the logarithm changes the answer everywhere. Treat p = 0 apart instead."
)
def entropy_epsilon(p):
    return -(p * (p + 1e-8).log()).sum(-1)


@entropy.misconception("The sum runs over everything: sum over the last dimension only, so that a batch stays a batch.")
def entropy_total(p):
    return torch.special.entr(p).sum()


@entropy.misconception("The sum runs over the first dimension; the distribution is the last one (dim=-1).")
def entropy_first_dimension(p):
    return torch.special.entr(p).sum(0)


@entropy.misconception("This is the mean of -log p, not its expectation: weigh each -log p with its p.")
def entropy_mean_surprise(p):
    return -p.log().mean(-1)
