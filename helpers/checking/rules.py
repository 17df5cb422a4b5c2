"""Source rules: what the text of an answer may and must not call.

An exercise about *how* a number is computed cannot be judged by numbers alone. Its rules are plain data:

forbid   names that are the exercise itself: an import, attribute or method with that name
modules  modules that may not be used at all, such as "helpers"
require  names of which at least one must be called
kernel   true where the answer must start a kernel of its own (see `kinds.kernels`)
because  the sentence that the learner reads

The answer is read, never run. Names are followed through imports, aliases and the learner's own functions. There are
two layers. The first tells an honest learner what is not an answer, and what is. The second is closed by default: an
answer may use the modules and built-in functions that are listed (see `library`), and no private names but its own; a
module is used by its name, never handed on. What goes beyond that cannot be read, and is refused as such.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import torch

from helpers.checking.kinds.kernels import kernel_violation, mark_kernels
from helpers.checking.library import Found, is_private, known_as, look_up, object_known_as
from helpers.checking.names import (
    Live,
    Meaning,
    Mention,
    Scope,
    chains_in,
    defined_inside,
    dotted,
    imported,
    mentioned,
    within,
)
from helpers.checking.shapes import Rules

# Built-in functions that an answer may call; errors and constants may be used, too.
BUILTINS = {
    "abs", "all", "any", "ascii", "bin", "bool", "bytearray", "bytes", "callable", "chr", "classmethod", "complex",
    "dict", "divmod", "enumerate", "filter", "float", "format", "frozenset", "hasattr", "hash", "hex", "id", "int",
    "isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "object", "oct", "ord", "pow",
    "print", "property", "range", "repr", "reversed", "round", "set", "slice", "sorted", "staticmethod", "str", "sum",
    "super", "tuple", "type", "zip", "dir", "help", "input", "open", "exit", "quit", "copyright", "credits", "license",
    "memoryview", "__name__", "__doc__", "__debug__",
}  # fmt: skip
OPERATORS = {
    "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "floordiv", "mod", "pow", "rpow", "matmul",
    "neg", "pos", "abs", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "invert", "iadd", "isub", "imul", "itruediv",
}  # fmt: skip
# Names with two underscores that an answer may write.
DUNDERS = {f"__{name}__" for name in OPERATORS} | {
    "__init__", "__call__", "__name__", "__qualname__", "__doc__", "__len__", "__getitem__", "__setitem__", "__iter__",
    "__next__", "__enter__", "__exit__", "__class__", "__post_init__", "__version__", "__repr__", "__str__", "__hash__",
    "__contains__", "__bool__", "__float__", "__int__", "__index__", "__slots__", "__main__",
    "__new__", "__debug__", "__file__", "__missing__", "__delitem__", "__array__", "__all__",
}  # fmt: skip
# Attributes by which frames, code and pointers are reached, and names without writing them.
UNREADABLE = {
    "attrgetter", "methodcaller", "get_ipython", "user_ns", "f_globals", "f_locals", "f_builtins", "f_back", "f_code",
    "gi_frame", "cr_frame", "ag_frame", "tb_frame", "gi_code", "cr_code", "ag_code", "tb_next", "ctypes",
    "call_method", "get_field",
}  # fmt: skip
# The course's own functions that may stand on the line of an answer.
HARMLESS = {"helpers.check", "helpers.hint", "helpers.progress"} | {
    f"helpers.checking.{name}" for name in ("check.check", "check.hint", "progress.progress")
}
BASES = {"torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"}  # an optimiser of one's own starts from it
# A library's functions that are a forbidden one by another name.
SYNONYMS = {
    "softmax": {"scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward", "softmin"},
    "log_softmax": {"LogSoftmax", "log_softmax_backward_data"},
    "logsumexp": {
        "logaddexp.reduce",
        "logaddexp.accumulate",
        "logaddexp.reduceat",
        "logaddexp.at",
        "logaddexp2.reduce",
        "logaddexp2.accumulate",
        "logaddexp2.reduceat",
        "logaddexp2.at",
        "nsum",
        "tanhsinh",
        "qmc_quad",
        "ctc_loss",
        "CTCLoss",
        "_ctc_loss",
    },
    "cross_entropy": {"linear_cross_entropy", "LinearCrossEntropyLoss"},
    "lfilter": {
        "sosfilt",
        "filtfilt",
        "sosfiltfilt",
        "dlsim",
        "dlti",
        "dimpulse",
        "dstep",
        "deconvolve",
        "decimate",
        "polydiv",
        "TransferFunction",
        "StateSpace",
        "ZerosPolesGain",
        "symiirorder1",
        "symiirorder2",
        "cspline1d",
    },
    "clip_grad_norm_": {
        "renorm",
        "renorm_",
        "get_total_norm",
        "embedding",
        "embedding_",
        "Embedding",
        "embedding_bag",
        "EmbeddingBag",
        "embedding_renorm_",
    },
}
CLASSES_OF_DISTRIBUTIONS = {"Categorical", "OneHotCategorical", "Normal", "MultivariateNormal"}
SHAPES = "jaxtyping"
WRAPPED = ("__wrapped__", "fn", "pyfunc", "_torchdynamo_inline", "_torchdynamo_orig_callable")
WRAPPERS = 20  # around one function, at most
EVERY_TENSOR = set(dir(torch.Tensor)) | set(dir(np.ndarray))


def violation(tree: ast.AST, rules: Rules, scope: Scope) -> str | None:
    """The sentence of the first rule that the answer breaks, or None. `scope` tells what a name from outside may mean:
    dotted paths, syntax trees of the learner's own definitions; None where it is defined nowhere."""
    reader = Reader(rules)
    trees: list[ast.AST] = [tree]

    @functools.cache
    def following(name: str) -> Sequence[Meaning] | None:
        meanings = scope(name)
        trees.extend(one for one in meanings or () if isinstance(one, ast.AST))
        return meanings

    mentions = list(mentioned(tree, following))
    for own in {id(one): one for one in trees}.values():
        reader.defined |= defined_inside(own)
    found = [sentence for one in mentions if (sentence := reader.told_off(one))]
    found += [sentence for one in mentions if (sentence := reader.unread(one))]
    found += [unreadable(name) for name in sorted(reader.defined) if is_special(name) and name not in DUNDERS]
    if any(within(one.path, SHAPES) for one in mentions):
        found += [unreadable(name) for own in tuple(trees) for name in shapes_that_run(own, following)]
    if found:
        return f"{found[0]} {rules['because']}".strip()
    if not reader.met:
        return f"The answer does not use {' or '.join(rules['require'])}. {rules['because']}".strip()
    return kernel_violation(tree, scope) if rules.get("kernel") else None


