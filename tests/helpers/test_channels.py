from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from helpers import channels
from helpers.channels import (
    channel_capacity,
    conditional_entropy,
    conditional_mutual_information,
    fano_error_bound,
    information_bottleneck,
    marginals,
    mutual_information,
    plugin_mutual_information,
    push_through_channel,
    rate_distortion,
    three_informations,
    water_filling,
)
from helpers.information import entropy, kl_divergence

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
OF_JOINT = [conditional_entropy, mutual_information]
proof = settings(deadline=None, derandomize=True, max_examples=60)


def matrix(*rows: tuple[float, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(rows, dtype=dtype)


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(got: Tensor, want: object, atol: float = 1e-12, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), atol=atol, rtol=rtol)


def tables(rows: int, columns: int) -> st.SearchStrategy[np.ndarray]:
    """Tables of counts, often with zeros, whose rows are never empty."""
    row = st.lists(st.integers(0, 9), min_size=columns, max_size=columns).filter(any)
    return st.lists(row, min_size=rows, max_size=rows).map(np.array)


def as_joint(counts: np.ndarray) -> Tensor:
    return torch.from_numpy(counts / counts.sum())


def as_channel(counts: np.ndarray) -> Tensor:
    return torch.from_numpy(counts / counts.sum(1, keepdims=True))


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
joints = sizes.flatmap(lambda size: tables(*size)).map(as_joint)


# Joints


@proof
@given(joints)
def test_against_scipy_entropies(joint):
    px, py = marginals(joint)
    close(px, joint.numpy().sum(1))
    close(py, joint.numpy().sum(0))
    hx, hy, hxy = (scipy.stats.entropy(x.flatten().numpy()) for x in (px, py, joint))
    close(conditional_entropy(joint), hxy - hx)
    close(mutual_information(joint), hx + hy - hxy)
    close(mutual_information(joint), kl_divergence(joint.flatten(), torch.outer(px, py).flatten()))


@proof
@given(joints)
def test_bounds_and_symmetry(joint):
    information = mutual_information(joint)
    px, py = marginals(joint)
    assert -1e-12 <= information <= min(entropy(px), entropy(py)) + 1e-12
    assert -1e-12 <= conditional_entropy(joint) <= entropy(py) + 1e-12
    close(mutual_information(joint.T), information)
    close(mutual_information(torch.outer(px, py)), 0.0)


@proof
@given(st.tuples(*[st.integers(1, 4)] * 3).flatmap(lambda s: st.tuples(tables(s[0], s[1]), tables(s[1], s[2]))))
def test_a_channel_never_adds_information(counts):
    joint, channel = as_joint(counts[0]), as_channel(counts[1])
    after = push_through_channel(joint, channel)
    close(after, torch.einsum("xy,yz->xz", joint, channel))
    assert mutual_information(after) <= mutual_information(joint) + 1e-12
    close(
        mutual_information(push_through_channel(joint, torch.eye(joint.shape[1]).double())), mutual_information(joint)
    )


def test_batches_and_gradients():
    generator = torch.Generator().manual_seed(0)
    joint = (
        torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=generator).flatten(-2).softmax(-1).unflatten(-1, (4, 5))
    )
    for function in OF_JOINT:
        close(function(joint), torch.stack([torch.stack([function(x) for x in row]) for row in joint]))
        assert function(joint[:0]).shape == (0, 3)
        logits = joint[0, 0].log().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, f=function: f(x.flatten().softmax(-1).view_as(x)), (logits,))
    assert [x.shape for x in marginals(joint[:0])] == [(0, 3, 4), (0, 3, 5)]
    channel = torch.rand(3, 5, 2, dtype=torch.float64, generator=generator).softmax(-1)
    close(push_through_channel(joint, channel), joint @ channel)


def test_gradients_at_zero_are_finite():
    joint = matrix((0.5, 0.5, 0), (0, 0, 0)).requires_grad_()
    for function in OF_JOINT:
        (gradient,) = torch.autograd.grad(function(joint), joint)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_are_kept_and_inputs_left_alone(dtype):
    joint, channel = matrix((0.25, 0.25), (0.5, 0), dtype=dtype), matrix((0.5, 0.5), (0.25, 0.75), dtype=dtype)
    before = joint.clone(), channel.clone()
    results = [*marginals(joint), *(f(joint) for f in OF_JOINT), push_through_channel(joint, channel)]
    results += [*channel_capacity(channel, 1e-6), *rate_distortion(channel[0], channel, 2.0)]
    assert {x.dtype for x in results} == {dtype}
    assert torch.equal(joint, before[0])
    assert torch.equal(channel, before[1])
    close(mutual_information(joint).double(), mutual_information(joint.double()), rtol=torch.finfo(dtype).eps)


