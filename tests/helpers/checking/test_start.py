"""The page that JupyterLab opens on, made from notebooks, keys and the record, and whole where one is damaged."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from helpers import check
from helpers.checking import key, start
from helpers.checking.start import Chapter, Row

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"
LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]*))?\)")


@pytest.fixture(autouse=True)
def record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A record of the learner's own, empty."""
    file = tmp_path / "progress.json"
    monkeypatch.setenv("INFOGRAD_PROGRESS", str(file))
    return file


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A copy of the learner's notebooks."""
    return Path(shutil.copytree(NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns("*.md", "feedback")))


def places(file: Path) -> set[str]:
    """What a link into a notebook may name after its #: the cells, and the headings as JupyterLab calls them."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    lines = [line for text in start.prose(file) for line in text.splitlines() if line.startswith("#")]
    headings = {line.lstrip("# ").replace("`", "").replace(" ", "-") for line in lines}
    return headings | {f"cell-id={cell['id']}" for cell in notebook["cells"] if "id" in cell}


@pytest.mark.parametrize("ids", [True, False], ids=["cells have ids", "cells have none"])
def test_every_link_leads_to_a_notebook_and_to_an_exercise_that_there_is(ids: bool, notebooks: Path) -> None:
    if not ids:
        for file in notebooks.rglob("*.ipynb"):
            notebook = json.loads(file.read_text(encoding="utf-8"))
            for cell in notebook["cells"]:
                del cell["id"]
            file.write_text(json.dumps(notebook), encoding="utf-8")
    found = LINK.findall(start.write(notebooks).read_text(encoding="utf-8"))
    exercises = sum(len(one["exercises"]) for one in key.keys(key.folder()))
    assert len({link for link in found if link[1]}) == exercises
    for place, heading in found:
        assert (notebooks / unquote(place)).is_file()
        assert not heading or unquote(heading) in places(notebooks / unquote(place)), (place, heading)
        assert heading.startswith("cell-id=") == (ids and bool(heading))


def test_every_exercise_says_its_minutes_and_every_notebook_what_it_is_about(notebooks: Path) -> None:
    for one in key.keys(key.folder()):
        chapter = start.chapter(one, notebooks)
        assert all(row.minutes for row in chapter.rows), chapter.title
        assert len(chapter.opening) > 80
        assert chapter.title[:2] == one["notebook"][:2]


def test_it_says_where_to_go_on(notebooks: Path, record: Path) -> None:
    assert "**Start here:** [01 " in start.write(notebooks).read_text(encoding="utf-8")
    first, second = (list(one["exercises"].items()) for one in key.keys(key.folder())[:2])
    record.write_text(json.dumps({second[0][0]: {"marks": second[0][1]["points"]}}), encoding="utf-8")
    text = start.write(notebooks).read_text(encoding="utf-8")
    assert f"`{second[1][0]}`](02-" in text.partition("**Continue here:**")[2].partition("\n")[0]
    done = {name: {"marks": entry["points"]} for name, entry in first}
    record.write_text(json.dumps(done), encoding="utf-8")
    assert (
        "[Exercise 1. `" in start.write(notebooks).read_text(encoding="utf-8").partition("**Continue here:**")[2][:20]
    )


def test_a_check_brings_the_page_up_to_date(notebooks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = start.write(notebooks)
    monkeypatch.setenv(start.VARIABLE, str(page))
    assert "`perplexity`" in page.read_text(encoding="utf-8")
    before = row_of(page, "perplexity")
    check("perplexity", lambda p, q: (-(p * q.log()).sum(-1)).exp())
    assert "not yet" in before
    assert "not yet" not in row_of(page, "perplexity")


def row_of(page: Path, name: str) -> str:
    """The line of an exercise in its notebook's table."""
    return next(one for one in page.read_text(encoding="utf-8").splitlines() if one.startswith("|") and name in one)


def test_a_page_that_cannot_be_written_fails_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv(start.VARIABLE, str(tmp_path / "file" / start.NAME))
    start.refresh()


def test_notebooks_that_are_gone_or_damaged_are_named_without_a_link_or_an_opening(notebooks: Path) -> None:
    first, second = (one["notebook"] for one in key.keys(key.folder())[:2])
    shutil.rmtree(notebooks / first)
    (notebooks / second / f"{second}.ipynb").write_text('{"cells": 3}', encoding="utf-8")
    text = start.write(notebooks).read_text(encoding="utf-8")
    assert f"## {first}\n" in text
    assert f"## [{second}](" in text
    assert "`entropy`" in text


def test_what_is_left_when_all_is_done() -> None:
    row = Row("f", "Exercise 1. `f`", 5, 2.0, False, 2.0)
    text = start.page([Chapter("a/a.ipynb", "A", "", [row])], None)
    assert "All exercises are done" in text
    assert 'value="2" max="2"' in text


def test_trouble_with_the_record_is_on_the_page(notebooks: Path, record: Path) -> None:
    record.write_text("{", encoding="utf-8")
    assert "is damaged" in start.write(notebooks).read_text(encoding="utf-8")


def test_git_does_not_see_the_page() -> None:
    assert "/notebooks/start.md" in (NOTEBOOKS.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert os.fspath(start.NAME) == "start.md"
