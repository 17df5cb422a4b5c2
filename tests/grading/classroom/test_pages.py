"""The page of feedback: it leads with a table that no cell can forge, needs no network, and is short enough to mail."""

from __future__ import annotations

import base64
import copy
import secrets
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from grading.classroom.formulas import ATTRIBUTES, TAGS, mathml
from grading.classroom.pages import PAGE
from grading.classroom.summary import rows
from grading.feedback import FACTS
from tests.grading.pages import ABOUT, exporter, page, unboxed

ROOT = Path(__file__).resolve().parents[3]
FORGED = '<table class="infograd-summary" id="entropy-check"><tr><td>20 of 20</td></tr></table>'
SENTENCE = "Swap <b>p</b> & q."


def graded_cell(name: str, kind: str, **about: Any) -> NotebookNode:
    """A cell as it is on a page: an answer, a check, or a reflection."""
    about = {"grade_id": name, "solution": kind != "check", "grade": kind != "answer", "points": 3.0, **about}
    make = new_markdown_cell if kind == "reflection" else new_code_cell
    return make(about.pop("source", ""), id=name, metadata={"nbgrader": {"comment": None, **about}})


@pytest.fixture
def notebook() -> NotebookNode:
    """A graded notebook: one exercise wrong, one stretch right, a reflection, and a learner who forges a table."""
    shown = new_output("display_data", data={"text/html": FORGED, "text/plain": "x"})
    answer = graded_cell("entropy", "answer", source="def entropy(p):\n    return '<script>'")
    answer.outputs = [shown]
    cells = [
        new_markdown_cell("# About $\\frac{a}{b}$ and\n\n$$\\sum_i p_i \\log p_i$$"),
        answer,
        graded_cell("entropy-check", "check", score=1.0),
        graded_cell("stretchy", "answer"),
        graded_cell("stretchy-check", "check", points=0.0, score=2.0),
        graded_cell("reflection", "reflection", source=FORGED, score=1.0, comment="Say why.\nMore."),
    ]
    facts = {
        "entropy": {"marks": 1.0, "points": 3.0, "stretch": False, "outcome": "incorrect", "sentence": SENTENCE},
        "stretchy": {"marks": 2.0, "points": 3.0, "stretch": True, "outcome": "correct", "sentence": ""},
    }
    return new_notebook(cells=cells, metadata={FACTS: facts})


def feedback(notebook: NotebookNode) -> str:
    """The page of a notebook that has its marks."""
    return str(exporter(PAGE).from_notebook_node(copy.deepcopy(notebook), copy.deepcopy(ABOUT))[0])


def table_of(html: str) -> list[list[str]]:
    """The rows of the table that a page leads with, which is in none of the learner's boxes."""
    tables = BeautifulSoup(unboxed(html), "html.parser").select("table.infograd-summary")
    assert len(tables) == 1
    return [[cell.get_text() for cell in line.select("th, td")] for line in tables[0].select("tbody tr")]


def test_the_page_leads_with_marks_outcome_and_what_to_mend(notebook: NotebookNode) -> None:
    html = feedback(notebook)
    assert table_of(html) == [
        ["entropy", "1 of 3", "incorrect", SENTENCE],
        ["stretchy", "2 of 3 extra credit", "✓ correct", ""],
        ["reflection", "1 of 3", "graded by a person", "Say why."],
    ]
    main = BeautifulSoup(html, "html.parser").main
    assert main is not None
    assert [tag.name for tag in main.find_all(True, recursive=False)][:2] == ["h1", "table"]


def test_every_link_of_the_table_leads_to_its_section(notebook: NotebookNode) -> None:
    soup = BeautifulSoup(unboxed(feedback(notebook)), "html.parser")
    for link in soup.select("table.infograd-summary a"):
        target = soup.find(id=str(link["href"])[1:])
        assert target is not None
        assert target.name == "section"
        assert link.get_text() in target.get_text()


def test_what_nobody_has_graded_yet_has_no_mark(notebook: NotebookNode) -> None:
    del notebook.cells[-1].metadata.nbgrader["score"]
    assert rows(notebook)[-1].marks == "– of 3"


