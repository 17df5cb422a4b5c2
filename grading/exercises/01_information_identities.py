"""The exercises of notebook 01: entropy, cross-entropy, KL divergence and what they are good for."""

from __future__ import annotations

import heapq
import itertools
import math
import warnings

import numpy as np
import torch
from scipy import optimize, special, stats
from scipy.spatial import distance
from torch.distributions import Categorical
from torch.distributions import kl_divergence as kl_divergence_of_torch
from torch.nn import functional

from grading.exercises.draws import distribution, number, size
from grading.exercises.exercise import Function, argument_as_data, case, exercise, raises
from helpers.checking import plain

HALF = (torch.float16, torch.bfloat16)
FOUR = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
UNIFORM = torch.full((4,), 0.25, dtype=torch.float64)
OTHER = torch.tensor([0.25, 0.35, 0.1, 0.3], dtype=torch.float64)  # in which no mistake comes out right by chance
SUMS_ALL = "The sum runs over everything: sum over the last dimension only, so that a batch stays a batch."
SMALL_NUMBER = (
    "A small number keeps the logarithm from 0 here. It bends every answer a little, and turns an infinite cost into a "
    "finite one: treat p = 0 apart, where a term is 0, and leave the rest alone."
)
IN_HALF = "Half types keep three digits or fewer: compute in p.float(), and go back with .to(p.dtype) at the end."


def tensor(numbers):
    """A float64 vector."""
    return torch.tensor(numbers, dtype=torch.float64)


def proper(*distributions):
    """Whether torch.distributions can speak: it normalises, so the sums must be 1, it knows no empty batch, and it cuts
    off what is smaller than 2e-16."""
    sums = all(p.numel() and (p.sum(-1) - 1).abs().max() < 1e-12 for p in distributions)
    return sums and not any(((p > 0) & (p < 1e-15)).any() for p in distributions)


def on_grid(rng, rows, n, least=0, dtype=torch.float64):
    """Distributions made of multiples of 1/256, which every dtype holds exactly: normalising them again changes nothing."""
    counts = least + rng.multinomial(256 - least * n, rng.dirichlet(np.full(n, 3.0)), size=rows)
    return torch.from_numpy(counts / 256).to(dtype)


def close_pair(rng, dtype):
    """Two batches of distributions so close that a divergence computed in a half type is lost in rounding."""
    pair = (1 + rng.multinomial(256 - 6, np.full(6, 1 / 6), size=3) for _ in range(2))
    return tuple(torch.from_numpy(counts / 256).to(dtype) for counts in pair)


def rare(rng):
    """Two distributions with results that hardly ever occur: what cuts small probabilities off gives itself away."""
    n = size(rng, 4, 6)
    p, q = distribution(rng, n), distribution(rng, n)
    p[0], q[1], q[2] = 10.0 ** -size(rng, 8, 12), 10.0 ** -size(rng, 9, 14), 1e-30
    return p / p.sum(), q / q.sum()


def nearby(rng):
    """p and a q within a few percent of it: a small divergence, which no rounding makes negative."""
    p = distribution(rng, 5)
    q = p * torch.from_numpy(1 + 0.02 * rng.standard_normal(5))
    return case(p, q / q.sum())


def batches_of_two(rng):
    """Batches of p and q: equal shapes, shapes that broadcast, zeros, and no rows at all."""
    n = size(rng, 4, 6)
    yield case(distribution(rng, 3, n), distribution(rng, 3, n))
    yield case(distribution(rng, 2, 1, n, zeros=1), distribution(rng, 3, n))
    yield case(distribution(rng, n), distribution(rng, 2, n))
    yield case(torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, 5, dtype=torch.float64))


def small_number_in(formula):
    """How an answer looks that has a small number somewhere in it, of whatever size: for cases in float64."""

    def looks(one):
        tensors = one.arguments
        if one.driver != "call" or any(t.dtype != torch.float64 for t in tensors):
            return None
        return {"judge": "small_number", "formula": formula, "inputs": [argument_as_data(t) for t in tensors]}

    return looks


# --------------------------------------------------------------------------------------------------- entropy
# Inputs: rows of 1 to 1000 results, none to many rows; probabilities 0, or from 1e-30 to 1; half types to float64.
@exercise(
    hints=[
        "Sum -p log p over the last dimension: `dim=-1`, so that leading dimensions stay.",
        "log 0 is -inf and 0 * -inf is nan. `torch.special.xlogy(p, p)` is p log p with 0 log 0 = 0.",
        "`-torch.special.xlogy(p, p).sum(-1)` does it for float32 and float64; for half types compute in `p.float()` and go back with `.to(p.dtype)`.",
    ],
    forbid=["entropy", "Categorical", "cross_entropy", "CrossEntropyLoss"],
    because="Write the sum yourself; xlogy and entr are allowed.",
)
def entropy(p):
    return special.entr(p.numpy()).sum(-1)


@entropy.oracle
def entropy_by_torch(p):
    if not p.numel() or (p.sum(-1) - 1).abs().max() > 1e-12:
        return None  # Categorical normalises, and half types are normalised only to their rounding
    return Categorical(probs=p).entropy()


@entropy.criterion("matches the definition", marks=1, says="Entropy in nats over the last dimension of p")
def entropy_definition(rng):
    yield case(torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64))
    yield case(distribution(rng, size(rng, 5, 9)))


@entropy.criterion("0 log 0 is 0", marks=0.5, says="An impossible result adds exactly nothing")
def entropy_zeros(rng):
    yield case(torch.tensor([0.5, 0.0, 0.5, 0.0], dtype=torch.float64))
    yield case(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    yield case(torch.tensor([0.998998999, 1e-3, 1e-6, 1e-9, 0.0], dtype=torch.float64))
    yield case(distribution(rng, size(rng, 5, 8), zeros=2))


@entropy.criterion("keeps batches", marks=0.5, says=("sum over the last dimension only", "A batch may be empty"))
def entropy_batches(rng):
    yield case(distribution(rng, 3, 4))
    yield case(distribution(rng, 2, 3, size(rng, 4, 6), zeros=1))
    yield case(torch.zeros(0, 5, dtype=torch.float64))


@entropy.criterion("has the right gradient", marks=0.5, says="Autograd must give")
def entropy_gradient(rng):
    for p in (torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64), distribution(rng, 2, 5)):
        value = special.entr(p.numpy()).sum(-1)
        yield case(
            p, driver="gradient", parameters=[None], expected=(value, -p.log() - 1), parts=["value", "gradient of p"]
        )


@entropy.criterion(
    "keeps the dtype and its input",
    marks=0.5,
    says=("The answer has the dtype of `p`; half types are computed in at least float32", "`p` itself is not changed"),
)
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


@entropy.misconception(SMALL_NUMBER, looks=small_number_in("entropy"))
def entropy_epsilon(p):
    return -(p * (p + 1e-8).log()).sum(-1)


@entropy.misconception("The sum runs over everything: sum over the last dimension only, so that a batch stays a batch.")
def entropy_total(p):
    return torch.special.entr(p).sum()


@entropy.misconception("The sum runs over the first dimension; the distribution is the last one (dim=-1).")
def entropy_first_dimension(p):
    return torch.special.entr(p).sum(0)


@entropy.misconception("Rare results are left out: a small p still counts -p log p; the term is 0 only where p is 0.")
def entropy_rare_left_out(p):
    return torch.where(p > 1e-5, torch.special.entr(p), 0.0).sum(-1)


@entropy.misconception("This is the mean of -log p, not its expectation: weigh each -log p with its p.")
def entropy_mean_surprise(p):
    return -p.log().mean(-1)


@entropy.misconception("This is the mean of the terms -p log p: p weighs them already, so add them up.")
def entropy_mean_of_terms(p):
    return torch.special.entr(p).mean(-1)


@entropy.misconception("p holds probabilities already, not logits: take its logarithm, without a softmax.")
def entropy_of_logits(p):
    return -(p.softmax(-1) * p.log_softmax(-1)).sum(-1)


@entropy.misconception(
    "The value is right, but not the gradient: dividing p by its sum adds a term to it. Autograd must give -log p - 1, so "
    "take p as it is."
)
def entropy_normalises_first(p):
    x = p / p.sum(-1, keepdim=True)
    return torch.special.entr(x).sum(-1)


@entropy.misconception(
    "The value is right, but not the gradient: log n - KL(p, uniform) gives -log p - 1 - log n, as log n was multiplied by "
    "the sum of p. Sum -p log p itself."
)
def entropy_from_the_uniform(p):
    n = p.shape[-1]
    return math.log(n) - (torch.special.xlogy(p, p) + p * math.log(n)).sum(-1)


@entropy.breaks_rule
def entropy_of_distributions(p):
    return torch.distributions.Categorical(probs=p).entropy()


@entropy.breaks_rule
def entropy_of_scipy(p):
    return torch.from_numpy(stats.entropy(p.numpy(), axis=-1))


@entropy.breaks_rule
def entropy_of_scipy_under_another_name(p):
    from scipy.stats import entropy as h

    return torch.from_numpy(h(p.numpy(), axis=-1))


@entropy.breaks_rule
def entropy_as_cross_entropy(p):
    return functional.cross_entropy(p.log(), p)


@entropy.breaks_rule
def entropy_by_getattr(p):
    return getattr(torch.distributions, "Cate" + "gorical")(probs=p)


@entropy.breaks_rule
def entropy_from_helpers(p):
    from helpers.information import entropy as ours

    return ours(p)


# --------------------------------------------------------------------------------------------- cross_entropy
# Inputs: as entropy; q = 0 under p > 0; probabilities of 1e-30, which weigh 69 nats.
@exercise(
    hints=[
        "The weights are p, the logarithm is of q: -sum p log q over the last dimension.",
        "A term with p = 0 counts 0 whatever q is; a term with p > 0 and q = 0 makes the sum +inf. Do not mask that one away.",
        "`torch.special.xlogy(p, q)` is p log q with exactly these conventions; it broadcasts. Half types go through `.float()`.",
    ],
    forbid=["cross_entropy", "CrossEntropyLoss", "kl_divergence", "entropy", "Categorical"],
    because="Write the sum yourself; xlogy and entr are allowed.",
)
def cross_entropy(p, q):
    return -special.xlogy(p.numpy(), q.numpy()).sum(-1)


@cross_entropy.oracle
def entropy_and_divergence(p, q):
    if not proper(p, q):
        return None
    a, b = Categorical(probs=p), Categorical(probs=q)
    return a.entropy() + kl_divergence_of_torch(a, b)


