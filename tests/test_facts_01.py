"""The numbers that notebook 01 quotes, each by scipy, torch or plain arithmetic as well as by our own routines."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.nn.functional import kl_div

from helpers import texts
from helpers.figures.codes import block_bits
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


def test_a_longer_block_may_waste_more():
    bits = block_bits((0.9, 0.1), 8)
    quoted(bits[5], "0.470")
    quoted(bits[7], "0.476")
    assert all(waste < 1 / k for k, waste in enumerate((b - 0.468996 for b in bits), start=1))


def test_half_alpha_is_four_times_one_minus_the_bhattacharyya_coefficient():
    half = alpha_divergence(P, U, 0.5).item()
    overlap = (P * U).sqrt().sum().item()
    squared_hellinger = ((P.sqrt() - U.sqrt()) ** 2).sum().item() / 2
    assert half == pytest.approx(4 * (1 - overlap), rel=1e-12)
    assert half == pytest.approx(2 * ((P.sqrt() - U.sqrt()) ** 2).sum().item(), rel=1e-12)
    assert half == pytest.approx(4 * squared_hellinger, rel=1e-12)
    assert half != pytest.approx(math.sqrt(squared_hellinger), rel=0.1)  # it is not the distance itself


SOURCE = (Path(__file__).parent.parent / "solutions/01-information-identities/01-information-identities.py").read_text()


def test_minutes_of_the_first_page_are_the_sum_of_the_exercises():
    parts = re.split(r"# ### (Exercise|Stretch) \d", SOURCE)
    minutes = Counter()
    for kind, part in zip(parts[1::2], parts[2::2], strict=True):
        minutes[kind] += int(re.search(r"· (\d+) minutes", part)[1])
    first_page = " ".join(SOURCE.replace("\n# ", " ").split())
    said = re.search(r"seven exercises take about (\d+) minutes, the two stretch exercises (\d+) more", first_page)
    assert [int(x) for x in said.groups()] == [minutes["Exercise"], minutes["Stretch"]] == [75, 20]


def test_surprises_by_hand():
    quoted(1 / math.log(2), "1.4427")
    quoted(math.log(3), "1.0986")
    quoted(math.log2(52), "5.7")
    quoted(math.lgamma(53) / math.log(2), "225.6")
    assert pytest.approx(1e6, rel=0.05) == 2**20
    quoted(entropy(torch.tensor([0.5, 0.25, 0.25])), "1.0397")
    quoted(cross_entropy(torch.tensor([1.0, 0.0]), torch.tensor([0.25, 0.75])), "1.3863")
    quoted(math.log(10), "2.303")
    quoted(math.log(50_257), "10.825")
    halves, other = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    quoted(kl_divergence(halves, other), "0.1438")
    quoted(kl_divergence(other, halves), "0.1308")
    quoted(0.5 * math.log(2), "0.3466")
    assert [f"{-math.log2(p):.2f}" for p in P.tolist()] == ["1.32", "1.74", "2.32", "3.32"]


def test_categorical_clamps():
    quoted(torch.distributions.Categorical(torch.tensor([1.0, 0.0])).entropy() * 1e7, "1.2")


def test_the_gradient_of_cross_entropy_from_logits():
    z = torch.randn(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    p = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(z, p), z)
    torch.testing.assert_close(gradient, z.detach().softmax(-1) - p)


@pytest.mark.parametrize("seed", range(5))
def test_the_proofs_on_random_numbers(seed):
    rng = np.random.default_rng(seed)
    p, r = rng.dirichlet(np.ones(6), size=2)
    assert (np.log(p / r) <= p / r - 1).all()
    assert scipy.stats.entropy(p) <= math.log(6)
    # The exponential family: the cross-entropy of any r with this mean is the same, and it is H of the answer.
    v = rng.normal(size=6)
    answer = max_entropy_with_mean(torch.from_numpy(v), float(r @ v))
    assert float(-(torch.from_numpy(r) * answer.log()).sum()) == pytest.approx(float(entropy(answer)), rel=1e-7)
    assert scipy.stats.entropy(r) <= float(entropy(answer))
    # Likelihood: the log of the probability of a text, over its length, is minus the cross-entropy.
    counts = rng.integers(0, 9, size=6)
    likelihood = scipy.stats.multinomial(counts.sum(), r).logpmf(counts) - math.lgamma(counts.sum() + 1)
    likelihood += sum(math.lgamma(c + 1) for c in counts)  # one text, not all orders of it
    shares = torch.from_numpy(counts / counts.sum())
    assert -likelihood / counts.sum() == pytest.approx(float(cross_entropy(shares, torch.from_numpy(r))))


def test_a_sampled_kl_may_be_negative_and_an_exact_one_is_not():
    rng = np.random.default_rng(0)
    samples = rng.choice(4, p=U, size=(2000, 16))
    log_ratio = torch.log(U / P).numpy()[samples].mean(-1)
    assert 0.1 < (log_ratio < 0).mean() < 0.5
    assert kl_divergence(U, P) > 0


def letters_by_hand():
    """Orders 0 to 3 of the text with dicts alone: (bits of the seen part, bits of the fresh part)."""
    plain = " ".join(re.findall("[a-z]+", texts.alice().lower()))
    seen, fresh = plain[:5000], plain[5000:]
    rows = []
    for order in range(4):
        grams = Counter(seen[i : i + order + 1] for i in range(len(seen) - order))
        contexts = Counter(seen[i : i + order] for i in range(len(seen) - order))
        known = -sum(n * math.log2(n / contexts[g[:-1]]) for g, n in grams.items()) / grams.total()
        tests = [fresh[i : i + order + 1] for i in range(len(fresh) - order)]
        loss = -sum(math.log2((grams[g] + 0.1) / (contexts[g[:-1]] + 2.7)) for g in tests) / len(tests)
        rows.append((f"{known:.2f}", f"{loss:.2f}", f"{2**loss:.2f}"))
    return rows


def test_the_letters_of_the_text():
    rows = letters_by_hand()
    printed = re.findall(r"^ +\d +([\d.]+) +([\d.]+) +([\d.]+)$", executed_text(), flags=re.M)
    assert printed == rows
    assert rows[2][1] == "2.80"
    assert "2.80 bits a letter" in SOURCE
    seen = [float(row[0]) for row in rows]
    fresh = [float(row[1]) for row in rows]
    assert seen == sorted(seen, reverse=True)
    assert fresh[2] < min(fresh[0], fresh[1], fresh[3])


def test_zlib_needs_more_than_the_table():
    plain = " ".join(re.findall("[a-z]+", texts.alice().lower())).encode()
    packer = zlib.compressobj(9, zdict=plain[:5000])
    bits = 8 * len(packer.compress(plain[5000:]) + packer.flush()) / len(plain[5000:])
    assert 2.9 < bits < 3.3


def executed_text():
    import nbformat

    notebook = nbformat.read(
        Path(__file__).parent.parent / "solutions/01-information-identities/01-information-identities.ipynb",
        as_version=4,
    )
    return "\n".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)


def test_the_full_f_divergence_where_q_is_0():
    """Total variation of (1, 0) and (0, 1): half from q f(p / q), half from the slope of |t - 1| / 2 at infinity."""
    assert 0.5 * abs(0 / 1 - 1) + 1 * 0.5 == 1 == 0.5 * sum(abs(a - b) for a, b in ((1, 0), (0, 1)))


def test_jensen_shannon_is_no_distance_and_its_root_is():
    from scipy.spatial.distance import jensenshannon

    left, between, right = [1, 0], [0.5, 0.5], [0, 1]
    legs = jensenshannon(left, between), jensenshannon(between, right)  # scipy returns the root
    direct = jensenshannon(left, right)
    quoted(direct**2, "0.6931")
    quoted(legs[0] ** 2 + legs[1] ** 2, "0.4315")
    quoted(direct, "0.8326")
    quoted(sum(legs), "0.9290")
    # The root of KL is none: 3 points for which the detour is shorter.
    kl = scipy.stats.entropy
    a, b, c = [0.5, 0.5], [0.25, 0.75], [0.01, 0.99]
    assert math.sqrt(kl(a, c)) > math.sqrt(kl(a, b)) + math.sqrt(kl(b, c))


@pytest.mark.parametrize("alpha", [-0.5, 0.3, 0.5, 2.0])
def test_the_other_conventions_of_alpha(alpha):
    p, q = P.numpy(), np.array([0.1, 0.2, 0.3, 0.4])
    ours = float(alpha_divergence(P, torch.from_numpy(q), alpha))
    bishop = 2 * alpha - 1
    assert ours == pytest.approx(4 / (1 - bishop**2) * (1 - (p ** ((1 + bishop) / 2) * q ** ((1 - bishop) / 2)).sum()))
    amari = 1 - 2 * alpha
    assert ours == pytest.approx(4 / (1 - amari**2) * (1 - (p ** ((1 - amari) / 2) * q ** ((1 + amari) / 2)).sum()))
    assert alpha_divergence(P, U, 0.0) == pytest.approx(float(kl_divergence(U, P)))  # Amari's own 1


def test_reflection():
    quoted(math.exp(2.0), "7.39")
    quoted(math.exp(1.9), "6.69")
    quoted(2.0 / math.log(2), "2.89")
    quoted(1.9 / math.log(2), "2.74")
    quoted(0.1 / math.log(2), "0.144")
