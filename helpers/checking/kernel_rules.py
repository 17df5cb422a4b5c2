"""The source rule of exercises that ask for a kernel: start one, and leave the arithmetic to it.

Outside kernels the answer may prepare memory and strides as it likes, but take no exponential or logarithm, and nothing
made of those; inside, only triton.language. That what is returned comes from the kernel is not read but tried (see
`kernels`).
"""

from __future__ import annotations

import ast
import builtins
import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.checking.rules import Meaning, Scope

START = "Start a kernel of your own: a function under @triton.jit, called as kernel[grid](...)."
ARITHMETIC = {
    "exp", "exp2", "expm1", "exp_", "log", "log2", "log10", "log1p", "log_", "logaddexp", "logaddexp2", "logsumexp",
    "logcumsumexp", "softmax", "log_softmax", "softmin", "softplus", "sigmoid", "logsigmoid", "logit", "xlogy", "entr",
    "cross_entropy", "nll_loss", "Softmax", "LogSoftmax", "Softmin", "CrossEntropyLoss", "NLLLoss", "LogSigmoid",
    "AdaptiveLogSoftmaxWithLoss", "gumbel_softmax", "float_power", "cumprod", "ldexp", "lgamma",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "arcsinh", "arccosh", "arctanh",
    "Categorical", "OneHotCategorical", "distributions", "special", "scipy", "numpy", "compile", "vmap", "grad",
}  # fmt: skip


def kernel_violation(tree: ast.AST, scope: Scope) -> str | None:
    """The sentence of the rule that an answer breaks, or None; `tree` and `scope` as for `rules.violation`."""
    from helpers.checking.rules import mentioned, within

    kernels: list[ast.FunctionDef] = []
    hosts: list[ast.AST] = []

    def outside(tree: ast.AST) -> ast.AST:
        hosts.append(Parting(kernels).visit(copy.deepcopy(tree)))
        return hosts[-1]

    def host_scope(name: str) -> list[Meaning] | None:
        meanings = scope(name)
        return None if meanings is None else [m if isinstance(m, str) else outside(m) for m in meanings]

    for path, _ in mentioned(outside(tree), host_scope):
        own = within(path, "triton") or within(path, "math")  # 2 ** ceil(log2(columns)) is the width of a block
        if not own and (found := ARITHMETIC.intersection(path.split("."))):
            return f"{sorted(found)[0]} stands outside the kernel, where no arithmetic on the numbers belongs. {START}"
    if not kernels or not any(starts_a_kernel(node) for host in hosts for node in ast.walk(host)):
        return f"No kernel is started. {START}"
    for kernel in kernels:
        for path, rooted in mentioned(kernel, scope):
            # The grader reads answers alone: there tl is a name that the notebook's own first cell defines.
            allowed = within(path, "triton") or within(path, "tl") or hasattr(builtins, path.split(".")[0])
            if rooted and not allowed:
                return f"{path} stands inside a kernel, where only triton.language works."
    return None


class Parting(ast.NodeTransformer):
    """Takes the kernels out of a tree, and keeps them, without their annotations."""

    def __init__(self, kernels: list[ast.FunctionDef]):
        self.kernels = kernels

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function under @triton.jit is a kernel."""
        if any(name_of(decorator) == "jit" for decorator in node.decorator_list):
            self.kernels.append(node)
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            return ast.Pass()
        return self.generic_visit(node)


def name_of(decorator: ast.AST) -> str:
    """The last name of a decorator: jit of triton.jit and of triton.jit(debug=True)."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def starts_a_kernel(node: ast.AST) -> bool:
    """Whether a node is a call of something in square brackets, or prepares one: kernel[grid]."""
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load)
