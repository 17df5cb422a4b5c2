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
from collections.abc import Callable, Iterator, Sequence
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
SECONDS_FOR_A_CALL = 1.0
MOST_MUTANTS, MOST_OF_SLOW = 20, 10
SLOW = ("train_xor",)
SEEDS = (1, 2, 3)
FOUND = ("hidden", "equivalent", "open", "named", "said", "narrowed", "unexplained")
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
    parser.add_argument("--exercise", nargs="+", help="only these; nothing is written")
    parser.add_argument("--read", type=int, default=0, help="print so many of the told mistakes")
    parser.add_argument("--all", action="store_true", help="print every row")
    parser.add_argument("--most", type=int, default=MOST_MUTANTS, help="mutants of one exercise")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    exercises = [one for notebook in notebooks() for one in load(notebook).values()]
    table = {}
    for one in exercises:
        if not options.exercise or one.name in options.exercise:
            table[one.name] = play_all(one, options.most)
            print(line(one.name, table[one.name]), flush=True)
    print(line("all", [row for rows in table.values() for row in rows]))
    report(table, options.read, options.all)
    if not options.exercise:
        write_whole(RESULTS, json.dumps(results(table, options.most), indent=1) + "\n")
    return 0


def play_all(exercise: Exercise, most: int) -> list[Row]:
    """Every wrong answer to an exercise, played."""
    data: ExerciseData = {**exercise.as_data(), "ladder": ladder(exercise), "rules": NO_RULES}
    data["seconds"] = min(data["seconds"], 10.0 if exercise.name in SLOW else SECONDS_FOR_A_CALL)
    play = apart if exercise.name.endswith("_triton") else row
    slips = cache(partial(known_slips, exercise))
    rows = []
    for wrong in wrong_answers(exercise, most):
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


def wrong_answers(exercise: Exercise, most: int) -> Iterator[Wrong]:
    """Misconceptions, those with a second mistake on top, mutants."""
    for name, one in exercise.misconceptions.items():
        yield Wrong("misconception", name, one.functions)
    if exercise.name not in SLOW:
        for (name, one), (words, change) in zip(exercise.misconceptions.items(), cycle(SECOND.items()), strict=False):
            both = on_top(one.functions[exercise.name], change)
            yield Wrong("pair", f"{name}, {words}", {**one.functions, exercise.name: both})
    yield from sampled(all_mutants(exercise), MOST_OF_SLOW if exercise.name in SLOW else most)


def all_mutants(exercise: Exercise) -> Iterator[Wrong]:
    """The mutants of all model answers to an exercise."""
    for functions in exercise.alternatives.values():
        function = functions[exercise.name]
        if function.__name__ != "<lambda>":
            for mutant in mutants(function):
                change = f"{function.__name__}, {mutant.change}"
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


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many of each verdict."""
    found = collections.Counter(row.verdict for row in rows)
    return {
        "wrong": len(rows),
        **{name: found[name] for name in FOUND},
    }


def share(rows: Sequence[Row]) -> float:
    """The share of the refused that is told what to change."""
    refused = [row for row in rows if row.verdict not in FOUND[:3]]
    return sum(row.verdict in ("named", "said") for row in refused) / max(1, len(refused))


def line(name: str, rows: Sequence[Row]) -> str:
    """A line of the table."""
    return f"{name:32}" + "".join(f" {k} {v:4}" for k, v in counts(rows).items()) + f"  told {share(rows):.0%}"


def report(table: dict[str, list[Row]], read: int, everything: bool) -> None:
    """Print what has to be read: survivors, and told mistakes beside what was changed."""
    rows = [(name, row) for name, found in table.items() for row in found]
    for source in ("misconception", "pair", "mutant"):
        print(line(source, [row for _, row in rows if row.source == source]))
    chosen = rows if everything else [(n, r) for n, r in rows if r.verdict == "open"]
    if read:
        named = [(n, r) for n, r in rows if r.verdict == "named" and r.source != "misconception"]
        chosen = random.Random(0).sample(named, min(read, len(named)))
    for name, row in chosen:
        print(f"{row.verdict:12}{name}: {row.change}\n{'':14}{row.told}")


def results(table: dict[str, list[Row]], most: int) -> dict[str, Any]:
    """What is written."""
    rows = [row for found in table.values() for row in found]
    return {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "mutants of one exercise at most": most,
        "all": {**counts(rows), "told": round(share(rows), 3)},
        "sources": {
            source: {**counts(some), "told": round(share(some), 3)}
            for source in ("misconception", "pair", "mutant")
            for some in [[row for row in rows if row.source == source]]
        },
        "exercises": {name: {**counts(found), "told": round(share(found), 3)} for name, found in table.items()},
        "open": {
            name: [row.change for row in found if row.verdict == "open"]
            for name, found in table.items()
            if any(row.verdict == "open" for row in found)
        },
    }


if __name__ == "__main__":
    sys.exit(main())
