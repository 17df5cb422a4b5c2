from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import cast

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from helpers.information import (
    alpha_divergence,
    cross_entropy,
    entropy,
    f_divergence,
    huffman_code_lengths,
    kl_divergence,
    max_entropy_with_mean,
    perplexity,
)

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
OF_TWO = [cross_entropy, kl_divergence, perplexity]
proof = settings(deadline=None, derandomize=True, max_examples=60)


def vector(*values: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(values, dtype=dtype)


def close(got: Tensor, want: object, atol: float = 1e-12, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), atol=atol, rtol=rtol, equal_nan=False)


def normalised(counts: list[int]) -> Tensor:
    return torch.tensor(counts, dtype=torch.float64) / sum(counts)


def distributions(n: int, least: int = 0) -> st.SearchStrategy[Tensor]:
    """Distributions over n outcomes; with ``least`` 0 they often have zeros."""
    return st.lists(st.integers(least, 20), min_size=n, max_size=n).filter(any).map(normalised)


def pairs(least: int = 0) -> st.SearchStrategy[tuple[Tensor, Tensor]]:
    return st.integers(1, 7).flatmap(lambda n: st.tuples(distributions(n, least), distributions(n, least)))


alone = st.integers(1, 7).flatmap(distributions)


# Against scipy and torch.distributions


@proof
@given(pairs())
def test_agree_with_scipy(pq):
    p, q = pq
    h, d = scipy.stats.entropy(p.numpy()), scipy.special.rel_entr(p.numpy(), q.numpy()).sum()
    close(entropy(p), h)
    close(kl_divergence(p, q), d)
    close(cross_entropy(p, q), h + d)
    close(perplexity(p, q), np.exp(h + d))
    close(entropy(p) / math.log(2), scipy.stats.entropy(p.numpy(), base=2))