# Samples


def test_plugin_estimate_is_that_of_the_histogram():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, 500), rng.integers(0, 3, 500)
    counts = np.histogram2d(x, y, bins=[range(6), range(6)])[0]
    got = plugin_mutual_information(torch.from_numpy(x), torch.from_numpy(y).int(), 5)
    assert got.dtype == torch.float64
    assert got.shape == ()
    close(got, mutual_information(torch.from_numpy(counts / 500)))
    close(plugin_mutual_information(torch.arange(4), torch.arange(4).flip(0), 4), math.log(4))


# Fano


@proof
@given(st.floats(0, 1), st.integers(2, 50))
def test_fano_holds_with_equality(share, k):
    h = share * math.log(k)
    pe = fano_error_bound(h, k)
    assert 0 <= pe <= 1 - 1 / k + 1e-12
    spread = np.array([1 - pe, *[pe / (k - 1)] * (k - 1)])  # the guess is wrong evenly: what meets the bound
    assert scipy.stats.entropy(spread) == pytest.approx(h, abs=1e-9)


def test_fano_ends():
    assert fano_error_bound(0, 8) == fano_error_bound(5e-13, 1) == fano_error_bound(1e-320, 3) == 0
    assert fano_error_bound(math.log(8), 8) == pytest.approx(7 / 8)
    assert fano_error_bound(math.log(2), 2) == pytest.approx(1 / 2)


# Capacity


@settings(proof, max_examples=20)
@given(st.tuples(st.integers(1, 3), st.integers(1, 4)).flatmap(lambda size: tables(*size)).map(as_channel))
def test_capacity_beats_every_input_on_a_grid(channel):
    capacity, r = channel_capacity(channel, 1e-5)
    information = mutual_information(r[:, None] * channel)
    assert -1e-12 <= capacity - information <= 1e-5
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 21, dtype=torch.float64)] * len(channel)).view(-1, len(channel))
    grid = grid[grid.sum(-1) > 0]
    grid = grid / grid.sum(-1, keepdim=True)
    assert mutual_information(grid[:, :, None] * channel).max() <= capacity + 1e-5


def test_capacity_closed_forms():
    erasure = matrix((0.7, 0, 0.3), (0, 0.7, 0.3))
    capacity, r = channel_capacity(erasure, 1e-9)
    close(capacity, 0.7 * math.log(2), atol=1e-9)
    close(r, vector(0.5, 0.5))
    close(channel_capacity(torch.eye(5, dtype=torch.float64))[0], math.log(5))
    close(channel_capacity(torch.full((3, 2), 0.5, dtype=torch.float64))[0], 0.0)
    useless = matrix((1, 0), (0, 1), (0.5, 0.5))  # nobody should send the third letter
    close(channel_capacity(useless, 1e-9)[1], vector(0.5, 0.5, 0), atol=1e-8)


# Rate and distortion


@proof
@given(st.floats(0.05, 0.5), st.floats(0.1, 20))
def test_rate_distortion_of_a_biased_coin(heads, beta):
    d = 1 / (1 + math.exp(beta))  # R(D) = H(heads) - H(D) has slope -beta there (Cover and Thomas, theorem 10.3.1)
    rate, distortion = rate_distortion(vector(heads, 1 - heads), 1 - torch.eye(2, dtype=torch.float64), beta)
    h = scipy.stats.bernoulli.entropy
    close(rate, h(heads) - h(d) if d < heads else 0.0, atol=1e-6)
    close(distortion, min(d, heads), atol=1e-6)


