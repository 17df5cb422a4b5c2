"""What each product of a build is made from, and whether it is still what was made from that.

A product is fresh when everything that it can depend on is what it was when the product was made, and the product is as
it was left. Where that is in doubt it is made again: the code that counts is every module that is imported on the way,
by whatever statement, and of data, locked packages and Python everything counts. What was made from what is noted in
`.infograd-built.json`, which git ignores: it speaks of one working tree on one machine.

This module imports nothing heavy, so that a build with nothing to do ends at once."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from helpers.files import write_whole

RECORD = ".infograd-built.json"
PACKAGES = ("helpers", "grading")
# The products of a notebook in the order in which they are made, each from those before it.
PRODUCTS = {
    "answer key": "helpers/keys/{name}.json",
    "executed solution": "solutions/{name}/{name}.ipynb",
    "learner's notebook": "notebooks/{name}/{name}.ipynb",
}
NO_DATA = {".py", ".pyc", ".tmp", ".md"}
MAKING = "grading.building.products"  # the module that makes them


class BuildError(RuntimeError):
    """A source that cannot be built, with its file and the reason."""


def source_of(name: str, root: Path) -> Path:
    """The text source of a notebook."""
    return root / "solutions" / name / f"{name}.py"


def product(kind: str, name: str) -> Path:
    """Where a product lies, relative to the root."""
    return Path(PRODUCTS[kind].format(name=name))


class Inputs:
    """The inputs of a tree's products. Code and data are read when this is made, before anything of them is imported:
    a file that is edited later counts as changed at the next build."""

    def __init__(self, root: Path, names: Iterable[str]):
        self.root = root
        self.content: dict[Path, str] = {}  # digests of files that have been read
        self.arrows: dict[Path, list[Path]] = {}  # what a file imports
        around = [environment(root), *self.digests(data_files(root))]
        self.fixed = {
            (kind, name): digest_of([*around, *self.digests(self.code_files(kind, name))])
            for name in names
            for kind in PRODUCTS
        }

    def code_files(self, kind: str, name: str) -> list[Path]:
        """The sources that a product can depend on."""
        definitions = module_file(self.root, f"grading.exercises.{name.replace('-', '_')}")
        starts: dict[str, list[Path | None]] = {
            "answer key": [definitions],
            "executed solution": [definitions, source_of(name, self.root)],
            "learner's notebook": [self.root / "nbgrader_config.py"],
        }
        files = [*starts[kind], module_file(self.root, MAKING)]
        return sorted(self.imported([file for file in files if file is not None and file.is_file()]))

    def imported(self, starts: Iterable[Path]) -> set[Path]:
        """The files of ours that these files import, directly or through others, themselves included. Every import
        statement counts, in functions and answers too. Raises BuildError."""
        found: set[Path] = set()
        waiting = list(starts)
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                if file not in self.arrows:
                    modules = imports(file, file.read_bytes())
                    self.arrows[file] = [one for module in modules for one in files_on_the_way(self.root, module)]
                waiting += self.arrows[file]
        return found

    def digests(self, files: Iterable[Path]) -> Iterator[str]:
        """Each file's name and digest."""
        for file in files:
            if file not in self.content:
                self.content[file] = f"{file.relative_to(self.root)} {digest_of_file(file)}"
            yield self.content[file]

    def digest(self, kind: str, name: str) -> str:
        """A digest of all that a product is made from, earlier products included as they are now."""
        return digest_of([self.fixed[kind, name], *self.earlier(kind, name)])

    def earlier(self, kind: str, name: str) -> Iterator[str]:
        """What a product takes from earlier ones. Each notebook ends with `progress()`: of notebooks that nobody has
        begun, as the others are when one is built, it shows the names and totals."""
        if kind == "executed solution":
            yield digest_of_file(self.root / product("answer key", name))
            yield from (total(file) for file in sorted((self.root / "helpers" / "keys").glob("*.json")))
        if kind == "learner's notebook":
            yield digest_of_file(self.root / product("executed solution", name))


class Record:
    """What was made from what in a tree."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / RECORD

    def noted(self) -> dict[str, list[str]]:
        """Of each product, a digest of what it was made from and one of itself. What cannot be read counts as none."""
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def is_fresh(self, kind: str, name: str, made_from: str) -> bool:
        """Whether a product is what was made from this."""
        place = product(kind, name)
        return self.noted().get(str(place)) == [made_from, digest_of_file(self.root / place)]

    def note(self, kind: str, name: str, made_from: str) -> None:
        """A product has been made from this."""
        place = product(kind, name)
        entry = [made_from, digest_of_file(self.root / place)]
        write_whole(self.file, json.dumps(self.noted() | {str(place): entry}, indent=1, sort_keys=True) + "\n")


@cache
def imports(file: Path, content: bytes) -> frozenset[str]:
    """The modules that a file may import, by every import statement in it; `from a import b` may mean a.b. Raises
    BuildError."""
    modules: set[str] = set()
    try:
        tree = ast.parse(content, str(file))
    except SyntaxError as error:
        raise BuildError(f"{file}, line {error.lineno}: {error.msg}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(modules)


def files_on_the_way(root: Path, module: str) -> Iterator[Path]:
    """The files that importing a module of ours runs: those of the packages that it lies in, and its own."""
    parts = module.split(".")
    if parts[0] in PACKAGES:
        found = (module_file(root, ".".join(parts[:i])) for i in range(1, len(parts) + 1))
        yield from (file for file in found if file is not None)


def module_file(root: Path, module: str) -> Path | None:
    """The file of a module; None where there is none."""
    place = root / module.replace(".", "/")
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((file for file in candidates if file.is_file()), None)


def data_files(root: Path) -> list[Path]:
    """The data that helpers and definitions may read: all of it but the answer keys, which are products."""
    found = (file for package in PACKAGES for file in (root / package).rglob("*") if file.suffix not in NO_DATA)
    return sorted(file for file in found if file.is_file() and file.parent != root / "helpers" / "keys")


def environment(root: Path) -> str:
    """Python, the machine, and which versions of the packages that the course locks are installed."""
    locked = re.findall(r"^([\w.-]+)==", (root / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join([sys.version, platform.platform(), *(f"{name} {installed(name)}" for name in locked)])


def installed(package: str) -> str:
    """The version of a package that is installed here; nothing if none is. What setuptools brings along for itself, and
    adds to the path once it is imported, is not installed."""
    places = [place for place in sys.path if Path(place).name != "_vendor"]
    found = next(iter(distributions(name=package, path=places)), None)
    return "" if found is None else found.version


def total(key: Path) -> str:
    """A notebook's name and the sum of its points, from its answer key; of a damaged key, all of it."""
    try:
        exercises = json.loads(key.read_text(encoding="utf-8"))["exercises"].values()
        return f"{key.stem} {sum(one['points'] for one in exercises if not one['stretch']):g}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return digest_of_file(key)


def digest_of(texts: Iterable[str]) -> str:
    """One digest of several texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def digest_of_file(file: Path) -> str:
    """A digest of a file's content; of one that is not there, a word."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "missing"
