"""The exercises of notebook 02: joint distributions, mutual information, channels, capacity, rate-distortion, and the
information bottleneck."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import torch
from scipy import optimize, special, stats

from grading.exercises.draws import distribution, number, size
from grading.exercises.exercise import Function, Seed, argument_as_data, case, exercise, raises
from helpers.checking import plain
from helpers.checking.kinds.channels import tsallis

LIBRARY = [
    "entropy", "kl_divergence", "mutual_info_score", "kl_div", "KLDivLoss", "cross_entropy", "CrossEntropyLoss",
]  # fmt: skip
WRITE_IT = "Write the sum yourself; xlogy and entr are allowed."
OWN_WORK = "Write it with torch, NumPy or SciPy."
WEATHER = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)


def table(rng, *shape, zeros=0, dtype=torch.float64):
    """Joint distributions over the last two dimensions, `zeros` of the entries of each exactly 0."""
    *batch, rows, columns = shape
    return distribution(rng, *batch, rows * columns, zeros=zeros, dtype=dtype).reshape(shape)


def with_empty_row_and_column(rng, rows, columns):
    """A joint distribution in which one value of X and one of Y never occur."""
    joint = table(rng, rows, columns)
    joint[rng.integers(rows)] = 0
    joint[:, rng.integers(columns)] = 0
    return joint / joint.sum()


def with_rare_pairs(rng, rows, columns):
    """A joint distribution with two pairs that hardly ever occur: a probability cut off at 1e-7 shows."""
    joint = table(rng, rows, columns)
    joint[0, 0], joint[-1, -1] = 1e-8, 3e-9
    return joint / joint.sum()


def deterministic(rng, n):
    """A joint distribution in which each of X and Y tells the other: unequal weights on a permutation."""
    joint = torch.zeros(n, n, dtype=torch.float64)
    joint[torch.arange(n), torch.from_numpy(rng.permutation(n))] = distribution(rng, n)
    return joint


def independent(rng, rows, columns):
    """A joint distribution of independent variables."""
    return torch.outer(distribution(rng, rows), distribution(rng, columns))


def tables_with_zeros(rng):
    """What every routine on a joint must survive."""
    yield torch.tensor([[0.5, 0.0], [0.25, 0.25]], dtype=torch.float64)
    yield table(rng, 3, size(rng, 4, 5), zeros=4)
    yield with_empty_row_and_column(rng, 3, size(rng, 4, 5))
    yield deterministic(rng, size(rng, 3, 4))
    yield with_rare_pairs(rng, 3, 3)


def batches_of_tables(rng):
    """Leading dimensions: one, two, and none at all in the batch."""
    yield table(rng, 3, 2, 4)
    yield table(rng, 2, 3, 3, size(rng, 2, 4), zeros=2)
    yield torch.zeros(0, 3, 4, dtype=torch.float64)


def tables_of_dtypes(rng):
    """The two dtypes that are graded here."""
    for dtype in (torch.float64, torch.float32):
        yield table(rng, 2, 3, 4, zeros=2, dtype=dtype)


A_SMALL_NUMBER = (
    "A small number is added to what the logarithm is of, which changes the answer everywhere. Leave the terms that are "
    "0 out instead (torch.where), and add nothing."
)
RARE = "Rare results were left out, as if they never came. Only p = 0 adds nothing: leave out what is 0, not what is small."


def name_of(dtype):
    """A dtype as expectations call it."""
    return str(dtype).removeprefix("torch.")


def small_number_in(formula):
    """How an answer looks that has a small number somewhere in it, of whatever size: for short cases in float64."""

    def looks(one):
        if one.arguments[0].dtype == torch.float32 or one.arguments[0].numel() > 100:
            return None  # where rounding hides it; where the key would grow long
        return {"judge": "small_number", "formula": formula, "inputs": [argument_as_data(a) for a in one.arguments]}

    return looks


# --------------------------------------------------------------------------------------------------- marginals
# Inputs: tables of 2 x 2 to 4 x 5, none to six of them; empty rows and columns.
@exercise(
    hints=[
        "Each row of the joint belongs to one x: p(x) adds up its row, over the last dimension.",
        "p(y) adds up a column, over the dimension before the last. Count dimensions from the end (-1, -2), so that batches work.",
        "`joint.sum(-1), joint.sum(-2)`",
    ],
    because=OWN_WORK,
)
def marginals(joint):
    joint = joint.numpy()
    return joint.sum(axis=-1), joint.sum(axis=-2)


@marginals.oracle
def marginals_by_counting(joint):
    if joint.ndim != 2:
        return None
    px, py = Counter(), Counter()
    for x, row in enumerate(joint.tolist()):
        for y, p in enumerate(row):
            px[x] += p
            py[y] += p
    return torch.tensor(list(px.values()), dtype=torch.float64), torch.tensor(list(py.values()), dtype=torch.float64)


@marginals.criterion("matches the definition", marks=1, says="p(x) and p(y) of joints of shape (..., X, Y)")
def marginals_definition(rng):
    yield case(WEATHER, parts=["p(x)", "p(y)"])
    yield case(table(rng, 2, size(rng, 3, 5)), parts=["p(x)", "p(y)"])
    yield case(with_empty_row_and_column(rng, 4, 3), parts=["p(x)", "p(y)"])


@marginals.criterion("keeps batches", marks=0.5, says="Leading dimensions are batches and stay; a batch may be empty")
def marginals_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint, parts=["p(x)", "p(y)"])


@marginals.criterion(
    "keeps the dtype and its input",
    marks=0.5,
    says="The results have the dtype of `joint` (float32 or float64), which is not changed",
)
def marginals_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield case(joint, unchanged=True, parts=["p(x)", "p(y)"])


@marginals.alternative
def marginals_einsum(joint):
    return [torch.einsum("...xy->...x", joint), torch.einsum("...xy->...y", joint)]


@marginals.alternative
def marginals_matmul(joint):
    ones = torch.ones_like(joint)
    return (joint @ ones[..., 0, :, None])[..., 0], (joint.mT @ ones[..., :, 0, None])[..., 0]


@marginals.alternative
def marginals_loops(joint):
    px = torch.zeros(joint.shape[:-1], dtype=torch.float64)
    py = torch.zeros(joint.shape[:-2] + joint.shape[-1:], dtype=torch.float64)
    for x in range(joint.shape[-2]):
        for y in range(joint.shape[-1]):
            px[..., x] += joint[..., x, y]
            py[..., y] += joint[..., x, y]
    return px.to(joint.dtype), py.to(joint.dtype)


@marginals.alternative
def marginals_numpy(joint):
    array = joint.detach().numpy().astype("float64")
    px, py = np.add.reduce(array, axis=-1), np.add.reduce(array, axis=-2)
    return torch.from_numpy(px).to(joint.dtype), torch.from_numpy(py).to(joint.dtype)


@marginals.misconception(
    "These are p(y) and p(x), in this order: X is the row, so p(x) is the sum along each row, dim=-1."
)
def marginals_exchanged(joint):
    return joint.sum(-2), joint.sum(-1)


@marginals.misconception("These are means: a marginal adds the probabilities up, it does not average them.")
def marginals_mean(joint):
    return joint.mean(-1), joint.mean(-2)


@marginals.misconception("keepdim leaves a dimension of size 1 behind: the results are (..., X) and (..., Y).")
def marginals_keepdim(joint):
    return joint.sum(-1, keepdim=True), joint.sum(-2, keepdim=True)


@marginals.misconception("The dimensions are counted from the front, which breaks batches: use dim=-1 and dim=-2.")
def marginals_from_the_front(joint):
    return joint.sum(1), joint.sum(0)


@marginals.misconception(
    "The joint is divided by its total, which in a batch is the number of joints: each sums to one already."
)
def marginals_normalised_twice(joint):
    joint = joint / joint.sum()
    return joint.sum(-1), joint.sum(-2)


@marginals.misconception(
    "The rows are normalised first: that makes p(y given x) of the joint, whose rows all sum to 1."
)
def marginals_of_rows(joint):
    rows = joint / joint.sum(-1, keepdim=True)
    return rows.sum(-1), rows.sum(-2)


# ----------------------------------------------------------------------------------------- conditional_entropy
# Inputs: as marginals; pairs of probability 3e-9, independence, certainty.
@exercise(
    hints=[
        "p(y given x) = p(x, y) / p(x): divide each row by its sum, then weigh log p(y given x) with p(x, y).",
        "Zeros come in two kinds here: p(x, y) = 0, and whole rows with p(x) = 0. No term of either may become nan.",
        "The chain rule avoids the division: H(Y given X) = H(X, Y) - H(X), with `torch.special.entr` for each.",
    ],
    forbid=LIBRARY,
    because=WRITE_IT,
)
def conditional_entropy(joint):
    joint = joint.numpy()
    return -special.rel_entr(joint, joint.sum(-1, keepdims=True)).sum((-2, -1))


conditional_entropy.made_of(
    {
        "the joint entropy H(X, Y)": lambda joint: torch.special.entr(joint).sum((-2, -1)),
        "the entropy H(X), which is taken off": lambda joint: -torch.special.entr(joint.sum(-1)).sum(-1),
    }
)


@conditional_entropy.oracle
def conditional_entropy_by_chain_rule(joint):
    if joint.ndim != 2:
        return None
    return stats.entropy(joint.flatten().numpy()) - stats.entropy(joint.sum(1).numpy())


@conditional_entropy.criterion("matches the definition", marks=1, says="H(Y given X) in nats")
def conditional_entropy_definition(rng):
    yield case(WEATHER)
    yield case(table(rng, 2, size(rng, 3, 5)))
    yield case(table(rng, 4, 3))


@conditional_entropy.criterion(
    "zeros, empty rows and certainty",
    marks=1,
    says="A pair with $p(x, y) = 0$ adds 0, and so does a whole row that never occurs",
)
def conditional_entropy_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield case(joint)


@conditional_entropy.criterion(
    "keeps batches", marks=0.5, says="Batches, dtype (float32 and float64) and input as before"
)
def conditional_entropy_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint)


@conditional_entropy.criterion(
    "keeps the dtype and its input", marks=0.5, says="Batches, dtype (float32 and float64) and input as before"
)
def conditional_entropy_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield case(joint, unchanged=True)


@conditional_entropy.alternative
def conditional_entropy_chain_rule(joint):
    return torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-1)).sum(-1)


@conditional_entropy.alternative
def conditional_entropy_row_by_row(joint):
    px = joint.sum(-1)
    rows = joint / torch.where(px > 0, px, 1)[..., None]
    return (px * torch.special.entr(rows).sum(-1)).sum(-1)


@conditional_entropy.alternative
def conditional_entropy_masked(joint):
    given_x = joint / joint.sum(-1, keepdim=True).clamp_min(1e-30)
    safe = torch.where(joint > 0, given_x, torch.ones_like(joint))
    return -torch.einsum("...xy,...xy->...", joint, safe.log())


@conditional_entropy.alternative
def conditional_entropy_loops(joint):
    flat = joint.reshape(-1, joint.shape[-2] * joint.shape[-1]).double().numpy()
    result = np.zeros(len(flat))
    for i, numbers in enumerate(flat):
        for row in numbers.reshape(joint.shape[-2:]):
            result[i] -= sum(p * (math.log2(p) - math.log2(row.sum())) for p in row if p > 0) * math.log(2)
    return torch.from_numpy(result).reshape(joint.shape[:-2]).to(joint.dtype)


@conditional_entropy.misconception(
    "This is H(X given Y), conditioned on the wrong variable: divide by p(x), the row sums."
)
def conditional_entropy_wrong_variable(joint):
    return torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-2)).sum(-1)


@conditional_entropy.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def conditional_entropy_bits(joint):
    return (torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-1)).sum(-1)) / math.log(2)


@conditional_entropy.misconception(
    "The rows' entropies are added up as if each x were certain: weigh each row's with its p(x)."
)
def conditional_entropy_unweighted(joint):
    return torch.special.entr(joint / joint.sum(-1, keepdim=True)).sum((-2, -1))


@conditional_entropy.misconception(
    "The plain average of the rows' entropies counts every x alike: weigh each row's with its p(x)."
)
def conditional_entropy_normalised_twice(joint):
    return torch.special.entr(joint / joint.sum(-1, keepdim=True)).sum(-1).mean(-1)


@conditional_entropy.misconception(
    "This is the joint entropy H(X, Y): the logarithm is of p(y given x), not of p(x, y)."
)
def conditional_entropy_joint(joint):
    return torch.special.entr(joint).sum((-2, -1))


@conditional_entropy.misconception("This is H(Y), without the condition: each row has a p(y given x) of its own.")
def conditional_entropy_marginal(joint):
    return torch.special.entr(joint.sum(-2)).sum(-1)


@conditional_entropy.misconception(
    "joint / joint.sum(-1) divides column y by the sum of row y: keepdim=True keeps the sums in their rows."
)
def conditional_entropy_no_keepdim(joint):
    return -torch.special.xlogy(joint, joint / joint.sum(-1)).sum((-2, -1))


@conditional_entropy.misconception(
    "This is the mean of the terms -p(x, y) log p(y given x): the weights p(x, y) average already, so add the terms up."
)
def conditional_entropy_mean_of_terms(joint):
    return -torch.special.xlogy(joint, joint / joint.sum(-1, keepdim=True)).mean((-2, -1))


@conditional_entropy.misconception(
    "0 * log 0, or 0 / 0 in an empty row, became nan. Its limit is 0: leave the terms with p(x, y) = 0 out "
    "(torch.where)."
)
def conditional_entropy_nan(joint):
    return -(joint * (joint / joint.sum(-1, keepdim=True)).log()).sum((-2, -1))


@conditional_entropy.misconception(A_SMALL_NUMBER, looks=small_number_in("conditional_entropy"))
def conditional_entropy_epsilon(joint):
    return -(joint * (joint / (joint.sum(-1, keepdim=True) + 1e-8) + 1e-8).log()).sum((-2, -1))


@conditional_entropy.misconception(
    "The sum runs over everything: sum over the last two dimensions only, so that a batch stays a batch."
)
def conditional_entropy_total(joint):
    return (torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-1)).sum(-1)).sum()


@conditional_entropy.misconception(RARE)
def conditional_entropy_without_rare_pairs(joint):
    return -torch.where(joint > 1e-6, joint * (joint / joint.sum(-1, keepdim=True)).log(), 0.0).sum((-2, -1))


@conditional_entropy.breaks_rule
def conditional_entropy_of_scipy(joint):
    joint = joint.numpy()
    return torch.from_numpy(
        stats.entropy(joint.reshape(*joint.shape[:-2], -1), axis=-1) - stats.entropy(joint.sum(-1), axis=-1)
    )


# ------------------------------------------------------------------------------------------ mutual_information
# Inputs: as conditional_entropy; one row alone.
@exercise(
    hints=[
        "Make both marginals from the joint itself; what X and Y would do if independent is p(x) p(y), an outer product.",
        "`joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)` is that product for any batch. A zero in it has a zero in the joint.",
        "Split the logarithm: sum p log p over the joint, minus the same over p(x), minus the same over p(y), each with `torch.special.xlogy`.",
    ],
    forbid=LIBRARY,
    because=WRITE_IT,
)
def mutual_information(joint):
    joint = joint.numpy()
    return special.rel_entr(joint, joint.sum(-1, keepdims=True) * joint.sum(-2, keepdims=True)).sum((-2, -1))


mutual_information.made_of(
    {
        "the entropy H(X)": lambda joint: torch.special.entr(joint.sum(-1)).sum(-1),
        "the entropy H(Y)": lambda joint: torch.special.entr(joint.sum(-2)).sum(-1),
        "the joint entropy H(X, Y), which is taken off": lambda joint: -torch.special.entr(joint).sum((-2, -1)),
    }
)


@mutual_information.oracle
def mutual_information_by_entropies(joint):
    if joint.ndim != 2:
        return None
    return sum(stats.entropy(p.numpy()) for p in (joint.sum(0), joint.sum(1))) - stats.entropy(joint.flatten().numpy())


@mutual_information.criterion("matches the definition", marks=1, says="I(X; Y) in nats over the last two dimensions")
def mutual_information_definition(rng):
    yield case(WEATHER)
    yield case(table(rng, 3, 3))
    yield case(table(rng, 2, size(rng, 3, 5)))


@mutual_information.criterion(
    "0 if independent, all of H if deterministic", marks=0.5, says="Independent variables give 0, to rounding"
)
def mutual_information_extremes(rng):
    yield case(independent(rng, 3, size(rng, 2, 4)))
    yield case(deterministic(rng, size(rng, 3, 4)))
    yield case(table(rng, 1, 4))


@mutual_information.criterion("zeros and empty rows", marks=1, says="Pairs, rows and columns that never occur add 0")
def mutual_information_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield case(joint)


@mutual_information.criterion("keeps batches", marks=0.5, says="Batches, dtype and input as before")
def mutual_information_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint)


@mutual_information.criterion("keeps the dtype and its input", marks=0.5, says="Batches, dtype and input as before")
def mutual_information_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield case(joint, unchanged=True)


@mutual_information.alternative
def mutual_information_entropies(joint):
    return (
        torch.special.entr(joint.sum(-1)).sum(-1)
        + torch.special.entr(joint.sum(-2)).sum(-1)
        - torch.special.entr(joint).flatten(-2).sum(-1)
    )


@mutual_information.alternative
def mutual_information_masked(joint):
    product = torch.einsum("...x,...y->...xy", joint.sum(-1), joint.sum(-2))
    ratio = torch.where(joint > 0, joint, 1) / torch.where(joint > 0, product, 1)
    return (joint * ratio.log()).sum((-2, -1))


@mutual_information.alternative
def mutual_information_loops(joint):
    if joint.ndim > 2:
        each = [mutual_information_loops(one) for one in joint]
        return torch.stack(each) if each else joint.new_zeros(joint.shape[:-2])
    total = 0.0
    for x in range(joint.shape[0]):
        for y in range(joint.shape[1]):
            p = joint[x, y].item()
            if p > 0:
                total += p * math.log(p / (joint[x].sum().item() * joint[:, y].sum().item()))
    return torch.tensor(total, dtype=joint.dtype)


@mutual_information.alternative
def mutual_information_mean_of_divergences(joint):
    px, py = joint.sum(-1), joint.sum(-2, keepdim=True)
    rows = joint / torch.where(px > 0, px, 1)[..., None]
    return (px * (torch.special.xlogy(rows, rows) - torch.special.xlogy(rows, py)).sum(-1)).sum(-1)


@mutual_information.misconception(
    "The marginals do not come from this joint: p(x) and p(y) are its row and column sums, not uniform."
)
def mutual_information_uniform_marginals(joint):
    return math.log(joint.shape[-1] * joint.shape[-2]) - torch.special.entr(joint).sum((-2, -1))


@mutual_information.misconception(
    "The marginals are exchanged in the product: row x and column y must meet p(x) p(y), so keep p(x) as a column."
)
def mutual_information_exchanged(joint):
    product = joint.sum(-2)[..., :, None] * joint.sum(-1)[..., None, :]
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum((-2, -1))


@mutual_information.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def mutual_information_bits(joint):
    return (
        torch.special.entr(joint.sum(-1)).sum(-1)
        + torch.special.entr(joint.sum(-2)).sum(-1)
        - torch.special.entr(joint).sum((-2, -1))
    ) / math.log(2)


@mutual_information.misconception(
    "The divergence is the other way round: weigh with the joint, and put the joint on top."
)
def mutual_information_reversed(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.special.xlogy(product, product) - torch.special.xlogy(product, joint)).sum((-2, -1))


@mutual_information.misconception("The sign is wrong: it is p(x, y) over p(x) p(y), not the other way up.")
def mutual_information_sign(joint):
    return (
        torch.special.entr(joint).sum((-2, -1))
        - torch.special.entr(joint.sum(-1)).sum(-1)
        - torch.special.entr(joint.sum(-2)).sum(-1)
    )


@mutual_information.misconception(
    "This is H(Y given X), what X leaves open about Y. Mutual information is what X tells: H(Y) less that."
)
def mutual_information_conditional(joint):
    return torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-1)).sum(-1)


@mutual_information.misconception(
    "The rows are divided by their sums first, which makes every x equally likely: use the joint as it is."
)
def mutual_information_normalised_twice(joint):
    joint = joint / joint.sum(-1, keepdim=True)
    joint = joint / joint.sum((-2, -1), keepdim=True)
    return (
        torch.special.entr(joint.sum(-1)).sum(-1)
        + torch.special.entr(joint.sum(-2)).sum(-1)
        - torch.special.entr(joint).sum((-2, -1))
    )


@mutual_information.misconception(
    "px * py multiplies entry by entry, and the rows then share one product: independence is an outer product, "
    "px[..., :, None] * py[..., None, :]."
)
def mutual_information_no_outer_product(joint):
    product = (joint.sum(-1) * joint.sum(-2))[..., None, :]
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum((-2, -1))


@mutual_information.misconception(
    "This is the mean of the terms: the weights p(x, y) average already, so add the terms up."
)
def mutual_information_mean_of_terms(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).mean((-2, -1))


@mutual_information.misconception(
    "This is 0 for every table, as where the product of the marginals is held against itself: hold the joint against it."
)
def mutual_information_of_the_product(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return mutual_information_entropies(product)


@mutual_information.misconception(
    "Single terms may be negative and must count as such: abs() inside the sum makes the information too large."
)
def mutual_information_absolute_terms(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).abs().sum((-2, -1))


NORMALISED = "This is a normalised mutual information, between 0 and 1: leave the division by the entropies out."


@mutual_information.misconception(NORMALISED)
def mutual_information_over_the_mean_entropy(joint):
    h = [torch.special.entr(joint.sum(dim)).sum(-1) for dim in (-1, -2)]
    return 2 * mutual_information_entropies(joint) / (h[0] + h[1])


@mutual_information.misconception(NORMALISED)
def mutual_information_over_the_smaller_entropy(joint):
    h = [torch.special.entr(joint.sum(dim)).sum(-1) for dim in (-1, -2)]
    return mutual_information_entropies(joint) / torch.minimum(*h)


@mutual_information.misconception(NORMALISED)
def mutual_information_over_the_joint_entropy(joint):
    return mutual_information_entropies(joint) / torch.special.entr(joint).flatten(-2).sum(-1)


@mutual_information.misconception(NORMALISED)
def mutual_information_over_the_root(joint):
    h = [torch.special.entr(joint.sum(dim)).sum(-1) for dim in (-1, -2)]
    return mutual_information_entropies(joint) / (h[0] * h[1]).sqrt()


@mutual_information.misconception(
    "0 * log 0, or 0 / 0 in an empty row, became nan. Its limit is 0: leave the terms with p(x, y) = 0 out "
    "(torch.where)."
)
def mutual_information_nan(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (joint * (joint / product).log()).sum((-2, -1))


@mutual_information.misconception(A_SMALL_NUMBER, looks=small_number_in("mutual_information"))
def mutual_information_epsilon(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (joint * ((joint + 1e-8) / (product + 1e-8)).log()).sum((-2, -1))


@mutual_information.misconception(
    "The sum runs over everything: sum over the last two dimensions only, so that a batch stays a batch."
)
def mutual_information_total(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum()


@mutual_information.misconception(RARE)
def mutual_information_without_rare_pairs(joint):
    ratio = joint / (joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True))
    return torch.where(joint > 1e-6, joint * ratio.log(), 0.0).sum((-2, -1))


@mutual_information.breaks_rule
def mutual_information_of_distributions(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    one, other = (torch.distributions.Categorical(probs=p.flatten(-2)) for p in (joint, product))
    return torch.distributions.kl_divergence(one, other)


@mutual_information.breaks_rule
def mutual_information_of_helpers(joint):
    from helpers.channels import mutual_information as ready_made

    return ready_made(joint)


# -------------------------------------------------------------------------------- mutual_information_three_ways
# The three ways agree for Shannon's entropy alone. Answers are given Tsallis' entropies, of which Shannon's is one: then
# the three are three numbers, and each must have been made from the entropies that its formula names.
# Inputs: as conditional_entropy, by Tsallis' entropies of order 1 to 3.
@exercise(
    hints=[
        "Every entropy comes from the function `entropy`: of p(x), of p(y), of each column, of each row, of all pairs "
        "(`joint.flatten(-2)`).",
        "H(X given Y) is an average: divide each column by its sum p(y), take the entropy of each column, weigh it with p(y). "
        "Columns come to the last dimension with `.mT`.",
        "`py = joint.sum(-2)`, `columns = joint / torch.where(py > 0, py, 1)[..., None, :]`, and H(X given Y) is "
        "`(py * entropy(columns.mT)).sum(-1)`.",
    ],
    because=OWN_WORK,
)
def mutual_information_three_ways(joint, entropy):
    px, py = joint.sum(-1), joint.sum(-2)
    rows = joint / torch.where(px > 0, px, 1)[..., :, None]
    columns = joint / torch.where(py > 0, py, 1)[..., None, :]
    hx, hy = entropy(px), entropy(py)
    x_given_y, y_given_x = (py * entropy(columns.mT)).sum(-1), (px * entropy(rows)).sum(-1)
    return hx - x_given_y, hy - y_given_x, hx + hy - entropy(joint.flatten(-2))


def is_shannons(entropy):
    return abs(entropy(torch.tensor([0.5, 0.5], dtype=torch.float64)).item() - math.log(2)) < 1e-12


mutual_information_three_ways.made_of(
    {
        "the entropy of X": lambda joint, entropy: entropy(joint.sum(-1)),
        "the entropy of Y": lambda joint, entropy: entropy(joint.sum(-2)),
        "the joint entropy, which is taken off": lambda joint, entropy: -entropy(joint.flatten(-2)),
    }
)


@mutual_information_three_ways.oracle
def three_times_the_divergence(joint, entropy):
    if joint.ndim != 2 or not is_shannons(entropy):
        return None
    product = torch.outer(joint.sum(1), joint.sum(0))
    return (stats.entropy(joint.flatten().numpy(), product.flatten().numpy()),) * 3


@mutual_information_three_ways.oracle
def three_ways_outcome_by_outcome(joint, entropy):
    if joint.ndim != 2:
        return None

    def average(table):
        return sum(row.sum().item() * entropy(row / row.sum()).item() for row in table if row.sum() > 0)

    hx, hy = (entropy(table.sum(1)).item() for table in (joint, joint.T))
    return hx - average(joint.T), hy - average(joint), hx + hy - entropy(joint.reshape(-1)).item()


WAYS = ["H(X) - H(X given Y)", "H(Y) - H(Y given X)", "H(X) + H(Y) - H(X, Y)"]


def three_ways_case(joint, q, **options):
    """A case for an entropy that is handed in. Answers that take `joint` alone have Shannon's, and meet theirs."""
    if q == 1:
        return case(joint, Function("tsallis", (q,)), driver="three_ways", parts=WAYS, **options)
    value, own = (mutual_information_three_ways(joint.double(), tsallis(one)) for one in (q, 1))
    expected = {"judge": "three_ways", "value": argument_as_data(value), "answers": [argument_as_data(own)]}
    dtype = name_of(joint.dtype)
    return case(
        joint, Function("tsallis", (q,)), driver="three_ways", expected=expected, parts=WAYS, dtype=dtype, **options
    )