def shapes_that_run(tree: ast.AST, scope: Scope) -> Iterator[str]:
    """What of jaxtyping an answer uses otherwise than with a plain shape, as in Float[Tensor, "rows columns-1"]: the
    text is evaluated where an object is asked whether it has that shape."""
    plain = {node.value for node in ast.walk(tree) if isinstance(node, ast.Subscript) and is_plain_shape(node.slice)}
    known = imported(tree)
    for chain in chains_in(tree):
        if chain.node in plain or not chain.root:
            continue
        meanings = known.get(chain.root) or scope(chain.root) or ()
        yield from (dotted(one, *chain.attributes) for one in meanings if isinstance(one, str) and within(one, SHAPES))


def is_plain_shape(index: ast.expr) -> bool:
    """Whether an index of an annotation is a type and a text in which nothing is called."""
    text = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else None
    return isinstance(text, ast.Constant) and isinstance(text.value, str) and not set(text.value) & set("({[")


class Reader:
    """Holds what an answer mentions against the rules of an exercise, in two layers."""

    def __init__(self, rules: Rules):
        names = {*rules["forbid"], *(other for name in rules["forbid"] for other in SYNONYMS.get(name, ()))}
        self.forbidden, self.modules, self.required = names, list(rules["modules"]), set(rules["require"])
        if names & CLASSES_OF_DISTRIBUTIONS:
            self.modules.append("torch.distributions")
        if names & {"entropy", "logsumexp"}:  # a density of its estimates adds exponentials in logarithms
            self.modules.append("scipy.stats")
        self.defined = set[str]()  # names of the learner's own methods and attributes
        self.met = not self.required

    def told_off(self, one: Mention) -> str | None:
        """What is said of something that is not an answer here."""
        found = look_up(one.path) if one.rooted else Found(False)
        if one.path in HARMLESS or (one.named and isinstance(found.value, ModuleType)):
            return None
        paths = [one.path, *also_known_as(found)]
        if not BASES.intersection(paths) and any(self.is_in(path, one.rooted) for path in paths):
            return f"{one.path} is not an answer here."
        parts = {part for path in paths for part in path.split(".")}
        parts |= {".".join(pair) for path in paths for pair in pairwise(path.split("."))}
        if not one.rooted and (one.own or not parts & EVERY_TENSOR):
            parts -= self.defined
        if names := sorted(self.forbidden & parts):
            return f"{names[0]} is not an answer here."
        if names := sorted(self.forbidden & found.methods):
            return f"{one.path} has {names[0]}, which is not an answer here."
        self.met = self.met or bool(self.required & parts)
        return None

    def is_in(self, path: str, rooted: bool) -> bool:
        """Whether a path leads into a module that may not be used."""
        if rooted:
            return any(within(path, module) for module in self.modules)
        last = {module.split(".")[-1] for module in self.modules} - self.defined
        return not last.isdisjoint(path.split("."))

    def unread(self, one: Mention) -> str | None:
        """What is said of something that cannot be read."""
        hidden = self.hidden(one)
        return None if hidden is None else unreadable(hidden)

    def hidden(self, one: Mention) -> str | None:
        """The part of a mention that cannot be read."""
        first, *rest = parts = one.parts
        if one.path in HARMLESS:
            return None
        if is_special(first) and first not in DUNDERS:  # what a module has though no statement defines it
            return first
        if one.rooted and hasattr(builtins, first):
            if first not in BUILTINS and not is_plain(first):
                return first
        elif one.rooted and one.known:
            found = look_up(one.path)
            if found.outside is not None:
                return found.outside
            if isinstance(found.value, ModuleType) and not one.named:
                return f"{one.path}, used as a value,"
        return next((part for part in (rest if one.rooted else parts) if self.is_hidden(part, one)), None)

    def is_hidden(self, part: str, one: Mention) -> bool:
        """Whether an attribute is one that cannot be read: a private name that is not the learner's own, or worse."""
        if part in UNREADABLE:
            return True
        if not is_private(part) or part in DUNDERS or part == "_":
            return False
        if is_special(part):  # what Python calls by itself, though the learner's own class defines it
            return True
        return not (part in self.defined and not one.rooted and (one.own or part not in EVERY_TENSOR))


