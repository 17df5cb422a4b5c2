"""The exercises of notebook 06: log-softmax, first in torch, then in Triton kernels, and the roofline.

Kernels are played on the GPU where there is one and under Triton's interpreter elsewhere. Where Triton is missing the
exercises in plain torch can still be graded."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import torch
from scipy import special
from torch.nn import functional

from grading.exercises.draws import normal, number, size
from grading.exercises.exercise import WithLayout, case, exercise, raises
from helpers.checking import plain
from helpers.checking.kinds import kernels

try:
    import triton
    import triton.language as tl
except ImportError:  # the kernels below are then never started
    triton, tl = SimpleNamespace(jit=lambda kernel: kernel), None

INF, NAN = math.inf, math.nan
HALF = (torch.float16, torch.bfloat16)
FLOAT32 = {"rtol": 1e-5, "atol": 1e-6}
FOUR = torch.tensor([2.0, 1.0, 0.5, 0.1], dtype=torch.float64)
TWO_ROWS = torch.tensor([[2.0, 1.0, 0.5], [0.1, -1.0, 0.3]])  # of a width that no block has
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
# Inputs: numbers to 1e4 in size, -inf, +inf, nan; none to six rows.
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


log_sum_exp.made_of(
    {
        "the largest number": lambda x: x.amax(-1),
        "the logarithm of the sum": lambda x: (x - x.amax(-1, keepdim=True)).exp().sum(-1).log(),
    }
)


@log_sum_exp.oracle
def log_sum_exp_by_scipy(x):
    return special.logsumexp(x.numpy(), axis=-1) if x.numel() and not x.isnan().any() and not (x == INF).any() else None


@log_sum_exp.criterion("matches the definition", marks=1, says="log(sum(exp(x))) over the last dimension")
def log_sum_exp_definition(rng):
    yield case(FOUR)
    yield case(logits_of(rng, size(rng, 5, 8)))


@log_sum_exp.criterion(
    "stays finite for large numbers", marks=0.5, says="Finite numbers of any size give a finite answer"
)
def log_sum_exp_stable(rng):
    for shift in (1e4, -1e4, number(rng, 800, 2000)):
        yield case(logits_of(rng, 4, shift=shift))
    yield case(logits_of(rng, 5, dtype=torch.float32, shift=1e4))
    yield case(torch.stack([logits_of(rng, 4, shift=1e4), logits_of(rng, 4, shift=-1e4)]))


@log_sum_exp.criterion("takes infinities", marks=0.5, says="A row of `-inf` gives `-inf`, not `nan`")
def log_sum_exp_infinities(rng):
    yield case(special_rows(rng, size(rng, 4, 6)))


@log_sum_exp.criterion(
    "keeps batches, the dtype and its input",
    marks=0.5,
    says=(
        "any leading dimensions, none of them lost. A batch may be empty",
        "The answer has the dtype of `x`; half types are computed in at least float32",
    ),
)
def log_sum_exp_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 4, 6)), unchanged=True)
    yield case(torch.zeros(2, 0, 5, dtype=torch.float64))
    yield case(logits_of(rng, 3, 4, dtype=torch.float32), unchanged=True)
    for dtype in HALF:  # close to 0, where the two terms of the answer cancel
        yield case((torch.log_softmax(logits_of(rng, 2, 16), -1) + 0.02).to(dtype), unchanged=True)


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


@log_sum_exp.misconception(
    "A large negative number instead of -inf spares nan in a row of -inf, but inf - inf is nan in a row with +inf: "
    "subtract 0 wherever the maximum is infinite."
)
def log_sum_exp_finite_maximum(x):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.amax(-1, keepdim=True) if wide.numel() else wide[..., :1]
    m = m.clamp(min=-1e30)
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
# Inputs: as log_sum_exp; temperatures from .005 to 200; logits 1500 apart.
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


log_softmax.made_of(
    {
        "logits / temperature": lambda logits, temperature: logits / temperature,
        "the log of the sum of exponentials, which is taken off": lambda logits, temperature: (
            -torch.logsumexp(logits / temperature, -1, keepdim=True)
        ),
        "the largest number": lambda logits, temperature: (logits / temperature).amax(-1, keepdim=True),
    }
)


@log_softmax.oracle
def log_softmax_by_scipy(logits, temperature):
    return (
        special.log_softmax(logits.numpy() / temperature, axis=-1)
        if logits.numel() and logits.isfinite().all()
        else None
    )


@log_softmax.criterion(
    "matches the definition", marks=1, says="Log-probabilities of softmax(logits / temperature) over the last dimension"
)
def log_softmax_definition(rng):
    yield case(FOUR, 2.5)
    yield case(logits_of(rng, size(rng, 5, 8)), number(rng, 0.3, 0.8))
    yield case(logits_of(rng, size(rng, 5, 8)), number(rng, 1.5, 4))


@log_softmax.criterion(
    "stays exact for large and for distant numbers", marks=0.5, says=("Accurate for rows near", "Accurate far down")
)
def log_softmax_stable(rng):
    for shift, temperature in ((1e4, 1.0), (-1e4, 0.5), (1e4, 2.0)):
        yield case(logits_of(rng, 5, dtype=torch.float32, shift=shift), temperature)
    yield case(logits_of(rng, 4, shift=number(rng, 800, 2000)), 1.0)
    yield case(logits_of(rng, 4) + tensor([0, 0, 0, number(rng, 900, 1500)]), 1.0)
    yield case(torch.stack([logits_of(rng, 4, shift=1e4), logits_of(rng, 4, shift=-1e4)]), 1.0)
    for temperature in (number(rng, 0.005, 0.02), number(rng, 50, 200)):
        yield case(logits_of(rng, 4), temperature)


@log_softmax.criterion("takes infinities as torch does", marks=0.25, says="Infinities as in torch")
def log_softmax_infinities(rng):
    yield case(special_rows(rng, size(rng, 4, 6)), number(rng, 0.5, 2))


@log_softmax.criterion(
    "keeps batches, the dtype and its input", marks=0.5, says="Batches, dtype (half types included) and input as before"
)
def log_softmax_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 4, 6)), number(rng, 0.5, 2), unchanged=True)
    yield case(torch.zeros(0, 5, dtype=torch.float64), 2.0)
    yield case(logits_of(rng, 3, 4, dtype=torch.float32), 2.0, unchanged=True)
    for dtype in HALF:
        yield case(logits_of(rng, 2, 8, dtype=dtype, shift=20), 0.25, unchanged=True)


@log_softmax.criterion(
    "refuses a temperature that is not positive", marks=0.25, says="Raise `ValueError` unless `temperature > 0`"
)
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


@log_softmax.misconception(
    "In a row with +inf the log of the sum is +inf, and a finite logit less +inf is -inf; torch's answer is nan for the "
    "whole row. Subtract the row's maximum first, then the log of the sum of what is left."
)
def log_softmax_by_log_sum_exp(logits, temperature):
    positive(temperature)
    z = logits.to(torch.promote_types(logits.dtype, torch.float64)) / temperature
    m = z.amax(-1, keepdim=True) if z.numel() else z[..., :1]
    shift = m.masked_fill(m.isinf(), 0.0)
    whole = (z - shift).exp().sum(-1, keepdim=True).log() + shift
    return (z - whole).to(logits.dtype)


@log_softmax.misconception(
    "exp(z) / sum(exp(z)) is inf / inf = nan for large logits: subtract the maximum, and take no quotient."
)
def log_softmax_log_of_quotient(logits, temperature):
    positive(temperature)
    e = (logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature).exp()
    return (e / e.sum(-1, keepdim=True)).log().to(logits.dtype)


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


@log_softmax.misconception("A small temperature is cut off at a larger one: every temperature above 0 counts as it is.")
def log_softmax_temperature_floor(logits, temperature):
    return shifted_log_softmax(logits / max(temperature, 0.1))


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
# Inputs: losses from 0 to 1500 and inf; one row to six.
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


cross_entropy_from_logits.made_of(
    {
        "the mean log of the sums of exponentials": lambda logits, targets: torch.logsumexp(logits, -1).mean(),
        "the mean logit of the targets, which is taken off": lambda logits, targets: (
            -logits.gather(-1, targets[..., None]).mean()
        ),
        "the mean of the largest logits": lambda logits, targets: logits.amax(-1).mean(),
    }
)


@cross_entropy_from_logits.oracle
def loss_by_scipy(logits, targets):
    x, t = logits.reshape(-1, logits.shape[-1]).numpy(), targets.reshape(-1).numpy()
    return float(np.mean(special.logsumexp(x, axis=-1) - x[np.arange(len(x)), t]))


def targets_of(rng, *shape, classes):
    return torch.from_numpy(np.asarray(rng.integers(0, classes, shape)))


@cross_entropy_from_logits.criterion(
    "matches the definition", marks=1, says="Mean of -log p[target] over all rows, in nats"
)
def loss_definition(rng):
    n = size(rng, 5, 7)
    yield case(torch.stack([FOUR, FOUR.flip(0)]), torch.tensor([0, 3]))
    yield case(logits_of(rng, 3, n), targets_of(rng, 3, classes=n))
    yield case(logits_of(rng, 4, n), targets_of(rng, 4, classes=n))


@cross_entropy_from_logits.criterion(
    "never forms probabilities",
    marks=0.5,
    says=("A loss of 1000 is a loss of 1000, not `inf`", "A target whose logit is `-inf` costs `inf`"),
)
def loss_stable(rng):
    far = number(rng, 800, 1500)
    yield case(logits_of(rng, 2, 4) + tensor([0, 0, 0, far]), torch.tensor([1, 3]))
    yield case(logits_of(rng, 3, 5, dtype=torch.float32, shift=1e4), targets_of(rng, 3, classes=5))
    yield case(logits_of(rng, 3, 5, dtype=torch.float32, shift=-1e4), targets_of(rng, 3, classes=5))
    yield case(torch.stack([tensor([-INF, 1, 2]), tensor([0, far, -far])]), torch.tensor([1, 2]))
    yield case(tensor([[-INF, 1.0, 2.0]]), torch.tensor([0]))
    yield case(tensor([[0, far], [far, 0]]), torch.tensor([1, 0]))  # a loss of 0, and nothing beside it


@cross_entropy_from_logits.criterion(
    "takes any batch shape",
    marks=0.5,
    says="The mean over all rows, whatever their leading dimensions; the logits may also be one row",
)
def loss_batches(rng):
    n = size(rng, 4, 6)
    yield case(logits_of(rng, 2, 3, n), targets_of(rng, 2, 3, classes=n))
    yield case(logits_of(rng, n), targets_of(rng, classes=n))
    yield case(logits_of(rng, 1, n), targets_of(rng, 1, classes=n))


@cross_entropy_from_logits.criterion(
    "keeps the dtype and its inputs", marks=0.5, says="Dtype (half types included) and inputs as before"
)
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


@cross_entropy_from_logits.misconception(
    "exp(x) / sum(exp(x)) is inf / inf = nan for large logits: subtract the maximum, and form no probability."
)
def loss_log_of_quotient(logits, targets):
    e = logits.to(torch.promote_types(logits.dtype, torch.float32)).exp()
    return -picked(e / e.sum(-1, keepdim=True), targets).log().mean().to(logits.dtype)


@cross_entropy_from_logits.misconception("gather counts along dim=1: the classes are the last dimension, dim=-1.")
def loss_gathered_along_one(logits, targets):
    logs = log_probabilities(logits)
    if logits.ndim == 2:
        return -picked(logs, targets).mean().to(logits.dtype)
    if logits.ndim == 1:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    return -logs.gather(1, targets.unsqueeze(1) % logits.shape[1]).mean().to(logits.dtype)


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
# Inputs: blocks from 1 to wider than the row; numbers that rise and fall by 500 a step; first blocks of -inf.
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


@online_log_sum_exp.criterion("matches the definition", marks=0.5, says="carrying (m, s) from block to block")
def online_definition(rng):
    yield case(tensor([-3.0, -1.5, -2.0, -0.5, -1.0]), 2)
    yield case(FOUR, 2)
    yield case(logits_of(rng, 7), 3)
    yield case(logits_of(rng, 10), 4)
    yield case(logits_of(rng, size(rng, 5, 8)), 16)


@online_log_sum_exp.criterion("takes numbers of any size, in any order", marks=0.5, says="Numbers of any size")
def online_stable(rng):
    steps = torch.arange(9, dtype=torch.float64) * number(rng, 300, 500)
    yield case(steps + logits_of(rng, 9), 2)
    yield case(logits_of(rng, 9) - steps, 4)
    yield case(logits_of(rng, 6, dtype=torch.float32, shift=1e4), 4)
    yield case(logits_of(rng, 6, shift=-1e4), 1)


@online_log_sum_exp.criterion(
    "takes infinities, a first block of -inf among them",
    marks=0.5,
    says="The hard one: a first block of nothing but `-inf`",
)
def online_infinities(rng):
    yield case(tensor([-INF, -INF, number(rng, -2, 2), number(rng, -2, 2), 0.5]), 2)
    yield case(special_rows(rng, 6), 3)
    yield case(special_rows(rng, 6), 2)


@online_log_sum_exp.criterion(
    "keeps batches, the dtype and its input", marks=0.5, says="batches, dtype (half types included) and input as before"
)
def online_batches(rng):
    yield case(logits_of(rng, 2, 3, size(rng, 5, 7)), 3, unchanged=True)
    yield case(torch.zeros(0, 5, dtype=torch.float64), 2)
    yield case(logits_of(rng, 3, 7, dtype=torch.float32), 4, unchanged=True)
    for dtype in HALF:
        yield case((torch.log_softmax(logits_of(rng, 2, 16), -1) + 0.02).to(dtype), 8, unchanged=True)


@online_log_sum_exp.criterion(
    "takes no more than a block at once",
    marks=0.5,
    says="No operation takes more than a block of it at once: the check counts",
)
def online_within_blocks(rng):
    for rows, block in (((), 4), ((3,), 1), ((2, 3), 8)):
        x = logits_of(rng, *rows, size(rng, 9, 12))
        expected = {"judge": "within_block", "block": block}
        yield case(x, block, driver="columns_at_once", expected=expected, text=f"at most {block} columns")


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
def online_in_numpy(x, block):
    a = x.double().numpy()
    a = np.concatenate([a, np.full((*a.shape[:-1], -a.shape[-1] % block), -INF)], axis=-1)
    top, total = np.full(a.shape[:-1], -INF), np.zeros(a.shape[:-1])
    with np.errstate(all="ignore"):
        for part in np.split(a, a.shape[-1] // block, axis=-1):
            m = np.maximum(top, part.max(-1))
            shift = np.where(np.isfinite(m), m, 0)
            total = total * np.exp(np.where(np.isnan(top), top, np.minimum(top, shift)) - shift)
            total, top = total + np.exp(part - shift[..., None]).sum(-1), m
        return torch.from_numpy(np.asarray(np.where(np.isinf(top), top, np.log(total) + top))).to(x.dtype)


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


@online_log_sum_exp.misconception(
    "The whole row is taken at once and block is not used: go from block to block, and carry only m and s."
)
def online_without_blocks(x, block):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = wide.amax(-1, keepdim=True)
    shift = m.masked_fill(m.isinf(), 0)
    return ((wide - shift).exp().sum(-1).log() + shift.squeeze(-1)).to(x.dtype)


@online_log_sum_exp.misconception(
    "Starting with a large negative number instead of -inf spares nan in a row of -inf, but inf - inf is nan in a row "
    "with +inf: subtract 0 wherever the maximum is infinite."
)
def online_starts_finite(x, block):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    m = torch.full((*x.shape[:-1], 1), -1e30, dtype=wide.dtype)
    s = torch.zeros_like(m)
    for part in wide.split(block, -1):
        larger = torch.maximum(m, part.amax(-1, keepdim=True))
        s = s * (m - larger).exp() + (part - larger).exp().sum(-1, keepdim=True)
        m = larger
    return (m + s.log()).squeeze(-1).to(x.dtype)


@online_log_sum_exp.misconception(
    "When the maximum grows, the old sum must shrink: multiply it with exp(m_old - m_new)."
)
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


@online_log_sum_exp.misconception(
    "Starting with m = 0 instead of -inf makes 0 the maximum where all numbers are below it."
)
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


# -------------------------------------------------------------------------------------------- row_max_triton
SECONDS = 30.0  # for a call: the interpreter takes its time
ANY_STRIDE = (
    "The row's own strides are x.stride(0) and x.stride(1): a transposed or sliced x has others than a packed one."
)
LIKE = (
    "torch.empty_like(x) of a transposed x is transposed, too: make y with torch.empty(x.shape, ...), which is packed, or "
    "multiply with its strides as with those of x."
)
PADDED = "A lane beyond the row must count nothing: exp(-inf) is 0, so load with other=-float('inf'); 0 is a logit like any other."
SMALL_BLOCK = "The row is wider than the block, and what lies beyond is never written: triton.next_power_of_2(columns) fits any row."
NO_MASK = "A lane beyond the row reads memory that is not its tensor's: give the load a mask, mask=column < columns."
TIMES = 3001  # some 20,000 columns: wider than the blocks that people fix, 1024 to 16384
MANY_ROWS = 19  # more than the programs or the rows of a program that people fix
FIRST_ROW = "Only one row is written: the grid needs one program for each row, and each starts at its own."


def played(*arguments, of, **options):
    """A case for a kernel. Sums are made in float32, so float64 is judged as float32 is."""
    first = arguments[0].tensor if isinstance(arguments[0], WithLayout) else arguments[0]
    if first.dtype is torch.float64:
        options = FLOAT32 | options
    values = [a.tensor if isinstance(a, WithLayout) else a for a in arguments]
    values = [
        plain.laid_out(a.tensor, a.layout) if isinstance(a, WithLayout) else v
        for a, v in zip(arguments, values, strict=True)
    ]
    wide = [v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in values]
    return case(*arguments, driver="kernel", expected=of(*wide).float(), **options)


def written_wide(*arguments, of, **options):
    """A case on rows TIMES as wide as those given, judged by the ends of the answer."""
    value = of(*[a.double() if torch.is_tensor(a) and a.is_floating_point() else a for a in map(written, arguments)])
    expected = kernels.ends_of(value, arguments[0].shape[1]).float()
    return case(*arguments, driver="wide_kernel", parameters=(TIMES,), expected=expected, **options)


def written(argument):
    return kernels.written_out(argument, TIMES)


def left_out(*arguments, of):
    """The same call with every kernel left out, which must not give the answer."""
    value = of(*[a.double() if a.is_floating_point() else a for a in arguments if isinstance(a, torch.Tensor)])
    expected = {"judge": "from_kernel", "value": plain.encode(value.float()), "dtype": "float32"}
    return case(*arguments, driver="without_kernels", expected=expected)


def maxima_of(x):
    return x.amax(-1)


def single(rng, *shape, shift=0.0):
    return logits_of(rng, *shape, dtype=torch.float32, shift=shift)


# Inputs: 1 to 20,000 columns; numbers from -1e30; a row of -inf.
@exercise(
    hints=[
        "One program takes one row: `row = tl.program_id(0)`, `column = tl.arange(0, BLOCK)`. The row's numbers are at `x + row * columns + column`, as x is packed.",
        "The block is wider than the row: `mask=column < columns` leaves the other lanes out, and `other=-float('inf')` fills them with what no maximum minds.",
        "`values = tl.load(x + row * columns + column, mask=column < columns, other=-float('inf'))` and `tl.store(m + row, tl.max(values, 0))`; m is `torch.empty(rows, device=x.device)`.",
    ],
    kernel=True,
    seconds=SECONDS,
)
def row_max_triton(x):
    return x.amax(-1)


@row_max_triton.oracle
def maxima_by_sorting(x):
    return np.sort(x.numpy(), axis=-1)[..., -1] if x.shape[1] else None


def largest_last(rng, rows, n):
    """Negative numbers, the largest of each row at its very end."""
    x = single(rng, rows, n, shift=-30)
    x[:, -1] = -number(rng, 1, 5)
    return x


@row_max_triton.made_small
def maxima_small(x):
    yield played(x, of=maxima_of)


@row_max_triton.criterion(
    "matches the definition, by a kernel",
    marks=0.5,
    says="The largest number of each row of x, shape (rows, columns), by one kernel",
)
def maxima_definition(rng):
    yield played(torch.tensor([[3.0, 1.0, 2.0], [-1.0, -5.0, -3.0]]), of=maxima_of)
    yield played(single(rng, 4, size(rng, 5, 7)), of=maxima_of, unchanged=True)
    yield left_out(single(rng, 3, 5), of=maxima_of)


@row_max_triton.criterion(
    "takes rows of any width and numbers of any size",
    marks=0.5,
    says=("Rows of any width that a block can hold", "Numbers of any size, `-inf` among them"),
)
def maxima_widths(rng):
    for n in (1, 2, 127, 129, 1025):
        yield played(largest_last(rng, 2, n), of=maxima_of)
    yield played(torch.stack([single(rng, 6, shift=-1e30), torch.full((6,), -INF)]), of=maxima_of)
    for n in (128, 1000, 1024):
        yield played(largest_last(rng, 3, n), of=maxima_of, hidden=True)
    yield written_wide(single(rng, 2, size(rng, 6, 7)), of=maxima_of)
    yield played(single(rng, MANY_ROWS, 3), of=maxima_of)


@triton.jit
def maximum_kernel(x, m, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    values = tl.load(x + row * columns + column, mask=column < columns, other=-float("inf"))
    tl.store(m + row, tl.max(values, 0))


@row_max_triton.alternative
def maxima_in_one_block(x):
    rows, columns = x.shape
    m = torch.empty(rows, device=x.device)
    maximum_kernel[(rows,)](x, m, columns, BLOCK=triton.next_power_of_2(columns))
    return m


@triton.jit
def maximum_by_blocks_kernel(x, m, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    largest = tl.full((BLOCK,), -float("inf"), tl.float32)
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        largest = tl.maximum(largest, tl.load(x + row * columns + column, column < columns, -float("inf")))
    tl.store(m + row, tl.max(largest, axis=0))


@row_max_triton.alternative
def maxima_by_blocks(x):
    m = x.new_empty(x.shape[0])
    maximum_by_blocks_kernel[(len(x),)](x, m, x.shape[1], BLOCK=64)
    return m


@triton.jit
def maxima_kernel(x, m, rows, columns, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row[:, None] < rows) & (column[None, :] < columns)
    values = tl.load(x + row[:, None] * columns + column[None, :], mask=inside, other=-float("inf"))
    tl.store(m + row, tl.max(values, axis=1), mask=row < rows)


@row_max_triton.alternative
def maxima_several_at_once(x):
    m = torch.zeros(x.shape[0])
    grid = (triton.cdiv(x.shape[0], 4),)
    maxima_kernel[grid](x, m, *x.shape, ROWS=4, BLOCK=triton.next_power_of_2(x.shape[1]))
    return m


@triton.jit
def mistaken_maximum_kernel(x, m, columns, HOW: tl.constexpr, OTHER: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    start = row * columns
    if HOW == "no row":
        start = 0
    if HOW == "step of 1":
        start = row
    values = tl.load(x + start + column, mask=column < columns, other=OTHER)
    if HOW == "no mask":
        values = tl.load(x + start + column)
    result = tl.max(values, 0)
    if HOW == "sum":
        result = tl.sum(tl.where(column < columns, values, 0.0), 0)
    if HOW == "minimum":
        result = tl.min(tl.where(column < columns, values, float("inf")), 0)
    if HOW == "place":
        result = tl.argmax(values, 0).to(tl.float32)
    tl.store(m + row, result)


def mistaken_maxima(x, how="", other=-INF, block=None, grid=None, shape=None):
    rows, columns = x.shape
    m = torch.empty(shape or (rows,), device=x.device)
    width = block or triton.next_power_of_2(columns)
    mistaken_maximum_kernel[(rows if grid is None else grid,)](x, m, columns, how, other, width)
    return m


@row_max_triton.misconception(
    "A lane beyond the row counts as 0, which is the maximum where all logits are negative: other=-float('inf')."
)
def maxima_padded_with_zero(x):
    return mistaken_maxima(x, other=0.0)


@row_max_triton.misconception(NO_MASK)
def maxima_without_a_mask(x):
    return mistaken_maxima(x, "no mask")


@row_max_triton.misconception("Every program reads row 0: its row begins at x + row * columns.")
def maxima_of_the_first_row(x):
    return mistaken_maxima(x, "no row")


@row_max_triton.misconception("Rows are columns apart, not 1: a row begins at x + row * columns.")
def maxima_one_step_apart(x):
    return mistaken_maxima(x, "step of 1")


@row_max_triton.misconception(SMALL_BLOCK.replace("is never written", "does not count"))
def maxima_small_block(x):
    return mistaken_maxima(x, block=128)


@row_max_triton.misconception(SMALL_BLOCK.replace("is never written", "does not count"))
def maxima_block_of_1024(x):
    return mistaken_maxima(x, block=1024)


@row_max_triton.misconception(SMALL_BLOCK.replace("is never written", "does not count"))
def maxima_block_of_4096(x):
    return mistaken_maxima(x, block=4096)


@row_max_triton.misconception(FIRST_ROW)
def maxima_first_only(x):
    return mistaken_maxima(x, grid=1)


@row_max_triton.misconception("One number for each row was asked for, shape (rows,): this has a dimension more.")
def maxima_in_a_column(x):
    return mistaken_maxima(x, shape=(len(x), 1))


@row_max_triton.misconception("This is where the maximum stands; what it is was asked for: tl.max, not tl.argmax.")
def maxima_places(x):
    return mistaken_maxima(x, "place")


@row_max_triton.misconception("These are the smallest numbers of the rows: tl.max.")
def maxima_minima(x):
    return mistaken_maxima(x, "minimum")


@row_max_triton.misconception("These are the sums of the rows: tl.max.")
def maxima_sums(x):
    return mistaken_maxima(x, "sum")


@row_max_triton.misconception(
    "The kernel runs, but what is returned was computed outside of it: return what the kernel has stored."
)
def maxima_thrown_away(x):
    mistaken_maxima(x)
    return x.amax(-1)


@row_max_triton.breaks_rule
def maxima_of_torch(x):
    return x.amax(-1)


@row_max_triton.breaks_rule
def maxima_torch_inside_a_kernel(x):
    m = torch.empty(len(x))
    torch_kernel[(1,)](x, m)
    return m


# ---------------------------------------------------------------------------------------- log_softmax_triton
def rows_of(x):
    return torch.log_softmax(x, -1)


def wide_rows_of(x, block=0):
    return torch.log_softmax(x, -1)


def nearly_sure(rng, rows, n, dtype):
    """One logit far above the others: the sum is 1 and a little, which a half type rounds to 1."""
    likely = functional.one_hot(targets_of(rng, rows, classes=n), n)
    return (logits_of(rng, rows, n) / 4 + 8 * likely).to(dtype)


# Inputs: no rows to three, 1 to 20,000 columns; any strides; numbers to 1e4, -inf, +inf, nan.
@exercise(
    hints=[
        "One program takes one row: `row = tl.program_id(0)`, `column = tl.arange(0, BLOCK)`, and the mask is `column < columns`. The block is a power of two at least as wide as the row.",
        'Load with `other=-float("inf")`, go to float32, subtract `tl.max(values, 0)`, then `tl.log(tl.sum(tl.exp(shifted), 0))`. Hand in both strides of x, and multiply row and column with them.',
        "Launcher: `y = torch.empty(x.shape, dtype=x.dtype, device=x.device)`, `log_softmax_kernel[(len(x),)](x, y, x.shape[1], x.stride(0), x.stride(1), BLOCK=triton.next_power_of_2(x.shape[1]))`, `return y`; y is packed, so its row begins at `row * columns`.",
    ],
    kernel=True,
    seconds=SECONDS,
)
def log_softmax_triton(x):
    return torch.log_softmax(x, -1)


@log_softmax_triton.oracle
def rows_by_scipy(x):
    return special.log_softmax(x.numpy(), axis=-1) if x.numel() and x.isfinite().all() else None


@log_softmax_triton.made_small
def rows_small(x):
    yield played(x, of=rows_of)


@log_softmax_triton.criterion(
    "matches the definition, by a kernel",
    marks=0.75,
    says="Log-softmax over the columns of x, shape (rows, columns), by one kernel",
)
def rows_definition(rng):
    yield played(TWO_ROWS, of=rows_of)
    yield played(FOUR.float()[None], of=rows_of)
    yield played(single(rng, 3, size(rng, 5, 7)), of=rows_of, atol=1e-5)  # a last digit is not what this is about
    yield left_out(single(rng, 2, 5), of=rows_of)


@log_softmax_triton.criterion("takes rows of any width", marks=0.75, says="Rows of any width that a block can hold")
def rows_widths(rng):
    for n in (1, 2, 127, 129, 1025):
        yield played(single(rng, 1, n), of=rows_of)
    for n in (128, 1000, 1023, 1024):
        yield played(single(rng, 2, n), of=rows_of, hidden=True)
    yield written_wide(single(rng, 2, size(rng, 6, 7)), of=rows_of)
    yield played(single(rng, MANY_ROWS, 3), of=rows_of)


@log_softmax_triton.criterion(
    "stays exact for large numbers, takes infinities as torch does",
    marks=0.75,
    says="Exact near $\\pm 10^4$; infinities and `nan` as in torch",
)
def rows_values(rng):
    yield played(single(rng, 2, 6, shift=1e4), of=rows_of)
    yield played(single(rng, 2, 6, shift=-1e4), of=rows_of)
    yield played(torch.cat([single(rng, 1, 5, shift=1e4), single(rng, 1, 5, shift=-1e4)]), of=rows_of)
    yield played(single(rng, 1, 5) + 40 * functional.one_hot(torch.tensor([3]), 5), of=rows_of, atol=1e-7)
    yield played(special_rows(rng, 5).float(), of=rows_of)


@log_softmax_triton.criterion(
    "takes any strides, and no rows at all", marks=0.75, says=("perhaps no row", "any strides")
)
def rows_layouts(rng):
    for layout in ("transposed", "strided", "expanded"):
        yield played(WithLayout(single(rng, 3, 5), layout), of=rows_of)
    yield played(torch.zeros(0, 5, dtype=torch.float32), of=rows_of)


@log_softmax_triton.criterion(
    "keeps the dtype and its input", marks=0.5, says=("float16, bfloat16, float32 or float64", "`x` is not changed")
)
def rows_dtypes(rng):
    for dtype in (torch.float32, torch.float64, *HALF):
        yield played(nearly_sure(rng, 2, 12, dtype), of=rows_of, unchanged=True)


@triton.jit
def row_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride, mask=inside, other=-float("inf")).to(tl.float32)
    shifted = values - tl.max(values, 0)
    tl.store(y + row * columns + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=inside)


@log_softmax_triton.alternative
def rows_by_strides(x):
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    rows, columns = x.shape
    row_kernel[(rows,)](x, y, columns, x.stride(0), x.stride(1), BLOCK=triton.next_power_of_2(columns))
    return y


@triton.jit
def packed_kernel(x_ptr, y_ptr, n_rows, n_cols, BLOCK: tl.constexpr):
    for i in range(tl.program_id(0), n_rows, tl.num_programs(0)):
        start = i * n_cols
        m = -float("inf")
        for first in range(0, n_cols, BLOCK):
            k = first + tl.arange(0, BLOCK)
            m = tl.maximum(
                m, tl.max(tl.load(x_ptr + start + k, mask=k < n_cols, other=-float("inf")).to(tl.float32), axis=0)
            )
        s = 0.0
        for first in range(0, n_cols, BLOCK):
            k = first + tl.arange(0, BLOCK)
            part = tl.load(x_ptr + start + k, mask=k < n_cols, other=-float("inf")).to(tl.float32)
            s += tl.sum(tl.exp(part - m), axis=0)
        for first in range(0, n_cols, BLOCK):
            k = first + tl.arange(0, BLOCK)
            part = tl.load(x_ptr + start + k, mask=k < n_cols, other=0.0).to(tl.float32)
            tl.store(y_ptr + start + k, (part - m - tl.log(s)).to(y_ptr.dtype.element_ty), mask=k < n_cols)


@log_softmax_triton.alternative
def rows_in_three_passes(x):
    x = x.contiguous()
    y = torch.zeros_like(x)
    if x.shape[0] > 0:
        packed_kernel[(min(len(x), 2),)](x, y, *x.shape, BLOCK=256)
    return y


@triton.jit
def several_rows_kernel(x, y, rows, columns, s0, s1, t0, t1, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < columns)
    values = tl.load(x + row * s0 + column * s1, inside, -float("inf")).to(tl.float32)
    values -= tl.max(values, 1, keep_dims=True)
    total = tl.sum(tl.exp(values), axis=1)
    tl.store(y + row * t0 + column * t1, values - tl.log(total)[:, None], inside)


@log_softmax_triton.alternative
def rows_several_at_once(x):
    y = torch.empty_like(x)
    grid = lambda meta: (triton.cdiv(x.shape[0], meta["ROWS"]),)  # noqa: E731 - Triton's own habit
    width = 2 ** math.ceil(math.log2(x.shape[1]))
    several_rows_kernel[grid](x, y, *x.shape, *x.stride(), *y.stride(), ROWS=2, BLOCK=width, num_warps=2)
    return y


@log_softmax_triton.alternative
def rows_back_from_float32(x):
    y = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    copy = x.float().contiguous()
    row_kernel[(copy.size(0),)](
        copy, y, copy.size(1), copy.stride(0), 1, BLOCK=max(16, triton.next_power_of_2(x.size(1)))
    )
    return y.to(x.dtype)


@triton.jit
def mistaken_row_kernel(
    x, y, columns, row_stride, column_stride, HOW: tl.constexpr, OTHER: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride, mask=inside, other=OTHER).to(tl.float32)
    m = tl.max(values, 0)
    shifted = values - m
    result = shifted - tl.log(tl.sum(tl.exp(shifted), 0))
    if HOW == "no maximum":
        result = values - tl.log(tl.sum(tl.exp(values), 0))
    if HOW == "lost digits":
        result = values - (m + tl.log(tl.sum(tl.exp(shifted), 0)))
    if HOW == "half":
        total = tl.sum(tl.exp(shifted).to(y.dtype.element_ty).to(tl.float32), 0).to(y.dtype.element_ty)
        result = shifted - tl.log(total.to(tl.float32))
    if HOW == "small number":
        result = shifted - tl.log(tl.sum(tl.exp(shifted), 0) + 3e-6)  # 1e-6 is what float32 is judged by
    if HOW == "probabilities":
        result = tl.exp(result)
    if HOW == "no log":
        result = shifted - tl.sum(tl.exp(shifted), 0)
    tl.store(y + row * columns + column, result, mask=inside)


@triton.jit
def unmasked_row_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride).to(tl.float32)
    values = tl.where(inside, values, -float("inf"))
    shifted = values - tl.max(values, 0)
    tl.store(y + row * columns + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=inside)


def mistaken_rows(x, how="", other=-INF, block=None, grid=None, strides=None, dtype=None, y=None):
    rows, columns = x.shape
    y = torch.empty(x.shape, dtype=dtype or x.dtype, device=x.device) if y is None else y
    row_stride, column_stride = strides or x.stride()
    width = block or triton.next_power_of_2(columns)
    mistaken_row_kernel[(rows if grid is None else grid,)](x, y, columns, row_stride, column_stride, how, other, width)
    return y


@log_softmax_triton.misconception(PADDED)
def rows_padded_with_zero(x):
    return mistaken_rows(x, other=0.0)


@log_softmax_triton.misconception(OVERFLOWS)
def rows_no_maximum(x):
    return mistaken_rows(x, "no maximum")


@log_softmax_triton.misconception(LOST_DIGITS)
def rows_lost_digits(x):
    return mistaken_rows(x, "lost digits")


@log_softmax_triton.misconception(
    "The sum is kept in a half type, where 1 and a little is 1: load, then .to(tl.float32), then add up."
)
def rows_in_half(x):
    return mistaken_rows(x, "half")


@log_softmax_triton.misconception(ANY_STRIDE)
def rows_packed_only(x):
    return mistaken_rows(x, strides=(x.shape[1], 1))


@log_softmax_triton.misconception(LIKE)
def rows_packed_like(x):
    return mistaken_rows(x, strides=(x.shape[1], 1), y=torch.empty_like(x))


@log_softmax_triton.misconception(LIKE)
def rows_written_like(x):
    return mistaken_rows(x, y=torch.empty_like(x))


@log_softmax_triton.misconception(
    "Neighbours in a row need not be neighbours in memory: multiply the column with x.stride(1)."
)
def rows_one_stride(x):
    return mistaken_rows(x, strides=(x.stride(0), 1))


@log_softmax_triton.misconception(SMALL_BLOCK)
def rows_small_block(x):
    return mistaken_rows(x, block=128)


@log_softmax_triton.misconception(SMALL_BLOCK)
def rows_block_of_1024(x):
    return mistaken_rows(x, block=1024)


@log_softmax_triton.misconception(SMALL_BLOCK)
def rows_block_of_4096(x):
    return mistaken_rows(x, block=4096)


@log_softmax_triton.misconception(NO_MASK)
def rows_without_a_mask(x):
    rows, columns = x.shape
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    unmasked_row_kernel[(rows,)](x, y, columns, *x.stride(), BLOCK=triton.next_power_of_2(columns))
    return y


@log_softmax_triton.misconception(
    "A small number is added to the sum, which is at least 1 already: leave it out, the logarithm cannot fail."
)
def rows_with_a_small_number(x):
    return mistaken_rows(x, "small number")


@log_softmax_triton.misconception(FIRST_ROW)
def rows_first_only(x):
    return mistaken_rows(x, grid=min(1, len(x)))


@log_softmax_triton.misconception("These are the probabilities; their logarithm was asked for.")
def rows_probabilities(x):
    return mistaken_rows(x, "probabilities")


@log_softmax_triton.misconception("The sum itself was subtracted: subtract its logarithm.")
def rows_no_log(x):
    return mistaken_rows(x, "no log")


@log_softmax_triton.misconception("The answer is always float32: it has the dtype of x.")
def rows_float32(x):
    return mistaken_rows(x, dtype=torch.float32)


@log_softmax_triton.misconception(
    "The kernel runs, but what is returned was computed outside of it: return what the kernel has stored."
)
def rows_thrown_away(x):
    mistaken_rows(x)
    wide = x.float()
    shifted = wide - wide.amax(-1, keepdim=True)
    logs = torch.zeros(len(x), 1)
    total = (math.e**shifted).sum(-1, keepdim=True)
    for _ in range(40):  # Newton's method for log(total), as no logarithm may stand here
        logs = logs - 1 + total * math.e**-logs
    return (shifted - logs).to(x.dtype)


@log_softmax_triton.breaks_rule
def rows_of_torch(x):
    return torch.log_softmax(x, -1)


@log_softmax_triton.breaks_rule
def rows_of_torch_beside_a_kernel(x):
    mistaken_rows(x)
    return functional.log_softmax(x, dim=-1)


@log_softmax_triton.breaks_rule
def rows_in_plain_torch(x):
    shifted = x.float() - x.float().amax(-1, keepdim=True)
    y = (shifted - shifted.exp().sum(-1, keepdim=True).log()).to(x.dtype)
    copy_kernel[(1,)](y, 1)
    return y


@log_softmax_triton.breaks_rule
def rows_torch_inside_a_kernel(x):
    y = torch.empty_like(x)
    torch_kernel[(1,)](x, y)
    return y


@triton.jit
def copy_kernel(y, n):
    tl.store(y, tl.load(y))


@triton.jit
def torch_kernel(x, y):
    torch.nn.functional.relu(x)


@log_softmax_triton.breaks_rule
def rows_from_helpers(x):
    from helpers.kernels import log_softmax as ours

    return ours(x)


@log_softmax_triton.breaks_rule
def rows_without_a_kernel(x):
    return x - x.amax(-1, keepdim=True)


# ----------------------------------------------------------------------------------- log_softmax_wide_triton
# Inputs: as log_softmax_triton; blocks from 1 to 2048.
@exercise(
    hints=[
        "Two loops in one kernel: the first carries (m, s) over the blocks of the row as online_log_sum_exp does, the second loads every block again and writes.",
        "`for start in range(0, columns, BLOCK)` works in a kernel. `M = tl.maximum(m, tl.max(values, 0))`, `s = s * tl.exp(m - M) + tl.sum(tl.exp(values - M), 0)`, both in float32.",
        'While all is -inf, M is: `shift = tl.where(M == -float("inf"), 0.0, M)` and subtract that. Write `(values - m) - tl.log(s)`. Start with `m = -float("inf")` and `s = 0.0`.',
    ],
    kernel=True,
    seconds=SECONDS,
)
def log_softmax_wide_triton(x, block):
    return torch.log_softmax(x, -1)


@log_softmax_wide_triton.oracle
def wide_by_scipy(x, block):
    return rows_by_scipy(x)


@log_softmax_wide_triton.made_small
def wide_small(x, block):
    yield played(x, 2, of=wide_rows_of)


@log_softmax_wide_triton.criterion(
    "matches the definition, by a kernel",
    marks=0.5,
    says="Log-softmax over the columns of x, shape (rows, columns), block by block",
)
def wide_definition(rng):
    yield played(torch.cat([TWO_ROWS.flip(1), TWO_ROWS + 1], 1)[:, :5].contiguous(), 2, of=wide_rows_of)
    yield played(FOUR.float()[None], 4, of=wide_rows_of)
    yield played(single(rng, 3, size(rng, 9, 11)), 4, of=wide_rows_of)
    yield played(single(rng, 1, 8) - torch.arange(8) / 2, 2, of=wide_rows_of)
    yield left_out(single(rng, 2, 6), 4, of=wide_rows_of)


@log_softmax_wide_triton.criterion(
    "takes rows and blocks of any width",
    marks=0.5,
    says=("`block` is a power of two, at least 1, smaller or larger than the row", "the check counts its columns"),
)
def wide_widths(rng):
    for block in (4, 8):
        expected = {"judge": "whole_block", "block": block}
        text = f"{block} columns"
        yield case(single(rng, 1, size(rng, 17, 23)), block, driver="loaded_at_once", expected=expected, text=text)
    for n, block in ((1, 16), (2, 1), (127, 128), (129, 128)):
        yield played(single(rng, 1, n), block, of=wide_rows_of)
    for n, block in ((1025, 512), (128, 64), (1000, 256), (1023, 256), (1024, 256)):
        yield played(single(rng, 2, n), block, of=wide_rows_of, hidden=True)
    yield written_wide(single(rng, 1, size(rng, 6, 7)), 2048, of=wide_rows_of)
    yield played(single(rng, MANY_ROWS, 3), 2, of=wide_rows_of)


@log_softmax_wide_triton.criterion(
    "stays exact for large numbers, takes infinities as torch does",
    marks=1,
    says="A leading block of `-inf` must not turn the row into `nan`",
)
def wide_values(rng):
    first = single(rng, 2, 7)
    first[:, :4] = -INF
    yield played(first, 2, of=wide_rows_of)
    yield played(single(rng, 2, 6, shift=1e4), 4, of=wide_rows_of)
    yield played(single(rng, 2, 6, shift=-1e4), 4, of=wide_rows_of)
    yield played(single(rng, 2, 6) + 300 * torch.arange(6), 2, of=wide_rows_of)
    yield played(special_rows(rng, 6).float(), 2, of=wide_rows_of)


@log_softmax_wide_triton.criterion(
    "takes any strides, and no rows, and keeps the dtype and its input", marks=0.5, says="Contract as in exercise 6"
)
def wide_layouts(rng):
    for layout in ("transposed", "strided", "expanded"):
        yield played(WithLayout(single(rng, 3, 5), layout), 2, of=wide_rows_of)
    yield played(torch.zeros(0, 5, dtype=torch.float32), 4, of=wide_rows_of)
    for dtype in (torch.float64, *HALF):
        yield played(nearly_sure(rng, 2, 12, dtype), 4, of=wide_rows_of, unchanged=True)


@triton.jit
def online_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    m = -float("inf")
    s = 0.0
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * row_stride + column * column_stride, column < columns, -float("inf")).to(tl.float32)
        larger = tl.maximum(m, tl.max(values, 0))
        shift = tl.where(larger == -float("inf"), 0.0, larger)
        s = s * tl.exp(m - shift) + tl.sum(tl.exp(values - shift), 0)
        m = larger
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * row_stride + column * column_stride, column < columns, 0.0).to(tl.float32)
        tl.store(y + row * columns + column, (values - m) - tl.log(s), mask=column < columns)


@log_softmax_wide_triton.alternative
def wide_online(x, block):
    y = x.new_empty(x.shape)
    online_kernel[(x.shape[0],)](x, y, x.shape[1], x.stride(0), x.stride(1), BLOCK=block)
    return y


@triton.jit
def lanes_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    m = tl.full((BLOCK,), -float("inf"), tl.float32)
    s = tl.zeros((BLOCK,), tl.float32)
    for k in range(tl.cdiv(columns, BLOCK)):
        column = k * BLOCK + lane
        values = tl.load(x + row * row_stride + column * column_stride, column < columns, -float("inf")).to(tl.float32)
        larger = tl.maximum(m, values)
        shift = tl.where(larger == -float("inf"), 0.0, larger)
        s = s * tl.exp(m - shift) + tl.exp(values - shift)
        m = larger
    top = tl.max(m, 0)
    log_sum = tl.log(tl.sum(s * tl.exp(m - top), 0))
    for k in range(tl.cdiv(columns, BLOCK)):
        column = k * BLOCK + lane
        values = tl.load(x + row * row_stride + column * column_stride, column < columns, 0.0).to(tl.float32)
        tl.store(y + row * columns + column, values - top - log_sum, mask=column < columns)


@log_softmax_wide_triton.alternative
def wide_by_lanes(x, block):
    y = torch.empty(*x.shape, dtype=x.dtype, device=x.device)
    if x.numel():
        lanes_kernel[x.shape[:1]](x, y, x.size(1), *x.stride(), block)
    return y


@log_softmax_wide_triton.alternative
def wide_in_three_passes(x, block):
    x = x.contiguous()
    y = torch.empty_like(x)
    packed_kernel[(len(x),)](x, y, len(x), x.shape[1], BLOCK=block)
    return y


@triton.jit
def mistaken_online_kernel(
    x, y, columns, upto, row_stride, column_stride, HOW: tl.constexpr, OTHER: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    m = -float("inf")
    if HOW == "starts at 0":
        m = 0.0
    s = 0.0
    for start in range(0, upto, BLOCK):
        column = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * row_stride + column * column_stride, column < columns, OTHER).to(tl.float32)
        larger = tl.maximum(m, tl.max(values, 0))
        shift = larger
        if HOW != "nan":
            shift = tl.where(larger == -float("inf"), 0.0, larger)
        factor = tl.exp(m - shift)
        if HOW == "no rescaling":
            factor = 1.0
        if HOW == "starts anew":
            factor = 0.0
        s = s * factor + tl.sum(tl.exp(values - shift), 0)
        if HOW == "half":
            s = s.to(y.dtype.element_ty).to(tl.float32)
        m = larger
        if HOW == "each block":
            tl.store(
                y + row * columns + column,
                (values - larger) - tl.log(tl.sum(tl.exp(values - larger), 0)),
                mask=column < columns,
            )
    if HOW != "each block":
        for start in range(0, upto, BLOCK):
            column = start + tl.arange(0, BLOCK)
            values = tl.load(x + row * row_stride + column * column_stride, column < columns, 0.0).to(tl.float32)
            result = (values - m) - tl.log(s)
            if HOW == "lost digits":
                result = values - (m + tl.log(s))
            tl.store(y + row * columns + column, result, mask=column < columns)


def mistaken_wide(x, block, how="", other=-INF, strides=None, upto=None, y=None):
    rows, columns = x.shape
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device) if y is None else y
    ends = columns if upto is None else upto
    mistaken_online_kernel[(rows,)](x, y, columns, ends, *(strides or x.stride()), HOW=how, OTHER=other, BLOCK=block)
    return y


@log_softmax_wide_triton.misconception(
    "A leading block of -inf gives m - M = -inf - (-inf), which is nan, and nan stays: subtract 0 as long as M is -inf."
)
def wide_nan(x, block):
    return mistaken_wide(x, block, "nan")


@log_softmax_wide_triton.misconception(
    "When the maximum grows, the old sum must shrink: multiply it with exp(m_old - m_new)."
)
def wide_no_rescaling(x, block):
    return mistaken_wide(x, block, "no rescaling")


@log_softmax_wide_triton.misconception("Every block starts the sum anew: carry it on, scaled.")
def wide_starts_anew(x, block):
    return mistaken_wide(x, block, "starts anew")


@log_softmax_wide_triton.misconception(
    "Each block is normalised by itself: all blocks of a row share one maximum and one sum."
)
def wide_each_block(x, block):
    return mistaken_wide(x, block, "each block")


@log_softmax_wide_triton.misconception(PADDED)
def wide_padded_with_zero(x, block):
    return mistaken_wide(x, block, other=0.0)


@log_softmax_wide_triton.misconception(LOST_DIGITS)
def wide_lost_digits(x, block):
    return mistaken_wide(x, block, "lost digits")


@log_softmax_wide_triton.misconception(
    "Starting with m = 0 instead of -inf makes 0 the maximum where all numbers are below it."
)
def wide_starts_at_zero(x, block):
    return mistaken_wide(x, block, "starts at 0")


@log_softmax_wide_triton.misconception("The last block was left out: where `block` does not divide the row, mask it.")
def wide_drops_the_rest(x, block):
    return mistaken_wide(x, block, upto=x.shape[1] // block * block)


@log_softmax_wide_triton.misconception(
    SMALL_BLOCK.replace("the block", "the first block").split(":")[0] + ": loop over all blocks."
)
def wide_first_block(x, block):
    return mistaken_wide(x, block, upto=min(block, x.shape[1]))


BLOCK_UNUSED = "`block` is not used: it says how many columns one load takes, however wide the row is."


@log_softmax_wide_triton.misconception(BLOCK_UNUSED)
def wide_in_one_block(x, block):
    return mistaken_wide(x, triton.next_power_of_2(x.shape[1]))


@log_softmax_wide_triton.misconception(BLOCK_UNUSED)
def wide_block_of_64(x, block):
    return mistaken_wide(x, 64)


@log_softmax_wide_triton.misconception(LIKE)
def wide_packed_like(x, block):
    return mistaken_wide(x, block, strides=(x.shape[1], 1), y=torch.empty_like(x))


@log_softmax_wide_triton.misconception(LIKE)
def wide_written_like(x, block):
    return mistaken_wide(x, block, y=torch.empty_like(x))


@log_softmax_wide_triton.misconception(ANY_STRIDE)
def wide_packed_only(x, block):
    return mistaken_wide(x, block, strides=(x.shape[1], 1))


@log_softmax_wide_triton.misconception(
    "The sum is carried in a half type, where 1 and a little is 1: carry m and s in float32."
)
def wide_in_half(x, block):
    return mistaken_wide(x, block, "half")


@log_softmax_wide_triton.breaks_rule
def wide_of_torch(x, block):
    y = torch.empty_like(x)
    online_kernel[(1,)](x, y, x.shape[1], x.stride(0), x.stride(1), BLOCK=block)
    return x.log_softmax(-1)


@log_softmax_wide_triton.breaks_rule
def wide_sums_outside(x, block):
    shifted = x - x.amax(-1, keepdim=True)
    log_sum = torch.log(torch.exp(shifted).sum(-1))
    y = torch.empty_like(x)
    copy_kernel[(1,)](y, log_sum)
    return y


# ------------------------------------------------------------------------------ log_softmax_backward_triton
def slope(grad, y):
    return grad - y.exp() * grad.sum(-1, keepdim=True)


# Inputs: as log_softmax_triton; stride 0; probabilities 0.
@exercise(
    hints=[
        "Each row needs one sum over grad, then every entry on its own: dx = grad - exp(y) * sum(grad).",
        "Load grad with other=0.0, so that lanes beyond the row add nothing. y may be anything there: nothing is stored.",
        "`g = tl.load(..., mask=inside, other=0.0).to(tl.float32)`, the same for y, `tl.store(..., g - tl.exp(logs) * tl.sum(g, 0), mask=inside)`; grad and y each have two strides of their own.",
    ],
    kernel=True,
    seconds=SECONDS,
)
def log_softmax_backward_triton(grad, y):
    return grad - y.exp() * grad.sum(-1, keepdim=True)


@log_softmax_backward_triton.oracle(rtol=1e-6)
def slope_by_autograd(grad, y):
    x = y.clone().requires_grad_()
    return (
        torch.autograd.grad(torch.log_softmax(x, -1), x, grad)[0]
        if y.dtype is torch.float64 and single_enough(y)
        else None
    )


def sloped(grad, y, **options):
    """A case whose tolerance grows with the two terms that the answer is the difference of: float32 rounds those."""
    g, logs = ((a.tensor if isinstance(a, WithLayout) else a).double() for a in (grad, y))
    terms = torch.cat([g, logs.exp() * g.sum(-1, keepdim=True)])
    single = (y.tensor if isinstance(y, WithLayout) else y).dtype in (torch.float32, torch.float64)
    rounding = {"rtol": 1e-5, "atol": 1e-6 * max(1.0, terms.abs().max().item())} if single and terms.numel() else {}
    return played(grad, y, of=slope, **rounding, **options)


def single_enough(y):
    """Whether the rows of y are log-probabilities to float32's rounding: then log_softmax(y) is y."""
    return bool(((y.exp().sum(-1) - 1).abs() < 1e-7).all())


