"""The numbers that notebook 02 quotes, each by scipy or plain arithmetic as well as by our own routines."""

from __future__ import annotations

import ast
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

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
    water_filling,
)
from helpers.information import entropy, kl_divergence

JOINT = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)
SKIES = torch.tensor([[0.38, 0.02], [0.24, 0.06], [0.06, 0.14], [0.005, 0.095]], dtype=torch.float64)
SOURCE = Path(__file__).parent.parent / "solutions" / "02-mutual-information" / "02-mutual-information.py"


def quoted(value: float | torch.Tensor, digits: str) -> None:
    """``value`` rounds to the number as it is printed."""
    places = len(digits.partition(".")[2])
    assert f"{float(value):.{places}f}" == digits


def binary_entropy(p: float) -> float:
    return float(scipy.stats.bernoulli.entropy(p))


def test_the_first_page_counts_the_minutes_of_the_exercises():
    text = SOURCE.read_text(encoding="utf-8")
    minutes = {
        kind: sum(int(n) for n in re.findall(rf"### {kind} \d\. .*?· (\d+) minutes", text, flags=re.S))
        for kind in ("Exercise", "Stretch")
    }
    assert f"The exercises take about {minutes['Exercise']} minutes, the five stretch exercises another" in text
    assert re.search(rf"another\s(?:# )?{minutes['Stretch']}:", text)
    assert len(re.findall(r"### Stretch \d", text)) == 5


def test_every_figure_makes_its_own_alternative_text():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    shown = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("show_figure")
    ]
    assert len(shown) == 12
    assert all(len(node.args) == 1 and not node.keywords for node in shown)


def test_worked_joint():
    px, py = marginals(JOINT)
    quoted(entropy(px), "0.673012")
    quoted(entropy(py), "0.647447")
    quoted(entropy(JOINT.flatten()), "1.207974")
    quoted(mutual_information(JOINT), "0.112485")
    quoted(binary_entropy(0.4) + binary_entropy(0.35) - scipy.stats.entropy([10, 2, 3, 5]), "0.112485")


def test_conditional_entropies_of_the_worked_joint():
    quoted(binary_entropy(1 / 6), "0.450561")
    quoted(binary_entropy(3 / 8), "0.661563")
    quoted(0.6 * binary_entropy(1 / 6) + 0.4 * binary_entropy(3 / 8), "0.534962")
    quoted(conditional_entropy(JOINT), "0.534962")
    quoted(conditional_entropy(JOINT.T), "0.560527")
    quoted(scipy.stats.entropy([10, 2, 3, 5]) - binary_entropy(0.35), "0.560527")
    quoted((binary_entropy(1 / 6) + binary_entropy(3 / 8)) / 2, "0.556062")
    quoted(entropy(marginals(JOINT)[0]) - conditional_entropy(JOINT), "0.138050")


def test_no_two_quantities_of_the_worked_joint_coincide():
    """Nor does one coincide with what a known mistake makes of the table: a card would be wrong about it."""
    px, py = marginals(JOINT)
    product, swapped = torch.outer(px, py), torch.outer(py, px)
    rows, columns = (JOINT / px[:, None]), (JOINT / py).T
    hx, hy, hxy = entropy(px), entropy(py), entropy(JOINT.flatten())
    quantities = {
        "H(X)": hx, "H(Y)": hy, "H(X,Y)": hxy, "H(Y|X)": hxy - hx, "H(X|Y)": hxy - hy, "I": hx + hy - hxy,
        "H(Y|x=0)": entropy(rows[0]), "H(Y|x=1)": entropy(rows[1]),
        "H(X|y=0)": entropy(columns[0]), "H(X|y=1)": entropy(columns[1]),
        "rows alike": entropy(rows).mean(), "columns alike": entropy(columns).mean(),
        "reversed": kl_divergence(product.flatten(), JOINT.flatten()),
        "exchanged": kl_divergence(JOINT.flatten(), swapped.flatten()),
        "uniform marginals": math.log(4) - hxy, "H(X)-H(Y|X)": 2 * hx - hxy, "H(Y)-H(X|Y)": 2 * hy - hxy,
    }  # fmt: skip
    for (one, a), (other, b) in itertools.combinations(quantities.items(), 2):
        assert abs(float(a) - float(b)) > 2e-3, (one, other)


def test_terms_of_the_worked_joint():
    px, py = marginals(JOINT)
    terms = JOINT * (JOINT / torch.outer(px, py)).log()
    assert torch.outer(px, py).flatten().tolist() == pytest.approx([0.39, 0.21, 0.26, 0.14])
    for term, digits in zip(terms.flatten(), ("0.124231", "-0.074194", "-0.082507", "0.144955"), strict=True):
        quoted(term, digits)
    quoted(1 / math.log(2), "1.4427")