@mutual_information_three_ways.made_small
def three_ways_small(joint, entropy):
    if (joint > 0).all() and min(joint.shape) > 1:
        yield three_ways_case(joint, *entropy.arguments)


@mutual_information_three_ways.criterion(
    "three ways, each from its own entropies", marks=1, says="each way from its own entropies"
)
def three_ways_definition(rng):
    yield three_ways_case(WEATHER, 1.0)
    yield three_ways_case(WEATHER, 2.0)
    yield three_ways_case(table(rng, 2, size(rng, 3, 5)), number(rng, 1.3, 3.0))
    yield three_ways_case(table(rng, 4, 3), number(rng, 1.3, 3.0))


@mutual_information_three_ways.criterion(
    "zeros, empty rows and certainty",
    marks=1,
    says=("Zeros, batches, dtype and input as before", "a column that never occurs has weight 0"),
)
def three_ways_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield three_ways_case(joint, 1.0)
        yield three_ways_case(joint, number(rng, 1.3, 3.0))


@mutual_information_three_ways.criterion("keeps batches", marks=0.5, says="Zeros, batches, dtype and input as before")
def three_ways_batches(rng):
    for joint in batches_of_tables(rng):
        yield three_ways_case(joint, number(rng, 1.3, 3.0))


@mutual_information_three_ways.criterion(
    "keeps the dtype and its input", marks=0.5, says="Zeros, batches, dtype and input as before"
)
def three_ways_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield three_ways_case(joint, 1.0, unchanged=True)
        yield three_ways_case(joint, 2.0, unchanged=True)


def conditional(joint, entropy):
    """The average entropy of the rows, as the answers below begin."""
    px = joint.sum(-1)
    return (px * entropy(joint / torch.where(px > 0, px, 1)[..., None])).sum(-1)


def marginal_entropies(joint, entropy):
    """H(X), H(Y), H(X, Y)."""
    return entropy(joint.sum(-1)), entropy(joint.sum(-2)), entropy(joint.flatten(-2))


@mutual_information_three_ways.alternative
def three_ways_by_turning(joint, entropy):
    def what_is_learnt(joint):
        return entropy(joint.sum(-1)) - conditional(joint.transpose(-1, -2), entropy)

    hx, hy, hxy = marginal_entropies(joint, entropy)
    return [what_is_learnt(joint), what_is_learnt(joint.transpose(-1, -2)), hx + hy - hxy]


