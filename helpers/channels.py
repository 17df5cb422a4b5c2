"""Verified routines for mutual information, channels, rate-distortion and the bottleneck (notebook 02).

The conventions of ``helpers.information`` hold: torch tensors, nats, results in the dtype of the input, inputs checked
and never changed. A joint distribution is (..., X, Y) and sums to one over both; a channel W(y given x) is (..., X, Y)
and each of its rows sums to one.

Source: Cover and Thomas, Elements of Information Theory (2006), chapters 2, 7, 9 and 10, unless a routine names
another.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.information import distribution, floating, log_where

MAX_LEAPS = 2000
MAX_ROUNDS = 20_000


def marginals(joint: Float[Tensor, "*batch X Y"]) -> tuple[Float[Tensor, "*batch X"], Float[Tensor, "*batch Y"]]:
    """p(x) and p(y): the row sums and the column sums. Raises ValueError if ``joint`` is not a joint distribution."""
    pxy = distribution(joint, "joint", dims=2)
    return pxy.sum(-1).to(joint.dtype), pxy.sum(-2).to(joint.dtype)


def conditional_entropy(joint: Float[Tensor, "*batch X Y"]) -> Float[Tensor, "*batch"]:
    """H(Y given X) = -sum p(x, y) log p(y given x) in nats; X is the row (Cover and Thomas, equation 2.10).

    Raises ValueError if ``joint`` is not a joint distribution.
    """
    pxy = distribution(joint, "joint", dims=2)
    px = pxy.sum(-1, keepdim=True)
    return (pxy * (log_where(px > 0, px) - log_where(pxy > 0, pxy))).sum((-2, -1)).to(joint.dtype)


def mutual_information(joint: Float[Tensor, "*batch X Y"]) -> Float[Tensor, "*batch"]:
    """I(X; Y), the KL divergence in nats between the joint and the product of its marginals (equation 2.28).

    Raises ValueError if ``joint`` is not a joint distribution.
    """
    pxy = distribution(joint, "joint", dims=2)
    px, py = pxy.sum(-1, keepdim=True), pxy.sum(-2, keepdim=True)
    logs = log_where(pxy > 0, pxy) - log_where(px > 0, px) - log_where(py > 0, py)
    return (pxy * logs).sum((-2, -1)).to(joint.dtype)


def three_informations(
    joint: Float[Tensor, "*batch X Y"], entropy: Callable[[Tensor], Tensor]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """H(X) - H(X given Y), H(Y) - H(Y given X) and H(X) + H(Y) - H(X, Y) as ``entropy`` measures, from distributions
    (..., n) to numbers (...); H(X given Y) is the average over the columns, H(Y given X) that over the rows.

    All three are I(X; Y) for Shannon's entropy, by its chain rule (Shannon 1948, section 6). Raises ValueError if
    ``joint`` is not a joint distribution.
    """
    pxy = distribution(joint, "joint", dims=2)
    px, py = pxy.sum(-1), pxy.sum(-2)
    rows, columns = (
        torch.where(p > 0, table / torch.where(p > 0, p, 1), 1 / table.shape[-1])  # its weight is 0
        for table, p in ((pxy, px[..., None]), (pxy.mT, py[..., None]))
    )
    hx, hy = entropy(px), entropy(py)
    x_given_y, y_given_x = (py * entropy(columns)).sum(-1), (px * entropy(rows)).sum(-1)
    ways = hx - x_given_y, hy - y_given_x, hx + hy - entropy(pxy.flatten(-2))
    return ways[0].to(joint.dtype), ways[1].to(joint.dtype), ways[2].to(joint.dtype)


def conditional_mutual_information(joint: Float[Tensor, "*batch X Y Z"]) -> Float[Tensor, "*batch"]:
    """I(X; Y given Z) in nats: what X and Y still tell about each other once Z is known (section 2.5).

    Raises ValueError if ``joint`` is not a joint distribution of three variables.
    """
    pxyz = distribution(joint, "joint", dims=3)
    pz, pxz, pyz = pxyz.sum((-3, -2), keepdim=True), pxyz.sum(-2, keepdim=True), pxyz.sum(-3, keepdim=True)
    logs = [log_where(p > 0, p) for p in (pxyz, pz, pxz, pyz)]
    return (pxyz * (logs[0] + logs[1] - logs[2] - logs[3])).sum((-3, -2, -1)).to(joint.dtype)


def push_through_channel(
    joint: Float[Tensor, "*batch X Y"], channel: Float[Tensor, "*batch Y Z"]
) -> Float[Tensor, "*batch X Z"]:
    """p(x, z) = sum_y p(x, y) W(z given y): what remains of the joint when Y is only seen through a channel.

    I(X; Z) <= I(X; Y), the data-processing inequality (Cover and Thomas, theorem 2.8.1). Leading dimensions broadcast.
    Raises ValueError if ``joint`` is no joint distribution, a row of ``channel`` is no distribution, or their shapes or
    dtypes do not match.
    """
    pxy, w = distribution(joint, "joint", dims=2), distribution(channel, "channel")
    if joint.dtype != channel.dtype:
        raise ValueError(f"joint and channel must share a dtype, got {joint.dtype} and {channel.dtype}")
    if w.ndim < 2 or pxy.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"channel needs one row for each of the {pxy.shape[-1]} columns of joint, got shape {tuple(w.shape)}"
        )
    try:
        torch.broadcast_shapes(pxy.shape[:-2], w.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"the leading dimensions of joint {tuple(pxy.shape)} and channel {tuple(w.shape)} do not match"
        ) from None
    return (pxy @ w).to(joint.dtype)


def plugin_mutual_information(x: Int[Tensor, " N"], y: Int[Tensor, " N"], bins: int) -> Float[Tensor, ""]:
    """I(X; Y) in nats of the histogram of N pairs of integers in [0, bins), a float64 scalar.

    Biased upwards, by about (bins - 1)^2 / (2 N) for independent uniform variables (Miller 1955).
    Raises ValueError unless ``x`` and ``y`` are integer vectors of the same length, not empty, and in range.
    """
    for name, samples in (("x", x), ("y", y)):
        if not isinstance(samples, Tensor) or samples.is_floating_point() or samples.is_complex():
            kind = samples.dtype if isinstance(samples, Tensor) else type(samples).__name__
            raise ValueError(f"{name} must be a tensor of integers, got {kind}")
        if samples.ndim != 1 or samples.numel() == 0:
            raise ValueError(f"{name} must be one non-empty vector, got shape {tuple(samples.shape)}")
        for extreme in (samples.min().item(), samples.max().item()):
            if not 0 <= extreme < bins:
                raise ValueError(f"{name} must lie in [0, {bins}), but it contains {extreme}")
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same length, got {len(x)} and {len(y)}")
    counts = torch.bincount(x.long() * bins + y.long(), minlength=bins * bins).double()
    return mutual_information((counts / len(x)).reshape(bins, bins))


def fano_error_bound(h: float, k: int) -> float:
    """The smallest error probability that allows H(X given Y) = ``h`` nats for ``k`` classes (Fano 1961).

    It solves h = H(pe) + pe log(k - 1) for pe in [0, 1 - 1/k] (Cover and Thomas, equation 2.130).
    Raises ValueError unless 0 <= h <= log k.
    """
    from scipy.optimize import brentq  # here, as importing it costs more than the rest of helpers

    if k < 1 or k != int(k):
        raise ValueError(f"k must be a positive whole number of classes, got {k}")
    if not 0 <= h <= math.log(k) + 1e-12:
        raise ValueError(f"h must lie between 0 and log k = {math.log(k):.6f} nats, got {h}")

    def missing(pe: float) -> float:
        """How far h is above what an error probability of pe can explain, for 0 < pe < 1."""
        return h + pe * math.log(pe) + (1 - pe) * math.log1p(-pe) - pe * math.log(k - 1)

    low, high = 1e-300, 1 - 1 / k
    if h == 0 or k == 1 or missing(low) <= 0:
        return 0.0
    return high if missing(high) >= 0 else brentq(missing, low, high, xtol=1e-15)


def _leap(r: Tensor, step: Callable[[Tensor], Tensor], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Two steps from ``r``, and then a leap in the direction they bend to, kept where it lowers the loss further.

    This is SQUAREM (Varadhan and Roland 2008, Scandinavian Journal of Statistics 35, 335-353, scheme S3). Near
    probabilities that vanish in the limit, plain Blahut-Arimoto would need hundreds of thousands of steps.
    """
    first = step(r)
    second = step(first)
    move, bend = first - r, second - 2 * first + r
    stretch = (move.norm() / bend.norm()).nan_to_num(1, posinf=1).clamp_min(1)
    leap = r + 2 * stretch * move + stretch**2 * bend
    leap = step(torch.maximum(leap, second / 100))  # a probability that becomes 0 would stay so
    return leap if loss(leap) < loss(second) else second


