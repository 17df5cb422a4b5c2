"""Which of our own cells a submission needs: a slice of the notebook by its names (Weiser, 1984, "Program slicing").

Our demonstrations and figures come out the same for everybody, and so they run only where an answer could see that they
ran, or they could see an answer: where an answer needs a name that they bind, through other cells of ours too, or where
they need a name that an answer has bound. What cannot be known from names (a star import, exec, globals()) makes all of
them run. A cell that is spared shows what the executed solution shows. A cell that shows the questions of an exercise,
or the learner's progress, never runs: both are read from the answer keys, which are not within a submission's reach.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbformat import NotebookNode

from grading import sanitise
from grading.source_rules import DEFINITION, SETTINGS, CellText, Statement, parse, statements_of
from grading.submission import sorted_cells
from helpers.checking.names import Meaning

# Names by which code reaches names that its text does not hold.
REACHING = {
    "*", "exec", "eval", "compile", "globals", "locals", "vars", "dir", "get_ipython", "__import__", "__builtins__",
    "__main__", "__globals__", "__dict__", "f_globals", "f_locals", "f_back", "modules", "builtins", "inspect", "gc",
    "importlib", "ctypes", "_getframe", "pickle",
}  # fmt: skip
Shown = Mapping[tuple[str, str], list[NotebookNode]]  # outputs by a cell's name and text
PROGRESS = {"progress", "checklist"}  # of our routines, those that show how far a learner is
ASKING = {"check", *PROGRESS}  # those that tell of answers
QUESTIONS = "questions.show"
OTHER = "something else than an import"


@dataclass(frozen=True)
class Names:
    """What a cell does with the names of its notebook. `needs` are those that it looks up before it has surely bound
    them, and `at_once` those that it needs as it runs; `imports` has the paths behind names that it imports, `data`
    what it binds that a cell could change by using it. A cell that only defines and imports does not `act`;
    one that `sets` something is felt by other cells; it is `open` where names do not tell."""

    needs: frozenset[str]
    at_once: frozenset[str]
    binds: frozenset[str]
    imports: Mapping[str, frozenset[str]]
    data: frozenset[str]
    acts: bool
    sets: bool
    open: bool


def spared(cells: Sequence[CellText]) -> set[int]:
    """The numbers of our cells that need not run."""
    names = [names_of(cell.source, cell.ours) for cell in cells]
    if any(one.open for one in names):
        return set()
    ours = {number: one for number, one in enumerate(names) if cells[number].ours}
    answers = {number: one for number, one in enumerate(names) if not cells[number].ours}
    acting = [number for number, one in answers.items() if one.acts]
    needed = sees_an_answer(ours, changed_by(answers.values(), ours.values()))
    needed |= {number for number, one in ours.items() if one.needs & ASKING}
    needed |= {number for number, one in ours.items() if one.sets and number < max(acting, default=0)}
    wanted = dict[str, int]()
    for number, one in answers.items():
        note(wanted, one.at_once, number)
        note(wanted, one.needs if acting else (), max(acting, default=0))  # it may be called up to there
    return set(ours) - seen_by(ours, needed, wanted)


@lru_cache(maxsize=2000)
def shows_what_keys_hold(source: str) -> bool:
    """Whether a cell shows the questions of an exercise, or the learner's progress, and does no more."""
    return calls_only(source, {QUESTIONS, *PROGRESS})


def calls_only(source: str, functions: Collection[str]) -> bool:
    """Whether a cell calls some of these functions, each in a statement of its own, and does no more."""
    tree = parse(source)
    calls = [node.value if isinstance(node, ast.Expr) else None for node in (tree.body if tree else [])]
    return bool(calls) and all(isinstance(call, ast.Call) and ast.unparse(call.func) in functions for call in calls)


def note(wanted: dict[str, int], names: Iterable[str], number: int) -> None:
    """Note that the cell with this number needs some names; of each name the last such cell is known."""
    for name in names:
        wanted[name] = max(number, wanted.get(name, -1))


def changed_by(answers: Iterable[Names], ours: Iterable[Names]) -> set[str]:
    """The names that answers bind, but for imports that give a name what ours gives it."""
    same: dict[str, frozenset[str]] = {}
    for one in ours:
        for name in one.binds:
            same[name] = same.get(name, frozenset()) | one.imports.get(name, frozenset({OTHER}))
    return {name for one in answers for name in one.binds if one.imports.get(name, None) != same.get(name, ())}


def sees_an_answer(ours: Mapping[int, Names], changed: set[str]) -> set[int]:
    """Our cells that need a name which an answer has changed, or what such a cell binds."""
    found, changed = set[int](), set(changed)
    while more := {number for number, one in ours.items() if number not in found and one.needs & changed}:
        found |= more
        changed |= {name for number in more for name in ours[number].binds}
    return found


def seen_by(ours: Mapping[int, Names], needed: set[int], wanted: dict[str, int]) -> set[int]:
    """The cells needed and, with them, all that bind a name before the last cell that wants it. A cell that needs the
    same data may change it, and so is needed with it."""
    data = {name for one in ours.values() for name in one.data}
    found = set(needed)
    while True:
        for number in found:
            note(wanted, ours[number].needs, number)
        more = {
            number
            for number, one in ours.items()
            if number not in found and any(wanted.get(name, -1) > number for name in one.binds | (one.needs & data))
        }
        if not more:
            return found
        found |= more


