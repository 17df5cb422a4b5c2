"""Wrong answers made of right ones: one small change in the text of a model answer at a time.

An operator, a comparison, a constant, an axis, the order of operands, arguments or results, one step more or fewer, a
function left out or taken for its neighbour, a statement left out."""

from __future__ import annotations

import ast
import copy
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Div,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip
NEIGHBOURS = {
    "log": ("log2",), "log2": ("log",), "sum": ("mean",), "mean": ("sum",), "max": ("min",), "min": ("max",),
    "amax": ("amin",), "sqrt": ("square",), "log_softmax": ("softmax",), "softmax": ("log_softmax",), "exp": ("exp2",),
    "xlogy": ("mul",), "cumsum": ("cumprod",), "ceil": ("floor",), "eigvalsh": ("svdvals",),
}  # fmt: skip
LEFT_OUT = (
    "sqrt", "exp", "log", "abs", "square", "clamp", "clamp_min", "softmax", "to", "clone", "double", "float", "mT",
    "expm1", "nan_to_num", "item", "unsqueeze",
)  # fmt: skip
Change = Callable[[ast.AST], None]


class Mutant(NamedTuple):
    """A changed answer: what was changed, in words and as the text that was changed and what became of it; the
    function."""

    change: str
    before: str
    after: str
    function: Callable[..., Any]


def mutants(function: Callable[..., Any]) -> Iterator[Mutant]:
    """All mutants of a function that can be made."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source)
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return
    definition.decorator_list = []
    around = surroundings(definition)
    for place, node in enumerate(ast.walk(definition)):
        for words, change in changes(node):
            mutated = copy.deepcopy(definition)
            nodes = list(ast.walk(mutated))
            change(nodes[place])
            at = around[place]
            before = ast.unparse(list(ast.walk(definition))[at])
            after = "" if words.startswith("left out: ") else ast.unparse(Plainer().visit(copy.deepcopy(nodes[at])))
            made = compiled(mutated, function, f"{place} {words}")
            yield Mutant(f"line {getattr(node, 'lineno', 0)}: {words}", left_out(words) or before, after, made)


def surroundings(definition: ast.FunctionDef) -> list[int]:
    """For each node the number of the smallest operation around it, by which a reader knows the place: that of a
    constant, or of the -1 of an axis, is the call or the term that it stands in."""
    nodes = list(ast.walk(definition))
    number = {id(node): place for place, node in enumerate(nodes)}
    parent = {id(child): node for node in nodes for child in ast.iter_child_nodes(node)}

    def enclosing(node: ast.AST) -> ast.AST:
        small = isinstance(node, (ast.Constant, ast.UnaryOp, ast.Tuple, ast.Slice, ast.keyword))
        return enclosing(parent[id(node)]) if small and id(node) in parent else node

    return [number[id(enclosing(node))] for node in nodes]


def left_out(words: str) -> str:
    """The statement that was left out."""
    return words.removeprefix("left out: ") if words.startswith("left out: ") else ""


class Plainer(ast.NodeTransformer):
    """Writes a changed expression as people would: without 1 * x, 0 + x and functions that hand back their argument."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """A term or a factor that was left out."""
        self.generic_visit(node)
        neutral = 1.0 if isinstance(node.op, ast.Mult) else 0.0
        sides = [
            isinstance(side, ast.Constant) and type(side.value) is float and side.value == neutral
            for side in (node.left, node.right)
        ]
        if not isinstance(node.op, (ast.Mult, ast.Add, ast.Sub)) or not any(sides):
            return node
        if sides[1]:
            return node.left
        return ast.UnaryOp(ast.USub(), node.right) if isinstance(node.op, ast.Sub) else node.right

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A call that was left out."""
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Lambda) and node.args else node


def compiled(definition: ast.FunctionDef, function: Callable[..., Any], label: str) -> Callable[..., Any]:
    """The function of a changed definition, whose text can be read."""
    text = ast.unparse(ast.fix_missing_locations(definition)) + "\n"
    file = f"<mutant of {definition.name}: {label}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = dict(inspect.unwrap(function).__globals__)
    exec(compile(text, file, "exec"), names)
    made: Callable[..., Any] = names[definition.name]
    return made


def setting(name: str, value: Any) -> Change:
    """A change of one field."""
    return lambda node: setattr(node, name, value)


def changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """What may be changed in one node, in words and as a change."""
    if isinstance(node, ast.BinOp):
        yield from of_operator(node)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]
        yield f"{ast.unparse(node)} with {other.__name__}", setting("ops", [other(), *node.ops[1:]])
    elif isinstance(node, ast.Constant):
        yield from of_constant(node)
    elif isinstance(node, ast.Call):
        yield from of_call(node)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
        first, second, *rest = node.value.elts
        yield "two results exchanged", setting("value", ast.Tuple([second, first, *rest], ast.Load()))
    yield from of_sign(node)
    yield from of_statements(node)


def of_operator(node: ast.BinOp) -> Iterator[tuple[str, Change]]:
    """Another operator, or its operands exchanged."""
    if type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]
        yield f"{other.__name__} in {ast.unparse(node)}", setting("op", other())
    if isinstance(node.op, (ast.Sub, ast.Div)):

        def exchange(at: ast.AST) -> None:
            assert isinstance(at, ast.BinOp)
            at.left, at.right = at.right, at.left

        yield f"operands exchanged in {ast.unparse(node)}", exchange
    for side in ("left", "right"):
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)) and not isinstance(getattr(node, side), ast.Constant):
            neutral = ast.Constant(1.0 if isinstance(node.op, ast.Mult) else 0.0)
            yield f"{ast.unparse(getattr(node, side))} left out of {ast.unparse(node)}", setting(side, neutral)


def of_constant(node: ast.Constant) -> Iterator[tuple[str, Change]]:
    """Another number, the other truth value."""
    if isinstance(node.value, bool):
        yield f"{not node.value} for {node.value}", setting("value", not node.value)
    elif isinstance(node.value, int):
        for other in (node.value + 1, node.value - 1):
            yield f"{other} for {node.value}", setting("value", other)
    elif isinstance(node.value, float):
        for number in (node.value * 2, node.value / 2 if abs(node.value) > 1e-6 else 1e-5):
            if number != node.value:
                yield f"{number:g} for {node.value:g}", setting("value", number)


def of_call(node: ast.Call) -> Iterator[tuple[str, Change]]:
    """A neighbour of the function that is called, the call left out, arguments exchanged, one step more or fewer."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    for other in NEIGHBOURS.get(name, ()):
        field = "attr" if isinstance(node.func, ast.Attribute) else "id"
        yield f"{other} for {name}", lambda at, field=field, other=other: setattr(at.func, field, other)  # type: ignore[misc]
    if len(node.args) == 2 and not any(isinstance(one, ast.Starred) for one in node.args):
        yield f"arguments exchanged in {ast.unparse(node)}", setting("args", node.args[::-1])
    if name == "range" and node.args:
        for step, op in (("one more", ast.Add), ("one fewer", ast.Sub)):
            last = ast.BinOp(node.args[-1], op(), ast.Constant(1))
            yield f"{step} in {ast.unparse(node)}", setting("args", [*node.args[:-1], last])
    if name in LEFT_OUT and isinstance(node.func, ast.Attribute):
        inner = node.args[0] if getattr(node.func.value, "id", "") in ("torch", "np", "math") else node.func.value
        yield f"{name} left out", lambda at, inner=inner: become(at, inner)  # type: ignore[misc]
    for number, keyword in enumerate(node.keywords):
        if keyword.arg in ("keepdim", "dim", "axis", "keepdims"):
            yield (
                f"{keyword.arg} left out of {ast.unparse(node)}",
                lambda at, n=number: at.keywords.pop(n),  # type: ignore[misc]
            )


def become(node: ast.AST, other: ast.AST) -> None:
    """Turn a call into a call that hands back its argument: a node cannot be replaced in place."""
    assert isinstance(node, ast.Call)
    node.func = ast.parse("(lambda x: x)", mode="eval").body
    node.args, node.keywords = [copy.deepcopy(other)], []  # type: ignore[list-item] # an expression


def of_sign(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """A minus left out; an axis from the other end."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant) and node.operand.value == 1:
            yield "-2 for -1", setting("operand", ast.Constant(2))
            yield "0 for -1", setting("operand", ast.Constant(0))
        else:
            yield f"no minus before {ast.unparse(node.operand)}", setting("op", ast.UAdd())


def of_statements(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """A statement left out."""
    body = getattr(node, "body", None)
    if not isinstance(body, list):
        return
    for number, statement in enumerate(body):
        if isinstance(statement, (ast.AugAssign, ast.If, ast.Assign, ast.Expr)):
            words = ast.unparse(statement).split("\n")[0]
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            yield f"left out: {words}", lambda at, n=number: at.body.__setitem__(n, ast.Pass())  # type: ignore[misc]
