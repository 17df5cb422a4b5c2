"""Verified routines for averages, optimisers' steps, clipping and learning-rate schedules (notebook 03).

A step takes theta, its gradient and the optimiser's state as tensors of one shape and dtype (any shape, float64 or
float32), and returns new ones: nothing is changed in place and nothing is remembered. Rates are plain floats. Every
routine raises ``ValueError`` naming the argument that cannot be meant: a negative rate, a beta outside [0, 1), a step
counted from 0, shapes that do not match.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def _same_form(**tensors: Tensor) -> None:
    """Raise ValueError unless all of these are floating tensors of the first one's shape and dtype."""
    first, *_ = tensors
    for name, x in tensors.items():
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise ValueError(f"{name} must be a tensor of a floating dtype")
        model = tensors[first]
        if x.shape != model.shape or x.dtype != model.dtype:
            wanted, got = (f"{tuple(y.shape)} {y.dtype}" for y in (model, x))
            raise ValueError(f"{name} must have the shape and dtype of {first}, {wanted}, got {got}")


def _rates(**rates: float) -> None:
    """Raise ValueError unless every rate is finite and not negative and every beta is below 1."""
    for name, rate in rates.items():
        if name.startswith("beta") and not 0 <= rate < 1:
            raise ValueError(f"{name} must lie in [0, 1), got {rate}")
        if not 0 <= rate < math.inf:
            raise ValueError(f"{name} must be finite and not negative, got {rate}")


def _counted(t: int) -> None:
    """Raise ValueError unless ``t`` is an int from 1."""
    if not isinstance(t, int) or isinstance(t, bool) or t < 1:
        raise ValueError(f"t must be an int, counted from 1, got {t!r}")


def ema(
    values: Float[Tensor, "steps ..."], beta: float
) -> tuple[Float[Tensor, "steps ..."], Float[Tensor, "steps ..."]]:
    """The exponential moving average m_t = beta m_(t-1) + (1 - beta) x_t from m_0 = 0 along dim 0, raw and corrected.

    Returns (m_t, m_t / (1 - beta^t)) for every t (Kingma and Ba 2015, section 3). Raises ValueError unless ``values``
    is a floating tensor of at least one dimension and 0 <= beta < 1.
    """
    _same_form(values=values)
    _rates(beta=beta)
    if values.ndim == 0:
        raise ValueError("values needs a first dimension, the steps; got a scalar")
    raw, corrected, m = torch.empty_like(values), torch.empty_like(values), torch.zeros_like(values[:1].sum(0))
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        raw[t - 1], corrected[t - 1] = m, m / (1 - beta**t)
    return raw, corrected


