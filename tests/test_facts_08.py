"""The numbers and claims that notebook 08 and its questions make, by scipy, torch or plain arithmetic."""

from __future__ import annotations

import inspect
import json
import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import constants, integrate, optimize, stats

from helpers import checklist
from helpers.checking.kinds.formulas import MOST_CHARACTERS

ROOT = Path(__file__).resolve().parents[1]
NAME = "08-reading-and-writing-math"
TEXT = (ROOT / "solutions" / NAME / f"{NAME}.py").read_text(encoding="utf-8")
definitions = import_module("grading.exercises.08_reading_and_writing_math")
P = np.array([0.4, 0.3, 0.2, 0.1])


@pytest.fixture(scope="module")
def shown() -> str:
    """All that the executed notebook prints."""
    notebook = json.loads((ROOT / "solutions" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return "".join("".join(output.get("text", "")) for output in outputs)


def told(question: str, option: str) -> str:
    """What the chooser of a wrong option is told."""
    every = [*definitions.SIGNS, *definitions.CODE, *definitions.PAPER]
    return next(one.wrong[option] for one in every if option in one.wrong and question in one.text)


def test_by_hand():
    uniform = np.full(4, 0.25)
    assert f"{stats.entropy(P, uniform):.4f}" == "0.1064"
    assert f"{stats.entropy(uniform, P):.4f}" == "0.1218"
    assert ".4 \\log 1.6 + .3 \\log 1.2 + .2 \\log .8 + .1 \\log .4 = .1064" in TEXT
    assert (P / uniform).round(9).tolist() == [1.6, 1.2, 0.8, 0.4]


def test_numbers_in_the_sentences_on_signs():
    assert f"{(P * np.log(P)).sum():.2f}" == "-1.28"
    assert "-1.28" in told("why is there a minus", "It is a habit; without it H would be the same")
    assert f"{2 ** math.log(4):.2f}" == "2.61"
    assert "2.61" in told("perplexity", r"$2^{H(p,q)}$")
    m1 = 0.9 * 0 + (1 - 0.9) * 2
    assert (round(m1, 9), round(m1 / (1 - 0.9**1), 9)) == (0.2, 2.0)
    v = 0.0
    for _ in range(500):
        v = 0.9 * v + 3.0
    assert v == pytest.approx(3.0 / (1 - 0.9))


def test_convexity_is_what_makes_an_f_divergence_positive():
    """t log t is negative below 1; a concave f gives at most f(1); a symmetric f says nothing."""
    q = np.full(4, 0.25)
    assert 0.5 * math.log(0.5) < 0 < stats.entropy(P, q)
    concave = (q * np.sqrt(P / q)).sum()
    assert concave <= 1
    symmetric = -(np.log(P / q) ** 2)
    assert np.allclose(symmetric, -(np.log(q / P) ** 2))
    assert (q * symmetric).sum() < 0


def test_the_code_is_what_it_is_said_to_be():
    joint = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joint = joint / joint.sum()
    given = (joint * (joint.sum(-1, keepdim=True) / joint).log()).sum()
    assert given == pytest.approx(stats.entropy(joint.flatten()) - stats.entropy(joint.sum(1)))
    px, py = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    shared = (joint * (joint / (px * py)).log()).sum()
    assert shared == pytest.approx(stats.entropy(joint.flatten(), (px * py).flatten()))
    two, one = (0.5 * math.log(2 * math.pi * math.e * sigma**2) for sigma in (2, 1))
    assert (f"{two:.6f}", f"{one:.6f}") == ("2.112086", "1.418939")
    assert two - one == pytest.approx(math.log(2))
    low, high = 0.1, 1.0
    assert low + 0.5 * (high + low) * (1 + math.cos(0)) == pytest.approx(high + 2 * low)


def test_numbers_in_the_sentences_on_derivations():
    """By the wrong steps' own words."""
    assert f"{-stats.entropy([0.5, 0.5], [0.9, 0.1]):.2f}" == "-0.51"
    sentences = [one.told for one in definitions.DERIVATIONS]
    assert "it is -.51 against 0" in sentences[0]
    n = 4
    assert n * (np.full(n, 1 / n) * math.log(1 / n)).sum() == pytest.approx(-n * math.log(n))
    p, step = 0.3, 1e-6
    slope = (-(p + step) * math.log(p + step) + (p - step) * math.log(p - step)) / (2 * step)
    assert slope == pytest.approx(-math.log(p) - 1)


def test_a_detour_is_half_as_long(shown):
    a, b, c = (0.9, 0.1), (0.5, 0.5), (0.1, 0.9)
    direct, detour = stats.entropy(a, c), stats.entropy(a, b) + stats.entropy(b, c)
    assert f"direct {direct:.4f}, by a detour {detour:.4f}" in shown
    assert detour == pytest.approx(direct / 2)


def test_no_model_has_less_perplexity_than_the_source(shown):
    least = math.exp(stats.entropy(P))
    assert f"the source itself: {least:.3f}" in shown
    assert f"{least:.3f}" in TEXT
    seen, fresh = (float(shown.split(words)[1].split()[0]) for words in ("on those: ", "on all others:"))
    assert seen < least < fresh
    for q in np.random.default_rng(0).dirichlet(np.ones(4), 500):
        assert math.exp(-(P * np.log(q)).sum()) >= least


def test_two_proper_losses_and_their_gradients(shown):
    z, step = -10.0, 1e-4

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    for name, loss in (
        ("cross-entropy", lambda x: -math.log(sigmoid(x))),
        ("squared error", lambda x: (1 - sigmoid(x)) ** 2),
    ):
        slope = (loss(z + step) - loss(z - step)) / (2 * step)
        assert f"{name}: {slope:.5f}" in shown
    for loss in (lambda s: 0.3 * (1 - s) ** 2 + 0.7 * s**2, lambda s: -0.3 * math.log(s) - 0.7 * math.log(1 - s)):
        assert optimize.minimize_scalar(loss, bounds=(0.01, 0.99), method="bounded").x == pytest.approx(0.3, abs=1e-4)
    rest = -stats.norm(0.2, 1).logpdf(1.7) - (1.7 - 0.2) ** 2 / 2
    assert f"[{rest:.4f}, {rest:.4f}" in shown


def test_which_end_of_log_var_explodes(shown):
    def kl(log_var: float) -> float:
        return 0.5 * (math.exp(log_var) - 1 - log_var)

    for log_var in (-30.0, -10.0, 0.0, 10.0):
        assert f"log_var = {log_var:5}: {kl(log_var):.4g}" in shown
    assert torch.tensor([88.0, 89.0]).exp().isinf().tolist() == [False, True]
    assert "log_var =  89.0: inf" in shown
    assert kl(-60) - kl(-30) == pytest.approx(15)


def test_where_all_is_clipped_adam_does_not_see_the_limit(shown):
    ends = [line.split(" at ")[-1] for line in shown.splitlines() if line.startswith("clipped at")]
    assert len(ends) == 2
    assert ends[0] == ends[1]
    found = {}
    for limit in (1.0, 0.001):
        theta, noise = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64)), torch.Generator().manual_seed(0)
        adam = torch.optim.Adam([theta], 0.01, eps=1e-12)
        for _ in range(100):
            theta.grad = 5 * torch.randn(4, generator=noise, dtype=torch.float64) + 3
            assert torch.nn.utils.clip_grad_norm_([theta], limit) > 1
            adam.step()
        found[limit] = theta.detach()
    torch.testing.assert_close(found[1.0], found[0.001], rtol=1e-5, atol=0)
    assert ends[0] == str([round(x, 6) for x in found[1.0].tolist()])


