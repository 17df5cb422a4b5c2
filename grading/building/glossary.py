"""The glossary: docs/glossary.md, made from the table in docs/glossary.toml.

`python -m grading.building.glossary` writes it; with `--check` it fails where the page is out of date."""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.course import ROOT
from helpers.checking.start import anchor
from helpers.files import write_whole

TABLE = ROOT / "docs" / "glossary.toml"
PAGE = TABLE.with_suffix(".md")
HEADER = """# Glossary

Terms that the course uses, in English and Japanese, each with a clause and the place that teaches it. Made from
`docs/glossary.toml` by `python -m grading.building.glossary`.

| English | Japanese | meaning | taught in |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Term:
    """One line of the glossary. In the table, words of the term that its section does not say are in brackets."""

    english: str
    japanese: str
    meaning: str
    notebook: str
    heading: str

    @property
    def shown(self) -> str:
        """The English term as the page shows it: square brackets are for the table alone."""
        return self.english.replace("[", "").replace("]", "")

    @property
    def said(self) -> str:
        """The part of the English term that stands in its section."""
        return re.sub(r"\[[^]]*\]|\([^)]*\)", "", self.english).strip()

    def line(self) -> str:
        """The term's line in the page."""
        place = f"../solutions/{self.notebook}/{self.notebook}.ipynb#{anchor(self.heading)}"
        title = self.heading.removesuffix(" (stretch)")
        return f"| {self.shown} | {self.japanese} | {self.meaning} | [{self.notebook[:2]}, {title}]({place}) |"


def terms(table: Path = TABLE) -> list[Term]:
    """The terms, in the order of the alphabet. Raises ValueError with the file, and what is wrong in it."""
    try:
        sections = tomllib.loads(table.read_text(encoding="utf-8"))["section"]
        found = [
            Term(english, japanese, meaning, one["notebook"], one["heading"])
            for one in sections
            for english, japanese, meaning in one["terms"]
        ]
    except (KeyError, TypeError, ValueError) as problem:
        form = '[[section]] with notebook, heading and terms = [["English", "Japanese", "clause"], ...]'
        raise ValueError(f"{table}: {problem!r}; each section is {form}") from problem
    return sorted(found, key=lambda term: term.shown.casefold())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or compare it with `--check`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m grading.building.glossary", description="Make docs/glossary.md from docs/glossary.toml."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the page is out of date")
    options = parser.parse_args(arguments)
    try:
        text = HEADER + "".join(f"{term.line()}\n" for term in terms())
    except (OSError, ValueError) as problem:
        print(f"glossary: {problem}", file=sys.stderr)
        return 1
    if options.check:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE.name} is {'up to date' if fresh else 'out of date: run python -m grading.building.glossary'}.")
        return 0 if fresh else 1
    write_whole(PAGE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