@mutual_information_three_ways.alternative
def three_ways_loops(joint, entropy):
    """Outcome by outcome, leaving out what never occurs."""
    shape, one_by_one = joint.shape[:-2], joint.reshape(-1, *joint.shape[-2:])
    results = [torch.zeros(len(one_by_one), dtype=joint.dtype) for _ in range(3)]
    for i, one in enumerate(one_by_one):
        hx, hy = entropy(one.sum(1)), entropy(one.sum(0))
        x_given_y = sum(p * entropy(one[:, y] / p) for y, p in enumerate(one.sum(0)) if p > 0)
        y_given_x = sum(p * entropy(one[x] / p) for x, p in enumerate(one.sum(1)) if p > 0)
        for result, value in zip(
            results, (hx - x_given_y, hy - y_given_x, hx + hy - entropy(one.ravel())), strict=True
        ):
            result[i] = value
    return tuple(result.reshape(shape) for result in results)


@mutual_information_three_ways.alternative
def three_ways_nan_to_num(joint, entropy):
    px, py = joint.sum(-1, keepdim=True), joint.sum(-2, keepdim=True)
    rows, columns = (joint / px).nan_to_num(0), (joint / py).nan_to_num(0)
    y_given_x = torch.einsum("...x,...x->...", px.squeeze(-1), entropy(rows))
    x_given_y = torch.einsum("...y,...y->...", py.squeeze(-2), entropy(columns.transpose(-2, -1)))
    hxy = entropy(joint.reshape(*joint.shape[:-2], joint.shape[-2] * joint.shape[-1]))
    hx, hy = entropy(px[..., 0]), entropy(py[..., 0, :])
    return hx - x_given_y, hy - y_given_x, hx + hy - hxy


@mutual_information_three_ways.misconception(
    "These are Shannon's entropies, or one number three times, whatever `entropy` is handed in: take every entropy from "
    "that function."
)
def three_ways_of_shannon(joint, entropy):
    return (mutual_information_entropies(joint),) * 3


@mutual_information_three_ways.misconception(
    "H(X given Y) is taken as H(X, Y) - H(Y), so the three ways are one. Average the columns' entropies, each with its "
    "p(y)."
)
def three_ways_chain_rule(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "The conditions are exchanged: H(X) goes with H(X given Y), H(Y) with H(Y given X)."
)
def three_ways_wrong_condition(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    return hx - conditional(joint, entropy), hy - conditional(joint.mT, entropy), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "The joint entropy stands where a conditional one belongs: H(X given Y) is the average entropy of the columns."
)
def three_ways_joint_for_conditional(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    return hx - hxy, hy - hxy, hx + hy - hxy


@mutual_information_three_ways.misconception("The third result has the wrong sign: it is H(X) + H(Y) - H(X, Y).")
def three_ways_sign(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    return hx - conditional(joint.mT, entropy), hy - conditional(joint, entropy), hxy - hx - hy


@mutual_information_three_ways.misconception(
    "In the conditional entropies every row (or column) counts alike: weigh each with its probability."
)
def three_ways_unweighted(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    rows, columns = joint / joint.sum(-1, keepdim=True), joint / joint.sum(-2, keepdim=True)
    return hx - entropy(columns.mT).mean(-1), hy - entropy(rows).mean(-1), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "`entropy` looks along the last dimension: bring the columns there with .mT before you call it."
)
def three_ways_columns_not_turned(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    columns = joint / joint.sum(-2, keepdim=True)
    return hx - (joint.sum(-2) * entropy(columns)).sum(-1), hy - conditional(joint, entropy), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "H(X, Y) is the entropy of all pairs as one distribution: flatten both dimensions before you call `entropy`."
)
def three_ways_half_joint(joint, entropy):
    hx, hy, _ = marginal_entropies(joint, entropy)
    first, second = hx - conditional(joint.mT, entropy), hy - conditional(joint, entropy)
    return first, second, hx[..., None] + hy[..., None] - entropy(joint)


@mutual_information_three_ways.misconception("This is one number, or one tensor: return the three results as a tuple.")
def three_ways_one_result(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    return hx + hy - hxy


@mutual_information_three_ways.misconception(
    "A row or column that never occurs became 0 / 0, and its nan spreads: divide by 1 there (torch.where)."
)
def three_ways_nan(joint, entropy):
    hx, hy, hxy = marginal_entropies(joint, entropy)
    px, py = joint.sum(-1), joint.sum(-2)
    x_given_y = (py * entropy((joint / py[..., None, :]).mT)).sum(-1)
    return hx - x_given_y, hy - (px * entropy(joint / px[..., None])).sum(-1), hx + hy - hxy


@mutual_information_three_ways.alternative
def three_ways_by_shannons_own(joint):
    px, py = joint.sum(-1), joint.sum(-2)
    x_given_y = -torch.special.xlogy(joint, joint / torch.where(py > 0, py, 1)[..., None, :]).sum((-2, -1))
    y_given_x = -torch.special.xlogy(joint, joint / torch.where(px > 0, px, 1)[..., :, None]).sum((-2, -1))
    hx, hy, hxy = (torch.special.entr(p).sum(-1) for p in (px, py, joint.flatten(-2)))
    return hx - x_given_y, hy - y_given_x, hx + hy - hxy


@mutual_information_three_ways.alternative
def three_ways_by_differences_of_logarithms(joint):
    p = joint.double()
    px, py = p.sum(-1, keepdim=True), p.sum(-2, keepdim=True)
    logs, log_px, log_py = (torch.where(q > 0, q, 1.0).log() for q in (p, px, py))
    hx, hy = -(px * log_px).sum((-2, -1)), -(py * log_py).sum((-2, -1))
    ways = hx + (p * (logs - log_py)).sum((-2, -1)), hy + (p * (logs - log_px)).sum((-2, -1))
    return tuple(way.to(joint.dtype) for way in (*ways, hx + hy + (p * logs).sum((-2, -1))))


@mutual_information_three_ways.alternative
def three_ways_in_numpy_alone(joint):
    p = joint.numpy()
    px, py = p.sum(-1), p.sum(-2)

    def average(table):
        weights = table.sum(-1)
        rows = table / np.where(weights > 0, weights, 1)[..., None]
        return (weights * special.entr(rows).sum(-1)).sum(-1)

    hx, hy = special.entr(px).sum(-1), special.entr(py).sum(-1)
    ways = hx - average(np.swapaxes(p, -1, -2)), hy - average(p), hx + hy - special.entr(p).sum((-2, -1))
    return tuple(torch.as_tensor(way, dtype=joint.dtype) for way in ways)


THREE_TIMES = (
    "All three results are one computation: take H(X given Y) as the average of the columns' entropies, each with its p(y), "
    "H(Y given X) as that of the rows', and only the third from H(X, Y)."
)


@mutual_information_three_ways.misconception(THREE_TIMES)
def three_ways_one_result_three_times(joint):
    return (mutual_information_entropies(joint),) * 3


@mutual_information_three_ways.misconception(THREE_TIMES)
def three_ways_chain_rule_of_its_own(joint):
    hx, hy, hxy = marginal_entropies(joint, lambda p: torch.special.entr(p).sum(-1))
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


# ---------------------------------------------------------------------------------------- push_through_channel
# Inputs: channels without noise, that merge, of equal rows, into one letter.
@exercise(
    hints=[
        "For each x and z, add over all y: how likely x and y are together, times how likely y becomes z.",
        "Rows of `joint` are x, rows of `channel` are y. Summing over the shared index y is what a matrix product does.",
        "`joint @ channel`",
    ],
    because=OWN_WORK,
)
def push_through_channel(joint, channel):
    return np.einsum("...xy,yz->...xz", joint.numpy(), channel.numpy())


@push_through_channel.oracle
def push_one_letter_at_a_time(joint, channel):
    if joint.ndim != 2:
        return None
    return sum(torch.outer(joint[:, y], channel[y]) for y in range(len(channel)))


@push_through_channel.criterion(
    "matches the definition", marks=1, says="p(x, z), the sum over y of p(x, y) W(z given y)"
)
def push_definition(rng):
    yield case(WEATHER, torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64))
    yield case(table(rng, 2, 3), distribution(rng, 3, size(rng, 4, 5)))
    yield case(table(rng, 3, 3), distribution(rng, 3, 3))


@push_through_channel.criterion(
    "noiseless, merging and useless channels",
    marks=1,
    says=("`channel` is one matrix, noiseless, useless or between", "$Z$ may have more or fewer values than $Y$"),
)
def push_extremes(rng):
    joint = table(rng, 3, 4, zeros=2)
    yield case(joint, torch.eye(4, dtype=torch.float64)[torch.from_numpy(rng.permutation(4))])
    yield case(joint, torch.eye(2, dtype=torch.float64)[torch.tensor([0, 0, 1, 1])])
    yield case(joint, distribution(rng, 1, size(rng, 2, 3)).expand(4, -1).contiguous())
    yield case(joint, torch.ones(4, 1, dtype=torch.float64))


@push_through_channel.criterion("keeps batches of joints", marks=0.5, says="`joint` may be a batch, as before")
def push_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint, distribution(rng, joint.shape[-1], size(rng, 2, 3)))


@push_through_channel.criterion("keeps the dtype and its inputs", marks=0.5, says="Dtype and inputs as before")
def push_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield case(joint, distribution(rng, 4, 3, dtype=joint.dtype), unchanged=True)


@push_through_channel.alternative
def push_matmul(joint, channel):
    return torch.matmul(joint, channel)


@push_through_channel.alternative
def push_three_way_table(joint, channel):
    return (joint[..., :, :, None] * channel).sum(-2)


@push_through_channel.alternative
def push_linear_layer(joint, channel):
    return torch.nn.functional.linear(joint, channel.T)


@push_through_channel.alternative
def push_loops(joint, channel):
    result = joint.new_zeros((*joint.shape[:-1], channel.shape[1]))
    for z in range(channel.shape[1]):
        for y in range(channel.shape[0]):
            result[..., z] += joint[..., y] * channel[y, z]
    return result


@push_through_channel.misconception(
    "Rows and columns of the channel are exchanged: row y of `channel` is the distribution of Z given that y."
)
def push_transposed_channel(joint, channel):
    return joint @ channel.mT


@push_through_channel.misconception("The channel is applied to X: it is Y, the column of the joint, that becomes Z.")
def push_wrong_variable(joint, channel):
    return channel.mT @ joint


@push_through_channel.misconception(
    "This is p(z given x): the rows were divided by their sums at the end. Those of p(x, z) sum to p(x)."
)
def push_normalised_twice(joint, channel):
    result = joint @ channel
    return result / result.sum(-1, keepdim=True)


@push_through_channel.misconception(
    "This is p(x) p(z), as if the channel had cut X off: multiply the joint itself with the channel, not its marginal."
)
def push_marginals_only(joint, channel):
    return joint.sum(-1, keepdim=True) * (joint.sum(-2) @ channel)[..., None, :]


@push_through_channel.misconception("The result is turned round, (Z, X): rows stay x, columns are z.")
def push_turned(joint, channel):
    return (joint @ channel).mT


@push_through_channel.misconception(
    "This multiplies entry by entry, where row x meets column z: use a matrix product, @, not *."
)
def push_elementwise(joint, channel):
    return joint * channel


@push_through_channel.misconception(
    "The columns of the channel are normalised: its rows sum to 1 already, because each row is a distribution."
)
def push_columns_normalised(joint, channel):
    return joint @ (channel / channel.sum(-2, keepdim=True))


@push_through_channel.misconception(
    "The batch is summed away: leading dimensions stay (`...` on both sides of an einsum)."
)
def push_sums_batch(joint, channel):
    return torch.einsum("...xy,yz->xz", joint, channel)


@push_through_channel.misconception("torch.mm takes single matrices only: `@` keeps leading dimensions.")
def push_mm(joint, channel):
    return torch.mm(joint, channel)


# ------------------------------------------------------------------------------- conditional_mutual_information
# Inputs: tables of 2 x 2 x 2 to 3 x 4 x 5; triples of probability 3e-8; a z that never occurs.
@exercise(
    stretch=True,
    hints=[
        "For each z there is a table p(x, y given z) with an information of its own; average these, each with its p(z).",
        "In one sum: p(x, y, z) log [p(x, y, z) p(z) / (p(x, z) p(y, z))], with sums over -3 and -2 for p(z), over -2 for "
        "p(x, z), over -3 for p(y, z).",
        "By entropies no division is needed: H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z).",
    ],
    forbid=LIBRARY,
    because=WRITE_IT,
)
def conditional_mutual_information(joint):
    joint = joint.numpy()
    pz, pxz, pyz = (joint.sum(axes, keepdims=True) for axes in ((-3, -2), -2, -3))
    return special.rel_entr(joint, pxz * pyz / np.where(pz > 0, pz, 1)).sum((-3, -2, -1))


conditional_mutual_information.made_of(
    {
        "the entropy H(X, Z)": lambda joint: torch.special.entr(joint.sum(-2)).sum((-2, -1)),
        "the entropy H(Y, Z)": lambda joint: torch.special.entr(joint.sum(-3)).sum((-2, -1)),
        "the entropy H(Z), which is taken off": lambda joint: -torch.special.entr(joint.sum((-3, -2))).sum(-1),
        "the joint entropy, which is taken off": lambda joint: -torch.special.entr(joint).sum((-3, -2, -1)),
    }
)


@conditional_mutual_information.oracle
def averaged_over_z(joint):
    if joint.ndim != 3:
        return None
    total = 0.0
    for z in range(joint.shape[2]):
        slab = joint[:, :, z].numpy()
        if slab.sum() > 0:
            hx, hy, hxy = stats.entropy(slab.sum(1)), stats.entropy(slab.sum(0)), stats.entropy(slab.ravel())
            total += slab.sum() * (hx + hy - hxy)
    return total


def cube(rng, *shape, zeros=0, dtype=torch.float64):
    """Joint distributions over the last three dimensions."""
    *batch, x, y, z = shape
    return distribution(rng, *batch, x * y * z, zeros=zeros, dtype=dtype).reshape(shape)


def exclusive_or(rng):
    """Two coins, not both fair, and Z = X xor Y."""
    joint = torch.zeros(2, 2, 2, dtype=torch.float64)
    p, q = number(rng, 0.2, 0.4), number(rng, 0.4, 0.6)
    for x in range(2):
        for y in range(2):
            joint[x, y, x ^ y] = (p if x else 1 - p) * (q if y else 1 - q)
    return joint


def chain(rng):
    """X - Z - Y: Z stands between, so X and Y tell each other nothing that Z has not told."""
    z, x, y = distribution(rng, 3), distribution(rng, 3, 2), distribution(rng, 3, size(rng, 2, 4))
    return torch.einsum("z,zx,zy->xyz", z, x, y)


@conditional_mutual_information.criterion(
    "matches the definition", marks=1.5, says="I(X; Y given Z) in nats over the last three dimensions"
)
def conditional_mutual_information_definition(rng):
    yield case(cube(rng, 2, 2, 2))
    yield case(cube(rng, 2, 3, size(rng, 4, 5)))
    yield case(cube(rng, 3, 4, 2))


@conditional_mutual_information.criterion(
    "exclusive or, chains, zeros",
    marks=0.5,
    says="Zeros add 0, also a $z$ that never occurs; what is merely rare counts",
)
def conditional_mutual_information_extremes(rng):
    yield case(exclusive_or(rng))
    yield case(chain(rng))
    yield case(cube(rng, 3, 2, 3, zeros=8))
    joint = cube(rng, 2, 3, 3)
    joint[:, :, int(rng.integers(3))] = 0
    yield case(joint / joint.sum())
    joint = cube(rng, 2, 2, 3)
    joint[0, 0, 0], joint[1, 1, 2] = 1e-7, 3e-8
    yield case(joint / joint.sum())


@conditional_mutual_information.criterion(
    "keeps batches", marks=0.5, says="Batches, dtype (float32 and float64) and input as before"
)
def conditional_mutual_information_batches(rng):
    yield case(cube(rng, 3, 2, 3, 2))
    yield case(cube(rng, 2, 2, 2, 2, size(rng, 2, 3), zeros=2))
    yield case(torch.zeros(0, 2, 3, 2, dtype=torch.float64))


@conditional_mutual_information.criterion(
    "keeps the dtype and its input", marks=0.5, says="Batches, dtype (float32 and float64) and input as before"
)
def conditional_mutual_information_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        yield case(cube(rng, 2, 2, 3, 2, zeros=2, dtype=dtype), unchanged=True)


def entropy_over(joint, *dims):
    """The entropy of what is left of a joint of three variables after summing `dims` out, as the answers below go on."""
    left = joint.sum(dims) if dims else joint
    return torch.special.entr(left).flatten(joint.ndim - 3).sum(-1)


@conditional_mutual_information.alternative
def conditional_mutual_information_entropies(joint):
    return (
        entropy_over(joint, -2) + entropy_over(joint, -3) - entropy_over(joint) - entropy_over(joint, -3, -2)
    )  # fmt: skip


@conditional_mutual_information.alternative
def conditional_mutual_information_chain_rule(joint):
    """I(X; (Y, Z)) - I(X; Z), each by exercise 3."""
    both = joint.reshape(*joint.shape[:-2], joint.shape[-2] * joint.shape[-1])
    return mutual_information_masked(both) - mutual_information_masked(joint.sum(-2))


@conditional_mutual_information.alternative
def conditional_mutual_information_slabs(joint):
    slabs = joint.movedim(-1, -3)
    pz = slabs.sum((-2, -1))
    inside = slabs / torch.where(pz > 0, pz, 1)[..., None, None]
    return torch.sum(pz * mutual_information_mean_of_divergences(inside), -1)


@conditional_mutual_information.alternative
def conditional_mutual_information_loops(joint):
    batch, p = joint.shape[:-3], joint.double().numpy().reshape(-1, *joint.shape[-3:])
    result = np.zeros(len(p))
    for i, x, y, z in zip(*np.nonzero(p), strict=True):
        ratio = p[i, x, y, z] * p[i, :, :, z].sum() / (p[i, x, :, z].sum() * p[i, :, y, z].sum())
        result[i] += p[i, x, y, z] * math.log(ratio)
    return torch.from_numpy(result).reshape(batch).to(joint.dtype)


@conditional_mutual_information.misconception(
    "This is I(X; Y), with Z summed out: the condition on Z is missing. Compare within each z."
)
def conditional_mutual_information_ignores_z(joint):
    return mutual_information_entropies(joint.sum(-1))


@conditional_mutual_information.misconception(
    "The condition is on the wrong variable: this is I(X; Z given Y). Z, the last dimension, is the condition."
)
def conditional_mutual_information_given_y(joint):
    return conditional_mutual_information_entropies(joint.mT)


@conditional_mutual_information.misconception(
    "The condition is on the wrong variable: this is I(Y; Z given X). Z, the last dimension, is the condition."
)
def conditional_mutual_information_given_x(joint):
    return conditional_mutual_information_entropies(joint.movedim(-3, -1))


@conditional_mutual_information.misconception(
    "p(z) is missing under the logarithm, which leaves H(Z) too much: it is p(x, y, z) p(z) over p(x, z) p(y, z)."
)
def conditional_mutual_information_without_pz(joint):
    return conditional_mutual_information_entropies(joint) + entropy_over(joint, -3, -2)


@conditional_mutual_information.misconception(
    "Every z counts alike: weigh the information within each z with its p(z)."
)
def conditional_mutual_information_unweighted(joint):
    slabs = joint.movedim(-1, -3)
    return mutual_information_entropies(slabs / slabs.sum((-2, -1), keepdim=True)).mean(-1)


@conditional_mutual_information.misconception(
    "This is the mean of the terms: the weights p(x, y, z) average already, so add the terms up."
)
def conditional_mutual_information_mean_of_terms(joint):
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    terms = torch.special.xlogy(joint, joint * pz) - torch.special.xlogy(joint, pxz * pyz)
    return terms.mean((-3, -2, -1))


@conditional_mutual_information.misconception(
    "This is I(X, Y; Z), what X and Y together tell about Z: here Z is given, and X and Y tell about each other."
)
def conditional_mutual_information_of_pair(joint):
    return entropy_over(joint, -1) + entropy_over(joint, -3, -2) - entropy_over(joint)


@conditional_mutual_information.misconception(
    "This is I(X; Y, Z), which counts what Z alone tells about X: subtract I(X; Z)."
)
def conditional_mutual_information_without_subtracting(joint):
    return entropy_over(joint, -2, -1) + entropy_over(joint, -3) - entropy_over(joint)


@conditional_mutual_information.misconception(
    "This is I(X; Y) - I(X; Y given Z), the part in the middle of three circles: return the second term alone."
)
def conditional_mutual_information_middle(joint):
    return mutual_information_entropies(joint.sum(-1)) - conditional_mutual_information_entropies(joint)


@conditional_mutual_information.misconception(
    "These are bits, not nats: use the natural logarithm, torch.log, not log2."
)
def conditional_mutual_information_bits(joint):
    return conditional_mutual_information_entropies(joint) / math.log(2)


@conditional_mutual_information.misconception(
    "0 * log 0, or 0 / 0 for a z that never occurs, became nan. Leave the terms with p(x, y, z) = 0 out (torch.where)."
)
def conditional_mutual_information_nan(joint):
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    return (joint * (joint * pz / (pxz * pyz)).log()).sum((-3, -2, -1))


@conditional_mutual_information.misconception(A_SMALL_NUMBER, looks=small_number_in("conditional_mutual_information"))
def conditional_mutual_information_epsilon(joint):
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    return (joint * ((joint * pz + 1e-8) / (pxz * pyz + 1e-8)).log()).sum((-3, -2, -1))


@conditional_mutual_information.misconception("One number for each z is left: add them up, weighed with p(z).")
def conditional_mutual_information_each_z(joint):
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    return torch.special.xlogy(joint, joint * pz / (pxz * pyz)).sum((-3, -2))


@conditional_mutual_information.misconception(
    "The dimensions are counted from the front, which breaks batches: X, Y and Z are the last three."
)
def conditional_mutual_information_from_the_front(joint):
    pz, pxz, pyz = joint.sum((0, 1), keepdim=True), joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    safe = torch.where(joint > 0, joint * pz / (pxz * pyz), 1)
    return (joint * safe.log()).sum((0, 1, 2))


@conditional_mutual_information.misconception(RARE)
def conditional_mutual_information_without_rare_results(joint):
    pz, pxz, pyz = (joint.sum(dims, keepdim=True) for dims in ((-3, -2), -2, -3))
    return torch.where(joint > 1e-6, joint * (joint * pz / (pxz * pyz)).log(), 0.0).sum((-3, -2, -1))


@conditional_mutual_information.breaks_rule
def conditional_mutual_information_of_helpers(joint):
    from helpers.channels import conditional_mutual_information as ready_made

    return ready_made(joint)


# ----------------------------------------------------------------------------------- plugin_mutual_information
# Inputs: 1 to 300 samples in 2 to 8 bins, most of them empty.
@exercise(
    hints=[
        "Count how often each pair (x, y) occurs in a (bins, bins) table, divide by the number of samples, and use the formula on that.",
        "`torch.bincount(x * bins + y, minlength=bins * bins)` counts pairs: it numbers them first.",
        "Go on with `.double() / len(x)`, `.reshape(bins, bins)`, and mutual information with zeros handled: most samples miss some cells.",
    ],
    forbid=LIBRARY,
    because=WRITE_IT,
)
def plugin_mutual_information(x, y, bins):
    edges = np.arange(bins + 1) - 0.5
    joint = np.histogram2d(x.numpy(), y.numpy(), bins=[edges, edges])[0] / len(x)
    return special.rel_entr(joint, np.outer(joint.sum(1), joint.sum(0))).sum()


@plugin_mutual_information.oracle
def plugin_by_counting_pairs(x, y, bins):
    hx, hy, hxy = (
        stats.entropy(list(Counter(seen).values()))
        for seen in (x.tolist(), y.tolist(), list(zip(x.tolist(), y.tolist(), strict=True)))
    )
    return hx + hy - hxy


def samples(rng, n, bins, noise):
    """Pairs of integers: y is x with probability 1 - noise, anything otherwise."""
    x = rng.integers(0, bins, n)
    y = np.where(rng.random(n) < noise, rng.integers(0, bins, n), x)
    return torch.from_numpy(x), torch.from_numpy(y)


@plugin_mutual_information.criterion(
    "matches the definition", marks=1, says="I(X; Y) in nats of the histogram of the pairs"
)
def plugin_definition(rng):
    yield case(
        torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 1, 1]), torch.tensor([0, 0, 1, 1, 1, 0, 1, 0, 1, 1]), 2, dtype="float64"
    )
    yield case(*samples(rng, size(rng, 60, 90), 3, 0.6), 3, dtype="float64")


