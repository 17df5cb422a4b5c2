"""Whether two notebooks show the same: text exactly, pictures by their presence or by their looks."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

UNCOMPARED = "nbval-ignore-output"  # the tag of cells whose output is the machine's own, such as a progress bar
PICTURE = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=\n]+")
MOST_DIFFERENT = 0.0002  # of all pixels may be drawn otherwise, as another machine's edges are
VISIBLY = 64  # of 255


def comparable(text: str) -> str:
    """A notebook's text with what is not compared left out: pixels, and outputs that are the machine's own."""
    notebook = json.loads(text)
    for output in outputs(notebook):
        data = output.get("data", {})
        if "image/png" in data:
            data["image/png"] = "picture"
        if "text/html" in data:
            data["text/html"] = PICTURE.sub("picture", "".join(data["text/html"]))
    for cell in notebook["cells"]:
        if UNCOMPARED in cell["metadata"].get("tags", ()):
            cell["outputs"] = []
    return json.dumps(notebook, sort_keys=True)


def same_notebook(fresh: str, committed: str) -> bool:
    """Whether a committed notebook shows what a fresh one does, its pictures by their looks."""
    try:
        if comparable(fresh) != comparable(committed):
            return False
        found = [list(pictures(json.loads(text))) for text in (fresh, committed)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return len(found[0]) == len(found[1]) and all(map(alike, *found))


def outputs(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All outputs of all cells."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", ())


def pictures(notebook: dict[str, Any]) -> Iterator[str]:
    """Its pictures in base64, in order, those of the machine's own outputs left out."""
    for cell in notebook["cells"]:
        if UNCOMPARED not in cell["metadata"].get("tags", ()):
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                if "image/png" in data:
                    yield "".join(data["image/png"])
                yield from PICTURE.findall("".join(data.get("text/html", "")))


def alike(one: str, other: str) -> bool:
    """Whether two pictures look the same: of one size, and no more than MOST_DIFFERENT of the pixels visibly others."""
    if one == other:
        return True
    try:
        first, second = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(p))).convert("RGBA"), int) for p in (one, other)
        )
    except (OSError, ValueError, binascii.Error):
        return False
    if first.shape != second.shape:
        return False
    return bool((np.abs(first - second).max(-1) > VISIBLY).mean() <= MOST_DIFFERENT)
