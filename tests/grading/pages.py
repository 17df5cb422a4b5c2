"""The pages that show a graded notebook, through nbgrader's own templates, and whether anything in them is active."""

from __future__ import annotations

import copy
from functools import cache, lru_cache
from pathlib import Path

import nbgrader.server_extensions.formgrader
from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode
from traitlets.config import Config

from grading.classroom.formulas import TAGS as FORMULAS
from grading.classroom.formulas import may_stay
from grading.classroom.pages import PAGE, PageExporter
from grading.classroom.summary import FOLDER
from grading.sanitise import TAGS

TEMPLATES = ("formgrade", PAGE)
PLACE = Path(nbgrader.server_extensions.formgrader.__file__).parent
ABOUT = {
    "base_url": "", "notebook_id": "n", "assignment_id": "a", "submission_id": "s", "index": 0, "total": 1,
    "last_name": "", "first_name": "", "student": "", "notebook_path": "",
    "nbgrader": {"notebook": "n", "score": 0.0, "max_score": 0.0, "late_penalty": 0.0},
}  # fmt: skip


@cache
def exporter(template: str) -> PageExporter:
    """nbgrader's exporter of a page, as the course sets it."""
    config = Config()
    config.HTMLExporter.template_name = template
    config.HTMLExporter.extra_template_basedirs = [str(FOLDER), str(PLACE / "templates")]
    config.HTMLExporter.extra_template_paths = [str(PLACE / "static/node_modules/bootstrap/dist/css")]
    return PageExporter(config=config)


def page(notebook: NotebookNode, template: str, **about: object) -> str:
    """A whole page; what nbgrader's own steps add to a cell is there, too."""
    ready = copy.deepcopy(notebook)
    for cell in ready.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.setdefault("comment", None)
            cell.metadata.nbgrader.update(score=0.0, points=cell.metadata.nbgrader.get("points", 0.0))
    return str(exporter(template).from_notebook_node(ready, copy.deepcopy(ABOUT) | about)[0])


def shown(notebook: NotebookNode) -> str:
    """What both pages show of a notebook, but for the code that the learner wrote."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.source = ""
    parts = [BeautifulSoup(page(bare, name), "html.parser").find(id="notebook-container") for name in TEMPLATES]
    return "\n".join(map(str, parts))


def active(html: str) -> list[str]:
    """What in a learner's boxes on a page runs, loads, leads elsewhere, covers or takes the looks of the page."""
    return looked_at(html)[0]


def unboxed(html: str) -> str:
    """What a page shows outside of the learner's boxes."""
    return looked_at(html)[1]


@lru_cache(maxsize=1)
def looked_at(html: str) -> tuple[list[str], str]:
    """What is active in the learner's boxes, and the page without them."""
    soup, found = BeautifulSoup(html, "html.parser"), []
    for box in soup.select('div[style^="contain:"]'):
        found += [fault for tag in box.find_all(True) for fault in faults(tag)]
        box.decompose()
    return found, str(soup)


def faults(tag: Tag) -> list[str]:
    """What is active about an element."""
    if tag.name in FORMULAS:
        return [f"{name}={text}" for name, text in tag.attrs.items() if not may_stay(name, str(text))]
    found = [] if tag.name in TAGS else [f"<{tag.name}>"]
    for name, value in tag.attrs.items():
        text = " ".join(value) if isinstance(value, list) else str(value)
        harmless = {
            "href": text.startswith("#"),
            "src": text.startswith("data:image/png;base64,"),
            "style": not any(word in text for word in ("url", "position", "-.", "calc", "opacity", "transform", ":-")),
            "rel": True,
        }.get(name, name in ("title", "alt", "colspan", "rowspan", "start", "open", "width", "height", "align"))
        found += [] if harmless else [f"{name}={text[:80]}"]
    return found