def test_rate_distortion_against_a_general_optimiser():
    generator = np.random.default_rng(3)
    p, cost, beta = generator.dirichlet(np.ones(3)), generator.uniform(0, 1, (3, 4)), 3.0

    def dual(r: np.ndarray) -> float:
        """min over q of R + beta D is the least of this over output distributions r (Cover and Thomas, 10.8)."""
        return -p @ np.log(np.exp(-beta * cost) @ r)

    total = {"type": "eq", "fun": lambda r: r.sum() - 1}
    rival = scipy.optimize.minimize(dual, np.full(4, 0.25), bounds=[(0, 1)] * 4, constraints=total, tol=1e-12)
    rate, distortion = rate_distortion(torch.from_numpy(p), torch.from_numpy(cost), beta)
    close(rate + beta * distortion, rival.fun, atol=1e-7)


def test_probabilities_that_vanish_in_the_limit():
    """Where a letter is just not worth sending, plain Blahut-Arimoto closes like 1/n."""
    coin = vector(0.3, 0.7), 1 - torch.eye(2, dtype=torch.float64)
    rate, distortion = rate_distortion(*coin, math.log(7 / 3))
    close(rate, 0.0, atol=1e-6)
    close(distortion, 0.3, atol=1e-6)
    two = matrix((0.8, 0.1, 0.1), (0.1, 0.8, 0.1))
    capacity, r = channel_capacity(two, 1e-12)
    own = scipy.optimize.brentq(
        lambda a: float(kl_divergence(vector((1 - a) / 2, (1 - a) / 2, a), r @ two) - capacity), 0.11, 0.99
    )
    three = torch.cat([two, vector((1 - own) / 2, (1 - own) / 2, own)[None]])
    close(channel_capacity(three, 1e-9)[0], capacity, atol=1e-9)


def test_impossible_letters_do_not_count():
    hamming = 1 - torch.eye(3, dtype=torch.float64)
    for beta in (1.0, 1e4):
        want = rate_distortion(vector(0.5, 0.5), hamming[:2], beta)
        for got, value in zip(rate_distortion(vector(0.5, 0.5, 0), hamming, beta), want, strict=True):
            close(got, value)


def test_large_beta_does_not_underflow():
    rate, distortion = rate_distortion(vector(0.5, 0.5), matrix((1000, 1001), (5, 3)), 1e4)
    close(rate, math.log(2))
    close(distortion, 501.5)


@proof
@given(joints)
def test_the_three_ways_agree_for_shannons_entropy_and_take_any_other(joint):
    for way in three_informations(joint, entropy):
        close(way, mutual_information(joint))
    px, py = marginals(joint)
    gini = three_informations(joint, lambda p: 1 - (p * p).sum(-1))
    rows = sum(p * (1 - ((row / p) ** 2).sum()) for p, row in zip(px, joint, strict=True) if p > 0)
    columns = sum(p * (1 - ((column / p) ** 2).sum()) for p, column in zip(py, joint.T, strict=True) if p > 0)
    close(gini[0], 1 - (px * px).sum() - columns)
    close(gini[1], 1 - (py * py).sum() - rows)
    close(gini[2], 1 - (px * px).sum() - (py * py).sum() + (joint * joint).sum())


# Three variables


cubes = st.tuples(*[st.integers(1, 3)] * 3).flatmap(
    lambda s: tables(s[0], s[1] * s[2]).map(lambda counts: as_joint(counts).reshape(s))
)


@proof
@given(cubes)
def test_conditional_information_is_an_average_and_obeys_the_chain_rule(joint):
    pz = joint.sum((0, 1))
    within = sum(p * mutual_information(joint[..., z] / p) for z, p in enumerate(pz) if p > 0)
    given_z = conditional_mutual_information(joint)
    close(given_z, within)
    close(conditional_mutual_information(joint.transpose(0, 1)), given_z)
    close(mutual_information(joint.flatten(1)), mutual_information(joint.sum(1)) + given_z)
    assert given_z > -1e-12


def test_conditional_information_of_coins():
    differ = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], dtype=torch.float64) / 4
    close(mutual_information(differ.sum(-1)), 0.0)
    close(conditional_mutual_information(differ), math.log(2))
    batch = torch.stack([differ, differ.flip(0), torch.full((2, 2, 2), 1 / 8).double()])
    close(conditional_mutual_information(batch), [math.log(2), math.log(2), 0.0])
    assert conditional_mutual_information(differ.float()).dtype == torch.float32


# The bottleneck


SKIES = matrix((0.38, 0.02), (0.24, 0.06), (0.06, 0.14), (0.005, 0.095))


