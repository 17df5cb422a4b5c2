"""The numbers that notebook 01 quotes, each by scipy, torch or plain arithmetic as well as by our own routines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.nn.functional import kl_div

from helpers.information import (
    alpha_divergence,
    cross_entropy,
    entropy,
    huffman_code_lengths,
    kl_divergence,
    max_entropy_with_mean,
    perplexity,
)

P = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
U = torch.full((4,), 0.25, dtype=torch.float64)


def quoted(value: float | torch.Tensor, digits: str) -> None:
    """``value`` rounds to the number as it is printed."""
    places = len(digits.partition(".")[2])
    assert f"{float(value):.{places}f}" == digits


def test_entropy_and_divergences_of_the_worked_pair():
    quoted(entropy(P), "1.279854")
    quoted(scipy.stats.entropy(P.numpy()), "1.279854")
    quoted(kl_divergence(P, U), "0.106440")
    quoted(scipy.stats.entropy(P.numpy(), U.numpy()), "0.106440")
    quoted(cross_entropy(P, U), "1.386294")
    quoted(math.log(4), "1.386294")
    quoted(kl_divergence(U, P), "0.121777")
    quoted(scipy.stats.entropy(U.numpy(), P.numpy()), "0.121777")
    quoted(perplexity(P, U), "4.000000")


def test_kl_div_traps():
    quoted(kl_div(U.log(), P, reduction="sum"), "0.106440")
    quoted(kl_div(P.log(), U, reduction="sum"), "0.121777")
    quoted(kl_div(U, P, reduction="sum"), "-1.529854")
    quoted(kl_div(U.log(), P, reduction="batchmean"), "0.026610")
    with pytest.warns(UserWarning, match="batchmean"):
        quoted(kl_div(U.log(), P, reduction="mean"), "0.026610")


def test_jaynes_die():
    faces = torch.arange(1, 7, dtype=torch.float64)
    die = max_entropy_with_mean(faces, 4.5)
    assert [f"{x:.4f}" for x in die.tolist()] == ["0.0544", "0.0788", "0.1142", "0.1654", "0.2398", "0.3475"]
    quoted(entropy(die), "1.613581")
    # The dual: the least of log sum exp(lam (face - 4.5)) over lam is the largest entropy.
    dual = scipy.optimize.minimize_scalar(lambda lam: scipy.special.logsumexp(lam * (faces.numpy() - 4.5)), tol=1e-12)
    quoted(dual.fun, "1.613581")
    np.testing.assert_allclose(scipy.special.softmax(dual.x * faces.numpy()), die.numpy(), atol=1e-6)


def test_huffman_examples():
    assert huffman_code_lengths(P).tolist() == [1, 2, 3, 3]
    quoted(P @ torch.tensor([1, 2, 3, 3], dtype=torch.float64), "1.9")
    quoted(scipy.stats.entropy(P.numpy(), base=2), "1.846439")
    assert huffman_code_lengths(torch.tensor([0.9, 0.1])).tolist() == [1, 1]
    quoted(scipy.stats.entropy([0.9, 0.1], base=2), "0.468996")


def test_half_alpha_is_four_times_one_minus_the_bhattacharyya_coefficient():
    half = alpha_divergence(P, U, 0.5).item()
    overlap = (P * U).sqrt().sum().item()
    squared_hellinger = ((P.sqrt() - U.sqrt()) ** 2).sum().item() / 2
    assert half == pytest.approx(4 * (1 - overlap), rel=1e-12)
    assert half == pytest.approx(2 * ((P.sqrt() - U.sqrt()) ** 2).sum().item(), rel=1e-12)
    assert half == pytest.approx(4 * squared_hellinger, rel=1e-12)
    assert half != pytest.approx(math.sqrt(squared_hellinger), rel=0.1)  # it is not the distance itself