def test_agree_with_torch_distributions_in_batches():
    p, q = torch.rand(2, 5, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(-1)
    cp, cq = torch.distributions.Categorical(p), torch.distributions.Categorical(q)
    close(entropy(p), cp.entropy())
    close(kl_divergence(p, q), torch.distributions.kl_divergence(cp, cq))


# Invariants


@proof
@given(alone)
def test_entropy_is_between_zero_and_log_n(p):
    assert 0 <= entropy(p) <= math.log(len(p)) + 1e-12
    close(entropy(torch.full_like(p, 1 / len(p))), math.log(len(p)))


@proof
@given(pairs())
def test_kl_is_zero_only_for_equals(pq):
    p, q = pq
    assert kl_divergence(p, p.clone()) == 0
    if torch.allclose(p, q, atol=1e-9):
        close(kl_divergence(p, q), 0.0)
    else:
        assert kl_divergence(p, q) > 0


@proof
@given(pairs())
def test_cross_entropy_is_entropy_plus_kl(pq):
    p, q = pq
    close(cross_entropy(p, q), entropy(p) + kl_divergence(p, q))
    close(cross_entropy(p, p), entropy(p))


@proof
@given(pairs(), st.randoms(use_true_random=False))
def test_order_of_outcomes_does_not_matter(pq, random):
    p, q = pq
    order = random.sample(range(len(p)), len(p))
    close(entropy(p[order]), entropy(p))
    close(kl_divergence(p[order], q[order]), kl_divergence(p, q))


@proof
@given(pairs(), distributions(3), distributions(3, least=1))
def test_kl_adds_up_over_independent_parts_and_shrinks_when_outcomes_merge(pq, r, s):
    p, q = pq
    both = kl_divergence(torch.outer(p, r).flatten(), torch.outer(q, s).flatten())
    close(both, kl_divergence(p, q) + kl_divergence(r, s))
    assume(len(p) > 1)
    merged = [torch.cat([x[:2].sum(0, keepdim=True), x[2:]]) for x in (p, q)]
    assert kl_divergence(*merged) <= kl_divergence(p, q) + 1e-12


# Conventions at zero


def test_zeros():
    sure, other = vector(1, 0, 0), vector(0, 0.5, 0.5)
    assert str(entropy(sure).item()) == "0.0"
    assert str(cross_entropy(sure, sure).item()) == "0.0"
    assert kl_divergence(sure, sure) == 0
    assert cross_entropy(other, sure) == kl_divergence(other, sure) == perplexity(other, sure) == math.inf
    close(cross_entropy(vector(0, 1, 0), other), math.log(2))


# Gradients


def test_gradients_are_right():
    p, q = torch.rand(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    p, q = p.requires_grad_(), q.requires_grad_()

    def through_softmax(function):
        return lambda *logits: function(*(x.softmax(-1) for x in logits))

    assert torch.autograd.gradcheck(through_softmax(entropy), (p,))
    for function in [*OF_TWO, lambda a, b: f_divergence(a, b, lambda u: (u - 1) ** 2)]:
        assert torch.autograd.gradcheck(through_softmax(function), (p, q))
    for alpha in (-1.0, 0.0, 0.3, 1.0, 2.0):
        assert torch.autograd.gradcheck(
            through_softmax(lambda a, b, alpha=alpha: alpha_divergence(a, b, alpha)), (p, q)
        )


def test_gradients_at_zero_are_finite():
    p, q = vector(0.5, 0.5, 0, 0).requires_grad_(), vector(0.25, 0.25, 0.5, 0).requires_grad_()
    for function in (lambda a, _: entropy(a), *OF_TWO):
        for gradient in torch.autograd.grad(function(p, q), (p, q), allow_unused=True):
            assert gradient is None or gradient.isfinite().all()
    (gradient,) = torch.autograd.grad(entropy(p), p)
    close(gradient[:2], -p[:2].detach().log() - 1)
    logits = vector(0, 1, -math.inf).requires_grad_()
    entropy(logits.softmax(-1)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


# Batches, dtypes, inputs


@pytest.mark.parametrize("function", OF_TWO)
def test_leading_dimensions_broadcast(function):
    p, q = torch.rand(6, 1, 4, dtype=torch.float64).softmax(-1), torch.rand(5, 4, dtype=torch.float64).softmax(-1)
    got = function(p, q)
    assert got.shape == (6, 5)
    close(got, torch.stack([torch.stack([function(a[0], b) for b in q]) for a in p]))


def test_empty_batch():
    none = torch.empty(0, 3, 4)
    assert entropy(none).shape == (0, 3)
    for function in OF_TWO:
        assert function(none, none).shape == (0, 3)
    assert f_divergence(none, none, torch.abs).shape == alpha_divergence(none, none, 0.5).shape == (0, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 10, 1000])
def test_every_dtype_gives_the_answer_for_its_own_rounded_inputs(dtype, n):
    p, q = torch.randn(2, 4, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n)).softmax(-1).to(dtype)
    a, b = p.double().numpy(), q.double().numpy()
    distance = lambda u: (u - 1).abs()  # noqa: E731 - a function to hand over, as a learner would write it
    found = entropy(p), cross_entropy(p, q), kl_divergence(p, q), perplexity(p, q), f_divergence(p, q, distance)
    crossed = -scipy.special.xlogy(a, b).sum(-1)
    relative = scipy.special.rel_entr(a, b).sum(-1)
    exact = scipy.special.entr(a).sum(-1), crossed, relative, np.exp(crossed), abs(a - b).sum(-1)
    for got, want in zip(found, exact, strict=True):
        assert got.dtype == dtype
        rtol = {torch.float64: 1e-9, torch.float32: 1e-5}.get(dtype, torch.finfo(dtype).eps)
        close(got.double(), want, rtol=rtol, atol=1e-12 if dtype == torch.float64 else 1e-6)
    assert alpha_divergence(p, q, 0.5).dtype == dtype
    assert max_entropy_with_mean(torch.arange(3, dtype=dtype), 1.5).dtype == dtype


def test_inputs_are_left_alone():
    p, q = vector(0.5, 0.5, 0), vector(0.2, 0.3, 0.5)
    before = p.clone(), q.clone()
    for function in OF_TWO:
        function(p, q)
    f_divergence(p, q, Tensor.zero_)
    alpha_divergence(q, q, 2)
    huffman_code_lengths(p)
    max_entropy_with_mean(q, 0.3)
    assert torch.equal(p, before[0])
    assert torch.equal(q, before[1])


# Largest entropy with a given mean


@proof
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8), st.floats(0.001, 0.999))
def test_max_entropy_has_the_mean_and_the_exponential_form(values, share):
    assume(min(values) < max(values))
    v = torch.tensor(values, dtype=torch.float64)
    mean = min(values) + share * (max(values) - min(values))
    p = max_entropy_with_mean(v, mean)
    close(p.sum(), 1.0)
    close(p @ v, mean, atol=1e-8)
    keep = p > 1e-200  # log p is a line in the values, at whatever slope
    slope, intercept = np.polyfit(v[keep].numpy(), p[keep].log().numpy(), 1)
    close(p[keep].log(), slope * v[keep] + intercept, atol=1e-6)


