"""The judge of Monte Carlo estimates: how often it wrongs a correct answer, and how often a wrong one slips through.

Both rates are computed, not simulated. An answer's numbers are means of n independent functions of a normal number:
the estimate is the mean log ratio, and the squared error is a mean of squared deviations. `chances` gives the law of
such a mean to rounding, by raising a characteristic function to the nth power."""

from __future__ import annotations

import importlib
import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats

from grading.exercises.exercise import PUBLIC_SEED
from helpers.checking.check import examine
from helpers.checking.kinds import sampling

module = importlib.import_module("grading.exercises.05_gaussian_kl_monte_carlo")
exercise = module.kl_monte_carlo
GRID = 2**16
Z = np.linspace(-11, 11, 60_001)
WEIGHTS = stats.norm.pdf(Z) / stats.norm.pdf(Z).sum()


def ratio(mu1, sigma1, mu2, sigma2, mu, sigma):
    """log N1(x) - log N2(x) at x = mu + sigma z."""
    x = mu + sigma * Z
    return stats.norm.logpdf(x, mu1, sigma1) - stats.norm.logpdf(x, mu2, sigma2)


def chances(values, n, low, high):
    """The probabilities that the mean of n independent `values` of a normal number is below `low` and above `high`."""
    mean = WEIGHTS @ values
    step = 40 * math.sqrt(WEIGHTS @ (values - mean) ** 2 * n) / GRID
    place = (values - mean) / step
    left = np.floor(place).astype(int)
    # each value is shared by its two neighbours on the grid, which keeps the mean
    law = np.bincount(left % GRID, WEIGHTS * (left + 1 - place), GRID)
    law += np.bincount((left + 1) % GRID, WEIGHTS * (place - left), GRID)
    total = np.fft.irfft(np.fft.rfft(law) ** n, GRID)
    means = mean + np.fft.fftfreq(GRID, 1 / GRID) * step / n
    return total[means < low].sum(), total[means > high].sum()


def off_estimate(values, bounds, n):
    """The probabilities that the mean log ratio is below and above its bounds."""
    return chances(values, n, *bounds)


def off_error(values, bounds, n):
    """Upper bounds on the probabilities that the standard error is below and above its bounds.

    n (n - 1) error^2 is the sum of squared deviations from the true mean, less n d^2 with d the error of the sample
    mean, which is below 7 standard errors but for a negligible chance."""
    deviations = values - WEIGHTS @ values
    most = 7 * math.sqrt(WEIGHTS @ deviations**2 / n)
    negligible = sum(chances(deviations, n, -most, most))
    low, high = (bound**2 * (n - 1) for bound in bounds)
    below, above = chances(deviations**2, n, low + most**2, high)
    return below + negligible, above


def off_normal_error(std, bounds, n):
    """The same probabilities for a normal log ratio, exactly: n (n - 1) error^2 / std^2 is chi-squared."""
    low, high = (n * (n - 1) * (bound / std) ** 2 for bound in bounds)
    return stats.chi2.cdf(low, n - 1), stats.chi2.sf(high, n - 1)


def off_two(bounds, squared, repeats):
    """The probabilities that the mean of `repeats` squared errors at n = 2 leaves its bounds, for a normal log ratio:
    each is its expectation `squared` times a chi-squared number of one degree of freedom."""
    low, high = (bound / squared * repeats for bound in bounds)
    return stats.chi2.cdf(low, repeats), stats.chi2.sf(high, repeats)


def expected(case):
    return module.bounds(module.log_ratio(*case["gaussians"]), case["n"], case["repeats"])


def a_case(mu1, sigma1, mu2, sigma2, n=module.MANY, repeats=0):
    return {"gaussians": (mu1, sigma1, mu2, sigma2), "n": n, "repeats": repeats}


# Every case is the first of these, or lies between the corners of the two others.
FIRST = [a_case(1.0, 2.0, 0.0, 1.0)]
SECOND = [a_case(*corner) for corner in itertools.product((-1, 1), (0.5, 0.8), (1.5, 2), (1.2, 2))]
LARGE = [a_case(mu1, 1.0, -1.0, 1.0, 100_000) for mu1 in (0.5, 1)]
THIRD = [
    a_case(mu1, sigma, mu2, sigma, 2_000, module.REPEATS)
    for mu1, sigma, mu2 in itertools.product((0.5, 1), (0.5, 2), (-1, 0))
]
KINDS = (FIRST, SECOND, LARGE, THIRD)
# The mistakes: where their samples come from, which ratio they average, and by what their error is off.
MISTAKES = {
    "kl_monte_carlo_from_q": (lambda m1, s1, m2, s2: ratio(m1, s1, m2, s2, m2, s2), lambda n, std: 1),
    "kl_monte_carlo_swapped": (lambda m1, s1, m2, s2: ratio(m2, s2, m1, s1, m2, s2), lambda n, std: 1),
    "kl_monte_carlo_sign": (lambda m1, s1, m2, s2: -ratio(m1, s1, m2, s2, m1, s1), lambda n, std: 1),
    "kl_monte_carlo_variance_noise": (lambda m1, s1, m2, s2: ratio(m1, s1, m2, s2, m1, s1**2), lambda n, std: 1),
    "kl_monte_carlo_deviation": (lambda m1, s1, m2, s2: ratio(m1, s1, m2, s2, m1, s1), lambda n, std: math.sqrt(n)),
    "kl_monte_carlo_divided_by_n": (
        lambda m1, s1, m2, s2: ratio(m1, s1, m2, s2, m1, s1),
        lambda n, std: 1 / math.sqrt(n),
    ),
}


