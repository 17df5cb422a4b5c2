"""The exercises of notebook 06: log-softmax, first in torch, then in Triton kernels, and the roofline.

Kernels are played on the GPU where there is one and under Triton's interpreter elsewhere. Where Triton is missing the
exercises in plain torch can still be graded."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace

import numpy as np
import torch
from scipy import special
from torch.nn import functional

from grading.draws import normal, number, size
from grading.exercise import Laid, case, exercise, raises
from helpers.checking import plain

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # triton.jit asks for it when it decorates
try:
    import triton
    import triton.language as tl
except ImportError:  # the kernels below are then never started
    triton, tl = SimpleNamespace(jit=lambda kernel: kernel), None

INF, NAN = math.inf, math.nan
HALF = (torch.float16, torch.bfloat16)
FLOAT32 = {"rtol": 1e-5, "atol": 1e-6}
FOUR = torch.tensor([2.0, 1.0, 0.5, 0.1], dtype=torch.float64)
READY_MADE = [
    "logsumexp", "logcumsumexp", "log_softmax", "softmax", "softmin", "LogSoftmax", "Softmax", "Softmin", "cross_entropy",
    "CrossEntropyLoss", "gumbel_softmax", "Categorical", "OneHotCategorical", "AdaptiveLogSoftmaxWithLoss",
]  # fmt: skip
SUMS_ALL = "The sum runs over everything: sum over the last dimension only, so that a batch stays a batch."
OVERFLOWS = "exp overflows above 88 in float32 and 709 in float64: subtract the row's maximum first."
IN_HALF = "Half types keep three digits or fewer: compute in float32, and go back to the input's dtype at the end."
LOST_DIGITS = "m + log(s) rounds log(s) away where m is large: subtract the maximum first, then log(s)."


def tensor(numbers, dtype=torch.float64):
    return torch.tensor(numbers, dtype=dtype)


def logits_of(rng, *shape, dtype=torch.float64, shift=0.0):
    """Logits of a few nats around `shift`."""
    return (normal(rng, *shape, scale=2.0) + shift).to(dtype)


def special_rows(rng, n):
    """Rows with infinities and nan among ordinary numbers, a row of -inf, a row of +inf."""
    rows = logits_of(rng, 7, n)
    rows[0], rows[1] = -INF, INF
    rows[2, : n // 2] = -INF
    rows[3, n // 2 :] = -INF
    rows[4, int(rng.integers(n))] = INF
    rows[5, int(rng.integers(n))] = NAN
    rows[6, 0], rows[6, n - 1] = -INF, INF
    return rows


# ----------------------------------------------------------------------------------------------- log_sum_exp
@exercise(
    hints=[
        "exp(1000) is inf. For any m: log sum exp(x) = m + log sum exp(x - m). Which m keeps every exponent at or below 0?",
        "With m the row's maximum this is right for all finite rows. For a row of -inf it asks for -inf - (-inf), which is nan: subtract 0 there.",
        "`m = x.amax(-1, keepdim=True)`, `shift = m.masked_fill(m.isinf(), 0)`, then `(x - shift).exp().sum(-1).log() + shift.squeeze(-1)`, in at least float32.",
    ],
    forbid=READY_MADE,
    because="Write it with the maximum, exp, sum and log.",
)
def log_sum_exp(x):
    return torch.logsumexp(x, -1)


@log_sum_exp.oracle
def log_sum_exp_by_scipy(x):
    return special.logsumexp(x.numpy(), axis=-1) if x.numel() and not x.isnan().any() and not (x == INF).any() else None


@log_sum_exp.criterion("matches the definition", marks=1)
def log_sum_exp_definition(rng):
    yield case(FOUR)
    yield case(logits_of(rng, size(rng, 5, 8)))


@log_sum_exp.criterion("stays finite for large numbers", marks=0.5)
def log_sum_exp_stable(rng):
    for shift in (1e4, -1e4, number(rng, 800, 2000)):
        yield case(logits_of(rng, 4, shift=shift))
    yield case(logits_of(rng, 5, dtype=torch.float32, shift=1e4))
    yield case(torch.stack([logits_of(rng, 4, shift=1e4), logits_of(rng, 4, shift=-1e4)]))


@log_sum_exp.criterion("takes infinities", marks=0.5)
def log_sum_exp_infinities(rng):
    yield case(special_rows(rng, size(rng, 4, 6)))


@log_sum_exp.criterion("keeps batches, the dtype and its input", marks=0.5)
def log_sum_exp_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 4, 6)), unchanged=True)
    yield case(torch.zeros(0, 5, dtype=torch.float64))
    yield case(logits_of(rng, 3, 4, dtype=torch.float32), unchanged=True)
    for dtype in HALF:  # close to 0, where the two terms of the answer cancel
        yield case((torch.log_softmax(logits_of(rng, 3, 30), -1) + 0.02).to(dtype), unchanged=True)


@log_sum_exp.alternative
def log_sum_exp_one_by_one(x):
    total = torch.full(x.shape[:-1], -INF, dtype=torch.float64)
    for k in range(x.shape[-1]):
        total = torch.logaddexp(total, x[..., k].double())
    return total.to(x.dtype)


@log_sum_exp.alternative
def log_sum_exp_in_numpy(x):
    a = x.double().numpy()
    with np.errstate(all="ignore"):
        m = a.max(axis=-1, keepdims=True) if a.size else np.zeros((*a.shape[:-1], 1))
        shift = np.where(np.isfinite(m), m, 0)
        return torch.as_tensor(np.log(np.exp(a - shift).sum(-1)) + shift[..., 0]).to(x.dtype)


@log_sum_exp.alternative
def log_sum_exp_difference_from_the_maximum(x):
    wide = x.to(torch.promote_types(x.dtype, torch.float32)).clone()
    m, _ = wide.max(dim=-1) if wide.numel() else (torch.zeros(x.shape[:-1]), None)
    terms = wide.sub_(m.unsqueeze(-1)).exp_()
    return torch.where(m.isinf(), m, m + terms.sum(-1).log()).to(x.dtype)


@log_sum_exp.alternative
def log_sum_exp_row_by_row(x):
    if x.ndim > 1:
        rows = [log_sum_exp_row_by_row(row) for row in x]
        return torch.stack(rows) if rows else torch.zeros(x.shape[:-1], dtype=x.dtype)
    values = x.tolist()
    if any(v != v for v in values):
        return torch.tensor(NAN, dtype=x.dtype)
    m = max(values)
    if m in (INF, -INF):
        return torch.tensor(m, dtype=x.dtype)
    return torch.tensor(m + math.log(math.fsum(math.exp(v - m) for v in values)), dtype=x.dtype)


@log_sum_exp.misconception(OVERFLOWS)
def log_sum_exp_naive(x):
    return x.exp().sum(-1).log()


@log_sum_exp.misconception("In a row of -inf the maximum is -inf, and -inf - (-inf) is nan: subtract 0 there instead.")
def log_sum_exp_nan(x):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.amax(-1, keepdim=True)
    return (m + (wide - m).exp().sum(-1, keepdim=True).log()).squeeze(-1).to(x.dtype)


@log_sum_exp.misconception("The maximum that was subtracted must be added back: m + log(sum(exp(x - m))).")
def log_sum_exp_not_added_back(x):
    return (x - x.amax(-1, keepdim=True)).exp().sum(-1).log()


@log_sum_exp.misconception("This is the log of the mean of exp(x); the name says sum.")
def log_sum_exp_mean(x):
    return x.exp().mean(-1).log()


@log_sum_exp.misconception("The logarithm is to base 2: use torch.log, so that it undoes exp.")
def log_sum_exp_base_two(x):
    m = x.amax(-1, keepdim=True)
    return m.squeeze(-1) + (x - m).exp().sum(-1).log2()


@log_sum_exp.misconception(
    "One maximum for the whole batch leaves 0 of the smaller rows, and log 0 is -inf: take the maximum of each row."
)
def log_sum_exp_one_maximum(x):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.max()
    return (m + (wide - m).exp().sum(-1).log()).to(x.dtype)


@log_sum_exp.misconception(SUMS_ALL)
def log_sum_exp_total(x):
    m = x.max()
    shift = m if m.isfinite() else 0.0
    return (x - shift).exp().sum().log() + shift


@log_sum_exp.misconception(IN_HALF)
def log_sum_exp_in_half(x):
    m = x.amax(-1, keepdim=True)
    shift = m.masked_fill(m.isinf(), 0)
    return (x - shift).exp().sum(-1).log() + shift.squeeze(-1)


@log_sum_exp.breaks_rule
def log_sum_exp_of_torch(x):
    return torch.logsumexp(x, -1)


@log_sum_exp.breaks_rule
def log_sum_exp_of_scipy(x):
    return torch.from_numpy(special.logsumexp(x.numpy(), axis=-1))


@log_sum_exp.breaks_rule
def log_sum_exp_by_log_softmax(x):
    return (x - functional.log_softmax(x, -1))[..., 0]


@log_sum_exp.breaks_rule
def log_sum_exp_from_helpers(x):
    from helpers import logits

    return logits.log_sum_exp(x)


# ----------------------------------------------------------------------------------------------- log_softmax
@exercise(
    hints=[
        "log of a softmax: log(exp(z_i) / sum exp(z)) = z_i - log sum exp(z), with z = logits / temperature.",
        "Near 10,000 float32 keeps three decimals. Take the maximum away first, while the differences are exact; then the log of the sum.",
        "`shifted = z - z.amax(-1, keepdim=True)` and `shifted - shifted.exp().sum(-1, keepdim=True).log()`, in at least float32.",
    ],
    forbid=READY_MADE,
    because="Write it with the maximum, exp, sum and log.",
)
def log_softmax(logits, temperature):
    if not temperature > 0:
        raise ValueError("temperature")
    return torch.log_softmax(logits / temperature, -1)


@log_softmax.oracle
def log_softmax_by_scipy(logits, temperature):
    return special.log_softmax(logits.numpy() / temperature, axis=-1) if logits.numel() and logits.isfinite().all() else None


@log_softmax.criterion("matches the definition", marks=1)
def log_softmax_definition(rng):
    yield case(FOUR, 1.0)
    yield case(logits_of(rng, size(rng, 5, 8)), number(rng, 0.3, 0.8))
    yield case(logits_of(rng, size(rng, 5, 8)), number(rng, 1.5, 4))


@log_softmax.criterion("stays exact for large and for distant numbers", marks=0.5)
def log_softmax_stable(rng):
    for shift, temperature in ((1e4, 1.0), (-1e4, 0.5), (1e4, 2.0)):
        yield case(logits_of(rng, 5, dtype=torch.float32, shift=shift), temperature)
    yield case(logits_of(rng, 4, shift=number(rng, 800, 2000)), 1.0)
    yield case(logits_of(rng, 4) + tensor([0, 0, 0, number(rng, 900, 1500)]), 1.0)
    yield case(torch.stack([logits_of(rng, 4, shift=1e4), logits_of(rng, 4, shift=-1e4)]), 1.0)


@log_softmax.criterion("takes infinities as torch does", marks=0.25)
def log_softmax_infinities(rng):
    yield case(special_rows(rng, size(rng, 4, 6)), number(rng, 0.5, 2))


@log_softmax.criterion("keeps batches, the dtype and its input", marks=0.5)
def log_softmax_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 4, 6)), number(rng, 0.5, 2), unchanged=True)
    yield case(torch.zeros(0, 5, dtype=torch.float64), 2.0)
    yield case(logits_of(rng, 3, 4, dtype=torch.float32), 2.0, unchanged=True)
    for dtype in HALF:
        yield case(logits_of(rng, 2, 40, dtype=dtype, shift=20), 0.25, unchanged=True)


@log_softmax.criterion("refuses a temperature that is not positive", marks=0.25)
def log_softmax_bad(rng):
    yield raises("ValueError", logits_of(rng, 3), 0.0)
    yield raises("ValueError", logits_of(rng, 3), -number(rng, 0.5, 2))


def positive(temperature):
    if temperature <= 0:
        raise ValueError("temperature must be positive")


@log_softmax.alternative
def log_softmax_shift_then_scale(logits, temperature):
    positive(temperature)
    x = logits.to(torch.promote_types(logits.dtype, torch.float32)).clone()
    if x.numel():
        x -= x.max(-1, keepdim=True).values
    x /= temperature
    return (x - torch.log(torch.exp(x).sum(-1, keepdim=True))).to(logits.dtype)


@log_softmax.alternative
def log_softmax_double(logits, temperature):
    positive(temperature)
    z = logits.double() / temperature
    total = torch.full(z.shape[:-1], -INF, dtype=z.dtype)
    for k in range(z.shape[-1]):
        total = torch.logaddexp(total, z[..., k])
    total = torch.where(total.isinf(), NAN, total)
    return (z - total[..., None]).to(logits.dtype)


@log_softmax.alternative
def log_softmax_numpy(logits, temperature):
    positive(temperature)
    z = logits.double().numpy() / temperature
    with np.errstate(all="ignore"):
        z = z - (z.max(axis=-1, keepdims=True) if z.size else 0)
        return torch.as_tensor(z - np.log(np.exp(z).sum(axis=-1, keepdims=True))).to(logits.dtype)


@log_softmax.misconception(OVERFLOWS)
def log_softmax_naive(logits, temperature):
    positive(temperature)
    z = logits / temperature
    return z - z.exp().sum(-1, keepdim=True).log()


@log_softmax.misconception(LOST_DIGITS)
def log_softmax_lost_digits(logits, temperature):
    positive(temperature)
    z = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    m = z.amax(-1, keepdim=True)
    return (z - (m + (z - m).exp().sum(-1, keepdim=True).log())).to(logits.dtype)


@log_softmax.misconception("The temperature is applied after the softmax: divide the logits by it before.")
def log_softmax_late_temperature(logits, temperature):
    positive(temperature)
    return shifted_log_softmax(logits) / temperature


@log_softmax.misconception("The logits are multiplied by the temperature: divide, a high temperature makes them equal.")
def log_softmax_inverse_temperature(logits, temperature):
    positive(temperature)
    return shifted_log_softmax(logits * temperature)


@log_softmax.misconception("The temperature is not used: divide the logits by it first.")
def log_softmax_no_temperature(logits, temperature):
    positive(temperature)
    return shifted_log_softmax(logits)


@log_softmax.misconception("These are the probabilities; their logarithm was asked for.")
def log_softmax_probabilities(logits, temperature):
    positive(temperature)
    return shifted_log_softmax(logits / temperature).exp()


@log_softmax.misconception(
    "A probability that is too small for the dtype becomes 0, and log 0 is -inf: do not form probabilities on the way."
)
def log_softmax_log_of_softmax(logits, temperature):
    positive(temperature)
    z = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    e = (z - z.amax(-1, keepdim=True)).exp()
    return (e / e.sum(-1, keepdim=True)).log().to(logits.dtype)


@log_softmax.misconception(SUMS_ALL)
def log_softmax_total(logits, temperature):
    positive(temperature)
    z = logits / temperature
    z = z - z.max()
    return z - z.exp().sum().log()


@log_softmax.misconception("The first dimension was normalised; the classes are the last one (dim=-1).")
def log_softmax_first_dimension(logits, temperature):
    positive(temperature)
    return shifted_log_softmax((logits / temperature).movedim(0, -1)).movedim(-1, 0)


@log_softmax.misconception(IN_HALF)
def log_softmax_in_half(logits, temperature):
    positive(temperature)
    return shifted_log_softmax(logits / temperature)


@log_softmax.misconception("A temperature of 0 or less must raise ValueError.")
def log_softmax_any_temperature(logits, temperature):
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return shifted_log_softmax(wide / (temperature or 1.0)).to(logits.dtype)


def shifted_log_softmax(z):
    """Stable and right, in z's own dtype: the part that mistakes elsewhere leave alone."""
    z = z - z.amax(-1, keepdim=True)
    return z - z.exp().sum(-1, keepdim=True).log()