def bottleneck_loss(encoder: Tensor, beta: float) -> Tensor:
    return mutual_information(SKIES.sum(1)[:, None] * encoder) - beta * mutual_information(encoder.T @ SKIES)


@pytest.mark.parametrize(("beta", "clusters"), [(3.0, 2), (4.0, 3), (20.0, 4)])
def test_the_bottleneck_satisfies_its_equations_and_no_random_encoder_is_better(beta, clusters):
    generator = torch.Generator().manual_seed(0)
    encoder, i_xt, i_ty = information_bottleneck(SKIES, beta, clusters, generator)
    close(i_xt, mutual_information(SKIES.sum(1)[:, None] * encoder))
    close(i_ty, mutual_information(encoder.T @ SKIES))
    pt, given_t = SKIES.sum(1) @ encoder, (encoder.T @ SKIES) / (SKIES.sum(1) @ encoder)[:, None]
    costs = torch.stack([kl_divergence(x / x.sum(), t / t.sum()) for x in SKIES for t in given_t]).view(4, -1)
    close(torch.softmax(pt.log() - beta * costs, 1), encoder, atol=1e-7)
    random = torch.rand(500, 4, clusters, generator=generator, dtype=torch.float64)
    near = encoder + 0.01 * random
    for rival in torch.cat([random, near]):
        assert i_xt - beta * i_ty <= bottleneck_loss(rival / rival.sum(1, keepdim=True), beta) + 1e-9


def test_the_ends_of_the_bottleneck():
    generator = torch.Generator().manual_seed(0)
    for beta, clusters in ((0.9, 3), (5.0, 1)):
        _, i_xt, i_ty = information_bottleneck(SKIES, beta, clusters, generator)
        close(i_xt, 0.0, atol=1e-9)
        close(i_ty, 0.0, atol=1e-9)
    _, i_xt, i_ty = information_bottleneck(SKIES, 1000.0, 4, generator)
    close(i_ty, mutual_information(SKIES), atol=1e-6)
    close(i_xt, entropy(SKIES.sum(1)), atol=1e-6)
    never = torch.cat([SKIES, torch.zeros(1, 2)])
    encoder, *_ = information_bottleneck(never.float(), 4.0, 2, generator)
    close(encoder.sum(1), torch.ones(5))
    assert encoder.dtype == torch.float32
    one, other = (information_bottleneck(SKIES, 4.0, 2, torch.Generator().manual_seed(s))[0] for s in (1, 1))
    assert torch.equal(one, other)


# Water


@proof
@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=6),
    st.one_of(st.just(0.0), st.floats(1e-6, 100)),
)
def test_water_meets_the_conditions_of_karush_kuhn_and_tucker(noise, power):
    noise = vector(*noise)
    share, capacity = water_filling(noise, power)
    close(share.sum(), power, atol=1e-12)
    close(capacity, 0.5 * np.log1p((share / noise).numpy()).sum())
    assert (share >= 0).all()
    gain = 1 / (noise + share)
    if power > 0:
        level = gain[share > 0]
        close(level, level[0].expand_as(level), rtol=1e-6)
        assert (gain[share == 0] <= level[0] * (1 + 1e-9)).all()


def test_water_by_hand():
    share, capacity = water_filling(torch.tensor([1.0, 4.0, 2.0]), 3.0)
    assert share.tolist() == [2.0, 0.0, 1.0]
    close(capacity, (math.log(3) + math.log(1.5)) / 2, rtol=1e-6)
    assert share.dtype == capacity.dtype == torch.float32


# What bad input is told