@cache
def failure_rate(index):
    """The chance that a correct answer fails the worst case of a kind, at most."""
    return max(map(failure_of, KINDS[index]))


def failure_of(case):
    mu1, sigma1, mu2, sigma2 = case["gaussians"]
    n, bounds = case["n"], expected(case)
    values = ratio(mu1, sigma1, mu2, sigma2, mu1, sigma1)
    one = sum(off_estimate(values, bounds["estimate"], n))
    if not case["repeats"]:
        return 2 * (one + sum(off_error(values, bounds["standard_error"], n)))
    std = abs(mu1 - mu2) / sigma1  # of the log ratio, as sigma1 == sigma2
    one += sum(off_normal_error(std, bounds["standard_error"], n))
    # two of the three answers at n are held against the bounds
    return 2 * one + sum(off_two(bounds["squared_at_two"], std**2 / 2, case["repeats"]))


class TestChances:
    def test_the_law_of_a_mean_of_squares_is_chi_squared(self):
        n = 300
        for low, high in ((0.7, 1.4), (0.6, 1.6)):
            got = chances(Z**2, n, low, high)
            want = stats.chi2.cdf(low * n, n), stats.chi2.sf(high * n, n)
            assert got == pytest.approx(want, rel=0.02, abs=1e-13)

    def test_the_law_of_an_estimate_is_a_noncentral_chi_squared_one(self):
        """The log ratio of the first case is a + b z + c z^2 = c (z + b / 2c)^2 + constant, with b = 2, c = 3/2."""
        n, b, c = 2_000, 2.0, 1.5
        constant = math.log(1 / 2) + 0.5 - b**2 / (4 * c)
        values = ratio(1, 2, 0, 1, 1, 2)
        assert values == pytest.approx(constant + c * (Z + b / (2 * c)) ** 2)
        mean, error = 2 - math.log(2), math.sqrt(8.5 / n)
        low, high = mean - 5 * error, mean + 5 * error
        law = stats.ncx2(n, n * (b / (2 * c)) ** 2, loc=n * constant, scale=c)
        assert chances(values, n, low, high) == pytest.approx((law.cdf(n * low), law.sf(n * high)), rel=0.02)

    def test_the_bound_on_the_error_of_a_normal_ratio_is_near_the_exact_rate(self):
        values, n = ratio(1, 1, 0, 1, 1, 1), 20_000  # the log ratio is 1/2 + z
        bounds = [0.97 / math.sqrt(n), 1.03 / math.sqrt(n)]
        for got, want in zip(off_error(values, bounds, n), off_normal_error(1.0, bounds, n), strict=True):
            assert want <= got * 1.001 < 10 * want


