"""Slips in a formula are told by their numbers, and to nobody else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch

from grading.exercises import load, notebooks
from grading.exercises.arguments import changed_where_it_fits
from grading.exercises.slips import LIBRARIES, known_slips, numbers_of, sentences, stirred
from helpers.checking import plain
from helpers.checking.check import examine
from helpers.checking.marking import Report
from helpers.checking.sealing import digest, opened
from helpers.checking.shapes import ExerciseData

EXERCISES = {name: one for notebook in notebooks() for name, one in load(notebook).items()}


@cache
def data_of(name: str) -> ExerciseData:
    """An exercise with its slips, whatever its text."""
    one = EXERCISES[name]
    rules: Any = {"forbid": [], "modules": [], "require": [], "because": ""}
    return {**one.as_data(), "slips": known_slips(one), "rules": rules}


def told(name: str, function: Callable[..., Any]) -> Report:
    """The report on an answer."""
    return examine(name, data_of(name), {**EXERCISES[name].references, name: function})


def test_a_slip_is_told_however_the_answer_is_written() -> None:
    def adam_step(theta: Any, grad: Any, m: Any, v: Any, t: Any, lr: Any, beta1: Any, beta2: Any, eps: Any) -> Any:
        new_m = m + (1 - beta1) * (grad - m)
        new_v = v + (1 - beta2) * (grad**2 - v)
        step = new_m / (1 - beta1 * t) / (torch.sqrt(new_v / (1 - beta2**t)) + eps)
        return theta.sub(lr * step), new_m, new_v

    report = told("adam_step", adam_step)
    assert report.mistake == "slip"
    assert report.mistake_sentence == "The numbers are those that come of `beta1 * t` in place of `beta1 ** t`."


def test_what_is_no_slip_is_told_none() -> None:
    report = told("gaussian_kl", lambda m, s, n, r: torch.log(r / s) + (s**3 + abs(m - n) ** 1.7) / (2 * r**2) - 0.5)
    assert report.mistake is None


def test_numbers_that_each_run_gives_otherwise_are_no_slip() -> None:
    """What is left unwritten in fresh memory, and what blows up the last digits: keys must come out the same."""
    kl = EXERCISES["gaussian_kl"]
    data = kl.as_data(mistakes=False)
    for scale, takes in ((1, True), (1e13, False)):
        blown_up = numbers_of(kl, data, lambda m, s, n, r, scale=scale: torch.sin(scale * (m + s + n + r)))
        assert (blown_up is not None) == takes
    assert numbers_of(kl, data, lambda m, s, n, r: torch.stack([torch.sin(m + s), torch.empty_like(m)])) is None


def test_what_an_exercise_lets_be_computed_in_single_precision_is_no_slip() -> None:
    """Each machine adds up the products of matrices otherwise there."""
    muon = EXERCISES["muon_orthogonalize"]
    data = muon.as_data(mistakes=False)

    def once_more(matrix: torch.Tensor, steps: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(muon.references["muon_orthogonalize"](matrix.to(dtype), steps + 1)).to(matrix.dtype)

    assert numbers_of(muon, data, partial(once_more, dtype=torch.float64)) is not None
    assert numbers_of(muon, data, partial(once_more, dtype=torch.float32)) is None


def test_large_tensors_are_stirred_too() -> None:
    """A key holds them as base64."""
    data = plain.encode(torch.linspace(1, 2, 50, dtype=torch.float64))
    assert "base64" in str(data)
    assert stirred(data) != data
    assert torch.allclose(plain.decode(stirred(data)), plain.decode(data), rtol=1e-11)


def test_what_is_nearly_right_is_no_slip() -> None:
    def nearly(mu: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
        return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1) + 1e-8 * mu.sum(-1).cos()

    assert told("vae_kl", nearly).mistake != "slip"


def test_only_the_numbers_open_a_sentence() -> None:
    known = known_slips(EXERCISES["kl_estimators"])
    assert known
    for sealed in known.values():
        with pytest.raises(UnicodeDecodeError):
            opened(sealed, "other", "numbers")
    assert digest("other", "numbers") not in known


@pytest.mark.parametrize("name", ["adamw_step", "vae_kl", "cross_entropy"])
def test_a_sentence_has_no_name_that_only_the_answer_has(name: str) -> None:
    arguments = set(inspect.signature(EXERCISES[name].references[name]).parameters)
    for change, _ in sentences(EXERCISES[name]):
        code = re.sub(r"\.\w+|\w+=", "", change)
        assert set(re.findall(r"[a-z_]\w*", code)) <= arguments | LIBRARIES, change


def test_without_an_answer_its_slips_are_not_known() -> None:
    one = EXERCISES["adam_step"]
    assert len(known_slips(one, without="adam_as_printed")) < len(known_slips(one))


def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p, q) without a sum to 1."""
    wide = torch.promote_types(p.dtype, torch.float32)
    terms = torch.special.xlogy(p.to(wide), p.to(wide)) - torch.special.xlogy(p.to(wide), q.to(wide))
    return terms.sum(-1).to(p.dtype)


@pytest.mark.parametrize(
    ("function", "told_as"),
    [
        (lambda p, q: kl(p / p.sum(), q), "`p / p.sum()` in place of `p`"),
        (lambda p, q: kl(p / p.sum(), q / q.sum()), "`p / p.sum(), q / q.sum()` in place of `p, q`"),
        (lambda p, q: kl(p, q / q.sum(0)), "`q / q.sum(0)` in place of `q`"),
        (lambda p, q: kl(p**2, q), "`p ** 2` in place of `p`"),
    ],
)
def test_an_argument_taken_otherwise_is_told(function: Callable[..., Any], told_as: str) -> None:
    assert told_as in str(told("kl_divergence", function).mistake_sentence)


def test_a_step_that_is_counted_otherwise_is_told() -> None:
    right = next(iter(EXERCISES["adam_step"].alternatives.values()))["adam_step"]
    report = told("adam_step", lambda theta, g, m, v, t, *rates: right(theta, g, m, v, t - 1, *rates))
    assert report.mistake is not None


def test_arguments_are_taken_otherwise_where_that_makes_numbers() -> None:
    change = changed_where_it_fits("{x}.log()", torch.log)
    assert change(torch.ones(2)).tolist() == [0.0, 0.0]
    for wrong in (torch.zeros(2), torch.tensor([1]), 3, 0.5, None):
        with pytest.raises(TypeError):
            change(wrong)
    count = changed_where_it_fits("{x} + 1", lambda x: x + 1)
    assert count(2) == 3
    with pytest.raises(TypeError):
        count(True)
