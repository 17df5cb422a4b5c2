"""What the names in an answer's text mean: dotted paths of libraries, and the learner's own definitions."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Meaning = str | ast.AST
Scope = Callable[[str], Sequence[Meaning] | None]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
IN_LINE = (ast.ListComp, ast.SetComp, ast.DictComp)
GENERATOR = "genexpr"  # what symtable calls the scope of one, which runs at once


class Live(str):
    """The dotted path of what a live name holds: its home may be a private one, which the answer has not written."""


@dataclass(frozen=True)
class Mention:
    """A dotted path that an answer mentions. It is `rooted` where it starts at a name from outside, else it starts at a
    local name or an expression; `own` where it starts at something of the learner's own, such as self. `named` where a
    name is given to it and nothing else is done, by an import or by an assignment; `known` where it starts at a module
    or a built-in function, else at a name that is defined nowhere or at a live value."""

    path: str
    rooted: bool
    own: bool = False
    named: bool = False
    known: bool = True

    @property
    def parts(self) -> list[str]:
        """The names in the path."""
        return self.path.split(".")


@dataclass(frozen=True)
class Chain:
    """A name with attributes, as written: the longest of each. `root` is "" where it starts at an expression, and the
    name of the function where that is a call of one, with `called`."""

    root: str
    attributes: tuple[str, ...]
    node: ast.AST
    called: bool = False


def within(path: str, module: str) -> bool:
    """Whether a dotted path is a module or in it."""
    return path == module or path.startswith(module + ".")


def mentioned(tree: ast.AST, scope: Scope) -> Iterator[Mention]:
    """Everything that the answer mentions; the learner's own definitions are followed, once each."""
    queue, seen, read = [tree], set[str](), set[int]()
    while queue:
        body = queue.pop()
        if id(body) in read:  # one statement may define many names
            continue
        read.add(id(body))
        found, names = mentions_in(body, scope)
        yield from found
        for name in names - seen:
            queue += [meaning for meaning in scope(name) or () if isinstance(meaning, ast.AST)]
        seen |= names


def mentions_in(body: ast.AST, scope: Scope) -> tuple[list[Mention], set[str]]:
    """What one tree mentions, and the names from outside in it that may be the learner's own."""
    body = with_attributes_for_getattr(body)
    outside, chains, own = global_names(body), list(chains_in(body)), names_of_self(body)
    renamed, values = aliases(body, chains, outside, scope)
    found = [Mention(path, True, named=True) for paths in imported(body).values() for path in paths]
    names = set[str]()
    for chain in chains:
        root, rest = chain.root, chain.attributes
        alias = chain.node in values
        if root in renamed:
            found += [Mention(dotted(path, *rest), True, named=alias) for path in renamed[root] if not chain.called]
            if chain.called and rest:
                found.append(Mention(dotted(*rest), False))
            continue
        meanings = scope(root) if root in outside else []
        names |= {root} if root in outside else set()
        if chain.called:  # what the call gives is the learner's own where the class is
            ours = bool(meanings) and all(isinstance(one, ast.ClassDef) for one in classes(meanings or []))
            found.append(Mention(dotted(*rest), False, own=ours))
        elif meanings is None:  # a built-in name, or one from a star import
            found.append(Mention(dotted(root, *rest), True, named=alias, known=hasattr(builtins, root)))
        else:
            paths = [meaning for meaning in meanings if isinstance(meaning, str)]
            found += [Mention(dotted(p, *rest), True, named=alias, known=not isinstance(p, Live)) for p in paths]
            if rest and not paths:
                found.append(Mention(dotted(*rest), False, own=bool(meanings) or root in own))
    return found, names


def classes(meanings: Sequence[Meaning]) -> list[Meaning]:
    """Meanings, a tree of a single statement as that statement."""
    return [m.body[0] if isinstance(m, ast.Module) and len(m.body) == 1 else m for m in meanings]


def dotted(*names: str) -> str:
    """A dotted path."""
    return ".".join(names)


def imported(tree: ast.AST) -> dict[str, list[str]]:
    """The dotted paths that each imported name in `tree` may mean. `import a.b` gives a under its name and mentions a.b
    under a name that no text has; a star import gives the module itself."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, path in names_imported_by(node):
                found.setdefault(name, []).append(path)
    return found


def names_imported_by(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """(name, dotted path) for all that one statement imports."""
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}".removesuffix(".*")
        return
    for alias in node.names:
        package = alias.name.split(".")[0]
        yield (alias.asname, alias.name) if alias.asname else (package, package)
        yield f"import {alias.name}", alias.name


def aliases(
    body: ast.AST, chains: Sequence[Chain], outside: set[str], scope: Scope
) -> tuple[dict[str, list[str]], set[ast.AST]]:
    """The dotted paths of imported names, and of names that stand for one: F = torch.nn.functional. And the nodes of
    such values. An attribute of a class is no such name: it is reached through the class."""
    known, values = imported(body), set[ast.AST]()
    written = {chain.node: chain for chain in chains}
    of_classes = {one for node in ast.walk(body) if isinstance(node, ast.ClassDef) for one in node.body}
    for node in ast.walk(body):
        if not isinstance(node, ast.Assign) or node in of_classes or node.value not in written:
            continue
        if not all(isinstance(target, ast.Name) for target in node.targets):
            continue
        values.add(node.value)
        chain = written[node.value]
        meanings: Sequence[Meaning] = (
            known.get(chain.root) or (scope(chain.root) if chain.root in outside else ()) or ()
        )
        paths = [dotted(one, *chain.attributes) for one in meanings if isinstance(one, str)]
        if paths and not chain.called:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    known.setdefault(target.id, []).extend(paths)
    return known, values


def global_names(tree: ast.AST) -> set[str]:
    """Names that some scope in `tree` looks up outside of it, by Python's own rules."""
    at_once, later = names_looked_up(tree)
    return at_once | later


