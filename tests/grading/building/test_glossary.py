"""The glossary: one table, whose every line leads to where the term is taught."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from grading.building import glossary

LINK = re.compile(r"\[\d\d, [^]]+\]\(([^)#]+)#([^)]+)\)")
LINES = [line for line in glossary.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]


@cache
def sections(notebook: Path) -> dict[str, str]:
    """The text under each `##` heading of an executed notebook, by the heading's id."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return {title.replace(" ", "-"): f"{title}\n{body}" for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def words(text: str) -> str:
    """Text in small letters, with blanks for line breaks and hyphens in the names of functions."""
    return " ".join(text.lower().replace("_", "-").split())


def test_the_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert glossary.main(["--check"]) == 0, capsys.readouterr().out


def test_it_has_a_line_for_each_term_and_no_term_twice() -> None:
    names = [term.shown.casefold() for term in glossary.terms()]
    assert len(LINES) == len(names) == len(set(names))
    assert 60 <= len(names) <= 110


@pytest.mark.parametrize("line", LINES)
def test_every_link_leads_to_a_heading_that_is_there(line: str) -> None:
    found = LINK.search(line)
    assert found is not None
    file = (glossary.PAGE.parent / found[1]).resolve()
    assert unquote(found[2]) in sections(file)


@pytest.mark.parametrize("term", glossary.terms(), ids=lambda term: term.shown)
def test_every_term_stands_in_the_section_that_is_said_to_teach_it(term: glossary.Term) -> None:
    file = glossary.ROOT / "solutions" / term.notebook / f"{term.notebook}.ipynb"
    assert words(term.said) in words(sections(file)[term.heading.replace(" ", "-")])


@pytest.mark.parametrize("term", glossary.terms(), ids=lambda term: term.shown)
def test_every_term_has_a_japanese_one_and_a_short_clause(term: glossary.Term) -> None:
    japanese = any(unicodedata.name(c).startswith(("CJK", "KATAKANA", "HIRAGANA")) for c in term.japanese)
    assert japanese or term.japanese == term.shown  # a method's name stays as it is
    assert unicodedata.normalize("NFC", term.japanese) == term.japanese
    assert 10 <= len(term.meaning) <= 110
    assert not term.meaning.endswith(".")
    assert "|" not in term.japanese + term.meaning


def test_a_table_that_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    table = tmp_path / "glossary.toml"
    monkeypatch.setattr(glossary, "PAGE", tmp_path / "glossary.md")
    monkeypatch.setattr(glossary.terms, "__defaults__", (table,))
    for text in ("[[section", "[[section]]\nheading = 'A'\nterms = [['a']]", "other = 1"):
        table.write_text(text)
        assert glossary.main([]) == 1
        assert str(table) in (said := capsys.readouterr().err)
        assert "[[section]] with notebook, heading" in said
    assert not glossary.PAGE.exists()
