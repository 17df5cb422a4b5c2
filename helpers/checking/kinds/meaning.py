r"""What a formula is worth: its tree (see `formulas`) on numbers that a question draws.

Sums run over small tables, `p` with its arguments is looked up in them (a joint gives its marginals and conditionals),
expectations are sums with weights, vectors are columns. Every formula ends within BUDGET steps, whatever it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.checking.kinds.formulas import Node, Unreadable, canonical

Array = Any  # a number, a column or a matrix of float64: NumPy has no one type for the three
BUDGET = 3_000  # parts looked at for one formula on one draw; no right spelling that we know takes more than 100
CONSTANTS = {"e": math.e, "pi": math.pi}
FUNCTIONS: dict[str, Callable[[Array], Array]] = {"log": np.log, "exp": np.exp, "cos": np.cos, "sin": np.sin}
SECOND = ("y", "j", "b", "z", "hat x", "tilde x", "x'", "x'_hat")  # letters of the second of two variables


@dataclass(frozen=True)
class Table:
    """Numbers by the values of some variables; a distribution also has marginals and conditionals."""

    axes: tuple[str, ...]
    numbers: Array
    distribution: bool = True

    def at(self, place: Mapping[str, int], given: Sequence[str]) -> float:
        """The number at a place, divided by the marginal of the variables that are `given`."""
        value = self.marginal(place)
        return value / self.marginal({axis: place[axis] for axis in given}) if given else value

    def marginal(self, place: Mapping[str, int]) -> float:
        """The sum over the variables that are not in `place`."""
        return float(self.numbers[tuple(place.get(axis, slice(None)) for axis in self.axes)].sum())


@dataclass(frozen=True)
class Scope:
    """What the signs of a question stand for in one draw. `values` are found by their canonical spelling, calls
    included; `gradients` and `hessians` hold what the gradient of a name is, or a column for each outcome."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict)
    gradients: Mapping[str, Any] = field(default_factory=dict)
    scores: Array | None = None  # (outcomes, d): the gradient of log p
    curvatures: Array | None = None  # (d, d): the Hessian of log p, the same for every outcome
    mean_of: str = "p"  # the distribution of an expectation without a subscript

    @property
    def axes(self) -> tuple[str, ...]:
        """The variables of the question, in order."""
        return max((table.axes for table in self.tables.values()), key=len, default=())


def evaluate(node: Node, scope: Scope, more: Mapping[str, Any] | None = None) -> Array:
    """The value of an expression. Raises Unreadable for what means nothing in this question."""
    try:
        with np.errstate(all="ignore"):
            return Evaluation(scope, more or {}).of(node)
    except Unreadable:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # np.linalg.LinAlgError is a ValueError
        raise Unreadable("This formula has no value on the numbers drawn.") from error