@log_softmax.breaks_rule
def log_softmax_of_torch(logits, temperature):
    return torch.log_softmax(logits / temperature, -1)


@log_softmax.breaks_rule
def log_softmax_method(logits, temperature):
    return (logits / temperature).softmax(-1).log()


@log_softmax.breaks_rule
def log_softmax_module(logits, temperature):
    return torch.nn.LogSoftmax(-1)(logits / temperature)


@log_softmax.breaks_rule
def log_softmax_categorical(logits, temperature):
    return torch.distributions.Categorical(logits=logits / temperature).logits


# --------------------------------------------------------------------------------- cross_entropy_from_logits
@exercise(
    hints=[
        "The loss of one row is -log p[target] = log sum exp(x) - x[target]: one logit is picked, no probability is needed.",
        "Subtract the row's maximum from all logits first. `gather` picks: `x.gather(-1, targets.unsqueeze(-1))`.",
        "`shifted = x - x.amax(-1, keepdim=True)`, `picked = shifted.gather(-1, targets[..., None])[..., 0]`, `(shifted.exp().sum(-1).log() - picked).mean()`.",
    ],
    forbid=READY_MADE,
    because="Write it with the maximum, exp, sum, log and an index.",
)
def cross_entropy_from_logits(logits, targets):
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


