"""Verified routines for entropy, divergence and codes (notebook 01).

Everything takes and returns torch tensors and speaks nats. The last dimension is the distribution, leading dimensions
are batches (they may be empty, and those of ``p`` and ``q`` broadcast). Half types are computed in float32; results
come back in the dtype of the input. Inputs are never changed. Every routine checks its inputs first and raises
``ValueError`` naming the argument and the offending value: a bad distribution gives no number at all here.

Source: Cover and Thomas, Elements of Information Theory (2006), chapters 2 and 5, unless a routine names another.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# How far a sum may be from one: rounding of the entries, and of whatever normalised them.
SUM_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def distribution(p: Float[Tensor, "*shape"], name: str, dims: int = 1) -> Float[Tensor, "*shape"]:
    """Return ``p`` in at least float32 after checking that it is a distribution over its last ``dims`` dimensions.

    ``name`` is what error messages call it. Raises ValueError unless ``p`` is a floating tensor, free of nan and of
    negative entries, that sums to one.
    """
    values = floating(p, name)
    if values.ndim < dims:
        raise ValueError(f"{name} needs at least {dims} dimension(s), got shape {tuple(values.shape)}")
    _reject(values, name, values.isnan(), "must not contain nan")
    _reject(values, name, values < 0, "must not be negative")
    totals = values.detach().sum(dim=tuple(range(-dims, 0)))
    tolerance = SUM_TOLERANCE.get(p.dtype, 2 * torch.finfo(p.dtype).eps)
    where = "its last dimension" if dims == 1 else f"its last {dims} dimensions"
    _reject(totals, name, ~((totals - 1).abs() <= tolerance), f"must sum to one over {where}", "sum of ")
    return values


def floating(x: Float[Tensor, "*shape"], name: str) -> Float[Tensor, "*shape"]:
    """Return ``x`` in at least float32. Raises ValueError unless it is a tensor of a floating dtype."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise ValueError(f"{name} must have a floating dtype, got {x.dtype}")
    return x if x.dtype == torch.float64 else x.float()


def _reject(values: Tensor, name: str, bad: Tensor, rule: str, prefix: str = "") -> None:
    """Raise ValueError with the place and the value of the first bad entry, if there is one."""
    if bad.any():
        index = bad.nonzero()[0].tolist()
        place = f"{name}{index}" if index else name
        raise ValueError(f"{name} {rule}, but {prefix}{place} is {values[tuple(index)].item():.9g}")


