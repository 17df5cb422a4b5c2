"""What a learner may be called. A name is a folder, a part of a file's name in the exchange, and a pattern to nbgrader,
so a few characters cannot be in it."""

from __future__ import annotations

MOST_BYTES = 100  # the exchange makes a file name of it that also holds the assignment and the date
PATTERNS = "*?[]+"
ADDRESSES = "#%"


def unfit(learner: str) -> str | None:
    """Why a learner cannot be called this, as the end of a sentence; None where it is fine. Spaces, dots, @,
    apostrophes, digits and letters of any script are."""
    if not learner.strip():
        return "a name has at least one letter or digit"
    if learner != learner.strip():
        return "it begins or ends with a space, which nbgrader takes off"
    if learner.startswith("."):
        return "it begins with a dot, as hidden folders and the folder above do"
    if any(letter in "/\\" for letter in learner):
        return "it has a slash, which would make it a path"
    if not learner.isprintable():
        return "it has a character that cannot be shown"
    if found := [letter for letter in PATTERNS if letter in learner]:
        return f"it has {' '.join(found)}, which nbgrader reads as a pattern or a separator"
    if found := [letter for letter in ADDRESSES if letter in learner]:
        return f"it has {' '.join(found)}, which formgrader's links cannot hold"
    if len(learner.encode("utf-8")) > MOST_BYTES:
        return f"it is longer than {MOST_BYTES} bytes"
    return None