@cross_entropy.criterion("matches the definition", marks=1, says="Cross-entropy -sum p log q in nats")
def cross_entropy_definition(rng):
    n = size(rng, 5, 8)
    yield case(FOUR, OTHER)
    yield case(FOUR, UNIFORM)
    yield case(UNIFORM, FOUR)
    yield case(distribution(rng, n), distribution(rng, n))


@cross_entropy.criterion(
    "0 log 0 is 0, an impossible result costs infinitely much",
    marks=0.5,
    says=("A result with $p_i = 0$ adds 0", "makes the answer `inf`", "nothing is cut off"),
)
def cross_entropy_zeros(rng):
    n = size(rng, 5, 7)
    yield case(*rare(rng))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.75, 0.0]))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.0, 0.75]))
    yield case(distribution(rng, n, zeros=2), distribution(rng, n))
    yield case(distribution(rng, n), distribution(rng, n, zeros=1))


@cross_entropy.criterion(
    "keeps batches and broadcasts",
    marks=0.5,
    says=("Batches, dtype and inputs as before", "leading dimensions broadcast"),
)
def cross_entropy_batches(rng):
    yield from batches_of_two(rng)


@cross_entropy.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("Batches, dtype and inputs as before", "half types are computed in at least float32"),
)
def cross_entropy_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(on_grid(rng, 3, 6, dtype=dtype), on_grid(rng, 3, 6, least=1, dtype=dtype), unchanged=True)


@cross_entropy.alternative
def cross_entropy_xlogy(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    return -torch.special.xlogy(p.to(wide), q.to(wide)).sum(-1).to(p.dtype)


@cross_entropy.alternative
def cross_entropy_masked(p, q):
    a, b = torch.broadcast_tensors(p.double(), q.double())
    terms = torch.zeros_like(a)
    terms[a > 0] = -a[a > 0] * b[a > 0].log()
    return terms.sum(dim=-1).to(p.dtype)


@cross_entropy.alternative
def cross_entropy_nansum(p, q):
    return -(p.double() * q.double().log2()).nansum(-1).mul(np.log(2)).to(p.dtype)


@cross_entropy.alternative
def cross_entropy_in_numpy(p, q):
    a, b = p.double().numpy(), q.double().numpy()
    total = (special.entr(a) + special.rel_entr(a, b)).sum(axis=-1)
    return torch.as_tensor(total).to(p.dtype)


@cross_entropy.alternative
def cross_entropy_loops(p, q):
    shape = torch.broadcast_shapes(p.shape, q.shape)
    rows = zip(p.expand(shape).reshape(-1, shape[-1]), q.expand(shape).reshape(-1, shape[-1]), strict=True)
    totals = []
    for a, b in rows:
        total = 0.0
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            if x > 0:
                total += x * (-math.log(y) if y > 0 else math.inf)
        totals.append(total)
    return torch.tensor(totals, dtype=p.dtype).reshape(shape[:-1])


@cross_entropy.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def cross_entropy_bits(p, q):
    return -torch.special.xlogy(p, q).sum(-1) / np.log(2)


@cross_entropy.misconception("The minus sign is missing: log q is negative, a cross-entropy is not.")
def cross_entropy_sign(p, q):
    return torch.special.xlogy(p, q).sum(-1)


@cross_entropy.misconception("This is H(q, p), the arguments are swapped: p gives the weights, q goes into the log.")
def cross_entropy_swapped(p, q):
    return -torch.special.xlogy(q, p).sum(-1)


@cross_entropy.misconception("This is KL(p, q): the cross-entropy keeps the part H(p), so there is no log p in it.")
def cross_entropy_divergence(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


@cross_entropy.misconception("This is H(p): the logarithm is of q, the weights are p.")
def cross_entropy_own(p, q):
    return (torch.special.entr(p) + 0 * q).sum(-1)


@cross_entropy.misconception("q holds probabilities already, not logits: take its logarithm, without a softmax.")
def cross_entropy_logits(p, q):
    return -(p * torch.softmax(q, -1).log()).sum(-1)


@cross_entropy.misconception("This is binary cross-entropy: with n classes there is no term (1 - p) log(1 - q).")
def cross_entropy_binary(p, q):
    return -(torch.special.xlogy(p, q) + torch.special.xlogy(1 - p, 1 - q)).sum(-1)


@cross_entropy.misconception(
    "0 * log 0 is nan in floating point. Its limit is 0: use xlogy, or leave terms with p = 0 out."
)
def cross_entropy_nan(p, q):
    return -(p * q.log()).sum(-1)


@cross_entropy.misconception(
    "Terms with q = 0 were left out. Where p > 0 they cost infinitely much; leave out only terms with p = 0."
)
def cross_entropy_masked_q(p, q):
    return -(p * torch.where(q > 0, q, 1.0).log()).sum(-1)


@cross_entropy.misconception(SMALL_NUMBER, looks=small_number_in("cross_entropy"))
def cross_entropy_epsilon(p, q):
    return -(p * (q + 1e-8).log()).sum(-1)


@cross_entropy.misconception(SUMS_ALL)
def cross_entropy_total(p, q):
    return -torch.special.xlogy(p, q).sum()


@cross_entropy.misconception("This is the mean of the terms: their sum is meant, as p already holds the weights.")
def cross_entropy_mean(p, q):
    return -torch.special.xlogy(p, q).mean(-1)


@cross_entropy.misconception(SMALL_NUMBER, looks=small_number_in("cross_entropy"))
def cross_entropy_cut_off(p, q):
    return -torch.special.xlogy(p, torch.where(q > 0, q.clamp(min=1e-7), q)).sum(-1)


@cross_entropy.breaks_rule
def cross_entropy_of_torch(p, q):
    return functional.cross_entropy(q.log(), p)


@cross_entropy.breaks_rule
def cross_entropy_loss(p, q):
    return torch.nn.CrossEntropyLoss(reduction="none")(q.log(), p)


@cross_entropy.breaks_rule
def cross_entropy_by_distributions(p, q):
    a, b = torch.distributions.Categorical(p), torch.distributions.Categorical(q)
    return a.entropy() + torch.distributions.kl_divergence(a, b)


@cross_entropy.breaks_rule
def cross_entropy_by_getattr(p, q):
    return getattr(functional, "cross_" + "entropy")(q.log(), p)


@cross_entropy.breaks_rule
def cross_entropy_from_helpers(p, q):
    import helpers.information as routines

    return routines.cross_entropy(p, q)


# --------------------------------------------------------------------------------------------- kl_divergence
# Inputs: as cross_entropy; p = q, and q within 2% of p, where rounding must not make it negative.
@exercise(
    hints=[
        "KL(p, q) is the mean of log(p / q) under p: sum p (log p - log q) over the last dimension.",
        "Two conventions: a term with p = 0 is 0, even where q = 0; p > 0 over q = 0 makes the sum +inf. 0 / 0 is nan, so do not divide first.",
        "`torch.special.xlogy(p, p) - torch.special.xlogy(p, q)`, summed over dim=-1, keeps both. Half types go through `.float()`.",
    ],
    forbid=["kl_div", "KLDivLoss", "kl_divergence", "entropy", "cross_entropy", "CrossEntropyLoss", "Categorical"],
    because="Write the sum yourself; xlogy, entr and rel_entr are allowed.",
)
def kl_divergence(p, q):
    return special.rel_entr(p.numpy(), q.numpy()).sum(-1)


kl_divergence.made_of(
    {
        "the term sum p log p": lambda p, q: torch.special.xlogy(p, p).sum(-1),
        "the term -sum p log q": lambda p, q: -torch.special.xlogy(p, q).sum(-1),
    }
)


@kl_divergence.oracle
def kl_by_torch(p, q):
    return kl_divergence_of_torch(Categorical(probs=p), Categorical(probs=q)) if proper(p, q) else None


@kl_divergence.criterion("matches the definition", marks=1, says="KL(p, q) = sum p log(p / q) in nats")
def kl_definition(rng):
    n = size(rng, 5, 8)
    yield case(FOUR, OTHER)
    yield case(FOUR, UNIFORM)
    yield case(distribution(rng, n), distribution(rng, n))


@kl_divergence.criterion(
    "0 log 0 is 0, an impossible result is infinitely far",
    marks=0.5,
    says="$p_i = 0$ adds 0; $p_i > 0$ with $q_i = 0$ gives `inf`",
)
def kl_zeros(rng):
    n = size(rng, 5, 7)
    yield case(*rare(rng))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.75, 0.0]))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.0, 0.75]))
    yield case(distribution(rng, n, zeros=2), distribution(rng, n))
    yield case(distribution(rng, n), distribution(rng, n, zeros=1))


@kl_divergence.criterion(
    "is 0 where p is q, and small and positive nearby",
    marks=0.5,
    says="0 when `p` equals `q`, and never negative beyond rounding",
)
def kl_nothing(rng):
    p = distribution(rng, 3, size(rng, 4, 6), zeros=1)
    yield case(FOUR, FOUR)
    yield case(p, p)
    yield nearby(rng)


@kl_divergence.criterion(
    "keeps batches and broadcasts", marks=0.5, says="Batches, dtype and inputs as before: leading dimensions broadcast"
)
def kl_batches(rng):
    yield from batches_of_two(rng)


@kl_divergence.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("Batches, dtype and inputs as before", "half types are computed in at least float32"),
)
def kl_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(*close_pair(rng, dtype), unchanged=True)


