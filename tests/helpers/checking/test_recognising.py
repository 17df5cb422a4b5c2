"""Which mistake is told: relations to the right answer in every exercise, pairs, and none that a case contradicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from grading import judge
from grading.exercises import load, notebooks
from grading.exercises.exercise import Exercise, case, exercise
from grading.exercises.ladder import ladder
from helpers.checking import card, plain, recognising
from helpers.checking.check import examine
from helpers.checking.marking import Report
from helpers.checking.relations import BESIDE_A_MISTAKE, find
from helpers.checking.relations.samples import Form, Sample
from helpers.checking.shapes import Call, ExerciseData

EXERCISES = {name: one for notebook in notebooks() for name, one in load(notebook).items()}
NO_RULES: Any = {"forbid": [], "modules": [], "require": [], "because": ""}
GENERIC = [np.array([0.7, -1.3, 2.9]), np.array([[0.4, 1.7], [-2.2, 0.9], [3.1, -0.6]]), np.array(1.37)]


def call_of(want: np.ndarray, **arguments: Any) -> Call:
    """A call with these arguments."""
    return {"function": "f", "names": list(arguments), "arguments": list(arguments.values())}


def related(change: Callable[[np.ndarray], Any], wants: list[np.ndarray] = GENERIC, **arguments: Any) -> Form | None:
    """The relation that is found where the answers are the right ones changed."""
    pairs = [(np.asarray(change(want), dtype=float), want) for want in wants]
    return find([Sample(got, want, want, (1e-9, 1e-12), call_of(want, **arguments)) for got, want in pairs])


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda x: x / math.log(2), "factor", "1/log 2"),
        (lambda x: 2 * x, "factor", "is 2 times the right one"),
        (lambda x: -x, "sign", "minus"),
        (lambda x: 0.3 * x, "factor", "0.3 times"),
        (lambda x: x + 1, "offset", "1 too large"),
        (lambda x: x - 0.25, "offset", "too small by 0.25"),
        (lambda x: 1 / x, "reciprocal", "1/x"),
        (np.square, "square", "square of"),
        (np.exp, "exp", "exp(x)"),
        (lambda x: 1 - x, "complement", "1 - x"),
        (np.abs, "absolute", "absolute value"),
        (lambda x: x * (1 + 1e-6), "factor", "times"),
        (lambda x: x + 1e-6 * np.cos(7 * x), "small", "nearly right"),
    ],
)
def test_a_relation_is_known(change: Callable[[np.ndarray], Any], name: str, words: str) -> None:
    form = related(change)
    assert form is not None
    assert form.name == name
    assert words in str(form.sentence)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda x: x.T, "transposed"),
        (lambda x: x[..., ::-1], "reversed"),
        (lambda x: x.sum(), "total"),
        (lambda x: x.sum(-1), "sum the last dimension"),
        (lambda x: x.mean(0), "mean the first dimension"),
        (lambda x: x[:-1], "without the last row"),
        (lambda x: np.cumsum(x, -1), "cumulative"),
        (lambda x: np.roll(x, 1, -1), "one late"),
        (lambda x: x[None], "reshaped"),
    ],
)
def test_another_order_or_shape_is_known(change: Callable[[np.ndarray], Any], name: str) -> None:
    wants = [np.array([[0.4, 1.7, 5.2], [-2.2, 0.9, 1.1]]), np.array([[1.4, 0.7, 0.2], [2.2, 3.9, 4.1]])]
    form = related(change, wants)
    assert form is not None
    assert form.name == name


def test_a_factor_may_be_made_of_the_arguments() -> None:
    wants = [np.array([0.7, -1.3]), np.array([2.2, 0.6])]
    samples = [
        Sample(want * (1 - 0.9**t), want, want, (1e-9, 1e-12), call_of(want, beta=0.9, t=t))
        for t, want in zip((2, 5), wants, strict=True)
    ]
    form = find(samples)
    assert form is not None
    assert "1 - beta**t times the right one" in str(form.sentence)


def test_a_power_may_be_made_of_the_arguments() -> None:
    """As where a mean stands for a sum in an exponent."""
    report = told("perplexity", lambda p, q: torch.exp(-(p * q.log()).mean(-1)))
    assert report.mistake == "power"
    sentence = str(report.mistake_sentence)
    assert "the right one to the power of 1/(n), where n is the size of the last dimension" in sentence


@pytest.mark.parametrize("change", [lambda x: x**2 + np.sin(x), lambda x: x * np.cos(x), lambda x: x])
def test_what_is_not_related_is_told_nothing(change: Callable[[np.ndarray], Any]) -> None:
    assert related(change) is None


def test_one_number_of_no_special_size_shows_nothing() -> None:
    """Twice 2 is 2 squared, and one number is any number times another."""
    assert related(np.square, [np.array(2.0)]) is None
    assert related(lambda x: 3.7 * x, [np.array(1.0), np.array([1.0, 0.0])]) is None


def test_a_case_that_passed_contradicts() -> None:
    right = Sample(np.array(1.7), np.array(1.7), np.array(1.7), (1e-9, 1e-12), call_of(np.zeros(1)))
    wrong = [Sample(2 * x, x, x, (1e-9, 1e-12), call_of(x)) for x in GENERIC]
    assert find(wrong) is not None
    assert find([*wrong, right]) is None


# ------------------------------------------------------------------------------------------- in the exercises
@cache
def data_of(name: str) -> ExerciseData:
    """An exercise as a learner's check has it, whatever its text."""
    one = EXERCISES[name]
    return {**one.as_data(), "ladder": ladder(one), "rules": NO_RULES}