def test_only_shannons_entropy_has_one_information():
    def ways(h):
        px, py = marginals(JOINT)
        x_given_y, y_given_x = py @ h((JOINT / py).T), px @ h(JOINT / px[:, None])
        return h(px) - x_given_y, h(py) - y_given_x, h(px) + h(py) - h(JOINT.flatten())

    for way in ways(entropy):
        quoted(way, "0.112485")
    gini = ways(lambda p: 1 - (p * p).sum(-1))
    for way, digits in zip(gini, ("0.106374", "0.100833", "0.280000"), strict=True):
        quoted(way, digits)
    draws = torch.multinomial(JOINT.flatten(), 400_000, replacement=True, generator=torch.Generator().manual_seed(0))
    differ = (draws[:200_000] != draws[200_000:]).double().mean().item()  # what the Gini impurity is
    assert differ == pytest.approx(1 - (JOINT**2).sum().item(), abs=0.005)


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
    assert seen.flatten().tolist() == pytest.approx([0.48, 0.12, 0.21, 0.19])
    quoted(mutual_information(seen), "0.042101")
    quoted(
        scipy.stats.entropy([6, 4]) + scipy.stats.entropy([69, 31]) - scipy.stats.entropy([48, 12, 21, 19]), "0.042101"
    )
    quoted(100 * mutual_information(seen) / mutual_information(JOINT), "37")


def test_two_coins_and_whether_they_differ():
    differ = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], dtype=torch.float64) / 4
    quoted(mutual_information(differ.sum(-1)), "0.000000")
    quoted(conditional_mutual_information(differ), "0.693147")