class Evaluation:
    """One walk over a tree."""

    def __init__(self, scope: Scope, more: Mapping[str, Any]):
        self.scope, self.left = scope, BUDGET
        self.values = {**scope.values, **more}
        self.bound: dict[str, tuple[str, int]] = {}

    def of(self, node: Node) -> Array:
        """The value of a part: a number, a column (d, 1) or a matrix (d, d)."""
        self.left -= 1
        if self.left < 0:
            raise Unreadable("This formula takes too many steps to work out: are there sums within sums within sums?")
        method = getattr(self, f"of_{node.kind}", None)
        if method is None:
            raise Unreadable("A part of this formula has no value where it stands.")
        value: Array = method(node)
        return value

    def of_number(self, node: Node) -> Array:
        return np.float64(node.text[:30])

    def of_add(self, node: Node) -> Array:
        total = self.of(node.parts[0])
        for part in node.parts[1:]:
            total = self.fitting(np.add, total, self.of(part))
        return total

    def of_minus(self, node: Node) -> Array:
        return -self.of(node.parts[0])

    def of_times(self, node: Node) -> Array:
        product = self.of(node.parts[0])
        for part in node.parts[1:]:
            product = self.product(product, self.of(part))
        return product

    def of_over(self, node: Node) -> Array:
        above, below = self.of(node.parts[0]), self.of(node.parts[1])
        if np.ndim(below):
            raise Unreadable("A vector or matrix cannot be divided by; write its inverse as ^{-1}.")
        return np.true_divide(above, below)

    def of_power(self, node: Node) -> Array:
        base = self.of(node.parts[0])
        exponent = self.of(node.parts[1])
        if np.ndim(exponent):
            raise Unreadable("An exponent is a number, not a vector or matrix.")
        if not np.ndim(base):
            return np.power(np.float64(base), exponent)
        if exponent == -1 and base.shape[0] == base.shape[1] > 1:
            return np.linalg.inv(base)
        raise Unreadable("Of a matrix there is the inverse, ^{-1}, and the transpose, ^\\top.")

    def of_turned(self, node: Node) -> Array:
        return np.transpose(self.of(node.parts[0]))

    def of_root(self, node: Node) -> Array:
        return np.sqrt(self.of(node.parts[0]))

    def of_function(self, node: Node) -> Array:
        value = self.of(node.parts[0])
        if len(node.parts) == 2:
            value = np.log(value) / np.log(self.of(node.parts[1]))
            return value if node.text == "log" else self.nothing(node.text)
        return FUNCTIONS[node.text](value)

    def of_name(self, node: Node) -> Array:
        name = canonical(node)
        if name in self.values:
            return np.asarray(self.values[name], dtype=np.float64)
        if node.text in self.scope.tables and name not in self.bound:
            return self.looked_up(node.text, list(names_in(node.parts[0])) if node.parts else [], bars_in(node))
        if name in CONSTANTS:
            return np.float64(CONSTANTS[name])
        return self.nothing(name)

    def of_call(self, node: Node) -> Array:
        name, *arguments = node.parts
        whole, plain = canonical(node), canonical(Node("call", (Node("name", (), name.text), *arguments), node.text))
        for spelling in (whole, plain):
            if spelling in self.values:
                return np.asarray(self.values[spelling], dtype=np.float64)
        if name.text == "E" and len(arguments) == 1:
            return self.expectation(name, arguments[0])
        if name.text in self.scope.functions and len(arguments) == 1:
            return self.scope.functions[name.text](self.of(arguments[0]))
        if name.text in self.scope.tables:
            return self.looked_up(name.text, [canonical(one) for one in arguments], node.text.split())
        return self.nothing(whole)

    def of_sum(self, node: Node) -> Array:
        sub, _, body = node.parts
        variables = list(self.variables(sub)) or list(self.scope.axes)
        return self.summed([(name, self.axis(name)) for name in variables], lambda place: 1.0, body)

    def of_gradient(self, node: Node) -> Array:
        body = node.parts[0]
        name = body.parts[0] if body.kind == "call" else body
        if name.kind == "name" and name.text in self.scope.gradients:
            return np.asarray(self.scope.gradients[name.text])
        inner = body.parts[0] if body.kind == "function" and body.text == "log" else body
        if self.scope.scores is not None and self.is_probability(inner):
            score: Array = self.scope.scores[self.outcome()][:, None]
            return score if inner is not body else self.of(inner) * score
        raise Unreadable("The gradient of this is not known here.")

    def of_hessian(self, node: Node) -> Array:
        body = node.parts[0]
        if self.scope.curvatures is None or body.kind != "function" or not self.is_probability(body.parts[0]):
            raise Unreadable("The Hessian of this is not known here.")
        return self.scope.curvatures

    def is_probability(self, node: Node) -> bool:
        """Whether a part is p at an outcome."""
        name = node.parts[0] if node.kind == "call" else node
        return name.kind == "name" and name.text in self.scope.tables

    def outcome(self) -> int:
        """The outcome that a score is taken at."""
        if not self.bound:
            raise Unreadable("log p(x) is taken at an x: write the expectation over x around it.")
        return next(reversed(self.bound.values()))[1]

    def nothing(self, name: str) -> Array:
        raise Unreadable(f"{name[:40]} means nothing in this question.")

    def product(self, a: Array, b: Array) -> Array:
        """Scalars scale; columns and matrices multiply as matrices."""
        return a * b if not (np.ndim(a) and np.ndim(b)) else self.fitting(np.matmul, a, b)

    def fitting(self, operation: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
        """An operation on shapes that must fit: no broadcasting between vectors and numbers."""
        if operation is np.matmul and a.shape[1] == b.shape[0]:
            product = a @ b
            return product[0, 0] if product.size == 1 else product
        if operation is not np.matmul and np.shape(a) == np.shape(b):
            return operation(a, b)
        raise Unreadable(
            "Shapes do not fit here: {} and {}.".format(*(shape_in_words(np.shape(one)) for one in (a, b)))
        )

    def variables(self, sub: Node) -> Iterator[str]:
        """What a sum runs over."""
        if sub.kind in ("items", "chain"):
            if sub.kind == "chain" and sub.text == "=" and canonical(sub.parts[1]) not in ("0", "1"):
                raise Unreadable("A sum over all outcomes starts at the first one.")
            for part in sub.parts if sub.kind == "items" else sub.parts[:1]:
                yield from self.variables(part)
        elif sub.kind == "times":
            for part in sub.parts:
                yield from self.variables(part)
        elif sub.kind == "name":
            yield canonical(sub)
        elif sub.kind != "none":
            raise Unreadable("What this sum runs over cannot be read: write \\sum_x, \\sum_{x, y} or \\sum_{i=1}^n.")

    def axis(self, name: str) -> str:
        """Which variable of the question a letter stands for."""
        axes = self.scope.axes
        if not axes:
            raise Unreadable("There is nothing to sum over in this question.")
        lowered = name.lower()
        return axes[-1] if lowered in SECOND or lowered.split("_")[0] in SECOND else axes[0]

    def summed(self, variables: Sequence[tuple[str, str]], weight: Callable[[Any], float], body: Node) -> Array:
        """The sum of `body` over all values of the variables, each time with a weight."""
        whole = max(self.scope.tables.values(), key=lambda table: len(table.axes))
        sizes = dict(zip(whole.axes, whole.numbers.shape, strict=True))
        axes = list(dict.fromkeys(axis for _, axis in variables))
        total: Any = None
        for place in itertools.product(*(range(sizes[axis]) for axis in axes)):
            at = dict(zip(axes, place, strict=True))
            with self.binding({name: (axis, at[axis]) for name, axis in variables}):
                term = weight(at) * self.of(body)
            total = term if total is None else self.fitting(np.add, total, term)
        return total

    @contextmanager
    def binding(self, names: dict[str, tuple[str, int]]) -> Iterator[None]:
        """Names that stand for an outcome inside of a sum."""
        before = self.bound
        self.bound = {**{k: v for k, v in before.items() if k not in names}, **names}
        try:
            yield
        finally:
            self.bound = before

    def looked_up(self, which: str, arguments: Sequence[str], bars: Sequence[str]) -> Array:
        """A table at bound variables; without arguments, at all that are bound."""
        table = self.scope.tables[which]
        arguments = [self.index(name) for name in arguments]
        if not arguments or not any(name in self.bound for name in arguments):
            if arguments and not all(name in ("theta", "model", "data") for name in arguments):
                self.nothing(f"{which}({', '.join(arguments)})")
            arguments, bars = list(self.bound), []
        if missing := [name for name in arguments if name not in self.bound]:
            raise Unreadable(f"{missing[0]} stands for no outcome here: no sum or expectation runs over it.")
        cut = bars.index("|") + 1 if "|" in bars else len(arguments)
        place = {self.bound[name][0]: self.bound[name][1] for name in arguments}
        place = {axis: index for axis, index in place.items() if axis in table.axes}
        if not place or (not table.distribution and len(place) < len(table.axes)):
            raise Unreadable(f"{which} wants {' and '.join(table.axes)} here.")
        return np.float64(table.at(place, [self.bound[name][0] for name in arguments[cut:]]))

    def index(self, name: str) -> str:
        """The bound letter that a name stands for: x_i is known by x, or else by i."""
        return next((one for one in (name, *name.split("_")) if one in self.bound), name)

    def expectation(self, name: Node, body: Node) -> Array:
        """The mean of `body` under the distribution in the subscript."""
        which, variables, given = self.drawn_from(name.parts[0] if name.parts else None)
        table = self.scope.tables.get(which)
        if table is None:
            raise Unreadable(f"There is no distribution {which} to take an expectation over.")
        if given:
            raise Unreadable("An expectation under a conditional distribution is not read here; use the joint.")
        names = [(one, self.axis(one)) for one in variables] or [(axis, axis) for axis in table.axes]
        both = [(spelling, axis) for one, axis in names for spelling in (one, one.swapcase() if len(one) == 1 else one)]
        both += [(axis.replace("x", "X").replace("y", "Y"), axis) for _, axis in names]
        return self.summed(both, table.marginal, body)

    def drawn_from(self, sub: Node | None) -> tuple[str, list[str], bool]:
        """The distribution that a subscript names, its variables, and whether there are givens among them."""
        found: list[str] = []
        which, given = self.scope.mean_of, False
        for node in walk(sub) if sub is not None else ():
            if node.kind == "call":
                which, given = node.parts[0].text, "|" in node.text
            elif node.kind == "name" and node.text in self.scope.tables:
                which = node.text
            elif node.kind == "name" and node.text not in ("theta", "data", "model"):
                found.append(canonical(node))
        return which, [name for name in found if name not in self.scope.tables], given


def walk(node: Node) -> Iterator[Node]:
    """A part and all below it; of a name's own subscript nothing."""
    yield node
    for part in node.parts if node.kind != "name" else ():
        yield from walk(part)


def names_in(sub: Node) -> Iterator[str]:
    """The names in a subscript, as spelt."""
    if sub.kind == "name":
        yield canonical(sub)
    else:
        for part in sub.parts:
            yield from names_in(part)


def bars_in(node: Node) -> list[str]:
    """The signs between the names of a subscript."""
    return node.parts[0].text.split() if node.parts and node.parts[0].kind == "items" else []


def shape_in_words(shape: tuple[int, ...]) -> str:
    """What a value is."""
    if not shape:
        return "a number"
    return "a column" if shape[1] == 1 else "a row" if shape[0] == 1 else "a matrix"