@plugin_mutual_information.criterion("cells that never occur", marks=1, says="Cells that never occur add 0")
def plugin_empty_cells(rng):
    yield case(*samples(rng, size(rng, 12, 20), 4, 0.5), 6, dtype="float64")
    x = torch.from_numpy(rng.integers(0, 3, 25))
    yield case(x, x.clone(), 4, dtype="float64")
    yield case(x, torch.full_like(x, 2), 3, dtype="float64")
    yield case(torch.tensor([1]), torch.tensor([0]), 2, dtype="float64")


@plugin_mutual_information.criterion(
    "many samples, bias left in, inputs kept",
    marks=1,
    says=("Nothing is smoothed or corrected", "nothing that comes in is changed"),
)
def plugin_large(rng):
    yield case(*samples(rng, size(rng, 250, 300), 8, 1.0), 8, dtype="float64", unchanged=True)
    yield case(*samples(rng, 300, 5, number(rng, 0.3, 0.7)), 5, dtype="float64", unchanged=True)


def pair_table(x, y, bins):
    """The counts of pairs, as the answers below begin."""
    return torch.bincount(x * bins + y, minlength=bins * bins).double().reshape(bins, bins)


def information(joint):
    """Mutual information, as the answers below end; also of tables that do not sum to one."""
    px, py = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, px * py)).sum()


@plugin_mutual_information.alternative
def plugin_index_put(x, y, bins):
    joint = torch.zeros(bins, bins, dtype=torch.float64)
    joint.index_put_((x, y), torch.full((len(x),), 1 / len(x), dtype=torch.float64), accumulate=True)
    return (
        torch.special.entr(joint.sum(0)).sum()
        + torch.special.entr(joint.sum(1)).sum()
        - torch.special.entr(joint).sum()
    )


@plugin_mutual_information.alternative
def plugin_one_hot(x, y, bins):
    one_hot = torch.nn.functional.one_hot
    joint = one_hot(x, bins).double().T @ one_hot(y, bins).double() / x.numel()
    positive = joint > 0
    product = joint.sum(1)[:, None] * joint.sum(0)[None]
    return (joint[positive] * torch.log(joint[positive] / product[positive])).sum().item()


@plugin_mutual_information.alternative
def plugin_pure_python(x, y, bins):
    pairs, xs, ys = Counter(zip(x.tolist(), y.tolist(), strict=True)), Counter(x.tolist()), Counter(y.tolist())
    n = len(x)
    return sum(count / n * math.log(count * n / (xs[a] * ys[b])) for (a, b), count in pairs.items())


@plugin_mutual_information.alternative
def plugin_numpy(x, y, bins):
    counts = np.zeros((bins, bins))
    np.add.at(counts, (x.numpy(), y.numpy()), 1)
    joint = counts / counts.sum()
    return np.float64(-special.entr(joint).sum() + special.entr(joint.sum(0)).sum() + special.entr(joint.sum(1)).sum())


@plugin_mutual_information.misconception(
    "The counts are divided by the wrong number: by N, the number of samples, not by the number of cells."
)
def plugin_divided_by_cells(x, y, bins):
    return information(pair_table(x, y, bins) / bins**2)


@plugin_mutual_information.misconception(
    "The counts are divided by N - 1: that is for a variance. A histogram's frequencies are counts over N."
)
def plugin_divided_by_n_minus_one(x, y, bins):
    return information(pair_table(x, y, bins) / max(len(x) - 1, 1))


@plugin_mutual_information.misconception(
    "The counts are not divided at all: make the table sum to one, over N samples."
)
def plugin_counts(x, y, bins):
    return information(pair_table(x, y, bins))


@plugin_mutual_information.misconception(
    "Repeated pairs are counted once: `table[x, y] += 1` writes each cell a single time. Use bincount, or index_put_ with accumulate."
)
def plugin_no_accumulation(x, y, bins):
    seen = torch.zeros(bins, bins, dtype=torch.float64)
    seen[x, y] += 1
    return information(seen / len(x))


@plugin_mutual_information.misconception(
    "This is always 0, as of the product of the two histograms, in which the pairs are lost: that is what independence would "
    "give. Count the pairs."
)
def plugin_product(x, y, bins):
    counts = [torch.bincount(v, minlength=bins).double() / len(v) for v in (x, y)]
    return information(torch.outer(*counts))


@plugin_mutual_information.misconception(
    "Each variable was sorted before counting, which tears the pairs apart: count x[i] together with y[i]."
)
def plugin_sorted(x, y, bins):
    return information(pair_table(x.sort().values, y.sort().values, bins) / len(x))


@plugin_mutual_information.misconception(
    "This is the mean of the terms: the frequencies average already, so add the terms up."
)
def plugin_mean_of_terms(x, y, bins):
    joint = pair_table(x, y, bins) / len(x)
    product = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).mean()


