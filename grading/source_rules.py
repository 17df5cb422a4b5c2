"""Read the source rules of an exercise in the text of a submission, which is never run here.

The learner's own check reads the function that is there; the grader has only the text, so it reads every way in which
the text could have made that function. And what it has read is all that runs: an exercise is called in a process of its
own in which the statements of its `plan` have run, and no others.

Reading takes time and memory that the text decides, so it is done in a child with limits of its own (see `reading`).
"""

from __future__ import annotations

import ast
import builtins
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import TypedDict

from helpers.checking import rules
from helpers.checking.library import known_as, look_up, may_be_used
from helpers.checking.names import Meaning, names_imported_by, names_looked_up
from helpers.checking.shapes import Rules

PARSING = (SyntaxError, ValueError, RecursionError, MemoryError)
DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Place = tuple[int, int]  # of a statement: its cell, and its number there
FIRST: Place = (-1, -1)  # before all
END: Place = (sys.maxsize, 0)  # when all has run
ANY: Place = (sys.maxsize, 1)  # any place: whatever binds a name counts
MOST_PLACES = 12  # at which a name, or what a statement defines, is followed for itself
MOST_NESTED = 20  # statements in statements, of which is looked for what they surely bind
MOST_READ_ALONE = 20  # statements that go on with an answer's data, where they cannot all be taken
# Calls that change no name, and yet what an answer gives.
SETTINGS = {
    "set_default_dtype", "manual_seed", "set_default_device", "set_grad_enabled", "set_num_threads", "seed", "seterr",
    "filterwarnings", "simplefilter",
}  # fmt: skip


class ToRead(TypedDict):
    """Of an exercise what reading needs."""

    functions: list[str]
    rules: Rules


