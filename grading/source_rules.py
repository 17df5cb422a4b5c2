"""Read the source rules of an exercise in the text of a submission, which is never run here.

The learner's own check reads the function that is there; the grader has only the text, so it reads every way in which
the text could have made that function.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Sequence

from helpers.checking import rules
from helpers.checking.names import Meaning, imported_names
from helpers.checking.shapes import ExerciseData, Rules

PARSING = (SyntaxError, ValueError, RecursionError, MemoryError)
ANY_NAME = {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "__import__"}
ANY_ATTRIBUTE = {"__dict__", "__globals__", "__code__", "__defaults__", "__setattr__", "modules", "user_ns"}
BINDING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class AnswerText:
    """The cells of a submission, read once: their trees, and what each name may mean."""

    def __init__(self, sources: Sequence[str]):
        self.trees = [tree for source in sources if (tree := parse(source)) is not None]
        self.bindings = bindings_of(self.trees)
        imports = [pair for tree in self.trees for pair in imported_names(tree)]
        self.starred = {path for name, path in imports if name == "*" and path in sys.modules}
        self.imported: dict[str, list[str]] = {}
        for statement in (one for tree in self.trees for one in statements(tree.body) if is_import(one)):
            for name, path in imported_names(statement):
                self.imported.setdefault(name, []).append(path)
        self.anything = [statement for tree in self.trees for statement in tree.body if rebinds_anything(statement)]
        self.found: dict[tuple[str, ...], str | None] = {}

    def meaning(self, name: str) -> list[Meaning] | None:
        """What a name may mean: dotted paths, and statements that bind it; None where nothing does."""
        paths = [*self.imported.get(name, [])]
        paths += [f"{module}.{name}" for module in self.starred if hasattr(sys.modules[module], name)]
        paths += [name] if hasattr(builtins, name) else []
        return [*paths, *(one for one in self.bindings.get(name, []) if not is_import(one))] or None

    def broken_rule(self, exercise: ExerciseData) -> str | None:
        """The sentence of the source rule that an exercise's functions break, or None; looked for once."""
        functions = tuple(exercise["functions"])
        if functions not in self.found:
            self.found[functions] = self.search(functions, exercise["rules"])
        return self.found[functions]

    def search(self, functions: Iterable[str], rules_of_exercise: Rules) -> str | None:
        """The first rule that one of the functions breaks."""
        for function in functions:
            made_by = last_meanings(self.bindings.get(function, []), self.trees) + self.anything
            try:
                tree = ast.Module(made_by, [])
                found = rules.violation(tree, rules_of_exercise, self.meaning) if made_by else None
            except RecursionError:
                found = "The answer is nested too deeply to be read."
            if found:
                return found
        return None


def parse(source: str) -> ast.Module | None:
    """The tree of a cell, or None where it is no Python, and so defined nothing."""
    try:
        return ast.parse(source)
    except PARSING:
        return None


def bindings_of(trees: Iterable[ast.Module]) -> dict[str, list[ast.stmt]]:
    """For each name the statements, in all cells and at any depth, that may give it a meaning in the notebook."""
    found: dict[str, list[ast.stmt]] = {}
    for tree in trees:
        for statement in statements(tree.body):
            for name in bound_names(statement):
                found.setdefault(name, []).append(statement)
    return found


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at the notebook's own level, those inside `if`, `for`, `with` and `try` too, and those inside
    functions that declare a name global."""
    stack = list(reversed(body))  # not by recursion: a chain of a thousand `elif` is nested a thousand deep
    while stack:
        statement = stack.pop()
        yield statement
        stack += reversed(inner_statements(statement))


def inner_statements(statement: ast.stmt) -> list[ast.stmt]:
    """The statements directly inside one that may bind a name of the notebook's own level."""
    if isinstance(statement, ast.ClassDef):
        return []
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement.body if any(isinstance(node, ast.Global) for node in ast.walk(statement)) else []
    inner = [part for name in ("body", "orelse", "finalbody") for part in getattr(statement, name, [])]
    inner += [part for handler in getattr(statement, "handlers", []) for part in handler.body]
    return inner + [part for case in getattr(statement, "cases", []) for part in case.body]


def bound_names(statement: ast.stmt) -> set[str]:
    """The names that a statement itself binds, or changes what they are; those inside it bind for themselves."""
    if isinstance(statement, BINDING):
        return {statement.name}
    names = {name for name, _ in imported_names(statement) if " " not in name} if is_import(statement) else set()
    for node in own_nodes(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)) and not isinstance(node.ctx, ast.Load):
            names |= {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}  # x.a = 1 changes what x is
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def is_import(statement: ast.stmt) -> bool:
    """Whether a statement imports."""
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those of statements inside it."""
    queue: list[ast.AST] = [statement]
    while queue:
        node = queue.pop()
        yield node
        queue += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def rebinds_anything(statement: ast.stmt) -> bool:
    """Whether a statement holds a way to give any name a meaning that its text does not show."""
    nodes = list(ast.walk(statement))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return bool(called & ANY_NAME) or any(isinstance(n, ast.Attribute) and n.attr in ANY_ATTRIBUTE for n in nodes)


def last_meanings(found: list[ast.stmt], trees: Sequence[ast.Module]) -> list[ast.stmt]:
    """What can be a name's last meaning: its last binding at the top of a cell, and all deeper ones, which may come
    later. An earlier attempt that a later one replaces is not held against the learner."""
    top = {id(statement) for tree in trees for statement in tree.body}
    plain = [statement for statement in found if id(statement) in top and is_definite(statement)]
    replaced = {id(statement) for statement in plain[:-1]}
    return [statement for statement in found if id(statement) not in replaced]


def is_definite(statement: ast.stmt) -> bool:
    """Whether a statement surely binds what it binds."""
    return isinstance(statement, (*BINDING, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom))
