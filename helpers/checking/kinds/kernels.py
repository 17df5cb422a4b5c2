"""Exercises about kernels (notebook 06): how they are played, and the source rule that asks for a kernel.

They are played on the GPU where there is one, else under Triton's interpreter. Memory that the call allocates is full
of nan, so that what a kernel leaves out is seen; under the interpreter a load or store outside of the tensors that a
kernel was given raises IndexError; and the same call is played with every kernel left out, so that an answer which does
not come from one is seen, too.

The rule: start a kernel, and leave the arithmetic to it. Outside kernels the answer may prepare memory and strides as
it likes, but take no exponential or logarithm, and nothing made of those; inside, only triton.language."""

from __future__ import annotations

import ast
import builtins
import copy
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from helpers.checking import plain
from helpers.checking.comparing import close
from helpers.checking.kinds import flow
from helpers.checking.names import Meaning, Mention, Scope, global_names, imported, mentioned, static, within
from helpers.checking.shapes import Expectation
from helpers.checking.words import Problem
from helpers.safe_interpreter import WATCH, make_safe

NEEDS_TRITON = "this exercise needs Triton, which exists for Linux only; the exercises in plain torch need no Triton"
# What of an online sum must see no more than a block.
BY_BLOCKS = {
    "exp", "exp2", "expm1", "pow", "rpow", "float_power", "ldexp", "logaddexp", "logaddexp2", "softplus", "sigmoid",
    "expit", "logsigmoid", "sinh", "cosh", "tanh", "amax", "max", "aminmax", "sort", "msort", "argsort", "topk",
    "kthvalue", "cummax", "quantile",
}  # fmt: skip
START = "Start a kernel of your own: a function under @triton.jit, called as kernel[grid](...)."
JIT = {"triton.jit", "triton.runtime.jit.jit"}
INSIDE = "{what} stands inside a kernel, where only triton.language works."
OF_THE_HOST = {"open", "input", "help", "memoryview", "bytearray"}  # built-in functions that no kernel has
CASTS = {"float", "int", "bool"}
OF_CONSTANTS = (
    ast.Constant, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.Tuple, ast.Name, ast.Attribute,
    ast.expr_context, ast.keyword,
)  # fmt: skip
ARITHMETIC = {
    "exp", "exp2", "expm1", "exp_", "log", "log2", "log10", "log1p", "log_", "logaddexp", "logaddexp2", "logsumexp",
    "logcumsumexp", "softmax", "log_softmax", "softmin", "softplus", "sigmoid", "logsigmoid", "logit", "xlogy", "entr",
    "cross_entropy", "nll_loss", "Softmax", "LogSoftmax", "Softmin", "CrossEntropyLoss", "NLLLoss", "LogSigmoid",
    "AdaptiveLogSoftmaxWithLoss", "gumbel_softmax", "float_power", "cumprod", "ldexp", "lgamma",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "arcsinh", "arccosh", "arctanh",
    "Categorical", "OneHotCategorical", "distributions", "special", "scipy", "numpy", "compile", "vmap", "grad",
}  # fmt: skip


