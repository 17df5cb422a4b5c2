"""The static site: what Sphinx is given, and that what it makes needs no network and has no dead link."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grading.course import notebooks
from grading.exercises import load
from grading.site import build
from grading.site.extension import slug
from helpers.checking import start


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build.lay_out(folder)
    return folder


def test_every_page_that_the_first_one_names_is_there_and_no_other(laid_out: Path) -> None:
    text = (laid_out / "index.md").read_text(encoding="utf-8")
    named = {line for line in text.splitlines() if (laid_out / f"{line}.md").is_file() or line.startswith("solutions/")}
    there = {
        one.relative_to(laid_out).with_suffix("") for one in laid_out.rglob("*") if one.suffix in (".md", ".ipynb")
    }
    assert {*named, "index"} == set(map(str, there))
    assert len(named) >= len(notebooks()) + 8


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


@pytest.mark.long
def test_the_whole_site_is_made_without_a_warning(tmp_path: Path) -> None:
    """Needs the extra `site`; the workflow that publishes it does the same."""
    line = [sys.executable, "-m", "grading.site.build", "--to", str(tmp_path / "site")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()