def test_no_cell_can_forge_the_table(notebook: NotebookNode) -> None:
    """A forged one stays below ours, in a box, without the looks or the place that its class and id would give it."""
    html = feedback(notebook)
    soup = BeautifulSoup(html, "html.parser")
    assert len(soup.select("table.infograd-summary")) == 1
    assert len(soup.select("#entropy-check")) == 1
    ours = html.index('<table class="infograd-summary table"')
    assert html.index("20 of 20") > html.index("</table>", ours)
    assert table_of(page(notebook, "formgrade"))[0][2:] == ["incorrect", SENTENCE]


def test_the_page_needs_no_network_and_runs_nothing(notebook: NotebookNode) -> None:
    soup = BeautifulSoup(feedback(notebook), "html.parser")
    assert not soup.select("script, link, iframe, object, embed")
    assert not [tag for tag in soup.find_all(True) if str(tag.get("src", "data:")).split(":")[0] != "data"]
    policy = soup.select('meta[http-equiv="Content-Security-Policy"]')[-1]["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert len(soup.select("details math")) == 2


def test_the_courses_own_text_is_folded(notebook: NotebookNode) -> None:
    folded = BeautifulSoup(feedback(notebook), "html.parser").select("details.course")
    assert len(folded) == 1
    assert not folded[0].has_attr("open")
    assert "About" in folded[0].get_text()


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("solutions/*/*.ipynb")))
def test_a_whole_notebook_is_shorter_than_200_kb_and_all_its_formulas_can_be_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executed solution, figures and all, as if a learner had handed it in."""
    shown: list[str] = []

    def noting(tex: str, block: bool = False) -> str:
        shown.append(mathml(tex, block))
        return shown[-1]

    monkeypatch.setattr("grading.classroom.pages.mathml", noting)
    solved = nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4)
    html = page(solved, PAGE)
    assert len(html.encode()) < 200_000
    soup = BeautifulSoup(html, "html.parser")
    assert len(soup.select("math")) > 10
    assert not [one for one in shown if not one.startswith("<math")]
    assert "$$" not in soup.get_text()


def test_large_pictures_of_a_learner_are_left_out(notebook: NotebookNode) -> None:
    size = (10).to_bytes(4, "big") * 2
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size
    small, large = (base64.b64encode(head + secrets.token_bytes(n)).decode() for n in (100, 60_000))
    html = [{"text/html": f'<img alt="words" src="data:image/png;base64,{one}">'} for one in (small, large)]
    png = [{"image/png": one} for one in (small, large)]
    notebook.cells[1].outputs = [new_output("display_data", data=one) for one in [*html, *png]]
    found = feedback(notebook)
    assert found.count(small) == 2
    assert large not in found
    assert "it is too large" in found


def test_before_the_gradebook_is_read_the_marks_are_the_graders(notebook: NotebookNode) -> None:
    del notebook.cells[2].metadata.nbgrader["score"], notebook.cells[5].metadata.nbgrader["score"]
    assert [row.marks for row in rows(notebook)] == ["1 of 3", "2 of 3 extra credit", "– of 3"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([
    "\\frac", "{", "}", "a", "_", "^", "\\href{javascript:x}", "\\text", "<script>", '"', "&", "\\begin{matrix}",
    "\\end{matrix}", "\\class{x}", "\\style{color:red}{y}", "\\color{red}", "\\left(", "\\right)", "\\sqrt",
    "\\hspace{-9em}", "\\unicode", "\\url{http://x}",
]), max_size=9))  # fmt: skip
def test_nothing_but_mathml_comes_out_of_a_formula(pieces: list[str]) -> None:
    soup = BeautifulSoup(mathml("".join(pieces)), "html.parser")
    for tag in soup.find_all(True):
        assert tag.name in TAGS or tag.name == "code"
        assert set(tag.attrs) <= ATTRIBUTES
        assert not [value for value in tag.attrs.values() if "-" in str(value) or ":" in str(value)]