@kl_divergence.alternative
def kl_xlogy(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    return (torch.special.xlogy(a, a) - torch.special.xlogy(a, b)).sum(-1).to(p.dtype)


@kl_divergence.alternative
def kl_as_a_difference_of_entropies(p, q):
    a, b = p.double(), q.double()
    return (-torch.special.xlogy(a, b).sum(-1) - torch.special.entr(a).sum(-1)).to(p.dtype)


@kl_divergence.alternative
def kl_where(p, q):
    a, b = torch.broadcast_tensors(p.double(), q.double())
    ratio = torch.where(a > 0, a / b, 1.0)
    return (a * ratio.log()).sum(-1).to(p.dtype)


@kl_divergence.alternative
def kl_nansum(p, q):
    a, b = p.double(), q.double()
    return torch.nansum(a * (a.log() - b.log()), dim=-1).type(p.dtype)


@kl_divergence.alternative
def kl_loops(p, q):
    shape = torch.broadcast_shapes(p.shape, q.shape)
    a = p.double().expand(shape).reshape(-1, shape[-1]).numpy()
    b = q.double().expand(shape).reshape(-1, shape[-1]).numpy()
    out = np.zeros(len(a))
    for i in range(len(a)):
        for j in range(shape[-1]):
            if a[i, j] > 0:
                out[i] += a[i, j] * np.log(a[i, j] / b[i, j]) if b[i, j] > 0 else np.inf
    return torch.from_numpy(out).reshape(shape[:-1]).to(p.dtype)


@kl_divergence.misconception("This is KL(q, p): the arguments are swapped. The weights, and the numerator, are p.")
def kl_swapped(p, q):
    return (torch.special.xlogy(q, q) - torch.special.xlogy(q, p)).sum(-1)


@kl_divergence.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def kl_bits(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1) / np.log(2)


@kl_divergence.misconception("The sign is turned around: the ratio in the logarithm is p / q, and there is no minus.")
def kl_sign(p, q):
    return (torch.special.xlogy(p, q) - torch.special.xlogy(p, p)).sum(-1)


@kl_divergence.misconception("This is the cross-entropy H(p, q): subtract H(p), or put p / q into the logarithm.")
def kl_cross_entropy(p, q):
    return -torch.special.xlogy(p, q).sum(-1)


@kl_divergence.misconception("This adds both directions. KL is not symmetric: only KL(p, q) is asked for.")
def kl_both_ways(p, q):
    return torch.special.xlogy(p - q, p / q).sum(-1)


@kl_divergence.misconception(
    "A single term may be negative, only their sum may not: no abs and no clamp inside the sum."
)
def kl_absolute(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).abs().sum(-1)


@kl_divergence.misconception(
    "This is the Jensen-Shannon divergence, which compares both with their mixture. KL(p, q) holds p against q itself."
)
def kl_jensen_shannon(p, q):
    middle = (p + q) / 2
    halves = (torch.special.xlogy(x, x) - torch.special.xlogy(x, middle) for x in torch.broadcast_tensors(p, q))
    return sum(half.sum(-1) for half in halves) / 2


@kl_divergence.misconception("This is the mean of the terms: their sum is meant, as p already holds the weights.")
def kl_mean(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).mean(-1)


@kl_divergence.misconception("The terms lack their weights: each log(p / q) counts p times, not equally.")
def kl_unweighted(p, q):
    return (p.log() - q.log()).mean(-1)


@kl_divergence.misconception(
    "0 * log 0, and 0 / 0, are nan in floating point. A term with p = 0 is 0: take xlogy(p, p) - xlogy(p, q), which never "
    "divides, or leave such terms out before the division."
)
def kl_nan(p, q):
    return (p * (p / q).log()).sum(-1)


@kl_divergence.misconception(
    "Terms with q = 0 were left out. Where p > 0 they are infinite; leave out only terms with p = 0."
)
def kl_masked_q(p, q):
    keep = (p > 0) & (q > 0)
    return torch.where(keep, p * (torch.where(keep, p, 1.0) / torch.where(keep, q, 1.0)).log(), 0.0).sum(-1)


@kl_divergence.misconception(SMALL_NUMBER, looks=small_number_in("kl_divergence"))
def kl_epsilon(p, q):
    return (p * ((p + 1e-8) / (q + 1e-8)).log()).sum(-1)


@kl_divergence.misconception(SUMS_ALL)
def kl_total(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum()


@kl_divergence.misconception(IN_HALF)
def kl_in_half(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


@kl_divergence.misconception(SMALL_NUMBER, looks=small_number_in("kl_divergence"))
def kl_cut_off(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, torch.where(q > 0, q.clamp(min=1e-7), q))).sum(-1)


@kl_divergence.breaks_rule
def kl_of_torch(p, q):
    return functional.kl_div(q.log(), p, reduction="none").sum(-1)


@kl_divergence.breaks_rule
def kl_of_distributions(p, q):
    return torch.distributions.kl_divergence(Categorical(probs=p), Categorical(probs=q))


@kl_divergence.breaks_rule
def kl_of_scipy(p, q):
    return torch.from_numpy(stats.entropy(p.numpy(), q.numpy(), axis=-1))


@kl_divergence.breaks_rule
def kl_of_scipy_special(p, q):
    return torch.from_numpy(special.kl_div(p.numpy(), q.numpy()).sum(-1))


@kl_divergence.breaks_rule
def kl_by_an_alias(p, q):
    from torch.nn.functional import kl_div as k

    return k(q.log(), p, reduction="none").sum(-1)


@kl_divergence.breaks_rule
def kl_by_getattr(p, q):
    return getattr(torch, "kl_" + "div")(q.log(), p, reduction=0).sum(-1)


@kl_divergence.breaks_rule
def kl_from_helpers(p, q):
    from helpers.information import kl_divergence as ours

    return ours(p, q)


# --------------------------------------------------------------------------------------------- kl_with_torch
# Inputs: as kl_divergence without zeros; probabilities of 1e-30.
@exercise(
    hints=[
        "`torch.nn.functional.kl_div(input, target)` wants log-probabilities first and the target second: the log of q, then p.",
        "The default reduction is a mean over all entries, and 'batchmean' takes the first dimension for the batch. `reduction='none'` leaves the sum to you.",
        "`kl_div(q.log(), p, reduction='none').sum(-1)`, computed in at least float32.",
    ],
    require=["kl_div", "KLDivLoss"],
    forbid=["kl_divergence", "Categorical"],
    modules=["scipy"],
    because="Use torch's own kl_div (torch.nn.functional.kl_div or torch.nn.KLDivLoss).",
)
def kl_with_torch(p, q):
    return special.rel_entr(p.numpy(), q.numpy()).sum(-1)


@kl_with_torch.oracle
def kl_with_torch_by_distributions(p, q):
    return kl_divergence_of_torch(Categorical(probs=p), Categorical(probs=q)) if proper(p, q) else None


@kl_with_torch.criterion(
    "matches the definition", marks=1, says="KL(p, q) in nats over the last dimension, by torch's kl_div"
)
def kl_with_torch_definition(rng):
    n = size(rng, 5, 8)
    yield case(FOUR, OTHER)
    yield case(FOUR, UNIFORM)
    yield case(distribution(rng, n), distribution(rng, n))
    yield case(FOUR, FOUR)


@kl_with_torch.criterion(
    "keeps batches and broadcasts",
    marks=1,
    says=("Sum over the last dimension only", "Leading dimensions broadcast, and may be empty"),
)
def kl_with_torch_batches(rng):
    n = size(rng, 4, 6)
    yield case(*rare(rng))
    yield case(distribution(rng, 3, n), distribution(rng, 3, n))
    yield case(distribution(rng, 2, 1, n), distribution(rng, 3, n))
    yield case(torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, 5, dtype=torch.float64))


@kl_with_torch.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("The answer has the dtype of `p`, and half types are computed in at least float32", "`p` and `q` are not"),
)
def kl_with_torch_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(*close_pair(rng, dtype), unchanged=True)


@kl_with_torch.alternative
def kl_with_torch_none(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    return functional.kl_div(q.to(wide).log(), p.to(wide), reduction="none").sum(-1).to(p.dtype)


@kl_with_torch.alternative
def kl_with_torch_log_target(p, q):
    loss = torch.nn.KLDivLoss(reduction="none", log_target=True)
    return loss(q.double().log(), p.double().log()).sum(dim=-1).to(p.dtype)


@kl_with_torch.alternative
def kl_with_torch_row_by_row(p, q):
    shape = torch.broadcast_shapes(p.shape, q.shape)
    a, b = (x.double().expand(shape).reshape(-1, shape[-1]) for x in (p, q))
    rows = [functional.kl_div(y.log(), x, reduction="sum") for x, y in zip(a, b, strict=True)]
    return torch.tensor([float(row) for row in rows], dtype=p.dtype).reshape(shape[:-1])


@kl_with_torch.alternative
def kl_with_torch_mean_undone(p, q):
    from torch import kl_div

    terms = kl_div(q.double().log(), p.double(), 0)
    return (terms.mean(-1) * p.shape[-1]).to(p.dtype)


@kl_with_torch.misconception(
    "This is KL(q, p): kl_div takes the log of q first and the target p second, the other way round than the formula."
)
def kl_with_torch_swapped(p, q):
    return functional.kl_div(p.log(), q, reduction="none").sum(-1)


@kl_with_torch.misconception(
    "This is divided by the number of entries: reduction='mean' (the default) does that, and for one vector 'batchmean' too. "
    "Use reduction='none' and sum over the last dimension."
)
def kl_with_torch_mean(p, q):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about this reduction, but the number stays wrong
        return functional.kl_div(q.log(), p, reduction="mean")


@kl_with_torch.misconception(
    "reduction='sum' adds up the whole batch: use reduction='none' and sum over the last dimension, so that a batch stays a batch."
)
def kl_with_torch_sum(p, q):
    return functional.kl_div(q.log(), p, reduction="sum")


@kl_with_torch.misconception("The logarithm is missing: kl_div's first argument is log q, not q.")
def kl_with_torch_no_log(p, q):
    return functional.kl_div(q, p, reduction="none").sum(-1)


@kl_with_torch.misconception("The target went in as log p: then kl_div must be told so, with log_target=True.")
def kl_with_torch_log_not_told(p, q):
    return functional.kl_div(q.log(), p.log(), reduction="none").sum(-1)


@kl_with_torch.misconception(
    "log_target=True promises a target in logarithms, but p itself was given: take p.log(), or leave it out."
)
def kl_with_torch_log_promised(p, q):
    return functional.kl_div(q.log(), p, reduction="none", log_target=True).sum(-1)


@kl_with_torch.misconception("The sum over the last dimension is missing: reduction='none' returns the single terms.")
def kl_with_torch_terms(p, q):
    return functional.kl_div(q.log(), p, reduction="none")


@kl_with_torch.misconception("p and q hold probabilities already, not logits: take q.log(), without a softmax.")
def kl_with_torch_logits(p, q):
    return functional.kl_div(q.log_softmax(-1), p, reduction="none").sum(-1)


@kl_with_torch.misconception("p and q hold probabilities already, not logits: neither of them needs a softmax.")
def kl_with_torch_both_logits(p, q):
    return functional.kl_div(q.log_softmax(-1), p.softmax(-1), reduction="none").sum(-1)


@kl_with_torch.misconception(
    "This is how distillation calls kl_div: p and q are probabilities already, so no softmax, and 'batchmean' divides by the "
    "first dimension, so use reduction='none' and sum over the last one."
)
def kl_with_torch_as_in_distillation(p, q):
    return functional.kl_div(q.log_softmax(-1), p.softmax(-1), reduction="batchmean")


@kl_with_torch.misconception("The sum runs over the first dimension; the distribution is the last one (dim=-1).")
def kl_with_torch_first_dimension(p, q):
    return functional.kl_div(q.log(), p, reduction="none").sum(0)


@kl_with_torch.misconception(IN_HALF)
def kl_with_torch_in_half(p, q):
    return functional.kl_div(q.log(), p, reduction="none").sum(-1)


@kl_with_torch.misconception(
    "A small number keeps the logarithm from 0 here, and bends every answer a little. q has no zeros: take q.log() as it is.",
    looks=small_number_in("kl_divergence"),
)
def kl_with_torch_epsilon(p, q):
    return functional.kl_div((q + 1e-8).log(), p, reduction="none").sum(-1)


@kl_with_torch.breaks_rule
def kl_with_torch_by_hand(p, q):
    return (p * (p / q).log()).sum(-1)


@kl_with_torch.breaks_rule
def kl_with_torch_of_distributions(p, q):
    return torch.distributions.kl_divergence(Categorical(probs=p), Categorical(probs=q))


@kl_with_torch.breaks_rule
def kl_with_torch_of_scipy(p, q):
    return torch.from_numpy(special.kl_div(p.numpy(), q.numpy()).sum(-1))


@kl_with_torch.breaks_rule
def kl_with_torch_by_import(p, q):
    functional = __import__("importlib").import_module("torch.nn.functional")
    return functional.kl_div(q.log(), p, reduction="none").sum(-1)


@kl_with_torch.breaks_rule
def kl_with_torch_from_helpers(p, q):
    from helpers import information

    functional.kl_div(q.log(), p, reduction="none")
    return information.kl_divergence(p, q)


# ------------------------------------------------------------------------------------------------ perplexity
# Inputs: as cross_entropy; 90 results, whose perplexity half types round.
@exercise(
    hints=[
        "First the cross-entropy in nats, -sum p log q, then its exponential.",
        "Base and exponent go together: exp for nats, 2 ** for bits.",
        "`(-torch.special.xlogy(p, q).sum(-1)).exp()`: one perplexity for each row. For half types take `.float()` first and `.to(p.dtype)` last.",
    ],
    forbid=["cross_entropy", "CrossEntropyLoss", "Categorical", "entropy", "kl_divergence", "perplexity"],
    because="Write the sum yourself; xlogy and entr are allowed.",
)
def perplexity(p, q):
    return np.exp(-special.xlogy(p.numpy(), q.numpy()).sum(-1))


@perplexity.oracle
def geometric_mean(p, q):
    with np.errstate(divide="ignore"):
        return np.prod(np.power(1 / q.numpy(), p.numpy()), axis=-1)


@perplexity.criterion("matches the definition", marks=1, says="The exponential of the cross-entropy in nats")
def perplexity_definition(rng):
    n = size(rng, 5, 8)
    yield case(FOUR, OTHER)
    yield case(FOUR, UNIFORM)
    yield case(UNIFORM, FOUR)
    yield case(distribution(rng, n), distribution(rng, n))


@perplexity.criterion(
    "0 log 0 is 0, an impossible result is infinitely perplexing",
    marks=0.5,
    says="The conventions of `cross_entropy` hold",
)
def perplexity_zeros(rng):
    n = size(rng, 5, 7)
    yield case(*rare(rng))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.75, 0.0]))
    yield case(tensor([0.5, 0.5, 0.0]), tensor([0.25, 0.0, 0.75]))
    yield case(distribution(rng, n, zeros=2), distribution(rng, n))