def told(name: str, function: Callable[..., Any]) -> Report:
    """The report on an answer."""
    one = EXERCISES[name]
    return examine(name, data_of(name), {**one.references, name: function})


def right_one(one: Exercise) -> Callable[..., Any]:
    """A right answer."""
    return next(iter(one.alternatives.values()))[one.name]


NUMBERS = [n for n, x in EXERCISES.items() if x.seconds <= 10 and not n.endswith("_triton") and n != "steps_to_reach"]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_factor_is_told_in_every_exercise_with_numbers(name: str) -> None:
    """Whatever is answered, 1.7 times it is known as that, or as a mistake of the exercise's own."""
    right = right_one(EXERCISES[name])
    gate = data_of(name)["criteria"][0]["cases"]
    if not all(one["expected"]["judge"] in ("close", "three_ways", "capacity") for one in gate):
        pytest.skip("many answers are right here, so that there is no right one to be related to")

    def larger(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(larger(item) for item in value)
        return value if isinstance(value, bool) or value is None else value * 1.7

    report = told(name, lambda *arguments: larger(right(*arguments)))
    kind = report.failure and report.failure.problem and report.failure.problem.kind
    assert report.mistake is not None or kind == "dtype", name


def test_two_known_mistakes_at_once_are_told_as_the_pair() -> None:
    swapped_in_bits = told("cross_entropy", lambda p, q: -torch.special.xlogy(q, p).sum(-1) / math.log(2))
    assert swapped_in_bits.mistake == "cross_entropy_swapped and factor"
    assert "1/log 2" in str(swapped_in_bits.mistake_sentence)


def test_a_small_number_beside_a_known_mistake_is_told_as_the_pair() -> None:
    """As in a book that takes px * py for the product, with 1e-8 in the logarithm."""

    def as_in_a_book(joint: torch.Tensor) -> torch.Tensor:
        return (joint * torch.log(joint / (joint.sum(-1) * joint.sum(-2)) + 1e-8)).sum()

    report = told("mutual_information", as_in_a_book)
    assert report.mistake is not None
    assert report.mistake.endswith(" and small")
    assert "nearly what that gives" in str(report.mistake_sentence)


def test_a_right_answer_that_was_rounded_is_no_known_mistake() -> None:
    """Where a mistake gives nearly the right numbers, what is nearly right is nearly the mistake, too."""

    def rounded(theta: Any, grad: Any, m: Any, v: Any, t: Any, lr: Any, beta1: Any, beta2: Any, eps: Any) -> Any:
        right = right_one(EXERCISES["adam_step"])(theta, grad, m, v, t, lr, beta1, beta2, eps)
        return tuple(x.float() for x in right)

    report = told("adam_step", rounded)
    assert report.mistake is None
    assert report.failure is not None
    assert report.failure.problem is not None
    assert report.failure.problem.kind == "dtype"


def test_a_lost_dimension_is_told_beside_an_empty_batch() -> None:
    wants = [np.array([[0.4, 1.7], [-2.2, 0.9]]), np.zeros((2, 0))]
    form = related(np.ravel, wants)
    assert form is not None
    assert form.name == "reshaped"


def test_an_ingredient_that_is_missing_is_told() -> None:
    report = told("gaussian_kl", lambda m, s, n, r: torch.log(r / s) + s**2 / (2 * r**2) - 0.5)
    assert report.mistake_sentence == "The term (mu1 - mu2)**2 / (2 sigma2**2) is missing."


def test_results_in_another_order_are_told() -> None:
    report = told("marginals", lambda joint: (joint.sum(-2), joint.sum(-1)))
    assert report.mistake is not None


def test_what_has_no_name_is_shown_in_the_smallest_case() -> None:
    report = told("entropy", lambda p: torch.special.entr(p).sum(-1) + 0.3 * p[..., 0] ** 3)
    assert report.mistake is None
    assert report.smaller is not None
    assert "Smallest" in card.from_report(report).text
    assert "[0.6, 0.4]" in card.from_report(report).text


def test_a_criterion_that_failed_for_the_same_cause_says_so() -> None:
    report = told("entropy", lambda p: torch.special.entr(p).sum(-1) if p.ndim == 1 else torch.special.entr(p).sum())
    later = [criterion for criterion in report.criteria if criterion.failure][1:]
    assert report.mistake == "entropy_total"
    assert later
    assert "same cause as above" in card.from_report(report).text


@pytest.mark.parametrize("name", ["entropy", "adam_step", "gaussian_kl", "mutual_information"])
def test_a_ladder_is_of_honest_cases_that_get_larger(name: str) -> None:
    steps = ladder(EXERCISES[name])
    sizes = [len(str(step["call"]["arguments"])) for step in steps]
    assert steps
    assert sizes == sorted(sizes)
    for functions in EXERCISES[name].alternatives.values():
        report = examine(name, data_of(name), functions)
        assert report.smaller is None


@pytest.mark.parametrize(
    "answer", [lambda p: torch.zeros(40_000), lambda p: [0.0] * 40_000, lambda p: (torch.ones(1),) * 9000]
)
def test_an_answer_out_of_all_size_is_not_compared(answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing it in all ways would take the grader seconds for each exercise."""

    def compared(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(recognising, "known", compared)
    report = told("entropy", answer)
    assert (report.outcome, report.mistake) == ("incorrect", None)
    with pytest.raises(AssertionError):
        told("entropy", lambda p: torch.zeros(2000))


def test_recognising_ends_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = load("01-information-identities")["entropy"]

    def for_ever(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(judge, "recognise", for_ever)
    monkeypatch.setattr(judge, "SECONDS_TO_RECOGNISE", 0.2)
    report = told("entropy", lambda p: 1.0)
    assert judge.with_mistake(exercise, report, 0) is report


@pytest.mark.parametrize(
    ("axis", "words"),
    [(None, "over all of them together"), (0, "over the first dimension"), (1, "over the second dimension")],
)
@pytest.mark.parametrize("change", [lambda x: x, np.log])
def test_what_is_normalised_elsewhere_is_told(
    axis: int | None, words: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    raw = np.random.default_rng(0).uniform(0.2, 3, (2, 3, 4))
    want, got = (change(raw / raw.sum(axis=at, keepdims=True)) for at in (-1, axis))
    case = Sample(got, want, want, (1e-9, 1e-12), call_of(want))
    form = find([case])
    assert form is not None
    assert form.name == "normalised elsewhere"
    assert words in str(form.sentence)
    off = find([Sample(got + 0.01, want, want, (1e-9, 1e-12), call_of(want))])
    assert off is None or off.name != "normalised elsewhere"


def test_softmax_over_the_whole_batch_is_told() -> None:
    whole = told("log_softmax", lambda z, t: torch.log_softmax((z / t).flatten(), 0).view_as(z))
    assert whole.mistake in ("log_softmax_total", "normalised elsewhere")


def test_smaller_cases_tell_where_the_first_criterion_knows_no_numbers() -> None:
    turned = told("kl_gradients", lambda p, q: (torch.ones_like(p), q - p, 1 - torch.exp(q - p)))
    assert turned.mistake == "sign"
    assert str(turned.mistake_sentence).startswith("Each number of g2 is minus the right one")


def test_a_multiple_of_an_argument_is_told_by_its_number() -> None:
    wants = [np.array([0.7, -1.3, 2.9])]
    a = np.array([1.1, 0.4, -2.3])
    for factor, words in ((-2.0, "minus 2 times a:"), (2.0, "plus 2 times a:"), (-1.3, "minus 1.3 times a:")):
        got = [wants[0] + factor * a]
        form = find([Sample(got[0], wants[0], wants[0], (1e-9, 1e-12), call_of(wants[0], a=plain.encode(a)))])
        assert form is not None
        assert words in str(form.sentence)


def test_of_a_capacity_only_what_is_judged_is_told() -> None:
    """Its input may be off by the root of `tol`: that says nothing of an answer that spoils its argument."""
    right = right_one(EXERCISES["channel_capacity"])

    def spoils(channel: torch.Tensor, tol: float) -> Any:
        answer = right(channel, tol)
        channel.zero_()
        return answer

    report = told("channel_capacity", spoils)
    assert report.failure is not None
    assert report.mistake is None
    halved = told("channel_capacity", lambda channel, tol: (right(channel, tol)[0] / 2, right(channel, tol)[1]))
    assert str(halved.mistake_sentence).startswith("The capacity is 1/2 times the right one")


def test_what_many_mistakes_give_tells_none_that_a_case_contradicts() -> None:
    """0 wherever a known mistake gives 0, and where it gives something else: it is not that mistake."""

    @exercise(hints=["Twice x."])
    def twice(x):
        return 2 * x

    @twice.criterion("matches the definition", marks=1)
    def definition(rng):
        yield from (case(x) for x in (1.0, 2.0, 3.0, 5.0))

    @twice.misconception("Only 5 is answered.")
    def only_five(x):
        return 0.7 if x == 5 else 0.0

    data: ExerciseData = {**twice.as_data(), "ladder": [], "rules": NO_RULES}
    assert examine("twice", data, {"twice": only_five}).mistake == "only_five"
    assert examine("twice", data, {"twice": lambda x: 0.0}).mistake == "constant"


def test_beside_a_mistake_that_gives_no_telling_number_nothing_is_told() -> None:
    def at_most(h: float, k: int) -> float:
        if h > math.log(k):
            raise ValueError
        return 1 - 1 / k

    assert "fano_larger_root" not in str(told("fano_error_bound", at_most).mistake)


def test_a_logarithm_of_a_size_accuses_no_sum() -> None:
    wants = [np.array([0.7, -1.3, 2.9]), np.array([0.4, 1.7, -2.2, 0.3])]
    pairs = [(want + math.log(want.size), want) for want in wants]
    form = find(
        [Sample(got, want, want, (1e-9, 1e-12), call_of(want, a=plain.encode(want * 3 + 1))) for got, want in pairs]
    )
    assert form is not None
    assert "log(n), where n is the size" in str(form.sentence)
    assert "a sum and a mean" not in str(form.sentence)


def test_a_wrong_constant_is_told_as_what_is_added() -> None:
    """Not as a constant of the formula with some odd weight: 1/2 and log(2 pi)/2 are both constants."""
    right = right_one(EXERCISES["gaussian_kl"])
    report = told("gaussian_kl", lambda *arguments: right(*arguments) - 0.5 * math.log(2 * math.pi))
    assert str(report.mistake_sentence) == "The answer is log(2 pi)/2 too small."


def test_what_is_nearly_0_is_no_other_number() -> None:
    wants = [np.array([0.3]), np.array([0.7]), np.array([0.2])]
    pairs = [(np.array([10.0**-power]), want) for power, want in zip((29, 33, 53), wants, strict=True)]
    form = find([Sample(got, want, want, (1e-6, 1e-6), call_of(want)) for got, want in pairs])
    assert form is None or form.name not in ("floor", "whole")


def test_nan_twice_is_no_noise() -> None:
    report = told("reparameterize", lambda mu, log_var, eps: mu + (log_var / 2) ** 2.5 * eps)
    assert report.mistake != "reparameterize_fresh_noise"


def test_an_odd_weight_is_told_of_several_cases_alone() -> None:
    want, part = np.array([0.7, -1.3, 2.9]), np.array([1.1, 0.4, -2.3])
    made_of = {"the part": plain.encode(part)}
    one = Sample(want + 0.137 * part, want, want, (1e-9, 1e-12), call_of(want), "", made_of)
    other = Sample(2 * want + 0.137 * part, 2 * want, 2 * want, (1e-9, 1e-12), call_of(want), "", made_of)
    assert find([one]) is None
    form = find([one, other])
    assert form is not None
    assert str(form.sentence) == "The part is 1.137 times as large as it should be."


def test_of_a_kernel_nan_may_be_what_was_never_written() -> None:
    want = np.array([0.7, -1.3, 2.9])
    got = np.array([0.7, -1.3, np.nan])
    by_kernel: Call = {**call_of(want), "driver": "kernel"}
    plainly, kernel = (find([Sample(got, want, want, (1e-9, 1e-12), call)]) for call in (call_of(want), by_kernel))
    assert plainly is not None
    assert kernel is not None
    assert "never written" in str(kernel.sentence)
    assert "never written" not in str(plainly.sentence)


def test_a_mistake_of_another_shape_may_be_nearly_made() -> None:
    """A vector of two where one of three was asked for, and it is off by a little."""
    want, right = np.array([0.7, -1.3, 2.9]), np.array([0.4, 1.7])
    case = Sample(want + 1e-5, want, right, (1e-9, 1e-12), call_of(want))
    form = find([case], BESIDE_A_MISTAKE)
    assert form is not None
    assert form.name in ("offset", "small")
