"""Source rules: what the text of an answer may and must not call.

An exercise about *how* a number is computed cannot be judged by numbers alone. Its rules are plain data:

forbid   names that are the exercise itself: an import, attribute or method with that name
modules  modules that may not be used at all, such as "helpers"
require  names of which at least one must be called
kernel   true where the answer must start a kernel of its own (see `kinds.kernels`)
because  the sentence that the learner reads

The answer is read, never run. Names are followed through imports, aliases and the learner's own functions; ways to
reach a name without writing it (eval, getattr with a computed name, importlib) are not allowed.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from types import ModuleType
from typing import Any

from helpers.checking.kinds.kernels import kernel_violation
from helpers.checking.names import Meaning, Scope, mentioned, within
from helpers.checking.shapes import Rules

# Built-in functions, attributes and modules by which a name can be reached without being written.
HIDDEN_NAMES = {
    "eval", "exec", "compile", "globals", "locals", "vars", "getattr", "setattr", "get_ipython",
    "__import__", "__builtins__", "__loader__",
}  # fmt: skip
HIDDEN_ATTRIBUTES = {
    "__dict__", "__getattribute__", "__getattr__", "__globals__", "__builtins__", "__code__", "__subclasses__",
    "__loader__", "__import__", "attrgetter", "methodcaller", "_C", "get_ipython",
}  # fmt: skip
HIDDEN_MODULES = (
    "builtins", "ctypes", "gc", "importlib", "inspect", "marshal", "pickle", "runpy", "sys.modules", "torch.ops",
)  # fmt: skip
# The course's own functions that may stand on the line of an answer.
HARMLESS = {"helpers.check", "helpers.hint", "helpers.progress"} | {
    f"helpers.checking.{name}" for name in ("check.check", "check.hint", "progress.progress")
}
# Where a function without a Python module of its own is known from, most telling first.
HOMES = ("torch.nn.functional", "torch.special", "torch.linalg", "torch", "scipy.special", "numpy")


def violation(tree: ast.AST, rules: Rules, scope: Scope) -> str | None:
    """The sentence of the first rule that the answer breaks, or None. `scope` tells what a name from outside may mean:
    dotted paths, syntax trees of the learner's own definitions; None where it is defined nowhere."""
    forbid, modules, require = set(rules["forbid"]), rules["modules"], set(rules["require"])
    because = rules["because"]
    met = not require
    for path, rooted in mentioned(tree, scope):
        parts = path.split(".")
        if hidden := hiding(path, parts, rooted):
            return f"{hidden} hides what is called; write the call out. {because}".strip()
        if path in HARMLESS:
            continue
        if any(within(path, module) if rooted else module.split(".")[-1] in parts for module in modules):
            return f"{path} is not an answer here. {because}".strip()
        if found := forbid.intersection(parts):
            return f"{sorted(found)[0]} is not an answer here. {because}".strip()
        met = met or bool(require.intersection(parts))
    if not met:
        return f"The answer does not use {' or '.join(rules['require'])}. {because}".strip()
    return kernel_violation(tree, scope) if rules.get("kernel") else None


def hiding(path: str, parts: list[str], rooted: bool) -> str | None:
    """The part of a path by which another name could be reached unseen."""
    if rooted and (path in HIDDEN_NAMES or any(within(path, module) for module in HIDDEN_MODULES)):
        return path
    return next((part for part in parts if part in HIDDEN_ATTRIBUTES), None)


def scope_of(function: Any) -> Scope:
    """What names mean to a live function: read from its module's globals."""
    space = getattr(function, "__globals__", {})
    home = getattr(function, "__module__", None)
    return lambda name: meanings_of(space[name], home) if name in space else None


def meanings_of(value: Any, home: str | None) -> list[Meaning]:
    """A module or a library's function as its dotted path; the learner's own function or class as its syntax tree."""
    if isinstance(value, ModuleType):
        return [value.__name__]
    inner = getattr(value, "func", value)  # functools.partial
    while hasattr(inner, "fn"):  # a kernel of Triton's, perhaps an autotuned one
        inner = inner.fn
    target = inspect.unwrap(inner)  # functools.cache
    if not isinstance(getattr(target, "__name__", None), str):
        target = type(target)  # an object, perhaps one that can be called, such as nn.KLDivLoss()
    if getattr(target, "__module__", None) != home:
        return [known_as(target)] if callable(value) else []
    tree = tree_of(target)
    return [] if tree is None else [tree]


def known_as(value: Any) -> str:
    """The path under which a library's function is known: torch.special.entr, not torch._C._special.special_entr."""
    name = value.__name__
    for home in HOMES:
        for known in (name, name.partition("_")[2]):
            if known and getattr(sys.modules.get(home), known, None) is value:
                return f"{home}.{known}"
    module = getattr(value, "__module__", None)
    return name if module in (None, "builtins") else f"{module}.{name}"


def tree_of(function: Any) -> ast.AST | None:
    """The syntax tree of a live function, or None where its text cannot be had. The text of a lambda is its whole line;
    only the lambdas on it count."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    if getattr(function, "__name__", "") == "<lambda>":
        return ast.Module([ast.Expr(node) for node in ast.walk(tree) if isinstance(node, ast.Lambda)], type_ignores=[])
    return tree
