"""The house: which module may import which, and no circle. The rules are those of CONTRIBUTING's "Where things are"."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("helpers", "grading", "benchmarks")
ONE_SUBMISSION = ("submission", "source_rules", "slicing", "judge", "verdict", "feedback", "sanitise", "grade")
ABOVE = ("grading.classroom", "grading.building", "grading.command")
# What a part of the house must not import, by the beginning of the module's name.
FORBIDDEN = {
    "helpers": ("grading", "benchmarks", "tests"),
    "helpers.checking": ("helpers.figures",),
    "grading": ("benchmarks", "tests"),
    # the pipeline of one submission knows nothing of a class or of building
    **dict.fromkeys((f"grading.{name}" for name in ONE_SUBMISSION), ABOVE),
    "grading.sandbox": (*ABOVE, "grading.grade", "grading.judge", "grading.exercises"),
    "grading.exercises": (*ABOVE, "grading.grade", "grading.judge"),
    "grading.building": ("grading.classroom", "grading.command", "grading.grade"),
    "grading.classroom": ("grading.building", "grading.command"),
}  # fmt: skip
BY_HAND = {
    "grading.command"
}  # it names the modules behind its subcommands as text, and imports one when it is asked for


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(file): file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))}


def imports_of(name: str) -> set[str]:
    """The modules of ours that a module imports, in functions too. What an answer inside a definition imports is part
    of that answer, and a package's own __init__ comes with its modules."""
    file, found = FILES[name], set[str]()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if file.parent.name == "exercises" else [n for n in ast.walk(tree) if not is_for_types(n)]
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return {module for module in found if module in FILES} - {name, *packages_of(name)}


def packages_of(name: str) -> set[str]:
    """The packages that a module lies in."""
    parts = name.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}


def is_for_types(node: ast.AST) -> bool:
    """Whether a node only serves the type checker; its own children are walked as well, so they are emptied."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        node.body = []
        return True
    return False


IMPORTS = {name: imports_of(name) for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_arrows_run_one_way(name: str) -> None:
    for part, forbidden in FORBIDDEN.items():
        if name == part or name.startswith(part + "."):
            wrong = {m for m in IMPORTS[name] if any(m == f or m.startswith(f + ".") for f in forbidden)}
            assert not wrong, f"{name} imports {sorted(wrong)}, which {part} must not know"


def test_there_is_no_circle() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other in a circle: {' -> '.join(error.args[1])}")


def test_no_production_code_imports_tests() -> None:
    for name, file in FILES.items():
        if not name.startswith("benchmarks"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not [module for module in modules if module.split(".")[0] == "tests"], name


def test_learners_are_sent_to_no_room_that_they_do_not_have() -> None:
    """They have notebooks/ and helpers/: what these show them names no module or command of the others."""
    rooms = re.compile(r"\b(python -m|from|import) (grading|benchmarks|tests)\b|\b(grading|solutions|benchmarks)/")
    texts = {str(file): file.read_text(encoding="utf-8") for file in (ROOT / "notebooks").rglob("*.ipynb")}
    for name, file in FILES.items():
        if name.startswith("helpers"):
            texts |= {f"{name}:{node.lineno}": node.value for node in shown_texts(file)}
    assert {where: found[0] for where, text in texts.items() if (found := rooms.search(text))} == {}


def shown_texts(file: Path) -> list[Any]:
    """The texts in a module that are no docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node for node in texts if id(node) not in said]


def test_the_rules_speak_of_modules_that_there_are() -> None:
    for part in FORBIDDEN:
        assert part in FILES, part


def test_every_room_is_on_the_page_for_newcomers() -> None:
    """CONTRIBUTING's picture of the house has every module of grading, of helpers/checking and of benchmarks."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    start = text.index("```text") + len("```text")
    words = set(text[start : text.index("```", start)].replace("/", " ").replace(",", " ").replace(";", " ").split())
    for name in FILES:
        if (
            name.startswith(("grading.", "helpers.checking.", "benchmarks."))
            and not name.rpartition(".")[2][0].isdigit()
        ):
            assert name.rpartition(".")[2] in words, f"CONTRIBUTING.md's picture of the house lacks {name}"