def names_looked_up(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Names that `tree` looks up outside of itself: as it runs, and when the functions inside it are called. A name may
    be in both."""
    try:
        top = symtable.symtable(ast.unparse(with_generators(tree)), "answer", "exec")
    except (SyntaxError, ValueError, RecursionError):
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        return names, names
    at_once, later = set[str](), set[str]()
    tables = [(top, at_once)]
    while tables:
        table, found = tables.pop()
        is_class = table.get_type() == "class"  # a class's own name means the outer one until it is bound
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (is_class or s.is_global())}
        for inner in table.get_children():
            waits = inner.get_type() == "function" and inner.get_name() != GENERATOR
            tables.append((inner, later if waits else found))
    return at_once, later


def with_generators(tree: ast.AST) -> ast.AST:
    """The tree with generators in place of its comprehensions, which look up the same names. From Python 3.12 on the
    table of symbols has the variables of a comprehension among those of the scope around it (PEP 709)."""
    if not any(isinstance(node, IN_LINE) for node in ast.walk(tree)):
        return tree
    return Generators().visit(ast.parse(ast.unparse(tree)))  # type: ignore[no-any-return] # the tree itself is kept


class Generators(ast.NodeTransformer):
    """Writes comprehensions as generators."""

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """A comprehension of a list."""
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        """A comprehension of a set."""
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        """A comprehension of a dictionary."""
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def chains_in(tree: ast.AST) -> Iterator[Chain]:
    """Every name and attribute in `tree`, the longest chain of each; the keywords of a class pattern are attributes."""
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in inner:
            yield Chain(node.id, (), node)
        elif isinstance(node, ast.Attribute) and node not in inner:
            attributes, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                inner.add(base)
                attributes.insert(0, base.attr)
                base = base.value
            inner.add(base)
            if isinstance(base, ast.Call) and isinstance(base.func, ast.Name):
                yield Chain(base.func.id, tuple(attributes), node, called=True)
            else:
                yield Chain(base.id if isinstance(base, ast.Name) else "", tuple(attributes), node)
        elif isinstance(node, ast.MatchClass):
            yield from (Chain("", (name,), node) for name in node.kwd_attrs)


def names_of_self(tree: ast.AST) -> set[str]:
    """What the methods of classes in `tree` call their own object: their first parameter."""
    methods = [one for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for one in node.body]
    found = set()
    for method in methods:
        if isinstance(method, FUNCTION) and not any(static(decorator) for decorator in decorators(method)):
            first = [*method.args.posonlyargs, *method.args.args][:1]
            found |= {argument.arg for argument in first}
    return found


def decorators(node: ast.AST) -> list[ast.expr]:
    """The decorators of a definition."""
    return getattr(node, "decorator_list", [])


def static(decorator: ast.expr) -> bool:
    """Whether a decorator makes a method static."""
    return isinstance(decorator, ast.Name) and decorator.id == "staticmethod"


def with_attributes_for_getattr(tree: ast.AST) -> ast.AST:
    """The tree with `getattr(x, "name")` and `hasattr(x, "name")` written as x.name; itself where there are none."""
    if not any(is_written_getattr(node) for node in ast.walk(tree)):
        return tree
    copy = ast.parse(ast.unparse(tree))  # the tree itself is kept as it is
    return ast.fix_missing_locations(ast.Module([WrittenOut().visit(node) for node in copy.body], []))


def is_written_getattr(node: ast.AST) -> bool:
    """Whether a node asks for an attribute by a name that is written there."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or len(node.args) < 2:
        return False
    name = node.args[1]
    written = isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.isidentifier()
    return node.func.id in ("getattr", "hasattr") and written


class WrittenOut(ast.NodeTransformer):
    """Writes getattr with a name that is written there as an attribute; the default stays beside it."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call."""
        self.generic_visit(node)
        if not is_written_getattr(node):
            return node
        attribute = ast.Attribute(node.args[0], node.args[1].value, ast.Load())  # type: ignore[attr-defined] # a text
        return ast.Tuple([attribute, *node.args[2:]], ast.Load()) if node.args[2:] else attribute


def defined_inside(tree: ast.AST) -> set[str]:
    """The names of methods and attributes that the learner's own classes define in `tree`, or set on an object."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found |= {one.name for one in node.body if isinstance(one, (*FUNCTION[:2], ast.ClassDef))}
            found |= {leaf.id for one in node.body for leaf in targets(one)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def targets(statement: ast.stmt) -> list[ast.Name]:
    """The plain names that a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return [target for target in statement.targets if isinstance(target, ast.Name)]
    return [statement.target] if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) else []