@dataclass(frozen=True)
class CellText:
    """The code of a cell, and whether it is ours."""

    source: str
    ours: bool = False


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at the top of a cell: which, of which cell, the names that it may bind in the notebook, and those
    that it needs: as it runs (`at_once`), and all of them."""

    cell: int
    number: int
    node: ast.stmt
    ours: bool
    binds: frozenset[str]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.cell, self.number

    @property
    def line(self) -> int:
        """The line that a cell must have come to for it to count; imports count whatever happened in their cell."""
        return 0 if isinstance(self.node, (ast.Import, ast.ImportFrom)) else self.node.lineno

    @cached_property
    def looked_up(self) -> tuple[set[str], set[str]]:
        """Names that it looks up outside of itself: when it runs, and when what it defines is called."""
        return names_looked_up(ast.Module([self.node], []))

    @property
    def at_once(self) -> set[str]:
        """Names that it looks up when it runs."""
        return self.looked_up[0]

    @property
    def later(self) -> set[str]:
        """Names that it looks up when what it defines is called."""
        return self.looked_up[1]

    @property
    def needs(self) -> set[str]:
        """Names that it looks up outside of itself."""
        return self.at_once | self.later

    @cached_property
    def calls(self) -> bool:
        """Whether what it defines may be called as it runs: by a decorator, by another class, by any call."""
        if isinstance(self.node, ast.ClassDef) and (self.node.bases or self.node.keywords):
            return True
        return any(isinstance(leaf, ast.Call) or getattr(leaf, "decorator_list", None) for leaf in running(self.node))

    @cached_property
    def gives(self) -> dict[str, list[Meaning]]:
        """What it gives each name that it binds: the path that it imports, or the statement itself."""
        found: dict[str, list[Meaning]] = {}
        for inner in statements([self.node]):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                for name, path in names_imported_by(inner):
                    found.setdefault(name, []).append(path)
            else:
                for name in bound_names(inner):
                    found.setdefault(name, []).append(inner)
        return found

    @cached_property
    def methods_called(self) -> set[tuple[str, str]]:
        """The methods that it calls, each with the name of what it is a method of ("" where that is no name)."""
        return set(methods_called(self.node))

    @property
    def is_definition(self) -> bool:
        """Whether it defines or imports."""
        return isinstance(self.node, (*DEFINITION, ast.Import, ast.ImportFrom))

    @cached_property
    def surely(self) -> set[str]:
        """The names that it surely binds anew."""
        return surely_bound([self.node])


class AnswerText:
    """The cells of a submission, read once: their statements, and what each name may mean."""

    def __init__(self, cells: Sequence[CellText | str]):
        texts = [CellText(cell) if isinstance(cell, str) else cell for cell in cells]
        self.statements = [one for number, text in enumerate(texts) for one in statements_of(number, text)]
        self.bound: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.binds:
                self.bound.setdefault(name, []).append(statement)
        self.stars = {path: one for one in self.bound.get("*", []) for path in modules_of_star(one.node)}
        self.sources: dict[str, Sources] = {}
        self.planned: dict[str, Plan] = {}
        self.found: dict[tuple[str, ...], str | None] = {}

    def plan(self, function: str) -> Plan:
        """What has to run for a function to be there."""
        if function not in self.planned:
            self.planned[function] = Plan(self, function)
        return self.planned[function]

    def broken_rule(self, exercise: ToRead) -> str | None:
        """The sentence of the source rule that an exercise's functions break, or None; looked for once. A function that
        no statement defines breaks none: it is not there when it is called."""
        functions = tuple(exercise["functions"])
        if functions not in self.found:
            sentences = (self.plan(function).broken_rule(exercise["rules"]) for function in functions)
            self.found[functions] = next((one for one in sentences if one), None)
        return self.found[functions]

    def kept(self, exercise: ToRead) -> dict[int, list[Statement]]:
        """The statements, by cell, that run before the functions of an exercise are called."""
        plans = [self.plan(function).to_run(exercise["rules"]) for function in exercise["functions"]]
        found: dict[int, list[Statement]] = {}
        for _, one in sorted({one.place: one for some in plans for one in some}.items()):
            found.setdefault(one.cell, []).append(one)
        return found

    def is_apart(self, exercise: ToRead, kept: Mapping[int, list[Statement]]) -> bool:
        """Whether the learner has statements that do not run before the functions of an exercise are called, and that
        these could feel."""
        names = {name for function in exercise["functions"] for name in self.plan(function).names}
        running = {one.place for some in kept.values() for one in some}
        return any(is_felt(one, names) for one in self.statements if not one.ours and one.place not in running)

    def sources_of(self, name: str) -> Sources:
        """The statements that may bind a name; star imports that may, where no other does."""
        if name not in self.sources:
            found = self.bound.get(name) or [one for path, one in self.stars.items() if has(path, name)]
            self.sources[name] = Sources(name, found)
        return self.sources[name]


class Sources:
    """The statements that may bind a name, in their order."""

    def __init__(self, name: str, found: Sequence[Statement]):
        self.name, self.found = name, found
        self.sure = [number for number, one in enumerate(found) if name in one.surely]
        self.unsure = [number for number, one in enumerate(found) if name not in one.surely]
        learners = [number for number, one in enumerate(found) if not one.ours]
        self.most = learners[-1] + 1 if learners else len(found)  # what of ours comes later was not there for them

    def before(self, place: Place) -> list[Statement]:
        """What can be the name's meaning at a place, or when all has run: its last sure binding, and all that are not
        sure, but for those of ours that a sure one replaces. An earlier attempt that a later one replaces is not held
        against the learner, and does not run."""
        if place == ANY:
            return list(self.found)
        end = self.most if place == END else bisect_left(self.found, place, key=lambda one: one.place)
        last = self.sure[bisect_left(self.sure, end) - 1] if self.sure and self.sure[0] < end else -1
        unsure = self.unsure[: bisect_left(self.unsure, end)]
        kept = [number for number in unsure if number > last or not self.found[number].ours]
        return [self.found[number] for number in ([last] if last >= 0 else []) + kept]


class Plan:
    """The statements that a function needs to be there, followed through all names that they need."""

    def __init__(self, text: AnswerText, function: str):
        self.text, self.function = text, function
        self.statements: dict[Place, Statement] = {}
        self.names = set[str]()
        self.chosen: dict[str, dict[Place, Statement]] = {}  # by the name that they were taken for
        self.uses: dict[str | Place, set[tuple[Place, Place]]] = {}
        self.queue: list[tuple[Statement, Place]] = []
        self.take(function, END, END)
        self.follow()

    def take(self, name: str, bound: Place, called: Place) -> None:
        """Take what a name may mean at a place, for what may be called at a place."""
        if (use := self.use(name, bound, called)) is None:
            return
        self.names.add(name)
        for one in self.text.sources_of(name).before(use[0]):
            self.chosen.setdefault(name, {})[one.place] = one
            self.statements[one.place] = one
            if not (one.ours and isinstance(one.node, (ast.Import, ast.ImportFrom))):
                self.queue.append((one, use[1]))

    def use(self, what: str | Place, bound: Place, called: Place) -> tuple[Place, Place] | None:
        """The places of a use, of a name or a statement, that is new; after very many it is one of any place, once."""
        known = self.uses.setdefault(what, set())
        if (bound, called) in known or (ANY, ANY) in known:
            return None
        use = (bound, called) if len(known) < MOST_PLACES else (ANY, ANY)
        known.add(use)
        return use

    def follow(self) -> None:
        """Take what the statements in the queue need: for when they run, what was bound before; for when something that
        they define may be called, what is bound then."""
        while self.queue:
            one, place = self.queue.pop()
            if (use := self.use(one.place, place, place)) is None:
                continue
            called = use[1]
            here = ANY if called == ANY else one.place
            for name in one.at_once:
                self.take(name, here, here)
                self.take(name, here, called)
            for name in one.later:
                self.take(name, called, called)
                if one.calls:
                    self.take(name, here, here)

    @cached_property
    def learners(self) -> list[Statement]:
        """The learner's statements among them."""
        return [one for _, one in sorted(self.statements.items()) if not one.ours]

    def meaning(self, name: str) -> list[Meaning] | None:
        """What a name may mean: dotted paths, and statements that bind it; None where nothing does. What runs for
        another name, and is replaced before this one is used, does not count."""
        chosen = self.chosen.get(name, {})
        last = max(chosen, default=FIRST)
        found: list[Meaning] = []
        for one in self.text.bound.get(name, []):
            if one.place in chosen or (one.place in self.statements and one.place > last):
                found += one.gives[name]
        found += [starred(path, name) for path in self.text.stars if has(path, name)]
        if hasattr(builtins, name):
            found.append(name)
        return found or None

    def broken_rule(self, of_exercise: Rules) -> str | None:
        """The sentence of the rule that the learner's statements break, or None."""
        return self.violation([one.node for one in self.learners], of_exercise) if self.learners else None

    def violation(self, nodes: list[ast.stmt], of_exercise: Rules) -> str | None:
        """The sentence of the rule that some statements break."""
        try:
            read = [self.narrowed(node) if isinstance(node, ast.ImportFrom) else node for node in nodes]
            return rules.violation(ast.Module(read, []), of_exercise, self.meaning)
        except RecursionError:
            return "The answer is nested too deeply to be read."

    def narrowed(self, node: ast.ImportFrom) -> ast.stmt:
        """Of an import the names that the plan needs: what else stands on its line is not used here."""
        names: list[ast.alias] = []
        for alias in node.names:
            if alias.name == "*":
                names += [ast.alias(name) for name in sorted(self.names) if has(node.module or "", name)]
            elif (alias.asname or alias.name) in self.names:
                names.append(alias)
        return ast.ImportFrom(node.module, names, node.level) if names else ast.Pass()

    def to_run(self, of_exercise: Rules) -> list[Statement]:
        """What runs before the function is called: the plan, and statements that go on with what it has bound, or make
        a setting in its cell, so far as they break no rule. A learner's own comparison with a library is none."""
        data = {name for one in self.learners if not one.is_definition for name in one.binds}
        cells = {one.cell for one in self.learners if self.function in one.binds}
        beside = [one for one in self.text.statements if not one.ours and one.place not in self.statements]
        more = [one for one in beside if goes_on(one, data, cells)]
        allowed: Rules = {**of_exercise, "require": [], "kernel": False}
        for some in [more] if not more or self.may_take(more, allowed) else [[one] for one in more[:MOST_READ_ALONE]]:
            if some and self.may_take(some, allowed):
                self.statements |= self.with_more(some).statements
        return [one for _, one in sorted(self.statements.items())]

    def with_more(self, some: list[Statement]) -> Plan:
        """The plan with some statements more, and what they need."""
        plan = Plan(self.text, self.function)
        plan.statements |= self.statements | {one.place: one for one in some}
        plan.uses.setdefault(self.function, set()).add((ANY, ANY))  # it is there already
        plan.queue += [(one, END) for one in some]
        plan.follow()
        return plan

    def may_take(self, some: list[Statement], allowed: Rules) -> bool:
        """Whether the plan breaks no rule with some statements more."""
        plan = self.with_more(some)
        return plan.violation([one.node for one in plan.learners], allowed) is None