def test_max_entropy_beats_a_general_optimiser():
    v, mean = np.array([0.0, 1.0, 2.5, 7.0]), 1.7
    constraints = [{"type": "eq", "fun": lambda p: p.sum() - 1}, {"type": "eq", "fun": lambda p: p @ v - mean}]
    rival = scipy.optimize.minimize(
        lambda p: -scipy.special.entr(p).sum(), np.full(4, 0.25), bounds=[(1e-9, 1)] * 4, constraints=constraints
    )
    p = max_entropy_with_mean(torch.from_numpy(v), mean)
    close(p, rival.x, atol=1e-3)
    assert entropy(p) >= -rival.fun - 1e-8


@pytest.mark.parametrize("mean", [1 + 1e-12, 6 - 1e-12, 3.5])
def test_max_entropy_close_to_its_limits(mean):
    v = torch.arange(1.0, 7.0, dtype=torch.float64)
    p = max_entropy_with_mean(v, mean)
    assert p.isfinite().all()
    close(p @ v, mean)


# Huffman


def shortest_mean(p: list[float]) -> float:
    """The least mean length among all length vectors that Kraft's inequality allows."""
    n = len(p)
    vectors = itertools.product(range(1, n), repeat=n)
    return min(sum(a * b for a, b in zip(p, v, strict=True)) for v in vectors if sum(2.0**-k for k in v) <= 1)


@settings(proof, max_examples=30)
@given(st.integers(2, 5).flatmap(lambda n: distributions(n, least=1)))
def test_huffman_is_optimal(p):
    lengths = huffman_code_lengths(p)
    assert lengths.dtype == torch.int64
    assert (0.5 ** lengths.double()).sum() == 1
    close((p * lengths).sum(), shortest_mean(p.tolist()))


@proof
@given(alone)
def test_huffman_is_within_a_bit_of_entropy(p):
    lengths = huffman_code_lengths(p)
    assert ((lengths > 0) == (p > 0)).all()
    mean, bits = (p * lengths).sum(), entropy(p) / math.log(2)
    assert bits - 1e-12 <= mean <= bits + 1


def test_huffman_special_cases():
    assert huffman_code_lengths(vector(0.5, 0.25, 0.125, 0.125)).tolist() == [1, 2, 3, 3]
    assert huffman_code_lengths(vector(1)).tolist() == [1]
    assert huffman_code_lengths(vector(0, 1, 0)).tolist() == [0, 1, 0]
    assert huffman_code_lengths(vector(0.5, 0, 0.5)).tolist() == [1, 0, 1]


# f- and alpha-divergences


