"""The numbers that notebook 06 quotes, by torch and scipy as well as by our own routines."""

from __future__ import annotations

import math
import os

import pytest
import scipy.special
import torch

from helpers import logits
from helpers.figures import gpu
from helpers.information import entropy

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported

FOUR = torch.tensor([2.0, 1.0, 0.5, 0.1], dtype=torch.float64)


def padded_sum(*row):
    """What the "probabilities" of a row sum to when one padded lane counts as a logit of 0."""
    x = torch.tensor(row, dtype=torch.float64)
    return (x.exp() / (x.exp().sum() + 1)).sum().item()


def test_probabilities_of_the_four_logits():
    want = [0.574522, 0.211355, 0.128193, 0.085930]
    assert torch.softmax(FOUR, -1).tolist() == pytest.approx(want, abs=5e-7)
    assert logits.log_softmax(FOUR).exp().tolist() == pytest.approx(want, abs=5e-7)
    assert logits.log_sum_exp(FOUR).item() == pytest.approx(2.554217, abs=5e-7)


@pytest.mark.parametrize(("temperature", "nats"), [(0.1, 0.000504), (1.0, 1.121130), (10.0, 1.383710)])
def test_entropy_against_temperature(temperature, nats):
    assert entropy(logits.log_softmax(FOUR, temperature).exp()).item() == pytest.approx(nats, abs=5e-7)
    by_torch = torch.distributions.Categorical(logits=FOUR / temperature).entropy()
    assert by_torch.item() == pytest.approx(nats, abs=5e-7)
    assert math.log(4) == pytest.approx(1.386294, abs=5e-7)


def test_loss_of_the_batch():
    batch, targets = torch.stack([FOUR, FOUR.flip(0)]), torch.tensor([0, 3])
    assert logits.cross_entropy_from_logits(batch, targets).item() == pytest.approx(0.554217, abs=5e-7)
    assert torch.nn.functional.cross_entropy(batch, targets).item() == pytest.approx(0.554217, abs=5e-7)
    # The flipped row as a class list of its own: the curriculum's (.1, .5, 1, 2).
    assert batch[1].tolist() == [0.1, 0.5, 1.0, 2.0]


def test_padding_with_zero_is_always_wrong():
    assert padded_sum(-5, -6, -7) == pytest.approx(0.010027, abs=5e-7)
    assert padded_sum(5, 6, 7) == pytest.approx(0.999394, abs=5e-7)
    assert padded_sum(0, 0, 0) == 0.75
    assert 1e-8 < 1 - padded_sum(15, 16, 17) < 1e-7


def test_a_block_may_hold_two_to_the_twentieth_elements():
    triton = pytest.importorskip("triton", reason="Triton exists for Linux only")
    assert triton.language.TRITON_MAX_TENSOR_NUMEL == 2**20 == 1_048_576


def test_numbers_done_by_hand():
    assert logits.log_sum_exp(torch.tensor([1000.0, 1000.0]).double()).item() == pytest.approx(1000.6931, abs=5e-5)
    two = torch.tensor([math.log(3), 0.0], dtype=torch.float64)
    assert logits.log_softmax(two).exp().tolist() == pytest.approx([0.75, 0.25])
    assert logits.log_softmax(two, 0.5).exp().tolist() == pytest.approx([0.9, 0.1])
    assert logits.cross_entropy_from_logits(two[None], torch.tensor([1])).item() == pytest.approx(1.3863, abs=5e-5)
    row = torch.tensor([0.0, 0.0, math.log(2)], dtype=torch.float64)
    assert logits.online_log_sum_exp(row, 2).item() == pytest.approx(math.log(4))
    y = two.log_softmax(-1).requires_grad_()
    (dx,) = torch.autograd.grad(y.log_softmax(-1)[0], y)
    assert dx.tolist() == pytest.approx([0.25, -0.25])
    assert torch.tensor(89.0).exp().item() == math.inf
    assert torch.tensor(88.0).exp().isfinite()


def test_float32_loses_the_log_of_the_sum_at_ten_thousand():
    x = torch.tensor([10000.0, 9999.5, 9998.0])
    right = scipy.special.log_softmax(x.double().numpy())
    late = x - (x.max() + (x - x.max()).exp().sum().log())
    assert logits.log_softmax(x).numpy() == pytest.approx(right, rel=1e-6)
    assert abs(late.numpy() - right).max() > 1e-5


def test_the_sizes_and_intensities():
    assert logits.arithmetic_intensity(5, 8) == 0.625
    assert logits.attainable_flops(5 / 8, 60e12, 4e12) / 60e12 == pytest.approx(0.04, abs=0.005)
    assert 60e12 / 4e12 == 15
    assert 50304 == 16 * 3144
    assert math.ceil(128256 / 4096) == 32
    assert 128256 - 31 * 4096 == 1280
    assert pytest.approx(2.1e9, rel=0.01) == 8192 * 128256 * 2


