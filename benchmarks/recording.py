"""How fast verdicts are recorded, written to benchmarks/results/recording.json.

    python -m benchmarks.recording [--submissions N] [--db URL]

N learners (10,000 by default) have handed in notebook 01 with its nine exercises; each one's grades, comments and
learner are entered into an empty gradebook in a transaction of its own, as `infograd grade` does it, and again a tenth
of them, as a regrade does. What was graded is the same for all: it is not grading that is measured. The gradebook is a
file in the current folder, or what `--db` names.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties

import grading.classroom.stopping  # noqa: F401 - sets up a gradebook's connections
from benchmarks.grading import hand_in
from grading.classroom.recording import record
from grading.classroom.register import register
from grading.course import ROOT
from grading.grade import GradedNotebook, Grader

NOTEBOOK = "01-information-identities"
RESULT = ROOT / "benchmarks" / "results" / "recording.json"
STEPS = 10


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording")
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--db", metavar="URL")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="recording-", dir=Path.cwd()) as folder:
        released, handed_in = hand_in(NOTEBOOK, Path(folder))
        with Grader() as grader:
            graded = grader.grade(handed_in, released, None)
        url = options.db or f"sqlite:///{folder}/gradebook.db"
        with Gradebook(url, "infograd") as gradebook:
            register(gradebook, NOTEBOOK, [released])
            result = measure(gradebook, graded, options.submissions)
    kind = url.partition(":")[0]
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    known[kind] = {
        "date": f"{date.today()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 1),
        **result,
    }
    RESULT.write_text(json.dumps(known, indent=1) + "\n")
    print(json.dumps(known[kind], indent=1))
    return 0


def measure(gradebook: Gradebook, graded: GradedNotebook, submissions: int) -> dict[str, object]:
    """Record so many submissions, and a tenth of them again."""
    penalties = AssignLatePenalties()
    penalties.init_plugin()
    learners = [f"learner{number:06}" for number in range(submissions)]

    def enter(some: Sequence[str]) -> float:
        begun = time.perf_counter()
        for learner in some:
            record(gradebook, NOTEBOOK, learner, None, graded, NOTEBOOK, penalties)
        return len(some) / (time.perf_counter() - begun)

    size = max(1, submissions // STEPS)
    used = time.process_time()
    rates = [enter(learners[first : first + size]) for first in range(0, submissions, size)]
    used = time.process_time() - used
    return {
        "submissions": submissions,
        "exercises": len(graded.verdict.exercises),
        "recorded_per_second": round(len(rates) / sum(1 / rate for rate in rates)),
        "recorded_per_second_by_tenths": [round(rate) for rate in rates],
        "processor_milliseconds_each": round(1000 * used / submissions, 2),
        "recorded_again_per_second": round(enter(learners[: max(1, submissions // STEPS)])),
        "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