@plugin_mutual_information.misconception(
    "px * py multiplies entry by entry, and the rows then share one product: independence is an outer product, "
    "px[:, None] * py[None, :]."
)
def plugin_no_outer_product(x, y, bins):
    joint = pair_table(x, y, bins) / len(x)
    product = (joint.sum(1) * joint.sum(0)).expand_as(joint)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum()


@plugin_mutual_information.misconception(NORMALISED)
def plugin_normalised(x, y, bins):
    joint = pair_table(x, y, bins) / len(x)
    return 2 * information(joint) / (torch.special.entr(joint.sum(0)).sum() + torch.special.entr(joint.sum(1)).sum())


@plugin_mutual_information.misconception(A_SMALL_NUMBER, looks=small_number_in("plugin_mutual_information"))
def plugin_epsilon(x, y, bins):
    return mutual_information_epsilon(pair_table(x, y, bins) / len(x))


@plugin_mutual_information.misconception(
    "Something was added to every count: the plug-in estimate takes the histogram as it is, zeros included."
)
def plugin_smoothed(x, y, bins):
    return information((pair_table(x, y, bins) + 1) / (len(x) + bins**2))


@plugin_mutual_information.misconception(
    "The bias is taken off: the plug-in estimate is the number before any correction."
)
def plugin_corrected(x, y, bins):
    return information(pair_table(x, y, bins) / len(x)) - (bins - 1) ** 2 / (2 * len(x))


@plugin_mutual_information.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def plugin_bits(x, y, bins):
    return information(pair_table(x, y, bins) / len(x)) / math.log(2)


@plugin_mutual_information.misconception(
    "Cells that never occur became nan: 0 log 0 is 0. Leave empty cells out (torch.where)."
)
def plugin_nan(x, y, bins):
    joint = pair_table(x, y, bins) / len(x)
    return (joint * (joint / (joint.sum(1, keepdim=True) * joint.sum(0))).log()).sum()


@plugin_mutual_information.misconception(
    "float32 keeps seven digits only: make the counts .double() before you divide them."
)
def plugin_float32(x, y, bins):
    return information(pair_table(x, y, bins).float() / len(x))


@plugin_mutual_information.breaks_rule
def plugin_of_scipy(x, y, bins):
    hx, hy, hxy = (stats.entropy(torch.bincount(v).numpy()) for v in (x, y, x * bins + y))
    return hx + hy - hxy


# -------------------------------------------------------------------------------------------- fano_error_bound
# Inputs: h from 0 and 1e-5 to log k, 2 to 1000 classes; the slope is infinite at 0 and 0 at the other end.
@exercise(
    hints=[
        "Fano: h <= Hb(pe) + pe log(k - 1), with Hb(pe) = -pe log pe - (1 - pe) log(1 - pe). The smallest pe makes it an equality.",
        "The right side grows from 0 at pe = 0 to log k at pe = 1 - 1/k: search there, by halving or with scipy.optimize.brentq.",
        "Treat h = 0 first (pe = 0, where log pe does not exist) and h > log k (raise ValueError); halving the interval 60 times is plenty.",
    ],
    because=OWN_WORK,
)
def fano_error_bound(h, k):
    if h > math.log(k) + 1e-12:
        raise ValueError(f"h is at most log k = {math.log(k):.6f} nats, got {h}")

    def explained(pe):
        return special.entr(pe) + special.entr(1 - pe) + pe * math.log(k - 1)

    if explained(1 - 1 / k) <= h:
        return 1 - 1 / k
    return optimize.brentq(lambda pe: explained(pe) - h, 0.0, 1 - 1 / k, xtol=1e-15)


@fano_error_bound.oracle(rtol=1e-6)
def fano_by_the_worst_case(h, k):
    """Where a guess is wrong with probability pe, evenly over the other classes, Fano's bound is met."""
    grid = np.linspace(0, 1 - 1 / k, 20001)
    coarse = k > 20 or h < 0.05  # for so steep a start
    wrong = None if coarse else np.repeat(grid[:, None] / (k - 1), k - 1, axis=1)
    if wrong is None:
        return None
    return float(np.interp(h, stats.entropy(np.column_stack([1 - grid, wrong]), axis=1), grid))


FANO = {"rtol": 1e-6, "atol": 1e-6}


@fano_error_bound.criterion(
    "matches the definition", marks=1, says="The smallest error probability that Fano's inequality allows"
)
def fano_definition(rng):
    yield case(1.2, 8, **FANO)
    k = size(rng, 4, 12)
    yield case(round(number(rng, 0.4, 0.8) * math.log(k), 4), k, **FANO)
    k = size(rng, 3, 6)
    yield case(round(number(rng, 0.85, 0.95) * math.log(k), 4), k, **FANO)


@fano_error_bound.criterion(
    "the ends, two classes, many classes", marks=1, says=("Return 0 for `h = 0`", "Precision $10^{-6}$")
)
def fano_ends(rng):
    yield case(0.0, size(rng, 3, 9), **FANO)
    yield case(math.log(2), 2, **FANO)
    yield case(number(rng, 0.2, 0.6), 2, **FANO)
    yield case(number(rng, 1.0, 9.0) * 1e-3, size(rng, 3, 9), **FANO)
    yield case(number(rng, 1.0, 9.0) * 1e-5, size(rng, 3, 9), **FANO)
    yield case(number(rng, 2.0, 6.0), 1000, **FANO)
    k = size(rng, 4, 9)
    yield case(0.9999 * math.log(k), k, **FANO)


@fano_error_bound.criterion("refuses h above log k", marks=0.5, says="raise `ValueError` if `h` is above")
def fano_bad_input(rng):
    k = size(rng, 3, 9)
    yield raises("ValueError", round(math.log(k) + number(rng, 0.05, 0.5), 4), k)
    yield raises("ValueError", number(rng, 0.75, 2.0), 2)


def halve(h, k, explained, low=0.0, high=None):
    """Bisection, as the answers below use it; raises as it should."""
    if h > math.log(k):
        raise ValueError("h is above log k")
    high = 1 - 1 / k if high is None else high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if explained(middle) < h else (low, middle)
    return high


def binary_entropy(p):
    return float(special.entr(p) + special.entr(1 - p))


@fano_error_bound.alternative
def fano_bisection(h, k):
    return halve(h, k, lambda pe: binary_entropy(pe) + pe * math.log(k - 1)) if h else 0.0


@fano_error_bound.alternative
def fano_guarded_logs(h, k):
    if h > math.log(k):
        raise ValueError(f"h = {h} is more than log {k}")
    if h == 0:
        return torch.tensor(0.0, dtype=torch.float64)

    def gap(pe):
        return -pe * math.log(pe) - (1 - pe) * math.log(1 - pe) + pe * math.log(k - 1) - h

    return torch.tensor(optimize.bisect(gap, 1e-12, 1 - 1 / k + 1e-9), dtype=torch.float64)


@fano_error_bound.alternative
def fano_newton(h, k):
    if h > np.log(k):
        raise ValueError("too uncertain")
    pe, low, high = 0.5 * (1 - 1 / k), 0.0, 1 - 1 / k
    for _ in range(300):  # Newton's step where it stays between the bounds, halving where it does not
        gap = special.entr(pe) + special.entr(1 - pe) + pe * np.log(k - 1) - h
        low, high = (pe, high) if gap < 0 else (low, pe)
        slope = np.log1p(-pe) - np.log(pe) + np.log(k - 1)
        step = pe - gap / slope if slope > 0 else -1.0
        pe = step if low < step < high else (low + high) / 2
    return np.float64(pe)


@fano_error_bound.alternative
def fano_finer_and_finer_grids(h, k):
    if h > math.log(k):
        raise ValueError("h cannot exceed log k")
    low, high = 0.0, 1 - 1 / k
    for _ in range(4):
        pe = torch.linspace(low, high, 101, dtype=torch.float64)
        right = torch.special.entr(pe) + torch.special.entr(1 - pe) + pe * math.log(k - 1)
        first = int((right >= h - 1e-15).int().argmax())
        low, high = pe[max(first - 1, 0)].item(), pe[first].item()
    return torch.tensor(high, dtype=torch.float64)