def test_digits_of_the_log_of_the_sum_at_ten_thousand_and_beyond():
    equal = torch.full((4,), 1e4)
    whole = equal.max() + (equal - equal.max()).exp().sum().log()
    assert (whole - equal[0]).item() == pytest.approx(1.38672, abs=5e-6)
    assert math.log(4) == pytest.approx(1.38629, abs=5e-6)
    assert torch.nextafter(torch.tensor(1e4), torch.tensor(2e4)) - 1e4 == 2**-10
    assert torch.tensor(1e8) + torch.tensor(math.log(4)) == 1e8


def test_cross_entropy_is_log_softmax_and_nll_loss_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        some = 5 * torch.randn(16, 50, generator=generator)
        classes = torch.randint(50, (16,), generator=generator)
        parts = torch.nn.functional.nll_loss(torch.log_softmax(some, -1), classes)
        assert torch.equal(torch.nn.functional.cross_entropy(some, classes), parts)
    far = torch.tensor([[0.0, 200.0]])
    assert -far.log_softmax(-1)[0, 0] == 200
    assert far.softmax(-1).log()[0, 0] == -math.inf


def test_probabilities_for_logits_leave_the_loss_high():
    """The best that they can do is one-hot; they begin even."""
    for n in (2, 10, 1000):
        even, best = torch.full((1, n), 1 / n), torch.eye(n)[:1]
        loss = [torch.nn.functional.cross_entropy(p, torch.tensor([0])).item() for p in (even, best)]
        assert loss[0] == pytest.approx(math.log(n), abs=1e-5)
        assert 0 < loss[0] - loss[1] < 1


def test_slopes_of_a_wrong_answer():
    """By hand: p - 1, and 2 (p - 1) p (1 - p)."""
    p = 1 / (1 + math.exp(10))
    assert p - 1 == pytest.approx(-0.99995, abs=5e-6)
    assert 2 * (p - 1) * p * (1 - p) == pytest.approx(-0.00009, abs=5e-6)


def test_sizes_of_an_h100():
    assert gpu.LEVELS["memory"] == (80e9, 3.35e12)
    assert pytest.approx(3.9e12, rel=0.01) == gpu.MULTIPROCESSORS * 16 * gpu.HERTZ
    # A multiprocessor's tensor cores do 4096 operations of 16 bits a clock.
    assert pytest.approx(990e12, rel=0.001) == gpu.MULTIPROCESSORS * 4096 * gpu.HERTZ
    assert pytest.approx(0.42e12, rel=0.01) == 3.35e12 / 8
    assert pytest.approx(9, abs=0.5) == gpu.MULTIPROCESSORS * 16 * gpu.HERTZ / (3.35e12 / 8)
    assert pytest.approx(2.7e6, rel=0.01) == 3.35e12 * 0.8e-6
    assert pytest.approx(20e3, rel=0.02) == 3.35e12 * 0.8e-6 / 132
    assert 512 * 8 * 16 == 64 * 2**10
    assert 512 * 128 == 65536
    # Programs of 512 threads at 64 registers and at 96, the next multiple of 8 after 95, and their threads of 2,048.
    assert [65536 // (512 * registers) for registers in (64, 96)] == [2, 1]
    assert 2 * 512 / 2048 == 0.5
    # An exponential beside two products of 128 numbers, a multiplication and an addition each.
    assert pytest.approx(2, rel=0.05) == (4 * 128 / 990e12) / (1 / (gpu.MULTIPROCESSORS * 16 * gpu.HERTZ))
    assert pytest.approx(34e6, rel=0.01) == 66 * 128256 * 4


def test_the_parameters_of_gpt2_small():
    words, width, layers, context = 50257, 768, 12, 1024
    attention = width * 3 * width + 3 * width + width * width + width
    mlp = width * 4 * width + 4 * width + 4 * width * width + width
    block = attention + mlp + 2 * 2 * width
    assert words * width + context * width + layers * block + 2 * width == 124_439_808
    assert attention + mlp + 4 * width == 12 * width**2 + 13 * width


def test_attention_is_carried_in_three_numbers():
    x, v = FOUR + torch.arange(4), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    m, s, o = -math.inf, 0.0, 0.0
    for part, values in zip(x.split(2), v.split(2), strict=True):
        larger = max(m, part.max().item())
        weights = (part - larger).exp()
        shrunk = math.exp(m - larger)
        m, s, o = larger, s * shrunk + weights.sum().item(), o * shrunk + (weights @ values).item()
    assert o / s == pytest.approx((x.softmax(-1) @ v).item())
