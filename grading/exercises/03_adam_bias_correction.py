"""The exercises of notebook 03: averages of gradients, Adam and its bias correction, clipping and schedules."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import signal
from torch.nn import functional
from torch.optim import lr_scheduler

from grading.exercises.draws import normal, number, size
from grading.exercises.exercise import case, exercise
from helpers.checking import plain
from helpers.checking.kinds.training import gradients

OPTIMISERS = ("SGD", "Adam", "AdamW", "_fused_sgd_", "_fused_adam_", "_fused_adamw_", "clip_grad_norm_")
KEPT = (1, 12, 300)  # the steps of a run that are compared
ROUNDING = 1e-10  # relative, over a whole run in float64


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def signed(rng, *shape, scale=1.0, dtype=torch.float64):
    """Numbers away from 0, of either sign."""
    sizes = scale * rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
    return torch.from_numpy(np.asarray(sizes)).to(dtype)


def optimiser_step(make, theta, grad, state):
    """One step of a torch optimiser from a given state; returns theta and the optimiser."""
    parameter = theta.clone().requires_grad_()
    optimiser = make(parameter)
    optimiser.state[parameter] = {name: torch.as_tensor(x).clone() for name, x in state.items()}
    parameter.grad = grad.clone()
    optimiser.step()
    return parameter.detach(), optimiser.state[parameter]


def torch_run(make, names, theta, first, seed):
    """A run of a torch optimiser from its own empty state: theta and the states `names` at the steps in KEPT."""
    parameter = theta.double().clone().requires_grad_()
    optimiser = make(parameter)
    kept = []
    for step, grad in enumerate(gradients(seed, first, KEPT[-1]), start=1):
        parameter.grad = grad
        optimiser.step()
        if step in KEPT:
            state = optimiser.state[parameter]
            kept.append([parameter.detach().clone(), *(state[name].clone() for name in names)])
    return tuple(torch.stack(parts) for parts in zip(*kept, strict=True))


def run_case(make, names, parts, theta, first, seed, *rest):
    """A case that follows a torch optimiser, from zero states, for all steps up to the last in KEPT."""
    value = plain.encode(torch_run(make, names, theta, first, seed))
    expected = {"judge": "follows", "value": value, "parts": list(parts), "steps": list(KEPT), "dtype": "float64"}
    states = [torch.zeros_like(theta) for _ in names]
    return case(theta, first, *states, *rest, driver="follow", parameters=[seed, list(KEPT), len(names)],
                expected=expected | {"rtol": ROUNDING, "text": f"what {make(theta).__class__.__name__} of torch.optim does"})  # fmt: skip


def runs(rng, make, names, parts, *rest):
    """Runs from random starts: a scalar, and a batch with ordinary, zero, tiny and huge gradients."""
    spread = signed(rng, 4) * f64(1.0, 0.0, 10.0 ** -size(rng, 10, 14), 10.0 ** size(rng, 8, 12))
    for theta, first in ((normal(rng), signed(rng)), (normal(rng, 2, 2), spread.reshape(2, 2))):
        yield run_case(make, names, parts, theta, first, size(rng, 1, 10_000), *rest)


# ------------------------------------------------------------------------------------------------------- ema
# Inputs: 1 to 8 steps, none to many columns; beta 0 to .999.
@exercise(
    hints=[
        "Start from m = 0 with the shape of `values[0]`, and go through `values` one row at a time.",
        "Each step is m = beta * m + (1 - beta) * x. Keep every m: `raw = torch.stack(ms)`. The correction divides m_t by 1 - beta ** t, and never goes back into m.",
        "for t, x in enumerate(values, start=1): m = beta * m + (1 - beta) * x; raw.append(m); corrected.append(m / (1 - beta**t)). Then stack both lists.",
    ],
    forbid=["lfilter", "ewm"],
    because="Write the recursion yourself.",
)
def ema(values, beta):
    x = values.numpy()
    raw = signal.lfilter([1 - beta], [1, -beta], x, axis=0)
    t = np.arange(1, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1))
    return raw, raw / (1 - beta**t)


@ema.oracle
def ema_as_weighted_sums(values, beta):
    age = torch.arange(len(values))[:, None] - torch.arange(len(values))
    weights = torch.where(age >= 0, (1 - beta) * torch.tensor(beta, dtype=torch.float64) ** age.clamp(min=0), 0.0)
    x = values.reshape(len(values), -1)
    corrected = weights / weights.sum(1, keepdim=True) @ x
    return (weights @ x).reshape(values.shape), corrected.reshape(values.shape)


EMA_PARTS = ["raw average", "corrected average"]


@ema.criterion(
    "matches the definition", marks=1, says="The moving average of values along dim 0 from 0, and the corrected one"
)
def ema_definition(rng):
    yield case(f64(1.0, 2.0, 3.0), 0.9, parts=EMA_PARTS)
    yield case(signed(rng, size(rng, 5, 7)), number(rng, 0.55, 0.95), parts=EMA_PARTS)


@ema.criterion(
    "edges: one value, no memory, long memory",
    marks=0.5,
    says=("at least one step", "`beta` is at least 0, where nothing is remembered, and below 1"),
)
def ema_edges(rng):
    yield case(signed(rng, 1), number(rng, 0.5, 0.9), parts=EMA_PARTS)
    yield case(signed(rng, 4), 0.0, parts=EMA_PARTS)
    yield case(signed(rng, size(rng, 5, 8)), 0.999, parts=EMA_PARTS)


@ema.criterion(
    "averages along dim 0 and keeps the others",
    marks=0.5,
    says="average along the first dimension and keep the others, empty ones too",
)
def ema_batches(rng):
    yield case(signed(rng, size(rng, 3, 5), 2), number(rng, 0.6, 0.95), parts=EMA_PARTS)
    yield case(signed(rng, 2, size(rng, 1, 2), 2), number(rng, 0.6, 0.95), parts=EMA_PARTS)
    yield case(torch.zeros(4, 0, dtype=torch.float64), 0.9, parts=EMA_PARTS)


@ema.criterion(
    "keeps the dtype and its input", marks=0.5, says="each of the shape and dtype of `values`, which is not changed"
)
def ema_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        yield case(signed(rng, size(rng, 3, 5), dtype=dtype), number(rng, 0.6, 0.9), parts=EMA_PARTS, unchanged=True)


@ema.alternative
def ema_loop(values, beta):
    m, raw, corrected = torch.zeros_like(values[0]), [], []
    for t, x in enumerate(values, start=1):
        m = beta * m + (1 - beta) * x
        raw.append(m)
        corrected.append(m / (1 - beta**t))
    return torch.stack(raw), torch.stack(corrected)


@ema.alternative
def ema_in_place_on_a_copy(values, beta):
    raw, corrected = values.clone(), values.clone()
    raw[0] *= 1 - beta
    for t in range(1, len(values)):
        raw[t].mul_(1 - beta).add_(raw[t - 1], alpha=beta)
    for t in range(len(values)):
        corrected[t] = raw[t] / (1 - beta ** (t + 1))
    return [raw, corrected]


@ema.alternative
def ema_by_convolution(values, beta):
    x = values.double().numpy()
    raw = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            raw[i] += (1 - beta) * beta ** (i - j) * x[j]
    scale = -np.expm1(np.log(beta) * np.arange(1, len(x) + 1)) if beta else np.ones(len(x))
    corrected = raw / scale.reshape(-1, *[1] * (x.ndim - 1))
    return torch.from_numpy(raw).to(values.dtype), torch.from_numpy(corrected).to(values.dtype)


@ema.alternative
def ema_as_a_correction_of_itself(values, beta):
    m, weight, raw, corrected = torch.zeros(values.shape[1:], dtype=values.dtype), 0.0, [], []
    for x in values:
        m = m + (1 - beta) * (x - m)
        weight = weight + (1 - beta) * (1 - weight)
        raw += [m]
        corrected += [m / weight]
    return torch.stack(raw), torch.stack(corrected)


def running(values, start, step, correct):
    """An average by `step(m, x)`, corrected by `correct(m, t)`; the wrong answers below differ in one of them."""
    m, raw, corrected = start, [], []
    for t, x in enumerate(values, start=1):
        m = step(m, x)
        raw.append(m)
        corrected.append(correct(m, t))
    return torch.stack(raw), torch.stack(corrected)


@ema.misconception("The factor (1 - beta) before x is missing: this adds the values up instead of averaging them.")
def ema_is_a_sum(values, beta):
    return running(values, 0.0, lambda m, x: beta * m + x, lambda m, t: m / (1 - beta**t))


@ema.misconception("The weights are exchanged: the old average keeps beta, the new value gets 1 - beta.")
def ema_weights_exchanged(values, beta):
    return running(values, 0.0, lambda m, x: (1 - beta) * m + beta * x, lambda m, t: m / (1 - beta**t))


@ema.misconception(
    "The weights are exchanged, in the correction too: the old average keeps beta, the new value gets 1 - beta, and the "
    "weights add up to 1 - beta^t."
)
def ema_exchanged_throughout(values, beta):
    return running(values, 0.0, lambda m, x: (1 - beta) * m + beta * x, lambda m, t: m / (1 - (1 - beta) ** t))


@ema.misconception("The correction divides by 1 - beta^t; this multiplies by it.")
def ema_multiplies_by_the_correction(values, beta):
    return running(values, 0.0, lambda m, x: beta * m + (1 - beta) * x, lambda m, t: m * (1 - beta**t))


@ema.misconception("The results come in the other order: (raw, corrected).")
def ema_results_exchanged(values, beta):
    raw, corrected = ema_loop(values, beta)
    return corrected, raw


@ema.misconception("m starts at 0 here, not at the first value; the correction is there to mend just that.")
def ema_starts_at_the_first_value(values, beta):
    return running(values, values[0], lambda m, x: beta * m + (1 - beta) * x, lambda m, t: m / (1 - beta**t))


@ema.misconception("t is counted from 1: with t = 0 the first correction divides by 1 - beta^0 = 0.")
def ema_t_from_zero(values, beta):
    return running(values, 0.0, lambda m, x: beta * m + (1 - beta) * x, lambda m, t: m / (1 - beta ** (t - 1)))


@ema.misconception("The corrected value went back into the average. Keep m as it is, and correct only what you return.")
def ema_correction_fed_back(values, beta):
    m, raw, corrected = torch.zeros_like(values[0]), [], []
    for t, x in enumerate(values, start=1):
        raw.append(beta * m + (1 - beta) * x)
        m = raw[-1] / (1 - beta**t)
        corrected.append(m)
    return torch.stack(raw), torch.stack(corrected)


@ema.misconception("The correction is 1 - beta^t and fades with t; this divides by 1 - beta at every step.")
def ema_same_correction_always(values, beta):
    return running(values, 0.0, lambda m, x: beta * m + (1 - beta) * x, lambda m, t: m / (1 - beta))


@ema.misconception("Every step has its own correction 1 - beta^t; this uses the last one for all of them.")
def ema_last_correction(values, beta):
    last = 1 - beta ** len(values)
    return running(values, 0.0, lambda m, x: beta * m + (1 - beta) * x, lambda m, t: m / last)


@ema.misconception(
    "beta ** torch.arange(...) is float32, whatever the values are, and 1 - beta^t loses digits in it. Use Python's "
    "floats, or an arange of dtype=values.dtype."
)
def ema_powers_in_float32(values, beta):
    raw, _ = ema_loop(values, beta)
    powers = beta ** torch.arange(1, len(values) + 1)
    return raw, raw / (1 - powers).reshape(-1, *[1] * (values.ndim - 1))


# --------------------------------------------------------------------------------------------- momentum_step
# Inputs: gradients 0, 1e-14 to 1e12; beta 0 to .95; runs of 300 steps; no entries at all.
@exercise(
    hints=[
        "Two lines: first the new velocity, then the step, which uses the new velocity.",
        "velocity = beta * velocity + grad: no (1 - beta), and no lr, in the velocity. These operations make new tensors; `velocity *= beta` would change the caller's.",
        "new = beta * velocity + grad; return theta - lr * new, new",
    ],
    forbid=OPTIMISERS,
    modules=["torch.optim"],
    because="Write the update yourself.",
)
def momentum_step(theta, grad, velocity, lr, beta):
    theta, state = optimiser_step(
        lambda p: torch.optim.SGD([p], lr=lr, momentum=beta), theta, grad, {"momentum_buffer": velocity}
    )
    return theta, state["momentum_buffer"] if beta else grad.clone()


momentum_step.made_of(
    {
        "beta times the velocity": lambda theta, grad, velocity, lr, beta: beta * velocity,
        "the gradient": lambda theta, grad, velocity, lr, beta: grad,
        "lr times the gradient": lambda theta, grad, velocity, lr, beta: -lr * grad,
        "lr beta times the velocity": lambda theta, grad, velocity, lr, beta: -lr * beta * velocity,
    }
)


@momentum_step.oracle
def momentum_unrolled(theta, grad, velocity, lr, beta):
    both = torch.stack([velocity, grad])
    new = torch.einsum("k,k...->...", f64(beta, 1.0), both)
    return theta + torch.einsum("k,k...->...", f64(-lr * beta, -lr), both), new


MOMENTUM_PARTS = ["theta", "velocity"]


@momentum_step.criterion("one step", marks=0.5, says="One step of momentum in PyTorch's form")
def momentum_definition(rng):
    yield case(f64(1.0, 2.0), f64(0.5, -1.0), f64(0.0, 0.0), 0.1, 0.9, parts=MOMENTUM_PARTS)
    yield case(normal(rng, 3), signed(rng, 3), signed(rng, 3), number(rng, 0.01, 0.3), number(rng, 0.6, 0.95),
               parts=MOMENTUM_PARTS)  # fmt: skip


@momentum_step.criterion(
    "any shape, no memory, zero gradients",
    marks=0.5,
    says="any shape, empty ones too; gradients may be 0, tiny or huge; `beta` may be 0",
)
def momentum_shapes(rng):
    lr, beta = number(rng, 0.01, 0.3), number(rng, 0.6, 0.95)
    yield case(normal(rng), signed(rng), signed(rng), lr, beta, parts=MOMENTUM_PARTS)
    yield case(normal(rng, 2, 3), signed(rng, 2, 3), signed(rng, 2, 3), lr, 0.0, parts=MOMENTUM_PARTS)
    yield case(normal(rng, 3), f64(0.0, 0.0, 0.0), signed(rng, 3), lr, beta, parts=MOMENTUM_PARTS)
    yield case(*[torch.zeros(0, 3, dtype=torch.float64)] * 3, lr, beta, parts=MOMENTUM_PARTS)


@momentum_step.criterion("follows torch.optim.SGD for 300 steps", marks=0.5, says="on for 300 steps")
def momentum_runs(rng):
    lr, beta = number(rng, 0.01, 0.1), number(rng, 0.8, 0.95)
    yield from runs(
        rng, lambda p: torch.optim.SGD([p], lr=lr, momentum=beta), ["momentum_buffer"], MOMENTUM_PARTS, lr, beta
    )


@momentum_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="in the dtype of `theta`. Nothing that came in is changed"
)
def momentum_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        tensors = [signed(rng, 3, dtype=dtype) for _ in range(3)]
        yield case(*tensors, number(rng, 0.01, 0.3), number(rng, 0.6, 0.95), parts=MOMENTUM_PARTS, unchanged=True)


@momentum_step.alternative
def momentum_two_lines(theta, grad, velocity, lr, beta):
    velocity = beta * velocity + grad
    return theta - lr * velocity, velocity


@momentum_step.alternative
def momentum_in_place_on_copies(theta, grad, velocity, lr, beta):
    new = velocity.clone().mul_(beta).add_(grad)
    return [theta.clone().add_(new, alpha=-lr), new]


@momentum_step.alternative
def momentum_with_numpy(theta, grad, velocity, lr, beta):
    t, g, v = (x.numpy().astype(np.float64) for x in (theta, grad, velocity))
    v = g + beta * v
    return torch.as_tensor(t - v * lr, dtype=theta.dtype), torch.as_tensor(v, dtype=theta.dtype)


@momentum_step.alternative
def momentum_step_taken_apart(theta, grad, velocity, lr, beta):
    return theta - lr * grad - (lr * beta) * velocity, torch.add(grad, velocity, alpha=beta)


@momentum_step.misconception("There is no (1 - beta) here: PyTorch's velocity is a sum of gradients, not an average.")
def momentum_is_an_average(theta, grad, velocity, lr, beta):
    velocity = beta * velocity + (1 - beta) * grad
    return theta - lr * velocity, velocity


@momentum_step.misconception(
    "lr is inside the velocity here. In PyTorch's form the velocity holds plain gradients and lr multiplies it in the step."
)
def momentum_lr_inside(theta, grad, velocity, lr, beta):
    velocity = beta * velocity + lr * grad
    return theta - velocity, velocity


@momentum_step.misconception(
    "This is the form of Sutskever et al., v = beta v - lr g and theta + v: its velocity has lr in it and the other sign. In "
    "PyTorch's form v = beta v + g, and theta - lr v."
)
def momentum_of_sutskever(theta, grad, velocity, lr, beta):
    velocity = beta * velocity - lr * grad
    return theta + velocity, velocity


@momentum_step.misconception("The results come in the other order: (theta, velocity).")
def momentum_results_exchanged(theta, grad, velocity, lr, beta):
    theta, velocity = momentum_two_lines(theta, grad, velocity, lr, beta)
    return velocity, theta


@momentum_step.misconception("The step uses the old velocity. Update the velocity first, then step with the new one.")
def momentum_old_velocity(theta, grad, velocity, lr, beta):
    return theta - lr * velocity, beta * velocity + grad


@momentum_step.misconception("This walks uphill: subtract lr times the velocity.")
def momentum_uphill(theta, grad, velocity, lr, beta):
    velocity = beta * velocity + grad
    return theta + lr * velocity, velocity


@momentum_step.misconception(
    "This is Nesterov's step, which looks ahead with grad + beta * velocity; here theta moves by the velocity alone."
)
def momentum_nesterov(theta, grad, velocity, lr, beta):
    velocity = beta * velocity + grad
    return theta - lr * (grad + beta * velocity), velocity


@momentum_step.misconception("beta weighs the old velocity only; the new gradient comes in whole.")
def momentum_beta_on_both(theta, grad, velocity, lr, beta):
    velocity = beta * (velocity + grad)
    return theta - lr * velocity, velocity


@momentum_step.misconception(
    "The caller's theta and velocity were changed in place. Write velocity = beta * velocity + grad, which makes a new tensor."
)
def momentum_in_place(theta, grad, velocity, lr, beta):
    velocity *= beta
    velocity += grad
    theta -= lr * velocity
    return theta, velocity


# ------------------------------------------------------------------------------------------------- adam_step
# Inputs: gradients 0, 1e-14 to 1e12; t from 1 to 90,000; runs of 300 steps.
@exercise(
    hints=[
        "Five lines: the average m of the gradients, the average v of their squares, both corrected, then the step. Everything is elementwise.",
        "m = beta1 * m + (1 - beta1) * grad and v = beta2 * v + (1 - beta2) * grad**2. Divide by 1 - beta1**t and 1 - beta2**t into new names, since m and v themselves go back uncorrected.",
        "return theta - lr * m_hat / (v_hat.sqrt() + eps), m, v: eps is added to the root, outside of it.",
    ],
    forbid=OPTIMISERS,
    modules=["torch.optim"],
    because="Write the update yourself.",
)
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    theta, state = optimiser_step(
        lambda p: torch.optim.Adam([p], lr=lr, betas=(beta1, beta2), eps=eps),
        theta, grad, {"step": float(t - 1), "exp_avg": m, "exp_avg_sq": v},
    )  # fmt: skip
    return theta, state["exp_avg"], state["exp_avg_sq"]


adam_step.made_of(
    {
        "beta1 m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: beta1 * m,
        "(1 - beta1) grad": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (1 - beta1) * grad,
        "beta2 v": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: beta2 * v,
        "(1 - beta2) grad**2": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (1 - beta2) * grad**2,
        "the new m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: beta1 * m + (1 - beta1) * grad,
        "the root of the new v": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (
            beta2 * v + (1 - beta2) * grad**2
        ).sqrt(),
        "the root of 1 - beta2**t": lambda theta, grad, m, v, t, lr, beta1, beta2, eps: (1 - beta2**t) ** 0.5,
    }
)


@adam_step.oracle
def adam_with_numpy_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(*(x.numpy() for x in (grad, m, v)), beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return tuple(torch.as_tensor(x) for x in (theta.numpy() - lr * m_hat / (np.sqrt(v_hat) + eps), m, v))


ADAM_PARTS = ["theta", "m", "v"]
# theta, grad, m and v in which each mistake shows: nothing is 0, no t = 1
UNDER_WAY = f64(1.0, -2.0), f64(3.0, -0.5), f64(0.2, -0.3), f64(1.0, 1.5)


def moments(rng, *shape, dtype=torch.float64):
    """theta, grad, m and v of a run that is under way."""
    mean = signed(rng, *shape)
    v = mean**2 * torch.from_numpy(np.asarray(rng.uniform(0.5, 1.5, shape)))
    return [x.to(dtype) for x in (normal(rng, *shape), signed(rng, *shape), mean / 2, v)]


def rates(rng):
    """lr, beta1 and beta2."""
    return number(rng, 0.01, 0.1), number(rng, 0.8, 0.95), number(rng, 0.97, 0.995)


@adam_step.criterion("one step", marks=1, says="One step of Adam, t counted from 1")
def adam_definition(rng):
    yield case(*UNDER_WAY, 3, 0.1, 0.9, 0.99, 0.1, parts=ADAM_PARTS)
    zero = f64(0.0, 0.0)
    yield case(f64(1.0, -2.0), f64(3.0, -0.5), zero, zero, 1, 0.1, 0.9, 0.999, 1e-8, parts=ADAM_PARTS)
    lr, beta1, beta2 = rates(rng)
    eps = number(rng, 0.02, 0.2)
    yield case(*moments(rng, 3), size(rng, 3, 12), lr, beta1, beta2, eps, parts=ADAM_PARTS)


@adam_step.criterion("zero, tiny and huge gradients", marks=0.5, says="Shapes, gradients, dtype and inputs as before")
def adam_scales(rng):
    theta, zero = normal(rng, 4), torch.zeros(4, dtype=torch.float64)
    grad = signed(rng, 4) * f64(0.0, 10.0 ** -size(rng, 7, 9), 1.0, 10.0 ** size(rng, 8, 12))
    lr, beta1, beta2 = rates(rng)
    yield case(theta, grad, zero, zero, 1, lr, beta1, beta2, 1e-8, parts=ADAM_PARTS, atol=0.0)


@adam_step.criterion("any shape", marks=0.5, says="Shapes, gradients, dtype and inputs as before")
def adam_shapes(rng):
    for shape in ((), (2, size(rng, 1, 2)), (0, 3)):
        yield case(*moments(rng, *shape), size(rng, 2, 50), *rates(rng), 1e-8, parts=ADAM_PARTS)
    yield case(*moments(rng, 2), size(rng, 20_000, 90_000), *rates(rng), 1e-8, parts=ADAM_PARTS)


@adam_step.criterion("follows torch.optim.Adam for 300 steps", marks=1.5, says="after 300 steps they may differ by")
def adam_runs(rng):
    lr, beta1, beta2 = rates(rng)
    yield from runs(
        rng, lambda p: torch.optim.Adam([p], lr=lr, betas=(beta1, beta2), eps=1e-8),
        ["exp_avg", "exp_avg_sq"], ADAM_PARTS, 1, lr, beta1, beta2, 1e-8,
    )  # fmt: skip


@adam_step.criterion("keeps the dtype and its inputs", marks=0.5, says="Shapes, gradients, dtype and inputs as before")
def adam_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        yield case(*moments(rng, 2, dtype=dtype), size(rng, 2, 9), *rates(rng), 1e-8, parts=ADAM_PARTS, unchanged=True)


def adam_moments(grad, m, v, beta1, beta2):
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2


@adam_step.alternative
def adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad * grad
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return theta - lr * m_hat / (torch.sqrt(v_hat) + eps), m, v


@adam_step.alternative
def adam_with_corrections_in_the_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = torch.lerp(m, grad, 1 - beta1)
    v = v + (1 - beta2) * (grad.square() - v)
    root = math.sqrt(1 - beta2**t)
    size_of_step = lr * root / (1 - beta1**t)
    return theta - size_of_step * (m / (v.sqrt() + eps * root)), m, v


@adam_step.alternative
def adam_in_place_on_copies(theta, grad, m, v, t, lr, beta1, beta2, eps):
    theta, m, v = theta.clone(), m.clone(), v.clone()
    m.mul_(beta1).add_(grad, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    theta.addcdiv_(m, (v / (1 - beta2**t)).sqrt_().add_(eps), value=-lr / (1 - beta1**t))
    return theta, m, v


@adam_step.alternative
def adam_one_number_at_a_time(theta, grad, m, v, t, lr, beta1, beta2, eps):
    rows = []
    for p, g, a, b in zip(*(x.double().flatten().tolist() for x in (theta, grad, m, v)), strict=True):
        a = beta1 * a + (1 - beta1) * g
        b = beta2 * b + (1 - beta2) * g**2
        rows.append((p - lr * (a / (1 - beta1**t)) / (math.sqrt(b / (1 - beta2**t)) + eps), a, b))
    columns = np.array(rows).reshape(-1, 3).T
    return tuple(torch.from_numpy(c.copy()).reshape(theta.shape).to(theta.dtype) for c in columns)


@adam_step.misconception("eps is inside the square root; it is added to the root: sqrt(v_hat) + eps.")
def adam_eps_inside_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps).sqrt(), m, v


@adam_step.misconception(
    "eps is added to the whole quotient; it belongs to the denominator: m_hat / (sqrt(v_hat) + eps)."
)
def adam_eps_added_to_the_quotient(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * (m / (1 - beta1**t) / (v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception("eps is added before v is corrected. Correct v first: sqrt(v / (1 - beta2^t)) + eps.")
def adam_eps_before_the_correction(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) * math.sqrt(1 - beta2**t) / (v.sqrt() + eps), m, v


@adam_step.misconception("t already counts from 1: the corrections are 1 - beta^t, not 1 - beta^(t + 1).")
def adam_t_plus_one(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1 ** (t + 1)) / ((v / (1 - beta2 ** (t + 1))).sqrt() + eps), m, v


@adam_step.misconception("t counts from 1 here; with t - 1 the first step divides by 1 - beta^0 = 0.")
def adam_t_from_zero(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    first, second = 1 - beta1 ** (t - 1), 1 - beta2 ** (t - 1)
    return theta - lr * (m / first) / ((v / second).sqrt() + eps), m, v


@adam_step.misconception("The bias correction is missing: divide m by 1 - beta1^t and v by 1 - beta2^t in the step.")
def adam_uncorrected(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (v.sqrt() + eps), m, v


@adam_step.misconception("Only m is corrected. v starts at 0, too: divide it by 1 - beta2^t before the root.")
def adam_corrects_m_alone(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) / (v.sqrt() + eps), m, v


@adam_step.misconception("Only v is corrected. m starts at 0, too: divide it by 1 - beta1^t.")
def adam_corrects_v_alone(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception("The root is taken before the correction. Correct v first: sqrt(v / (1 - beta2^t)).")
def adam_corrects_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) / (v.sqrt() / (1 - beta2**t) + eps), m, v


@adam_step.misconception(
    "The corrections lack the power t: they are 1 - beta^t, and fade; 1 - beta is the first of them."
)
def adam_same_correction_always(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1) / ((v / (1 - beta2)).sqrt() + eps), m, v


@adam_step.misconception("m and v are multiplied by 1 - beta^t; the correction divides by it.")
def adam_multiplies_by_the_corrections(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m * (1 - beta1**t) / ((v * (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception(
    "The step goes along the gradient itself, which is RMSprop: Adam goes along its average m_hat."
)
def adam_without_m(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * grad / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception("This walks uphill: subtract lr times the quotient.")
def adam_uphill(theta, grad, m, v, t, lr, beta1, beta2, eps):
    stepped, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return 2 * theta - stepped, m, v


@adam_step.misconception(
    "The m and v that came in are not used: every step starts the averages at 0 again. They begin with beta1 * m and beta2 * v."
)
def adam_forgets(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adam_as_printed(theta, grad, torch.zeros_like(m), torch.zeros_like(v), t, lr, beta1, beta2, eps)


@adam_step.misconception("The results come in another order: (theta, m, v).")
def adam_results_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps):
    theta, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return m, v, theta


@adam_step.misconception(
    "The corrected values are returned, so the next step would average them again. Return the raw m and v."
)
def adam_correction_fed_back(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    m, v = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m / (v.sqrt() + eps), m, v


@adam_step.misconception("The square root is missing: the step divides by sqrt(v_hat) + eps.")
def adam_without_root(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps), m, v


@adam_step.misconception("v averages the squared gradient, grad**2; this squares m instead.")
def adam_squares_m(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * m**2
    return theta - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception(
    "v must average grad**2: as it stands it averages the gradient itself, and its root may not exist."
)
def adam_without_square(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad
    return theta - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception("beta1 and beta2 are exchanged: beta1 belongs to m, beta2 to v.")
def adam_betas_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps):
    return adam_as_printed(theta, grad, m, v, t, lr, beta2, beta1, eps)


@adam_step.misconception(
    "v is one number here; every parameter has its own v, so nothing is summed or averaged over the tensor."
)
def adam_one_scale_for_all(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * (grad**2).mean()
    return theta - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adam_step.misconception(
    "The caller's tensors were changed in place. Write m = beta1 * m + ..., which makes a new tensor, not m.mul_(beta1) or m *= beta1."
)
def adam_in_place(theta, grad, m, v, t, lr, beta1, beta2, eps):
    m.mul_(beta1).add_(grad, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    theta -= lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps)
    return theta, m, v


# ------------------------------------------------------------------------------------ uncorrected_step_ratio
# Inputs: t from 1 to 9000; beta1 from .5, beta2 from .9 to .999.
@exercise(
    hints=[
        "By definition m = (1 - beta1^t) m_hat and v = (1 - beta2^t) v_hat. Put both into m / sqrt(v).",
        "Of m / sqrt(v) over m_hat / sqrt(v_hat) only the two factors are left, the second under the root. Use `math.sqrt` and `**`.",
        "return (1 - beta1**t) / math.sqrt(1 - beta2**t)",
    ],
)
def uncorrected_step_ratio(t, beta1, beta2):
    return float(-np.expm1(t * np.log(beta1)) / np.sqrt(-np.expm1(t * np.log(beta2))))


@uncorrected_step_ratio.oracle
def ratio_by_running_adam(t, beta1, beta2):
    if t > 600:
        return None  # too slow
    m, v = f64(0.0), f64(0.0)
    for _ in range(t):
        m, v = adam_moments(1.0, m, v, beta1, beta2)
    return float(m / v.sqrt())


RATIO = {"rtol": 1e-6}  # so that a float32 scalar counts


@uncorrected_step_ratio.criterion(
    "the first steps", marks=0.5, says="Adam's step t without bias correction, over the one with it"
)
def ratio_first(rng):
    yield case(4, 0.9, 0.999, **RATIO)
    yield case(1, 0.9, 0.999, **RATIO)
    yield case(size(rng, 3, 11), 0.9, 0.999, **RATIO)


@uncorrected_step_ratio.criterion("long runs", marks=0.5, says="`t` is a positive int")
def ratio_late(rng):
    yield case(size(rng, 50, 500), 0.9, 0.999, **RATIO)
    yield case(size(rng, 3000, 9000), 0.9, 0.999, **RATIO)


@uncorrected_step_ratio.criterion("any beta1 and beta2", marks=0.5, says="Every beta, not only .9 and .999")
def ratio_betas(rng):
    for _ in range(2):
        yield case(size(rng, 2, 30), number(rng, 0.5, 0.95), number(rng, 0.9, 0.998), **RATIO)


@uncorrected_step_ratio.alternative
def ratio_with_math(t, beta1, beta2):
    return (1 - beta1**t) / math.sqrt(1 - beta2**t)


@uncorrected_step_ratio.alternative
def ratio_with_torch(t, beta1, beta2):
    b = torch.tensor([beta1, beta2], dtype=torch.float64)
    first, second = 1 - b**t
    return first / second.sqrt()


@uncorrected_step_ratio.alternative
def ratio_as_quotient_of_steps(t, beta1, beta2):
    m = sum((1 - beta1) * beta1**k for k in range(t))
    v = np.sum((1 - beta2) * beta2 ** np.arange(t))
    return m * v**-0.5


@uncorrected_step_ratio.misconception(
    "This is the reciprocal: how much smaller the corrected step is. Exchange numerator and denominator."
)
def ratio_inverted(t, beta1, beta2):
    return math.sqrt(1 - beta2**t) / (1 - beta1**t)


@uncorrected_step_ratio.misconception(
    "The root is missing: Adam divides by sqrt(v), so 1 - beta2^t stands under a square root."
)
def ratio_without_root(t, beta1, beta2):
    return (1 - beta1**t) / (1 - beta2**t)


@uncorrected_step_ratio.misconception("Only v stands under the root; 1 - beta1^t does not.")
def ratio_root_of_both(t, beta1, beta2):
    return math.sqrt((1 - beta1**t) / (1 - beta2**t))


@uncorrected_step_ratio.misconception("beta1 and beta2 are exchanged: 1 - beta2^t is the one under the root.")
def ratio_betas_exchanged(t, beta1, beta2):
    return (1 - beta2**t) / math.sqrt(1 - beta1**t)


@uncorrected_step_ratio.misconception("This is off by one step: at step t, counted from 1, the powers are beta^t.")
def ratio_off_by_one(t, beta1, beta2):
    return (1 - beta1 ** (t + 1)) / math.sqrt(1 - beta2 ** (t + 1))


@uncorrected_step_ratio.misconception(
    "This is the ratio of the first step whatever t is: raise both betas to the power t."
)
def ratio_of_first_step(t, beta1, beta2):
    return (1 - beta1) / math.sqrt(1 - beta2)


@uncorrected_step_ratio.misconception("beta^t is a power, beta**t, not a product.")
def ratio_product_for_power(t, beta1, beta2):
    return (1 - beta1 * t) / math.sqrt(abs(1 - beta2 * t))


# ------------------------------------------------------------------------------------------------ adamw_step
# Inputs: as adam_step; decay 0 to .5.
@exercise(
    hints=[
        "Adam's step with the plain gradient, and beside it theta shrinks by lr * weight_decay * theta. The decay never touches m and v.",
        "Both parts use the theta that came in: theta - lr * weight_decay * theta - lr * m_hat / (v_hat.sqrt() + eps).",
        "First `theta = theta * (1 - lr * weight_decay)`, then Adam's five lines as they are.",
    ],
    forbid=OPTIMISERS,
    modules=["torch.optim"],
    because="Write the update yourself.",
)
def adamw_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta, state = optimiser_step(
        lambda p: torch.optim.AdamW([p], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay),
        theta, grad, {"step": float(t - 1), "exp_avg": m, "exp_avg_sq": v},
    )  # fmt: skip
    return theta, state["exp_avg"], state["exp_avg_sq"]


adamw_step.made_of(
    {
        "beta1 m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: beta1 * m,
        "(1 - beta1) grad": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: (1 - beta1) * grad,
        "beta2 v": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: beta2 * v,
        "(1 - beta2) grad**2": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: (1 - beta2) * grad**2,
        "the new m": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: beta1 * m + (1 - beta1) * grad,
        "the root of the new v": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: (
            beta2 * v + (1 - beta2) * grad**2
        ).sqrt(),
        "the root of 1 - beta2**t": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: (1 - beta2**t) ** 0.5,
        "the decay lr weight_decay theta": lambda theta, grad, m, v, t, lr, beta1, beta2, eps, decay: (
            -lr * decay * theta
        ),
    }
)


@adamw_step.oracle
def adamw_as_adam_less_decay(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.criterion("one step", marks=1, says="One step of AdamW, t counted from 1")
def adamw_definition(rng):
    yield case(*UNDER_WAY, 3, 0.1, 0.9, 0.99, 0.1, 0.2, parts=ADAM_PARTS)
    zero = f64(0.0, 0.0)
    yield case(f64(1.0, -2.0), f64(3.0, -0.5), zero, zero, 1, 0.1, 0.9, 0.999, 1e-8, 0.1, parts=ADAM_PARTS)
    lr, beta1, beta2 = rates(rng)
    yield case(*moments(rng, 3), size(rng, 3, 12), lr, beta1, beta2, number(rng, 0.02, 0.2), number(rng, 0.1, 0.5),
               parts=ADAM_PARTS)  # fmt: skip


@adamw_step.criterion(
    "no decay, zero gradients, any shape",
    marks=0.5,
    says=("`weight_decay` may be 0", "Shapes, gradients, dtype, inputs and the 300 steps as before"),
)
def adamw_edges(rng):
    yield case(*moments(rng, 3), size(rng, 3, 12), *rates(rng), 1e-8, 0.0, parts=ADAM_PARTS)
    zero = torch.zeros(3, dtype=torch.float64)
    yield case(signed(rng, 3), zero, zero, zero, 1, *rates(rng), 1e-8, number(rng, 0.1, 0.5), parts=ADAM_PARTS)
    for shape in ((), (2, size(rng, 1, 2)), (0, 3)):
        yield case(*moments(rng, *shape), size(rng, 2, 50), *rates(rng), 1e-8, 0.01, parts=ADAM_PARTS)


@adamw_step.criterion(
    "follows torch.optim.AdamW for 300 steps",
    marks=1,
    says="Shapes, gradients, dtype, inputs and the 300 steps as before",
)
def adamw_runs(rng):
    lr, beta1, beta2 = rates(rng)
    decay = number(rng, 0.05, 0.5)
    yield from runs(
        rng, lambda p: torch.optim.AdamW([p], lr=lr, betas=(beta1, beta2), eps=1e-8, weight_decay=decay),
        ["exp_avg", "exp_avg_sq"], ADAM_PARTS, 1, lr, beta1, beta2, 1e-8, decay,
    )  # fmt: skip


@adamw_step.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="Shapes, gradients, dtype, inputs and the 300 steps as before"
)
def adamw_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        yield case(*moments(rng, 2, dtype=dtype), size(rng, 2, 9), *rates(rng), 1e-8, number(rng, 0.1, 0.5),
                   parts=ADAM_PARTS, unchanged=True)  # fmt: skip


@adamw_step.alternative
def adamw_decay_first(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta = theta * (1 - lr * weight_decay)
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adamw_step.alternative
def adamw_as_in_the_paper(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * (m_hat / (v_hat.sqrt() + eps) + weight_decay * theta), m, v


@adamw_step.alternative
def adamw_in_place_on_copies(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta, m, v = theta.clone(), m.clone(), v.clone()
    theta.mul_(1 - lr * weight_decay)
    m.lerp_(grad, 1 - beta1)
    v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    theta.addcdiv_(m, (v.sqrt() / math.sqrt(1 - beta2**t)).add_(eps), value=-lr / (1 - beta1**t))
    return theta, m, v


@adamw_step.alternative
def adamw_with_numpy(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    p, g, m, v = (x.numpy().astype(np.float64) for x in (theta, grad, m, v))
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
    step = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return tuple(torch.as_tensor(x, dtype=theta.dtype) for x in (p - lr * step - lr * weight_decay * p, m, v))


@adamw_step.misconception(
    "The decay is added to the gradient. That is L2, where m and v see it; AdamW shrinks theta apart from them."
)
def adamw_as_l2(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam_as_printed(theta, grad + weight_decay * theta, m, v, t, lr, beta1, beta2, eps)


@adamw_step.misconception("The decay is taken of the new theta, after Adam's step. It shrinks the theta that came in.")
def adamw_decays_afterwards(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return theta - lr * weight_decay * theta, m, v


@adamw_step.misconception(
    "The decay misses its lr: theta shrinks by lr * weight_decay * theta, so that a schedule reaches it too."
)
def adamw_decay_without_lr(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - weight_decay * theta, m, v


@adamw_step.misconception(
    "The decay is added to m_hat and divided by sqrt(v_hat) with it. It stands outside that quotient."
)
def adamw_decay_inside_the_quotient(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * (m / (1 - beta1**t) + weight_decay * theta) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


@adamw_step.misconception("theta grows: subtract lr * weight_decay * theta.")
def adamw_grows(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped + lr * weight_decay * theta, m, v


@adamw_step.misconception("This is Adam: weight_decay is not used.")
def adamw_without_decay(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)


@adamw_step.misconception("eps is inside the square root; it is added to the root: sqrt(v_hat) + eps.")
def adamw_eps_inside_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_eps_inside_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception("The bias correction is missing: divide m by 1 - beta1^t and v by 1 - beta2^t in the step.")
def adamw_uncorrected(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_uncorrected(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


def told_for_adam(name):
    """The sentence of a mistake in Adam's own part, which is made in its relatives, too."""
    return adam_step.misconceptions[name].sentence


