"""How long a learner waits: for a check, and for `import helpers`.

    python -m benchmarks.check

times the check of every exercise, with an alternative answer from its definition, card and all, and the import of
helpers beside the import of torch in fresh processes, in turn. Medians go to `benchmarks/results/check.json`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from grading.exercises import load, notebooks
from helpers.checking import card, key
from helpers.checking.check import examine
from helpers.files import write_whole

RESULTS = Path(__file__).resolve().parent / "results" / "check.json"
REPEATS = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the results."""
    torch.set_num_threads(1)
    checks = {
        name: timed(partial(check_once, name, next(iter(one.alternatives.values()))))
        for notebook in notebooks()
        for name, one in load(notebook).items()
    }
    alone, together = import_seconds()
    results = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "check_seconds": {name: round(seconds, 4) for name, seconds in checks.items()},
        "import_seconds": {"torch": round(alone, 3), "torch and helpers": round(together, 3)},
    }
    write_whole(RESULTS, json.dumps(results, indent=1) + "\n")
    for name, seconds in checks.items():
        print(f"check {name:32} {1000 * seconds:8.1f} ms")
    print(f"import torch {alone:.2f} s, with helpers {together:.2f} s: helpers adds {together - alone:.2f} s")
    return 0


def check_once(name: str, functions: dict[str, Any]) -> None:
    """What `check` does, without the display."""
    report = examine(name, key.find(name), functions)
    if report.marks != report.points:
        raise RuntimeError(f"the answer to {name} is not right, so its time says nothing")
    card.from_report(report)


def timed(action: Callable[[], None]) -> float:
    """Median seconds, after one unmeasured run."""
    with contextlib.redirect_stdout(io.StringIO()):
        action()
        return statistics.median(seconds_of(action) for _ in range(REPEATS))


def seconds_of(action: Callable[[], None]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def import_seconds() -> tuple[float, float]:
    """Median seconds to import torch, and torch and helpers, in fresh processes taken in turn."""
    alone, together = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPEATS):
            alone.append(seconds_of(lambda: run("import torch", folder)))
            together.append(seconds_of(lambda: run("import torch, helpers", folder)))
    return statistics.median(alone), statistics.median(together)


def run(code: str, folder: str) -> None:
    """Run a line of Python in a fresh process."""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