@perplexity.criterion(
    "keeps batches, the dtype and its inputs",
    marks=0.5,
    says="batches (leading dimensions broadcast), dtype (half types included) and inputs",
)
def perplexity_batches(rng):
    yield from batches_of_two(rng)
    for dtype in (torch.float64, torch.float32):
        yield case(on_grid(rng, 2, 6, dtype=dtype), on_grid(rng, 2, 6, least=1, dtype=dtype), unchanged=True)
    for dtype in HALF:  # so many results that the cross-entropy must not be rounded to a half type before exp
        yield case(on_grid(rng, 8, 90, dtype=dtype), on_grid(rng, 8, 90, least=1, dtype=dtype), unchanged=True)


@perplexity.alternative
def perplexity_exp(p, q):
    wide = torch.promote_types(p.dtype, torch.float32)
    return torch.exp(-torch.special.xlogy(p.to(wide), q.to(wide)).sum(-1)).to(p.dtype)


@perplexity.alternative
def perplexity_from_bits(p, q):
    bits = -(p.double() * torch.log2(q.double())).nansum(-1)
    return (2**bits).to(p.dtype)


@perplexity.alternative
def perplexity_product(p, q):
    return torch.prod(q.double() ** -p.double(), dim=-1).to(p.dtype)


@perplexity.alternative
def perplexity_in_numpy(p, q):
    a, b = np.broadcast_arrays(p.double().numpy(), q.double().numpy())
    logs = np.log(np.where(a > 0, b, 1), where=np.where(a > 0, b, 1) > 0, out=np.full(a.shape, -np.inf))
    total = np.einsum("...i,...i->...", a, np.where(a > 0, logs, 0))
    return torch.tensor(np.exp(-total), dtype=p.dtype)


@perplexity.misconception(
    "2 ** belongs to bits and exp to nats: this raises 2 to the power of a cross-entropy in nats."
)
def perplexity_two_to_nats(p, q):
    return 2 ** -torch.special.xlogy(p, q).sum(-1)


@perplexity.misconception("exp belongs to nats and 2 ** to bits: this takes exp of a cross-entropy in bits.")
def perplexity_exp_of_bits(p, q):
    return (-torch.special.xlogy(p, q).sum(-1) / np.log(2)).exp()


@perplexity.misconception("This is the cross-entropy itself: the perplexity is its exponential.")
def perplexity_no_exp(p, q):
    return -torch.special.xlogy(p, q).sum(-1)


@perplexity.misconception("The minus sign is missing, so this is 1 / perplexity: a perplexity is at least 1.")
def perplexity_inverse(p, q):
    return torch.special.xlogy(p, q).sum(-1).exp()


@perplexity.misconception("This is exp of the entropy H(p): q belongs in the logarithm.")
def perplexity_of_entropy(p, q):
    return (torch.special.entr(p) + 0 * q).sum(-1).exp()


@perplexity.misconception("This is exp of KL(p, q): the perplexity takes the whole cross-entropy, H(p) included.")
def perplexity_of_divergence(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1).exp()


@perplexity.misconception(
    "This is 1 / sum p q, the inverse of the mean probability. The mean is taken of -log q, and exp comes last."
)
def perplexity_of_the_mean_probability(p, q):
    return 1 / (p * q).sum(-1)


@perplexity.misconception("The arguments are swapped: p gives the weights, q goes into the logarithm.")
def perplexity_swapped(p, q):
    return (-torch.special.xlogy(q, p).sum(-1)).exp()


@perplexity.misconception(
    "This is the mean of 1 / q. The perplexity is the exponential of a mean, not the mean of exponentials."
)
def perplexity_mean_of_inverses(p, q):
    return (p / q).sum(-1)


@perplexity.misconception(
    "0 * log 0 is nan in floating point. Its limit is 0: use xlogy, or leave terms with p = 0 out."
)
def perplexity_nan(p, q):
    return (-(p * q.log()).sum(-1)).exp()


@perplexity.misconception(
    "Terms with q = 0 were left out. Where p > 0 they cost infinitely much; leave out only terms with p = 0."
)
def perplexity_masked_q(p, q):
    return (-(p * torch.where(q > 0, q, 1.0).log()).sum(-1)).exp()


@perplexity.misconception(SMALL_NUMBER, looks=small_number_in("perplexity"))
def perplexity_epsilon(p, q):
    return (-(p * (q + 1e-8).log()).sum(-1)).exp()


@perplexity.misconception("This is one perplexity for the whole batch: take exp of each row's cross-entropy.")
def perplexity_of_the_batch(p, q):
    return (-torch.special.xlogy(p, q).sum(-1).mean()).exp()


@perplexity.misconception(IN_HALF)
def perplexity_in_half(p, q):
    return (-torch.special.xlogy(p, q).sum(-1)).exp()


@perplexity.breaks_rule
def perplexity_of_torch(p, q):
    return functional.cross_entropy(q.log(), p).exp()


@perplexity.breaks_rule
def perplexity_by_parts(p, q):
    return torch.exp(torch.from_numpy(stats.entropy(p, axis=-1) + stats.entropy(p, q, axis=-1)))


@perplexity.breaks_rule
def perplexity_by_eval(p, q):
    return torch.exp(eval("torch.nn.functional.cross_entropy(q.log(), p)"))


@perplexity.breaks_rule
def perplexity_from_helpers(p, q):
    from helpers.information import cross_entropy as h

    return h(p, q).exp()


# ------------------------------------------------------------------------------------- max_entropy_with_mean
# Inputs: 2 to 7 values, 1e-7 to 200 apart, in any order; means to 1% of either end, where lam is steepest.
@exercise(
    hints=[
        "The answer has the form p_i = exp(lam * values_i) / sum_j exp(lam * values_j): only the one number lam is unknown.",
        "The mean of that p grows with lam, so a root finder such as `scipy.optimize.brentq` finds the lam whose mean fits. "
        "Subtract the mean from the values and divide by max - min first, and one bracket serves all values.",
        "`torch.softmax(lam * scaled, -1)` is that p without overflow; widen the bracket until the mean is crossed, and raise ValueError unless min < mean < max.",
    ],
    because="Find lam yourself.",
)
def max_entropy_with_mean(values, mean):
    v = values.numpy()
    if not v.min() < mean < v.max():
        raise ValueError("the mean must lie strictly between the extreme values")
    scaled = (v - mean) / (v.max() - v.min())
    reach = 1.0
    while special.softmax(-reach * scaled) @ scaled > 0 or special.softmax(reach * scaled) @ scaled < 0:
        reach *= 2
    lam = optimize.brentq(lambda lam: special.softmax(lam * scaled) @ scaled, -reach, reach, xtol=1e-15)
    return special.softmax(lam * scaled)


@max_entropy_with_mean.oracle(rtol=1e-4)
def largest_entropy_by_search(values, mean):
    v = values.numpy()
    if not v.min() < mean < v.max():
        return None
    scaled = (v - mean) / (v.max() - v.min())
    found = optimize.minimize(
        lambda p: -special.entr(p).sum(),
        np.full(len(v), 1 / len(v)),
        jac=lambda p: np.log(np.maximum(p, 1e-12)) + 1,
        bounds=[(0, 1)] * len(v),
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1, "jac": lambda p: np.ones(len(v))},
            {"type": "eq", "fun": lambda p: p @ scaled, "jac": lambda p: scaled},
        ],
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return found.x


MAX_ENTROPY = {"rtol": 1e-8, "atol": 1e-8}
FACES = torch.arange(1, 7, dtype=torch.float64)