def call_kernel(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call with tensors where kernels run, and bring the answer back. Raises RuntimeError where there is no Triton, and
    Unsupported for an answer whose numbers do not come from a kernel (see `flow`)."""
    if importlib.util.find_spec("triton") is None:
        raise RuntimeError(NEEDS_TRITON)
    on_gpu = torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET", "0") == "0"
    if not on_gpu:
        make_safe()
    device = torch.device("cuda" if on_gpu else "cpu")
    moved = [moved_to(device, one) for one in arguments]
    with nan_in_new_memory(), np.errstate(all="ignore"), flow.watched(moved) as seen:
        value = function(*moved)
    if seen is not None and (fault := seen.judge(value)):
        raise plain.Unsupported(fault)
    for before, after in zip(arguments, moved, strict=True):
        if isinstance(before, Tensor) and before is not after:
            before.untyped_storage().copy_(after.untyped_storage())  # so that a changed input is seen
    return value


def call_without_kernels(function: Callable[..., Any], *arguments: Any) -> Any:
    """The same call with every launch left out; None where the function does not get through without."""
    with ExitStack() as stack:
        for module, launcher in flow.LAUNCHERS:
            if module in sys.modules:
                owner = getattr(sys.modules[module], launcher)
                stack.enter_context(mock.patch.object(owner, "run", return_value=None))
        try:
            return call_kernel(function, *arguments)
        except Exception:
            return None


def written_out(x: Any, times: int) -> Any:
    """Rows that repeat the rows of x, rising by 1 from their beginning to their end; what is no matrix as it is."""
    if not isinstance(x, Tensor) or x.ndim != 2:
        return x
    wide = x.repeat(1, times)
    return wide + (torch.arange(wide.shape[1]) / wide.shape[1]).to(x.dtype)


def ends_of(value: Any, columns: int) -> Any:
    """The first and the last `columns` of a matrix, one behind the other; what is no matrix as it is."""
    matrix = isinstance(value, Tensor) and value.ndim == 2
    return torch.cat([value[:, :columns], value[:, -columns:]], 1) if matrix else value


def call_wide_kernel(function: Callable[..., Any], times: int, x: Tensor, *others: Any) -> Any:
    """Call with rows `times` as wide as those of the arguments, and bring both ends of the answer back: a case of many
    thousand columns in a few numbers."""
    return ends_of(call_kernel(function, *[written_out(one, times) for one in (x, *others)]), x.shape[1])


class ColumnsAtOnce(TorchFunctionMode):
    """Notes the most elements that an exponential or a maximum takes, one operation at a time."""

    most = 0

    def __torch_function__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(operation, "__name__", "").strip("_").removeprefix("special_") in BY_BLOCKS:
            sizes = [value.numel() for value in args if isinstance(value, Tensor)]
            self.most = max(self.most, *sizes, 0)
        return operation(*args, **(kwargs or {}))


def columns_at_once(function: Callable[..., Any], x: Tensor, block: int) -> int:
    """Call, and count the columns of a row that one exponential or maximum takes at once, at most."""
    seen = ColumnsAtOnce()
    with seen:
        function(x, block)
    return seen.most // max(1, math.prod(x.shape[:-1]))


def within_block(value: Any, expectation: Expectation) -> Problem | None:
    """One operation must take no more columns than a block has (see `columns_at_once`)."""
    block = expectation["block"]
    if isinstance(value, int) and value <= block:
        return None
    template = (
        "One operation takes {columns} columns of a row at once, where a block has {block}: a row that does not fit "
        "comes block by block, and only m and s are carried on."
    )
    return Problem.of("numbers", template, columns=value, block=block)


def loaded_at_once(function: Callable[..., Any], x: Tensor, block: int) -> int:
    """Call with one row, and count the numbers that one load takes at most. A GPU does not tell: there, the block."""
    WATCH.most_loaded = 0
    call_kernel(function, x, block)
    return WATCH.most_loaded or block


def whole_block(value: Any, expectation: Expectation) -> Problem | None:
    """The largest load must take as many columns as a block has (see `loaded_at_once`)."""
    block = expectation["block"]
    if value == block:
        return None
    template = "A load takes up to {columns} columns of the row at once, where `block` says {block}."
    return Problem.of("numbers", template, columns=value, block=block)


def moved_to(device: torch.device, value: Any) -> Any:
    """A tensor on the device with the strides that it had; everything else as it is."""
    if not isinstance(value, Tensor) or value.device == device:
        return value
    memory = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())
    return memory.to(device).as_strided(value.size(), value.stride(), value.storage_offset())


@contextmanager
def nan_in_new_memory() -> Iterator[None]:
    """Have torch.empty and its kin give memory full of nan (integers: the largest)."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("warn")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def from_kernel(value: Any, expectation: Expectation) -> Problem | None:
    """With all kernels left out, the right answer must not come (see `kernels.call_without_kernels`)."""
    if value is None or close(value, expectation) is not None:
        return None
    template = "With every kernel left out the same answer comes: return what the kernel has stored."
    return Problem.of("numbers", template)


def kernel_violation(tree: ast.AST, scope: Scope) -> str | None:
    """The sentence of the rule that an answer breaks, or None; `tree` and `scope` as for `rules.violation`."""
    mentions, hosts, kernels = outside_of_kernels(tree, scope)
    for one in mentions:
        own = within(one.path, "triton") or within(one.path, "math")  # 2 ** ceil(log2(columns)) is a block's width
        if not own and (found := ARITHMETIC.intersection(one.parts)):
            return f"{sorted(found)[0]} stands outside the kernel, where no arithmetic on the numbers belongs. {START}"
    if not kernels or not any(starts_a_kernel(node) for host in hosts for node in ast.walk(host)):
        return f"No kernel is started. {START}"
    strange = (what for kernel in kernels for what in strange_inside(kernel, scope))
    return next((INSIDE.format(what=what) for what in strange), None)


def outside_of_kernels(tree: ast.AST, scope: Scope) -> tuple[list[Mention], list[ast.AST], list[ast.FunctionDef]]:
    """What an answer mentions outside of its kernels, the trees outside of them, and the kernels."""
    parting = Parting(scope)
    hosts: list[ast.AST] = []

    def outside(tree: ast.AST) -> ast.AST:
        inside = imported(tree)
        parting.scope = lambda name: inside.get(name) or scope(name)
        parting.jitted |= set(jitted_in(tree, parting.scope))
        hosts.append(parting.visit(copy.deepcopy(tree)))
        return hosts[-1]

    def host_scope(name: str) -> list[Meaning] | None:
        meanings = scope(name)
        return None if meanings is None else [m if isinstance(m, str) else outside(m) for m in meanings]

    # Twice: where `kernel = triton.jit(kernel)` stands behind the function that it makes a kernel of.
    for _ in ("find what is a kernel", "read the rest"):
        hosts.clear()
        parting.kernels.clear()
        mentions = list(mentioned(outside(tree), host_scope))
    return mentions, hosts, parting.kernels


def strange_inside(kernel: ast.FunctionDef, scope: Scope) -> Iterator[str]:
    """What stands in a kernel that is not triton.language's."""
    for one in mentioned(kernel, scope):
        allowed = within(one.path, "triton") or within(one.path, "tl") or hasattr(builtins, one.parts[0])
        if one.rooted and not allowed:
            yield one.path
    yield from of_the_host(kernel, scope)


def of_the_host(kernel: ast.FunctionDef, scope: Scope) -> Iterator[str]:
    """What a kernel uses that the interpreter would let it take from the host, or leave there: names of anything but
    functions and constants, names and attributes that it sets outside, files."""
    body = ast.Module([ast.FunctionDef(kernel.name, kernel.args, kernel.body, [])], [])
    queue: list[ast.AST] = [ast.fix_missing_locations(body)]
    seen = set[str]()
    while queue:
        tree = queue.pop()
        yield from (ast.unparse(node) for node in ast.walk(tree) if reaches_out(node))
        for name in sorted(global_names(tree) - seen):
            seen.add(name)
            meanings = scope(name) or ()
            own = [one for one in meanings if isinstance(one, ast.AST)]
            if len(own) < len(meanings):  # ours stands in for Triton where there is none
                own = [one for one in own if not is_empty(one)]
            if not all(is_function(one) or is_constant(one, scope) for one in own):
                yield name
            queue += [one for one in own if not is_jitted(one, scope)]


def reaches_out(node: ast.AST) -> bool:
    """Whether a node of a kernel sets what lies outside of it, looks behind a block of numbers, or opens a file."""
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return not isinstance(node.ctx, ast.Load) or (isinstance(node, ast.Attribute) and node.attr == "handle")
    return isinstance(node, (ast.Global, ast.Nonlocal)) or (isinstance(node, ast.Name) and node.id in OF_THE_HOST)


def statement_of(meaning: ast.AST) -> ast.AST:
    """The statement that a name means, also where it is a module of one."""
    return meaning.body[0] if isinstance(meaning, ast.Module) and len(meaning.body) == 1 else meaning


def is_function(meaning: ast.AST) -> bool:
    """Whether a name means a function."""
    return isinstance(statement_of(meaning), ast.FunctionDef)


def is_empty(meaning: ast.AST) -> bool:
    """Whether a name means a class that holds nothing but names of built-in functions and static methods."""
    statement = statement_of(meaning)
    if not isinstance(statement, ast.ClassDef) or any(not hasattr(builtins, one) for one in global_names(statement)):
        return False
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    holds = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
    return all(static(one.func) for one in calls) and not any(isinstance(n, holds) for n in ast.walk(statement))


def is_jitted(meaning: ast.AST, scope: Scope) -> bool:
    """Whether a name means a kernel, which is looked at by itself."""
    statement = statement_of(meaning)
    return isinstance(statement, ast.FunctionDef) and any(is_jit(one, scope) for one in statement.decorator_list)


def is_constant(meaning: ast.AST, scope: Scope) -> bool:
    """Whether a statement gives a name a number or a text: it is made of such, and of calls like float("inf") and
    tl.constexpr(64)."""
    statement = statement_of(meaning)
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
        return False
    return all(isinstance(node, OF_CONSTANTS) or is_cast(node, scope) for node in ast.walk(statement.value))


def is_cast(node: ast.AST, scope: Scope) -> bool:
    """Whether a node is a call that makes a number of a number, or one of Triton's."""
    if not isinstance(node, ast.Call) or not name_of(node.func):
        return False
    return all(one.path in CASTS or within(one.path, "triton") for one in mentioned(ast.Expression(node.func), scope))


def mark_kernels(tree: ast.AST) -> None:
    """Mark the functions in the text of a live kernel as what they are, by whatever way Triton came to them."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef):
            node.is_kernel = True  # type: ignore[attr-defined]


def jitted_in(tree: ast.AST, scope: Scope) -> Iterator[str]:
    """The names of functions that a call makes kernels of: k in triton.jit(k)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_jit(node.func, scope):
            yield from (argument.id for argument in node.args[:1] if isinstance(argument, ast.Name))


def is_jit(node: ast.expr, scope: Scope) -> bool:
    """Whether a decorator, or what is called, is Triton's jit: triton.jit, triton.jit(debug=True), and by any name."""
    target = node.func if isinstance(node, ast.Call) else node
    paths = {one.path for one in mentioned(ast.Expression(target), scope)} if name_of(target) else set()
    return not JIT.isdisjoint(paths)


class Parting(ast.NodeTransformer):
    """Takes the kernels out of a tree, and keeps them, without their annotations."""

    def __init__(self, scope: Scope):
        self.scope, self.kernels, self.jitted = scope, list[ast.FunctionDef](), set[str]()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function under @triton.jit, or that triton.jit is called with, is a kernel."""
        marked = node.name in self.jitted or getattr(node, "is_kernel", False)
        if marked or any(is_jit(decorator, self.scope) for decorator in node.decorator_list):
            self.kernels.append(node)
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            return ast.Pass()
        return self.generic_visit(node)


def name_of(target: ast.AST) -> str:
    """The last name of what is called: jit of triton.jit."""
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def starts_a_kernel(node: ast.AST) -> bool:
    """Whether a node is a call of something in square brackets, or prepares one: kernel[grid]; or kernel.run(...)."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "run"
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load)
