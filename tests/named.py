"""Tests that documents name, as `file.py::function` below tests/; `[technique]` is a file beside it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent
NAMED = re.compile(r"([\w/]+\.py)::(test_\w+)(?:\[(\w+)\])?")


def is_a_test(name: str) -> bool:
    """Whether there is a test of this name."""
    found = NAMED.fullmatch(name)
    if found is None or found[2] not in definitions(TESTS / found[1]):
        return False
    return found[3] is None or (TESTS / found[1]).with_name(f"{found[3]}.py").is_file()


def source_of(name: str) -> str:
    """The text of a test, and of what it uses of its file and of the conftest.py beside it."""
    found = NAMED.fullmatch(name)
    assert found is not None, f"{name} names no test"
    file = TESTS / found[1]
    known = definitions(file.with_name("conftest.py")) | definitions(file)
    waiting, used = [found[2]], dict[str, str]()
    while waiting:
        if (one := waiting.pop()) not in used and one in known:
            used[one] = ast.unparse(known[one])
            waiting += re.findall(r"\w+", used[one])
    return "\n".join(used.values())


@cache
def definitions(file: Path) -> dict[str, ast.stmt]:
    """What a file defines or imports, by name; nothing where there is no file."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id: node for one in targets if isinstance(one, ast.Name)}
    return found
