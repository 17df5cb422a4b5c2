"""The page that JupyterLab opens on: what each notebook is about, what is done, and where to go on.

It is Markdown, made from the learner's notebooks (titles, openings, minutes), the answer keys (exercises, points) and
the learner's record. `infograd lab` writes it and names it in INFOGRAD_START; every check writes it again."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from helpers.checking import key, progress
from helpers.checking.shapes import Key
from helpers.files import write_whole

NAME = "start.md"
VARIABLE = "INFOGRAD_START"
HEADER = re.compile(r"^### (?P<title>(?:Exercise|Stretch)[^`\n]*`(?P<name>\w+)`.*)$", re.MULTILINE)
CELL_ID = re.compile(r"[\w-]+", re.ASCII)
MINUTES = re.compile(r"^Difficulty .*· (\d+) minutes", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One exercise: its heading in the notebook, the minutes it takes (None: not said), the points it is worth, the
    marks earned (None: never checked), and the id of the cell with the heading (empty: it has none)."""

    name: str
    title: str
    minutes: int | None
    points: float
    stretch: bool
    marks: float | None
    cell: str = ""

    @property
    def done(self) -> bool:
        """Whether all marks are earned."""
        return self.marks is not None and self.marks >= self.points


@dataclass(frozen=True)
class Chapter:
    """One notebook: where it is beside the page (None: it is not there), its title, its opening, its exercises."""

    place: str | None
    title: str
    opening: str
    rows: list[Row]

    def core(self) -> list[Row]:
        """The exercises that are no stretch."""
        return [row for row in self.rows if not row.stretch]

    def link(self, text: str, row: Row | None = None) -> str:
        """A link to the notebook, or to an exercise of it; the bare text where there is no notebook."""
        if self.place is None:
            return text
        # A notebook that JupyterLab has yet to open has cells at once, and headings only when its Markdown is rendered.
        place = "" if row is None else f"#cell-id={row.cell}" if row.cell else f"#{anchor(row.title)}"
        return f"[{text}]({quote(self.place)}{place})"


def anchor(heading: str) -> str:
    """The part of a link that leads to a notebook's heading. JupyterLab makes its id from its text, with hyphens for
    blanks."""
    return quote(heading.replace("`", "").replace(" ", "-"))


def refresh() -> None:
    """Write the page again where `infograd lab` has named one. A page that cannot be written is no reason to fail a
    check."""
    if place := os.environ.get(VARIABLE):
        try:
            write(Path(place).parent)
        except (OSError, key.KeyProblem):
            return


def write(notebooks: Path) -> Path:
    """Write the page into the folder of the notebooks and return where it is. Raises OSError, or KeyProblem where there
    are no answer keys."""
    chapters = [chapter(one, notebooks) for one in key.keys(key.folder())]
    place = notebooks / NAME
    write_whole(place, page(chapters, progress.trouble()))
    return place


def chapter(one: Key, notebooks: Path) -> Chapter:
    """What is known of a notebook. One that is missing or damaged is named by its key alone."""
    name, record = one["notebook"], progress.recall()
    place = f"{name}/{name}.ipynb"
    cells = markdown(notebooks / place)
    headers = {
        found["name"]: (found["title"], minutes(text), cell) for cell, text in cells for found in HEADER.finditer(text)
    }
    rows = []
    for exercise, entry in one["exercises"].items():
        title, time, cell = headers.get(exercise, (f"`{exercise}`", None, ""))
        marks = record.get(exercise, {}).get("marks")
        rows.append(Row(exercise, title, time, entry["points"], entry["stretch"], marks, cell))
    texts = [text for _, text in cells]
    first = texts[0].strip().split("\n\n") if texts else []
    title = first[0].removeprefix("# ") if first and first[0].startswith("# ") else name
    opening = " ".join(first[1].split()) if len(first) > 1 else ""
    return Chapter(place if (notebooks / place).is_file() else None, title, opening, rows)


def prose(file: Path) -> list[str]:
    """The texts of a notebook's Markdown cells; none where it cannot be read."""
    return [text for _, text in markdown(file)]


def markdown(file: Path) -> list[tuple[str, str]]:
    """A notebook's Markdown cells: ids (empty before nbformat 4.5) and texts. None where it cannot be read."""
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        found = [(cell.get("id"), "".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [(name if isinstance(name, str) and CELL_ID.fullmatch(name) else "", text) for name, text in found]


def minutes(text: str) -> int | None:
    """The minutes that a header says its exercise takes."""
    found = MINUTES.search(text)
    return int(found[1]) if found else None


def page(chapters: Sequence[Chapter], trouble: str | None) -> str:
    """The whole page."""
    core = [row for one in chapters for row in one.core()]
    parts = ["# Information theory and optimisation", next_step(chapters), f"All notebooks: {bar(core)}"]
    parts += [f"**Note.** {trouble}"] if trouble else []
    parts += [section(one) for one in chapters]
    parts.append("Every check brings this page up to date. `progress()` in any notebook shows the same table.")
    return "\n\n".join(parts) + "\n"


def next_step(chapters: Sequence[Chapter]) -> str:
    """Where to go on: the first open exercise of the first notebook that is begun, else of the first that is not."""
    begun = [one for one in chapters if any(row.marks is not None for row in one.rows)]
    for one in [*begun, *chapters]:
        if open_ := [row for row in one.core() if not row.done]:
            if not begun:
                return f"**Start here:** {one.link(one.title)}."
            time = f", {open_[0].minutes} minutes" if open_[0].minutes else ""
            return f"**Continue here:** {one.link(open_[0].title, open_[0])} of {one.title}{time}."
    return "**All exercises are done.** The stretch exercises below are what is left, if any."


def section(one: Chapter) -> str:
    """One notebook: its opening, the bar, and the exercises folded away."""
    core, stretch = one.core(), [row for row in one.rows if row.stretch]
    took = [f"{total(core)} minutes"] if total(core) else []
    took += [f"stretch exercises {total(stretch)} more"] if total(stretch) else []
    head = f"{bar(core)}" + (f" · {', '.join(took)}" if took else "")
    table = ["| exercise | | minutes |", "|---|---|---|", *(line(one, row) for row in one.rows)]
    opened = f"<details><summary>{len(one.rows)} exercises</summary>\n\n" + "\n".join(table) + "\n\n</details>"
    return "\n\n".join(filter(None, [f"## {one.link(one.title)}", one.opening, head, opened]))


def total(rows: Sequence[Row]) -> int:
    """The minutes of exercises together."""
    return sum(row.minutes or 0 for row in rows)


def line(one: Chapter, row: Row) -> str:
    """One exercise in its notebook's table."""
    marks = "not yet" if row.marks is None else f"{row.marks:g} of {row.points:g}"
    return f"| {'✓' if row.done else '·'} {one.link(row.title, row)} | {marks} | {row.minutes or ''} |"


def bar(rows: Sequence[Row]) -> str:
    """The marks earned out of the points, as a bar and in words."""
    points = sum(row.points for row in rows)
    marks = sum(row.marks or 0.0 for row in rows)
    words = html.escape(f"{marks:g} of {points:g} points")
    return f'<progress value="{marks:g}" max="{points:g}" title="{words}"></progress> {words}'