@fano_error_bound.misconception(
    "The binary entropy of pe is missing: solve h = Hb(pe) + pe log(k - 1) for pe between 0 and 1 - 1/k."
)
def fano_without_binary_entropy(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return min(1.0, h / math.log(k - 1))


@fano_error_bound.misconception(
    "This is the weak form, with log 2 (or 0) in place of Hb(pe): the sharp bound solves h = Hb(pe) + pe log(k - 1) for pe."
)
def fano_weak(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return max(0.0, (h - math.log(2)) / math.log(k))


@fano_error_bound.misconception(
    "This is a weak form, with log 2 in place of Hb(pe): the sharp bound solves h = Hb(pe) + pe log(k - 1) for pe."
)
def fano_weak_over_k_minus_one(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return max(0.0, (h - math.log(2)) / math.log(k - 1)) if k > 2 else 0.0


@fano_error_bound.misconception(
    "h / log k is the share of the uncertainty that is left, no bound: solve h = Hb(pe) + pe log(k - 1) for pe."
)
def fano_share(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return h / math.log(k)


@fano_error_bound.misconception(
    "The 1 in (h - 1) / log k is one bit, which is log 2 nats, and even that form is weak: solve h = Hb(pe) + pe log(k - 1)."
)
def fano_one_bit(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return max(0.0, (h - 1) / math.log(k))


@fano_error_bound.misconception(
    "A wrong guess leaves k - 1 classes, not k: the term is pe log(k - 1), and pe ends at 1 - 1/k, where h is log k."
)
def fano_log_k(h, k):
    return halve(h, k, lambda pe: binary_entropy(pe) + pe * math.log(k))


@fano_error_bound.misconception("The right side is in bits and h in nats: use the natural logarithm on both sides.")
def fano_bits(h, k):
    return halve(h, k, lambda pe: (binary_entropy(pe) + pe * math.log(k - 1)) / math.log(2))


@fano_error_bound.misconception(
    "This is the other solution, above 1 - 1/k: the smallest error probability lies in [0, 1 - 1/k]."
)
def fano_larger_root(h, k):
    return halve(h, k, lambda pe: -binary_entropy(pe) - pe * math.log(k - 1) + 2 * h, low=1 - 1 / k, high=1.0)


@fano_error_bound.misconception("No uncertainty about k classes exceeds log k nats: raise ValueError there.")
def fano_accepts_anything(h, k):
    return fano_error_bound(min(h, math.log(k)), k)


@fano_error_bound.misconception(
    "A logarithm of 0, or of a negative number, raises an error: pe lies between 0 and 1 - 1/k, and at pe = 0 the term pe log pe "
    "is 0. Start just above 0, and return 0 for h = 0."
)
def fano_log_of_zero(h, k):
    return halve(h, k, lambda pe: -pe * math.log(pe) - (1 - pe) * math.log(1 - pe), high=0.0)


@fano_error_bound.misconception(
    "The search begins above the answer: for a small h the smallest pe lies very near 0. Start at 0, or at 1e-15."
)
def fano_starts_too_high(h, k):
    return halve(h, k, lambda pe: binary_entropy(pe) + pe * math.log(k - 1), low=1e-3) if h else 0.0


# -------------------------------------------------------------------------------------------- channel_capacity
# Inputs: 2 to 5 inputs; equal rows, outputs that never come; up to some 3000 rounds of the plain iteration.
@exercise(
    stretch=True,
    hints=[
        "Start from the uniform input r. The gain of x is KL(row x of the channel, r @ channel), how far its row is from the output distribution.",
        "The mean of the gains under r is a lower bound on the capacity, the largest gain an upper one. Multiply r by exp(gains), normalise, repeat.",
        "Stop when upper - lower <= tol. Zeros in the channel: xlogy. Where a column is never used, leave it out of the logarithm.",
    ],
    because=OWN_WORK,
)
def channel_capacity(channel, tol):
    w = channel.numpy()

    def loss(r):
        gains = special.rel_entr(w, np.maximum(r @ w, 1e-300)).sum(1)
        return -(r @ gains), -gains

    total = {"type": "eq", "fun": lambda r: r.sum() - 1, "jac": np.ones_like}
    best = optimize.minimize(
        loss, np.full(len(w), 1 / len(w)), jac=True, bounds=[(0, 1)] * len(w), constraints=total,
        options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    return -best.fun, best.x


def blahut_arimoto(w, gap, most=100_000):
    """(capacity, input, rounds) of a channel, by the plain iteration."""
    r, rounds = np.full(len(w), 1 / len(w)), 0
    gains = special.rel_entr(w, r @ w).sum(1)
    while gains.max() - r @ gains > gap and rounds < most:
        r, rounds = special.softmax(np.log(r) + gains), rounds + 1
        gains = special.rel_entr(w, r @ w).sum(1)
    return r @ gains, r, rounds


@channel_capacity.oracle(rtol=1e-5)
def capacity_by_blahut(channel, tol):
    if len(torch.unique(channel, dim=0)) < len(channel):
        return None  # equal rows: the input is not unique
    capacity, r, _ = blahut_arimoto(channel.numpy(), 1e-9)
    return capacity, np.where(r < 1e-6, 0.0, r)  # an input that is never used, up to the rounds made


def quick_channel(rng, x, y, zeros=0):
    """A random channel on which the plain iteration closes its bounds in a few hundred rounds."""
    while True:
        w = distribution(rng, x, y, zeros=zeros)
        capacity, r, rounds = blahut_arimoto(w.numpy(), 1e-9, 800)
        if 5 < rounds < 700 and capacity > 0.02 and r.min() > 0.02:
            return w


def slow_channel(rng):
    """(channel, its answer): a binary symmetric channel beside a third input that is nearly as good and never used. It
    dies out so slowly that thousands of rounds are needed."""
    e = number(rng, 0.1, 0.2)
    third = e + number(rng, 0.003, 0.004)
    channel = tensor_of([[1 - e, e], [e, 1 - e], [third, 1 - third]])
    return channel, (math.log(2) - float(special.entr(e) + special.entr(1 - e)), np.array([0.5, 0.5, 0.0]))


def tensor_of(rows):
    return torch.tensor(rows, dtype=torch.float64)


def capacity_case(channel, tol, unique=True, known=None, **options):
    capacity, r = known or channel_capacity(channel.double(), tol)
    value = plain.encode((float(capacity), torch.from_numpy(r)))
    goal = {"tol": tol, "unique": unique, "channel": plain.encode(channel)}
    close = {"rtol": 1e-4, "atol": 1e-5}  # for recognising mistakes; the judge goes by tol
    expected = {"judge": "capacity", "value": value, "dtype": name_of(channel.dtype), **goal}
    return case(channel, tol, expected=expected, parts=["capacity", "input distribution"], **close, **options)


def any_best_input(channel, tol):
    text = f"{channel_capacity(channel, tol)[0]:.6f} nats, and any input distribution that reaches it"
    return capacity_case(channel, tol, unique=False, text=text)


@channel_capacity.made_small
def capacity_small(channel, tol):
    if len(channel) > 1:
        yield capacity_case(channel, tol)


@channel_capacity.criterion(
    "matches the definition", marks=1.5, says="Stop when upper and lower bound are within `tol`"
)
def capacity_definition(rng):
    yield capacity_case(torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64), 1e-6)
    yield capacity_case(torch.tensor([[0.7, 0.3], [0.4, 0.6]], dtype=torch.float64), 1e-6)
    yield capacity_case(quick_channel(rng, 2, 3), 1e-6)
    yield capacity_case(quick_channel(rng, 3, 3), 1e-6)


@channel_capacity.criterion(
    "erasing, noiseless and useless channels",
    marks=0.5,
    says=("The channel may hold zeros, and outputs that never come", "need be, and return any number between them"),
)
def capacity_extremes(rng):
    e = number(rng, 0.1, 0.6)
    yield capacity_case(torch.tensor([[1 - e, 0, e], [0, 1 - e, e]], dtype=torch.float64), 1e-6)
    yield capacity_case(torch.eye(size(rng, 3, 5), dtype=torch.float64).roll(1, 0), 1e-6)
    yield capacity_case(torch.tensor([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]], dtype=torch.float64), 1e-6)
    yield any_best_input(distribution(rng, 1, 3).expand(2, 3).contiguous(), 1e-6)
    channel, known = slow_channel(rng)
    yield capacity_case(channel, 1e-6, known=known)


@channel_capacity.criterion(
    "inputs that are not unique", marks=0.5, says="where several inputs reach the capacity, any of them"
)
def capacity_equal_rows(rng):
    yield any_best_input(quick_channel(rng, 2, 3)[[0, 1, 1, 0]], 1e-6)


@channel_capacity.criterion("keeps the dtype and its input", marks=0.5, says="Two results in the dtype of `channel`")
def capacity_dtypes(rng):
    for dtype in (torch.float64, torch.float32):
        channel = quick_channel(rng, 2, 4, zeros=1).to(dtype)
        yield capacity_case(channel, 1e-4, unchanged=True)


@channel_capacity.alternative
def capacity_torch(channel, tol):
    w = channel.double()
    r = torch.full((len(w),), 1 / len(w), dtype=torch.float64)
    while True:
        gains = (torch.special.xlogy(w, w) - torch.special.xlogy(w, r @ w)).sum(1)
        lower, upper = r @ gains, gains.max()
        if upper - lower <= tol:
            return lower.to(channel.dtype), r.to(channel.dtype)
        r = r * gains.exp()
        r = r / r.sum()


@channel_capacity.alternative
def capacity_backward_channel(channel, tol):
    w = channel.numpy().astype("float64")
    r = np.ones(len(w)) / len(w)
    for _ in range(20000):
        with np.errstate(divide="ignore", invalid="ignore"):
            backward = r[:, None] * w / (r @ w)
            scores = np.exp(np.where(w > 0, w * np.log(backward), 0).sum(1))
        upper, lower = np.log((scores / np.where(r > 0, r, 1)).max()), np.log(scores.sum())
        r = scores / scores.sum()
        if upper - lower < tol / 10:
            break
    return [float(lower), torch.from_numpy(r).to(channel.dtype)]


@channel_capacity.alternative
def capacity_by_minimax(channel, tol):
    w, n = channel.numpy().astype("float64"), len(channel)

    def loss(logits):
        r = special.softmax(logits)
        gains = special.rel_entr(w, np.maximum(r @ w, 1e-300)).sum(1)
        return -(r @ gains), -r * (gains - r @ gains)

    best = optimize.minimize(loss, np.zeros(n), jac=True, method="BFGS", options={"gtol": tol**2 / 10})
    r = torch.from_numpy(special.softmax(best.x)).to(channel.dtype)
    return torch.tensor(-best.fun, dtype=channel.dtype), r


def capacity_iteration(w, rounds, update):
    """Rounds of an iteration from the uniform input: (r, gains)."""
    r = torch.full_like(w[:, 0], 1 / len(w))
    for _ in range(rounds):
        r = update(r, (torch.special.xlogy(w, w) - torch.special.xlogy(w, r @ w)).sum(1))
        r = r / r.sum()
    return r, (torch.special.xlogy(w, w) - torch.special.xlogy(w, r @ w)).sum(1)


@channel_capacity.misconception(
    "This is the information of the uniform input. Multiply r by exp(gains), normalise, and repeat until the largest gain is "
    "within tol of their mean under r."
)
def capacity_uniform(channel, tol):
    r, gains = capacity_iteration(channel, 0, None)
    return r @ gains, r


@channel_capacity.misconception("These are bits, not nats: use the natural logarithm, torch.log, not log2.")
def capacity_bits(channel, tol):
    r, gains = capacity_iteration(channel, 400, lambda r, gains: r * gains.exp())
    return r @ gains / math.log(2), r


@channel_capacity.misconception(
    "Rows and columns of the channel are exchanged: row x is the distribution of the output given x."
)
def capacity_transposed(channel, tol):
    w = channel.mT / channel.mT.sum(-1, keepdim=True)
    r, gains = capacity_iteration(w, 400, lambda r, gains: r * gains.exp())
    return r @ gains, r


@channel_capacity.misconception(
    "The iteration stops when the estimate hardly changes, which says little: stop when the largest gain is within tol of "
    "their mean under r."
)
def capacity_stops_early(channel, tol):
    r, before = torch.full_like(channel[:, 0], 1 / len(channel)), math.inf
    while True:
        gains = (torch.special.xlogy(channel, channel) - torch.special.xlogy(channel, r @ channel)).sum(1)
        if abs(r @ gains - before) <= tol:
            return r @ gains, r
        before, r = r @ gains, r * gains.exp() / (r * gains.exp()).sum()


@channel_capacity.misconception(
    "A zero in the channel, or an output that never comes, became nan. Such terms are 0: leave them out (torch.where).",
    looks={"judge": "has_nan"},
)
def capacity_nan(channel, tol):
    r = torch.full_like(channel[:, 0], 1 / len(channel))
    for _ in range(400):
        gains = (channel * (channel / (r @ channel)).log()).sum(1)
        r = r * gains.exp() / (r * gains.exp()).sum()
    return r @ gains, r


@channel_capacity.misconception(
    "r * channel weighs column y with r[y]: r belongs to the rows, so the outputs are r @ channel."
)
def capacity_weighs_columns(channel, tol):
    r = torch.full_like(channel[:, 0], 1 / len(channel))
    for _ in range(400):
        out = (r * channel).sum(0)
        gains = (torch.special.xlogy(channel, channel) - torch.special.xlogy(channel, out)).sum(1)
        r = r * gains.exp() / (r * gains.exp()).sum()
    return r @ gains, r


@channel_capacity.misconception("This is the distribution of the output: return r, the distribution of the input.")
def capacity_output(channel, tol):
    r, gains = capacity_iteration(channel, 400, lambda r, gains: r * gains.exp())
    return r @ gains, r @ channel


def capacity_stopped_too_soon(one):
    """What fixed numbers of rounds would answer."""
    w, r, answers = one.arguments[0].double().numpy(), None, []
    r = np.full(len(w), 1 / len(w))
    for rounds in range(max(CAPACITY_ROUNDS) + 1):
        gains = special.rel_entr(w, np.maximum(r @ w, 1e-300)).sum(1)
        if rounds in CAPACITY_ROUNDS:
            answers.append(argument_as_data((float(r @ gains), torch.from_numpy(r.copy()))))
        r = r * np.exp(gains)
        r = r / r.sum()
    return {"judge": "deviates", "value": one.expected["value"], "answers": answers}


CAPACITY_ROUNDS = (10, 20, 50, 100, 200, 300, 500, 1000)


@channel_capacity.misconception(
    "A fixed number of rounds is not enough for every channel: go on until the largest gain is within tol of the mean of "
    "the gains under r, which bounds the error.",
    looks=capacity_stopped_too_soon,
)
def capacity_two_hundred_rounds(channel, tol):
    r, gains = capacity_iteration(channel, 200, lambda r, gains: r * gains.exp())
    return r @ gains, r


# ----------------------------------------------------------------------------------------------- water_filling
# Inputs: 1 to 7 noises from .001 to 1000, power from 0 to 9.
@exercise(
    stretch=True,
    hints=[
        "Pour the power over the noise like water: all channels that get any end at one level, noise + share; the others lie "
        "above it and get 0.",
        "So share = max(0, level - noise), and the shares add up to `power`: find the level by halving between min(noise) and "
        "max(noise) + power.",
        "Or exactly: with the k least noisy channels wet, level = (power + their noise) / k; take the largest k whose "
        "noisiest channel still lies below its level. Capacity: sum of log(1 + share / noise) / 2.",
    ],
    because=OWN_WORK,
)
def water_filling(noise, power):
    n = noise.numpy()
    if power == 0:
        return np.zeros_like(n), 0.0
    level = optimize.brentq(
        lambda level: np.maximum(level - n, 0).sum() - power, n.min(), n.max() + 2 * power, xtol=1e-14, rtol=1e-14
    )
    share = np.maximum(level - n, 0)
    return share, 0.5 * np.log1p(share / n).sum()


@water_filling.oracle(rtol=1e-5)
def water_filling_by_slsqp(noise, power):
    """The capacity maximised over all shares, without the idea of a level."""
    n = noise.numpy()
    total = {"type": "eq", "fun": lambda share: share.sum() - power, "jac": np.ones_like}
    best = optimize.minimize(
        lambda share: (-0.5 * np.log1p(share / n).sum(), -0.5 / (n + share)), np.full(len(n), power / len(n)), jac=True,
        bounds=[(0, None)] * len(n), constraints=total, options={"ftol": 1e-16, "maxiter": 500},
    )  # fmt: skip
    share = np.where(best.x < 1e-6 * max(power, 1), 0.0, best.x)
    return share, 0.5 * np.log1p(share / n).sum()


WATER = {"rtol": 1e-6, "atol": 1e-6, "parts": ["allocation", "capacity"]}


def channels_with_dry_ones(rng, n, dtype=torch.float64):
    """(noise, power) such that at least two channels get some of the power and at least one gets none."""
    noise = torch.from_numpy(rng.uniform(0.5, 4.0, n).round(2))
    low, high = noise.sort().values[1].item(), noise.max().item()
    level = low + number(rng, 0.4, 0.8) * (high - low)
    return noise.to(dtype), round((level - noise).clamp_min(0).sum().item(), 4)


@water_filling.criterion(
    "matches the definition", marks=1.5, says="The shares (n,) of the power among parallel Gaussian channels"
)
def water_filling_definition(rng):
    yield case(torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64), 3.0, **WATER)
    yield case(*channels_with_dry_ones(rng, 4), **WATER)
    yield case(*channels_with_dry_ones(rng, size(rng, 5, 7)), **WATER)
    yield case(torch.from_numpy(rng.uniform(0.5, 2.0, 3).round(2)), number(rng, 5.0, 9.0), **WATER)


@water_filling.criterion(
    "no power, one channel, equal and very unequal channels", marks=1, says="`power` may be 0, noises may be equal"
)
def water_filling_ends(rng):
    yield case(torch.from_numpy(rng.uniform(0.5, 4.0, 3).round(2)), 0.0, **WATER)
    yield case(torch.tensor([number(rng, 0.5, 2.0)], dtype=torch.float64), number(rng, 0.5, 2.0), **WATER)
    yield case(torch.full((size(rng, 2, 4),), number(rng, 0.5, 2.0), dtype=torch.float64), 2.0, **WATER)
    yield case(torch.tensor([0.01, 50.0, 0.02, 1000.0], dtype=torch.float64), number(rng, 1.0, 9.0), **WATER)
    yield case(torch.tensor([0.001, 0.002, 3.0], dtype=torch.float64), number(rng, 0.0004, 0.0008), **WATER)


@water_filling.criterion("keeps the dtype and its input", marks=0.5, says="dtype and input as before")
def water_filling_dtypes(rng):
    for dtype, rtol in ((torch.float64, 1e-6), (torch.float32, 1e-5)):
        noise, power = channels_with_dry_ones(rng, 4, dtype)
        yield case(noise, power, **{**WATER, "rtol": rtol, "atol": rtol}, unchanged=True)


def capacity_of(share, noise):
    """The answer for any shares, as the answers below end."""
    return share, torch.log(1 + share / noise).sum() / 2


@water_filling.alternative
def water_filling_sorted(noise, power):
    n = noise.double().sort().values
    for k in range(len(n), 0, -1):
        level = (power + n[:k].sum()) / k
        if level >= n[k - 1]:
            break
    share = (level - noise.double()).clamp_min(0)
    share, capacity = capacity_of(share, noise.double())
    return share.to(noise.dtype), capacity.to(noise.dtype)


@water_filling.alternative
def water_filling_halving(noise, power):
    n = noise.double().tolist()
    low, high = min(n), max(n) + power
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if sum(max(0.0, level - v) for v in n) < power else (low, level)
    share = [max(0.0, high - v) for v in n]
    capacity = sum(math.log(1 + s / v) for s, v in zip(share, n, strict=True)) / 2
    return torch.tensor(share, dtype=torch.float64).to(noise.dtype), capacity


@water_filling.alternative
def water_filling_drying_out(noise, power):
    """Water over all channels; the one that comes out most negative is dry, and again over the rest."""
    n = noise.numpy().astype("float64")
    wet = np.ones(len(n), dtype=bool)
    while True:
        share = np.where(wet, (power + n[wet].sum()) / wet.sum() - n, 0.0)
        if share.min() >= 0:
            break
        wet[share.argmin()] = False
    return torch.from_numpy(share).to(noise.dtype), np.float64(np.log1p(share / n).sum() / 2)


@water_filling.misconception(
    "Every channel gets the same: pour the power where the noise is low, until all wet channels reach one level."
)
def water_filling_evenly(noise, power):
    return capacity_of(torch.full_like(noise, power / len(noise)), noise)


@water_filling.misconception(
    "The best channel gets everything: past a point more power there brings less than in the next one. Fill to a level."
)
def water_filling_winner(noise, power):
    return capacity_of(torch.where(noise == noise.min(), power, 0.0).to(noise.dtype), noise)


@water_filling.misconception(
    "The shares go by 1 / noise: it is the sum, noise + share, that is the same for all channels that get any."
)
def water_filling_inverse(noise, power):
    return capacity_of(power / noise / (1 / noise).sum(), noise)


@water_filling.misconception(
    "The noisy channels get the most: that equalises them, and wastes power. Share = max(0, level - noise)."
)
def water_filling_proportional(noise, power):
    return capacity_of(power * noise / noise.sum(), noise)


@water_filling.misconception(
    "A share is negative: no channel gives power back. It gets 0, and the level falls for the others."
)
def water_filling_negative(noise, power):
    return capacity_of((power + noise.sum()) / len(noise) - noise, noise)


@water_filling.misconception(
    "The shares add up to more than the power: after negative ones are set to 0 the level must be found again without them."
)
def water_filling_clipped(noise, power):
    return capacity_of(((power + noise.sum()) / len(noise) - noise).clamp_min(0), noise)


@water_filling.misconception(
    "Negative shares were set to 0 and the rest scaled down: the wet channels then end at different levels. Find the level again."
)
def water_filling_rescaled(noise, power):
    share = ((power + noise.sum()) / len(noise) - noise).clamp_min(0)
    return capacity_of(power * share / share.sum(), noise)


@water_filling.misconception("The half is missing: a real Gaussian channel carries log(1 + share / noise) / 2.")
def water_filling_without_the_half(noise, power):
    share, capacity = water_filling_sorted(noise, power)
    return share, 2 * capacity


@water_filling.misconception("The capacity is in bits: use the natural logarithm, torch.log, not log2.")
def water_filling_bits(noise, power):
    share, capacity = water_filling_sorted(noise, power)
    return share, capacity / math.log(2)


@water_filling.misconception("This is the level of the water: return how deep it is, max(0, level - noise).")
def water_filling_level(noise, power):
    share, capacity = water_filling_sorted(noise, power)
    return (noise + share)[share > 0].max().expand(len(noise)).contiguous() if power else noise, capacity


@water_filling.misconception(
    "The capacity is that of all the power over all the noise: each channel has a capacity of its own, and they add up."
)
def water_filling_one_channel(noise, power):
    share, _ = water_filling_sorted(noise, power)
    return share, torch.log(1 + power / noise.sum()) / 2


# --------------------------------------------------------------------------------------------- rate_distortion
# Inputs: beta from .2 to 1000; just above a letter's threshold some 5000 rounds are needed.
@exercise(
    stretch=True,
    hints=[
        "Keep r, the distribution of what is shown. For each x the best choice is W(z given x) proportional to r(z) exp(-beta d(x, z)).",
        "Then r is p @ W, and so on, in turns. Stop by the bound: r(z) grows by sum_x p(x) exp(-beta d(x, z)) / Z_x a round, and "
        "R + beta D is within the logarithm of the largest growth of its minimum.",
        "At the end R = sum p W log(W / r), with zeros handled, and D = sum p W d.",
    ],
    because=OWN_WORK,
)
def rate_distortion(p, distortion, beta):
    p, d = p.numpy(), distortion.numpy()
    r, _ = blahut(p, d, beta, 1e-15)
    w = special.softmax(np.log(np.maximum(r, 1e-300)) - beta * d, axis=1)
    return special.rel_entr(p[:, None] * w, np.outer(p, p @ w)).sum(), (p[:, None] * w * d).sum()


def blahut(p, d, beta, still, most=50_000):
    """(distribution of what is shown, rounds) by the plain iteration."""
    r, before, rounds = np.full(d.shape[1], 1 / d.shape[1]), np.zeros(d.shape[1]), 0
    while np.abs(r - before).max() > still and rounds < most:
        before, r, rounds = r, p @ special.softmax(np.log(np.maximum(r, 1e-300)) - beta * d, axis=1), rounds + 1
    return r, rounds


@rate_distortion.oracle(rtol=1e-5)
def rate_distortion_by_slsqp(p, distortion, beta):
    """The least of -sum p log sum r exp(-beta d) over r is the least of R + beta D (Cover and Thomas, section 10.7)."""
    p, d = p.numpy(), distortion.numpy()
    kernel = np.exp(-beta * d)
    n = d.shape[1]

    def loss(r):
        mass = kernel @ r
        return -(p @ np.log(mass)), -((p / mass) @ kernel)

    total = {"type": "eq", "fun": lambda r: r.sum() - 1, "jac": np.ones_like}
    options = {"ftol": 1e-16, "maxiter": 500}
    r = optimize.minimize(
        loss, np.full(n, 1 / n), jac=True, bounds=[(0, 1)] * n, constraints=total, method="SLSQP", options=options
    ).x
    distortion = p @ ((kernel * d) @ r / (kernel @ r))
    return loss(r)[0] - beta * distortion, distortion


CURVE = {"rtol": 1e-6, "atol": 1e-6, "parts": ["rate R", "distortion D"]}
HAMMING = 1 - torch.eye(2, dtype=torch.float64)


def quick_source(rng, x, z, low, high, zeros=0):
    """A random source, distortion and beta for which the plain iteration settles in a few hundred rounds."""
    while True:
        p, d = distribution(rng, x, zeros=zeros), torch.from_numpy(rng.uniform(0, 2, (x, z)).round(2))
        beta = number(rng, low, high)
        r, rounds = blahut(p.numpy(), d.numpy(), beta, 1e-10, 500)
        if rounds < 400 and (low < 0.5 or r.max() < 0.9):
            return p, d, beta


@rate_distortion.criterion(
    "matches the definition", marks=1.5, says="The rate in nats and the distortion that minimise R + beta D"
)
def rate_distortion_definition(rng):
    yield case(torch.tensor([0.4, 0.6], dtype=torch.float64), HAMMING, 2.0, **CURVE)
    yield case(torch.tensor([0.5, 0.5], dtype=torch.float64), HAMMING, math.log(9), **CURVE)
    yield case(torch.tensor([0.3, 0.7], dtype=torch.float64), HAMMING, number(rng, 1.5, 3.0), **CURVE)
    yield case(*quick_source(rng, 3, 3, 3.0, 5.0), **CURVE)
    yield case(*quick_source(rng, 4, 3, 3.0, 5.0), **CURVE)


@rate_distortion.criterion("slow convergence", marks=0.5, says="thousands of rounds if need be")
def rate_distortion_slow(rng):
    """Just above the beta at which the rarer of two letters comes into use, a thousand rounds are not enough."""
    share = number(rng, 0.3, 0.32)
    beta = round(1.017 * math.log((1 - share) / share), 4)
    yield case(torch.tensor([share, 1 - share], dtype=torch.float64), HAMMING, beta, **CURVE)


@rate_distortion.criterion(
    "from no information to all of it",
    marks=0.5,
    says=("$p$ may hold zeros", "for large $\\beta$ entries of $W$ become 0"),
)
def rate_distortion_ends(rng):
    yield case(torch.tensor([0.3, 0.7], dtype=torch.float64), HAMMING, 1000.0, **CURVE)
    yield case(*quick_source(rng, 3, 2, 0.2, 0.4), **CURVE)
    yield case(*quick_source(rng, 4, 3, 3.0, 5.0, zeros=1), **CURVE)


@rate_distortion.criterion(
    "keeps the dtype and its inputs",
    marks=0.5,
    says="Two results in the dtype of `p`; nothing that comes in is changed",
)
def rate_distortion_dtypes(rng):
    for dtype, rtol in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
        p, d, beta = quick_source(rng, 3, 3, 3.0, 4.0)
        yield case(p.to(dtype), d.to(dtype), beta, **{**CURVE, "rtol": rtol, "atol": rtol}, unchanged=True)


@rate_distortion.alternative
def rate_distortion_torch(p, distortion, beta):
    source, d = p.double(), distortion.double()
    r = torch.full((d.shape[1],), 1 / d.shape[1], dtype=torch.float64)
    for _ in range(20000):
        w = r * torch.exp(-beta * d)
        w = w / w.sum(1, keepdim=True)
        before, r = r, source @ w
        if (r - before).abs().max() < 1e-13:
            break
    joint = source[:, None] * w
    rate = (torch.special.xlogy(joint, w) - torch.special.xlogy(joint, r)).sum()
    return rate.to(p.dtype), (joint * d).sum().to(p.dtype)


@rate_distortion.alternative
def rate_distortion_dual(p, distortion, beta):
    source, kernel = p.double(), torch.exp(-beta * distortion.double())
    r = torch.ones(kernel.shape[1], dtype=torch.float64) / kernel.shape[1]
    growth = r.new_tensor([2.0])
    while growth.max() > 1 + 1e-12:
        growth = (source / (kernel @ r)) @ kernel
        r = r * growth
    mass = kernel @ r
    distance = (source / mass) @ (kernel * distortion.double()) @ r
    rate = -(source * mass.log()).sum() - beta * distance
    return [rate.clamp_min(0).item(), distance.item()]


@rate_distortion.alternative
def rate_distortion_log_domain(p, distortion, beta):
    source, d = p.numpy().astype("float64"), distortion.numpy().astype("float64")
    log_r = np.full(d.shape[1], -np.log(d.shape[1]))
    moved = 1.0
    while moved > 1e-12:
        log_w = log_r - beta * d
        log_w = log_w - np.logaddexp.reduce(log_w, axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            before, log_r = log_r, np.maximum(np.log(source @ np.exp(log_w)), -700)
        moved = np.abs(np.exp(log_r) - np.exp(before)).max()
    w = np.exp(log_w)
    rate = sum(source[x] * (w[x] * (log_w[x] - log_r)).sum() for x in range(len(source)) if source[x] > 0)
    return np.asarray(rate).astype(p.numpy().dtype), np.asarray(source @ (w * d).sum(1)).astype(p.numpy().dtype)


def curve_point(p, d, kernel, rounds=500):
    """(R, D, W, r) of the plain iteration with any kernel, for the answers below."""
    r = torch.full_like(d[0], 1 / d.shape[1])
    for _ in range(rounds):
        w = r * kernel / (r * kernel).sum(1, keepdim=True)
        r = p @ w
    joint = p[:, None] * w
    return (torch.special.xlogy(joint, w) - torch.special.xlogy(joint, r)).sum(), (joint * d).sum(), w, r


@rate_distortion.misconception("The rate is in bits: use the natural logarithm, torch.log, not log2.")
def rate_distortion_bits(p, distortion, beta):
    rate, distance, *_ = curve_point(p, distortion, torch.exp(-beta * distortion))
    return rate / math.log(2), distance


@rate_distortion.misconception(
    "The sign of beta is wrong: exp(-beta d) favours a small distortion, exp(beta d) a large one."
)
def rate_distortion_sign(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(beta * distortion))[:2]


@rate_distortion.misconception("beta divides the distortion, like a temperature: it multiplies, exp(-beta d).")
def rate_distortion_temperature(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(-distortion / beta))[:2]


@rate_distortion.misconception(
    "The distribution of what is shown was never updated: after W comes r = p @ W, and again, until nothing moves."
)
def rate_distortion_one_round(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(-beta * distortion), 1)[:2]


ROUNDS = (2, 3, 5, 10, 20, 25, 30, 50, 64, 100, 128, 150, 200, 250, 300, 500, 1000)
STILL = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


def stopped_too_soon(one):
    """What so many rounds would answer, or stopping where r moves by less than so much."""
    p, d, beta = (one.arguments[0].double(), one.arguments[1].double(), one.arguments[2])
    kernel, r = torch.exp(-beta * d), torch.full_like(d[0], 1 / d.shape[1], dtype=torch.float64)
    answers, still = [], list(STILL)
    for rounds in range(1, max(ROUNDS) + 1):
        w = r * kernel / (r * kernel).sum(1, keepdim=True)
        before, r = r, p @ w
        moved = (r - before).abs().max()
        if rounds in ROUNDS or (still and moved < still[0]):
            joint = p[:, None] * w
            rate = (torch.special.xlogy(joint, w) - torch.special.xlogy(joint, r)).sum()
            answers.append((rate.item(), (joint * d).sum().item()))
            still = [one for one in still if moved >= one]
    exact = tuple(map(float, rate_distortion(p, d, beta)))
    return {
        "judge": "deviates", "value": argument_as_data(exact), "answers": [argument_as_data(one) for one in answers],
    }  # fmt: skip


TOO_SOON = "This stops too soon: go on until r(z) nowhere grows by more than a factor of 1 + 1e-12 in a round."


@rate_distortion.misconception(TOO_SOON, looks=stopped_too_soon)
def rate_distortion_few_rounds(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(-beta * distortion), 10)[:2]


@rate_distortion.misconception(TOO_SOON)
def rate_distortion_hundred_rounds(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(-beta * distortion), 100)[:2]


@rate_distortion.misconception("The first result is the sum R + beta D that is minimised: return R and D apart.")
def rate_distortion_objective(p, distortion, beta):
    rate, distance, *_ = curve_point(p, distortion, torch.exp(-beta * distortion))
    return rate + beta * distance, distance


@rate_distortion.misconception("Every x counts alike in the averages: weigh each with its p.")
def rate_distortion_unweighted(p, distortion, beta):
    *_, w, r = curve_point(p, distortion, torch.exp(-beta * distortion))
    return (torch.special.xlogy(w, w) - torch.special.xlogy(w, r)).sum(1).mean(), (w * distortion).sum(1).mean()


# -------------------------------------------------------------------------------------- information_bottleneck
# Inputs: beta from .3 to 6, 1 to 5 clusters of 4 or 5 letters; starts whose ends agree.
@exercise(
    stretch=True,
    hints=[
        "An encoder is a table (X, clusters) whose rows sum to 1. Start from random rows, drawn from `generator`, none of "
        "whose entries is 0.",
        "One round: p(t) = px @ encoder, p(t, y) = encoder.T @ joint, p(y given t) = p(t, y) / p(t), then encoder = softmax over "
        "t of log p(t) - beta KL(p(y given x), p(y given t)).",
        "Go on until the encoder rests (1e-9). Then I(X; T) is the information of px[:, None] * encoder, and I(T; Y) that of "
        "encoder.T @ joint. If in doubt, try several starts and keep the one with the least I(X; T) - beta I(T; Y).",
    ],
    because=OWN_WORK,
)
def information_bottleneck(joint, beta, clusters, generator):
    return known_bottleneck(joint.numpy().tobytes(), joint.shape, beta, clusters)


def bottleneck_round(joint, beta, encoder):
    """One round of the self-consistent equations, of encoders (..., X, T)."""
    px = joint.sum(1)
    pt, pty = px @ encoder, np.swapaxes(encoder, -1, -2) @ joint
    log_given_t = np.log(np.maximum(pty / pt[..., None], 1e-300))
    likeness = (joint / px[:, None]) @ np.swapaxes(log_given_t, -1, -2)  # the KL, but for what all t share
    weights = pt[..., None, :] * np.exp(beta * (likeness - likeness.max(-1, keepdims=True)))
    return weights / weights.sum(-1, keepdims=True)


def bottleneck_information(joint, encoder):
    """I(X; T) and I(T; Y) of encoders (..., X, T)."""
    px, py, pt = joint.sum(1), joint.sum(0), joint.sum(1) @ encoder
    i_xt = special.rel_entr(px[:, None] * encoder, px[:, None] * pt[..., None, :]).sum((-2, -1))
    i_ty = special.rel_entr(np.swapaxes(encoder, -1, -2) @ joint, pt[..., None] * py).sum((-2, -1))
    return i_xt, i_ty


def best_bottleneck(joint, beta, clusters, starts=30, most=3000):
    """(encoder, I(X; T), I(T; Y), the losses of all starts, rounds): the best of many starts, all run to rest."""
    rng = np.random.default_rng(0)
    shape = (starts // 2, len(joint), clusters)
    encoder = np.concatenate([rng.dirichlet(np.ones(clusters), shape[:2]), special.softmax(rng.normal(size=shape), -1)])
    rounds, moved = 0, 1.0
    while rounds < most and moved > 1e-10:
        before, encoder = encoder, bottleneck_round(joint, beta, encoder)
        rounds, moved = rounds + 1, np.abs(encoder - before).max()
    i_xt, i_ty = bottleneck_information(joint, encoder)
    losses = i_xt - beta * i_ty
    best = losses.argmin()
    return encoder[best], i_xt[best], i_ty[best], losses, rounds


def settled(joint, encoder):
    """The encoder among its equals that every processor arrives at: clusters of one p(y given t) share their mass
    evenly, stand in the order of p(y given t), and have 7 digits."""
    pty = encoder.T @ joint
    kinds, inverse = np.unique((pty / pty.sum(1, keepdims=True)).round(4), axis=0, return_inverse=True)
    member = np.eye(len(kinds))[inverse.ravel()]
    shared = encoder @ member @ (member / member.sum(0)).T
    return shared[:, np.argsort(inverse.ravel(), kind="stable")].round(7)


@cache
def known_bottleneck(numbers, shape, beta, clusters):
    """The reference's answer, worked out once."""
    joint = np.frombuffer(numbers).reshape(shape)
    encoder = settled(joint, best_bottleneck(joint, beta, clusters)[0])
    return encoder, *bottleneck_information(joint, encoder)


@information_bottleneck.oracle(rtol=1e-6)
def bottleneck_by_descent(joint, beta, clusters, generator):
    """The loss itself, minimised over logits by BFGS from several starts, without the equations."""
    px, py = joint.sum(1), joint.sum(0)

    def loss(logits):
        z = torch.tensor(logits, requires_grad=True)
        encoder = torch.softmax(z.view(len(joint), clusters), 1)
        pt, pty = px @ encoder, encoder.T @ joint
        i_xt = (px[:, None] * encoder * (encoder / pt).log()).sum()
        value = i_xt - beta * torch.special.xlogy(pty, pty / torch.outer(pt, py)).sum()
        value.backward()
        return value.item(), z.grad.numpy()

    rng = np.random.default_rng(1)
    runs = [
        optimize.minimize(loss, rng.normal(size=len(joint) * clusters), jac=True, method="BFGS") for _ in range(2)
    ]  # fmt: skip
    encoder = special.softmax(min(runs, key=lambda run: run.fun).x.reshape(len(joint), clusters), 1)
    return encoder, *bottleneck_information(joint.numpy(), encoder)


def bottleneck_case(joint, beta, clusters, seed, **options):
    """A case that any encoder meets whose loss is no more than 1e-3 above the best of ours."""
    encoder, i_xt, i_ty = information_bottleneck(joint.double(), beta, clusters, None)
    value = plain.encode((torch.from_numpy(encoder), float(i_xt), float(i_ty)))
    goal = {"joint": plain.encode(joint.double()), "beta": beta}
    text = f"an encoder with I(X; T) - {beta:g} I(T; Y) = {i_xt - beta * i_ty:.4f}, or less"
    expected = {"judge": "bottleneck", "value": value, "dtype": name_of(joint.dtype), "text": text, **goal}
    return case(joint, beta, clusters, Seed(seed), expected=expected, **options)


def telling(rng, x, y, clusters, low, high):
    """(joint, beta) where every start ends at the best encoder within some hundred rounds, and where neither hard clusters
    nor clusters that ignore x come near it."""
    while True:
        rows = rng.dirichlet(np.full(y, 0.4), size=x) * 0.94 + 0.06 / y
        joint = rows * rng.dirichlet(np.full(x, 4.0))[:, None]
        joint, beta = joint / joint.sum(), number(rng, low, high)
        encoder, i_xt, i_ty, losses, rounds = best_bottleneck(joint, beta, clusters, starts=8, most=100)
        if rounds == 100 or np.ptp(losses) > 1e-4:
            continue
        hard = bottleneck_information(joint, np.eye(clusters)[encoder.argmax(1)])
        apart = min(-losses.min(), hard[0] - beta * hard[1] - losses.min(), i_xt - i_ty)
        if apart > 0.02 and np.ptp(best_bottleneck(joint, beta, clusters, starts=200, most=100)[3]) < 1e-4:
            return torch.from_numpy(joint), beta


@information_bottleneck.made_small
def bottleneck_small(joint, beta, clusters, seed):
    if (joint.sum(1) > 0).all() and len(joint) > 1:
        one = bottleneck_case(joint, beta, 2, seed.number)
        if float(plain.decode(one.expected["value"])[2]) > 0.02:  # where clusters are worth their price
            yield one


@information_bottleneck.criterion("reaches the best trade", marks=1.5, says="no more than $10^{-3}$ above the best")
def bottleneck_definition(rng):
    seed = size(rng, 1, 1000)
    yield bottleneck_case(*telling(rng, 4, 2, 2, 3.0, 6.0), 2, seed)
    yield bottleneck_case(*telling(rng, 4, 3, 3, 3.0, 6.0), 3, seed + 1)
    yield bottleneck_case(*telling(rng, 5, 3, 2, 3.0, 6.0), 2, seed + 2)


@information_bottleneck.criterion(
    "too small a beta, one cluster, more clusters than needed",
    marks=0.5,
    says="`beta` may be too small for any information to pay, `clusters` 1, or more than are needed",
)
def bottleneck_ends(rng):
    joint, beta = telling(rng, 4, 2, 2, 3.0, 6.0)
    yield bottleneck_case(joint, number(rng, 0.3, 0.9), 2, size(rng, 1, 1000))
    yield bottleneck_case(joint, beta, 1, size(rng, 1, 1000))
    yield bottleneck_case(*telling(rng, 4, 2, 5, 3.0, 6.0), 5, size(rng, 1, 1000))


@information_bottleneck.criterion("one seed, one answer", marks=0.5, says="drawn from `generator` alone")
def bottleneck_seeded(rng):
    joint, beta = telling(rng, 4, 3, 3, 3.0, 6.0)
    yield case(
        joint, beta, 3, Seed(size(rng, 1, 1000)), driver="same_generator",
        expected={"judge": "same_answers", "text": "the same answer from generators of one seed"},
    )  # fmt: skip


@information_bottleneck.criterion(
    "keeps the dtype and its input", marks=0.5, says="Three results in the dtype of `joint`, which is not changed"
)
def bottleneck_dtypes(rng):
    joint, beta = telling(rng, 4, 3, 2, 3.0, 6.0)
    for dtype in (torch.float64, torch.float32):
        yield bottleneck_case(joint.to(dtype), beta, 2, size(rng, 1, 1000), unchanged=True)


def random_rows(x, clusters, generator):
    """A random encoder, as the answers below start."""
    weights = torch.rand(x, clusters, dtype=torch.float64, generator=generator) + 0.01
    return weights / weights.sum(1, keepdim=True)


def pieces(joint, encoder):
    """p(t), p(y given x), p(y given t)."""
    px, pt = joint.sum(1), joint.sum(1) @ encoder
    return pt, joint / px[:, None], (encoder.T @ joint) / pt[:, None]


def divergences_from(given_x, given_t):
    """KL(p(y given x), p(y given t)) for all x and t."""
    return torch.special.xlogy(given_x, given_x).sum(1)[:, None] - given_x @ given_t.clamp_min(1e-300).log().T


def with_information(joint, encoder, dtype):
    """An encoder as the answer: with its two informations, in the dtype asked for."""
    i_xt = mutual_information_entropies(joint.sum(1)[:, None] * encoder)
    return encoder.to(dtype), i_xt.to(dtype), mutual_information_entropies(encoder.T @ joint).to(dtype)


def bottleneck_iteration(joint, clusters, generator, scores, rounds=300):
    """Rounds of an iteration with any scores(p(t), p(y given x), p(y given t))."""
    p = joint.double()
    encoder = random_rows(len(p), clusters, generator)
    for _ in range(rounds):
        encoder = torch.softmax(scores(*pieces(p, encoder)), 1)
    return with_information(p, encoder, joint.dtype)


@information_bottleneck.alternative
def bottleneck_torch(joint, beta, clusters, generator):
    return bottleneck_iteration(
        joint, clusters, generator, lambda pt, given_x, given_t: pt.log() - beta * divergences_from(given_x, given_t)
    )


@information_bottleneck.alternative
def bottleneck_of_several_starts(joint, beta, clusters, generator):
    """In products, from normal logits, three times; the least loss counts."""
    p = joint.double()
    px, best = p.sum(1), None
    for _ in range(3):
        encoder = torch.softmax(torch.randn(len(p), clusters, generator=generator).double(), 1)
        moved = 1.0
        while moved > 1e-9:
            pt = (px[:, None] * encoder).sum(0)
            given_t = torch.einsum("xt,xy->ty", encoder, p) / pt[:, None]
            ratio = (p / px[:, None])[:, None, :] / given_t
            weights = pt * torch.exp(-beta * torch.special.xlogy((p / px[:, None])[:, None, :], ratio).sum(-1))
            before, encoder = encoder, weights / weights.sum(1, keepdim=True)
            moved = (encoder - before).abs().max()
        answer = with_information(p, encoder, joint.dtype)
        loss = (answer[1] - beta * answer[2]).item()
        if best is None or loss < best[0]:
            best = (loss, answer)
    return best[1]


@information_bottleneck.alternative
def bottleneck_numpy(joint, beta, clusters, generator):
    """The reference's round from NumPy's numbers, seeded by the generator; informations as floats."""
    p = joint.double().numpy()
    rng = np.random.default_rng(torch.randint(2**31, (1,), generator=generator).item())
    encoder = rng.dirichlet(np.ones(clusters), len(p))
    for _ in range(400):
        encoder = bottleneck_round(p, beta, encoder)
    return [torch.from_numpy(encoder).to(joint.dtype), *map(float, bottleneck_information(p, encoder))]


USELESS = (
    "Every row of the encoder is alike, so T knows nothing of X. Equal rows never part: start from random ones. And beta "
    "multiplies the KL; it does not divide it."
)


def symptom(name):
    """What to know encoders by that went wrong in a known way."""

    def looks(one):
        joint, beta, clusters, _ = one.arguments
        known = {"joint": argument_as_data(joint.double()), "beta": beta, "clusters": clusters}
        return {"judge": "bottleneck_symptom", "symptom": name, **known}

    return looks


@information_bottleneck.misconception(USELESS, looks=symptom("useless"))
def bottleneck_starts_uniform(joint, beta, clusters, generator):
    p = joint.double()
    return with_information(p, torch.full((len(p), clusters), 1 / clusters, dtype=p.dtype), joint.dtype)


@information_bottleneck.misconception(USELESS, looks=symptom("useless"))
def bottleneck_temperature(joint, beta, clusters, generator):
    return bottleneck_iteration(
        joint, clusters, generator, lambda pt, given_x, given_t: pt.log() - divergences_from(given_x, given_t) / beta
    )


@information_bottleneck.misconception(
    "The divergence is the other way round: it is KL(p(y given x), p(y given t)), with p(y given x) as the weight.",
    looks=symptom("reversed"),
)
def bottleneck_reversed(joint, beta, clusters, generator):
    return bottleneck_iteration(
        joint, clusters, generator, lambda pt, given_x, given_t: pt.log() - beta * divergences_from(given_t, given_x).T
    )


@information_bottleneck.misconception(
    "p(t) is missing: the encoder is proportional to p(t) exp(-beta KL), so that clusters in use draw more.",
    looks=symptom("no prior"),
)
def bottleneck_without_prior(joint, beta, clusters, generator):
    return bottleneck_iteration(
        joint, clusters, generator, lambda pt, given_x, given_t: -beta * divergences_from(given_x, given_t)
    )


@information_bottleneck.misconception(
    "In p(t) and p(y given t) every x counts alike: weigh each with its p(x), px @ encoder and encoder.T @ joint.",
    looks=symptom("unweighted"),
)
def bottleneck_unweighted(joint, beta, clusters, generator):
    p, encoder = joint.double(), random_rows(len(joint), clusters, generator)
    given_x = p / p.sum(1, keepdim=True)
    for _ in range(300):
        pt, given_t = encoder.mean(0), encoder.T @ given_x / encoder.sum(0)[:, None]
        encoder = torch.softmax(pt.log() - beta * divergences_from(given_x, given_t), 1)
    return with_information(p, encoder, joint.dtype)


@information_bottleneck.misconception(
    "The rows of the encoder are 0 and 1: these are hard clusters. At this beta the best encoder hedges; keep the softmax.",
    looks=symptom("hard"),
)
def bottleneck_hard(joint, beta, clusters, generator):
    encoder = bottleneck_torch(joint.double(), beta, clusters, generator)[0]
    hard = torch.nn.functional.one_hot(encoder.argmax(1), clusters).double()
    return with_information(joint.double(), hard, joint.dtype)


@information_bottleneck.misconception(
    "The two informations are exchanged: I(X; T) comes before I(T; Y), and is never the smaller one.",
    looks=symptom("exchanged"),
)
def bottleneck_exchanged(joint, beta, clusters, generator):
    encoder, i_xt, i_ty = bottleneck_torch(joint, beta, clusters, generator)
    return encoder, i_ty, i_xt


@information_bottleneck.misconception(
    "The informations are in bits: use the natural logarithm, torch.log, not log2.", looks=symptom("bits")
)
def bottleneck_bits(joint, beta, clusters, generator):
    encoder, i_xt, i_ty = bottleneck_torch(joint, beta, clusters, generator)
    return encoder, i_xt / math.log(2), i_ty / math.log(2)


@information_bottleneck.misconception(
    "The start is drawn from a generator of torch's own: hand generator=generator to what draws it."
)
def bottleneck_global(joint, beta, clusters, generator):
    return bottleneck_torch(joint, beta, clusters, None)


@information_bottleneck.misconception(
    "The encoder is turned round: row x is the distribution of T given that x, so its shape is (X, clusters).",
    looks=symptom("turned"),
)
def bottleneck_turned(joint, beta, clusters, generator):
    encoder, i_xt, i_ty = bottleneck_torch(joint, beta, clusters, generator)
    return encoder.T.contiguous(), i_xt, i_ty


@information_bottleneck.misconception(
    "The encoder is not at rest: one more round moves it. Repeat the round until it rests to within 1e-9, not a fixed few times; "
    "where you do, look for a slip in the round.",
    looks=symptom("moving"),
)
def bottleneck_few_rounds(joint, beta, clusters, generator):
    return bottleneck_iteration(
        joint, clusters, generator, lambda pt, given_x, given_t: pt.log() - beta * divergences_from(given_x, given_t), 2
    )
