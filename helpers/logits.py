"""Verified routines on logits in plain torch, and the roofline (notebook 06); `helpers.kernels` has the fast ones.

The conventions of ``helpers.information`` hold: nats, the last dimension is the classes, leading ones are batches, half
types are computed in float32, results in the dtype of the input, inputs checked and never changed.

Sources: Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions (2021), for the shift;
Milakov and Gimelshein, Online normalizer calculation for softmax (2018), algorithm 3; Williams, Waterman and Patterson,
Roofline (2009).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.information import floating


def log_sum_exp(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """log(sum(exp(x))) in nats over the last dimension. A row of -inf gives -inf, one with +inf gives +inf, nan stays.

    Raises ValueError unless ``x`` is a floating tensor with at least one class.
    """
    values = _logits(x, "x")
    if not values.numel():
        return x.new_empty(x.shape[:-1])
    shift = _shift(values.amax(-1, keepdim=True))
    return ((values - shift).exp().sum(-1).log() + shift.squeeze(-1)).to(x.dtype)


def log_softmax(logits: Float[Tensor, "*batch n"], temperature: float = 1.0) -> Float[Tensor, "*batch n"]:
    """z - log(sum(exp(z))) with z = logits / temperature. Nan, +inf and rows of nothing but -inf give nan, as in torch.

    Raises ValueError unless ``logits`` is a floating tensor with at least one class and ``temperature`` is positive.
    """
    values = _logits(logits, "logits")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if not values.numel():
        return logits.clone()
    # The maximum goes first: while the differences are exact. Dividing first would round large logits.
    shifted = (values - values.amax(-1, keepdim=True)) / temperature
    return (shifted - shifted.exp().sum(-1, keepdim=True).log()).to(logits.dtype)


def cross_entropy_from_logits(logits: Float[Tensor, "*batch n"], targets: Int[Tensor, "*batch"]) -> Float[Tensor, ""]:
    """The mean over all rows of -log p(target), in nats, without forming p.

    Raises ValueError unless ``targets`` are whole numbers from 0 to n - 1, one for each row, and there is a row.
    """
    values = _logits(logits, "logits")
    if targets.is_floating_point() or targets.dtype is torch.bool:
        raise ValueError(f"targets must be whole numbers, got {targets.dtype}")
    if targets.shape != logits.shape[:-1]:
        wanted, got = tuple(logits.shape[:-1]), tuple(targets.shape)
        raise ValueError(f"targets must have the shape of logits without its classes, {wanted}, got {got}")
    if not targets.numel():
        raise ValueError("logits must hold at least one row: there is no mean of nothing")
    if targets.min() < 0 or targets.max() >= logits.shape[-1]:
        raise ValueError(f"targets must be between 0 and {logits.shape[-1] - 1}, got {_range(targets)}")
    shifted = values - _shift(values.amax(-1, keepdim=True))
    picked = shifted.gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)
    return (shifted.exp().sum(-1).log() - picked).mean().to(logits.dtype)


def online_log_sum_exp(x: Float[Tensor, "*batch n"], block: int) -> Float[Tensor, "*batch"]:
    """``log_sum_exp`` in one pass over blocks, carrying (m, s): the largest value so far and sum(exp(x - m)) so far.

    Raises ValueError as ``log_sum_exp`` does, and unless ``block`` is a positive int.
    """
    values = _logits(x, "x")
    if type(block) is not int or block < 1:
        raise ValueError(f"block must be a positive int, got {block!r}")
    m = values.new_full((*values.shape[:-1], 1), -math.inf)
    s = torch.zeros_like(m)
    for part in values.split(block, dim=-1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        shift = _shift(larger)
        s = s * (m - shift).exp() + (part - shift).exp().sum(-1, keepdim=True)
        m = larger
    # With an infinite maximum later blocks add to exp(x - 0), which is still +inf or 0.
    return (_shift(m) + s.log()).squeeze(-1).to(x.dtype)


def arithmetic_intensity(flops: float, bytes_moved: float) -> float:
    """Operations per byte. Raises ValueError unless ``flops`` is at least 0 and ``bytes_moved`` is positive."""
    if not flops >= 0:
        raise ValueError(f"flops must not be negative, got {flops}")
    if not bytes_moved > 0:
        raise ValueError(f"bytes_moved must be positive, got {bytes_moved}")
    return flops / bytes_moved


def attainable_flops(intensity: float, peak: float, bandwidth: float) -> float:
    """The roofline, min(peak, intensity * bandwidth), in operations per second (Williams et al. 2009, section 3).

    ``peak`` is in operations per second, ``bandwidth`` in bytes per second. Raises ValueError unless all are positive
    (an intensity of 0 attains 0).
    """
    for name, value in (("peak", peak), ("bandwidth", bandwidth)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    if not intensity >= 0:
        raise ValueError(f"intensity must not be negative, got {intensity}")
    return min(peak, intensity * bandwidth)


def _logits(x: Tensor, name: str) -> Tensor:
    values = floating(x, name)
    if values.ndim < 1 or values.shape[-1] == 0:
        raise ValueError(f"{name} needs a last dimension with at least one class, got shape {tuple(values.shape)}")
    return values


def _shift(maximum: Tensor) -> Tensor:
    """What to subtract before exp: the maximum, or 0 where it is infinite, as inf - inf is nan."""
    return maximum.masked_fill(maximum.isinf(), 0.0)


def _range(targets: Tensor) -> str:
    low, high = int(targets.min()), int(targets.max())
    return str(low) if low == high else f"{low} to {high}"
