"""Submissions changed at random: each has a verdict and a graded notebook, within its time and memory."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grading.grade import Grader
from grading.sandbox.sandbox import Limits
from tests.grading.courses import answered, make_course, make_release, model_answers
from tests.grading.pages import active, page

LIMITS = Limits(cell_seconds=2, call_seconds=1, notebook_seconds=6, memory_bytes=2**30)
FEW, MANY = 60, 10_000
SECONDS = LIMITS.notebook_seconds + 30  # the limit, and what a busy machine adds before and after
MEGABYTES = 600  # that the grader may have grown by, at any time and for all of them together

WORDS = (
    "\ud800", "\0", "\r", "\u2028", "\u202e", "\x1b[2J", "\\", "'", '"', "`", "$", "[", "](", "<script>", "</div>",
    "<!--", "&#92;href", "{{", "{%", "%%time\n", "%a ", "!ls\n", ">>> ", "?", "(" * 200, "[" * 2000, "lambda:" * 300,
    "\t", "    ", "\n", "9" * 5000, "0x", "1e999", "nan", "None", "import os\n", "raise SystemExit\n",
    "import os; os._exit(0)\n",
    "while True: pass\n", "print('x' * 10**6)\n", "return\n", "yield\n", "async ", "await ", "def ", "class ",
    "global p\n",
    "del entropy\n", "entropy = None\n", "import torch\n", "from IPython.display import *\n", "display(", "\ufeff",
    "é" * 50,
)  # fmt: skip
BYTES = (b"{", b"[", b'"', b"\\ud800", b"\\", b",", b"\0", b"\xff")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, float("nan"), "", "x", "\ud83d", [], {}, [[]], {"": None}, ["a"], {"a": {"b": []}}
)  # fmt: skip


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's notebook with one exercise and the reflection."""
    return make_release(make_course(tmp_path_factory.mktemp("mutated"), ["entropy"]))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(LIMITS) as one:
        one.sandbox.start()
        yield one


def mutated(released: Path, rng: random.Random) -> bytes:
    """A right answer, or the notebook around it, or its file, changed in one to four places."""
    notebook = answered(released, {"entropy": model_answers()["entropy"], "reflection": "My words, $x$ and **more**."})
    content: bytes | None = None
    for _ in range(rng.randint(1, 4)):
        kind = rng.choices(("text", "structure", "bytes"), (5, 3, 2))[0]
        if kind == "bytes" or content is not None:
            content = bytes_changed(content or json.dumps(notebook).encode(), rng)
        elif kind == "text":
            text_changed(notebook, rng)
        else:
            structure_changed(notebook, rng)
    return json.dumps(notebook).encode() if content is None else content


def text_changed(notebook: Any, rng: random.Random) -> None:
    """The text of a cell: a piece put in, left out, doubled or moved."""
    cells = [cell for cell in cells_of(notebook) if isinstance(cell.get("source"), str)]
    if not cells:
        return
    cell = rng.choice(cells)
    text = cell["source"]
    start, end = sorted(rng.randint(0, len(text)) for _ in range(2))
    piece = rng.choice((rng.choice(WORDS), "", text[start:end] * 2, rng.choice(WORDS) * rng.randint(1, 50)))
    cell["source"] = (text[:start] + piece + text[end if rng.random() < 0.3 else start :])[:60_000]


def cells_of(notebook: Any) -> list[dict[str, Any]]:
    """The cells that a changed notebook still has."""
    cells = notebook.get("cells")
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def structure_changed(notebook: Any, rng: random.Random) -> None:
    """A value somewhere in the notebook: left out, replaced, doubled, or put inside another."""
    places = list(places_in(notebook))
    if not places:
        return
    holder, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 2:
        value = holder[key]
        for _ in range(rng.choice((1, 3, 60))):
            value = [value]
        holder[key] = value
    elif kind == 3 and isinstance(holder, dict):
        holder[rng.choice(("source", "metadata", "cell_type", "outputs", "grade_id", "\ud800", ""))] = holder[key]
    else:
        holder[key] = rng.choice(VALUES)


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in nested lists and dicts, as what holds it and its key."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places_in(inner)


def bytes_changed(content: bytes, rng: random.Random) -> bytes:
    """The file's bytes: some cut off, replaced, put in or moved."""
    start, end = sorted(rng.randint(0, len(content)) for _ in range(2))
    end = min(end, start + 40)
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: content[:start],
        lambda: content[:start] + content[end:],
        lambda: content[:start] + rng.randbytes(rng.randint(1, 20)) + content[end:],
        lambda: (
            content[:start] + rng.choice((b"{", b"[", b'"', b"\\ud800", b"\\", b",", b"\0", b"\xff")) + content[start:]
        ),
        lambda: content[:start] + rng.choice((b"[", b'{"a":')) * 3000 + content[start:],
        lambda: content[end:] + content[:end],
        lambda: content.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "latin-1")), "replace"),
    )
    return rng.choice(changes)()


def grown_by(start: int) -> float:
    """Megabytes that this process's peak has grown by."""
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024


@pytest.mark.parametrize(
    "seeds",
    [range(FEW), *(pytest.param(range(i, i + 1000), marks=pytest.mark.long) for i in range(0, MANY, 1000))],
    ids=str,
)
@pytest.mark.timeout(3600)
def test_whatever_is_handed_in_has_a_verdict_and_a_notebook(
    seeds: range, grader: Grader, released: Path, tmp_path: Path
) -> None:
    file = tmp_path / f"{released.stem}.ipynb"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took: list[float] = []
    for seed in seeds:
        file.write_bytes(mutated(released, random.Random(seed)))
        begun = time.monotonic()
        graded = grader.grade(file, released, None, seed=1)
        took.append(time.monotonic() - begun)
        assert took[-1] < SECONDS, seed
        assert graded.verdict.outcome in ("graded", "unreadable"), (seed, graded.verdict)
        assert not graded.verdict.needs_a_person, (seed, graded.verdict)
        nbformat.validate(nbformat.reads(graded.text, as_version=4))
        assert len(graded.text) < 2_000_000, seed
        if seed % 20 == 0:
            assert active(page(graded.notebook, "formgrade")) == [], seed
        assert grown_by(peak) < MEGABYTES, seed
    print(f"{len(took)} submissions: {sum(took):.0f} s, the longest {max(took):.2f} s; {grown_by(peak):.0f} MB more")
