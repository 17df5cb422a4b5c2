"""Which submissions resemble each other more than their class does: a place to look, not a verdict.

Answers are read as tokens in which every name, number and text is of its kind only, so that renaming hides nothing.
What the released notebook holds, and what many learners write, says nothing and is left out (Schleimer, Wilkerson and
Aiken, 2003, do the same for whole programs)."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from grading.report.reading import Graded

LENGTH = 12  # tokens in a run that is compared
COMMON = 0.1  # share of the class above which a run is how one writes this exercise
FEWEST = 5  # runs that two must share to be named
MOST_PAIRS = 20
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}

Run = tuple[str, tuple[str, ...]]  # exercise, tokens


@dataclass(frozen=True)
class Pair:
    """Two learners, the share of the shorter one's rare runs that the other has as well, and in which exercises."""

    one: str
    other: str
    share: float
    runs: int
    exercises: list[str]


def similar_pairs(graded: Sequence[Graded], released: dict[str, str]) -> list[Pair]:
    """The most alike pairs, the most alike first. `released` has the text that each answer starts from."""
    ours = {run for name, text in released.items() for run in runs(name, text)}
    rare = without_common({one.learner: learner_runs(one) - ours for one in graded})
    owners: dict[Run, list[str]] = defaultdict(list)
    for learner, found in rare.items():
        for run in found:
            owners[run].append(learner)
    shared: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run, learners in owners.items():
        for two in combinations(learners, 2):
            shared[two].append(run)
    pairs = [pair(*two, found, rare) for two, found in shared.items() if len(found) >= FEWEST]
    return sorted(pairs, key=lambda one: (-one.share, -one.runs, one.one, one.other))[:MOST_PAIRS]


def pair(one: str, other: str, shared: list[Run], rare: dict[str, set[Run]]) -> Pair:
    """Two learners with the runs that they share."""
    shorter = min(len(rare[one]), len(rare[other]))
    return Pair(one, other, len(shared) / shorter, len(shared), sorted({name for name, _ in shared}))


def without_common(found: dict[str, set[Run]]) -> dict[str, set[Run]]:
    """Each learner's runs without those that many have; two may always share one."""
    counts = Counter(run for own in found.values() for run in own)
    most = max(2, int(COMMON * len(found)))
    return {learner: {run for run in own if counts[run] <= most} for learner, own in found.items()}


def learner_runs(one: Graded) -> set[Run]:
    """All runs of a learner's answers."""
    return {run for name, text in one.answers.items() for run in runs(name, text)}


def runs(name: str, text: str) -> Iterable[Run]:
    """The runs of LENGTH tokens in an answer."""
    found = kinds(text)
    return ((name, tuple(found[i : i + LENGTH])) for i in range(len(found) - LENGTH + 1))


def kinds(text: str) -> list[str]:
    """The tokens of a text by their kind; as far as it can be read."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in LAYOUT:
                found.append(kind_of(token))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def kind_of(token: tokenize.TokenInfo) -> str:
    """Keywords and operators as they are; of names, numbers and texts only that they are one."""
    if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
        return "name"
    return {tokenize.NUMBER: "number", tokenize.STRING: "text"}.get(token.type, token.string)
