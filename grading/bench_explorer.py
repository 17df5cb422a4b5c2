"""Measure how long the landscape explorer of notebook 04 takes to redraw: `python -m grading.bench_explorer`.

Draws random slider positions, every method in turn, and prints the median and the slowest redraw in milliseconds of
wall and of processor time. Exit code 0: the median is under 100 ms on the wall clock, 1: it is not.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

from helpers.figures.landscape_explorer import ANGLES, KAPPAS, RATES, LandscapePicture
from helpers.figures.landscapes import METHODS

LIMIT = 100.0


def redraws(count: int, seed: int = 0) -> list[tuple[float, float]]:
    """(wall, processor) milliseconds of each of ``count`` redraws; the first one, which warms up, is left out."""
    picture, draw = LandscapePicture(), random.Random(seed)
    times = []
    for i in range(count + 1):
        position = (draw.uniform(*KAPPAS), draw.uniform(*ANGLES), 10 ** draw.uniform(-4, 0) * RATES[1])
        wall, processor = time.perf_counter(), time.process_time()
        picture.draw(*position, METHODS[(i - 1) % len(METHODS)])
        times.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return times[1:]


def main() -> int:
    """Measure 100 redraws and print what they took."""
    wall, processor = zip(*redraws(100), strict=True)
    for name, times in (("wall clock", wall), ("processor", processor)):
        print(f"redraw, {name:10}: median {statistics.median(times):6.1f} ms, slowest {max(times):6.1f} ms")
    return 0 if statistics.median(wall) < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