def test_what_gpt2_small_has(shown):
    d = 768
    block = 2 * 2 * d + (d * 3 * d + 3 * d) + (d * d + d) + (d * 4 * d + 4 * d) + (4 * d * d + d)
    total = 50257 * d + 1024 * d + 12 * block + 2 * d
    assert f"parameters: {total:,}; in bfloat16 {2 * total / 1e6:.0f} MB" in shown
    assert total == 124_439_808
    assert 4 + 4 + 4 + 4 == 2 + 2 + 4 + 4 + 4 == 16  # weights, gradients, (a float32 copy), m, v
    assert "float32 16, mixed 16" in shown
    assert f"6 d = {6 * total:.1e}; d^2 = {total**2:.1e}" in shown
    assert inspect.signature(torch.optim.SGD.zero_grad).parameters["set_to_none"].default is True
    assert "after zero_grad() the gradient is None" in shown


def test_what_discriminators_measure(shown):
    p, q = P, np.array([0.1, 0.2, 0.2, 0.5])
    middle = (p + q) / 2
    js = (stats.entropy(p, middle) + stats.entropy(q, middle)) / 2
    assert f"log 2 - loss {js:.4f}; JS {js:.4f}; KL(q, p) {stats.entropy(q, p):.4f}" in shown
    rng = np.random.default_rng(0)
    for d in rng.uniform(0.01, 0.99, (300, 4)):  # no discriminator does better
        assert math.log(2) + ((p * np.log(d)).sum() + (q * np.log(1 - d)).sum()) / 2 <= js
    variation = np.abs(p - q).sum() / 2
    errors = [(p[[i not in s for i in range(4)]].sum() + q[[i in s for i in range(4)]].sum()) / 2 for s in subsets()]
    assert min(errors) == pytest.approx((1 - variation) / 2)
    assert f"total variation {variation:.2f}; the best guess from one sample errs in {min(errors):.2f}" in shown


