"""The public answer key: one JSON file for each notebook, made by `infograd build`, read by `check`.

It holds the public cases of each exercise: calls, what is expected, what each known mistake would answer, hints and
rules. It holds no code and no hidden case."""

from __future__ import annotations

import difflib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import cast

from helpers.checking.shapes import ExerciseData, Key

FORMAT = 1
SHIPPED = Path(__file__).resolve().parent.parent / "keys"


class KeyProblem(LookupError):
    """No answer key for an exercise, with the remedy."""


def folder() -> Path:
    """Where the answer keys are: INFOGRAD_KEYS (a build sets it), or beside the helpers."""
    return Path(os.environ.get("INFOGRAD_KEYS") or SHIPPED)


def find(name: object) -> ExerciseData:
    """The exercise called `name`. Raises KeyProblem for an unknown name, a missing key or a key of another version."""
    exercises = {exercise: entry for key in keys(folder()) for exercise, entry in key["exercises"].items()}
    if not isinstance(name, str):
        raise KeyProblem(f"check takes the exercise's name first, as text; it got {type(name).__name__}.")
    if name not in exercises:
        near = difflib.get_close_matches(name, exercises, n=1)
        raise KeyProblem(f"There is no exercise called {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    return exercises[name]


@lru_cache(maxsize=4)
def keys(place: Path) -> tuple[Key, ...]:
    """All answer keys in `place`, in the order of the notebooks."""
    files = sorted(place.glob("*.json"))
    if not files:
        raise KeyProblem(f"No answer key was found in {place}. Install the course again.")
    return tuple(read(file) for file in files)


def read(file: Path) -> Key:
    """One answer key."""
    try:
        key = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KeyProblem(f"The answer key {file.name} cannot be read ({error}). Install the course again.") from error
    found = key.get("format") if isinstance(key, dict) else None
    if found != FORMAT:
        raise KeyProblem(
            f"The answer key {file.name} is of version {found}, but this course reads version {FORMAT}. "
            "Update the course so that notebooks and helpers come from one release."
        )
    return cast(Key, key)
