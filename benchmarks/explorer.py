"""How long the landscape explorer of notebook 04 takes to redraw, written to benchmarks/results/explorer.json.

    python -m benchmarks.explorer

Draws random slider positions, the ends of the sliders among them, every method in turn, each position several times.
Exit code 0: no position's median redraw reaches LIMIT milliseconds, 1: one does.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from helpers.figures.landscape_explorer import ANGLES, KAPPAS, MOMENTA, RATES, LandscapePicture
from helpers.figures.landscapes import METHODS

RESULT = Path(__file__).resolve().parent / "results" / "explorer.json"
LIMIT = 100.0
POSITIONS, REPEATS = 400, 3


def measure(positions: int, repeats: int, seed: int = 0) -> dict[str, Any]:
    """Milliseconds on the wall clock: the median redraw of each method, and the slowest position by its own median."""
    picture, draw = LandscapePicture(), random.Random(seed)
    ends = itertools.product(KAPPAS, ANGLES, RATES, MOMENTA)
    anywhere = itertools.repeat(None)
    within = (
        (draw.uniform(*KAPPAS), draw.uniform(*ANGLES), 10 ** draw.uniform(-4, 0) * RATES[1], draw.uniform(*MOMENTA))
        for _ in anywhere
    )
    everywhere = ((position, method) for position in itertools.chain(ends, within) for method in METHODS)
    took: dict[str, list[float]] = {method: [] for method in METHODS}
    slowest = (0.0, "")
    picture.draw(1.0, 0.0, 0.1, 0.9, METHODS[0])  # warms up
    for position, method in itertools.islice(everywhere, positions):
        times = [milliseconds(picture, position, method) for _ in range(repeats)]
        took[method].append(statistics.median(times))
        slowest = max(
            slowest,
            (
                took[method][-1],
                "{}: kappa {:.4g}, {:.3g} degrees, lr {:.3g}, momentum {:.2g}".format(method, *position),
            ),
        )
    return {
        "median_ms": {method: round(statistics.median(times), 1) for method, times in took.items()},
        "slowest_ms": round(slowest[0], 1),
        "slowest_at": slowest[1],
    }


def milliseconds(picture: LandscapePicture, position: tuple[float, float, float, float], method: str) -> float:
    """The wall time of one redraw."""
    begun = time.perf_counter()
    picture.draw(*position, method)
    return 1000 * (time.perf_counter() - begun)


def main() -> int:
    """Measure, write the result and print it."""
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}",
        "load_average": round(os.getloadavg()[0], 1),  # above the number of processors, wall times say little
        "limit_ms": LIMIT,
        "positions": POSITIONS,
        **measure(POSITIONS, REPEATS),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(RESULT.read_text())
    return 0 if result["slowest_ms"] < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
