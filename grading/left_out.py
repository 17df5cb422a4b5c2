"""What learners' own cells, which are not graded, have to do with their answers, so that they can be told.

A check in the notebook sees all that has run there; grading sees the course's cells alone."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from helpers.checking.names import global_names, names_imported_by


def used_from_elsewhere(
    answers: Mapping[str, str], left_out: Iterable[str], ours: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    """Each answer that uses names which only cells that are left out bind, with these names. All are texts of cells."""
    elsewhere = set().union(*map(bound_in, left_out))
    elsewhere -= set().union(*map(bound_in, (*ours, *answers.values())))
    for name, text in answers.items() if elsewhere else ():
        if (tree := tree_of(text)) is not None and (used := global_names(tree) & elsewhere):
            yield name, sorted(used)


def is_rest_of(part: str, whole: str) -> bool:
    """Whether a second cell of one name is the rest of a cell that was split, not a copy of it: it is no part of the
    first, and binds nothing that the first binds."""
    return part.strip() not in whole and not (bound_in(part) & bound_in(whole))


def bound_in(text: str) -> set[str]:
    """The names that a cell's text defines, imports or sets outside of functions; none where it is no Python."""
    found = set[str]()
    waiting: list[ast.AST] = [tree_of(text) or ast.Module([], [])]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {name for name, _ in names_imported_by(node) if " " not in name}
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            waiting += ast.iter_child_nodes(node)
    return found


def tree_of(text: str) -> ast.Module | None:
    """A text as Python; None where it is none."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