def logs_of(x):
    """Log-softmax, rounded once: in float32 it comes out otherwise on another processor, and keys hold it."""
    return rows_of(x.double()).to(x.dtype)


@log_softmax_backward_triton.made_small
def slope_small(grad, y):
    yield sloped(grad, logs_of(y))


@log_softmax_backward_triton.criterion(
    "matches the definition, by a kernel",
    marks=0.75,
    says="The gradient of log-softmax for outputs y and incoming grad",
)
def slope_definition(rng):
    n = size(rng, 5, 7)
    yield sloped(torch.tensor([[1.0, -0.5, 2.0], [0.25, 1.0, -3.0]]), logs_of(TWO_ROWS))
    yield sloped(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), logs_of(FOUR)[None].float())
    yield sloped(single(rng, 3, n), logs_of(single(rng, 3, n)))
    yield left_out(single(rng, 2, 5), logs_of(single(rng, 2, 5)), of=slope)


@log_softmax_backward_triton.criterion(
    "takes rows of any width, and -inf",
    marks=0.5,
    says=("Widths, dtypes, inputs and no rows at all as in exercise 6", "`y` may hold `-inf`"),
)
def slope_widths(rng):
    for n in (1, 2, 127, 129):
        yield sloped(single(rng, 1, n), logs_of(single(rng, 1, n)))
    y = logs_of(torch.cat([single(rng, 2, 5), torch.full((2, 1), -INF)], -1))
    yield sloped(single(rng, 2, 6), y)
    for n in (128, 1000, 1023, 1024, 1025):
        yield sloped(single(rng, 2, n), logs_of(single(rng, 2, n)), hidden=True)
    n = size(rng, 6, 7)
    yield written_wide(single(rng, 1, n).abs(), logs_of(single(rng, 1, n)) - 12, of=slope, rtol=1e-4, atol=1e-5)
    yield sloped(single(rng, MANY_ROWS, 3), logs_of(single(rng, MANY_ROWS, 3)))