def _pair(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Check two distributions that are to be compared: same dtype and length, leading dimensions that broadcast."""
    a, b = distribution(p, "p"), distribution(q, "q")
    if p.dtype != q.dtype:
        raise ValueError(f"p and q must share a dtype, got {p.dtype} and {q.dtype}")
    try:
        torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    except RuntimeError:
        fits = False
    else:
        fits = a.shape[-1] == b.shape[-1]
    if not fits:
        raise ValueError(f"the shapes of p and q do not match: {tuple(p.shape)} and {tuple(q.shape)}")
    return a, b


def log_where(keep: Tensor, x: Tensor) -> Tensor:
    """log(x) where ``keep``, else 0. Masking before the log keeps the gradient finite too: 0 times inf never occurs."""
    return torch.where(keep, x, 1).log()


def entropy(p: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """H(p) = -sum p log p in nats, with 0 log 0 = 0 (Cover and Thomas, equation 2.1).

    The gradient is -log p - 1 where p > 0. Where p = 0 the true one is infinite; 0 is used, so that masked
    probabilities stay out of training. Raises ValueError if ``p`` is not a distribution.
    """
    x = distribution(p, "p")
    return (0 - (x * log_where(x > 0, x)).sum(-1)).to(p.dtype)  # 0 - sum, as -sum would print -0.0 for a sure event


def _cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    return 0 - (p * log_where((p > 0) | (q > 0), q)).sum(-1)


def cross_entropy(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """H(p, q) = -sum p log q in nats: the mean code length for data from p with a code made for q.

    Terms with p = 0 are 0, even where q = 0; the result is +inf if p > 0 where q = 0.
    Raises ValueError if ``p`` or ``q`` is not a distribution or their shapes or dtypes do not match.
    """
    a, b = _pair(p, q)
    return _cross_entropy(a, b).to(p.dtype)


def kl_divergence(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """KL(p, q) = sum p log(p / q) in nats (Kullback and Leibler 1951; Cover and Thomas, equation 2.26).

    Exactly 0 when p is q; +inf if p > 0 where q = 0. Where p = 0 the gradient in p leaves out p's own (infinite)
    logarithm. Raises ValueError if ``p`` or ``q`` is not a distribution or their shapes or dtypes do not match.
    """
    a, b = _pair(p, q)
    return (a * (log_where(a > 0, a) - log_where((a > 0) | (b > 0), b))).sum(-1).to(p.dtype)


def perplexity(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """exp of the cross-entropy of ``p`` and ``q``: the number of equally likely choices that would be as hard to guess.

    Has no unit: 2 to the cross-entropy in bits is the same number. Raises ValueError as ``cross_entropy`` does.
    """
    a, b = _pair(p, q)
    return _cross_entropy(a, b).exp().to(p.dtype)


def max_entropy_with_mean(values: Float[Tensor, " n"], mean: float) -> Float[Tensor, " n"]:
    """The distribution of largest entropy on ``values`` among those with this mean (Jaynes 1957).

    It is p_i proportional to exp(lam values_i); the multiplier lam is found by Brent's method in float64.
    Raises ValueError unless ``values`` is one finite vector and min < mean < max.
    """
    from scipy.optimize import brentq  # here, as importing it costs more than the rest of helpers

    v = floating(values, "values").detach().double()
    if v.ndim != 1 or v.numel() == 0:
        raise ValueError(f"values must be one non-empty vector, got shape {tuple(v.shape)}")
    _reject(v, "values", ~v.isfinite(), "must be finite")
    low, high = v.min().item(), v.max().item()
    if not low < mean < high:
        raise ValueError(f"mean must lie strictly between the extreme values {low:.6g} and {high:.6g}, got {mean}")
    offset = (v - mean) / (high - low)

    def excess(lam: float) -> float:
        return (torch.softmax(lam * offset, -1) @ offset).item()

    bound = 1.0
    while excess(bound) < 0 or excess(-bound) > 0:
        bound *= 2
    return torch.softmax(brentq(excess, -bound, bound, xtol=1e-15) * offset, -1).to(values.dtype)


def huffman_code_lengths(p: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Code lengths in bits of an optimal binary prefix code for one vector ``p`` (Huffman 1952), as int64.

    Symbols of probability zero get length 0, a single possible symbol gets 1. Ties go to the symbols that come first.
    Raises ValueError if ``p`` is not one distribution.
    """
    x = distribution(p, "p")
    if x.ndim != 1:
        raise ValueError(f"p must be one vector, got shape {tuple(x.shape)}")
    # The second entry breaks ties: it never repeats, so the lists of symbols are never compared.
    heap = [(weight, i, [i]) for i, weight in enumerate(x.tolist()) if weight > 0]
    lengths = torch.zeros(len(x), dtype=torch.int64)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    for merged in range(len(x), len(x) + len(heap) - 1):
        (weight, _, left), (other, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[left + right] += 1  # every symbol below the new node moves one bit further from the root
        heapq.heappush(heap, (weight + other, merged, left + right))
    return lengths


def f_divergence(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"], f: Callable[[Tensor], Tensor]
) -> Float[Tensor, "*batch"]:
    """D_f(p, q) = sum q f(p / q) for q > 0 and an elementwise ``f`` that is finite at 0 (Csiszar 1967).

    ``f`` gets u = p / q, at least in float32: u log u gives KL(p, q), -log u KL(q, p), (u - 1)^2 chi-squared,
    |u - 1| / 2 total variation. Raises ValueError as ``kl_divergence`` does, if ``q`` has a zero, or if ``f`` changes
    the shape.
    """
    a, b = _pair(p, q)
    _reject(b, "q", b == 0, "must be positive everywhere")
    ratio = a / b
    image = f(ratio.clone())  # a copy, so that an f that works in place cannot reach p
    if image.shape != ratio.shape:
        raise ValueError(f"f must keep the shape {tuple(ratio.shape)}, but it returned {tuple(image.shape)}")
    return (b * image).sum(-1).to(p.dtype)


def alpha_divergence(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"], alpha: float
) -> Float[Tensor, "*batch"]:
    """D_alpha(p, q) = (sum p^alpha q^(1 - alpha) - 1) / (alpha (alpha - 1)) for p, q > 0 (Amari 1985, reparametrised).

    The limits are KL(p, q) at alpha = 1 and KL(q, p) at alpha = 0; nearby values are as exact. alpha = 1/2 gives
    4 (1 - sum sqrt(p q)). Raises ValueError as ``kl_divergence`` does, or if ``p`` or ``q`` has a zero.
    """
    a, b = _pair(p, q)
    _reject(a, "p", a == 0, "must be positive everywhere")
    _reject(b, "q", b == 0, "must be positive everywhere")
    if alpha < 0.5:
        a, b, alpha = b, a, 1 - alpha  # D_alpha(p, q) = D_(1 - alpha)(q, p), so that only the limit at 1 is left
    log_ratio = a.log() - b.log()
    if alpha == 1:
        return (a * log_ratio).sum(-1).to(p.dtype)
    # sum p^alpha q^(1 - alpha) - 1 = sum p (exp((alpha - 1) log(p / q)) - 1), without the cancellation near alpha = 1
    return ((a * torch.expm1((alpha - 1) * log_ratio)).sum(-1) / (alpha * (alpha - 1))).to(p.dtype)