def uneven(rng, n, scale=1.0, dtype=torch.float64):
    """Distinct values in no order and at uneven distances; small multiples of 1/8, so that half types hold them."""
    steps = rng.integers(1, 9, size=n)
    return torch.from_numpy(rng.permutation(steps.cumsum() / 8 - 1.5) * scale).to(dtype)


def between(values, share):
    """The mean that lies this share of the way from the smallest value to the largest."""
    low, high = float(values.min()), float(values.max())
    return round(low + share * (high - low), 9)


@max_entropy_with_mean.criterion(
    "matches the definition", marks=1.5, says="The distribution of largest entropy on `values` with this mean"
)
def max_entropy_definition(rng):
    yield case(tensor([2.0, 1.0, 7.0, 4.0]), 4.5, **MAX_ENTROPY)
    yield case(FACES, 4.5, **MAX_ENTROPY)
    yield case(FACES, number(rng, 1.5, 3.2), **MAX_ENTROPY)
    values = uneven(rng, size(rng, 4, 6)).sort().values
    yield case(values, between(values, number(rng, 0.55, 0.75)), **MAX_ENTROPY)


@max_entropy_with_mean.criterion(
    "takes values in any order, of any size, and repeated ones",
    marks=1,
    says="of any size, may come in any order and repeat",
)
def max_entropy_values(rng):
    for scale in (1.0, 200.0, 0.01, 1e-7):
        values = uneven(rng, size(rng, 5, 7), scale)
        yield case(values, between(values, number(rng, 0.2, 0.4)), **MAX_ENTROPY)
    values = tensor([3.0, -1.0, 3.0, 0.0, -1.0])
    yield case(values, number(rng, 1.0, 2.5), **MAX_ENTROPY)
    yield case(FACES, 3.5, **MAX_ENTROPY)


@max_entropy_with_mean.criterion(
    "finds steep answers too",
    marks=0.5,
    says="Subtract the largest exponent before `exp`, or a steep $\\lambda$ overflows",
)
def max_entropy_steep(rng):
    yield case(FACES, number(rng, 1.02, 1.1), **MAX_ENTROPY)
    values = uneven(rng, 6)
    yield case(values, between(values, number(rng, 0.97, 0.99)), **MAX_ENTROPY)
    yield case(tensor([2.0, -1.0]), number(rng, 1.0, 1.9), **MAX_ENTROPY)


@max_entropy_with_mean.criterion(
    "keeps the dtype and its input",
    marks=0.25,
    says=("The answer has the dtype of `values`; half types are computed in at least float32", "They are not changed"),
)
def max_entropy_dtypes(rng):
    values = uneven(rng, 5)
    yield case(values, between(values, number(rng, 0.1, 0.2)), unchanged=True, **MAX_ENTROPY)
    for dtype in (torch.float32, *HALF):
        values = uneven(rng, 5, dtype=dtype)
        yield case(values, between(values, number(rng, 0.3, 0.7)), unchanged=True)


@max_entropy_with_mean.criterion(
    "refuses a mean that no distribution can have", marks=0.25, says="Raise `ValueError` unless"
)
def max_entropy_refuses(rng):
    values = uneven(rng, 5)
    yield raises("ValueError", FACES, 6.0)
    yield raises("ValueError", FACES, 1.0)
    yield raises("ValueError", values, float(values.max()) + 0.5)
    yield raises("ValueError", values, float(values.min()) - 2.0)


@max_entropy_with_mean.alternative
def max_entropy_brentq(values, mean):
    v = values.double().numpy()
    low, high = v.min(), v.max()
    if mean <= low or mean >= high:
        raise ValueError(f"{mean} is not between {low} and {high}")

    def weights(lam):
        exponents = lam * v
        w = np.exp(exponents - exponents.max())
        return w / w.sum()

    wide = 1000 / (high - low)
    lam = optimize.brentq(lambda lam: weights(lam) @ v - mean, -wide, wide)
    return torch.from_numpy(weights(lam)).to(values.dtype)


@max_entropy_with_mean.alternative
def max_entropy_bisection(values, mean):
    v = values.to(torch.float64)
    if not (v.min() < mean).item() or not (mean < v.max()).item():
        raise ValueError("mean must be inside the range of the values")
    below, above = -1e4 / (v.max() - v.min()), 1e4 / (v.max() - v.min())
    for _ in range(70):
        middle = (below + above) / 2
        if torch.softmax(middle * v, 0).dot(v) < mean:
            below = middle
        else:
            above = middle
    return torch.softmax(middle * v, 0).to(values.dtype)


@max_entropy_with_mean.alternative
def max_entropy_newton(values, mean):
    v = values.double()
    if not v.amin() < mean < v.amax():
        raise ValueError
    x = (v - mean) / (v.amax() - v.amin())
    lam = torch.zeros((), dtype=torch.float64)
    for _ in range(50):
        p = torch.softmax(lam * x, -1)
        slope = (p * x).sum()
        step = slope / ((p * x * x).sum() - slope**2).clamp_min(1e-300)
        length = 1.0
        while torch.logsumexp((lam - length * step) * x, -1) > torch.logsumexp(lam * x, -1) + 1e-15 and length > 1e-9:
            length /= 2
        lam = lam - length * step
    return torch.softmax(lam * x, -1).type_as(values)


@max_entropy_with_mean.alternative
def max_entropy_dual(values, mean):
    v = values.numpy().astype(float) if values.dtype != torch.bfloat16 else values.float().numpy().astype(float)
    if not min(v) < mean < max(v):
        raise ValueError("no distribution on these values has this mean")
    x = (v - mean) / np.ptp(v)
    found = optimize.minimize(
        lambda lam: special.logsumexp(lam * x),
        np.zeros(1),
        jac=lambda lam: np.array([special.softmax(lam * x) @ x]),
        hess=lambda lam: np.array([[special.softmax(lam * x) @ x**2 - (special.softmax(lam * x) @ x) ** 2]]),
        method="trust-exact",
        options={"gtol": 1e-13, "maxiter": 1000},
    )
    return torch.tensor(special.softmax(found.x * x), dtype=values.dtype)


@max_entropy_with_mean.misconception("This leaves out the mean: without it the uniform distribution would be right.")
def max_entropy_uniform(values, mean):
    return torch.full_like(values, 1 / len(values))


@max_entropy_with_mean.misconception(
    "The mean is right, but other distributions with this mean have a larger entropy: the weights grow exponentially, not along a line."
)
def max_entropy_line(values, mean):
    x = values - values.mean()
    return 1 / len(values) + x * (mean - values.mean()) / (x**2).sum()


@max_entropy_with_mean.misconception(
    "The mean is right, but with all the weight on the extreme values the entropy is small: every value gets exp(lam * value)."
)
def max_entropy_ends(values, mean):
    p = torch.zeros_like(values)
    low, high = values.min(), values.max()
    p[values.argmin()] = (high - mean) / (high - low)
    p[values.argmax()] = (mean - low) / (high - low)
    return p


@max_entropy_with_mean.misconception(
    "This is a bell around the mean. Only the mean is given, not a variance: the exponent is lam * value, without a square."
)
def max_entropy_bell(values, mean):
    return torch.softmax(-((values - mean) ** 2) / 2, -1)


@max_entropy_with_mean.misconception(
    "This takes the mean itself as lam: lam must be found so that the mean comes out right."
)
def max_entropy_mean_as_multiplier(values, mean):
    return torch.softmax(values * mean, -1)


@max_entropy_with_mean.misconception("This tilts by position, 0, 1, 2, ...: the exponent is lam times the value.")
def max_entropy_by_position(values, mean):
    v, places = values.double().numpy(), np.arange(len(values)) / len(values)
    if not v.min() < mean < v.max():
        raise ValueError
    grid = np.linspace(-200, 200, 4001)
    means = special.softmax(np.outer(grid, places), axis=-1) @ v
    found = grid[np.abs(means - mean).argmin()]
    lam = optimize.fminbound(
        lambda lam: (special.softmax(lam * places) @ v - mean) ** 2, found - 0.1, found + 0.1, xtol=1e-14
    )
    return torch.from_numpy(special.softmax(lam * places)).to(values.dtype)


@max_entropy_with_mean.misconception("These weights do not sum to 1: divide exp(lam * values) by its sum.")
def max_entropy_unnormalised(values, mean):
    return (multiplier(values, mean) * values.double()).exp().to(values.dtype)


@max_entropy_with_mean.misconception("This is lam, the multiplier: return the probabilities, softmax(lam * values).")
def max_entropy_multiplier(values, mean):
    return multiplier(values, mean)


@max_entropy_with_mean.misconception(
    "The probabilities are in the order of the sorted values: return them in the order of `values`."
)
def max_entropy_sorted(values, mean):
    v = values.double().sort().values
    return torch.softmax(multiplier(values, mean) * v, -1).to(values.dtype)


@max_entropy_with_mean.misconception(
    "exp overflows for large values: subtract the largest exponent first, or use softmax."
)
def max_entropy_overflow(values, mean):
    v = values.double().numpy()
    if not v.min() < mean < v.max():
        raise ValueError

    def weights(lam):
        with np.errstate(all="ignore"):
            w = np.exp(lam * v)
            return w / w.sum()

    lam = optimize.brentq(lambda lam: weights(lam) @ v - mean, -40, 40, xtol=1e-14)
    return torch.from_numpy(weights(lam)).to(values.dtype)


@max_entropy_with_mean.misconception(
    "The root lies outside of the bracket: a steep answer needs a lam far from 0. Widen the bracket until the mean is crossed, "
    "or divide the values by max - min first."
)
def max_entropy_narrow_bracket(values, mean):
    v = values.double().numpy()
    if not v.min() < mean < v.max():
        raise ValueError
    lam = optimize.brentq(lambda lam: special.softmax(lam * v) @ v - mean, -1, 1, xtol=1e-14)
    return torch.from_numpy(special.softmax(lam * v)).to(values.dtype)


@max_entropy_with_mean.misconception(
    "A mean at or beyond the extreme values needs a ValueError; a root finder that ends at its bracket's edge does not say so."
)
def max_entropy_unchecked(values, mean):
    v = values.double()
    below, above = (torch.tensor(sign * 1e4, dtype=torch.float64) / (v.max() - v.min()) for sign in (-1, 1))
    for _ in range(70):
        middle = (below + above) / 2
        below, above = (middle, above) if torch.softmax(middle * v, 0) @ v < mean else (below, middle)
    return torch.softmax(middle * v, 0).to(values.dtype)


def roughly_right(one):
    """How an answer looks that is right to a few digits only."""
    if isinstance(one.expected, dict):
        return None
    return max_entropy_with_mean.expectation(one) | {"rtol": 1e-2, "atol": 1e-3}


