"""What the marks of a class say of each exercise: how hard it was, and whether it tells strong from weak learners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from grading.report.reading import Graded
from helpers.checking.marking import NOT_ATTEMPTED

TAIL = 0.27  # the upper and lower part of a class that are compared (Kelley, 1939)
FEWEST = 10  # learners below which a comparison of strong and weak says nothing
BINS = 10
ROUNDING = 1e-6  # marks that differ by less are equal: sums of the same marks in another order


@dataclass(frozen=True)
class ExerciseStatistics:
    """One exercise over a class. `share` is the mean of marks / points over all, attempted or not. The two measures of
    discrimination are None where the class is too small or all marks are equal."""

    exercise: str
    points: float
    stretch: bool
    attempted: int
    solved: int
    learners: int
    mean: float
    share: float
    upper_lower: float | None  # mean share in the upper 27 % less that in the lower 27 %
    point_biserial: float | None  # correlation of solving it with the marks of all other core exercises
    seconds: float  # median of what its calls took


@dataclass(frozen=True)
class Bin:
    """Learners with `low` <= marks < `high`; the last bin has its upper end, too."""

    low: float
    high: float
    learners: int


def exercise_statistics(graded: Sequence[Graded]) -> list[ExerciseStatistics]:
    """The statistics of every exercise, in the notebook's order."""
    names = list(dict.fromkeys(name for one in graded for name in one.verdict.exercises))
    return [statistics_of(name, [one for one in graded if name in one.verdict.exercises]) for name in names]


def statistics_of(name: str, graded: Sequence[Graded]) -> ExerciseStatistics:
    """The statistics of one exercise over those whose verdict has it."""
    verdicts = [one.verdict.exercises[name] for one in graded]
    points, stretch = verdicts[0].points, verdicts[0].stretch
    marks = np.array([one.marks for one in verdicts])
    totals = np.array([one.marks for one in graded])
    rest = totals if stretch else totals - marks
    return ExerciseStatistics(
        name,
        points,
        stretch,
        attempted=sum(one.outcome != NOT_ATTEMPTED for one in verdicts),
        solved=int((marks >= points).sum()),
        learners=len(verdicts),
        mean=float(marks.mean()),
        share=float(marks.mean() / points),
        upper_lower=upper_lower(marks / points, totals),
        point_biserial=point_biserial(marks >= points, rest),
        seconds=float(np.median([one.seconds for one in verdicts])),
    )


def upper_lower(shares: np.ndarray, totals: np.ndarray) -> float | None:
    """Mean share of the upper 27 % by total marks less that of the lower 27 %; shares and totals (learners,)."""
    if len(shares) < FEWEST or np.ptp(totals) < ROUNDING:
        return None
    order, size = np.argsort(totals, kind="stable"), round(TAIL * len(totals))
    return float(shares[order[-size:]].mean() - shares[order[:size]].mean())


def point_biserial(solved: np.ndarray, rest: np.ndarray) -> float | None:
    """Correlation of having full marks with the marks elsewhere; solved and rest (learners,)."""
    if len(solved) < FEWEST or np.ptp(rest) < ROUNDING or solved.all() or not solved.any():
        return None
    return float(stats.pointbiserialr(solved, rest).statistic)


def distribution(graded: Sequence[Graded], points: float) -> list[Bin]:
    """How many learners have how many marks, in ten equal bins from 0 to all points. Who has more, as an older version
    of the exercises may have given, is in the last."""
    most = max(points, 1e-9)
    counts, edges = np.histogram([min(one.marks, most) for one in graded], bins=BINS, range=(0, most))
    return [Bin(*pair) for pair in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)]