joint, channel, nan = matrix((0.3, 0.2), (0.1, 0.4)), matrix((0.9, 0.1), (0.2, 0.8)), math.nan
x = torch.tensor([0, 1, 1])
sums, share = "must sum to one over its last dimension", "joint and channel must share a dtype, got"
rows, per_entry = (
    "channel needs one row for each of the 2 columns of joint",
    "distortion must have one row per entry of p",
)
differ = "dimensions of joint (2, 2, 2) and channel (3, 2, 2) do not match"
BAD = [
    (lambda: marginals(joint[0]), "joint needs at least 2 dimension(s), got shape (2,)"),
    (lambda: mutual_information(2 * joint), "joint must sum to one over its last 2 dimensions, but sum of joint is 2"),
    (lambda: conditional_entropy(2 * joint - 0.25), "joint must not be negative, but joint[1, 0] is -0.05"),
    (lambda: push_through_channel(joint, joint), f"channel {sums}, but sum of channel[0] is 0.5"),
    (lambda: push_through_channel(joint, channel.float()), f"{share} torch.float64 and torch.float32"),
    (lambda: push_through_channel(joint, channel[:1]), f"{rows}, got shape (1, 2)"),
    (lambda: push_through_channel(joint, channel[0]), f"{rows}, got shape (2,)"),
    (lambda: push_through_channel(joint.expand(2, 2, 2), channel.expand(3, 2, 2)), f"the leading {differ}"),
    (lambda: plugin_mutual_information(x.float(), x, 2), "x must be a tensor of integers, got torch.float32"),
    (lambda: plugin_mutual_information(x, cast(Tensor, [0, 1, 1]), 2), "y must be a tensor of integers, got list"),
    (lambda: plugin_mutual_information(x[None], x, 2), "x must be one non-empty vector, got shape (1, 3)"),
    (lambda: plugin_mutual_information(x, x[:0], 2), "y must be one non-empty vector, got shape (0,)"),
    (lambda: plugin_mutual_information(x, x[:2], 2), "x and y must have the same length, got 3 and 2"),
    (lambda: plugin_mutual_information(x, x + 1, 2), "y must lie in [0, 2), but it contains 2"),
    (lambda: plugin_mutual_information(x - 1, x, 2), "x must lie in [0, 2), but it contains -1"),
    (lambda: fano_error_bound(2.1, 8), "h must lie between 0 and log k = 2.079442 nats, got 2.1"),
    (lambda: fano_error_bound(-1, 8), "h must lie between 0 and log k = 2.079442 nats, got -1"),
    (lambda: fano_error_bound(nan, 8), "h must lie between 0 and log k = 2.079442 nats, got nan"),
    (lambda: fano_error_bound(0, 0), "k must be a positive whole number of classes, got 0"),
    (lambda: channel_capacity(channel[None]), "channel must be one matrix, got shape (1, 2, 2)"),
    (lambda: channel_capacity(channel, 0), "tol must be positive, got 0"),
    (lambda: rate_distortion(channel[0], channel[:1], 1), f"{per_entry}, got (1, 2) for (2,)"),
    (lambda: rate_distortion(channel[0], channel / 0, 1), "distortion must be finite, got inf"),
    (lambda: rate_distortion(channel[0], channel, 0), "beta must be positive and finite, got 0"),
    (lambda: conditional_mutual_information(joint), "joint needs at least 3 dimension(s), got shape (2, 2)"),
    (lambda: information_bottleneck(joint[None], 2, 2), "joint must be one table, got shape (1, 2, 2)"),
    (lambda: information_bottleneck(joint, nan, 2), "beta must be positive and finite, got nan"),
    (lambda: information_bottleneck(joint, 2, 0), "clusters must be a positive whole number, got 0"),
    (lambda: information_bottleneck(joint, 2, 2, starts=0), "starts must be a positive whole number, got 0"),
    (lambda: water_filling(joint, 1), "noise must be one non-empty vector, got shape (2, 2)"),
    (lambda: water_filling(joint[0] - 0.25, 1), "noise must be positive and finite, got -0.04999999999999999"),
    (lambda: water_filling(joint[0], -1), "power must be finite and not negative, got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole message is compared below
        call()
    assert str(error.value) == message


def test_an_iteration_that_does_not_close_says_so(monkeypatch):
    monkeypatch.setattr(channels, "MAX_LEAPS", 3)
    with pytest.raises(RuntimeError, match="bounds on the capacity still differ"):
        channel_capacity(matrix((1, 0), (0.5, 0.5)), 1e-9)
    with pytest.raises(RuntimeError, match="after 3 rounds"):
        rate_distortion(vector(0.3, 0.7), 1 - torch.eye(2, dtype=torch.float64), 1.0)


def test_an_encoder_that_does_not_come_to_rest_says_so(monkeypatch):
    monkeypatch.setattr(channels, "MAX_ROUNDS", 2)
    with pytest.raises(RuntimeError, match="the encoder still moves by"):
        information_bottleneck(SKIES, 4.0, 2, torch.Generator().manual_seed(0))
