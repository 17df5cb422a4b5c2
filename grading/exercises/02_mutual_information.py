"""The exercises of notebook 02: joint distributions, mutual information, channels, capacity and rate-distortion."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import torch
from scipy import optimize, special, stats

from grading.exercises.draws import distribution, number, size
from grading.exercises.exercise import case, exercise, raises
from helpers.checking import plain

LIBRARY = ["entropy", "kl_divergence", "mutual_info_score"]
WRITE_IT = "Write the sum yourself; xlogy and entr are allowed."
OWN_WORK = "Write it with torch, NumPy or SciPy."
BAYES = torch.tensor([[0.3, 0.2], [0.1, 0.4]], dtype=torch.float64)


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


def batches_of_tables(rng):
    """Leading dimensions: one, two, and none at all in the batch."""
    yield table(rng, 3, 2, 4)
    yield table(rng, 2, 3, 3, size(rng, 2, 4), zeros=2)
    yield torch.zeros(0, 3, 4, dtype=torch.float64)


def tables_of_dtypes(rng):
    """The two dtypes that are graded here."""
    for dtype in (torch.float64, torch.float32):
        yield table(rng, 2, 3, 4, zeros=2, dtype=dtype)


# --------------------------------------------------------------------------------------------------- marginals
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


@marginals.criterion("matches the definition", marks=1)
def marginals_definition(rng):
    yield case(BAYES, parts=["p(x)", "p(y)"])
    yield case(table(rng, 2, size(rng, 3, 5)), parts=["p(x)", "p(y)"])
    yield case(with_empty_row_and_column(rng, 4, 3), parts=["p(x)", "p(y)"])


@marginals.criterion("keeps batches", marks=0.5)
def marginals_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint, parts=["p(x)", "p(y)"])


@marginals.criterion("keeps the dtype and its input", marks=0.5)
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
    "The joint is normalised twice: it sums to one already, and a batch holds one joint in each entry."
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


@conditional_entropy.oracle
def conditional_entropy_by_chain_rule(joint):
    if joint.ndim != 2:
        return None
    return stats.entropy(joint.flatten().numpy()) - stats.entropy(joint.sum(1).numpy())


@conditional_entropy.criterion("matches the definition", marks=1)
def conditional_entropy_definition(rng):
    yield case(BAYES)
    yield case(table(rng, 2, size(rng, 3, 5)))
    yield case(table(rng, 4, 3))


@conditional_entropy.criterion("zeros, empty rows and certainty", marks=1)
def conditional_entropy_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield case(joint)


@conditional_entropy.criterion("keeps batches", marks=0.5)
def conditional_entropy_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint)


@conditional_entropy.criterion("keeps the dtype and its input", marks=0.5)
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
    "Each log p(y given x) is weighed with p(y given x), so every x counts as 1: weigh it with p(x, y)."
)
def conditional_entropy_unweighted(joint):
    return torch.special.entr(joint / joint.sum(-1, keepdim=True)).sum((-2, -1))


@conditional_entropy.misconception(
    "The joint is normalised twice: once its rows sum to 1 every x counts alike. Weigh the rows with p(x)."
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
    "0 * log 0, or 0 / 0 in an empty row, became nan. Its limit is 0: use xlogy, or leave such terms out."
)
def conditional_entropy_nan(joint):
    return -(joint * (joint / joint.sum(-1, keepdim=True)).log()).sum((-2, -1))


@conditional_entropy.misconception(
    "Adding a small number inside the logarithm changes the answer everywhere. Treat zeros apart instead."
)
def conditional_entropy_epsilon(joint):
    return -(joint * (joint / (joint.sum(-1, keepdim=True) + 1e-8) + 1e-8).log()).sum((-2, -1))


@conditional_entropy.misconception(
    "The sum runs over everything: sum over the last two dimensions only, so that a batch stays a batch."
)
def conditional_entropy_total(joint):
    return (torch.special.entr(joint).sum((-2, -1)) - torch.special.entr(joint.sum(-1)).sum(-1)).sum()


@conditional_entropy.breaks_rule
def conditional_entropy_of_scipy(joint):
    joint = joint.numpy()
    return torch.from_numpy(
        stats.entropy(joint.reshape(*joint.shape[:-2], -1), axis=-1) - stats.entropy(joint.sum(-1), axis=-1)
    )


# ------------------------------------------------------------------------------------------ mutual_information
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


@mutual_information.oracle
def mutual_information_by_entropies(joint):
    if joint.ndim != 2:
        return None
    return sum(stats.entropy(p.numpy()) for p in (joint.sum(0), joint.sum(1))) - stats.entropy(joint.flatten().numpy())


@mutual_information.criterion("matches the definition", marks=1)
def mutual_information_definition(rng):
    yield case(BAYES)
    yield case(table(rng, 3, 3))
    yield case(table(rng, 2, size(rng, 3, 5)))


@mutual_information.criterion("0 if independent, all of H if deterministic", marks=0.5)
def mutual_information_extremes(rng):
    yield case(independent(rng, 3, size(rng, 2, 4)))
    yield case(deterministic(rng, size(rng, 3, 4)))
    yield case(table(rng, 1, 4))


@mutual_information.criterion("zeros and empty rows", marks=1)
def mutual_information_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield case(joint)


@mutual_information.criterion("keeps batches", marks=0.5)
def mutual_information_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint)


@mutual_information.criterion("keeps the dtype and its input", marks=0.5)
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
    "The joint is normalised twice: dividing the rows by their sums makes every x equally likely."
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
    "0 * log 0 is nan in floating point. Its limit is 0: use xlogy, or leave such terms out."
)
def mutual_information_nan(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (joint * (joint / product).log()).sum((-2, -1))


@mutual_information.misconception(
    "Adding a small number inside the logarithm changes the answer everywhere. Treat zeros apart instead."
)
def mutual_information_epsilon(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (joint * ((joint + 1e-8) / (product + 1e-8)).log()).sum((-2, -1))


@mutual_information.misconception(
    "The sum runs over everything: sum over the last two dimensions only, so that a batch stays a batch."
)
def mutual_information_total(joint):
    product = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum()


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
@exercise(
    hints=[
        "You need five entropies: H(X), H(Y), H(X, Y), H(X given Y) and H(Y given X). Write one small function for entropy first.",
        "H(X given Y) conditions on the column: divide each column by p(y), or use H(X, Y) - H(Y).",
        "All three results are equal up to rounding. If one is not, print it: the odd one out shows which entropy is wrong.",
    ],
    forbid=LIBRARY,
    because=WRITE_IT,
)
def mutual_information_three_ways(joint):
    joint = joint.numpy()
    px, py = joint.sum(-1), joint.sum(-2)
    hx, hy, hxy = special.entr(px).sum(-1), special.entr(py).sum(-1), special.entr(joint).sum((-2, -1))
    x_given_y = -special.rel_entr(joint, py[..., None, :]).sum((-2, -1))
    y_given_x = -special.rel_entr(joint, px[..., :, None]).sum((-2, -1))
    return hx - x_given_y, hy - y_given_x, hx + hy - hxy


@mutual_information_three_ways.oracle
def three_times_the_divergence(joint):
    if joint.ndim != 2:
        return None
    product = torch.outer(joint.sum(1), joint.sum(0))
    return (stats.entropy(joint.flatten().numpy(), product.flatten().numpy()),) * 3


WAYS = ["H(X) - H(X given Y)", "H(Y) - H(Y given X)", "H(X) + H(Y) - H(X, Y)"]


@mutual_information_three_ways.criterion("matches the definition", marks=1)
def three_ways_definition(rng):
    yield case(BAYES, parts=WAYS)
    yield case(table(rng, 2, size(rng, 3, 5)), parts=WAYS)
    yield case(table(rng, 4, 3), parts=WAYS)


@mutual_information_three_ways.criterion("zeros, empty rows and certainty", marks=1)
def three_ways_zeros(rng):
    for joint in tables_with_zeros(rng):
        yield case(joint, parts=WAYS)


@mutual_information_three_ways.criterion("keeps batches", marks=0.5)
def three_ways_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint, parts=WAYS)


@mutual_information_three_ways.criterion("keeps the dtype and its input", marks=0.5)
def three_ways_dtypes(rng):
    for joint in tables_of_dtypes(rng):
        yield case(joint, unchanged=True, parts=WAYS)


def joint_entropies(joint, h=lambda p, dims: torch.special.entr(p).sum(dims)):
    """H(X), H(Y), H(X, Y) of a tensor, as the misconceptions below begin."""
    return h(joint.sum(-1), -1), h(joint.sum(-2), -1), h(joint, (-2, -1))


@mutual_information_three_ways.alternative
def three_ways_chain_rule(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


@mutual_information_three_ways.alternative
def three_ways_weighted_rows(joint):
    def h(p):
        return -(p * torch.where(p > 0, p, 1).log()).sum(-1)

    def given_row(joint):
        px = joint.sum(-1)
        return (px * h(joint / torch.where(px > 0, px, 1)[..., None])).sum(-1)

    px, py = joint.sum(-1), joint.sum(-2)
    return [h(px) - given_row(joint.mT), h(py) - given_row(joint), h(px) + h(py) - h(joint.flatten(-2))]


@mutual_information_three_ways.alternative
def three_ways_numpy(joint):
    p = joint.double().numpy()
    px, py = p.sum(-1, keepdims=True), p.sum(-2, keepdims=True)
    logs = [np.log(q, where=q > 0, out=np.zeros_like(q)) for q in (p, px, py)]
    hxy, hx, hy = (-(q * log).sum((-2, -1)) for q, log in zip((p, px, py), logs, strict=True))
    x_given_y, y_given_x = (-(p * (logs[0] - log)).sum((-2, -1)) for log in (logs[2], logs[1]))
    return tuple(
        torch.from_numpy(np.asarray(i)).to(joint.dtype) for i in (hx - x_given_y, hy - y_given_x, hx + hy - hxy)
    )


@mutual_information_three_ways.misconception(
    "The conditions are exchanged: H(X) goes with H(X given Y), H(Y) with H(Y given X)."
)
def three_ways_wrong_condition(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx - (hxy - hx), hy - (hxy - hy), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "The joint entropy stands where a conditional one belongs: H(X given Y) is H(X, Y) - H(Y)."
)
def three_ways_joint_for_conditional(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx - hxy, hy - hxy, hx + hy - hxy


@mutual_information_three_ways.misconception(
    "The third result has the wrong sign: it is H(X) + H(Y) - H(X, Y), which is never negative."
)
def three_ways_sign(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx + hy - hxy, hx + hy - hxy, hxy - hx - hy


@mutual_information_three_ways.misconception(
    "In the conditional entropies every row (or column) counts alike: weigh each with its probability."
)
def three_ways_unweighted(joint):
    hx, hy, hxy = joint_entropies(joint)
    x_given_y = torch.special.entr(joint / joint.sum(-2, keepdim=True)).sum(-2).mean(-1)
    return hx - x_given_y, hy - torch.special.entr(joint / joint.sum(-1, keepdim=True)).sum(-1).mean(-1), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "These are bits, not nats: use the natural logarithm, torch.log, not log2."
)
def three_ways_bits(joint):
    hx, hy, hxy = joint_entropies(joint)
    return ((hx + hy - hxy) / math.log(2),) * 3


@mutual_information_three_ways.misconception(
    "H(X, Y) is summed over one dimension only: its sum runs over all pairs, the last two dimensions."
)
def three_ways_half_joint(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx + hy - hxy, hx + hy - hxy, hx[..., None] + hy[..., None] - torch.special.entr(joint).sum(-1)


@mutual_information_three_ways.misconception("This is one number, or one tensor: return the three results as a tuple.")
def three_ways_one_result(joint):
    hx, hy, hxy = joint_entropies(joint)
    return hx + hy - hxy


@mutual_information_three_ways.misconception(
    "0 * log 0 is nan in floating point. Its limit is 0: use xlogy, or leave such terms out."
)
def three_ways_nan(joint):
    hx, hy, hxy = joint_entropies(joint, lambda p, dims: -(p * p.log()).sum(dims))
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


@mutual_information_three_ways.misconception(
    "Adding a small number inside the logarithm changes the answer everywhere. Treat zeros apart instead."
)
def three_ways_epsilon(joint):
    hx, hy, hxy = joint_entropies(joint, lambda p, dims: -(p * (p + 1e-8).log()).sum(dims))
    return hx - (hxy - hy), hy - (hxy - hx), hx + hy - hxy


@mutual_information_three_ways.breaks_rule
def three_ways_of_categorical(joint):
    hx, hy, hxy = (
        torch.distributions.Categorical(probs=p).entropy() for p in (joint.sum(-1), joint.sum(-2), joint.flatten(-2))
    )
    return (hx + hy - hxy,) * 3


# ---------------------------------------------------------------------------------------- push_through_channel
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


@push_through_channel.criterion("matches the definition", marks=1)
def push_definition(rng):
    yield case(BAYES, torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64))
    yield case(table(rng, 2, 3), distribution(rng, 3, size(rng, 4, 5)))
    yield case(table(rng, 3, 3), distribution(rng, 3, 3))


@push_through_channel.criterion("noiseless, merging and useless channels", marks=1)
def push_extremes(rng):
    joint = table(rng, 3, 4, zeros=2)
    yield case(joint, torch.eye(4, dtype=torch.float64)[torch.from_numpy(rng.permutation(4))])
    yield case(joint, torch.eye(2, dtype=torch.float64)[torch.tensor([0, 0, 1, 1])])
    yield case(joint, distribution(rng, 1, size(rng, 2, 3)).expand(4, -1).contiguous())
    yield case(joint, torch.ones(4, 1, dtype=torch.float64))


@push_through_channel.criterion("keeps batches of joints", marks=0.5)
def push_batches(rng):
    for joint in batches_of_tables(rng):
        yield case(joint, distribution(rng, joint.shape[-1], size(rng, 2, 3)))


@push_through_channel.criterion("keeps the dtype and its inputs", marks=0.5)
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
    "The result is normalised twice: its rows sum to p(x), not to 1. This is p(z given x)."
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


# ----------------------------------------------------------------------------------- plugin_mutual_information
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


@plugin_mutual_information.criterion("matches the definition", marks=1)
def plugin_definition(rng):
    yield case(
        torch.tensor([0, 0, 0, 1, 1, 1, 1, 0, 1, 0]), torch.tensor([0, 0, 1, 1, 1, 0, 1, 0, 1, 1]), 2, dtype="float64"
    )
    yield case(*samples(rng, size(rng, 60, 90), 3, 0.6), 3, dtype="float64")


@plugin_mutual_information.criterion("cells that never occur", marks=1)
def plugin_empty_cells(rng):
    yield case(*samples(rng, size(rng, 12, 20), 4, 0.5), 6, dtype="float64")
    x = torch.from_numpy(rng.integers(0, 3, 25))
    yield case(x, x.clone(), 4, dtype="float64")
    yield case(x, torch.full_like(x, 2), 3, dtype="float64")
    yield case(torch.tensor([1]), torch.tensor([0]), 2, dtype="float64")


@plugin_mutual_information.criterion("many samples, bias left in, inputs kept", marks=1)
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
    "The pairs are lost: a product of the two histograms is what independence would give, and its information is always 0."
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
    "Cells that never occur became nan: 0 log 0 is 0. Use xlogy, or leave empty cells out."
)
def plugin_nan(x, y, bins):
    joint = pair_table(x, y, bins) / len(x)
    return (joint * (joint / (joint.sum(1, keepdim=True) * joint.sum(0))).log()).sum()


@plugin_mutual_information.misconception("float32 keeps seven digits only: make the counts .double() before dividing.")
def plugin_float32(x, y, bins):
    return information(pair_table(x, y, bins).float() / len(x))


@plugin_mutual_information.breaks_rule
def plugin_of_scipy(x, y, bins):
    hx, hy, hxy = (stats.entropy(torch.bincount(v).numpy()) for v in (x, y, x * bins + y))
    return hx + hy - hxy


# -------------------------------------------------------------------------------------------- fano_error_bound
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
    wrong = np.repeat(grid[:, None] / (k - 1), k - 1, axis=1) if k <= 20 else None
    if wrong is None:
        return None
    return float(np.interp(h, stats.entropy(np.column_stack([1 - grid, wrong]), axis=1), grid))


FANO = {"rtol": 1e-6, "atol": 1e-6}


@fano_error_bound.criterion("matches the definition", marks=1)
def fano_definition(rng):
    yield case(1.0, 8, **FANO)
    k = size(rng, 4, 12)
    yield case(round(number(rng, 0.4, 0.8) * math.log(k), 4), k, **FANO)
    k = size(rng, 3, 6)
    yield case(round(number(rng, 0.85, 0.95) * math.log(k), 4), k, **FANO)


@fano_error_bound.criterion("the ends, two classes, many classes", marks=1)
def fano_ends(rng):
    yield case(0.0, size(rng, 3, 9), **FANO)
    yield case(math.log(2), 2, **FANO)
    yield case(number(rng, 0.2, 0.6), 2, **FANO)
    yield case(number(rng, 2.0, 6.0), 1000, **FANO)
    k = size(rng, 4, 9)
    yield case(0.9999 * math.log(k), k, **FANO)


@fano_error_bound.criterion("refuses h above log k", marks=0.5)
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
    "The binary entropy of pe is missing: solve h = Hb(pe) + pe log(k - 1), not h = pe log(k - 1)."
)
def fano_without_binary_entropy(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return min(1.0, h / math.log(k - 1))


@fano_error_bound.misconception(
    "This is the weak form, with log 2 in place of Hb(pe): the sharp bound solves the equation for pe."
)
def fano_weak(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return max(0.0, (h - math.log(2)) / math.log(k))


@fano_error_bound.misconception(
    "The 1 in (h - 1) / log k is one bit, which is log 2 nats, and even that form is weak: solve h = Hb(pe) + pe log(k - 1)."
)
def fano_one_bit(h, k):
    if h > math.log(k):
        raise ValueError("h is above log k")
    return max(0.0, (h - 1) / math.log(k))


@fano_error_bound.misconception("A wrong guess leaves k - 1 classes, not k: the term is pe log(k - 1).")
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
    "math.log(0) raises an error: at pe = 0 the term pe log pe is 0. Start just above 0, and return 0 for h = 0."
)
def fano_log_of_zero(h, k):
    return halve(h, k, lambda pe: -pe * math.log(pe) - (1 - pe) * math.log(1 - pe), high=0.0)


# -------------------------------------------------------------------------------------------- channel_capacity
@exercise(
    stretch=True,
    hints=[
        "Start from the uniform input r. The gain of x is D_x, the divergence of its row from the output distribution r @ channel.",
        "The mean of D_x under r is a lower bound on the capacity, the largest D_x an upper one. Multiply r by exp(D_x), normalise, repeat.",
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


def capacity_case(channel, tol, unique=True, **options):
    close = {"rtol": 1e-4, "atol": 1e-5}  # for recognising mistakes; the judge goes by tol
    channel_data = plain.encode(channel)
    return case(channel, tol, judge="capacity", tol=tol, unique=unique, channel=channel_data, **close, **options)


def any_best_input(channel, tol):
    text = f"{channel_capacity(channel, tol)[0]:.6f} nats, and any input distribution that reaches it"
    return capacity_case(channel, tol, unique=False, text=text)


@channel_capacity.criterion("matches the definition", marks=1.5)
def capacity_definition(rng):
    yield capacity_case(torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64), 1e-6)
    yield capacity_case(torch.tensor([[0.7, 0.3], [0.4, 0.6]], dtype=torch.float64), 1e-6)
    yield capacity_case(quick_channel(rng, 2, 3), 1e-6)
    yield capacity_case(quick_channel(rng, 3, 3), 1e-6)


@channel_capacity.criterion("erasing, noiseless and useless channels", marks=0.5)
def capacity_extremes(rng):
    e = number(rng, 0.1, 0.6)
    yield capacity_case(torch.tensor([[1 - e, 0, e], [0, 1 - e, e]], dtype=torch.float64), 1e-6)
    yield capacity_case(torch.eye(size(rng, 3, 5), dtype=torch.float64).roll(1, 0), 1e-6)
    yield capacity_case(torch.tensor([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]], dtype=torch.float64), 1e-6)
    yield any_best_input(distribution(rng, 1, 3).expand(2, 3).contiguous(), 1e-6)


@channel_capacity.criterion("inputs that are not unique", marks=0.5)
def capacity_equal_rows(rng):
    yield any_best_input(quick_channel(rng, 2, 3)[[0, 1, 1, 0]], 1e-6)


@channel_capacity.criterion("keeps the dtype and its input", marks=0.5)
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
    "This is the information of the uniform input: the capacity is the largest over all inputs, so r must be improved."
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
    "The iteration stops when the estimate hardly changes, which says little: stop when upper and lower bound are within tol."
)
def capacity_stops_early(channel, tol):
    r, before = torch.full_like(channel[:, 0], 1 / len(channel)), math.inf
    while True:
        gains = (torch.special.xlogy(channel, channel) - torch.special.xlogy(channel, r @ channel)).sum(1)
        if abs(r @ gains - before) <= tol:
            return r @ gains, r
        before, r = r @ gains, r * gains.exp() / (r * gains.exp()).sum()


@channel_capacity.misconception("This is the distribution of the output: return r, the distribution of the input.")
def capacity_output(channel, tol):
    r, gains = capacity_iteration(channel, 400, lambda r, gains: r * gains.exp())
    return r @ gains, r @ channel


# --------------------------------------------------------------------------------------------- rate_distortion
@exercise(
    stretch=True,
    hints=[
        "Keep r, the distribution of what is shown. For each x the best choice is W(z given x) proportional to r(z) exp(-beta d(x, z)).",
        "Then r is p @ W, and so on, in turns. Go on until r no longer moves (below 1e-12), not for a few rounds.",
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


@rate_distortion.criterion("matches the definition", marks=1.5)
def rate_distortion_definition(rng):
    yield case(torch.tensor([0.5, 0.5], dtype=torch.float64), HAMMING, math.log(9), **CURVE)
    yield case(torch.tensor([0.3, 0.7], dtype=torch.float64), HAMMING, number(rng, 1.5, 3.0), **CURVE)
    yield case(*quick_source(rng, 3, 3, 3.0, 5.0), **CURVE)
    yield case(*quick_source(rng, 4, 3, 3.0, 5.0), **CURVE)


@rate_distortion.criterion("from no information to all of it", marks=1)
def rate_distortion_ends(rng):
    yield case(torch.tensor([0.3, 0.7], dtype=torch.float64), HAMMING, 1000.0, **CURVE)
    yield case(*quick_source(rng, 3, 2, 0.2, 0.4), **CURVE)
    yield case(*quick_source(rng, 4, 3, 3.0, 5.0, zeros=1), **CURVE)


@rate_distortion.criterion("keeps the dtype and its inputs", marks=0.5)
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
    for _ in range(800):
        log_w = log_r - beta * d
        log_w = log_w - np.logaddexp.reduce(log_w, axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            log_r = np.maximum(np.log(source @ np.exp(log_w)), -700)
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


@rate_distortion.misconception("This stops too soon: go on until r moves by less than 1e-12, not for a few rounds.")
def rate_distortion_few_rounds(p, distortion, beta):
    return curve_point(p, distortion, torch.exp(-beta * distortion), 10)[:2]


@rate_distortion.misconception("The first result is the sum R + beta D that is minimised: return R and D apart.")
def rate_distortion_objective(p, distortion, beta):
    rate, distance, *_ = curve_point(p, distortion, torch.exp(-beta * distortion))
    return rate + beta * distance, distance


@rate_distortion.misconception("Every x counts alike in the averages: weigh each with its p.")
def rate_distortion_unweighted(p, distortion, beta):
    *_, w, r = curve_point(p, distortion, torch.exp(-beta * distortion))
    return (torch.special.xlogy(w, w) - torch.special.xlogy(w, r)).sum(1).mean(), (w * distortion).sum(1).mean()