@max_entropy_with_mean.misconception(
    "Nearly right, but not to 1e-8: a minimiser such as SLSQP stops when the entropy hardly changes, and there p may still "
    "move. Solve for the one unknown, lam, with a root finder.",
    looks=roughly_right,
)
def max_entropy_by_a_minimiser(values, mean):
    v = values.double().numpy()
    if not v.min() < mean < v.max():
        raise ValueError
    found = optimize.minimize(
        lambda p: -special.entr(np.maximum(p, 0)).sum(),
        np.full(len(v), 1 / len(v)),
        bounds=[(0, 1)] * len(v),
        constraints=[{"type": "eq", "fun": lambda p: p.sum() - 1}, {"type": "eq", "fun": lambda p: p @ v - mean}],
    )
    return torch.from_numpy(found.x).to(values.dtype)


def multiplier(values, mean):
    """lam of the right answer, for the mistakes that end badly with it."""
    p = max_entropy_with_mean(values.double(), mean)
    low, high = values.argmin(), values.argmax()
    return float((np.log(p[high]) - np.log(p[low])) / (values.double()[high] - values.double()[low]))


@max_entropy_with_mean.breaks_rule
def max_entropy_from_helpers(values, mean):
    from helpers.information import max_entropy_with_mean as ours

    return ours(values, mean)


@max_entropy_with_mean.breaks_rule
def max_entropy_from_helpers_whole(values, mean):
    import helpers

    return helpers.information.max_entropy_with_mean(values, mean)


@max_entropy_with_mean.breaks_rule
def max_entropy_by_importlib(values, mean):
    import importlib

    return importlib.import_module("helpers.information").max_entropy_with_mean(values, mean)


# -------------------------------------------------------------------------------------- huffman_code_lengths
# Inputs: 1 to 40 symbols, zeros, ties, codes of 12 bits.
@exercise(
    hints=[
        "Join the two least likely groups of symbols again and again; a join makes every symbol in them one bit longer.",
        "`heapq` hands out the smallest item: put (probability, symbols) in, take two out, put the joined one back, until one is left.",
        "Start with the symbols of p > 0 only, each as `(weight, [index])`; for each join add 1 to `lengths[i]` for every i of both groups. "
        "One symbol alone is never joined: give it length 1.",
    ],
    forbid=["huffman", "dahuffman"],
    because="Build the code yourself; heapq is allowed.",
)
def huffman_code_lengths(p):
    lengths = [0] * len(p)
    groups = sorted([weight, [i]] for i, weight in enumerate(p.tolist()) if weight > 0)
    if len(groups) == 1:
        lengths[groups[0][1][0]] = 1
    while len(groups) > 1:
        (a, left), (b, right), *rest = groups
        for i in left + right:
            lengths[i] += 1
        groups = sorted([*rest, [a + b, left + right]])
    return lengths


@huffman_code_lengths.oracle
def best_of_all_codes(p):
    used = sorted((weight for weight in p.tolist() if weight > 0), reverse=True)
    if len(used) > 9:
        return None
    feasible = (
        lengths
        for lengths in itertools.combinations_with_replacement(range(1, max(2, len(used))), len(used))
        if sum(2.0**-n for n in lengths) <= 1
    )
    best = iter(min(feasible, key=lambda lengths: sum(x * n for x, n in zip(used, lengths, strict=True))))
    lengths = [0] * len(p)
    for i in sorted(range(len(p)), key=lambda i: -p[i].item()):
        lengths[i] = next(best) if p[i] > 0 else 0
    return lengths


def coded(p, **options):
    """A case for any optimal code of p."""
    lengths = torch.tensor(huffman_code_lengths(p.double()), dtype=torch.float64)
    mean = float((p.double() * lengths).sum())
    expected = {"judge": "prefix_code", "p": plain.encode(p), "mean_length": mean}
    dtype = str(p.dtype).removeprefix("torch.")
    return case(p, expected=expected, dtype=dtype, text=f"code lengths with a mean of {mean:.6g} bits", **options)


@huffman_code_lengths.criterion(
    "an optimal code", marks=1.5, says="Code lengths in bits of an optimal binary prefix code for p"
)
def huffman_definition(rng):
    yield coded(tensor([0.37, 0.15, 0.14, 0.06, 0.11, 0.17]))
    yield coded(FOUR)
    yield coded(tensor([0.15, 0.35, 0.16, 0.17, 0.17]))
    yield coded(distribution(rng, size(rng, 5, 8)))


@huffman_code_lengths.made_small
def huffman_small(p):
    yield coded(p)


@huffman_code_lengths.criterion(
    "symbols that never occur, and one alone",
    marks=1,
    says="A symbol of probability 0 gets length 0. If only one symbol occurs, it gets length 1",
)
def huffman_edges(rng):
    yield coded(tensor([0.9, 0.1]))
    yield coded(tensor([0.3, 0.0, 0.6, 0.1]))
    yield coded(tensor([1.0]))
    yield coded(tensor([0.0, 1.0, 0.0]))
    yield coded(distribution(rng, size(rng, 6, 8), zeros=2))


@huffman_code_lengths.criterion(
    "many symbols, ties and long codes",
    marks=0.5,
    says=("Any optimal code counts, however it breaks ties", "`p` may have hundreds of symbols"),
)
def huffman_large(rng):
    n = size(rng, 9, 13)
    halves = torch.tensor([2.0**-i for i in range(1, n)] + [2.0 ** -(n - 1)], dtype=torch.float64)
    yield coded(torch.full((n,), 1 / n, dtype=torch.float64))
    yield coded(halves[torch.from_numpy(rng.permutation(n))])
    yield coded(distribution(rng, size(rng, 30, 40)))


@huffman_code_lengths.criterion(
    "any dtype, and its input unchanged", marks=0.5, says="any floating dtype; it is not changed"
)
def huffman_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield coded(on_grid(rng, 1, 6, dtype=dtype)[0], unchanged=True)


@huffman_code_lengths.alternative
def huffman_by_heap(p):
    heap = [(x.item(), i, [i]) for i, x in enumerate(p.double()) if x > 0]
    lengths = torch.zeros(len(p), dtype=torch.int64)
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
        return lengths
    heapq.heapify(heap)
    fresh = len(p)
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        lengths[a[2] + b[2]] += 1
        heapq.heappush(heap, (a[0] + b[0], fresh, a[2] + b[2]))
        fresh += 1
    return lengths


@huffman_code_lengths.alternative
def huffman_by_tree(p):
    nodes = [(weight, i) for i, weight in enumerate(p.tolist()) if weight > 0]
    lengths = {}

    def walk(node, depth):
        if isinstance(node, tuple):
            for child in node:
                walk(child, depth + 1)
        else:
            lengths[node] = max(depth, 1)

    while len(nodes) > 1:
        nodes.sort(key=lambda node: node[0], reverse=True)
        (a, right), (b, left) = nodes.pop(), nodes.pop()
        nodes.append((a + b, (left, right)))
    walk(nodes[0][1], 0)
    return tuple(lengths.get(i, 0) for i in range(len(p)))


@huffman_code_lengths.alternative
def huffman_by_two_queues(p):
    weights = p.double().numpy()
    leaves = [(weights[i], i) for i in np.argsort(weights, kind="stable") if weights[i] > 0]
    inner, parent = [], {}
    for made in range(len(p), len(p) + len(leaves) - 1):
        total = 0.0
        for _ in range(2):
            source = leaves if leaves and (not inner or leaves[0] <= inner[0]) else inner
            weight, node = source.pop(0)
            parent[node] = made
            total += weight
        inner.append((total, made))
    lengths = np.zeros(len(p), dtype=np.int32)
    for i in range(len(p)):
        node = i
        while node in parent:
            node = parent[node]
            lengths[i] += 1
    if (weights > 0).sum() == 1:
        lengths[weights > 0] = 1
    return lengths


@huffman_code_lengths.alternative
def huffman_by_coins(p):
    """The package-merge algorithm of Larmore and Hirschberg (1990): no tree is ever built."""
    coins = sorted((x, (i,)) for i, x in enumerate(p.tolist()) if x > 0)
    if len(coins) == 1:
        return [np.int64(x > 0) for x in p.tolist()]
    row = coins
    for _ in range(len(coins) - 2):
        pairs = zip(row[::2], row[1::2], strict=False)
        row = sorted([*coins, *((a[0] + b[0], a[1] + b[1]) for a, b in pairs)])
    lengths = [0] * len(p)
    for _, symbols in row[: 2 * len(coins) - 2]:
        for i in symbols:
            lengths[i] += 1
    return lengths


@huffman_code_lengths.misconception(
    "This is Shannon's code, -log2 p rounded up: a prefix code, but seldom the best. Join the two least likely symbols instead."
)
def huffman_shannon(p):
    return [max(1, math.ceil(-math.log2(x) - 1e-9)) if x > 0 else 0 for x in p.tolist()]


@huffman_code_lengths.misconception(
    "-log2 p is the ideal length, not a code's: a code word has a whole number of bits."
)
def huffman_ideal(p):
    return torch.where(p > 0, -torch.where(p > 0, p, 1.0).log2(), 0.0)


@huffman_code_lengths.misconception(
    "-log2 p rounded to the nearest number need not be a code at all: check Kraft's sum."
)
def huffman_rounded(p):
    return [max(1, round(-math.log2(x))) if x > 0 else 0 for x in p.tolist()]


@huffman_code_lengths.misconception("All code words are equally long here: frequent symbols deserve shorter ones.")
def huffman_fixed(p):
    bits = max(1, math.ceil(math.log2(max(1, int((p > 0).sum())))))
    return [bits if x > 0 else 0 for x in p.tolist()]


@huffman_code_lengths.misconception(
    "Symbols of probability 0 were given code words: leave them out before the first join; their length is 0."
)
def huffman_codes_zeros(p):
    return huffman_lengths(p.tolist())


@huffman_code_lengths.misconception(
    "A single symbol still needs 1 bit: with nothing to join, its length stays 0 unless it is set."
)
def huffman_single(p):
    return huffman_lengths(p.tolist(), keep=lambda x: x > 0)


@huffman_code_lengths.misconception(
    "Splitting from the top into two equally likely halves is Fano's code, which is not always the best. Join from the bottom."
)
def huffman_fano(p):
    order = [i for i in sorted(range(len(p)), key=lambda i: -p[i].item()) if p[i] > 0]
    lengths = [0] * len(p)

    def split(part):
        if len(part) < 2:
            return
        weights = p[part].double().cumsum(0)
        cut = 1 + int((2 * weights[:-1] - weights[-1]).abs().argmin())
        for i in part:
            lengths[i] += 1
        split(part[:cut])
        split(part[cut:])

    split(order)
    if len(order) == 1:
        lengths[order[0]] = 1
    return lengths