def goes_on(statement: Statement, data: set[str], cells: set[int]) -> bool:
    """Whether a statement calls a method of some data that an answer needs (TABLE.append(1)), or makes a setting."""
    may_set = statement.cell in cells and isinstance(statement.node, ast.Expr)
    return any(root in data or (may_set and name in SETTINGS) for root, name in statement.methods_called)


def methods_called(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """The root and the name of each method that a statement calls."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            root: ast.AST = node.func
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            yield root.id if isinstance(root, ast.Name) else "", node.func.attr


def is_felt(statement: Statement, names: set[str]) -> bool:
    """Whether a statement may change what some names are, or do anything else that others feel."""
    if statement.binds & names:
        return True
    return any(
        isinstance(leaf, ast.Call)
        or (isinstance(leaf, (ast.Attribute, ast.Subscript)) and not isinstance(leaf.ctx, ast.Load))
        for leaf in running(statement.node)
    )


def has(module: str, name: str) -> bool:
    """Whether a module that an answer may use has a name; nothing is asked of the module itself."""
    return may_be_used(module) and module in sys.modules and name in vars(sys.modules[module])


def starred(module: str, name: str) -> str:
    """The path of a name that comes with a star import; of what the other module has imported itself, its own."""
    value = vars(sys.modules[module])[name]
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(getattr(value, "__name__", None), str) and look_up(known_as(value)).value is value:
        return known_as(value)
    return f"{module}.{name}"


def statements_of(cell: int, text: CellText) -> Iterable[Statement]:
    """The statements at the top of a cell; none where the cell is no Python, which does not run either. Ours are read
    once for a class."""
    return our_statements(cell, text.source) if text.ours else read_statements(cell, text)


@lru_cache(maxsize=1000)
def our_statements(cell: int, source: str) -> list[Statement]:
    """Those of a cell of ours, with the names that they look up."""
    found = list(read_statements(cell, CellText(source, ours=True)))
    for one in found:
        _ = one.looked_up, one.gives, one.calls, one.surely
    return found


def read_statements(cell: int, text: CellText) -> Iterator[Statement]:
    """The statements at the top of a cell, read."""
    tree = parse(text.source)
    for number, node in enumerate(tree.body if tree is not None else []):
        names = {name for inner in statements([node]) for name in bound_names(inner)}
        yield Statement(cell, number, node, text.ours, frozenset(names))


def modules_of_star(node: ast.stmt) -> list[str]:
    """The modules that a statement imports everything from."""
    inner = [one for one in statements([node]) if isinstance(one, ast.ImportFrom)]
    return [path for one in inner for name, path in names_imported_by(one) if name == "*"]


def parse(source: str) -> ast.Module | None:
    """The tree of a cell, or None where it is no Python, and so defines nothing."""
    try:
        return ast.parse(source)
    except PARSING:
        return None


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
    if isinstance(statement, DEFINITION):
        return {statement.name}
    names = set[str]()
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        names = {name for name, _ in names_imported_by(statement) if " " not in name}
    for node in own_nodes(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)) and not isinstance(node.ctx, ast.Load):
            names |= {leaf.id for leaf in ast.walk(changed_by(node)) if isinstance(leaf, ast.Name)}
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def surely_bound(body: Sequence[ast.stmt], depth: int = 0) -> set[str]:
    """The names that statements surely bind anew, whichever way they take; of what is nested deeply none."""
    found = set[str]()
    for node in body if depth < MOST_NESTED else ():
        if isinstance(node, DEFINITION):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {name for name, _ in names_imported_by(node) if " " not in name}
        elif isinstance(node, ast.If):
            found |= surely_bound(node.body, depth + 1) & surely_bound(node.orelse, depth + 1)
        elif isinstance(node, ast.Try):
            ways = [node.body, *(handler.body for handler in node.handlers)]
            found |= set.intersection(*(surely_bound(way, depth + 1) for way in ways))
        elif isinstance(node, ast.With):
            found |= {name for item in node.items if item.optional_vars for name in stored(item.optional_vars)}
        elif isinstance(node, ast.For) and isinstance(node.iter, (ast.List, ast.Tuple)) and node.iter.elts:
            found |= stored(node.target)
        elif isinstance(node, ast.Assign):
            found |= {name for target in node.targets for name in stored(target)}
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found |= stored(node.target)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.NamedExpr):
            found |= stored(node.value.target)
    return found


def stored(target: ast.expr) -> set[str]:
    """The names that an assignment to a target binds anew: x.a = 1 leaves x what it was."""
    return {leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}


def changed_by(target: ast.expr) -> ast.expr:
    """What an assignment to a target changes: x.a = 1 changes what x is, and x[i] = 1 as well, but not what i is."""
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return target


def running(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement that run when it does, not when a function in it is called."""
    queue: list[ast.AST] = [statement]
    while queue:
        node = queue.pop()
        yield node
        if isinstance(node, (*DEFINITION[:2], ast.Lambda)):
            arguments = node.args
            defaults = [*arguments.defaults, *(one for one in arguments.kw_defaults if one)]
            queue += [*getattr(node, "decorator_list", []), *defaults]
        else:
            queue += ast.iter_child_nodes(node)


def own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those of statements inside it."""
    queue: list[ast.AST] = [statement]
    while queue:
        node = queue.pop()
        yield node
        queue += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