@log_softmax_backward_triton.criterion(
    "takes any strides, and no rows", marks=0.5, says=("each has strides of its own", "no rows at all")
)
def slope_layouts(rng):
    for a, b in (("strided", "transposed"), ("expanded", "transposed")):
        yield sloped(WithLayout(single(rng, 3, 5), a), WithLayout(logs_of(single(rng, 3, 5)), b))
    yield sloped(torch.zeros(0, 5), torch.zeros(0, 5))


@log_softmax_backward_triton.criterion(
    "keeps the dtype and its inputs", marks=0.25, says="Widths, dtypes, inputs and no rows at all as in exercise 6"
)
def slope_dtypes(rng):
    for dtype in (torch.float64, *HALF):
        yield sloped(slopes_that_cancel(rng, dtype), logs_of(logits_of(rng, 2, 40)).to(dtype), unchanged=True)


def slopes_that_cancel(rng, dtype):
    """Multiples of 1/8 of either sign: adding them up one by one in a half type goes wrong, in float32 it is exact."""
    steps = rng.integers(-800, 801, (2, 40))
    return torch.from_numpy(steps / 8).to(dtype)


@triton.jit
def slope_kernel(grad, y, dx, columns, g0, g1, y0, y1, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    g = tl.load(grad + row * g0 + column * g1, mask=inside, other=0.0).to(tl.float32)
    logs = tl.load(y + row * y0 + column * y1, mask=inside, other=0.0).to(tl.float32)
    tl.store(dx + row * columns + column, g - tl.exp(logs) * tl.sum(g, 0), mask=inside)


@log_softmax_backward_triton.alternative
def slope_by_strides(grad, y):
    dx = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    width = triton.next_power_of_2(y.shape[1])
    slope_kernel[(len(y),)](grad, y, dx, y.shape[1], *grad.stride(), *y.stride(), BLOCK=width)
    return dx


@triton.jit
def slope_by_blocks_kernel(grad, y, dx, columns, BLOCK: tl.constexpr):
    start = tl.program_id(0) * columns
    totals = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, columns, BLOCK):
        k = first + tl.arange(0, BLOCK)
        totals += tl.load(grad + start + k, mask=k < columns, other=0)
    total = tl.sum(totals)
    for first in range(0, columns, BLOCK):
        k = first + tl.arange(0, BLOCK)
        g = tl.load(grad + start + k, mask=k < columns, other=0)
        tl.store(
            dx + start + k,
            g - total * tl.exp2(tl.load(y + start + k, k < columns, 0) * 1.4426950408889634),
            k < columns,
        )


