"""The answers that live in a definition, as the text of a cell that a learner could have handed in."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

from grading.exercises import load

Definition = ast.FunctionDef | ast.ClassDef


class NoText(ValueError):
    """An answer that needs what only the definitions have."""


@dataclass(frozen=True)
class Source:
    """A notebook's definitions: functions and classes by name, without the decorators that make exercises of them, and
    what else binds a name."""

    definitions: dict[str, Definition]
    statements: list[ast.stmt]


@cache
def source_of(notebook: str) -> Source:
    """The definitions of a notebook, read."""
    module = importlib.import_module(f"grading.exercises.{notebook.replace('-', '_')}")
    tree = ast.parse(inspect.getsource(module))
    definitions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    exercises = load(notebook).keys()
    ours = {"exercise", *exercises, *(name for name, node in definitions.items() if is_about(node, exercises))}
    for node in definitions.values():
        node.decorator_list = [one for one in node.decorator_list if not ours & names_in(one)]
    others = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    inner = [one for node in others for one in (node.body if isinstance(node, ast.Try) else [node])]
    return Source(definitions, inner)


def names_in(tree: ast.AST) -> set[str]:
    """The names that a tree reads or binds."""
    return {leaf.id for leaf in ast.walk(tree) if isinstance(leaf, ast.Name)}


def own_names(tree: ast.AST) -> set[str]:
    """The parameters and variables of a function, its inner functions included."""
    stored = {leaf.id for leaf in ast.walk(tree) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}
    return stored | {leaf.arg for leaf in ast.walk(tree) if isinstance(leaf, ast.arg)}


def answer_text(notebook: str, functions: Mapping[str, Any]) -> str:
    """The cell that hands in `functions` (by the names that the exercise asks for), with the imports and helpers that
    they need; other exercises' functions come from their own cells. Raises NoText where there is none."""
    if all(hasattr(function, "always") for function in functions.values()):  # see `written.returning`
        return "\n\n\n".join(f"def {name}():\n    return {one.always!r}" for name, one in functions.items())
    wanted = {}
    for name, function in functions.items():
        if not isinstance(function, FunctionType) or function.__name__ not in source_of(notebook).definitions:
            raise NoText(f"{name} of {notebook} has no definition of its own")
        wanted[function.__name__] = name
    needed, statements = closure(notebook, wanted, functions)
    taken = {old: f"{old}_before" for old in needed if old in wanted.values() and old not in wanted}
    body = sorted([*statements, *needed.values()], key=lambda node: node.lineno)  # a statement may call a helper
    tree = copy.deepcopy(ast.Module(body=body, type_ignores=[]))
    rename(tree, {**taken, **wanted})
    return ast.unparse(tree)


def closure(notebook: str, wanted: Iterable[str], asked: Iterable[str]) -> tuple[dict[str, Definition], list[ast.stmt]]:
    """The definitions and the statements that some functions need, directly or not. Raises NoText where one of them
    comes from the definitions' own rooms."""
    source = source_of(notebook)
    elsewhere = load(notebook).keys() - set(asked)
    needed: dict[str, Definition] = {}
    statements: list[ast.stmt] = []
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name in source.definitions and name not in needed and (name in wanted or name not in elsewhere):
            needed[name] = source.definitions[name]
            queue += names_in(needed[name]) - own_names(needed[name])
        for node in source.statements:
            if node not in statements and name in bound_by(node):
                refuse_own_rooms(node, load(notebook).keys())
                statements.append(node)
                queue += names_in(node)
    ordered = [node for node in source.statements if node in statements]
    return {name: node for name, node in source.definitions.items() if name in needed}, ordered


def bound_by(node: ast.stmt) -> set[str]:
    """The names that a statement binds at the top of a module."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}


def refuse_own_rooms(node: ast.stmt, exercises: Collection[str]) -> None:
    """Raise NoText for an import from where learners have nothing, and for what is done with an exercise."""
    module = getattr(node, "module", None) or ""
    if module.startswith("grading"):
        raise NoText(f"it needs {module}")
    if is_about(node, exercises):
        raise NoText("it is made from an exercise")


def is_about(node: ast.stmt, exercises: Collection[str]) -> bool:
    """Whether the body of a definition, or a statement, looks into an exercise."""
    parts = node.body if isinstance(node, ast.FunctionDef) else [node]
    looked_into = [leaf.value for part in parts for leaf in ast.walk(part) if isinstance(leaf, ast.Attribute)]
    return any(isinstance(value, ast.Name) and value.id in exercises for value in looked_into)


def rename(tree: ast.AST, names: Mapping[str, str]) -> None:
    """Give definitions, and whoever calls them, the names that a learner would."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            node.name = names.get(node.name, node.name)