@lru_cache(maxsize=2000)
def names_of(source: str, ours: bool) -> Names:
    """What a cell does with names; a cell that is no Python does nothing."""
    statements = list(statements_of(0, CellText(source)))
    needs = set[str]()
    read_in_order([one.node for one in statements], set(), needs, ours)
    # t[int(i)] = 1 changes t, and leaves int what it was
    binds = {name for one in statements for name in one.binds if name in one.surely or not hasattr(builtins, name)}
    imports, data = dict[str, frozenset[str]](), set[str]()
    for one in statements:
        for name, meanings in one.gives.items():
            paths = frozenset(path if isinstance(path, str) else OTHER for path in meanings)
            imports[name] = imports.get(name, frozenset()) | paths
            if name in binds and not all(is_fixed(meaning) for meaning in meanings):
                data.add(name)
    return Names(
        needs=frozenset(needs),
        at_once=frozenset(name for one in statements for name in one.at_once | annotated(one.node) if name in needs),
        binds=frozenset(binds),
        imports={name: paths for name, paths in imports.items() if OTHER not in paths},
        data=frozenset(data),
        acts=any(acts(one.node) for one in statements),
        sets=any(is_setting(one.node) for one in statements),
        open=any(is_open(one.node) for one in statements),
    )


def is_fixed(meaning: Meaning) -> bool:
    """Whether what a name is given is an import, a definition or a constant, which no cell changes by using it."""
    value = meaning.value if isinstance(meaning, (ast.Assign, ast.AnnAssign)) else meaning
    return isinstance(value, (str, *DEFINITION, ast.Lambda, ast.Constant))


def read_in_order(body: Sequence[ast.stmt], bound: set[str], needs: set[str], ours: bool) -> None:
    """Add to `needs` what statements look up while it is not in `bound`, which grows with what they surely bind. `ours`
    go round their loops at least once."""
    for node in body:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)):
            inside = node.items if isinstance(node, (ast.With, ast.AsyncWith)) else [node.iter, node.target]
            leaves = [leaf for part in inside for leaf in ast.walk(part) if isinstance(leaf, ast.Name)]
            needs |= {leaf.id for leaf in leaves if isinstance(leaf.ctx, ast.Load)} - bound
            surely = bound if ours or isinstance(node, (ast.With, ast.AsyncWith)) else set(bound)
            surely |= {leaf.id for leaf in leaves if isinstance(leaf.ctx, ast.Store)}
            read_in_order(node.body, surely, needs, ours)
            read_in_order(getattr(node, "orelse", []), set(bound), needs, ours)
        elif isinstance(node, ast.If):
            needs |= {leaf.id for leaf in ast.walk(node.test) if isinstance(leaf, ast.Name)} - bound
            branches = [set(bound), set(bound)]
            for branch, names in zip((node.body, node.orelse), branches, strict=True):
                read_in_order(branch, names, needs, ours)
            bound |= branches[0] & branches[1]
        else:
            one = Statement(0, 0, node, True, frozenset())
            changed = [node.target] if isinstance(node, ast.AugAssign) else getattr(node, "targets", [])
            again = [leaf for part in changed for leaf in ast.walk(part) if isinstance(leaf, ast.Name)]
            if isinstance(node, (ast.AugAssign, ast.Delete)):
                needs |= {leaf.id for leaf in again} - bound
            needs |= one.needs - bound
            bound |= one.surely


def annotated(node: ast.stmt) -> set[str]:
    """The names in a function's annotations, which Python looks up where it is defined."""
    if not isinstance(node, ast.FunctionDef):
        return set()
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    found = [node.returns, *(one.annotation for one in every if one)]
    return {leaf.id for part in found if part for leaf in ast.walk(part) if isinstance(leaf, ast.Name)}


def acts(node: ast.stmt) -> bool:
    """Whether a statement of an answer does more than define a function, import, or stand there."""
    if isinstance(node, ast.FunctionDef):
        defaults = [*node.args.defaults, *(one for one in node.args.kw_defaults if one)]
        inner = [leaf for one in defaults for leaf in ast.walk(one)]
        return bool(node.decorator_list) or any(isinstance(leaf, ast.Call) for leaf in inner)
    still = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return not still and not isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass))


def is_open(node: ast.stmt) -> bool:
    """Whether a statement's text does not hold all names that it needs or binds."""
    for leaf in ast.walk(node):
        if isinstance(leaf, (ast.alias, ast.Name, ast.Attribute, ast.ImportFrom)):
            words = [getattr(leaf, key, None) or "" for key in ("id", "attr", "name", "module")]
            if not REACHING.isdisjoint(part for word in words for part in word.split(".")):
                return True
    return False


def is_setting(node: ast.stmt) -> bool:
    """Whether a statement makes a setting for all cells (torch.manual_seed)."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in SETTINGS


def shown_by(executed: NotebookNode, most: int) -> Shown:
    """What each of our cells in an executed notebook shows, made harmless, by the cell's name and text; cells whose run
    ended with an error are left out, and so is the progress of whoever ran it. At most so many characters for each."""
    found = {}
    for cell in sorted_cells(executed):
        if cell.kind != "ours" or calls_only(cell.python, PROGRESS):
            continue
        if all(output.output_type != "error" for output in cell.node.outputs):
            shown = [as_shown(output) for output in cell.node.outputs]
            found[cell.name, cell.node.source] = sanitise.outputs({"shown": shown}, most)
    return found


def as_shown(output: NotebookNode) -> dict[str, object]:
    """A notebook's output as the sandbox would give it."""
    if output.output_type == "stream":
        return {"stream": output.name, "text": output.text}
    return {"data": {kind: text for kind, text in output.data.items() if isinstance(text, str)}}
