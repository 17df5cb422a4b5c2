"""How often a wrong answer is refused, and told what is wrong with it.

    python -m benchmarks.recognition [--exercise NAME ...] [--read NUMBER]

plays, on the public cases of every exercise, its misconceptions, each of them with a second mistake on top, and mutants
of its model answers (see `grading.exercises.mutants`). Of each wrong answer that was refused it counts whether the card

    named       tells the mistake, or how the numbers are related to the right ones
    said        says what to change by what is wrong: an error with its line, a dtype, a shape, a changed input
    narrowed    shows a smaller case that fails, or criteria that pass
    unexplained does none of these

and of those that earn full marks in a check

    hidden      the grading refuses them, by its hidden cases for each of some seeds
    equivalent  they are no wrong answers, for a reason in `benchmarks.equivalent`
    open        neither

A mutant is held against the slips that the other model answers give (see `grading.exercises.slips`), not against those
of the one that it was made from, which would know it. `--read` prints so many of the told mistakes beside what was
changed: whether a sentence is true has to be read. The table goes to `benchmarks/results/recognition.json`."""

from __future__ import annotations

import argparse
import collections
import json
import os
import pickle
import platform
import random
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.equivalent import EQUIVALENT
from grading.exercises import load, notebooks
from grading.exercises.exercise import Exercise
from grading.exercises.ladder import ladder
from grading.exercises.mutants import mutants
from grading.exercises.slips import known_slips
from helpers.checking.check import examine
from helpers.checking.marking import CORRECT, Report
from helpers.checking.shapes import ExerciseData
from helpers.files import write_whole

RESULTS = Path(__file__).resolve().parent / "results" / "recognition.json"
SECONDS_FOR_A_CALL = 3.0  # what takes longer counts as what never ends, on a busy machine too
MOST_MUTANTS, MOST_OF_SLOW = 20, 10
SLOW = ("train_xor",)
SEEDS = (1, 2, 3)
SOURCES = ("misconception", "pair", "mutant")
NOT_REFUSED = ("hidden", "equivalent", "open")  # in a check
FOUND = (*NOT_REFUSED, "named", "said", "narrowed", "unexplained")
SAYS = (
    "dtype",
    "structure",
    "shape",
    "missing",
    "input changed",
    "raised",
    "not raised",
    "no value",
    "randomness",
    "time",
)
NO_RULES: Any = {"forbid": [], "modules": [], "require": [], "because": ""}
Functions = dict[str, Callable[..., Any]]


class Wrong(NamedTuple):
    """A wrong answer: where it comes from, what is wrong with it, its functions."""

    source: str
    change: str
    functions: Functions


class Row(NamedTuple):
    """What became of a wrong answer."""

    source: str
    change: str
    verdict: str
    told: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recognition", description=__doc__)
    parser.add_argument("--exercise", nargs="+", help="only these; the others' rows of the table stay as they are")
    parser.add_argument("--read", type=int, default=0, help="print so many of the told mistakes")
    parser.add_argument("--all", action="store_true", help="print every row")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    exercises = {one.name: one for notebook in notebooks() for one in load(notebook).values()}
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if options.exercise else {}
    table = {name: rows for name, rows in before.get("exercises", {}).items() if name in exercises}
    played = {}
    for name in options.exercise or exercises:
        played[name] = play_all(exercises[name])
        table[name] = in_short(played[name])
        print(line(name, total(table[name].values())), flush=True)
        in_order = {one: table[one] for one in exercises if one in table}
        write_whole(RESULTS, json.dumps(results(in_order), indent=1) + "\n")
    report(played, options.read, options.all)
    return 0


def play_all(exercise: Exercise) -> list[Row]:
    """Every wrong answer to an exercise, played."""
    data: ExerciseData = {**exercise.as_data(), "ladder": ladder(exercise), "rules": NO_RULES}
    data["seconds"] = min(data["seconds"], 10.0 if exercise.name in SLOW else SECONDS_FOR_A_CALL)
    play = apart if exercise.name.endswith("_triton") else row
    slips = cache(partial(known_slips, exercise))
    rows = []
    for wrong in wrong_answers(exercise):
        origin = wrong.change.split(",")[0] if wrong.source == "mutant" else ""
        one = play(exercise.name, {**data, "slips": slips(without=origin)}, wrong)
        rows.append(one if one.verdict != "survived" else survivor(exercise, wrong, play))
    return rows


def survivor(exercise: Exercise, wrong: Wrong, play: Callable[..., Row]) -> Row:
    """What becomes of an answer with full marks in the check."""
    if wrong.change in EQUIVALENT.get(exercise.name, {}):
        return Row(wrong.source, wrong.change, "equivalent", EQUIVALENT[exercise.name][wrong.change])
    drawn = [{**exercise.as_data(seed, mistakes=False), "rules": NO_RULES} for seed in SEEDS]
    refused = all(play(exercise.name, data, wrong).verdict != "survived" for data in drawn)
    return Row(wrong.source, wrong.change, "hidden" if refused else "open", "")