@cross_entropy_from_logits.oracle
def loss_by_scipy(logits, targets):
    x, t = logits.reshape(-1, logits.shape[-1]).numpy(), targets.reshape(-1).numpy()
    return float(np.mean(special.logsumexp(x, axis=-1) - x[np.arange(len(x)), t]))


def targets_of(rng, *shape, classes):
    return torch.from_numpy(np.asarray(rng.integers(0, classes, shape)))


@cross_entropy_from_logits.criterion("matches the definition", marks=1)
def loss_definition(rng):
    n = size(rng, 5, 7)
    yield case(torch.stack([FOUR, FOUR.flip(0)]), torch.tensor([0, 3]))
    yield case(logits_of(rng, 3, n), targets_of(rng, 3, classes=n))
    yield case(logits_of(rng, 4, n), targets_of(rng, 4, classes=n))


@cross_entropy_from_logits.criterion("never forms probabilities", marks=0.5)
def loss_stable(rng):
    far = number(rng, 800, 1500)
    yield case(logits_of(rng, 2, 4) + tensor([0, 0, 0, far]), torch.tensor([1, 3]))
    yield case(logits_of(rng, 3, 5, dtype=torch.float32, shift=1e4), targets_of(rng, 3, classes=5))
    yield case(logits_of(rng, 3, 5, dtype=torch.float32, shift=-1e4), targets_of(rng, 3, classes=5))
    yield case(torch.stack([tensor([-INF, 1, 2]), tensor([0, far, -far])]), torch.tensor([1, 2]))
    yield case(tensor([[-INF, 1.0, 2.0]]), torch.tensor([0]))