@huffman_code_lengths.misconception("The lengths are sorted, but p is not: return them in the order of p.")
def huffman_sorted(p):
    return sorted(huffman_code_lengths(p))


@huffman_code_lengths.misconception(
    "This joins the two most likely symbols, so that they get the longest codes: join the two least likely ones."
)
def huffman_largest(p):
    lengths = huffman_lengths([-x for x in p.tolist()], keep=lambda x: x < 0)
    return [1 if x > 0 and n == 0 else n for x, n in zip(p.tolist(), lengths, strict=True)]


@huffman_code_lengths.misconception(
    "The joined group was not put back in order: after each join take the two least likely groups of all, joined ones among them."
)
def huffman_chain(p):
    order = [i for i in sorted(range(len(p)), key=lambda i: p[i].item()) if p[i] > 0]
    lengths = [0] * len(p)
    for rank, i in enumerate(order):
        lengths[i] = max(1, len(order) - max(rank, 1))
    return lengths


@huffman_code_lengths.misconception("Every length is one too large: the root of the tree costs no bit.")
def huffman_counts_nodes(p):
    return [n + 1 if n else 0 for n in huffman_code_lengths(p)]


def error_at_a_tie(one):
    """How an answer looks that cannot order two groups of one weight."""
    joins = [x for x in one.arguments[0].tolist() if x > 0]
    heapq.heapify(joins)
    while len(joins) > 1:
        pair = heapq.heappop(joins), heapq.heappop(joins)
        if pair[0] == pair[1] or (joins and pair[1] == joins[0]):
            return {"judge": "raises", "error": "TypeError"}
        heapq.heappush(joins, sum(pair))
    return None


@huffman_code_lengths.misconception(
    "Where two weights are equal heapq compares what stands behind them, and cannot. Put a number that never repeats "
    "between: (weight, count, group).",
    looks=error_at_a_tie,
)
def huffman_compares_groups(p):
    heap = [(x, {i: 0}) for i, x in enumerate(p.tolist()) if x > 0]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a + b, {i: n + 1 for i, n in (left | right).items()}))
    return [max(1, heap[0][1][i]) if i in heap[0][1] else 0 for i in range(len(p))]


@huffman_code_lengths.misconception("This is the mean code length: return the length of every symbol's code.")
def huffman_mean(p):
    return float(sum(x * n for x, n in zip(p.tolist(), huffman_code_lengths(p), strict=True)))


def huffman_lengths(weights, keep=lambda x: True):
    """Huffman's joins and nothing around them, for the mistakes that are made around them."""
    lengths = [0] * len(weights)
    heap = [(x, [i]) for i, x in enumerate(weights) if keep(x)]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        for i in left + right:
            lengths[i] += 1
        heapq.heappush(heap, (a + b, left + right))
    return lengths


@huffman_code_lengths.breaks_rule
def huffman_from_helpers(p):
    from helpers.information import huffman_code_lengths as ours

    return ours(p)


@huffman_code_lengths.breaks_rule
def huffman_from_a_library(p):
    from dahuffman import HuffmanCodec

    return [len(word) for word in HuffmanCodec.from_frequencies(dict(enumerate(p.tolist())))]


@huffman_code_lengths.breaks_rule
def huffman_by_exec(p):
    space = {}
    exec("from helpers import information", space)
    return space["information"].huffman_code_lengths(p)


# ---------------------------------------------------------------------------------------------- f_divergence
# Inputs: as kl_divergence with q > 0: ratios p / q from 0 to 1e29; f that is no divergence.
@exercise(
    stretch=True,
    hints=[
        "Three steps: the ratio t = p / q, then f(t), then the sum of q f(t) over the last dimension.",
        "The weights are q, and nothing is left out: where p = 0 the term is q f(0). Half types are computed in float32.",
        "`wide = torch.promote_types(p.dtype, torch.float32)`, `a, b = p.to(wide), q.to(wide)`, `(b * f(a / b)).sum(-1).to(p.dtype)`.",
    ],
    because="Write the sum yourself.",
)
def f_divergence(p, q, f):
    return torch.einsum("...i,...i->...", *torch.broadcast_tensors(q, f(p / q)))


CLOSED_FORMS = {
    "kl_generator": lambda p, q: special.rel_entr(p, q).sum(-1),
    "reverse_kl_generator": lambda p, q: special.rel_entr(q, p).sum(-1),
    "total_variation_generator": lambda p, q: np.maximum(p - q, 0).sum(-1),
    "chi_squared_generator": lambda p, q: (p**2 / q).sum(-1) - 1,
    "hellinger_generator": lambda p, q: 1 - np.sqrt(p * q).sum(-1),
    "jensen_shannon_generator": lambda p, q: distance.jensenshannon(p, q, axis=-1) ** 2,
}


@f_divergence.oracle
def by_closed_form(p, q, f):
    name = f.__qualname__.split(".")[0]
    if name not in CLOSED_FORMS or not proper(p, q):
        return None
    return CLOSED_FORMS[name](*np.broadcast_arrays(p.numpy(), q.numpy()))


def random_power(rng):
    """f(t) = offset + t^power with numbers of the submission's own: no f that a table could know."""
    return Function("offset_power_generator", (number(rng, 1.2, 2.5), number(rng, -1.5, 1.5)))


@f_divergence.criterion("matches the definition", marks=1, says="sum q f(p / q) over the last dimension")
def f_definition(rng):
    n = size(rng, 4, 6)
    yield case(FOUR, OTHER, Function("offset_power_generator", (2.0, 0.5)))
    yield case(FOUR, UNIFORM, Function("kl_generator"))
    yield case(distribution(rng, n), distribution(rng, n), random_power(rng))
    yield case(distribution(rng, n), distribution(rng, n), Function("chi_squared_generator"))


@f_divergence.criterion("takes any f", marks=0.5, says="`f` works elementwise on tensors")
def f_any(rng):
    p, q = distribution(rng, 5), distribution(rng, 5)
    for name in CLOSED_FORMS:
        yield case(p, q, Function(name))


@f_divergence.criterion("p may hold zeros", marks=0.5, says="$p$ may have zeros, and then `f` is finite at 0")
def f_zeros(rng):
    yield case(*rare(rng), Function("kl_generator"))
    yield case(tensor([0.5, 0.5, 0.0, 0.0]), tensor([0.25, 0.25, 0.25, 0.25]), random_power(rng))
    yield case(distribution(rng, 6, zeros=2), distribution(rng, 6), Function("hellinger_generator"))
    yield case(distribution(rng, 2, 5, zeros=1), distribution(rng, 2, 5), Function("kl_generator"))


@f_divergence.criterion(
    "keeps batches and broadcasts", marks=0.5, says="Batches, dtype and inputs as before: leading dimensions broadcast"
)
def f_batches(rng):
    for one in batches_of_two(rng):
        yield case(*one.arguments, random_power(rng))


@f_divergence.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("Batches, dtype and inputs as before", "half types are computed in at least float32"),
)
def f_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(*close_pair(rng, dtype), Function("kl_generator"), unchanged=True)


@f_divergence.alternative
def f_plain(p, q, f):
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    return (b * f(a / b)).sum(-1).to(p.dtype)


@f_divergence.alternative
def f_with_the_slope_at_infinity(p, q, f):
    """The full definition, which says what a term with q = 0 is worth."""
    a, b = torch.broadcast_tensors(p.double(), q.double())
    slope = f(torch.tensor(1e12, dtype=torch.float64)) / 1e12
    terms = torch.where(b > 0, b * f(a / torch.where(b > 0, b, 1.0)), a * slope)
    return terms.sum(dim=-1).to(p.dtype)


@f_divergence.alternative
def f_as_an_expectation(p, q, f):
    a, b = torch.broadcast_tensors(p.double(), q.double())
    return torch.linalg.vecdot(b, f(a * b.reciprocal())).type(p.dtype)


@f_divergence.alternative
def f_one_number_at_a_time(p, q, f):
    if p.ndim > 1 or q.ndim > 1:
        shape = torch.broadcast_shapes(p.shape, q.shape)
        rows = [f_one_number_at_a_time(a, b, f) for a, b in zip(p.expand(shape), q.expand(shape), strict=True)]
        return torch.stack(rows) if rows else torch.zeros(shape[:-1], dtype=p.dtype)
    total = 0.0
    for x, y in zip(p.tolist(), q.tolist(), strict=True):
        total += y * f(torch.tensor(x / y, dtype=torch.float64)).item()
    return torch.tensor(total, dtype=p.dtype)


@f_divergence.misconception("The arguments are swapped: the ratio is p / q and the weights are q.")
def f_swapped(p, q, f):
    return (p * f(q / p)).sum(-1)


@f_divergence.misconception("The ratio is upside down: f takes p / q, and the weights are q.")
def f_upside_down(p, q, f):
    return (q * f(q / p)).sum(-1)


@f_divergence.misconception("The weights are q, not p: sum q f(p / q).")
def f_weighed_by_p(p, q, f):
    return (p * f(p / q)).sum(-1)


@f_divergence.misconception("The terms lack their weights: each f(p / q) counts q times.")
def f_unweighted(p, q, f):
    return f(p / q).sum(-1)


@f_divergence.misconception("f(1) was subtracted: the formula is sum q f(p / q), whatever f is at 1.")
def f_centred(p, q, f):
    return (q * (f(p / q) - f(torch.ones((), dtype=p.dtype)))).sum(-1)


@f_divergence.misconception("Terms with p = 0 were left out. Such a term is q f(0), which need not be 0.")
def f_leaves_zeros_out(p, q, f):
    return torch.where(p > 0, q * f(p / q), 0.0).sum(-1)


@f_divergence.misconception("This is the mean of the terms: their sum is meant, as q already holds the weights.")
def f_mean(p, q, f):
    return (q * f(p / q)).mean(-1)


@f_divergence.misconception(SUMS_ALL)
def f_total(p, q, f):
    return (q * f(p / q)).sum()


@f_divergence.misconception(IN_HALF)
def f_in_half(p, q, f):
    return (q * f(p / q)).sum(-1)


@f_divergence.misconception(
    "A small number is added to q, which changes every ratio a little and the ratios of rare results a lot. Every q is "
    "above 0: divide by it as it is."
)
def f_epsilon(p, q, f):
    return (q * f(p / (q + 1e-8))).sum(-1)


@f_divergence.breaks_rule
def f_from_helpers(p, q, f):
    from helpers.information import f_divergence as ours

    return ours(p, q, f)


@f_divergence.breaks_rule
def f_from_helpers_by_getattr(p, q, f):
    from helpers import information as routines

    return getattr(routines, "f_divergence")(p, q, f)  # noqa: B009 - the way is what is tested


