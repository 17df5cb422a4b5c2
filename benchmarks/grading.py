"""What grading adds to running a notebook's cells, measured and written to benchmarks/results/grading.json.

    python -m benchmarks.grading [NOTEBOOK ...]

A notebook's cells are the ones that run, timed by the grader, and its checks, which call the answers with every case,
timed in the sandbox around each call. Added is all else that a warm grader does for a submission: read and graft, open
a sandboxed process, draw hidden cases, send the calls, take back and compare what comes, write the cards and the
verdict, end the process. The limit that the project sets itself is LIMIT seconds for a notebook. Wall time and
processor time of the grader are both given, since a busy machine stretches the first.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grading.building.products import notebook_from_source
from grading.course import ROOT
from grading.exercises import notebooks
from grading.grade import Grader
from grading.release import released_text

RESULT = ROOT / "benchmarks" / "results" / "grading.json"
LIMIT = 0.3
ROUNDS = 7


def main(names: Sequence[str]) -> int:
    """Measure the notebooks named (all that have a source by default), and write the table."""
    with Grader() as grader:
        begun = time.perf_counter()
        grader.sandbox.start()
        start = time.perf_counter() - begun
        ready = [name for name in notebooks() if (ROOT / "solutions" / name / f"{name}.py").is_file()]
        result: dict[str, Any] = {
            "load_average": round(os.getloadavg()[0], 1),  # above the number of processors, wall times say little
            "machine": f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}",
            "limit_seconds": LIMIT,
            "start_seconds": round(start, 2),
            "notebooks": {name: measure(name, grader) for name in names or ready},
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(RESULT.read_text())
    return 0 if all(one["added_seconds"] < LIMIT for one in result["notebooks"].values()) else 1


def measure(name: str, grader: Grader) -> dict[str, float]:
    """Grade the model answers of a notebook some times; the median of what it takes beside running the cells."""
    rounds = []
    with tempfile.TemporaryDirectory(prefix="infograd-bench-") as folder:
        released, handed_in = hand_in(name, Path(folder))
        for _ in range(ROUNDS + 1):
            begun, used = time.perf_counter(), processor()
            graded = grader.grade(handed_in, released, None)
            whole, busy = time.perf_counter() - begun, processor() - used
            cells = sum(run.seconds for run in graded.judgement.runs)
            checks = sum(one.seconds for one in graded.verdict.exercises.values())
            rounds.append(
                {
                    "added_seconds": whole - cells - checks,
                    "cells_seconds": cells,
                    "checks_seconds": checks,
                    "whole_seconds": whole,
                    "processor_seconds_of_the_grader": busy,
                }
            )
            assert all(report.marks == report.points for report in graded.judgement.reports.values())
    warm = rounds[1:]  # the first round draws the public cases, once for a class
    return {key: round(statistics.median(one[key] for one in warm), 3) for key in warm[0]}


def processor() -> float:
    """Seconds of processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def hand_in(name: str, folder: Path) -> tuple[Path, Path]:
    """A release of the notebook, and a submission with its model answers."""
    import nbformat

    source = folder / "solutions" / name
    source.mkdir(parents=True)
    notebook = notebook_from_source(name, ROOT)
    nbformat.write(notebook, source / f"{name}.ipynb")
    released, handed_in = folder / f"{name}.ipynb", folder / "submitted" / f"{name}.ipynb"
    released.write_text(released_text(name, folder))
    handed_in.parent.mkdir()
    nbformat.write(notebook, handed_in)
    return released, handed_in


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