@cross_entropy_from_logits.criterion("takes any batch shape", marks=0.5)
def loss_batches(rng):
    n = size(rng, 4, 6)
    yield case(logits_of(rng, 2, 3, n), targets_of(rng, 2, 3, classes=n))
    yield case(logits_of(rng, n), targets_of(rng, classes=n))
    yield case(logits_of(rng, 1, n), targets_of(rng, 1, classes=n))


@cross_entropy_from_logits.criterion("keeps the dtype and its inputs", marks=0.5)
def loss_dtypes(rng):
    yield case(logits_of(rng, 3, 4, dtype=torch.float32), targets_of(rng, 3, classes=4), unchanged=True)
    for dtype in HALF:  # where the right class is nearly sure, 1 + a little is 1 in a half type, and its log 0
        targets = targets_of(rng, 4, classes=5)
        logits = logits_of(rng, 4, 5, dtype=dtype) / 4 + 9 * functional.one_hot(targets, 5)
        yield case(logits.to(dtype), targets, unchanged=True)


@cross_entropy_from_logits.alternative
def loss_by_index(logits, targets):
    x = logits.reshape(-1, logits.shape[-1]).double()
    x = x - x.max(1, keepdim=True).values
    losses = x.exp().sum(1).log() - x[torch.arange(len(x)), targets.reshape(-1)]
    return losses.mean().to(logits.dtype)


