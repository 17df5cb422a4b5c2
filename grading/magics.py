"""IPython's own syntax, written out as the Python that a submission is run and read as.

Magics that time or capture are taken off, and what they are put before stays code, so that the source rules read it;
all others do nothing in the sandbox (see `worker.Shell`).
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from IPython.core.inputtransformer2 import TransformerManager

AROUND_A_CELL = re.compile(r"\s*%%(time|timeit|capture|prun)\b[^\n]*(\n|$)")
BEFORE_A_STATEMENT = re.compile(r"^([ \t]*)%(?:time|timeit|prun)[ \t]+(?:-\w+[ \t]*\d*[ \t]+)*", re.MULTILINE)
SPECIAL = re.compile(r"^\s*[%!?/,;]|\?\s*$|=\s*[%!]")
MOST_WORK = 200_000  # lines of special syntax times characters: IPython reads a cell anew for each


@lru_cache(maxsize=1000)
def as_python(source: str) -> str:
    """A cell's text as Python; as it is where that cannot be done, or would take long, and no Python then."""
    if is_python(source):
        return source
    while whole := AROUND_A_CELL.match(source):
        source = source[whole.end() :]
    source = BEFORE_A_STATEMENT.sub(r"\1", source)
    special = sum(1 for line in source.splitlines() if SPECIAL.search(line))
    if is_python(source) or special * len(source) > MOST_WORK:
        return source
    try:
        return str(TransformerManager().transform_cell(source))
    except Exception:
        return source


def is_python(source: str) -> bool:
    """Whether the text is Python as it stands."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