@log_softmax_backward_triton.alternative
def slope_by_blocks(grad, y):
    g, logs = grad.float().contiguous(), y.float().contiguous()
    dx = torch.full_like(g, 7.0)
    slope_by_blocks_kernel[g.shape[0],](g, logs, dx, g.shape[1], BLOCK=64)
    return dx.to(grad.dtype)


@triton.jit
def slopes_kernel(grad, y, dx, rows, columns, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row[:, None] < rows) & (column[None, :] < columns)
    at = row[:, None] * columns + column[None, :]
    g = tl.load(grad + at, mask=inside, other=0).to(tl.float32)
    p = tl.exp(tl.load(y + at, mask=inside, other=-float("inf")).to(tl.float32))
    tl.store(dx + at, g - p * tl.sum(g, axis=1, keep_dims=True), mask=inside)


@log_softmax_backward_triton.alternative
def slope_several_at_once(grad, y):
    grad, y = grad.contiguous(), y.contiguous()
    dx = torch.empty_like(y)
    slopes_kernel[(triton.cdiv(len(y), 4),)](grad, y, dx, *y.shape, ROWS=4, BLOCK=triton.next_power_of_2(y.shape[1]))
    return dx


@triton.jit
def mistaken_slope_kernel(grad, y, dx, columns, g0, g1, y0, y1, HOW: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    g = tl.load(grad + row * g0 + column * g1, mask=inside, other=0.0).to(tl.float32)
    logs = tl.load(y + row * y0 + column * y1, mask=inside, other=-float("inf")).to(tl.float32)
    p = tl.exp(logs)
    total = tl.sum(g, 0)
    result = g - p * total
    if HOW == "no sum":
        result = g - p
    if HOW == "each its own":
        result = g - p * g
    if HOW == "softmax":
        result = p * (g - tl.sum(g * p, 0))
    if HOW == "weighted":
        result = g - p * tl.sum(g * p, 0)
    if HOW == "softmax of y":
        result = logs * (g - tl.sum(tl.where(inside, g * logs, 0.0), 0))
    if HOW == "logs":
        result = g - logs * total
    if HOW == "mean":
        result = g - p * total / columns
    if HOW == "half":
        result = g - p * tl.sum(g.to(dx.dtype.element_ty).to(tl.float32), 0).to(tl.bfloat16).to(tl.float32)
    tl.store(dx + row * columns + column, result, mask=inside)


def mistaken_slope(grad, y, how="", block=None, strides=None, grid=None):
    rows, columns = y.shape
    dx = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    width = block or triton.next_power_of_2(columns)
    four = strides or (*grad.stride(), *y.stride())
    mistaken_slope_kernel[(rows if grid is None else grid,)](grad, y, dx, columns, *four, HOW=how, BLOCK=width)
    return dx


@log_softmax_backward_triton.misconception(
    "The sum is forgotten: exp(y) is multiplied with the sum of grad over the row."
)
def slope_no_sum(grad, y):
    return mistaken_slope(grad, y, "no sum")


@log_softmax_backward_triton.misconception(
    "Each entry is multiplied with its own grad: it is the sum of grad over the row that counts."
)
def slope_each_its_own(grad, y):
    return mistaken_slope(grad, y, "each its own")


@log_softmax_backward_triton.misconception(
    "This is the backward pass of softmax, p (grad - sum(grad p)); that of log-softmax is grad - p sum(grad)."
)
def slope_of_softmax(grad, y):
    return mistaken_slope(grad, y, "softmax")


@log_softmax_backward_triton.misconception("The sum runs over grad alone; the probabilities stand outside of it.")
def slope_weighted(grad, y):
    return mistaken_slope(grad, y, "weighted")


@log_softmax_backward_triton.misconception(
    "y is taken for the output of softmax: it holds log-probabilities, and the slope is grad - exp(y) sum(grad)."
)
def slope_of_softmax_in_y(grad, y):
    return mistaken_slope(grad, y, "softmax of y")


@log_softmax_backward_triton.misconception("y holds log-probabilities: exp(y) is what the sum is multiplied with.")
def slope_without_exp(grad, y):
    return mistaken_slope(grad, y, "logs")


@log_softmax_backward_triton.misconception("This takes the mean of grad over the row: it is the sum that counts.")
def slope_mean(grad, y):
    return mistaken_slope(grad, y, "mean")


@log_softmax_backward_triton.misconception(
    "grad and y each have strides of their own; a gradient that comes from .sum() even has stride 0."
)
def slope_packed_only(grad, y):
    return mistaken_slope(grad, y, strides=(y.shape[1], 1, y.shape[1], 1))


@log_softmax_backward_triton.misconception("The strides of y are used for grad, too: each has its own.")
def slope_strides_of_y(grad, y):
    return mistaken_slope(grad, y, strides=(*y.stride(), *y.stride()))


@log_softmax_backward_triton.misconception(SMALL_BLOCK)
def slope_small_block(grad, y):
    return mistaken_slope(grad, y, block=128)


@log_softmax_backward_triton.misconception(SMALL_BLOCK)
def slope_block_of_4096(grad, y):
    return mistaken_slope(grad, y, block=4096)


@log_softmax_backward_triton.misconception(FIRST_ROW)
def slope_first_only(grad, y):
    return mistaken_slope(grad, y, grid=min(1, len(y)))


@log_softmax_backward_triton.misconception(
    "The kernel runs, but what is returned was computed outside of it: return what the kernel has stored."
)
def slope_thrown_away(grad, y):
    mistaken_slope(grad, y)
    return (grad.float() - math.e ** y.float() * grad.float().sum(-1, keepdim=True)).to(grad.dtype)


@log_softmax_backward_triton.breaks_rule
def slope_of_autograd(grad, y):
    x = y.detach().requires_grad_()
    return torch.autograd.grad(torch.log_softmax(x, -1), x, grad)[0]


@log_softmax_backward_triton.breaks_rule
def slope_of_aten(grad, y):
    return torch.ops.aten._log_softmax_backward_data(grad, y, -1, y.dtype)


@log_softmax_backward_triton.breaks_rule
def slope_in_torch(grad, y):
    dx = grad - y.exp() * grad.sum(-1, keepdim=True)
    copy_kernel[(1,)](dx, 1)
    return dx


# ------------------------------------------------------------------------------------------------- intensity
# Inputs: both sides of the roofline's corner, and the corner.
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


@arithmetic_intensity.criterion("operations per byte", marks=0.5, says="Operations per byte.")
def intensity_definition(rng):
    yield case(12.0, 8.0)
    yield case(number(rng, 1e9, 9e9), number(rng, 1e8, 9e8))
    yield case(number(rng, 1, 5), number(rng, 10, 50))


@arithmetic_intensity.criterion(
    "the roofline", marks=0.5, says="Operations per second that a machine can reach at this intensity"
)
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


@arithmetic_intensity.misconception(
    "The slower of the two limits holds, not the faster: take the minimum.", function="attainable_flops"
)
def attainable_maximum(intensity, peak, bandwidth):
    return max(peak, intensity * bandwidth)


@arithmetic_intensity.misconception(
    "The peak is missing: no intensity makes a machine faster than that.", function="attainable_flops"
)
def attainable_without_peak(intensity, peak, bandwidth):
    return intensity * bandwidth


@arithmetic_intensity.misconception(
    "bandwidth / intensity has no meaning here: bytes per second times operations per byte gives operations per second.",
    function="attainable_flops",
)
def attainable_divided(intensity, peak, bandwidth):
    return min(peak, bandwidth / intensity)


@arithmetic_intensity.misconception(
    "The limits do not add up or share: the smaller one alone holds.", function="attainable_flops"
)
def attainable_harmonic(intensity, peak, bandwidth):
    return 1 / (1 / peak + 1 / (intensity * bandwidth))


@arithmetic_intensity.breaks_rule
def intensity_from_helpers(flops, bytes_moved):
    from helpers.logits import arithmetic_intensity as ours

    return ours(flops, bytes_moved)


# -------------------------------------------------------------------------------------- cross_entropy_triton
def losses_of(logits, targets):
    return functional.cross_entropy(logits, targets, reduction="none")


# Inputs: as log_softmax_triton; losses of 1000; targets with strides.
@exercise(
    stretch=True,
    hints=[
        "The loss of a row is log sum exp(x) - x[target]: one number. Nothing else needs to leave the kernel.",
        "Load the row's target first, `target = tl.load(targets + row * target_stride)`, then that one logit at `row * row_stride + target * column_stride`.",
        "`m = tl.max(values, 0)`, `loss = (m - at_target) + tl.log(tl.sum(tl.exp(values - m), 0))`, `tl.store(losses + row, loss)`; the output has shape (rows,) and the logits' dtype.",
    ],
    kernel=True,
    seconds=SECONDS,
)
def cross_entropy_triton(logits, targets):
    return functional.cross_entropy(logits, targets, reduction="none")


@cross_entropy_triton.oracle
def losses_by_scipy(logits, targets):
    x = logits.numpy()
    return (
        special.logsumexp(x, axis=-1) - x[np.arange(len(x)), targets.numpy()]
        if x.size and np.isfinite(x).all()
        else None
    )


@cross_entropy_triton.made_small
def losses_small(logits, targets):
    yield played(logits, targets, of=losses_of)


@cross_entropy_triton.criterion(
    "matches the definition, by a kernel",
    marks=1,
    says="The loss of each row of logits, shape (rows, columns), by one kernel",
)
def losses_definition(rng):
    n = size(rng, 5, 7)
    yield played(TWO_ROWS, torch.tensor([0, 2]), of=losses_of)
    yield played(torch.stack([FOUR, FOUR.flip(0)]).float(), torch.tensor([0, 3]), of=losses_of)
    yield played(single(rng, 3, n), targets_of(rng, 3, classes=n), of=losses_of)
    yield left_out(single(rng, 2, 5), targets_of(rng, 2, classes=5), of=losses_of)


@cross_entropy_triton.criterion(
    "takes rows of any width, large numbers and -inf",
    marks=1,
    says=("holds for strides, dtypes, widths and large logits", "A loss of 1000 is a loss of 1000"),
)
def losses_values(rng):
    for n in (1, 2, 127, 129):
        yield played(single(rng, 1, n), torch.tensor([n - 1]), of=losses_of)
    for shift in (1e4, -1e4):
        yield played(single(rng, 2, 6, shift=shift), targets_of(rng, 2, classes=6), of=losses_of)
    far = single(rng, 2, 6) + 1000 * functional.one_hot(
        torch.tensor([5, 0]), 6
    )  # a loss of 1000, no probability at all
    yield played(far, torch.tensor([1, 2]), of=losses_of)
    yield played(far, torch.tensor([5, 0]), of=losses_of, atol=1e-9)  # a loss of 0, and nothing beside it
    masked = single(rng, 2, 6)
    masked[:, 2] = -INF
    yield played(masked, torch.tensor([1, 2]), of=losses_of)
    for n in (128, 1000, 1023, 1024, 1025):
        yield played(single(rng, 2, n), targets_of(rng, 2, classes=n), of=losses_of, hidden=True)
    yield played(single(rng, MANY_ROWS, 3), targets_of(rng, MANY_ROWS, classes=3), of=losses_of)
    yield written_wide(single(rng, 2, size(rng, 6, 7)), targets_of(rng, 2, classes=6), of=losses_of)


@cross_entropy_triton.criterion(
    "takes any strides, and no rows, and keeps the dtype and its inputs",
    marks=1,
    says="holds for strides, dtypes, widths and large logits",
)
def losses_layouts(rng):
    for layout in ("transposed", "strided", "expanded"):
        logits, targets = single(rng, 3, 9), torch.from_numpy(rng.permutation(6)[:3].copy())
        yield played(WithLayout(logits, layout), WithLayout(targets, "strided"), of=losses_of)
    yield played(torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64), of=losses_of)
    for dtype in (torch.float64, *HALF):
        logits = nearly_sure(rng, 3, 12, dtype)
        yield played(logits, logits.argmax(-1), of=losses_of, unchanged=True)


