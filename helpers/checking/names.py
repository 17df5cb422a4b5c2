"""What the names in an answer's text mean: dotted paths of libraries, and the learner's own definitions."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Callable, Iterator, Sequence

Meaning = str | ast.AST
Scope = Callable[[str], Sequence[Meaning] | None]


def within(path: str, module: str) -> bool:
    """Whether a dotted path is a module or in it."""
    return path == module or path.startswith(module + ".")


def mentioned(tree: ast.AST, scope: Scope) -> Iterator[tuple[str, bool]]:
    """Every dotted path that the answer mentions, with whether it starts at a name from outside (else at a local name
    or an expression); the learner's own definitions are followed, once each."""
    queue, seen, read = [tree], set[str](), set[int]()
    while queue:
        body = queue.pop()
        if id(body) in read:  # one statement may define many names
            continue
        read.add(id(body))
        imports = dict(imported_names(body))
        outside = global_names(body)
        yield from ((path, True) for _, path in imported_names(body))
        for chain, root in chains(body):
            if root in imports:
                yield dotted(imports[root], *chain), True
                continue
            meanings = scope(root) if root in outside else []
            if meanings is None:  # a built-in name, or one from a star import
                yield dotted(root, *chain), True
                continue
            paths = [meaning for meaning in meanings if isinstance(meaning, str)]
            yield from ((dotted(path, *chain), True) for path in paths)
            if chain and not paths:
                yield dotted(*chain), False
            if root not in seen:
                seen.add(root)
                queue += [meaning for meaning in meanings if isinstance(meaning, ast.AST)]


def dotted(*names: str) -> str:
    """A dotted path; `sys` by itself may be asked for its modules later."""
    return "sys.modules" if names == ("sys",) else ".".join(names)


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(name, dotted path) for every import in `tree`; a star import gives the module itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (package, package)
                yield f"import {alias.name}", alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}".removesuffix(".*")


def global_names(tree: ast.AST) -> set[str]:
    """Names that some scope in `tree` looks up outside of it, by Python's own rules."""
    try:
        tables = [symtable.symtable(ast.unparse(tree), "answer", "exec")]
    except (SyntaxError, ValueError, RecursionError):
        return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        either = table.get_type() == "class"  # a class's own name means the outer one until it is bound
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (either or s.is_global())}
    return names


def chains(tree: ast.AST) -> Iterator[tuple[list[str], str]]:
    """(attributes, root name) of every name and attribute, the longest chain of each; the root is "" where it is an
    expression. `getattr(x, "name")` counts as x.name."""
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in inner:
            yield [], node.id
        elif isinstance(node, ast.Attribute) and node not in inner:
            attributes, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                inner.add(base)
                attributes.insert(0, base.attr)
                base = base.value
            inner.add(base)
            yield attributes, base.id if isinstance(base, ast.Name) else ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            name = node.args[1] if len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                inner.add(node.func)
                yield [name.value], ""