@cross_entropy_from_logits.alternative
def loss_by_one_hot(logits, targets):
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    x = wide - wide.amax(-1, keepdim=True)
    one_hot = functional.one_hot(targets, x.shape[-1]).bool()
    logs = x - x.exp().sum(-1, keepdim=True).log()
    return (-logs.masked_select(one_hot).sum() / targets.numel()).to(logits.dtype)


@cross_entropy_from_logits.alternative
def loss_by_nll(logits, targets):
    x = logits.double().flatten(0, -2) if logits.ndim > 1 else logits.double()[None]
    x = x - x.amax(-1, keepdim=True)
    return functional.nll_loss(x - x.exp().sum(-1, keepdim=True).log(), targets.reshape(-1)).to(logits.dtype)


@cross_entropy_from_logits.alternative
def loss_as_a_float(logits, targets):
    rows = logits.double().reshape(-1, logits.shape[-1]).tolist()
    total = 0.0
    for row, t in zip(rows, targets.reshape(-1).tolist(), strict=True):
        m = max(row)
        total += math.log(sum(math.exp(v - m) for v in row)) - (row[t] - m)
    return total / len(rows)


def picked(logs, targets):
    return logs.gather(-1, targets[..., None])[..., 0]


def log_probabilities(logits):
    return shifted_log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)))


@cross_entropy_from_logits.misconception("The losses are added up: take their mean over the batch.")
def loss_sum(logits, targets):
    return -picked(log_probabilities(logits), targets).sum().to(logits.dtype)


@cross_entropy_from_logits.misconception("The sum was divided by the number of all logits: the mean is over the rows.")
def loss_mean_over_classes(logits, targets):
    return (-picked(log_probabilities(logits), targets).sum() / logits.numel()).to(logits.dtype)


@cross_entropy_from_logits.misconception("The loss is negative: it is minus the log-likelihood.")
def loss_sign(logits, targets):
    return picked(log_probabilities(logits), targets).mean().to(logits.dtype)


@cross_entropy_from_logits.misconception("The targets are off by one: classes count from 0.")
def loss_off_by_one(logits, targets):
    return -picked(log_probabilities(logits), (targets - 1) % logits.shape[-1]).mean().to(logits.dtype)


@cross_entropy_from_logits.misconception("This is one loss for each row: take their mean.")
def loss_not_reduced(logits, targets):
    return -picked(log_probabilities(logits), targets).to(logits.dtype)


@cross_entropy_from_logits.misconception(
    "A probability too small for the dtype becomes 0, and its logarithm -inf: subtract logits, never form probabilities."
)
def loss_log_of_softmax(logits, targets):
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    e = (wide - wide.amax(-1, keepdim=True)).exp()
    return -picked(e / e.sum(-1, keepdim=True), targets).log().mean().to(logits.dtype)


@cross_entropy_from_logits.misconception(OVERFLOWS)
def loss_naive(logits, targets):
    return (logits.exp().sum(-1).log() - picked(logits, targets)).mean()


@cross_entropy_from_logits.misconception(LOST_DIGITS)
def loss_lost_digits(logits, targets):
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    m = wide.amax(-1, keepdim=True)
    whole = (m + (wide - m).exp().sum(-1, keepdim=True).log())[..., 0]
    return (whole - picked(wide, targets)).mean().to(logits.dtype)