def test_data_processing_by_the_chain_rule():
    """I(X; Y, Z) two ways, where Z is made from Y alone."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        joint, channel = (
            torch.from_numpy(rng.dirichlet(np.ones(6)).reshape(2, 3)),
            torch.from_numpy(rng.dirichlet(np.ones(4), 3)),
        )
        xyz = joint[:, :, None] * channel
        both = mutual_information(xyz.flatten(1))
        x_z_given_y = conditional_mutual_information(xyz.transpose(1, 2))
        assert x_z_given_y.item() == pytest.approx(0, abs=1e-12)
        assert both.item() == pytest.approx((mutual_information(joint) + x_z_given_y).item())
        seen = mutual_information(push_through_channel(joint, channel)) + conditional_mutual_information(xyz)
        assert both.item() == pytest.approx(seen.item())


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


def test_near_as_many_samples_as_cells_the_bias_is_larger_than_its_formula():
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.integers(0, 8, (2, 400, 100)))
    estimates = torch.stack([plugin_mutual_information(a, b, 8) for a, b in zip(x, y, strict=True)])
    error = estimates.std().item() / math.sqrt(400)
    assert estimates.mean().item() > 49 / 200 + 10 * error
    assert estimates.mean().item() == pytest.approx(0.294, abs=5 * error)


def test_a_permutation_test_is_level():
    """Of independent samples one in ten has p at most .1."""
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(200):
        x, y = torch.randint(0, 3, (2, 60), generator=generator)
        real = plugin_mutual_information(x, y, 3)
        shuffles = (y[torch.randperm(60, generator=generator)] for _ in range(19))
        found.append((1 + sum(int(plugin_mutual_information(x, s, 3) >= real - 1e-12) for s in shuffles)) / 20)
    assert 0.04 < np.mean(np.array(found) <= 0.1) < 0.17


def test_what_exceeds_the_shuffled_mean_is_nearer_the_truth():
    copies, k = 0.12, 8
    generator = torch.Generator().manual_seed(0)
    joint = (1 - copies) / k**2 + copies / k * torch.eye(k, dtype=torch.float64)
    raw, corrected = [], []
    for _ in range(20):
        x, y = torch.randint(0, k, (2, 1000), generator=generator)
        y = torch.where(torch.rand(1000, generator=generator) < copies, x, y)
        raw.append(plugin_mutual_information(x, y, k).item())
        orders = (torch.randperm(1000, generator=generator) for _ in range(20))
        chance = [plugin_mutual_information(x, y[order], k).item() for order in orders]
        corrected.append(raw[-1] - np.mean(chance))
    truth = mutual_information(joint).item()
    assert abs(np.mean(corrected) - truth) < 0.25 * abs(np.mean(raw) - truth)


def test_the_contrastive_bound_never_exceeds_the_logarithm_of_the_candidates():
    generator = torch.Generator().manual_seed(0)
    for k in (4, 32):
        scores = 50 * torch.eye(k).double() + torch.randn(k, k, generator=generator).double()
        assert (math.log(k) + scores.log_softmax(1).diagonal()).mean() <= math.log(k) + 1e-12


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


def test_rounding_takes_an_entropy_above_log_k():
    fifth = torch.full((5,), 0.2, dtype=torch.float64)
    assert 0 < entropy(fifth).item() - math.log(5) < 3e-16
    assert fano_error_bound(entropy(fifth).item(), 5) == pytest.approx(0.8)


def test_fanos_bound_is_reached_where_all_wrong_classes_are_equally_likely():
    k, pe = 5, 0.3
    joint = torch.full((k, k), pe / (k - 1) / k, dtype=torch.float64).fill_diagonal_((1 - pe) / k)
    assert 1 - joint.max(0).values.sum().item() == pytest.approx(pe)
    assert fano_error_bound(conditional_entropy(joint.T).item(), k) == pytest.approx(pe)


def test_fanos_bound_is_missed_where_one_feature_is_surer_than_another():
    joint = torch.tensor([[0.5, 0.25], [0, 0.25]], dtype=torch.float64)  # two classes, so the wrong one is no choice
    assert 1 - joint.max(0).values.sum().item() == pytest.approx(0.25)
    quoted(fano_error_bound(conditional_entropy(joint.T).item(), 2), "0.110028")


def test_no_input_carries_more_than_the_largest_gain():
    rng = np.random.default_rng(0)
    w = torch.from_numpy(rng.dirichlet(np.ones(4), 3))
    capacity, _ = channel_capacity(w, 1e-9)
    for r in torch.from_numpy(rng.dirichlet(np.ones(3), 50)):
        gains = kl_divergence(w, (r @ w).expand_as(w))
        assert (r @ gains).item() == pytest.approx(mutual_information(r[:, None] * w).item())
        assert r @ gains <= capacity + 1e-9 <= gains.max() + 2e-9


def test_water():
    share, capacity = water_filling(torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64), 3.0)
    assert share.tolist() == [2, 0, 1]
    quoted(capacity, "0.752039")
    quoted((math.log(3) + math.log(1.5)) / 2, "0.752039")
    noise = torch.tensor([1.0, 4.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    quoted(water_filling(noise, 5.0)[1], "1.562181")
    quoted(torch.log1p(1 / noise).sum() / 2, "1.354025")


def test_the_bottleneck_by_hand():
    """A four-sided die and whether it is even: the parity is all that is worth keeping."""
    joint = torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0]], dtype=torch.float64) / 4
    encoder, i_xt, i_ty = information_bottleneck(joint, 5.0, 2, torch.Generator().manual_seed(0))
    assert i_xt.item() == pytest.approx(math.log(2), abs=1e-6)
    assert i_ty.item() == pytest.approx(math.log(2), abs=1e-6)
    assert encoder[0].tolist() == pytest.approx(encoder[2].tolist())
    assert math.log(2) - 5 * math.log(2) < math.log(4) - 5 * math.log(2)


def test_a_layer_compresses_in_bins_alone():
    inputs = np.linspace(-1, 1, 4096)
    kept, met = {}, []
    for weight in (0.1, 1.0, 3.0, 10.0):
        t = np.tanh(weight * inputs)
        assert len(np.unique(t)) == 4096
        counts = np.histogram(t, bins=30, range=(-1, 1))[0]
        kept[weight] = scipy.stats.entropy(counts)
        met.append((counts > 0).sum())
    assert kept[0.1] < kept[1.0] > kept[3.0] > kept[10.0]
    assert met == sorted(met)  # no fewer bins, less evenly filled
    assert max(kept.values()) < math.log(30) < math.log(4096)


def test_a_bottleneck_knows_nothing_where_beta_is_at_most_one():
    rng = np.random.default_rng(0)
    for encoder in torch.from_numpy(rng.dirichlet(np.ones(3), (200, 4))):
        i_xt = mutual_information(SKIES.sum(1)[:, None] * encoder)
        assert i_xt - mutual_information(encoder.T @ SKIES) >= 0


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


def test_the_kl_term_of_a_vae_is_a_bound_on_the_rate():
    """Mean KL from any r = R + KL(q, r), with q what the encoder shows on average."""
    rng = np.random.default_rng(0)
    p, w, r = (torch.from_numpy(rng.dirichlet(np.ones(n), size)) for n, size in ((4, None), (3, 4), (3, None)))
    q, rate = p @ w, mutual_information(p[:, None] * w)
    term = p @ kl_divergence(w, r.expand_as(w))
    assert term.item() == pytest.approx((rate + kl_divergence(q, r)).item())
    assert (p @ kl_divergence(w, q.expand_as(w))).item() == pytest.approx(rate.item())


def test_the_bound_of_blahut_holds_after_any_number_of_rounds():
    p, hamming, beta = torch.tensor([0.3, 0.7], dtype=torch.float64), 1 - torch.eye(2, dtype=torch.float64), 0.93
    rate, distortion = rate_distortion(p, hamming, beta)
    kernel, r = torch.exp(-beta * hamming), torch.tensor([0.5, 0.5], dtype=torch.float64)
    for _ in range(300):
        growth = (p / (kernel @ r)) @ kernel
        above = -(p @ (kernel @ r).log()) - (rate + beta * distortion)  # the left side plus beta D, at its best W
        assert -1e-9 <= above <= growth.max().log() + 1e-9
        r = r * growth


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
    for groups, theory, simulated in ((50, "0.23", 0.27), (10, "0.04", 0.044)):
        quoted((groups - 1) * 19 / (2 * 2000), theory)
        x, y = torch.from_numpy(rng.integers(0, groups, (30, 2000))), torch.from_numpy(rng.integers(0, 20, (30, 2000)))
        estimates = [plugin_mutual_information(a, b, 50).item() for a, b in zip(x, y, strict=True)]
        assert np.mean(estimates) == pytest.approx(simulated, rel=0.05)
