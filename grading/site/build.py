"""`infograd site`: the executed notebooks, the glossary, the tables and the guides as a site that needs no network.

The pages are laid out as they lie in the repository, so that their links lead on; what Sphinx reads is a copy in which
the answers are folded."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from grading.course import ROOT, notebooks
from helpers.files import write_whole

TARGET = ROOT / "dist" / "site"
SETTINGS = Path(__file__).with_name("settings")  # holds Sphinx's conf.py
BENCHMARKS = "benchmarks/results/README.md"
GUIDES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/glossary.md")
KILL_TABLE = "grading/exercises/KILL_TABLE.md"  # thousands of rows: a page for each notebook
TABLES = (KILL_TABLE, "tests/attacks/ATTACKS.md")
PLAIN_FILES = ("LICENSE", "LICENSE-PROSE")
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
ANCHOR = re.compile(r"\]\(([^)\s]+\.ipynb#[^)\s]+)\)")  # MyST wants a heading's own letters, not their quotes
# A link to another notebook, and to an exercise of it, in what a cell shows.
BESIDE = re.compile(r"""(href=['"]\.\./(?P<notebook>[\w-]+)/[\w-]+)\.ipynb(?:#cell-id=(?P<exercise>\w+))?""")
REMEDY = "the site needs packages of its own: pip install -c constraints.txt -e '.[site]'"
WIDE = re.compile(r'(<pre|<div class="(?:math|table)-wrapper [^">]*")>')


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the site and check its links; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd site",
        description="Make a static site of the executed notebooks (answers folded), the glossary, the tables of wrong "
        "answers and attacks, the benchmarks and the guides. It needs no network to be read.",
        epilog="example: infograd site --to ~/public_html/infograd",
    )
    parser.add_argument("--to", type=Path, default=TARGET, metavar="FOLDER", help="default: dist/site")
    options = parser.parse_args(arguments)
    if options.to.exists() and not options.to.is_dir():
        print(f"infograd site: --to {options.to} is a file: give a folder", file=sys.stderr)
        return 2
    if missing := [name for name in ("sphinx", "myst_nb", "furo") if importlib.util.find_spec(name) is None]:
        print(f"infograd site: there is no {' and no '.join(missing)}; {REMEDY}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="infograd-site-") as folder:
        source, site = Path(folder) / "source", Path(folder) / "site"
        lay_out(source)
        line = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-c", str(SETTINGS)]
        if status := subprocess.run([*line, str(source), str(site)], cwd=ROOT, check=False).returncode:
            return status
        for file in site.rglob("*.html"):
            write_whole(file, for_all(file.read_text(encoding="utf-8")))
        broken = list(problems(site))
        # Only now: the folder may hold other pages, which are not ours to change or to judge.
        shutil.copytree(site, options.to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".doctrees"))
    for problem in broken:
        print(f"infograd site: {problem}", file=sys.stderr)
    if not broken:
        print(f"{options.to / 'index.html'}")
    return 1 if broken else 0


def pages() -> list[str]:
    """The Markdown pages of the site, by their paths in the repository."""
    return [*GUIDES, *(str(file.relative_to(ROOT)) for file in sorted((ROOT / "docs").glob("*.md"))), *TABLES]


def lay_out(folder: Path) -> None:
    """Copy what the site is made from into a folder, with the answers folded. What looks like a link in a table is
    code."""
    for page in dict.fromkeys(pages()):
        text = (ROOT / page).read_text(encoding="utf-8")
        if page in TABLES:
            text = text.replace("](", "]\\(")
        else:
            text = ANCHOR.sub(lambda found: f"](<{unquote(found[1])}>)", text)
        if page == KILL_TABLE:
            text = split(text, folder / page)
        write_whole(folder / page, text)
    for file in (*PLAIN_FILES, *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.png"))):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    for name in notebooks():
        place = f"solutions/{name}/{name}.ipynb"
        notebook = json.loads((ROOT / place).read_text(encoding="utf-8"))
        write_whole(folder / place, json.dumps(folded(notebook)))
    write_whole(folder / BENCHMARKS, benchmarks())
    write_whole(folder / "index.md", contents())


def split(text: str, page: Path) -> str:
    """Write each part of a page (a heading of the second level, and what is below it) as a page of its own beside it;
    returns what is left, with a list of these pages."""
    opening, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    names = [f"{page.stem}-{part.splitlines()[0]}" for part in parts]
    for name, part in zip(names, parts, strict=True):
        write_whole(page.with_name(f"{name}.md"), "# " + re.sub(r"^#(?=#+ )", "", part, flags=re.MULTILINE))
    return opening + "\n".join(["```{toctree}", ":maxdepth: 1", "", *names, "```", ""])


def folded(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook whose answers are folded: the code of a solution, and the model answer of a reflection. What its
    outputs link to are pages of the site."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if html := "".join(output.get("data", {}).get("text/html", "")):
                output["data"]["text/html"] = BESIDE.sub(on_the_site, html)
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            text = re.sub(r"^\s*### (BEGIN|END) SOLUTION\n?", "", "".join(cell["source"]), flags=re.MULTILINE)
            if cell["cell_type"] == "code":
                cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-input"]
                cell["source"] = text
            else:
                cell["source"] = f"<details><summary>A model answer</summary>\n\n{text}\n\n</details>"
    return notebook


def on_the_site(found: re.Match[str]) -> str:
    """A link to a notebook as one to its page, at the heading of the exercise that it names."""
    from helpers.checking import start  # here: it needs torch, and `infograd site --help` should not wait for that

    if not found["exercise"]:
        return f"{found[1]}.html"
    name = found["notebook"]
    headers = (
        one for text in start.prose(ROOT / "solutions" / name / f"{name}.ipynb") for one in start.HEADER.finditer(text)
    )
    return f"{found[1]}.html#{next(start.anchor(one['title']) for one in headers if one['name'] == found['exercise'])}"


def for_all(page: str) -> str:
    """A page of Sphinx's that everybody can use: its headings have a level, and what is wider than a screen can be
    scrolled with the keyboard."""
    page = page.replace('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">')
    return WIDE.sub(r'\1 tabindex="0">', page)


def contents() -> str:
    """The first page: what there is, and in which order."""
    groups = {
        "Notebooks": [f"solutions/{name}/{name}" for name in notebooks()],
        "Guides": [page.removesuffix(".md") for page in dict.fromkeys(pages()) if page not in TABLES],
        "Tables": [page.removesuffix(".md") for page in (*TABLES, BENCHMARKS)],
    }
    trees = [
        "\n".join(["```{toctree}", f":caption: {group}", ":maxdepth: 1", "", *there, "```"])
        for group, there in groups.items()
    ]
    opening = "The course as it reads with all answers given. They are folded: open one with a click.\n"
    return "\n\n".join(["# infograd", opening, *trees]) + "\n"


def benchmarks() -> str:
    """The committed results of the benchmarks, as they were measured."""
    parts = ["# Benchmarks", "How fast the course is, as `benchmarks/` measured it; each names its machine."]
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        lines = [f"| {' '.join(path)} | {value} |" for path, value in numbers(json.loads(file.read_text()))]
        parts += [f"## {file.stem}", "\n".join(["| what | value |", "|---|---|", *lines])]
    return "\n\n".join(parts) + "\n"


def numbers(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """The leaves of nested data, each with the names that lead to it."""
    if isinstance(data, dict):
        for name, one in data.items():
            yield from numbers(one, (*path, str(name).replace("_", " ")))
    elif isinstance(data, list):
        for place, one in enumerate(data, 1):
            yield from numbers(one, (*path, str(place)))
    else:
        yield path, data


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that have a name."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's links and names."""
        given = dict(attrs)
        self.names |= {given[name] or "" for name in ("id", "name") if name in given}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if given.get(LOADING.get(tag, "")):
            self.loads.append(given[LOADING[tag]] or "")


def problems(folder: Path) -> Iterator[str]:
    """Links that lead nowhere, and what would be loaded from the network."""
    read = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.html"))}
    for file, page in read.items():
        where = file.relative_to(folder)
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    yield f"{where} loads {link} from the network"
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                yield f"{where} links to {link}, which is not there"
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].names:
                yield f"{where} links to {link}, which has no such heading"
    for style in folder.rglob("*.css"):
        if found := re.search(r"(@import|url\()\s*['\"]?(https?:)?//[^'\")]+", style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(folder)} loads {found[0]} from the network"


if __name__ == "__main__":
    sys.exit(main())
