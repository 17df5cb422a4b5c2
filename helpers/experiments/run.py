"""Make the shipped results of notebook 07: `python -m helpers.experiments.run`.

Every method gets the same budget of gradient evaluations on each problem, and the same grid of learning rates with the
same seeds for tuning; the best rate is then run with other seeds, and only those runs are compared. Results are saved
after every run, so that a stopped script goes on where it was; `--fresh` begins again."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from helpers.experiments.methods import METHODS
from helpers.experiments.problems import PROBLEMS, matrices

FILE = Path(__file__).with_name("results.json")
RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-8, 4)]  # 0.0001 to 31.6
TUNING, FINAL = (100, 101), (0, 1, 2, 3, 4)
BUDGETS = {"bowl": 300, "characters": 800, "words": 300}  # gradient evaluations of one run
COMPARED = {"bowl": list(METHODS), "characters": list(METHODS), "words": ["SGD with momentum", "AdamW"]}
PLATEAU = 0.8  # where warm-up, stable, decay begins to decay
SCHEDULES = ("stable, then decay", "stable to the end", "stopped before the decay")


class Job(NamedTuple):
    """One run; `schedule` is empty where the method's own is meant."""

    problem: str
    method: str
    rate: float
    seed: int
    schedule: str = ""

    @property
    def key(self) -> str:
        """Its name in the results."""
        return " | ".join([self.problem, self.method, f"{self.rate:g}", f"seed {self.seed}", self.schedule]).rstrip(
            " |"
        )


def play(job: Job) -> dict[str, float] | None:
    """The final scores of one run; None where it diverged."""
    torch.set_num_threads(1)
    problem = PROBLEMS[job.problem](job.seed)
    params = problem.start(job.seed)
    method = METHODS[job.method](params, matrices(params, job.problem))
    draws = torch.Generator().manual_seed(1_000 + job.seed)
    steps = BUDGETS[job.problem] // method.cost
    for step in range(1, steps + 1):
        share = step / steps
        if job.schedule == SCHEDULES[2] and share > PLATEAU:
            break
        method.step(problem.draw(draws), job.rate * multiple(job.schedule, share, method.rate(share)))
        if not all(p.isfinite().all() for p in method.params):
            return None
    scores = problem.score(method.result())
    return scores if all(map(math.isfinite, scores.values())) else None


def multiple(schedule: str, share: float, own: float) -> float:
    """The rate at this share of a run, as a multiple of the largest."""
    if not schedule:
        return own
    if schedule == SCHEDULES[0] and share > PLATEAU:
        return (1 + math.cos(math.pi * (share - PLATEAU) / (1 - PLATEAU))) / 2
    return min(1.0, share / 0.1)


def tuning_jobs() -> list[Job]:
    """Every method of every problem at every rate."""
    return [Job(p, m, rate, seed) for p, ms in COMPARED.items() for m in ms for rate in RATES for seed in TUNING]


def final_jobs(runs: dict[str, Any]) -> list[Job]:
    """The best rates with fresh seeds, and warm-up, stable, decay on the characters."""
    jobs = [Job(p, m, best_rate(runs, p, m), seed) for p, ms in COMPARED.items() for m in ms for seed in FINAL]
    rate = best_rate(runs, "characters", "AdamW")
    return jobs + [Job("characters", "AdamW", rate, seed, schedule) for schedule in SCHEDULES for seed in FINAL]


def mean_loss(runs: dict[str, Any], problem: str, method: str, rate: float) -> float:
    """The mean loss of the tuning runs at a rate; inf where one of them diverged."""
    scores = [runs[Job(problem, method, rate, seed).key] for seed in TUNING]
    return math.inf if None in scores else fmean(one["loss"] for one in scores)


def best_rate(runs: dict[str, Any], problem: str, method: str) -> float:
    """The rate of the grid with the least mean loss over the tuning seeds."""
    return min(RATES, key=lambda rate: mean_loss(runs, problem, method, rate))


def settings() -> dict[str, Any]:
    """What a run depends on; results of other settings are not gone on with."""
    return {
        "rates": RATES,
        "tuning": TUNING,
        "final": FINAL,
        "budgets": BUDGETS,
        "compared": COMPARED,
        "plateau": PLATEAU,
    }


def load(file: Path = FILE) -> dict[str, Any]:
    """Results as they are saved. Raises ValueError for a file that is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("machine", "date", "seconds", "settings", "runs")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} holds no results; make them anew with python -m helpers.experiments.run --fresh"
        ) from error


def save(results: dict[str, Any], file: Path) -> None:
    """Write results whole or not at all, one run a line."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(rounded(one))}" for key, one in sorted(results["runs"].items()))
    head = json.dumps({name: value for name, value in results.items() if name != "runs"})[:-1]
    part = file.with_suffix(".part")
    part.write_text(f'{head}, "runs": {{\n{lines}\n}}}}\n', encoding="utf-8")
    os.replace(part, file)


def rounded(scores: dict[str, float] | None) -> dict[str, float] | None:
    """Scores to six digits."""
    return None if scores is None else {name: float(f"{x:.6g}") for name, x in scores.items()}


def machine() -> str:
    """What this ran on, in a few words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, torch {torch.__version__}"


def finished(jobs: Sequence[Job], runs: dict[str, Any], workers: int, words: str) -> Iterator[tuple[Job, Any]]:
    """The jobs that have no result yet, as they finish."""
    left = [job for job in jobs if job.key not in runs]
    bar = tqdm(total=len(jobs), initial=len(jobs) - len(left), desc=words, unit="run", file=sys.stderr)
    context = multiprocessing.get_context("spawn")
    with bar, ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = {pool.submit(play, job): job for job in left}
        for done in as_completed(pending):
            yield pending[done], done.result()
            bar.update()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the results, or go on with them; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.experiments.run", description="Make notebook 07's results."
    )
    parser.add_argument("--workers", type=int, default=2, help="how many runs at a time")
    parser.add_argument("--file", type=Path, default=FILE, help="where the results are")
    parser.add_argument("--fresh", action="store_true", help="begin again")
    options = parser.parse_args(arguments)
    wanted = json.loads(json.dumps(settings()))
    empty = {"machine": machine(), "date": str(date.today()), "seconds": 0, "settings": wanted, "runs": {}}
    try:
        results = empty if options.fresh or not options.file.exists() else load(options.file)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if results["settings"] != wanted:
        print(f"{options.file} was made with other settings; begin again with --fresh", file=sys.stderr)
        return 1
    before, start = results["seconds"], time.monotonic()
    for words, jobs in (("tuning", lambda _: tuning_jobs()), ("final runs", final_jobs)):
        for job, scores in finished(jobs(results["runs"]), results["runs"], options.workers, words):
            results["runs"][job.key] = scores
            results["seconds"] = round(before + time.monotonic() - start)
            save(results, options.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