def channel_capacity(channel: Float[Tensor, "X Y"], tol: float = 1e-9) -> tuple[Float[Tensor, ""], Float[Tensor, " X"]]:
    """The capacity in nats of one channel matrix and an input distribution that reaches it.

    Blahut (1972) and Arimoto (1972), in float64, until the upper and the lower bound are within ``tol``.
    Raises ValueError if a row of ``channel`` is no distribution or tol <= 0, RuntimeError if the bounds do not close.
    """
    w = distribution(channel, "channel").detach().double()
    if w.ndim != 2:
        raise ValueError(f"channel must be one matrix, got shape {tuple(w.shape)}")
    if not tol > 0:
        raise ValueError(f"tol must be positive, got {tol}")

    def gain(r: Tensor) -> Tensor:
        """KL of each row from the mean output: the mean of it is the information, the largest bounds the capacity."""
        out = r @ w
        return (w * (log_where(w > 0, w) - log_where(out > 0, out))).sum(-1)

    r = torch.full_like(w[:, 0], 1 / len(w))
    for _ in range(MAX_LEAPS):
        gains = gain(r)
        lower, upper = r @ gains, gains.max()
        if upper - lower <= tol:
            return ((lower + upper) / 2).to(channel.dtype), r.to(channel.dtype)
        r = _leap(r, lambda r: torch.softmax(r.log() + gain(r), -1), lambda r: -(r @ gain(r)))
    raise RuntimeError(f"the bounds on the capacity still differ by {upper - lower:.1e} nats; try a larger tol")