class TestRates:
    def test_a_correct_answer_fails_less_than_once_in_a_million_gradings(self):
        """A grading plays each kind of case twice: the public case, and the hidden one."""
        rates = [failure_rate(index) for index in range(len(KINDS))]
        assert 2 * sum(rates) < 1e-6
        assert min(rates) > 0

    @pytest.mark.parametrize("name", MISTAKES)
    def test_a_mistake_is_caught_by_the_first_case(self, name):
        values_of, factor = MISTAKES[name]
        case = FIRST[0]
        n, bounds = case["n"], expected(case)
        values = values_of(*case["gaussians"])
        std = math.sqrt(WEIGHTS @ (values - WEIGHTS @ values) ** 2)
        error_bounds = [bound / factor(n, std) for bound in bounds["standard_error"]]
        # it passes only if it is within all bounds, so at most as often as within one of them
        within = [1 - sum(off_estimate(values, bounds["estimate"], n)), error_within(values, error_bounds, n)]
        assert min(within) < 1e-3

    def test_a_variance_for_a_deviation_is_caught(self):
        """var / sqrt(n) lies within bounds where the standard error lies within sqrt(bounds / sqrt(n))."""
        case = FIRST[0]
        values, n = ratio(*case["gaussians"], *case["gaussians"][:2]), case["n"]
        equivalent = [math.sqrt(bound / math.sqrt(n)) for bound in expected(case)["standard_error"]]
        assert error_within(values, equivalent, n) < 1e-3

    def test_noise_with_a_small_mean_is_caught(self):
        """As Box and Muller's with the angle 2 pi / v: its mean is 0.052."""
        for case in LARGE:
            mu1, sigma1, mu2, sigma2 = case["gaussians"]
            values = ratio(mu1, sigma1, mu2, sigma2, mu1 + 0.052 * sigma1, sigma1)
            assert 1 - sum(off_estimate(values, expected(case)["estimate"], case["n"])) < 1e-3

    def test_a_population_deviation_is_caught_at_two_samples(self):
        for case in THIRD:
            bounds, repeats = expected(case)["squared_at_two"], case["repeats"]
            mu1, sigma, mu2, _ = case["gaussians"]
            halved = ((mu1 - mu2) / sigma) ** 2 / 4
            assert 1 - sum(off_two(bounds, halved, repeats)) < 1e-3

    def test_the_cases_are_those_that_the_exercise_draws(self):
        corners = [np.array([c["gaussians"] for c in kind]) for kind in KINDS]
        for seed in range(PUBLIC_SEED, 40):
            every = [case for criterion in exercise.criteria for case in exercise.draw(criterion, seed)]
            drawn = [case for case in every if case.driver == "estimate_often"]
            assert len(drawn) == len(KINDS)
            for case, corner, kind in zip(drawn, corners, KINDS, strict=True):
                gaussians = np.array(case.arguments[:4])
                assert (corner.min(0) <= gaussians).all()
                assert (gaussians <= corner.max(0)).all()
                assert (case.arguments[4], case.parameters[1]) == (kind[0]["n"], kind[0]["repeats"])
                law = module.log_ratio(*case.arguments[:4])
                assert case.expected == module.bounds(law, case.arguments[4], case.parameters[1])

    def test_right_answers_pass_and_mistakes_are_recognised_for_many_seeds(self):
        right = exercise.alternatives["kl_monte_carlo_by_formula"]
        for seed in (1, 2, 3):
            data = exercise.as_data(seed)
            assert examine("kl_monte_carlo", data, right).outcome == "correct"
            for name, mistake in exercise.misconceptions.items():
                report = examine("kl_monte_carlo", data, mistake.functions)
                assert (report.outcome, report.mistake) == ("incorrect", name)


def error_within(values, bounds, n):
    """An upper bound on the chance that a standard error lies within its bounds."""
    deviations = values - WEIGHTS @ values
    low, high = (bound**2 * (n - 1) for bound in bounds)
    most = 7 * math.sqrt(WEIGHTS @ deviations**2 / n)
    below, _ = chances(deviations**2, n, low, math.inf)
    _, above = chances(deviations**2, n, -math.inf, high + most**2)
    return min(1 - below, 1 - above) + sum(chances(deviations, n, -most, most))


class TestDriver:
    def test_one_seed_twice_then_another_then_many_at_two(self):
        def estimator(a, b, n, generator):
            calls.append((a, b, n, generator.initial_seed()))
            return float(len(calls)), 2.0

        calls = []
        value = sampling.estimate_often(estimator, 5, 3, 0.25, 0.75, 100)
        assert calls == [(0.25, 0.75, 100, s) for s in (5, 5, 6)] + [(0.25, 0.75, 2, s) for s in (7, 8, 9)]
        assert value == ((1.0, 2.0), (2.0, 2.0), (3.0, 2.0), 4.0)

    def test_without_repeats_nothing_is_asked_at_two(self):
        value = sampling.estimate_often(lambda n, generator: (1.0, float(n)), 5, 0, 100)
        assert value == ((1.0, 100.0),) * 3

    def test_an_answer_that_is_no_pair_is_given_back(self):
        assert sampling.estimate_often(lambda n, generator: 0.5, 5, 3, 100) == (0.5, 0.5, 0.5, None)
        assert sampling.estimate_often(lambda n, generator: None, 5, 0, 100) == (None, None, None)

    def test_a_bad_answer_at_two_is_told(self):
        def estimator(n, generator):
            return float(torch.randn(1, generator=generator)), 1.0 if n > 2 else math.nan

        value = sampling.estimate_often(estimator, 5, 3, 100)
        assert value[3] is None
        wide = {"n": 100, "estimate": [-9, 9], "standard_error": [0, 2], "squared_at_two": [0.5, 2]}
        assert "At n = 2" in str(sampling.monte_carlo(value, wide))

    @pytest.mark.parametrize("form", [tuple, list])
    @pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.asarray])
    def test_every_form_of_a_pair_counts(self, form, kind):
        assert sampling.pair(form((kind(1.5), kind(2.0)))) == (1.5, 2.0)

    @pytest.mark.parametrize(
        "answer",
        [None, 1.0, (1.0,), (1.0, 2.0, 3.0), (1.0, None), (1.0, "2"), (1.0, math.nan), (math.inf, 1.0), (True, 1.0)],
    )
    def test_anything_else_does_not(self, answer):
        assert sampling.pair(answer) is None

    def test_a_vector_is_no_scalar(self):
        assert sampling.pair((torch.ones(1), 1.0)) is None