def subsets() -> list[set[int]]:
    """The outcomes at which one may guess the first source."""
    return [{i for i in range(4) if mask >> i & 1} for mask in range(16)]


def test_kl_from_samples_is_the_harder_one(shown):
    assert stats.entropy([0.5, 0.5, 0], [0.5, 0, 0.5]) == math.inf
    line = next(line for line in shown.splitlines() if line.startswith("Wasserstein"))
    assert float(line.split("sorting: ")[1].split()[0]) == pytest.approx(1, abs=0.1)
    assert shown.count("bins: inf where .5 is true") >= 2
    x = np.random.default_rng(0).normal([[0], [1]], size=(2, 400))
    assert np.abs(np.sort(x[0]) - np.sort(x[1])).mean() == pytest.approx(stats.wasserstein_distance(*x))
    one, two = stats.norm(0, 1), stats.norm(1, 1)
    assert integrate.quad(lambda t: one.pdf(t) * (one.logpdf(t) - two.logpdf(t)), -12, 12)[0] == pytest.approx(0.5)


def test_v_is_no_hessian(shown):
    assert "at (1.0, 1.0): Hessian [1.0, 100.0], v of a steady gradient [1.0, 10000.0]" in shown
    assert "at (0.0, 0.0): Hessian [1.0, 100.0], v of a steady gradient [0.0, 0.0]" in shown


def test_a_convex_problem_with_a_gap(shown):
    """f(x, y) = x^2 / y is convex for y > 0, and no multiplier's bound is above 0."""
    rng = np.random.default_rng(0)
    for x, y in zip(rng.normal(size=100), rng.uniform(0.1, 3, 100), strict=True):
        hessian = np.array([[2 / y, -2 * x / y**2], [-2 * x / y**2, 2 * x**2 / y**3]])
        assert np.linalg.eigvalsh(hessian).min() >= -1e-9
    for multiplier in (0.01, 1, 1000):
        assert math.exp(-1e5) + multiplier * 1e5**2 / 1e5**3 < 0.011
    assert "primal: 1" in shown
    assert "not above 0.0100" in shown


def test_landauer(shown):
    bit, spent = constants.k * 300 * math.log(2), 400 / 312e12
    assert f"Landauer {bit:.2e} J a bit, an A100 {spent:.2e} J an operation: {spent / bit:.1e} apart" in shown


def test_a_classifier_never_shows_more_than_is_there():
    """log 2 - C against the divergence of two Gaussians by quadrature; the best logistic classifier reaches it."""
    one, two = stats.norm(0, 1), stats.norm(1, 1)

    def mean(function) -> float:
        return integrate.quad(function, -12, 13)[0]

    def middle(t: float) -> float:
        return (one.pdf(t) + two.pdf(t)) / 2

    js = mean(lambda t: one.pdf(t) * np.log(one.pdf(t) / middle(t))) / 2
    js += mean(lambda t: two.pdf(t) * np.log(two.pdf(t) / middle(t))) / 2

    def bound(w: float, b: float) -> float:
        c = mean(lambda t: one.pdf(t) * np.logaddexp(0, -w * t - b) + two.pdf(t) * np.logaddexp(0, w * t + b)) / 2
        return math.log(2) - c

    assert bound(-1, 0.5) == pytest.approx(js)
    assert bound(0, 0) == pytest.approx(0, abs=1e-9)
    for w, b in ((-0.5, 0.2), (-2, 1), (1, 0)):
        assert bound(w, b) < js


def test_rows_and_lists_are_as_many_as_is_said(shown):
    assert "11 rows hold on 100 draws" in shown
    assert "four rows hold on 100 draws" in shown
    assert len(definitions.DERIVATIONS) == 7
    assert len([name for name in vars(definitions) if name.endswith("_in_latex")]) == 8
    assert len(checklist.ITEMS) == 20
    assert 10 * max(len(line) for line in definitions.ADAM) < MOST_CHARACTERS


def test_bias_correction_by_its_expectation():
    """E[m_t] = (1 - beta^t) E[g] over 20,000 runs."""
    rng, beta, t = np.random.default_rng(0), 0.8, 5
    gradients, m = rng.normal(2, 1, (t, 20_000)), 0.0
    for g in gradients:
        m = beta * m + (1 - beta) * g
    assert np.mean(m) == pytest.approx((1 - beta**t) * 2, abs=0.02)