@adamw_step.misconception(told_for_adam("adam_t_plus_one"))
def adamw_t_plus_one(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_t_plus_one(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_corrects_m_alone"))
def adamw_corrects_m_alone(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_corrects_m_alone(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_corrects_v_alone"))
def adamw_corrects_v_alone(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_corrects_v_alone(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_corrects_the_root"))
def adamw_corrects_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_corrects_the_root(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_same_correction_always"))
def adamw_same_correction_always(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_same_correction_always(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_multiplies_by_the_corrections"))
def adamw_multiplies_by_the_corrections(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_multiplies_by_the_corrections(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_betas_exchanged"))
def adamw_betas_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_betas_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_forgets"))
def adamw_forgets(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_forgets(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


@adamw_step.misconception(told_for_adam("adam_uphill"))
def adamw_uphill(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    stepped, m, v = adam_uphill(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return stepped - lr * weight_decay * theta, m, v


EPS_TOO_EARLY = "eps is added before v is corrected. Correct v first: sqrt(v / (1 - beta2^t)) + eps."


def alpha_t_form(grad, m, v, t, lr, beta1, beta2, eps):
    """Adam's step with the corrections in its rate, which lets eps stand beside the uncorrected root."""
    m, v = adam_moments(grad, m, v, beta1, beta2)
    rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    return rate * m / (v.sqrt() + eps), m, v, rate


@adamw_step.misconception(EPS_TOO_EARLY)
def adamw_eps_before_the_correction(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    step, m, v, _ = alpha_t_form(grad, m, v, t, lr, beta1, beta2, eps)
    return theta * (1 - lr * weight_decay) - step, m, v


@adamw_step.misconception(
    "Two things: eps is added before v is corrected (it belongs to sqrt(v / (1 - beta2^t))), and the decay is taken of the "
    "new theta; it shrinks the theta that came in."
)
def adamw_as_in_many_scripts(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    step, m, v, _ = alpha_t_form(grad, m, v, t, lr, beta1, beta2, eps)
    theta = theta - step
    return theta - lr * weight_decay * theta, m, v


@adamw_step.misconception(
    "The decay is multiplied by the corrected rate, lr sqrt(1 - beta2^t) / (1 - beta1^t): it is lr * weight_decay * theta. And "
    "eps is added before v is corrected."
)
def adamw_decay_with_the_corrected_rate(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    step, m, v, rate = alpha_t_form(grad, m, v, t, lr, beta1, beta2, eps)
    return theta * (1 - rate * weight_decay) - step, m, v


@adamw_step.misconception(
    "Two things: the decay is added to the gradient, which is L2, and eps is added before v is corrected. The decay stands "
    "apart, and eps beside sqrt(v / (1 - beta2^t))."
)
def adamw_as_l2_with_eps_too_early(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    step, m, v, _ = alpha_t_form(grad + weight_decay * theta, m, v, t, lr, beta1, beta2, eps)
    return theta - step, m, v


@adamw_step.misconception("The results come in another order: (theta, m, v).")
def adamw_results_exchanged(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta, m, v = adamw_decay_first(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay)
    return m, v, theta


# --------------------------------------------------------------------------------------- clip_by_global_norm
# Inputs: norms from 0 and just below max_norm to 18 times it; scalars and empty tensors.
@exercise(
    hints=[
        "One norm for all tensors together: the root of the sum of all squares, over every tensor in the list.",
        "One factor for all: max_norm / norm where the norm is larger than max_norm, else 1. Return the norm from before.",
        "norm = torch.sqrt(sum((g**2).sum() for g in grads)); scale = min(1.0, max_norm / norm), where a norm of 0 needs no scaling; return [g * scale for g in grads], norm",
    ],
    forbid=["clip_grad_norm_", "clip_grad_norm", "clip_grads_with_norm_"],
    modules=["torch.optim"],
    because="Compute the norm and the factor yourself.",
)
def clip_by_global_norm(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([g.numpy().ravel() for g in grads]))
    return [g * min(1.0, max_norm / norm) if norm else g for g in grads], float(norm)


@clip_by_global_norm.oracle(rtol=1e-5)
def clip_by_torch(grads, max_norm):
    parameters = [torch.zeros_like(g).requires_grad_() for g in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return [p.grad for p in parameters], norm


CLIP = {"rtol": 1e-5, "parts": ["grads", "norm"]}


def grads_of_norm(rng, norm, *shapes, dtype=torch.float64):
    """Tensors of these shapes whose joint norm is `norm`, and whose single norms differ."""
    tensors = [signed(rng, *shape) for shape in shapes]
    joint = math.sqrt(sum((g**2).sum().item() for g in tensors))
    return [(g * (norm / joint)).to(dtype) for g in tensors]


@clip_by_global_norm.criterion(
    "long gradients are cut to max_norm",
    marks=1,
    says="All gradients scaled by one factor to a joint norm of at most max_norm",
)
def clip_definition(rng):
    yield case([f64(3.0, -4.0), f64(12.0)], 2.5, **CLIP)
    yield case([f64(6.0, 8.0)], 1.0, **CLIP)
    yield case(grads_of_norm(rng, number(rng, 4, 9), (2,), (2, size(rng, 1, 3))), number(rng, 0.5, 3), **CLIP)


@clip_by_global_norm.criterion(
    "short gradients stay as they are", marks=0.5, says="Gradients that are short enough come back as they are"
)
def clip_short(rng):
    yield case([f64(0.3), f64(0.4)], 1.0, **CLIP)
    yield case(grads_of_norm(rng, number(rng, 1, 2), (3,), (2, 2)), number(rng, 2.5, 6), **CLIP)
    yield case(grads_of_norm(rng, 2.0, (2,), (2,)), 2.0 + number(rng, 0.001, 0.01), **CLIP)


@clip_by_global_norm.criterion(
    "zeros, scalars and empty tensors", marks=0.5, says=("all-zero ones, too", "Some may be single numbers, or empty")
)
def clip_edges(rng):
    zero = torch.zeros(size(rng, 1, 3), dtype=torch.float64)
    yield case([zero, torch.zeros(2, 2, dtype=torch.float64)], number(rng, 0.5, 2), **CLIP)
    yield case(grads_of_norm(rng, number(rng, 4, 9), (), (0,), (2,), (1, 1, 2)), number(rng, 0.5, 3), **CLIP)


@clip_by_global_norm.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="Each keeps its dtype, and nothing that came in is changed"
)
def clip_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        grads = grads_of_norm(rng, number(rng, 4, 9), (3,), (2, 2), dtype=dtype)
        yield case(grads, number(rng, 0.5, 3), unchanged=True, **CLIP)


@clip_by_global_norm.alternative
def clip_of_one_long_vector(grads, max_norm):
    norm = torch.cat([g.reshape(-1) for g in grads]).norm()
    if norm > max_norm:
        grads = [g * (max_norm / norm) for g in grads]
    return grads, norm


@clip_by_global_norm.alternative
def clip_as_torch_does(grads, max_norm):
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
    scale = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    return tuple(g * scale for g in grads), norm


@clip_by_global_norm.alternative
def clip_with_python_floats(grads, max_norm):
    total = 0.0
    for g in grads:
        for x in g.flatten().tolist():
            total += x * x
    norm = total**0.5
    return [g / max(1.0, norm / max_norm) for g in grads], norm


@clip_by_global_norm.alternative
def clip_in_place_on_copies(grads, max_norm):
    copies = [g.clone() for g in grads]
    norm = np.sqrt(sum(np.square(g.numpy().astype(np.float64)).sum() for g in copies))
    for g in copies:
        g.mul_(max_norm / max(norm, max_norm))
    return copies, float(norm)


def joint_norm(grads):
    return torch.sqrt(sum((g**2).sum() for g in grads))


@clip_by_global_norm.misconception(
    "Each tensor is clipped by its own norm, which turns the direction. One norm and one factor serve all of them."
)
def clip_each_by_its_own_norm(grads, max_norm):
    return [g * min(1.0, max_norm / g.norm().clamp_min(1e-30).item()) for g in grads], joint_norm(grads)


@clip_by_global_norm.misconception(
    "Short gradients are scaled up to max_norm. Scale only where the norm is larger: min(1, max_norm / norm)."
)
def clip_always_scales(grads, max_norm):
    norm = joint_norm(grads)
    return [g * (max_norm / norm) for g in grads], norm


@clip_by_global_norm.misconception(
    "This cuts single numbers at max_norm (clipping by value), which turns the direction. Scale all by one factor."
)
def clip_by_value(grads, max_norm):
    return [g.clamp(-max_norm, max_norm) for g in grads], joint_norm(grads)


@clip_by_global_norm.misconception(
    "The norm returned is the one after clipping. Return the one before: it is what tells you of a spike."
)
def clip_returns_the_norm_afterwards(grads, max_norm):
    norm = joint_norm(grads)
    scale = min(1.0, max_norm / norm.clamp_min(1e-30).item())
    return [g * scale for g in grads], norm * scale


@clip_by_global_norm.misconception("The root is missing: this is the squared norm.")
def clip_by_the_squared_norm(grads, max_norm):
    squared = sum((g**2).sum() for g in grads)
    return [g * min(1.0, max_norm / squared.clamp_min(1e-30).item()) for g in grads], squared


@clip_by_global_norm.misconception("The norms of the tensors are added up. Add their squares, then take the root.")
def clip_by_the_sum_of_norms(grads, max_norm):
    total = sum(g.norm() for g in grads)
    return [g * min(1.0, max_norm / total.clamp_min(1e-30).item()) for g in grads], total


@clip_by_global_norm.misconception(
    "This uses the largest of the tensors' norms; the joint norm is the root of the sum of their squares."
)
def clip_by_the_largest_norm(grads, max_norm):
    largest = torch.stack([g.norm() for g in grads]).max()
    return [g * min(1.0, max_norm / largest.clamp_min(1e-30).item()) for g in grads], largest


@clip_by_global_norm.misconception(
    "The caller's gradients were changed in place (g.mul_ or g *=). Return new tensors: g * scale."
)
def clip_in_place(grads, max_norm):
    norm = joint_norm(grads)
    for g in grads:
        g.mul_(min(1.0, max_norm / norm.clamp_min(1e-30).item()))
    return grads, norm


# --------------------------------------------------------------------------------------------- warmup_cosine
# Inputs: steps before, at and beyond every joint, to twice the total; no warm-up.
@exercise(
    hints=[
        "Three pieces: before warmup_steps a straight line from 0, after total_steps lr_min, and the cosine between.",
        "The cosine's progress is (step - warmup_steps) / (total_steps - warmup_steps): 0 where warm-up ends, 1 at total_steps.",
        "lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2, for warmup_steps <= step < total_steps.",
    ],
    modules=["torch.optim"],
    because="Write the formula yourself.",
)
def warmup_cosine(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    x = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return lr_min + (lr_max - lr_min) * math.cos(math.pi * x / 2) ** 2


warmup_cosine.made_of(
    {
        "the cosine, times (lr_max - lr_min)/2": lambda step, warmup, total, high, low: (
            (high - low) / 2 * math.cos(math.pi * min(1.0, max(0, step - warmup) / (total - warmup))) * (step >= warmup)
        ),
        "the 1 beside the cosine, times (lr_max - lr_min)/2": lambda step, warmup, total, high, low: (
            (high - low) / 2 * (step >= warmup)
        ),
        "lr_min at the bottom": lambda step, warmup, total, high, low: low * (step >= warmup),
        "the warm-up lr_max step / warmup_steps": lambda step, warmup, total, high, low: (
            high * step / warmup if step < warmup else 0.0
        ),
    }
)


@warmup_cosine.oracle(rtol=1e-7)
def cosine_by_torch(step, warmup_steps, total_steps, lr_max, lr_min):
    if not warmup_steps <= step <= total_steps:
        return None
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=lr_max)
    schedule = lr_scheduler.CosineAnnealingLR(optimiser, total_steps - warmup_steps, eta_min=lr_min)
    for _ in range(step - warmup_steps):
        optimiser.step()
        schedule.step()
    return schedule.get_last_lr()[0]


RATE = {"rtol": 1e-6, "atol": 1e-7}  # so that a float32 cosine counts


def schedule_of(rng):
    """warmup_steps, total_steps, lr_max, lr_min."""
    warmup = size(rng, 5, 20)
    return warmup, warmup + size(rng, 30, 90), number(rng, 0.1, 0.5), number(rng, 0.01, 0.05)


@warmup_cosine.criterion("warm-up and cosine", marks=0.5, says="linear warm-up, half a cosine, then lr_min")
def warmup_definition(rng):
    yield case(40, 10, 110, 0.1, 0.01, **RATE)
    yield case(5, 10, 110, 0.1, 0.01, **RATE)
    warmup, total, *lrs = schedule_of(rng)
    yield case(size(rng, 1, warmup - 2), warmup, total, *lrs, **RATE)
    yield case(size(rng, warmup + 3, total - 5), warmup, total, *lrs, **RATE)


@warmup_cosine.criterion(
    "the joints: first step, end of warm-up, last step",
    marks=0.5,
    says="At `warmup_steps` the rate is exactly `lr_max`",
)
def warmup_joints(rng):
    warmup, total, *lrs = schedule_of(rng)
    for step in (0, warmup - 1, warmup, warmup + 1, total - 1, total):
        yield case(step, warmup, total, *lrs, **RATE)


@warmup_cosine.criterion("no warm-up", marks=0.5, says="With no warm-up it starts at `lr_max`")
def warmup_none(rng):
    _, total, *lrs = schedule_of(rng)
    for step in (0, 1, size(rng, 5, total - 5)):
        yield case(step, 0, total, *lrs, **RATE)


@warmup_cosine.criterion("stays at lr_min after the end", marks=0.5, says="at `total_steps` and after it is `lr_min`")
def warmup_after(rng):
    warmup, total, *lrs = schedule_of(rng)
    for step in (total + 1, total + size(rng, 5, 20), 2 * total - warmup):
        yield case(step, warmup, total, *lrs, **RATE)


@warmup_cosine.alternative
def warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    if step >= total_steps:
        return lr_min
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_min + 0.5 * (lr_max - lr_min) * (1 + math.cos(math.pi * progress))


@warmup_cosine.alternative
def warmup_with_float32_tensors(step, warmup_steps, total_steps, lr_max, lr_min):
    if warmup_steps and step <= warmup_steps:
        return torch.tensor(lr_max * step / warmup_steps)
    progress = torch.tensor((step - warmup_steps) / (total_steps - warmup_steps)).clamp(0, 1)
    return lr_min + (lr_max - lr_min) * (1 + torch.cos(torch.pi * progress)) / 2


@warmup_cosine.alternative
def warmup_with_numpy(step, warmup_steps, total_steps, lr_max, lr_min):
    remaining = np.clip(total_steps - step, 0, total_steps - warmup_steps) / (total_steps - warmup_steps)
    cosine = lr_min + (lr_max - lr_min) * np.sin(np.pi / 2 * remaining) ** 2
    return np.where(step < warmup_steps, lr_max * step / max(warmup_steps, 1), cosine)


@warmup_cosine.misconception(
    "The warm-up is one step ahead: it is lr_max * step / warmup_steps, 0 at step 0 and lr_max at warmup_steps."
)
def warmup_one_step_ahead(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * (step + 1) / warmup_steps
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_cosine.misconception(
    "The warm-up is that of (step + 1) / (warmup_steps + 1), which many scripts use so that step 0 is not wasted. Here it is "
    "step / warmup_steps, 0 at step 0."
)
def warmup_counted_from_one(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * (step + 1) / (warmup_steps + 1)
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_cosine.misconception(
    "The cosine starts at step 0 and the warm-up is multiplied onto it, so lr_max is never reached. The cosine starts where "
    "the warm-up ends."
)
def warmup_times_cosine(step, warmup_steps, total_steps, lr_max, lr_min):
    progress = min(1.0, step / total_steps)
    rate = lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2
    return rate * min(1.0, step / warmup_steps if warmup_steps else 1.0)


@warmup_cosine.misconception(
    "The warm-up ends one step late: the cosine starts, at lr_max, where step equals warmup_steps."
)
def warmup_ends_one_step_late(step, warmup_steps, total_steps, lr_max, lr_min):
    if step <= warmup_steps:
        return lr_max * step / (warmup_steps + 1)
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_cosine.misconception(
    "The cosine runs over all steps. It runs over those that remain after the warm-up: (step - warmup_steps) / (total_steps - warmup_steps)."
)
def warmup_cosine_over_the_total(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = min(1.0, step / total_steps)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


@warmup_cosine.misconception(
    "step - warmup_steps is divided by total_steps, so lr_min is not reached. Divide by total_steps - warmup_steps."
)
def warmup_divides_by_the_total(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / total_steps)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


@warmup_cosine.misconception("After total_steps the cosine rises again. From there on the rate is lr_min.")
def warmup_rises_again(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


@warmup_cosine.misconception("The decay is a straight line; it should follow half a cosine.")
def warmup_linear_decay(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return lr_max + (lr_min - lr_max) * progress


@warmup_cosine.misconception("The cosine falls to 0, not to lr_min: it spans lr_max - lr_min, and lr_min is added.")
def warmup_ignores_lr_min(step, warmup_steps, total_steps, lr_max, lr_min):
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, 0.0)


@warmup_cosine.misconception("The warm-up starts at lr_min; here it starts at 0.")
def warmup_from_lr_min(step, warmup_steps, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_min + (lr_max - lr_min) * step / warmup_steps
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_cosine.misconception(
    "With no warm-up this divides by zero. Take the straight line only where step < warmup_steps."
)
def warmup_divides_by_zero(step, warmup_steps, total_steps, lr_max, lr_min):
    if step <= warmup_steps:
        return lr_max * step / warmup_steps
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


# ------------------------------------------------------------------------------------------------- train_xor
# Inputs: any seed; five of them and two more in each grading.
@exercise(
    hints=[
        "Make a torch.Generator from the seed and draw every initial weight from it. Two inputs, 8 or more hidden units with tanh, one output; every layer has a bias.",
        "Each step: the logits of all four inputs, the loss (binary_cross_entropy_with_logits), torch.autograd.grad for all parameters, then adamw_step for each with its own m and v. Append loss.item() to a list. lr 0.05, weight_decay 0.01 and 400 steps are plenty.",
        "p, m, v = adamw_step(p.detach(), g, m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.01) for every parameter, t from 1. predictions = (logits > 0).int() after the last step: a logit above 0 is a probability above 1/2.",
    ],
    forbid=OPTIMISERS,
    modules=["torch.optim"],
    because="Train with your own AdamW step.",
    seconds=60,
)
def train_xor(seed):
    return trained(initial(torch.Generator().manual_seed(seed), hidden=16), steps=300)[:2]


XOR_INPUTS, XOR_TARGETS = f64([0, 0], [0, 1], [1, 0], [1, 1]), f64(0, 1, 1, 0)
LEARNT = {"text": "losses that adamw_step brings from untrained to below 0.05, and the predictions [0, 1, 1, 0]"}
BY_ITS_STEP, EACH = LEARNT | {"judge": "by_its_step"}, LEARNT | {"judge": "each_learns"}
REPEATS = {"judge": "repeats", "text": "the same losses for the same seed, other losses for another seed"}


@train_xor.made_small
def xor_small(seed):
    yield case(0, driver="lend", expected=BY_ITS_STEP)


@train_xor.criterion(
    "learns XOR, by adamw_step",
    marks=1,
    says=("Every parameter moves by a call of `adamw_step`", "has its own `m` and `v`", "`t` counts from 1"),
)
def xor_learns(rng):
    yield case(size(rng, 0, 10_000), driver="lend", expected=BY_ITS_STEP)


@train_xor.criterion("for each of five more seeds, each in its own way", marks=1, says="for every seed that is tried")
def xor_seeds(rng):
    seed, *others = rng.choice(10_000, 5, replace=False).tolist()
    yield case(seed, driver="for_each_seed", parameters=[others], expected=EACH)


@train_xor.criterion("one seed gives one result", marks=0.5, says="one seed always gives one result")
def xor_repeats(rng):
    seed, other = rng.choice(10_000, 2, replace=False).tolist()
    yield case(seed, driver="reseed", parameters=[other], expected=REPEATS)


def looks(symptom):
    return {"judge": "xor_symptom", "symptom": symptom}


def looks_where(symptom, *drivers):
    """How a run looks, as far as these drivers can show it."""
    return lambda one: looks(symptom) if one.driver in drivers else None


def initial(generator, hidden=8, bias=True):
    """Weights and biases (or none) of a net with one hidden layer."""
    w1 = torch.randn(2, hidden, generator=generator, dtype=torch.float64)
    w2 = torch.randn(hidden, 1, generator=generator, dtype=torch.float64) / hidden**0.5
    return [w1, torch.zeros(hidden, dtype=torch.float64), w2, torch.zeros(1, dtype=torch.float64)][:: 1 if bias else 2]


def inline_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """AdamW written out, as a loop holds it that does not call adamw_step."""
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta * (1 - lr * weight_decay) - lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps), m, v


def descent_step(theta, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Plain gradient descent, at a rate that learns XOR."""
    return theta - 40 * lr * grad, m, v


def trained(parameters, activation=torch.tanh, steps=400, lr=0.05, decay=0.01, step=None):
    """Losses, predictions and final logits of a net on XOR, trained by adamw_step or another step."""
    parameters = [p.clone().requires_grad_() for p in parameters]
    state = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    losses = []
    for t in range(1, steps + 1):
        w1, b1, w2, b2 = parameters if len(parameters) == 4 else (parameters[0], 0.0, parameters[1], 0.0)
        logits = (activation(XOR_INPUTS @ w1 + b1) @ w2 + b2).squeeze(1)
        loss = functional.binary_cross_entropy_with_logits(logits, XOR_TARGETS)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, parameters)
        stepped = [
            (step or adamw_step)(p.detach(), g, m, v, t, lr, 0.9, 0.999, 1e-8, decay)
            for p, g, (m, v) in zip(parameters, grads, state, strict=True)
        ]
        parameters, state = [p.requires_grad_() for p, _, _ in stepped], [(m, v) for _, m, v in stepped]
    return losses, (logits > 0).int().tolist(), logits.detach()


@train_xor.alternative
def xor_with_tanh(seed):
    losses, labels, _ = trained(initial(torch.Generator().manual_seed(seed)), steps=150)
    return losses, torch.tensor(labels)


@train_xor.alternative
def xor_with_gelu_and_more_units(seed):
    generator = torch.Generator().manual_seed(seed)
    losses, labels, _ = trained(initial(generator, hidden=32), functional.gelu, steps=150)
    return torch.tensor(losses), [bool(x) for x in labels]


@train_xor.alternative
def xor_with_modules_and_squared_error(seed):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1), torch.nn.Sigmoid())
    moments = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in net.parameters()}
    losses = []
    for t in range(1, 201):
        loss = ((net(XOR_INPUTS.float())[:, 0] - XOR_TARGETS.float()) ** 2).mean()
        net.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        with torch.no_grad():
            for p, (m, v) in moments.items():
                new, *moments[p] = adamw_step(
                    p, p.grad, m, v, t, lr=0.03, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.01
                )
                p.copy_(new)
    return torch.stack(losses), net(XOR_INPUTS.float()).round()


@train_xor.alternative
def xor_by_hand_in_numpy_until_it_is_learnt(seed):
    rng = np.random.default_rng(seed)
    x, y = XOR_INPUTS.numpy(), XOR_TARGETS.numpy()[:, None]
    params = [rng.normal(size=(2, 12)), np.zeros(12), rng.normal(size=(12, 1)), np.zeros(1)]
    m, v, losses, t = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], [1.0], 0
    while losses[-1] > 0.01 or t < 30:
        t += 1
        w1, b1, w2, b2 = params
        h = np.tanh(x @ w1 + b1)
        z = h @ w2 + b2
        losses.append(float(np.mean(np.logaddexp(0, z) - y * z)))
        dz = (1 / (1 + np.exp(-z)) - y) / 4
        dh = dz @ w2.T * (1 - h**2)
        for i, g in enumerate((x.T @ dh, dh.sum(0), h.T @ dz, dz.sum(0))):
            made = adamw_step(
                *(torch.as_tensor(a) for a in (params[i], g, m[i], v[i])), t, 0.05, 0.9, 0.999, 1e-8, 0.01
            )
            params[i], m[i], v[i] = (np.asarray(part) for part in made)
    return np.array(losses[1:]), (z[:, 0] > 0).astype(int)


@train_xor.alternative
def xor_as_one_long_vector(seed):
    """One call of adamw_step a step, for all parameters in one vector."""
    shapes = [(2, 16), (16,), (16, 1), (1,)]
    theta = torch.cat([p.reshape(-1) for p in initial(torch.Generator().manual_seed(seed), hidden=16)])
    m = v = torch.zeros_like(theta)
    losses = []
    for t in range(1, 151):
        leaf = theta.clone().requires_grad_()
        pieces = leaf.split([math.prod(shape) for shape in shapes])
        w1, b1, w2, b2 = (piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True))
        z = (torch.tanh(XOR_INPUTS @ w1 + b1) @ w2 + b2)[:, 0]
        loss = functional.binary_cross_entropy_with_logits(z, XOR_TARGETS)
        losses += [loss.item()]
        theta, m, v = adamw_step(theta, *torch.autograd.grad(loss, leaf), m, v, t, 0.05, 0.9, 0.999, 1e-8, 0.01)
    return losses, (z > 0).tolist()


NOT_BY_ITS_STEP = (
    "The losses are the same whatever adamw_step does, so the run does not go through it. Call adamw_step for every "
    "parameter at every step, and go on with the theta, m and v that it returns."
)


@train_xor.misconception(NOT_BY_ITS_STEP, looks=looks_where("step ignored", "lend"))
def xor_not_by_adamw_step(seed):
    """Plain gradient descent."""
    return trained(initial(torch.Generator().manual_seed(seed), hidden=16), steps=200, step=descent_step)[:2]


@train_xor.misconception(NOT_BY_ITS_STEP, looks=looks_where("step ignored", "lend"))
def xor_with_the_update_written_out(seed):
    return trained(initial(torch.Generator().manual_seed(seed)), steps=150, step=inline_step)[:2]


@train_xor.misconception(NOT_BY_ITS_STEP, looks=looks_where("step ignored", "lend"))
def xor_that_was_never_made(seed):
    return [0.7 * 0.9**t * (1 + seed % 97 / 200) for t in range(60)], [0, 1, 1, 0]


@train_xor.misconception(
    "adamw_step is given a wrong t. It is 1 in the first step, 2 in the second and so on, the same for all parameters: "
    "the bias correction divides by 1 - beta**t.",
    looks=looks_where("t does not count", "lend"),
)
def xor_where_t_stays_at_one(seed):
    def step(theta, grad, m, v, t, *settings):
        return adamw_step(theta, grad, m, v, 1, *settings)

    return trained(initial(torch.Generator().manual_seed(seed), hidden=16), step=step)[:2]


@train_xor.misconception(
    "adamw_step is given a wrong t. It is 1 in the first step, 2 in the second and so on, the same for all parameters: "
    "the bias correction divides by 1 - beta**t.",
    looks=looks_where("t does not count", "lend"),
)
def xor_where_t_begins_at_two(seed):
    def step(theta, grad, m, v, t, *settings):
        return adamw_step(theta, grad, m, v, t + 1, *settings)

    return trained(initial(torch.Generator().manual_seed(seed), hidden=16), step=step)[:2]


@train_xor.misconception(
    "m and v are not carried on. Keep those that adamw_step returns for each parameter, and give it those at the next step; "
    "zeros are for the first step alone.",
    looks=looks_where("state lost", "lend"),
)
def xor_without_memory(seed):
    def step(theta, grad, m, v, t, *settings):
        return adamw_step(theta, grad, 0 * m, 0 * v, t, *settings)

    return trained(initial(torch.Generator().manual_seed(seed), hidden=16), step=step)[:2]


@train_xor.misconception(
    "The loss stays at log 2 = 0.693 (0.25 for squared error): the net says 1/2 to every input. Most often it has not left "
    "this first plateau: take a larger rate, more steps or more units, and a weight decay far below 1. If it stays there "
    "whatever you change, look for a missing nonlinearity between the layers (two linear layers are one), or for ReLU units "
    "that are 0 for all four inputs.",
    looks=looks("stuck: linear"),
)
def xor_linear(seed):
    return trained(initial(torch.Generator().manual_seed(seed)), activation=lambda x: x)[:2]


@train_xor.misconception(
    "The loss never moves. Either what adamw_step returns is not used (it changes nothing in place: p, m, v = adamw_step(...)), "
    "or every gradient is zero, as with all weights zero: draw the weights at random from the seed.",
    looks=looks("never moved"),
)
def xor_from_zeros(seed):
    return trained([torch.zeros_like(p) for p in initial(torch.Generator().manual_seed(seed))])[:2]


@train_xor.misconception(
    "The loss stays near 0.477 (1/6 for squared error): the net is as good as a single hidden unit, one input right and 2/3 "
    "for the others. Either all hidden units started equal, and stay equal: draw each weight at random. Or all but one are "
    "dead (ReLU) or missing: print the hidden layer, and take 8 or more.",
    looks=looks("stuck: identical units"),
)
def xor_identical_units(seed):
    start = 1.2 + torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    w1, b1, w2, b2 = initial(torch.Generator().manual_seed(seed))
    return trained([torch.full_like(w1, start), b1, torch.full_like(w2, start), b2])[:2]


@train_xor.misconception(
    "The loss stays near log 2 / 2 = 0.347 (1/8 for squared error): two inputs are right and two stay at 1/2. Nets with too few "
    "hidden units, or too few live ones, often end there: two can solve XOR but seldom learn it. Take 8 or more.",
    looks=looks("stuck: few units"),
)
def xor_with_two_units(seed):
    """From near a start that ends there, as most starts of two units do."""
    near = 1 + 0.01 * torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    return trained([p * near for p in initial(torch.Generator().manual_seed(3), hidden=2)], steps=600)[:2]


@train_xor.misconception(
    "The loss stays above log 2 / 4 = 0.173 (1/16 for squared error): without biases the input 00 always gives 1/2. "
    "Give every layer a bias.",
    looks=looks("stuck: no bias"),
)
def xor_without_bias(seed):
    return trained(initial(torch.Generator().manual_seed(seed), bias=False))[:2]


@train_xor.misconception(
    "The loss still falls at the end: take more steps, or a larger learning rate (0.05 is fine here).",
    looks=looks("still falling"),
)
def xor_too_short(seed):
    return trained(initial(torch.Generator().manual_seed(seed)), steps=60, lr=0.01)[:2]


@train_xor.misconception(
    "One seed gave two results: the weights came from the global generator, or from no seed at all. Draw them from "
    "torch.Generator().manual_seed(seed), or call torch.manual_seed(seed) first.",
    looks=looks_where("two results", "lend", "reseed"),
)
def xor_unseeded(seed):
    return trained(initial(torch.Generator().manual_seed(int(torch.randint(10**6, ())))), steps=150)[:2]


@train_xor.misconception(
    "Every seed gives the same run: use the argument `seed`, not a number of your own, for the initial weights.",
    looks=looks_where("seed ignored", "reseed", "for_each_seed"),
)
def xor_ignores_the_seed(seed):
    return trained(initial(torch.Generator().manual_seed(0)), steps=150)[:2]


@train_xor.misconception(
    "These predictions are probabilities or logits. Labels are asked for: 1 where the probability is above 1/2, else 0.",
    looks=looks("probabilities"),
)
def xor_predicts_probabilities(seed):
    losses, _, logits = trained(initial(torch.Generator().manual_seed(seed)), steps=150)
    return losses, logits.sigmoid()


@train_xor.misconception(
    "Only one loss comes back. Append the loss of every step to a list and return the list.",
    looks=looks("one loss"),
)
def xor_returns_one_loss(seed):
    losses, labels, _ = trained(initial(torch.Generator().manual_seed(seed)), steps=150)
    return losses[-1], labels


# --------------------------------------------------------------------------------------- warmup_stable_decay
# Inputs: as warmup_cosine; no plateau.
@exercise(
    stretch=True,
    hints=[
        "Four pieces: a line up to warmup_steps, flat to decay_start, half a cosine to total_steps, then lr_min.",
        "The cosine's progress is (step - decay_start) / (total_steps - decay_start), clamped to between 0 and 1: below 0 it is the flat piece, above 1 the end.",
        "Below decay_start return lr_max * min(1, step / warmup_steps), where warmup_steps may be 0; above, the cosine as in warmup_cosine.",
    ],
    modules=["torch.optim"],
    because="Write the formula yourself.",
)
def warmup_stable_decay(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    knots = np.interp(step, [warmup_steps, decay_start, total_steps], [0.0, 0.0, np.pi])
    rate = lr_min + (lr_max - lr_min) * (1 + np.cos(knots)) / 2
    return float(lr_max * step / warmup_steps if step < warmup_steps else rate)


warmup_stable_decay.made_of(
    {
        "the cosine, times (lr_max - lr_min)/2": lambda step, warmup, start, total, high, low: (
            (high - low) / 2 * math.cos(math.pi * (step - start) / (total - start)) * (start <= step <= total)
        ),
        "the 1 beside the cosine, times (lr_max - lr_min)/2": lambda step, warmup, start, total, high, low: (
            (high - low) / 2 * (start <= step <= total)
        ),
        "lr_min at the bottom": lambda step, warmup, start, total, high, low: low * (step >= start),
        "the warm-up lr_max step / warmup_steps": lambda step, warmup, start, total, high, low: (
            high * step / warmup if step < warmup else 0.0
        ),
    }
)


@warmup_stable_decay.oracle
def wsd_by_cosine(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step >= decay_start:
        return warmup_cosine(step - decay_start, 0, total_steps - decay_start, lr_max, lr_min)
    return lr_max if step >= warmup_steps else lr_max / warmup_steps * step


def plateau_of(rng):
    """warmup_steps, decay_start, total_steps, lr_max, lr_min."""
    warmup, total, *lrs = schedule_of(rng)
    return warmup, warmup + size(rng, 12, 20), total, *lrs


@warmup_stable_decay.criterion(
    "warm-up, plateau and decay", marks=1, says="Linear to `warmup_steps`, `lr_max` to `decay_start`"
)
def wsd_definition(rng):
    for step in (95, 5, 50):
        yield case(step, 10, 80, 120, 0.1, 0.01, **RATE)
    warmup, start, total, *lrs = plateau_of(rng)
    for step in (size(rng, 1, warmup - 2), size(rng, warmup + 3, start - 2), size(rng, start + 3, total - 3)):
        yield case(step, warmup, start, total, *lrs, **RATE)


@warmup_stable_decay.criterion("the joints", marks=1, says="half a cosine to `lr_min` at `total_steps`, `lr_min` after")
def wsd_joints(rng):
    warmup, start, total, *lrs = plateau_of(rng)
    for step in (0, warmup - 1, warmup, start, start + 1, total - 1, total):
        yield case(step, warmup, start, total, *lrs, **RATE)


@warmup_stable_decay.criterion(
    "no warm-up, no plateau, after the end",
    marks=1,
    says="`warmup_steps` may be 0, and `decay_start` may equal `warmup_steps`",
)
def wsd_edges(rng):
    warmup, start, total, *lrs = plateau_of(rng)
    for step in (0, size(rng, 1, start - 2)):
        yield case(step, 0, start, total, *lrs, **RATE)
    for step in (warmup, warmup + size(rng, 2, 9)):
        yield case(step, warmup, warmup, total, *lrs, **RATE)
    for step in (total + 1, total + size(rng, 8, 30)):
        yield case(step, warmup, start, total, *lrs, **RATE)


@warmup_stable_decay.alternative
def wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * step / warmup_steps
    if step < decay_start:
        return lr_max
    if step >= total_steps:
        return lr_min
    progress = (step - decay_start) / (total_steps - decay_start)
    return lr_min + (lr_max - lr_min) * 0.5 * (1 + math.cos(math.pi * progress))


@warmup_stable_decay.alternative
def wsd_with_clamps(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    up = torch.tensor(step / warmup_steps if warmup_steps else 1.0).clamp(max=1.0)
    left = torch.tensor((total_steps - step) / (total_steps - decay_start)).clamp(0.0, 1.0)
    return torch.where(left < 1, lr_min + (lr_max - lr_min) * torch.sin(torch.pi / 2 * left) ** 2, lr_max * up)


@warmup_stable_decay.misconception(
    "The decay starts right after the warm-up: the rate stays at lr_max up to decay_start."
)
def wsd_without_plateau(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_stable_decay.misconception("The decay is a straight line; it should follow half a cosine.")
def wsd_linear_decay(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < decay_start:
        return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min)
    left = max(0.0, (total_steps - step) / (total_steps - decay_start))
    return lr_min + (lr_max - lr_min) * left


@warmup_stable_decay.misconception(
    "The cosine's progress counts from the end of the warm-up, so the rate jumps at decay_start. Count from decay_start."
)
def wsd_jumps(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < decay_start:
        return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min)
    return warmup_three_branches(step, warmup_steps, total_steps, lr_max, lr_min)


@warmup_stable_decay.misconception(
    "The cosine falls to 0, not to lr_min: it spans lr_max - lr_min, and lr_min is added."
)
def wsd_ignores_lr_min(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, 0.0)


@warmup_stable_decay.misconception(
    "The warm-up is one step ahead: it is lr_max * step / warmup_steps, 0 at step 0 and lr_max at warmup_steps."
)
def wsd_one_step_ahead(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * (step + 1) / warmup_steps
    return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min)


@warmup_stable_decay.misconception(
    "The warm-up is that of (step + 1) / (warmup_steps + 1), which many scripts use so that step 0 is not wasted. Here it is "
    "step / warmup_steps, 0 at step 0."
)
def wsd_counted_from_one(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < warmup_steps:
        return lr_max * (step + 1) / (warmup_steps + 1)
    return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min)


@warmup_stable_decay.misconception("After total_steps the cosine rises again. From there on the rate is lr_min.")
def wsd_rises_again(step, warmup_steps, decay_start, total_steps, lr_max, lr_min):
    if step < decay_start:
        return wsd_four_branches(step, warmup_steps, decay_start, total_steps, lr_max, lr_min)
    progress = (step - decay_start) / (total_steps - decay_start)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


# ---------------------------------------------------------------------------------------------- amsgrad_step
# Inputs: as adam_step; v_max equal to v, and three times it.
@exercise(
    stretch=True,
    hints=[
        "m and v are Adam's. New is v_max, the elementwise largest v so far: torch.maximum(v_max, v), with the new v.",
        "The step divides by sqrt(v_max / (1 - beta2**t)) + eps: the maximum is of the raw v, the correction comes after it.",
        "return theta - lr * m / (1 - beta1**t) / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max",
    ],
    forbid=OPTIMISERS,
    modules=["torch.optim"],
    because="Write the update yourself.",
)
def amsgrad_step(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    theta, state = optimiser_step(
        lambda p: torch.optim.Adam([p], lr=lr, betas=(beta1, beta2), eps=eps, amsgrad=True),
        theta, grad, {"step": float(t - 1), "exp_avg": m, "exp_avg_sq": v, "max_exp_avg_sq": v_max},
    )  # fmt: skip
    return theta, state["exp_avg"], state["exp_avg_sq"], state["max_exp_avg_sq"]


amsgrad_step.made_of(
    {
        "beta1 m": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: beta1 * m,
        "(1 - beta1) grad": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: (1 - beta1) * grad,
        "beta2 v": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: beta2 * v,
        "(1 - beta2) grad**2": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: (1 - beta2) * grad**2,
        "the new m": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: beta1 * m + (1 - beta1) * grad,
        "the root of the new v": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: (
            beta2 * v + (1 - beta2) * grad**2
        ).sqrt(),
        "the root of 1 - beta2**t": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: (1 - beta2**t) ** 0.5,
        "the root of the old v_max": lambda theta, grad, m, v, v_max, t, lr, beta1, beta2, eps: v_max.sqrt(),
    }
)


@amsgrad_step.oracle
def amsgrad_with_numpy(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    p, g, m, v, v_max = (x.numpy() for x in (theta, grad, m, v, v_max))
    m, v = adam_moments(g, m, v, beta1, beta2)
    v_max = np.maximum(v, v_max)
    step = m / (1 - beta1**t) / (np.sqrt(v_max / (1 - beta2**t)) + eps)
    return tuple(torch.as_tensor(x) for x in (p - lr * step, m, v, v_max))


AMSGRAD_PARTS = [*ADAM_PARTS, "v_max"]


def with_v_max(rng, *shape, dtype=torch.float64):
    """theta, grad, m, v and v_max of a run under way; v_max is sometimes well above v, sometimes just v."""
    tensors = moments(rng, *shape, dtype=dtype)
    above = torch.from_numpy(np.asarray(rng.choice([1.0, 3.0], shape)))
    return [*tensors, (tensors[3].double() * above).to(dtype)]


@amsgrad_step.criterion("one step", marks=1, says="One step of AMSGrad, t counted from 1")
def amsgrad_definition(rng):
    tensors = (f64(1.0, -2.0), f64(0.5, -3.0), f64(0.2, -0.3), f64(1.0, 1.0), f64(2.0, 1.0))
    yield case(*tensors, 3, 0.1, 0.9, 0.99, 0.1, parts=AMSGRAD_PARTS)
    yield case(*with_v_max(rng, 5), size(rng, 3, 12), *rates(rng), number(rng, 0.02, 0.2), parts=AMSGRAD_PARTS)


@amsgrad_step.criterion(
    "follows torch.optim.Adam(amsgrad=True) for 300 steps",
    marks=1,
    says="Shapes, dtype, inputs and the 300 steps as before",
)
def amsgrad_runs(rng):
    lr, beta1, beta2 = rates(rng)
    yield from runs(
        rng, lambda p: torch.optim.Adam([p], lr=lr, betas=(beta1, beta2), eps=1e-8, amsgrad=True),
        ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"], AMSGRAD_PARTS, 1, lr, beta1, beta2, 1e-8,
    )  # fmt: skip


@amsgrad_step.criterion(
    "any shape, keeps the dtype and its inputs", marks=1, says="Shapes, dtype, inputs and the 300 steps as before"
)
def amsgrad_dtypes(rng):
    for shape in ((), (2, size(rng, 1, 2)), (0, 3)):
        yield case(*with_v_max(rng, *shape), size(rng, 2, 50), *rates(rng), 1e-8, parts=AMSGRAD_PARTS)
    for dtype in (torch.float64, torch.float32):
        yield case(*with_v_max(rng, 3, dtype=dtype), size(rng, 2, 9), *rates(rng), 1e-8, parts=AMSGRAD_PARTS,
                   unchanged=True)  # fmt: skip


@amsgrad_step.alternative
def amsgrad_as_printed(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * (m / (1 - beta1**t)) / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max


@amsgrad_step.alternative
def amsgrad_in_place_on_copies(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    theta, m, v = theta.clone(), m.clone().lerp_(grad, 1 - beta1), v.clone()
    v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    largest = torch.where(v > v_max, v, v_max)
    theta.addcdiv_(m, (largest.sqrt() / math.sqrt(1 - beta2**t)).add_(eps), value=-lr / (1 - beta1**t))
    return [theta, m, v, largest]


@amsgrad_step.misconception("v_max is kept but not used: the step must divide by the root of v_max, not of v.")
def amsgrad_steps_like_adam(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    theta, m, v = adam_as_printed(theta, grad, m, v, t, lr, beta1, beta2, eps)
    return theta, m, v, torch.maximum(v_max, v)


@amsgrad_step.misconception(
    "The maximum is taken of the corrected v. In torch v_max is the largest raw v, and is corrected afterwards."
)
def amsgrad_max_of_corrected(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v / (1 - beta2**t))
    return theta - lr * m / (1 - beta1**t) / (v_max.sqrt() + eps), m, v, v_max


@amsgrad_step.misconception("The maximum went back into v. v stays Adam's own average; only v_max keeps the largest.")
def amsgrad_max_fed_back(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v = torch.maximum(v_max, v)
    return theta - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps), m, v, v


@amsgrad_step.misconception("v_max is taken before v is updated. Update v first, then take the maximum with the new v.")
def amsgrad_max_of_the_old_v(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    v_max = torch.maximum(v_max, v)
    m, v = adam_moments(grad, m, v, beta1, beta2)
    return theta - lr * m / (1 - beta1**t) / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(
    "The bias correction is missing: divide m by 1 - beta1^t and v_max by 1 - beta2^t in the step."
)
def amsgrad_uncorrected(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / (v_max.sqrt() + eps), m, v, v_max


@amsgrad_step.misconception("Only m is corrected. v_max starts at 0, too: divide it by 1 - beta2^t before the root.")
def amsgrad_corrects_m_alone(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / (1 - beta1**t) / (v_max.sqrt() + eps), m, v, v_max


@amsgrad_step.misconception("Only v_max is corrected. m starts at 0, too: divide it by 1 - beta1^t.")
def amsgrad_corrects_v_alone(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(told_for_adam("adam_same_correction_always"))
def amsgrad_same_correction_always(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / (1 - beta1) / ((v_max / (1 - beta2)).sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(told_for_adam("adam_t_plus_one"))
def amsgrad_t_plus_one(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / (1 - beta1 ** (t + 1)) / ((v_max / (1 - beta2 ** (t + 1))).sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(
    "The root is taken before the correction. Correct v_max first: sqrt(v_max / (1 - beta2^t))."
)
def amsgrad_corrects_the_root(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * m / (1 - beta1**t) / (v_max.sqrt() / (1 - beta2**t) + eps), m, v, v_max


@amsgrad_step.misconception(told_for_adam("adam_uphill"))
def amsgrad_uphill(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta + lr * m / (1 - beta1**t) / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(
    "eps is added before v_max is corrected. Correct v_max first: sqrt(v_max / (1 - beta2^t)) + eps."
)
def amsgrad_eps_before_the_correction(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    return theta - lr * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (v_max.sqrt() + eps), m, v, v_max


@amsgrad_step.misconception(
    "v_max is one number here; every parameter keeps its own largest v: torch.maximum, not max()."
)
def amsgrad_one_maximum_for_all(theta, grad, m, v, v_max, t, lr, beta1, beta2, eps):
    m, v = adam_moments(grad, m, v, beta1, beta2)
    v_max = torch.maximum(v_max, v)
    v_max = v_max.max().expand_as(v).clone() if v.numel() else v_max
    return theta - lr * m / (1 - beta1**t) / ((v_max / (1 - beta2**t)).sqrt() + eps), m, v, v_max