def wrong_answers(exercise: Exercise, most: int = MOST_MUTANTS) -> Iterator[Wrong]:
    """Misconceptions, those with a second mistake on top, mutants."""
    for name, one in exercise.misconceptions.items():
        yield Wrong("misconception", name, one.functions)
    if exercise.name not in SLOW:
        for (name, one), (words, change) in zip(exercise.misconceptions.items(), cycle(SECOND.items()), strict=False):
            both = on_top(one.functions[exercise.name], change)
            yield Wrong("pair", f"{name}, {words}", {**one.functions, exercise.name: both})
    yield from sampled(all_mutants(exercise), MOST_OF_SLOW if exercise.name in SLOW else most)


def all_mutants(exercise: Exercise) -> Iterator[Wrong]:
    """The mutants of all model answers to an exercise, each with a name of its own."""
    seen = collections.Counter[str]()
    for functions in exercise.alternatives.values():
        function = functions[exercise.name]
        if function.__name__ != "<lambda>":
            for mutant in mutants(function):
                change = f"{function.__name__}, {mutant.change}"
                seen[change] += 1
                if seen[change] > 1:  # the same change elsewhere in the line
                    change += f" ({seen[change]})"
                yield Wrong("mutant", change, {**functions, exercise.name: mutant.function})


def sampled(made: Iterator[Wrong], most: int) -> list[Wrong]:
    """Some of them, the same ones whatever comes beside them."""
    return sorted(made, key=lambda wrong: zlib.crc32(wrong.change.encode()))[:most]


SECOND: dict[str, Callable[[Any], Any]] = {
    "in bits": lambda x: x / np.log(2),
    "negated": lambda x: -x,
    "halved": lambda x: x / 2,
}


def on_top(function: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function whose result is changed."""

    def both(*arguments: Any) -> Any:
        return changed(function(*arguments), change)

    return both


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """The results of an answer, changed one by one."""
    if isinstance(value, (tuple, list)):
        return type(value)(changed(item, change) for item in value)
    return change(value) if isinstance(value, (float, int, np.ndarray, torch.Tensor)) else value


def row(name: str, data: ExerciseData, wrong: Wrong) -> Row:
    """One wrong answer, played."""
    return Row(wrong.source, wrong.change, *verdict(examine(name, data, wrong.functions)))


def apart(name: str, data: ExerciseData, wrong: Wrong) -> Row:
    """One wrong answer, played in a process of its own: a kernel that reads beyond its tensors ends it."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            os.write(into, pickle.dumps(row(name, data, wrong)))
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        reply = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(reply) if reply else Row(wrong.source, wrong.change, "said", "the process ended")


def verdict(report: Report) -> tuple[str, str]:
    """What became of an answer, and what it was told."""
    failure = report.failure
    if report.outcome == CORRECT:
        return "survived", ""
    if report.outcome == "not attempted" or failure is None or failure.problem is None:
        return "unexplained", report.outcome
    if report.mistake_sentence:
        return "named", f"[{report.mistake}] {report.mistake_sentence}"
    if failure.problem.kind in SAYS:
        return "said", failure.problem.text
    passed = sum(c.passed is True for c in report.criteria)
    return ("narrowed" if report.smaller or passed else "unexplained"), failure.problem.text


def in_short(rows: Sequence[Row]) -> dict[str, Any]:
    """How many of each verdict, by where the wrong answers come from; those that are open by name."""
    found = {
        source: dict(collections.Counter(row.verdict for row in rows if row.source == source)) for source in SOURCES
    }
    return {**found, "open": [row.change for row in rows if row.verdict == "open"]}


def total(parts: Iterable[Any]) -> dict[str, Any]:
    """The sum of counts, with the share of the refused that is told what to change."""
    found = collections.Counter[str]()
    for part in parts:
        found.update(part if isinstance(part, dict) else {})
    refused = sum(found.values()) - sum(found[name] for name in NOT_REFUSED)
    told = (found["named"] + found["said"]) / max(1, refused)
    return {"wrong": sum(found.values()), **{name: found[name] for name in FOUND}, "told": round(told, 3)}


def line(name: str, counted: dict[str, Any]) -> str:
    """A line of the table."""
    return f"{name:32}" + "".join(f" {k} {v:4}" for k, v in counted.items())


def report(played: dict[str, list[Row]], read: int, everything: bool) -> None:
    """Print what has to be read: what is open, and told mistakes beside what was changed."""
    rows = [(name, row) for name, found in played.items() for row in found]
    chosen = rows if everything else [(n, r) for n, r in rows if r.verdict == "open"]
    if read:
        named = [(n, r) for n, r in rows if r.verdict == "named" and r.source != "misconception"]
        chosen = random.Random(0).sample(named, min(read, len(named)))
    for name, row in chosen:
        print(f"{row.verdict:12}{name}: {row.change}\n{'':14}{row.told}")


def results(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is written."""
    by_source = {source: total(rows[source] for rows in table.values()) for source in SOURCES}
    return {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "mutants of one exercise at most": MOST_MUTANTS,
        "all": total(rows[source] for rows in table.values() for source in SOURCES),
        "sources": by_source,
        "exercises": table,
    }


if __name__ == "__main__":
    sys.exit(main())