@proof
@given(pairs(least=1))
def test_f_divergence_special_cases(pq):
    p, q = pq
    close(f_divergence(p, q, lambda u: torch.special.xlogy(u, u)), kl_divergence(p, q))
    close(f_divergence(p, q, lambda u: -u.log()), kl_divergence(q, p))
    close(f_divergence(p, q, lambda u: (u - 1) ** 2), ((p - q) ** 2 / q).sum())
    close(f_divergence(p, q, lambda u: (u - 1).abs() / 2), (p - q).abs().sum() / 2)
    close(f_divergence(p, q, lambda u: (u.sqrt() - 1) ** 2), ((p.sqrt() - q.sqrt()) ** 2).sum())
    middle = (p + q) / 2
    js = f_divergence(p, q, lambda u: (torch.special.xlogy(u, 2 * u / (1 + u)) + (2 / (1 + u)).log()) / 2)
    close(js, (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2)


@proof
@given(pairs(least=1), st.floats(-2, 3))
def test_alpha_divergence_is_its_definition(pq, alpha):
    p, q = pq
    assume(min(abs(alpha), abs(alpha - 1)) > 0.05)
    want = ((p**alpha * q ** (1 - alpha)).sum() - 1) / (alpha * (alpha - 1))
    close(alpha_divergence(p, q, alpha), want, atol=1e-10)
    assert alpha_divergence(p, q, alpha) >= -1e-12
    close(alpha_divergence(p, q, alpha), alpha_divergence(q, p, 1 - alpha))


@proof
@given(pairs(least=1))
def test_alpha_divergence_passes_smoothly_through_its_limits(pq):
    p, q = pq
    for alpha, limit in ((1, kl_divergence(p, q)), (0, kl_divergence(q, p))):
        close(alpha_divergence(p, q, alpha), limit)
        for step in (1e-6, -1e-6, 1e-13):
            close(alpha_divergence(p, q, alpha + step), limit, atol=1e-4)


# What bad input is told


good, nan, strictly = vector(0.5, 0.5), math.nan, "mean must lie strictly between the extreme values"
sums, no_tensor = "p must sum to one over its last dimension", cast(Tensor, [0.5, 0.5])
BAD = [
    (lambda: entropy(no_tensor), "p must be a torch tensor, got list"),
    (lambda: entropy(torch.tensor([0, 1])), "p must have a floating dtype, got torch.int64"),
    (lambda: entropy(torch.tensor(1.0)), "p needs at least 1 dimension(s), got shape ()"),
    (lambda: entropy(vector(1.5, -0.5)), "p must not be negative, but p[1] is -0.5"),
    (lambda: entropy(torch.stack([good, 0.9 * good])), f"{sums}, but sum of p[1] is 0.9"),
    (lambda: entropy(vector(nan, 1)), "p must not contain nan, but p[0] is nan"),
    (lambda: entropy(vector(math.inf, 1)), f"{sums}, but sum of p is inf"),
    (lambda: entropy(torch.zeros(2, 0)), f"{sums}, but sum of p[0] is 0"),
    (lambda: kl_divergence(good, vector(1, 1)), "q must sum to one over its last dimension, but sum of q is 2"),
    (lambda: kl_divergence(good, vector(1)), "the shapes of p and q do not match: (2,) and (1,)"),
    (lambda: perplexity(good.expand(3, 2), good.expand(2, 2)), "the shapes of p and q do not match: (3, 2) and (2, 2)"),
    (lambda: cross_entropy(good, good.float()), "p and q must share a dtype, got torch.float64 and torch.float32"),
    (lambda: f_divergence(good, vector(0, 1), abs), "q must be positive everywhere, but q[0] is 0"),
    (lambda: f_divergence(good, good, torch.sum), "f must keep the shape (2,), but it returned ()"),
    (lambda: alpha_divergence(vector(0, 1), good, 2), "p must be positive everywhere, but p[0] is 0"),
    (lambda: alpha_divergence(good, vector(1, 0), 2), "q must be positive everywhere, but q[1] is 0"),
    (lambda: huffman_code_lengths(good[None]), "p must be one vector, got shape (1, 2)"),
    (lambda: max_entropy_with_mean(vector(), 1), "values must be one non-empty vector, got shape (0,)"),
    (lambda: max_entropy_with_mean(vector(1, nan), 1), "values must be finite, but values[1] is nan"),
    (lambda: max_entropy_with_mean(vector(1, 6), 6), f"{strictly} 1 and 6, got 6"),
    (lambda: max_entropy_with_mean(vector(1, 6), nan), f"{strictly} 1 and 6, got nan"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole message is compared below
        call()
    assert str(error.value) == message


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_are_judged_by_the_dtype(dtype):
    third = torch.full((3,), 1 / 3, dtype=dtype)
    entropy(third)
    off = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 0.1}[dtype]
    with pytest.raises(ValueError, match="sum to one"):
        entropy(third * (1 + off))


def test_importing_it_does_not_load_scipy_or_pyplot():
    code = "import sys, helpers.information; print({'scipy.optimize', 'matplotlib'} & set(sys.modules) or 'light')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "light"
