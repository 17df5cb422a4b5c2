"""The numbers that notebook 02 quotes, each by scipy or plain arithmetic as well as by our own routines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

from helpers.channels import (
    channel_capacity,
    conditional_entropy,
    fano_error_bound,
    marginals,
    mutual_information,
    plugin_mutual_information,
    push_through_channel,
    rate_distortion,
)
from helpers.information import entropy, kl_divergence

JOINT = torch.tensor([[0.3, 0.2], [0.1, 0.4]], dtype=torch.float64)


def quoted(value: float | torch.Tensor, digits: str) -> None:
    """``value`` rounds to the number as it is printed."""
    places = len(digits.partition(".")[2])
    assert f"{float(value):.{places}f}" == digits


def binary_entropy(p: float) -> float:
    return float(scipy.stats.bernoulli.entropy(p))


def test_worked_joint():
    px, py = marginals(JOINT)
    quoted(entropy(px), "0.693147")
    quoted(entropy(py), "0.673012")
    quoted(entropy(JOINT.flatten()), "1.279854")
    quoted(mutual_information(JOINT), "0.086305")
    quoted(binary_entropy(0.5) + binary_entropy(0.4) - scipy.stats.entropy([0.3, 0.2, 0.1, 0.4]), "0.086305")


def test_conditional_entropies_of_the_worked_joint():
    quoted(binary_entropy(0.4), "0.673012")
    quoted(binary_entropy(0.2), "0.500402")
    quoted((binary_entropy(0.4) + binary_entropy(0.2)) / 2, "0.586707")
    quoted(conditional_entropy(JOINT), "0.586707")
    quoted(conditional_entropy(JOINT.T), "0.606843")
    quoted(scipy.stats.entropy([3, 2, 1, 4]) - binary_entropy(0.4), "0.606843")


def test_terms_of_the_worked_joint():
    px, py = marginals(JOINT)
    terms = JOINT * (JOINT / torch.outer(px, py)).log()
    for term, digits in zip(terms.flatten(), ("0.121640", "-0.081093", "-0.069315", "0.115073"), strict=True):
        quoted(term, digits)
    quoted(1 / math.log(2), "1.4427")


def test_information_never_exceeds_either_entropy():
    rng = np.random.default_rng(0)
    for counts in rng.integers(0, 4, (200, 3, 4)) + np.eye(3, 4, dtype=int):
        joint = torch.from_numpy(counts / counts.sum())
        assert mutual_information(joint) <= min(map(entropy, marginals(joint))) + 1e-12


def test_a_single_result_may_make_you_less_certain():
    alarm = torch.tensor([[0.85, 0.05], [0.05, 0.05]], dtype=torch.float64)
    quoted(binary_entropy(0.1), "0.325083")
    quoted(scipy.stats.entropy([85, 5]), "0.214559")
    quoted(math.log(2), "0.693147")
    quoted(conditional_entropy(alarm), "0.262418")
    quoted(0.9 * scipy.stats.entropy([85, 5]) + 0.1 * math.log(2), "0.262418")


def test_a_parabola_has_no_correlation_but_information():
    x = np.array([-1, 0, 1])
    assert np.corrcoef(x, x**2)[0, 1] == 0
    quoted(scipy.stats.entropy([1, 2]), "0.636514")
    quoted(mutual_information(torch.tensor([[0, 1], [1, 0], [0, 1]], dtype=torch.float64) / 3), "0.636514")


def test_the_photograph():
    seen = push_through_channel(JOINT, torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64))
    assert seen.flatten().tolist() == pytest.approx([0.33, 0.17, 0.21, 0.29])
    quoted(mutual_information(seen), "0.029280")
    quoted(math.log(2) + scipy.stats.entropy([54, 46]) - scipy.stats.entropy([33, 17, 21, 29]), "0.029280")


def test_a_bit_that_is_flipped_again_and_again():
    flip = torch.tensor([[0.95, 0.05], [0.05, 0.95]], dtype=torch.float64)
    for n in range(1, 6):
        assert torch.linalg.matrix_power(flip, n)[0, 1].item() == pytest.approx((1 - 0.9**n) / 2)


def test_four_samples_by_hand():
    quoted(plugin_mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 0]), 2), "0.215762")
    quoted(scipy.stats.entropy([2, 2]) + scipy.stats.entropy([3, 1]) - scipy.stats.entropy([2, 1, 1]), "0.215762")


def test_plugin_estimate_of_independent_variables_is_biased_upwards():
    samples, repeats = 1000, 400
    quoted(49 / (2 * samples), "0.0245")
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.integers(0, 8, (2, repeats, samples)))
    estimates = torch.stack([plugin_mutual_information(a, b, 8) for a, b in zip(x, y, strict=True)])
    # 2 N times the estimate is nearly chi-squared with 49 degrees of freedom (Wilks 1938).
    spread = math.sqrt(2 * 49) / (2 * samples)
    assert estimates.std().item() == pytest.approx(spread, rel=0.2)
    assert estimates.mean().item() == pytest.approx(0.0246, abs=4 * spread / math.sqrt(repeats))
    assert (estimates > 0).all()


def test_binary_symmetric_channel():
    capacity, r = channel_capacity(torch.tensor([[0.89, 0.11], [0.11, 0.89]], dtype=torch.float64), 1e-10)
    quoted(capacity, "0.346632")
    quoted(math.log(2) - binary_entropy(0.11), "0.346632")
    quoted(capacity / math.log(2), "0.500084")
    assert r.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_z_channel():
    capacity, r = channel_capacity(torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64), 1e-10)
    quoted(capacity, "0.223144")
    quoted(math.log(5 / 4), "0.223144")
    assert r.tolist() == pytest.approx([0.6, 0.4], abs=1e-5)
    best = scipy.optimize.minimize_scalar(
        lambda a: a * math.log(2) - binary_entropy(a / 2), bounds=(0, 1), method="bounded", options={"xatol": 1e-10}
    )
    assert -best.fun == pytest.approx(capacity.item(), abs=1e-10)
    assert best.x == pytest.approx(0.4, abs=1e-5)


def test_the_z_channel_loses_little_at_half_and_half():
    half = mutual_information(torch.tensor([[1, 0], [0.5, 0.5]], dtype=torch.float64) / 2).item()
    quoted(half, "0.215762")
    quoted(100 * (1 - half / math.log(5 / 4)), "3")


def test_fano():
    quoted(fano_error_bound(1, 8), "0.234189")
    pe = 0.234189
    assert binary_entropy(pe) + pe * math.log(7) == pytest.approx(1, abs=1e-5)


def test_fano_by_hand_and_what_a_forgotten_term_gives():
    quoted(1.5 * math.log(2), "1.039721")
    assert fano_error_bound(1.5 * math.log(2), 3) == pytest.approx(0.5)
    quoted(1 / math.log(7), "0.513898")
    quoted((1 - math.log(2)) / math.log(8), "0.147565")


def test_gaussian_pair():
    quoted(-math.log(1 - 0.9**2) / 2, "0.830366")
    covariance = np.array([[1, 0.9], [0.9, 1]])
    h = scipy.stats.norm.entropy() * 2 - scipy.stats.multivariate_normal(cov=covariance).entropy()
    quoted(h, "0.830366")


def test_rate_distortion():
    rate, distortion = rate_distortion(
        torch.tensor([0.5, 0.5], dtype=torch.float64), 1 - torch.eye(2, dtype=torch.float64), math.log(9)
    )
    quoted(distortion, "0.100000")
    quoted(rate, "0.368064")
    quoted(math.log(2) - binary_entropy(0.1), "0.368064")
    assert (math.log(2) - binary_entropy(0.1)) / math.log(2) == pytest.approx(0.5, abs=0.04)  # about half of the file


def test_rate_of_a_unit_gaussian_at_a_quarter_is_log_two():
    """The test channel that reaches it: z normal with variance 3/4, and x = z + noise of variance 1/4."""
    x = torch.linspace(-7, 7, 701, dtype=torch.float64)
    joint = (-(x**2) / 1.5 - (x[:, None] - x) ** 2 / 0.5).flatten().softmax(-1).view(701, 701)
    assert marginals(joint)[0] @ x**2 == pytest.approx(1, abs=1e-6)
    assert (joint * (x[:, None] - x) ** 2).sum().item() == pytest.approx(0.25, abs=1e-6)
    assert mutual_information(joint).item() == pytest.approx(math.log(2), abs=1e-6)


def test_a_marginal_that_does_not_match_its_joint():
    joint = torch.tensor([[0.1, 0.5], [0.1, 0.3]], dtype=torch.float64)
    printed = torch.outer(torch.ones(2, dtype=torch.float64), torch.tensor([0.2 * 0.75, 0.8 * 0.25]).double())
    quoted((joint * (joint / printed).log2()).sum(), "0.7195")
    quoted(mutual_information(joint) / math.log(2), "0.0074")
    mismatched = torch.outer(torch.tensor([0.75, 0.25]).double(), torch.tensor([0.2, 0.8], dtype=torch.float64))
    quoted((joint * (joint / mismatched).log2()).sum(), "0.0855")
    assert printed.sum().item() == pytest.approx(0.7)
    with pytest.raises(ValueError, match="sum to one"):
        kl_divergence(joint.flatten(), printed.flatten())


def test_the_estimates_of_the_reflection_are_bias():
    rng = np.random.default_rng(0)
    for groups, theory, simulated in ((50, "0.23", 0.27), (10, "0.04", 0.043)):
        quoted((groups - 1) * 19 / (2 * 2000), theory)
        x, y = torch.from_numpy(rng.integers(0, groups, (30, 2000))), torch.from_numpy(rng.integers(0, 20, (30, 2000)))
        estimates = [plugin_mutual_information(a, b, 50).item() for a, b in zip(x, y, strict=True)]
        assert np.mean(estimates) == pytest.approx(simulated, abs=0.005)