def rate_distortion(
    p: Float[Tensor, " X"], distortion: Float[Tensor, "X Z"], beta: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The point (R in nats, D) of the rate-distortion curve that minimises R + beta D; the slope there is -beta.

    Blahut (1972), in float64, until R + beta D is within 1e-12 of its minimum. ``distortion[x, z]`` is the cost of
    showing z for x. Raises ValueError if ``p`` is not one distribution, ``distortion`` is not a finite matrix with a
    row for each entry of ``p``, or beta <= 0; RuntimeError if it does not converge, as on fine grids, whose rarest
    letters settle very slowly.
    """
    source = distribution(p, "p").detach().double()
    cost = floating(distortion, "distortion").detach().double()
    if source.ndim != 1 or cost.ndim != 2 or len(cost) != len(source) or cost.numel() == 0:
        raise ValueError(f"distortion must have one row per entry of p, got {tuple(cost.shape)} for {tuple(p.shape)}")
    if not cost.isfinite().all():
        raise ValueError(f"distortion must be finite, got {distortion[~cost.isfinite()][0].item()}")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be positive and finite, got {beta}")
    source, cost = source[source > 0], cost[source > 0]
    kernel = torch.exp(-beta * (cost - cost.amin(-1, keepdim=True)))  # shifted by row, so that no row becomes all zero

    def growth(r: Tensor) -> Tensor:
        return (source / (kernel @ r)) @ kernel

    r = torch.full_like(cost[0], 1 / cost.shape[1])
    for _ in range(MAX_LEAPS):
        gap = growth(r).max().log()  # an upper bound on how far R + beta D is from its minimum
        if gap <= 1e-12:
            joint = source[:, None] * r * kernel / (kernel @ r)[:, None]
            return mutual_information(joint / joint.sum()).to(p.dtype), (joint * cost).sum().to(p.dtype)
        r = _leap(r, lambda r: r * growth(r), lambda r: -(source @ (kernel @ r).log()))
    raise RuntimeError(f"after {MAX_LEAPS} rounds R + beta D is only known to within {gap:.1e} nats; try another beta")


def information_bottleneck(
    joint: Float[Tensor, "X Y"],
    beta: float,
    clusters: int,
    generator: torch.Generator | None = None,
    starts: int = 10,
) -> tuple[Float[Tensor, "X clusters"], Float[Tensor, ""], Float[Tensor, ""]]:
    """The encoder p(t given x) that minimises I(X; T) - beta I(T; Y), with I(X; T) and I(T; Y) in nats.

    The self-consistent equations of Tishby, Pereira and Bialek (1999), in float64, each of ``starts`` random encoders
    until it rests to within 1e-9; the best of them is returned. It is a local minimum: no method is known to find the
    lowest for sure. Raises ValueError if ``joint`` is not one joint distribution, beta <= 0, or clusters or starts < 1;
    RuntimeError if the best start does not come to rest, as happens where a cluster is about to split.
    """
    pxy = distribution(joint, "joint", dims=2).detach().double()
    if pxy.ndim != 2:
        raise ValueError(f"joint must be one table, got shape {tuple(joint.shape)}")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be positive and finite, got {beta}")
    for name, count in (("clusters", clusters), ("starts", starts)):
        if count < 1 or count != int(count):
            raise ValueError(f"{name} must be a positive whole number, got {count}")
    pxy = pxy / pxy.sum()  # float32 sums to one only nearly
    px = pxy.sum(1)
    given = pxy / torch.where(px > 0, px, 1)[:, None]
    tiny = torch.finfo(torch.float64).tiny

    def step(encoder: Tensor) -> Tensor:
        """p(t given x) proportional to p(t) exp(-beta KL(p(y given x), p(y given t))), for all starts at once."""
        pt, pty = px @ encoder, encoder.mT @ pxy
        given_t = pty / pt.clamp_min(tiny)[..., None]
        likeness = given @ given_t.clamp_min(tiny).log().mT  # the KL, but for a term that is the same for every t
        return torch.softmax(pt.clamp_min(tiny).log()[:, None] + beta * likeness, -1)

    start = torch.rand(starts, len(px), clusters, dtype=torch.float64, generator=generator).clamp_min(1e-3)
    encoder = start / start.sum(-1, keepdim=True)
    for _ in range(MAX_ROUNDS):
        before, encoder = encoder, step(encoder)
        moved = (encoder - before).abs().amax((-2, -1))
        if moved.max() < 1e-9:
            break
    i_xt, i_ty = mutual_information(px[:, None] * encoder), mutual_information(encoder.mT @ pxy)
    best = (i_xt - beta * i_ty).argmin()
    if not moved[best] < 1e-6:
        raise RuntimeError(f"the encoder still moves by {moved[best]:.1e} a round; try another beta")
    return encoder[best].to(joint.dtype), i_xt[best].to(joint.dtype), i_ty[best].to(joint.dtype)


def water_filling(noise: Float[Tensor, " n"], power: float) -> tuple[Float[Tensor, " n"], Float[Tensor, ""]]:
    """How to share ``power`` among parallel Gaussian channels with noise variances ``noise``, and the capacity in nats.

    Channel i gets max(0, level - noise_i) with the level at which the shares add up to ``power``; the capacity is the
    sum of log(1 + share / noise) / 2 (Cover and Thomas, section 9.4). Raises ValueError unless ``noise`` is one vector
    of positive finite numbers and ``power`` is finite and not negative.
    """
    n = floating(noise, "noise").detach().double()
    if n.ndim != 1 or n.numel() == 0:
        raise ValueError(f"noise must be one non-empty vector, got shape {tuple(noise.shape)}")
    if not ((n > 0) & n.isfinite()).all():
        raise ValueError(f"noise must be positive and finite, got {noise[~((n > 0) & n.isfinite())][0].item()}")
    if not 0 <= power < math.inf:
        raise ValueError(f"power must be finite and not negative, got {power}")
    depths = n.sort().values
    levels = (power + depths.cumsum(0)) / torch.arange(1, len(n) + 1)  # with the first channels wet, and no others
    level = levels[(levels >= depths).nonzero().max()]
    allocation = (level - n).clamp_min(0)
    return allocation.to(noise.dtype), (torch.log1p(allocation / n).sum() / 2).to(noise.dtype)
