"""The static site: what Sphinx is given, and that what it makes needs no network and has no dead link."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from grading.course import ROOT, notebooks
from grading.exercises import load
from grading.site import build
from grading.site.extension import slug
from helpers.checking import start
from tests.chromium import Desk, findings, wider_than_the_screen


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build.lay_out(folder)
    return folder


def test_every_page_that_the_first_one_names_is_there_and_no_other(laid_out: Path) -> None:
    named = {"grading/exercises/KILL_TABLE-" + name for name in notebooks()}
    assert {f"grading/exercises/{one}" for one in listed(laid_out / build.KILL_TABLE)} == named
    named |= set(listed(laid_out / "index.md"))
    there = {
        one.relative_to(laid_out).with_suffix("") for one in laid_out.rglob("*") if one.suffix in (".md", ".ipynb")
    }
    assert {*named, "index"} == set(map(str, there))
    assert len(named) >= 2 * len(notebooks()) + 8


def listed(page: Path) -> list[str]:
    """The pages in a page's lists."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]


def test_the_kill_table_is_whole_on_its_pages(laid_out: Path) -> None:
    whole = (ROOT / build.KILL_TABLE).read_text(encoding="utf-8").replace("](", "]\\(")
    pages = [laid_out / f"grading/exercises/KILL_TABLE-{name}.md" for name in notebooks()]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    again = [re.sub(r"^#", "##", text, flags=re.MULTILINE) for text in texts]
    assert whole.endswith("".join(again))
    assert [re.findall(r"^## (\w+)$", text, re.MULTILINE) for text in texts] == [list(load(one)) for one in notebooks()]


@pytest.mark.parametrize("notebook", notebooks())
def test_every_answer_is_folded(notebook: str, laid_out: Path) -> None:
    cells = json.loads((laid_out / f"solutions/{notebook}/{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    assert not any("# BEGIN SOLUTION" in "".join(cell["source"]) for cell in cells)
    code = {cell["id"] for cell in cells if "hide-input" in cell["metadata"].get("tags", ())}
    assert code == set(load(notebook))
    (reflection,) = (cell for cell in cells if cell["id"] == "reflection")
    assert reflection["source"].startswith("<details><summary>A model answer</summary>\n\n")


def test_what_cells_show_links_to_the_exercise_on_its_page(laid_out: Path) -> None:
    text = (laid_out / "solutions/08-reading-and-writing-math/08-reading-and-writing-math.ipynb").read_text("utf-8")
    assert ".html#Exercise-1.-entropy'" in text
    assert "cell-id=" not in text


def test_a_heading_has_the_anchor_that_links_to_it_name() -> None:
    for heading in ("How far apart are two Gaussians?", "Exercise 1. `gaussian_kl`"):
        assert start.quote(slug(heading)) == start.anchor(heading)


def test_headings_have_a_level_and_code_can_be_scrolled_with_the_keyboard() -> None:
    page = '<p class="caption" role="heading">Guides</p><pre>x</pre>'
    page += '<div class="table-wrapper docutils">y</div><div>z</div>'
    assert build.for_all(page) == (
        '<p class="caption" role="heading" aria-level="2">Guides</p><pre tabindex="0">x</pre>'
        '<div class="table-wrapper docutils" tabindex="0">y</div><div>z</div>'
    )


def test_benchmarks_become_tables() -> None:
    rows = list(build.numbers({"a_b": {"c": 1}, "d": [2.5, "x"]}))
    assert rows == [(("a b", "c"), 1), (("d", "1"), 2.5), (("d", "2"), "x")]
    assert "| machine |" in build.benchmarks()


def test_dead_links_and_whatever_is_loaded_from_the_network_are_found(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text("<h1 id='here'>B</h1>")
    (tmp_path / "a.html").write_text(
        "<a href='b.html#here'></a><a href='b.html#gone'></a><a href='c.html'></a><a href='https://a.org'></a>"
        "<script src='https://cdn.org/x.js'></script><img src='data:image/png;base64,AA'><link href='b.html'>"
    )
    (tmp_path / "a.css").write_text("@import url('https://fonts.org/a.css')")
    assert [problem.partition(" ")[2] for problem in build.problems(tmp_path)] == [
        "links to b.html#gone, which has no such heading",
        "links to c.html, which is not there",
        "loads https://cdn.org/x.js from the network",
        "loads url('https://fonts.org/a.css from the network",
    ]


def test_without_its_packages_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    assert build.main([]) == 1
    assert (
        "no sphinx and no myst_nb and no furo; the site needs packages of its own: pip install -c"
        in capsys.readouterr().err
    )


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("")
    assert build.main(["--to", str(tmp_path / "mine.txt")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_other_pages_in_the_folder_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are neither changed nor looked through for dead links."""

    def sphinx(line: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(line[-1]).mkdir(exist_ok=True)
        (Path(line[-1]) / "index.html").write_text("<pre>")
        return subprocess.CompletedProcess(line, 0)

    monkeypatch.setattr(build, "lay_out", lambda folder: None)
    monkeypatch.setattr(subprocess, "run", sphinx)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: name)
    (tmp_path / "mine.html").write_text("<pre><a href='nowhere.html'>")
    assert build.main(["--to", str(tmp_path)]) == 0
    assert (tmp_path / "mine.html").read_text() == "<pre><a href='nowhere.html'>"
    assert (tmp_path / "index.html").read_text() == '<pre tabindex="0">'


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site. Needs the extra `site`; the workflow that publishes it does the same."""
    folder = tmp_path_factory.mktemp("whole") / "site"
    line = [sys.executable, "-m", "grading.site.build", "--to", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.long
def test_the_whole_site_is_made_without_a_warning(whole: Path) -> None:
    assert (whole / "index.html").is_file()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_page_of_the_site_can_be_read_by_all(
    whole: Path, desk: Callable[..., Desk], colours: Literal["light", "dark"]
) -> None:
    reader = desk(color_scheme=colours)
    page = reader.page()
    pages = sorted(whole.rglob("*.html"))
    assert whole / "index.html" in pages
    assert len(pages) > 2 * len(notebooks()) + 8
    faults = {}
    for file in pages:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(file.as_uri())
        name = file.relative_to(whole).as_posix()
        faults[name] = findings(page)
        page.set_viewport_size({"width": 390, "height": 800})
        faults[name] += wider_than_the_screen(page)
    assert {name: found[:3] for name, found in faults.items() if found} == {}
    assert reader.elsewhere == []
