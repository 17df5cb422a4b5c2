"""What the watch on torch adds to the processor's time of an exercise's calls.

    python -m benchmarks.watch

plays the public cases of some exercises with an alternative answer from their definition, with and without the watch by
turns in one process, and writes the median of both and of their ratio to `benchmarks/results/watch.json`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from grading.exercises import load
from helpers.checking import key
from helpers.checking.calling import perform
from helpers.checking.shapes import ExerciseData, Rules
from helpers.files import write_whole

RESULTS = Path(__file__).resolve().parent / "results" / "watch.json"
EXERCISES = {
    "train_xor": "03-adam-bias-correction",
    "adam_step": "03-adam-bias-correction",
    "muon_orthogonalize": "07-beyond-adam",
}
REPEATS = 7
SECONDS = 100.0  # one call may take


def main() -> int:
    """Measure, print and write the results."""
    torch.set_num_threads(1)
    measured = {name: measure(name) for name in EXERCISES}
    results = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "exercises": measured,
    }
    write_whole(RESULTS, json.dumps(results, indent=1) + "\n")
    for name, one in measured.items():
        print(f"{name:24} {one['without']:8.4f} s, watched {one['watched']:8.4f} s: {one['ratio']:.2f} times")
    return 0


def measure(name: str) -> dict[str, float]:
    """Median seconds of the processor without and with the watch, and of their ratio, which is taken turn by turn."""
    exercise = key.find(name)
    functions = next(iter(load(EXERCISES[name])[name].alternatives.values()))
    seconds_of(exercise, functions, None)  # not measured
    turns = [[seconds_of(exercise, functions, rules) for rules in (None, exercise["rules"])] for _ in range(REPEATS)]
    without, watched = (statistics.median(turn[i] for turn in turns) for i in (0, 1))
    ratio = statistics.median(turn[1] / turn[0] for turn in turns)
    return {"without": round(without, 5), "watched": round(watched, 5), "ratio": round(ratio, 2)}


def seconds_of(exercise: ExerciseData, functions: Mapping[str, Callable[..., Any]], rules: Rules | None) -> float:
    """Seconds of the processor that the public cases of an exercise take."""
    begun = time.process_time()
    for criterion in exercise["criteria"]:
        for case in criterion["cases"]:
            found = perform(functions, case["call"], SECONDS, rules)
            if found["outcome"] == "refused":
                raise RuntimeError(f"the answer is refused: {found}")
    return time.process_time() - begun


if __name__ == "__main__":
    raise SystemExit(main())
