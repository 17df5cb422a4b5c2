"""What the shipped results say, in numbers and small tables (notebook 07)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log
from statistics import fmean
from typing import Any

from helpers.experiments.methods import METHODS
from helpers.experiments.problems import GROUPS, words
from helpers.experiments.run import COMPARED, FINAL, RATES, SCHEDULES, TUNING, Job, best_rate, load, mean_loss

WORDS = COMPARED["words"]


@cache
def results() -> dict[str, Any]:
    """The shipped results."""
    return load()


def runs() -> dict[str, Any]:
    """The scores of every run by its key."""
    found: dict[str, Any] = results()["runs"]
    return found


def rate_of(problem: str, method: str) -> float:
    """The learning rate that tuning chose."""
    return best_rate(runs(), problem, method)


def final(problem: str, method: str, score: str = "loss", schedule: str = "") -> list[float]:
    """A score of the five runs at the chosen rate; inf where one diverged."""
    rate = rate_of(problem, method)
    found = (runs()[Job(problem, method, rate, seed, schedule).key] for seed in FINAL)
    return [float("inf") if one is None else one[score] for one in found]


def tuning(problem: str, method: str) -> list[float]:
    """The mean loss of the tuning runs at each rate of the grid; inf where one diverged."""
    return [mean_loss(runs(), problem, method, rate) for rate in RATES]


def schedules() -> dict[str, list[float]]:
    """Losses on the characters under three forms of warm-up, stable, decay, by AdamW."""
    return {name: final("characters", "AdamW", schedule=name) for name in SCHEDULES}


def mean_and_range(losses: Sequence[float], form: str = ".3f") -> str:
    """A mean with the least and the largest, in words."""
    return f"{fmean(losses):{form}} ({min(losses):{form}} to {max(losses):{form}})"


def provenance() -> str:
    """Where and when the results were made."""
    found = results()
    minutes = found["seconds"] / 60
    return f"{len(found['runs'])} runs on {found['date']} in {minutes:.0f} minutes: {found['machine']}"


def table() -> str:
    """Rate and losses of each method on both problems, the best on the characters first."""
    lines = [f"{'':18} {'rate':>7}  {'bowl: loss left':30} {'rate':>7}  characters: nats"]
    for name in sorted(METHODS, key=lambda name: fmean(final("characters", name))):
        bowl, text = (final(problem, name) for problem in ("bowl", "characters"))
        rates = [f"{rate_of(problem, name):7g}" for problem in ("bowl", "characters")]
        lines.append(f"{name:18} {rates[0]}  {mean_and_range(bowl, '.1e'):30} {rates[1]}  {mean_and_range(text)}")
    return "\n".join(lines)


def costs() -> str:
    """State, gradients and matrix products of each method."""
    lines = [f"{'':18} {'state, bytes a parameter':26} {'gradients a step':18} products a matrix"]
    lines += [f"{name:18} {m.state_bytes:26} {m.cost:<18} {m.products}" for name, m in METHODS.items()]
    return "\n".join(lines)


def words_rows() -> dict[str, tuple[float, list[float]]]:
    """The rate, and the mean losses of all words and of each fifth: AdamW, SGD, both at their best, and SGD at a tenth
    of its own (from the tuning runs)."""
    names = ["loss", *(f"group {k}" for k in range(GROUPS))]
    sgd, adamw = WORDS
    rows = {
        name: (rate_of("words", name), [fmean(final("words", name, score)) for score in names]) for name in (adamw, sgd)
    }
    slow = min(RATES, key=lambda rate: abs(rate - rows[sgd][0] / 10))
    scores = [runs()[Job("words", sgd, slow, seed).key] for seed in TUNING]
    rows[f"{sgd}, slower"] = (slow, [fmean(one[score] for one in scores) for score in names])
    return rows


def untrained() -> float:
    """The loss of a word model that knows nothing: the logarithm of the number of words, in nats."""
    return log(words()[1])


def words_table() -> str:
    """Losses of the word model by the frequency of the word to be predicted, and the shares of AdamW's progress."""
    heads = ["all words", "frequent", "second", "third", "fourth", "rare"]
    lines = [f"{'':26} {'rate':>5}" + "".join(f"{name:>11}" for name in heads)]
    rows = words_rows()
    best, start = rows["AdamW"][1], untrained()
    for method, (rate, losses) in rows.items():
        label = "  of AdamW's progress"
        shares = [(start - loss) / (start - least) for loss, least in zip(losses, best, strict=True)]
        lines.append(f"{method:26} {rate:5g}" + "".join(f"{loss:11.2f}" for loss in losses))
        lines.append(f"{label:32}" + "".join(f"{share:11.0%}" for share in shares))
    return "\n".join([f"An untrained model pays log {words()[1]} = {start:.2f} nats.", *lines])
