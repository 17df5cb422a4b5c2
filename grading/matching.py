"""Which of our cells a stranger's cell is: by its grade_id, else by its id, by what it defines, or by where it stands.

Web pages, learning platforms and other editors drop metadata, and give cells new ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

DEFINED = re.compile(r"^(?:async )?(?:def|class) +(\w+)", re.MULTILINE)


def grade_id(cell: Any) -> str | None:
    """The grade_id of a cell, ours or one that was handed in; None without one."""
    found: Any = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def text_of(cell: dict[str, Any]) -> str | None:
    """A cell's source: text, or a list of lines."""
    source = cell.get("source")
    if isinstance(source, list) and all(type(line) is str for line in source):
        source = "".join(source)
    return surrogates_replaced(source) if type(source) is str else None


def surrogates_replaced(text: str) -> str:
    """Text that can be written as UTF-8: JSON can smuggle in halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def defined_in(text: str) -> set[str]:
    """The functions and classes that a cell's text defines."""
    return set(DEFINED.findall(text))


def recover(
    missing: Mapping[str, NotebookNode], ours: Sequence[NotebookNode], theirs: Iterable[Any]
) -> dict[str, dict[str, Any]]:
    """For each of our answer cells that no grade_id names: the one cell of theirs that it must be. One that could be
    several is left out."""
    cells = [cell for cell in theirs if type(cell) is dict]
    nameless = [cell for cell in cells if grade_id(cell) is None]
    texts = {cell.source for cell in ours}
    found = {}
    for name, cell in missing.items():
        same_type = [one for one in nameless if one.get("cell_type") == cell.cell_type]
        for candidates in (
            [one for one in same_type if one.get("id") == name],
            [one for one in same_type if defines(one, cell)],
            [one for one in same_type if follows(one, cell, ours, cells) and text_of(one) not in texts],
        ):
            if len(candidates) == 1:
                found[name] = candidates[0]
            if candidates:
                break
    return found


def defines(cell: dict[str, Any], ours: NotebookNode) -> bool:
    """Whether a cell defines all that ours does, and ours anything."""
    wanted = defined_in(ours.source)
    return bool(wanted) and wanted <= defined_in(text_of(cell) or "")


def follows(cell: dict[str, Any], ours: NotebookNode, notebook: Sequence[NotebookNode], cells: list[Any]) -> bool:
    """Whether a cell stands right behind the text that ours stands behind."""
    place = next(i for i, one in enumerate(notebook) if one is ours)
    before = next(i for i, one in enumerate(cells) if one is cell)
    return place > 0 and before > 0 and text_of(cells[before - 1]) == notebook[place - 1].source