@cross_entropy_from_logits.misconception(
    "logits[:, targets] picks every target in every row: pick one for each row, with gather or an index for both."
)
def loss_every_target(logits, targets):
    return -log_probabilities(logits)[..., targets.reshape(-1)].mean().to(logits.dtype)


@cross_entropy_from_logits.misconception(IN_HALF)
def loss_in_half(logits, targets):
    return -picked(shifted_log_softmax(logits), targets).mean()


@cross_entropy_from_logits.breaks_rule
def loss_of_torch(logits, targets):
    return functional.cross_entropy(logits, targets)


@cross_entropy_from_logits.breaks_rule
def loss_module(logits, targets):
    return torch.nn.CrossEntropyLoss()(logits, targets)


@cross_entropy_from_logits.breaks_rule
def loss_of_log_softmax(logits, targets):
    return functional.nll_loss(logits.log_softmax(-1), targets)


# ---------------------------------------------------------------------------------------- online_log_sum_exp
@exercise(
    hints=[
        "Carry two numbers for each row: the largest value m so far, and s = sum exp(x - m) so far. What does s become when a block has a larger maximum?",
        "With M = max(m, block's maximum): s = s exp(m - M) + sum exp(block - M). At the end m + log s. `x.split(block, dim=-1)` makes the blocks, the last one may be shorter.",
        "While all is -inf, M is -inf, and m - M is nan: shift by 0 there: `shift = M.masked_fill(M.isinf(), 0)`. Start with m = -inf and s = 0.",
    ],
    forbid=READY_MADE,
    because="Carry a maximum and a sum from block to block.",
)
def online_log_sum_exp(x, block):
    return torch.logsumexp(x, -1)


@online_log_sum_exp.oracle
def online_by_logaddexp(x, block):
    total = torch.full(x.shape[:-1], -INF, dtype=x.dtype)
    for k in range(x.shape[-1]):
        total = torch.logaddexp(total, x[..., k])
    return total


@online_log_sum_exp.criterion("matches the definition", marks=1)
def online_definition(rng):
    yield case(FOUR, 2)
    yield case(logits_of(rng, 7), 3)
    yield case(logits_of(rng, 10), 4)
    yield case(logits_of(rng, size(rng, 5, 8)), 16)


@online_log_sum_exp.criterion("takes numbers of any size, in any order", marks=0.5)
def online_stable(rng):
    steps = torch.arange(9, dtype=torch.float64) * number(rng, 300, 500)
    yield case(steps + logits_of(rng, 9), 2)
    yield case(logits_of(rng, 9) - steps, 4)
    yield case(logits_of(rng, 6, dtype=torch.float32, shift=1e4), 4)
    yield case(logits_of(rng, 6, shift=-1e4), 1)


@online_log_sum_exp.criterion("takes infinities, a first block of -inf among them", marks=0.5)
def online_infinities(rng):
    yield case(tensor([-INF, -INF, number(rng, -2, 2), number(rng, -2, 2), 0.5]), 2)
    yield case(special_rows(rng, 6), 3)
    yield case(special_rows(rng, 6), 2)


@online_log_sum_exp.criterion("keeps batches, the dtype and its input", marks=0.5)
def online_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 5, 7)), 3, unchanged=True)
    yield case(torch.zeros(0, 5, dtype=torch.float64), 2)
    yield case(logits_of(rng, 3, 7, dtype=torch.float32), 4, unchanged=True)
    for dtype in HALF:
        yield case((torch.log_softmax(logits_of(rng, 3, 30), -1) + 0.02).to(dtype), 8, unchanged=True)


@online_log_sum_exp.alternative
def online_in_float64(x, block):
    m = torch.full((*x.shape[:-1], 1), -INF, dtype=torch.float64)
    s = torch.zeros_like(m)
    for start in range(0, x.shape[-1], block):
        part = x[..., start : start + block].double()
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        safe = torch.where(larger.isinf(), 0.0, larger)
        s = s * (m - safe).exp() + (part - safe).exp().sum(-1, keepdim=True)
        m = larger
    return torch.where(m == -INF, m, torch.where(m.isinf(), m, m + s.log())).squeeze(-1).to(x.dtype)


@online_log_sum_exp.alternative
def online_by_adding_logs(x, block):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    total = torch.full(x.shape[:-1], -INF, dtype=wide.dtype)
    for part in wide.split(block, dim=-1):
        m = part.amax(-1)
        shift = m.masked_fill(m.isinf(), 0)
        total = torch.logaddexp(total, (part - shift[..., None]).exp().sum(-1).log() + shift)
    return total.to(x.dtype)