BOUNDS = {"n": 10, "estimate": [0.9, 1.1], "standard_error": [0.1, 0.3], "squared_at_two": [0.5, 2.0]}


class TestJudge:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (((1.0, 0.2), (1.0, 0.2), (1.01, 0.2), 1.0), None),
            (((1.0, 0.2), (1.02, 0.2), (1.01, 0.2), 1.0), "same seed gave two"),
            (((1.0, 0.2), (1.0, 0.2), (1.0, 0.2), 1.0), "Two seeds gave one"),
            (
                ((1.2, 0.2), (1.2, 0.2), (1.01, 0.2), 1.0),
                "The estimate from 10 samples is 1.2; it should be between 0.9",
            ),
            (((1.0, 0.2), (1.0, 0.2), (0.8, 0.2), 1.0), "The estimate from 10 samples is 0.8"),
            (((1.0, 0.4), (1.0, 0.4), (1.01, 0.2), 1.0), "The standard error from 10 samples is 0.4"),
            (((1.0, 0.2), (1.0, 0.2), (1.01, 0.2), 0.4), "At n = 2 the squared standard error is 0.4"),
            ((1.0, 1.0, 1.0, None), "The answer is a float, where two finite numbers"),
            (((math.nan, 0.2),) * 3 + (None,), "two finite numbers"),
            (((1.0, 0.2), (1.0, 0.2), (1.01, 0.2), None), "At n = 2 the answer is not"),
            (((1.0, 0.2), (1.0, 0.2), (1.01, 0.2)), "At n = 2 the answer is not"),
            (None, "The answer is None"),
        ],
    )
    def test_each_fault_has_its_sentence(self, value, words):
        problem = sampling.monte_carlo(value, BOUNDS)
        assert problem is None if words is None else words in str(problem)

    def test_where_the_seed_makes_no_difference(self):
        same, fresh = ((1.0, 0.2),) * 3, ((1.0, 0.2), (1.1, 0.2), (1.2, 0.2))
        assert sampling.sampleless(same, {}) is None
        assert sampling.sampleless(fresh, {}) is not None
        assert sampling.unrepeatable(fresh, {}) is None
        assert sampling.unrepeatable(same, {}) is not None


def test_the_decoder_is_an_affine_layer_in_the_dtype_of_z():
    weight, bias = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    layer = torch.nn.Linear(2, 3, dtype=torch.float64)
    layer.weight.data, layer.bias.data = weight, bias
    z = torch.randn(4, 2, dtype=torch.float64)
    decode = sampling.affine_decoder(weight, bias)
    torch.testing.assert_close(decode(z), torch.tanh(layer(z)))
    assert decode(z.float()).dtype == torch.float32


class TestMeanGradients:
    def play(self, answer, pair, seed=3):
        value = sampling.mean_gradients(answer, seed, *pair)
        problem = sampling.mean_gradient(value, {"judge": "mean_gradient", "gradients": module.gradients(*pair)})
        return None if problem is None else problem.text

    def right(self, log_p, log_q):
        return module.kl_gradients(log_p, log_q)

    def test_chance_hardly_ever_wrongs_a_right_answer(self):
        for seed in range(60):
            for pair in ((1.0, 1.0, 0.0, 1.0), (-0.3, 1.3, 0.7, 0.9), (0.3, 0.9, 0.4, 0.9)):
                value = sampling.mean_gradients(self.right, seed, *pair)
                for row, wanted in zip(value, module.gradients(*pair), strict=True):
                    for mean, error, want in zip(row[::2], row[1::2], wanted, strict=True):
                        assert abs(mean - want) < 5 * error  # the judge allows 7

    def test_each_of_the_three_is_judged(self):
        pair = (1.0, 1.0, 0.0, 0.8)
        assert self.play(self.right, pair) is None
        for place, name in enumerate(("g1", "g2", "g3")):

            def off(log_p, log_q, place=place):
                answer = list(self.right(log_p, log_q))
                answer[place] = answer[place] + 0.2 * (log_p - log_q)
                return answer

            assert f"The mean of {name} times" in self.play(off, pair)

    @pytest.mark.parametrize("answer", [None, 3.0, (1.0, 2.0, 3.0), (torch.ones(3), torch.ones(3), torch.ones(3))])
    def test_what_is_no_three_weights_is_told(self, answer):
        assert "three tensors were expected" in self.play(lambda log_p, log_q: answer, (1.0, 1.0, 0.0, 1.0))