def unreadable(what: str) -> str:
    """The sentence on what cannot be read."""
    return f"{what} cannot be read by this check, as what it calls is not written there: write it plainly."


def is_special(name: str) -> bool:
    """Whether a name is one that Python itself gives a meaning to: __getattr__."""
    return name.startswith("__") and name.endswith("__") and len(name) > 4


def also_known_as(found: Found) -> list[str]:
    """Other paths of what a path leads to: by its last module's own name, and by the home that it is known from."""
    if not found.known:
        return list(found.modules)
    name = getattr(found.value, "__name__", None)
    paths = list(found.modules)
    if isinstance(name, str) and not isinstance(found.value, ModuleType):
        paths += [known_as(found.value), *(f"{module}.{name}" for module in found.modules[-1:])]
    return paths


def is_plain(name: str) -> bool:
    """Whether a built-in name is an error or a constant."""
    value = getattr(builtins, name, None)
    return value in (None, True, False, Ellipsis, NotImplemented) or (
        isinstance(value, type) and issubclass(value, BaseException)
    )


def scope_of(function: Any) -> Scope:
    """What names mean to a live function: read from its module's globals."""
    inner = undecorated(function)
    space = getattr(inner, "__globals__", {})
    home = getattr(inner, "__module__", None)
    return lambda name: meanings_of(space[name], home) if name in space else None


def meanings_of(value: Any, home: str | None) -> list[Meaning]:
    """A module or a library's function as its dotted path; the learner's own function or class as its syntax tree."""
    if isinstance(value, ModuleType):
        return [value.__name__]
    target = undecorated(value)
    if not isinstance(getattr(target, "__name__", None), str):
        if offered := object_known_as(target):
            return [Live(offered)]
        target = type(target)  # an object, perhaps one that can be called, such as nn.KLDivLoss()
    if getattr(target, "__module__", None) != home:
        return [Live(known_as(target))] if callable(value) else []
    tree = tree_of(target)
    if tree is not None and type(value).__module__.startswith("triton."):
        mark_kernels(tree)  # k = triton.jit(k): its text has no decorator
    return [] if tree is None else [tree]


def undecorated(value: Any) -> Any:
    """What a library has wrapped: by functools.partial, functools.cache, np.vectorize, triton.jit, torch.compile."""
    for _ in range(WRAPPERS):
        inner = next((vars_of(value)[name] for name in WRAPPED if callable(vars_of(value).get(name))), None)
        inner = value.func if isinstance(value, functools.partial) else inner
        if inner is None:
            return value
        value = inner
    return value


def vars_of(value: Any) -> dict[str, Any]:
    """The attributes that an object itself holds; a library's object may answer to any other name."""
    try:
        return dict(vars(value))
    except TypeError:
        return {}


def class_in_its_cell(one: type) -> ast.AST | None:
    """The definition of a class of a notebook, whose text `inspect` looks for in a module's file: found in the cell
    that its methods come from."""
    codes = [
        getattr(inspect.unwrap(getattr(value, "__func__", value)), "__code__", None) for value in vars(one).values()
    ]
    for code in filter(inspect.iscode, codes):
        try:
            nodes = list(ast.walk(ast.parse("".join(linecache.getlines(code.co_filename)))))
        except (SyntaxError, ValueError):
            continue
        for node in nodes:
            last = getattr(node, "end_lineno", None) or 0
            if (
                isinstance(node, ast.ClassDef)
                and node.name == one.__name__
                and node.lineno <= code.co_firstlineno <= last
            ):
                return node
    return None


def tree_of(function: Any) -> ast.AST | None:
    """The syntax tree of a live function, or None where its text cannot be had, or is another's: of code that was made
    from a string Python may remember other text under the same name. The text of a lambda is its whole line; only the
    lambdas on it count."""
    if isinstance(function, type) and (found := class_in_its_cell(function)) is not None:
        return found
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(undecorated(function))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    if getattr(function, "__name__", "") == "<lambda>":
        return ast.Module([ast.Expr(node) for node in ast.walk(tree) if isinstance(node, ast.Lambda)], type_ignores=[])
    code = getattr(undecorated(function), "__code__", None)
    defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return tree if code is None or code.co_name in defined else None
