"""The numbers that notebook 06 quotes, by torch and scipy as well as by our own routines."""

from __future__ import annotations

import math
import os

import pytest
import scipy.special
import torch

from helpers import logits
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