def momentum_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    velocity: Float[Tensor, "*shape"],
    lr: float,
    beta: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of heavy-ball momentum in PyTorch's form: v = beta v + g, theta - lr v. Returns (theta, velocity).

    The velocity is a sum of gradients, not an average (Sutskever et al. 2013 have lr inside it). Raises ValueError for
    shapes or dtypes that do not match, a negative ``lr``, or ``beta`` outside [0, 1).
    """
    _same_form(theta=theta, grad=grad, velocity=velocity)
    _rates(lr=lr, beta=beta)
    velocity = beta * velocity + grad
    return theta - lr * velocity, velocity


def _moments(grad: Tensor, m: Tensor, v: Tensor, beta1: float, beta2: float) -> tuple[Tensor, Tensor]:
    """The averages of the gradient and of its square."""
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2


def adam_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    v: Float[Tensor, "*shape"],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of Adam, ``t`` counted from 1 (Kingma and Ba 2015, algorithm 1). Returns (theta, m, v), m and v raw.

    Raises ValueError for shapes or dtypes that do not match, ``t`` below 1, a negative ``lr`` or ``eps``, or a beta
    outside [0, 1).
    """
    _same_form(theta=theta, grad=grad, m=m, v=v)
    _rates(lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    _counted(t)
    m, v = _moments(grad, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / (v_hat.sqrt() + eps), m, v


def uncorrected_step_ratio(t: int, beta1: float, beta2: float) -> float:
    """How many times too large Adam's step ``t`` (from 1) is without bias correction, under a constant gradient.

    It is (1 - beta1^t) / sqrt(1 - beta2^t): what the corrections would have divided by (Kingma and Ba 2015, section 3,
    with eps = 0). Raises ValueError for ``t`` below 1 or a beta outside [0, 1).
    """
    _counted(t)
    _rates(beta1=beta1, beta2=beta2)
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)


def adamw_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    v: Float[Tensor, "*shape"],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of AdamW: Adam's step, and apart from it theta shrinks by lr weight_decay theta.

    Returns (theta, m, v). Source: Loshchilov and Hutter (2019), algorithm 2, with lr times the decay as in
    torch.optim.AdamW. Raises ValueError as ``adam_step`` does, or for a negative ``weight_decay``.
    """
    _rates(weight_decay=weight_decay)
    stepped, m, v = adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


def clip_by_global_norm(
    grads: Sequence[Float[Tensor, "..."]], max_norm: float
) -> tuple[list[Tensor], Float[Tensor, ""]]:
    """Scale all gradients by one factor so that their joint norm is at most ``max_norm``.

    Returns (clipped, norm), the norm being the one before clipping; gradients that are short enough come back as they
    are. Source: Pascanu et al. (2013), section 3.2. Raises ValueError for an empty list, tensors that are not floating
    or differ in dtype, or max_norm not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    if not grads:
        raise ValueError("grads must hold at least one tensor")
    for i, grad in enumerate(grads):
        if not isinstance(grad, Tensor) or not grad.is_floating_point() or grad.dtype != grads[0].dtype:
            raise ValueError(f"grads[{i}] must be a floating tensor of the dtype of grads[0]")
    norm = torch.cat([grad.reshape(-1) for grad in grads]).norm()
    return [grad * (max_norm / norm) if norm > max_norm else grad.clone() for grad in grads], norm


def _schedule(warmup_steps: int, decay_start: int, total_steps: int, lr_max: float, lr_min: float) -> None:
    """Raise ValueError unless the pieces of a schedule follow each other."""
    if not 0 <= warmup_steps <= decay_start < total_steps:
        raise ValueError(
            "a schedule needs 0 <= warmup_steps <= decay_start < total_steps, "
            f"got {warmup_steps}, {decay_start} and {total_steps} (without a plateau decay_start is warmup_steps)"
        )
    _rates(lr_min=lr_min, lr_max=lr_max)


def warmup_stable_decay(
    step: int, warmup_steps: int, decay_start: int, total_steps: int, lr_max: float, lr_min: float
) -> float:
    """The learning rate of the warm-up, stable, decay schedule at ``step`` (Hu et al. 2024, section 4.2, cosine decay).

    lr_max step / warmup_steps up to ``warmup_steps``, lr_max up to ``decay_start``, then half a cosine to lr_min at
    ``total_steps``, and lr_min after it. Raises ValueError unless 0 <= step and 0 <= warmup_steps <= decay_start <
    total_steps, or for a negative rate.
    """
    _schedule(warmup_steps, decay_start, total_steps, lr_max, lr_min)
    if step < 0:
        raise ValueError(f"step must not be negative, got {step}")
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = min(max(0.0, (step - decay_start) / (total_steps - decay_start)), 1.0)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


def warmup_cosine(step: int, warmup_steps: int, total_steps: int, lr_max: float, lr_min: float) -> float:
    """The learning rate at ``step``: linear warm-up, then half a cosine over the remaining steps, then lr_min.

    Source: Loshchilov and Hutter (2017), equation 5, without restarts; Goyal et al. (2017), section 2.2. It is
    ``warmup_stable_decay`` without its plateau, and raises ValueError as that does.
    """
    return warmup_stable_decay(step, warmup_steps, warmup_steps, total_steps, lr_max, lr_min)


def amsgrad_step(
    theta: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    m: Float[Tensor, "*shape"],
    v: Float[Tensor, "*shape"],
    v_max: Float[Tensor, "*shape"],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """One step of AMSGrad: Adam that divides by the largest v so far. Returns (theta, m, v, v_max).

    ``v_max`` is the running maximum of the raw v and is corrected afterwards, as in torch (Reddi, Kale and Kumar 2018,
    algorithm 2, have no correction). Raises ValueError as ``adam_step`` does.
    """
    _same_form(theta=theta, grad=grad, m=m, v=v, v_max=v_max)
    _rates(lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    _counted(t)
    m, v = _moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    m_hat, largest = m / (1 - beta1**t), v_max / (1 - beta2**t)
    return theta - lr * m_hat / (largest.sqrt() + eps), m, v, v_max


def online_problem(steps: int, amsgrad: bool, lr: float = 0.5, beta1: float = 0.9, beta2: float = 0.99) -> list[float]:
    """Where Adam, or AMSGrad, goes on the online problem of Reddi, Kale and Kumar (2018, section 5), from 0.

    The gradient is 1010 at every 101st step from the first on and -10 otherwise; positions stay in [-1, 1], and since
    the gradients of 101 steps add up to 10, -1 is best. The rate falls as lr / sqrt(t). Returns the position after each
    step, in plain floats, as a run needs many. Raises ValueError for a bad rate.
    """
    _rates(lr=lr, beta1=beta1, beta2=beta2)
    x = m = v = largest = 0.0
    path = []
    for t in range(1, steps + 1):
        grad = 1010.0 if t % 101 == 1 else -10.0
        m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
        largest = max(largest, v) if amsgrad else v
        step = m / (1 - beta1**t) / (math.sqrt(largest / (1 - beta2**t)) + 1e-8)
        x = min(max(-1.0, x - lr / math.sqrt(t) * step), 1.0)
        path.append(x)
    return path