@triton.jit
def loss_kernel(x, targets, losses, columns, row_stride, column_stride, target_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    start = x + row * row_stride
    values = tl.load(start + column * column_stride, mask=column < columns, other=-float("inf")).to(tl.float32)
    at_target = tl.load(start + tl.load(targets + row * target_stride) * column_stride).to(tl.float32)
    m = tl.max(values, 0)
    tl.store(losses + row, (m - at_target) + tl.log(tl.sum(tl.exp(values - m), 0)))


@cross_entropy_triton.alternative
def losses_by_strides(logits, targets):
    rows, columns = logits.shape
    losses = torch.empty(rows, dtype=logits.dtype, device=logits.device)
    strides = (*logits.stride(), targets.stride(0))
    loss_kernel[(rows,)](logits, targets, losses, columns, *strides, BLOCK=triton.next_power_of_2(columns))
    return losses


@triton.jit
def loss_by_mask_kernel(x, targets, losses, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    target = tl.load(targets + row)
    m = -float("inf")
    s = 0.0
    picked_logit = 0.0
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * columns + column, column < columns, -float("inf"))
        larger = tl.maximum(m, tl.max(values, 0))
        shift = tl.where(larger == -float("inf"), 0.0, larger)
        s = s * tl.exp(m - shift) + tl.sum(tl.exp(values - shift), 0)
        picked_logit += tl.sum(tl.where(column == target, values, 0.0), 0)
        m = larger
    tl.store(losses + row, tl.log(s) + (m - picked_logit))


@cross_entropy_triton.alternative
def losses_by_mask(logits, targets):
    x = logits.contiguous().to(torch.float32)
    losses = torch.zeros(len(x), device=x.device)
    if len(x):
        loss_by_mask_kernel[(len(x),)](x, targets.contiguous(), losses, x.shape[1], BLOCK=64)
    return losses.to(logits.dtype)


@triton.jit
def mistaken_loss_kernel(
    x,
    targets,
    losses,
    columns,
    row_stride,
    column_stride,
    target_stride,
    HOW: tl.constexpr,
    OTHER: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    start = x + row * row_stride
    values = tl.load(start + column * column_stride, mask=column < columns, other=OTHER).to(tl.float32)
    target = tl.load(targets + row * target_stride)
    if HOW == "off by one":
        target = (target + columns - 1) % columns
    at_target = tl.load(start + target * column_stride).to(tl.float32)
    m = tl.max(values, 0)
    log_sum = tl.log(tl.sum(tl.exp(values - m), 0))
    result = (m - at_target) + log_sum
    if HOW == "no maximum":
        result = tl.log(tl.sum(tl.exp(values), 0)) - at_target
    if HOW == "lost digits":
        result = (m + log_sum) - at_target
    if HOW == "sign":
        result = at_target - m - log_sum
    if HOW == "mean over classes":
        result = result / columns
    if HOW == "not normalised":
        result = m - at_target
    if HOW == "probability":
        result = -tl.log(tl.exp(at_target - m) / tl.sum(tl.exp(values - m), 0))
    tl.store(losses + row, result)


def mistaken_losses(logits, targets, how="", other=-INF, block=None, strides=None):
    rows, columns = logits.shape
    losses = torch.empty(rows, dtype=logits.dtype, device=logits.device)
    three = strides or (*logits.stride(), targets.stride(0))
    width = block or triton.next_power_of_2(columns)
    mistaken_loss_kernel[(rows,)](logits, targets, losses, columns, *three, HOW=how, OTHER=other, BLOCK=width)
    return losses


@cross_entropy_triton.misconception("The targets are off by one: classes count from 0.")
def losses_off_by_one(logits, targets):
    return mistaken_losses(logits, targets, "off by one")


@cross_entropy_triton.misconception("The loss is negative: it is minus the log-likelihood.")
def losses_sign(logits, targets):
    return mistaken_losses(logits, targets, "sign")


@cross_entropy_triton.misconception("The loss was divided by the number of classes: each row has its own whole loss.")
def losses_mean_over_classes(logits, targets):
    return mistaken_losses(logits, targets, "mean over classes")


@cross_entropy_triton.misconception("This is the mean over the rows: one loss for each row was asked for.")
def losses_reduced(logits, targets):
    return mistaken_losses(logits, targets).mean()


@cross_entropy_triton.misconception(OVERFLOWS)
def losses_no_maximum(logits, targets):
    return mistaken_losses(logits, targets, "no maximum")


@cross_entropy_triton.misconception(LOST_DIGITS)
def losses_lost_digits(logits, targets):
    return mistaken_losses(logits, targets, "lost digits")


@cross_entropy_triton.misconception(PADDED)
def losses_padded_with_zero(logits, targets):
    return mistaken_losses(logits, targets, other=0.0)


@cross_entropy_triton.misconception("The distance to the largest logit is not the loss: the log of the sum is missing.")
def losses_not_normalised(logits, targets):
    return mistaken_losses(logits, targets, "not normalised")


@cross_entropy_triton.misconception(
    "A probability below 1e-45 is 0 in float32, and its logarithm -inf: subtract logits, never form probabilities."
)
def losses_of_probabilities(logits, targets):
    return mistaken_losses(logits, targets, "probability")


@cross_entropy_triton.misconception("The targets lie targets.stride(0) apart, not always side by side.")
def losses_packed_targets(logits, targets):
    return mistaken_losses(logits, targets, strides=(*logits.stride(), 1))


@cross_entropy_triton.misconception(ANY_STRIDE.replace("x.", "logits.").replace("sliced x", "sliced tensor"))
def losses_packed_logits(logits, targets):
    return mistaken_losses(logits, targets, strides=(logits.shape[1], 1, targets.stride(0)))


@cross_entropy_triton.misconception(
    "The row is wider than the block, and what lies beyond does not count: triton.next_power_of_2(columns) fits any row."
)
def losses_small_block(logits, targets):
    return mistaken_losses(logits, targets, block=128)


@cross_entropy_triton.misconception(
    "The row is wider than the block, and what lies beyond does not count: triton.next_power_of_2(columns) fits any row."
)
def losses_block_of_4096(logits, targets):
    return mistaken_losses(logits, targets, block=4096)


@cross_entropy_triton.breaks_rule
def losses_of_torch(logits, targets):
    return functional.cross_entropy(logits, targets, reduction="none")


@cross_entropy_triton.breaks_rule
def losses_in_two_steps(logits, targets):
    y = rows_by_strides(logits)
    return functional.nll_loss(y, targets, reduction="none")


@cross_entropy_triton.breaks_rule
def losses_from_helpers(logits, targets):
    from helpers.kernels import cross_entropy as ours

    return ours(logits, targets, reduction="none")