# ------------------------------------------------------------------------------------------ alpha_divergence
# Inputs: alpha from -4 to 5, exactly 0 and 1, and .05 from them; probabilities of 1e-30.
@exercise(
    stretch=True,
    hints=[
        "For alpha away from 0 and 1 the formula is all: powers, sum over the last dimension, minus 1, divided by alpha (alpha - 1).",
        "At alpha = 0 and 1 the formula is 0 / 0. Its limit at 1 is KL(p, q), at 0 it is KL(q, p): ask for those two first.",
        "`if alpha == 1: (p * (p / q).log()).sum(-1)`, the same with p and q exchanged for 0, else the formula; all in at least float32.",
    ],
    forbid=["kl_divergence", "kl_div", "KLDivLoss", "entropy", "Categorical"],
    because="Write the sums yourself.",
)
def alpha_divergence(p, q, alpha):
    p, q = p.numpy(), q.numpy()
    if alpha == 1:
        return special.rel_entr(p, q).sum(-1)
    if alpha == 0:
        return special.rel_entr(q, p).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


alpha_divergence.made_of(
    {
        "alpha (alpha - 1)": lambda p, q, alpha: alpha * (alpha - 1),
        "the -1 behind the sum": lambda p, q, alpha: -1 / (alpha * (alpha - 1)),
        "the sum of p**alpha q**(1 - alpha)": lambda p, q, alpha: (
            (p**alpha * q ** (1 - alpha)).sum(-1) / (alpha * (alpha - 1))
        ),
    }
)


@alpha_divergence.oracle(rtol=1e-8)
def alpha_by_torch(p, q, alpha):
    if not proper(p, q):
        return None
    if alpha in (0, 1):
        a, b = Categorical(probs=p), Categorical(probs=q)
        return kl_divergence_of_torch(a, b) if alpha == 1 else kl_divergence_of_torch(b, a)
    return torch.logsumexp(alpha * p.log() + (1 - alpha) * q.log(), -1).expm1() / (alpha**2 - alpha)


@alpha_divergence.criterion(
    "matches the definition", marks=1, says="The alpha-divergence of p from q over the last dimension"
)
def alpha_definition(rng):
    n = size(rng, 4, 7)
    yield case(FOUR, OTHER, 0.25)
    yield case(FOUR, UNIFORM, 0.5)
    yield case(distribution(rng, n), distribution(rng, n), 2.0)
    for low, high in ((0.15, 0.4), (0.6, 0.85), (1.2, 1.8), (-1.2, -0.3), (3.0, 5.0), (-4.0, -2.0)):
        yield case(distribution(rng, n), distribution(rng, n), number(rng, low, high))


@alpha_divergence.criterion(
    "has its limits at 0 and 1", marks=1, says="exactly 0 or 1 (where the formula is 0/0 and the limit counts)"
)
def alpha_limits(rng):
    n = size(rng, 4, 7)
    for alpha in (1.0, 0.0, 0.95, 1.05, 0.05, -0.05):
        yield case(distribution(rng, n), distribution(rng, n), alpha)
    yield case(FOUR, FOUR, 1.0)
    for alpha in (1.0, number(rng, 0.3, 0.7)):
        yield case(*rare(rng), alpha)


@alpha_divergence.criterion(
    "keeps batches and broadcasts", marks=0.5, says="Batches, dtype and inputs as before: leading dimensions broadcast"
)
def alpha_batches(rng):
    for alpha in (number(rng, 0.2, 0.8), 1.0, 0.0):
        yield case(distribution(rng, 3, 4), distribution(rng, 3, 4), alpha)
    yield case(distribution(rng, 2, 1, 5), distribution(rng, 3, 5), number(rng, 1.2, 2.0))
    yield case(torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, 5, dtype=torch.float64), 0.5)


@alpha_divergence.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says=("Batches, dtype and inputs as before", "half types are computed in at least float32"),
)
def alpha_dtypes(rng):
    for dtype in (torch.float64, torch.float32, *HALF):
        yield case(*close_pair(rng, dtype), 1.0, unchanged=True)
        yield case(*close_pair(rng, dtype), number(rng, 0.3, 0.7), unchanged=True)


@alpha_divergence.alternative
def alpha_by_powers(p, q, alpha):
    a, b = p.double(), q.double()
    if alpha == 1 or alpha == 0:
        a, b = (a, b) if alpha == 1 else (b, a)
        return (a * (a / b).log()).sum(-1).to(p.dtype)
    return ((a**alpha * b ** (1 - alpha)).sum(-1).sub(1) / (alpha * (alpha - 1))).to(p.dtype)


@alpha_divergence.alternative
def alpha_as_an_expectation(p, q, alpha):
    wide = torch.promote_types(p.dtype, torch.float32)
    a, b = p.to(wide), q.to(wide)
    log_ratio = a.log() - b.log()
    if abs(alpha) < 1e-12:
        return -(b * log_ratio).sum(-1).to(p.dtype)
    if abs(alpha - 1) < 1e-12:
        return (a * log_ratio).sum(-1).to(p.dtype)
    return ((b * torch.expm1(alpha * log_ratio)).sum(-1) / (alpha * (alpha - 1))).to(p.dtype)


@alpha_divergence.alternative
def alpha_in_numpy(p, q, alpha):
    a, b = p.double().numpy(), q.double().numpy()
    if alpha in (0, 1):
        total = special.rel_entr(b, a) if alpha == 0 else special.rel_entr(a, b)
        return torch.as_tensor(total.sum(axis=-1)).to(p.dtype)
    total = np.exp(alpha * np.log(a) + (1 - alpha) * np.log(b)).sum(axis=-1)
    return torch.as_tensor((1 - total) / (alpha * (1 - alpha))).to(p.dtype)


@alpha_divergence.misconception(
    "At alpha = 0 and 1 the formula is 0 / 0: return the limits there, KL(q, p) and KL(p, q)."
)
def alpha_no_limits(p, q, alpha):
    scale = torch.tensor(alpha * (alpha - 1), dtype=p.dtype)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / scale


@alpha_divergence.misconception("The two limits are exchanged: alpha = 1 gives KL(p, q), alpha = 0 gives KL(q, p).")
def alpha_limits_exchanged(p, q, alpha):
    if alpha in (0, 1):
        return torch.special.xlogy(q, q / p).sum(-1) if alpha == 1 else torch.special.xlogy(p, p / q).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception("At alpha = 0 the limit is KL(q, p); this gives KL(p, q) at both ends.")
def alpha_forward_at_both_ends(p, q, alpha):
    if alpha in (0, 1):
        return torch.special.xlogy(p, p / q).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception("At alpha = 1 the limit is KL(p, q); this gives KL(q, p) at both ends.")
def alpha_reverse_at_both_ends(p, q, alpha):
    if alpha in (0, 1):
        return torch.special.xlogy(q, q / p).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception(
    "At alpha = 0 and 1 this divides by alpha (1 - alpha) = 0, which Python refuses. Return the limits there, KL(q, p) and KL(p, q)."
)
def alpha_divides_by_zero(p, q, alpha):
    return 1 / (alpha * (1 - alpha)) * (1 - (p**alpha * q ** (1 - alpha)).sum(-1))


@alpha_divergence.misconception(IN_HALF)
def alpha_in_half(p, q, alpha):
    if alpha in (0, 1):
        a, b = (p, q) if alpha == 1 else (q, p)
        return (a * (a / b).log()).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception("The arguments are swapped: p is raised to alpha, q to 1 - alpha.")
def alpha_swapped(p, q, alpha):
    if alpha in (0, 1):
        return torch.special.xlogy(p, p / q).sum(-1) if alpha == 0 else torch.special.xlogy(q, q / p).sum(-1)
    return ((q**alpha * p ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception(
    "This is Renyi's divergence, log(sum p^a q^(1-a)) / (a - 1): here no logarithm is taken."
)
def alpha_renyi(p, q, alpha):
    return (p**alpha * q ** (1 - alpha)).sum(-1).log() / (torch.tensor(alpha, dtype=p.dtype) - 1)


@alpha_divergence.misconception("This is Tsallis' divergence, divided by alpha - 1 alone: divide by alpha (alpha - 1).")
def alpha_tsallis(p, q, alpha):
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (torch.tensor(alpha, dtype=p.dtype) - 1)


@alpha_divergence.misconception(
    "This is Amari's own parameter, with powers (1 - alpha) / 2 and (1 + alpha) / 2: here the powers are alpha and 1 - alpha."
)
def alpha_of_amari(p, q, alpha):
    scale = torch.tensor(1 - alpha**2, dtype=p.dtype)
    return 4 / scale * (1 - (p ** ((1 - alpha) / 2) * q ** ((1 + alpha) / 2)).sum(-1))


@alpha_divergence.misconception("The 1 was not subtracted: the sum is 1 where p is q, and the divergence 0.")
def alpha_no_one(p, q, alpha):
    return (p**alpha * q ** (1 - alpha)).sum(-1) / torch.tensor(alpha * (alpha - 1), dtype=p.dtype)


@alpha_divergence.misconception(
    "The sign is turned around: the denominator is alpha (alpha - 1), negative between 0 and 1."
)
def alpha_sign(p, q, alpha):
    return (1 - (p**alpha * q ** (1 - alpha)).sum(-1)) / torch.tensor(alpha * (alpha - 1), dtype=p.dtype)


@alpha_divergence.misconception(SUMS_ALL)
def alpha_total(p, q, alpha):
    if alpha in (0, 1):
        return torch.special.xlogy(p, p / q).sum() if alpha == 1 else torch.special.xlogy(q, q / p).sum()
    return ((p**alpha * q ** (1 - alpha)).sum() - 1) / (alpha * (alpha - 1))


@alpha_divergence.misconception(
    "A small number is added to p and q, which changes the terms of rare results a lot. Neither has zeros: take them as they "
    "are."
)
def alpha_epsilon(p, q, alpha):
    p, q = p + 1e-8, q + 1e-8
    if alpha in (0, 1):
        a, b = (p, q) if alpha == 1 else (q, p)
        return torch.special.xlogy(a, a / b).sum(-1)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.breaks_rule
def alpha_by_distributions(p, q, alpha):
    if alpha in (0, 1):
        a, b = Categorical(probs=p), Categorical(probs=q)
        return torch.distributions.kl_divergence(a, b) if alpha else torch.distributions.kl_divergence(b, a)
    return ((p**alpha * q ** (1 - alpha)).sum(-1) - 1) / (alpha * (alpha - 1))


@alpha_divergence.breaks_rule
def alpha_from_helpers(p, q, alpha):
    from helpers.information import alpha_divergence as ours

    return ours(p, q, alpha)