@online_log_sum_exp.alternative
def online_row_by_row(x, block):
    if x.ndim > 1:
        rows = [online_row_by_row(row, block) for row in x]
        return torch.stack(rows) if rows else torch.zeros(x.shape[:-1], dtype=x.dtype)
    values, m, s = x.tolist(), -INF, 0.0
    for start in range(0, len(values), block):
        part = values[start : start + block]
        if any(v != v for v in part) or m != m:
            return torch.tensor(NAN, dtype=x.dtype)
        larger = max(m, *part)
        if larger == INF:
            s = NAN if any(v != v for v in values) else s
            return torch.tensor(INF if s == s else NAN, dtype=x.dtype)
        if larger > -INF:
            s = s * math.exp(m - larger) + sum(math.exp(v - larger) for v in part)
            m = larger
    return torch.tensor(m + math.log(s) if s else -INF, dtype=x.dtype)


@online_log_sum_exp.alternative
def online_padded_in_numpy(x, block):
    a = x.double().numpy()
    a = np.concatenate([a, np.full((*a.shape[:-1], -a.shape[-1] % block), -INF)], axis=-1)
    parts = a.reshape(*a.shape[:-1], a.shape[-1] // block, block)
    with np.errstate(all="ignore"):
        m = parts.max(-1)
        s = np.exp(parts - np.where(np.isfinite(m), m, 0)[..., None]).sum(-1)
        top = m.max(-1)
        shift = np.where(np.isfinite(top), top, 0)
        total = (s * np.exp(np.where(np.isfinite(m), m, 0) - shift[..., None])).sum(-1)
        return torch.from_numpy(np.asarray(np.where(np.isinf(top), top, np.log(total) + shift))).to(x.dtype)


def carried(x, block, rescale, first=-INF, parts=None):
    """The online sum with a mistaken step in it."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = torch.full((*x.shape[:-1], 1), first, dtype=wide.dtype)
    s = torch.zeros_like(m)
    for part in parts or wide.split(block, -1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        shift = larger.masked_fill(larger.isinf(), 0)
        s = s * rescale(m, shift) + (part - shift).exp().sum(-1, keepdim=True)
        m = larger
    return (m.masked_fill(m.isinf(), 0) + s.log()).squeeze(-1).to(x.dtype)


@online_log_sum_exp.misconception(
    "While all is -inf, m - M is -inf - (-inf), which is nan, and nan stays: subtract 0 as long as M is -inf."
)
def online_nan(x, block):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = torch.full((*x.shape[:-1], 1), -INF, dtype=wide.dtype)
    s = torch.zeros_like(m)
    for part in wide.split(block, -1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        s = s * (m - larger).exp() + (part - larger).exp().sum(-1, keepdim=True)
        m = larger
    return (m + s.log()).squeeze(-1).to(x.dtype)


@online_log_sum_exp.misconception("When the maximum grows, the old sum must shrink: multiply it with exp(m_old - m_new).")
def online_no_rescale(x, block):
    return carried(x, block, lambda m, shift: 1.0)


@online_log_sum_exp.misconception("The old sum is scaled the wrong way: the factor is exp(m_old - m_new), at most 1.")
def online_wrong_way(x, block):
    return carried(x, block, lambda m, shift: torch.where(m.isinf(), 0.0, (shift - m).exp()))


@online_log_sum_exp.misconception("Every block starts anew: the sum so far is carried on, scaled, not dropped.")
def online_forgets(x, block):
    return carried(x, block, lambda m, shift: 0.0)


@online_log_sum_exp.misconception("The last block was left out: where `block` does not divide the row it is shorter.")
def online_drops_the_rest(x, block):
    whole = x.shape[-1] // block * block
    if not whole:
        return torch.full(x.shape[:-1], -INF, dtype=x.dtype)
    return carried(x[..., :whole], block, lambda m, shift: (m - shift).exp())


@online_log_sum_exp.misconception("Starting with m = 0 instead of -inf makes 0 the maximum where all numbers are below it.")
def online_starts_at_zero(x, block):
    return carried(x, block, lambda m, shift: (m - shift).exp(), first=0.0)


@online_log_sum_exp.misconception(OVERFLOWS)
def online_naive(x, block):
    return sum(part.exp().sum(-1) for part in x.split(block, -1)).log()


@online_log_sum_exp.misconception(IN_HALF)
def online_in_half(x, block):
    m = torch.full((*x.shape[:-1], 1), -INF, dtype=x.dtype)
    s = torch.zeros_like(m)
    for part in x.split(block, -1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        shift = larger.masked_fill(larger.isinf(), 0)
        s = s * (m - shift).exp() + (part - shift).exp().sum(-1, keepdim=True)
        m = larger
    return (m.masked_fill(m.isinf(), 0) + s.log()).squeeze(-1)


@online_log_sum_exp.breaks_rule
def online_of_torch(x, block):
    return torch.stack([part.logsumexp(-1) for part in x.split(block, -1)]).logsumexp(0)


@online_log_sum_exp.breaks_rule
def online_cumulative(x, block):
    return torch.logcumsumexp(x, -1)[..., -1]


# ------------------------------------------------------------------------------------------------- intensity
@exercise(
    hints=[
        "Intensity is operations per byte: how much work each byte that is moved gives.",
        "A machine is never faster than its peak, and never faster than the memory feeds it: intensity times bandwidth.",
        "`flops / bytes_moved`, and `min(peak, intensity * bandwidth)`.",
    ],
)
def arithmetic_intensity(flops, bytes_moved):
    return flops / bytes_moved


@arithmetic_intensity.also
def attainable_flops(intensity, peak, bandwidth):
    return min(peak, intensity * bandwidth)


@arithmetic_intensity.oracle
def intensity_by_logarithms(*arguments):
    if len(arguments) == 2:
        return math.exp(math.log(arguments[0]) - math.log(arguments[1]))
    return sorted((arguments[1], arguments[0] * arguments[2]))[0]


def roofline_case(intensity, peak, bandwidth):
    return case(intensity, peak, bandwidth, function="attainable_flops")


@arithmetic_intensity.criterion("operations per byte", marks=0.5)
def intensity_definition(rng):
    yield case(12.0, 8.0)
    yield case(number(rng, 1e9, 9e9), number(rng, 1e8, 9e8))
    yield case(number(rng, 1, 5), number(rng, 10, 50))


@arithmetic_intensity.criterion("the roofline", marks=0.5)
def roofline(rng):
    yield roofline_case(1.5, 100.0, 10.0)
    yield roofline_case(20.0, 100.0, 10.0)
    yield roofline_case(10.0, 100.0, 10.0)
    for low, high in ((0.1, 0.9), (1.1, 9)):
        peak, bandwidth = number(rng, 10, 100), number(rng, 1, 5)
        yield roofline_case(round(number(rng, low, high) * peak / bandwidth, 4), peak, bandwidth)


def also_right(name, intensity, attainable):
    arithmetic_intensity.alternatives[name] = {"arithmetic_intensity": intensity, "attainable_flops": attainable}


def intensity_as_product(flops, bytes_moved):
    return flops * (1 / bytes_moved)


def attainable_by_if(intensity, peak, bandwidth):
    if intensity < peak / bandwidth:
        return bandwidth * intensity
    return peak


def intensity_as_tensor(flops, bytes_moved):
    return torch.tensor(flops, dtype=torch.float64) / bytes_moved


def attainable_as_tensor(intensity, peak, bandwidth):
    return torch.tensor([peak, intensity * bandwidth], dtype=torch.float64).min()


def attainable_by_time(intensity, peak, bandwidth):
    seconds_per_flop = np.maximum(1 / peak, 1 / (intensity * bandwidth))
    return np.float64(1 / seconds_per_flop)


also_right("by_if", intensity_as_product, attainable_by_if)
also_right("as_tensors", intensity_as_tensor, attainable_as_tensor)
also_right("by_time", lambda flops, bytes_moved: np.true_divide(flops, bytes_moved), attainable_by_time)


@arithmetic_intensity.misconception("This is bytes per operation: intensity is operations per byte.")
def intensity_upside_down(flops, bytes_moved):
    return bytes_moved / flops


@arithmetic_intensity.misconception("This counts bits: intensity is operations per byte.")
def intensity_per_bit(flops, bytes_moved):
    return flops / (8 * bytes_moved)


@arithmetic_intensity.misconception("The slower of the two limits holds, not the faster: take the minimum.", function="attainable_flops")
def attainable_maximum(intensity, peak, bandwidth):
    return max(peak, intensity * bandwidth)


@arithmetic_intensity.misconception("The peak is missing: no intensity makes a machine faster than that.", function="attainable_flops")
def attainable_without_peak(intensity, peak, bandwidth):
    return intensity * bandwidth


@arithmetic_intensity.misconception(
    "bandwidth / intensity has no meaning here: bytes per second times operations per byte gives operations per second.",
    function="attainable_flops",
)
def attainable_divided(intensity, peak, bandwidth):
    return min(peak, bandwidth / intensity)


@arithmetic_intensity.misconception("The limits do not add up or share: the smaller one alone holds.", function="attainable_flops")
def attainable_harmonic(intensity, peak, bandwidth):
    return 1 / (1 / peak + 1 / (intensity * bandwidth))


@arithmetic_intensity.breaks_rule
def intensity_from_helpers(flops, bytes_moved):
    from helpers.logits import arithmetic_intensity as ours

    return ours(flops, bytes_moved)
