"""Source rules: what the text of an answer may and must not call.

An exercise about *how* a number is computed cannot be judged by numbers alone. Its rules are plain data:

forbid   names that are the exercise itself: an import, attribute or method with that name
modules  modules that may not be used at all, such as "helpers"
require  names of which at least one must be called
because  the sentence that the learner reads

The answer is read, never run. Names are followed through imports, aliases and the learner's own functions; ways to
reach a name without writing it (eval, getattr with a computed name, importlib) are not allowed where a rule stands.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

Meaning = str | ast.AST | None
Scope = Callable[[str], Meaning]

HIDDEN_WAYS = {
    "eval", "exec", "compile", "__import__", "importlib", "globals", "locals", "vars", "builtins", "__builtins__",
    "__dict__", "__getattribute__", "attrgetter", "methodcaller", "modules", "_C", "ops", "ctypes", "pickle",
    "marshal", "gc", "inspect", "get_ipython", "__globals__", "__code__", "__subclasses__", "__loader__", "runpy",
}  # fmt: skip

HARMLESS = {"helpers.check", "helpers.hint", "helpers.progress"} | {
    f"helpers.checking.{name}" for name in ("check.check", "check.hint", "progress.progress")
}


def violation(tree: ast.AST, rules: dict[str, Any], scope: Scope) -> str | None:
    """The sentence of the first rule that the answer breaks, or None. `scope` tells what a name from outside means: a
    dotted path, the syntax tree of the learner's own definition, or None."""
    if not rules:
        return None
    forbid, modules, require = (set(rules.get(key, ())) for key in ("forbid", "modules", "require"))
    met = not require
    for path, imported in mentioned(tree, scope):
        parts = path.split(".")
        if hidden := HIDDEN_WAYS.intersection(parts):
            return f"{sorted(hidden)[0]} hides what is called; write the call out. {rules.get('because', '')}".strip()
        if path in HARMLESS:
            continue
        if any(path == module or path.startswith(module + ".") for module in modules):
            return f"{path} is not an answer here. {rules.get('because', '')}".strip()
        if found := forbid.intersection(parts if imported else parts[-1:]):
            return f"{sorted(found)[0]} is not an answer here. {rules.get('because', '')}".strip()
        met = met or bool(require.intersection(parts))
    if not met:
        return f"The answer does not use {' or '.join(rules['require'])}. {rules.get('because', '')}".strip()
    return None


def mentioned(tree: ast.AST, scope: Scope) -> Iterator[tuple[str, bool]]:
    """Every dotted name that the answer mentions, with whether it comes from an import; the learner's own functions are
    followed, once each."""
    queue, seen = [tree], set[str]()
    while queue:
        body = queue.pop()
        imports = dict(imported_names(body))
        local = defined_names(body)
        for _, path in imported_names(body):
            yield path, True
        for chain, root in chains(body):
            if root in imports:
                yield ".".join([imports[root], *chain]), True
                continue
            meaning = scope(root) if root and root not in local else None
            if isinstance(meaning, str):
                yield ".".join([meaning, *chain]), True
            elif chain:
                yield ".".join(chain), False
            elif root in HIDDEN_WAYS:
                yield root, False
            if isinstance(meaning, ast.AST) and root not in seen:
                seen.add(root)
                queue.append(meaning)


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(name, dotted path) for every import in `tree`; a star import gives the module itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0], alias.name.split(".")[0])
                )
                yield f"import {alias.name}", alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}".removesuffix(".*")


def defined_names(tree: ast.AST) -> set[str]:
    """Names that `tree` binds itself: parameters, assignments, loops. An assigned alias is seen where it is
    assigned."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    inner = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    return names | {node.name for node in inner}


def chains(tree: ast.AST) -> Iterator[tuple[list[str], str]]:
    """(attributes, root name) of every name and attribute; the root is "" where it is an expression."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield [], node.id
        elif isinstance(node, ast.Attribute):
            attributes, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                attributes.insert(0, base.attr)
                base = base.value
            yield attributes, base.id if isinstance(base, ast.Name) else ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
            name = node.args[1] if len(node.args) > 1 else None
            known = isinstance(name, ast.Constant) and isinstance(name.value, str)
            yield [str(name.value) if known and isinstance(name, ast.Constant) else "__getattribute__"], ""


def scope_of(function: Any) -> Scope:
    """What names mean to a live function: read from its module's globals."""
    space = getattr(function, "__globals__", {})

    def meaning(name: str) -> Meaning:
        return meaning_of(space[name], getattr(function, "__module__", None)) if name in space else None

    return meaning


def meaning_of(value: Any, home: str | None) -> Meaning:
    """A module or a foreign function as its dotted path; a function of the learner's own as its syntax tree."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, FunctionType) and value.__module__ == home:
        return tree_of(value)
    if isinstance(value, (FunctionType, BuiltinFunctionType, type)) or type(value).__name__ == "OpOverloadPacket":
        return f"{getattr(value, '__module__', None) or 'builtins'}.{value.__name__}"
    return None


def tree_of(function: Any) -> ast.AST | None:
    """The syntax tree of a live function, or None where its text cannot be had. The text of a lambda is its whole line; only
    the lambdas on it count."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError, IndentationError, ValueError):
        return None
    if getattr(function, "__name__", "") == "<lambda>":
        return ast.Module([ast.Expr(node) for node in ast.walk(tree) if isinstance(node, ast.Lambda)], type_ignores=[])
    return tree


def scope_of_sources(sources: Iterable[str]) -> Scope:
    """What names mean to the cells of a notebook, by their text alone; the last definition of a name counts."""
    meanings: dict[str, Meaning] = {}
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        meanings.update({name: path for name, path in imported_names(tree) if " " not in name})
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                meanings[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}
                meanings.update(dict.fromkeys(names, node.value))
    return meanings.get
