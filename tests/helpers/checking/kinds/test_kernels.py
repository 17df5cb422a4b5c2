"""How exercises about kernels are played and read."""

from __future__ import annotations

import math
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch

from grading.source_rules import AnswerText
from helpers import interpreter
from helpers.checking import calling, plain
from helpers.checking.kinds import kernels
from helpers.checking.kinds.kernels import from_kernel

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported


def test_new_memory_is_full_of_nan_during_a_call_only():
    pytest.importorskip("triton", reason="Triton exists for Linux only")
    value = kernels.call_kernel(lambda x: torch.empty_like(x), torch.ones(3))
    assert value.isnan().all()
    assert torch.get_deterministic_debug_mode() == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is not watched")
def test_a_load_outside_of_its_tensor_is_told_with_its_line():
    pytest.importorskip("triton", reason="Triton exists for Linux only")
    import triton
    import triton.language as tl

    @triton.jit
    def kernel(x, y, columns, BLOCK: tl.constexpr):
        column = tl.arange(0, BLOCK)
        values = tl.load(x + tl.program_id(0) * columns + column)  # no mask
        tl.store(y + tl.program_id(0), tl.max(values, 0))

    def row_max(x):
        y = torch.empty(len(x))
        kernel[(len(x),)](x, y, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        return y

    call = {"function": "row_max", "names": ["x"], "driver": "kernel", "parameters": []}
    call["arguments"] = [plain.encode(torch.rand(2, 3))]
    observation = calling.perform({"row_max": row_max}, call)
    assert observation["error"] == "IndexError"
    assert "load in program 1 (row 1) goes outside of its tensors, with 1 of 4 lanes" in observation["message"]
    assert observation["message"].endswith("mask=column < columns.")
    assert observation["line"] == kernel.fn.__code__.co_firstlineno + 3


def test_an_answer_that_comes_without_its_kernel_is_told():
    expected = {"value": {"tensor": "float32", "shape": [1], "data": [2.0]}, "dtype": "float32"}
    assert "With every kernel left out" in str(from_kernel(torch.tensor([2.0]), expected))
    assert from_kernel(torch.tensor([math.nan]), expected) is None
    assert from_kernel(None, expected) is None


def test_without_triton_a_call_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="needs Triton, which exists for Linux only"):
        kernels.call_kernel(lambda x: x, torch.ones(1))
    assert interpreter.prepare() == interpreter.NO_TRITON


def test_the_interpreter_is_chosen_without_a_gpu(monkeypatch):
    pytest.importorskip("triton", reason="Triton exists for Linux only")
    monkeypatch.setattr(interpreter.torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    assert interpreter.prepare() == interpreter.INTERPRETED
    compiled = ModuleType("triton")
    compiled.__spec__ = ModuleSpec("triton", None)
    monkeypatch.setitem(sys.modules, "triton", compiled)
    monkeypatch.setattr(interpreter, "interpreted", lambda: False)
    with pytest.raises(RuntimeError, match="restart the notebook's kernel"):
        interpreter.prepare()


KERNEL = """
@triton.jit
def kernel(x, y, BLOCK: tl.constexpr):
    values = tl.load(x + tl.arange(0, BLOCK)).to(tl.float32)
    tl.store(y + tl.arange(0, BLOCK), {inside})
"""
LAUNCHER = """
def answer(x):
    y = torch.empty_like(x)
    {launch}
    return {result}
"""


RULES = {"forbid": [], "modules": [], "require": [], "because": "", "kernel": True}
KERNEL_EXERCISE = {"functions": ["answer"], "rules": RULES}


@pytest.mark.parametrize(
    ("inside", "launch", "result", "told"),
    [
        ("tl.exp(values)", "kernel[(1,)](x, y, BLOCK=2 ** math.ceil(math.log2(len(x))))", "y", None),
        ("tl.exp(values)", "start = kernel[(1,)]; start(x, y, BLOCK=4)", "y.to(x.dtype)", None),
        ("tl.exp(values)", "pass", "y", "No kernel is started"),
        ("tl.exp(values)", "kernel(x, y, 4)", "y", "No kernel is started"),
        ("tl.exp(values)", "kernel[(1,)](x, y, BLOCK=4)", "torch.log_softmax(x, -1)", "log_softmax stands outside"),
        ("tl.exp(values)", "kernel[(1,)](x, y, BLOCK=4)", "x - x.exp()", "exp stands outside"),
        ("torch.exp(X)", "kernel[(1,)](x, y, BLOCK=4)", "y", "torch.exp stands inside a kernel"),
    ],
)
@pytest.mark.parametrize("setup", ["import math, torch, triton\nimport triton.language as tl", "import math, torch"])
def test_kernels_are_read_in_the_text_of_cells(inside, launch, result, told, setup):
    cells = [setup, KERNEL.format(inside=inside), LAUNCHER.format(launch=launch, result=result)]
    found = AnswerText(cells).broken_rule(KERNEL_EXERCISE)
    assert found is None if told is None else told in found


@pytest.mark.parametrize(
    ("before", "body", "told"),
    [
        ("SEEN = []", "SEEN.append(str(x))", "SEEN stands inside"),
        ("SEEN = list()", "list.append(SEEN, x)", "SEEN stands inside"),
        ("SEEN = {}\ndef keep(a):\n    SEEN[0] = a", "keep(x)", "stands inside"),
        ("SEEN = []\nkeep = SEEN.append", "keep(x)", "stands inside"),
        ("class Seen: pass", "Seen.x = x", "stands inside"),
        ("", "global SEEN\n    SEEN = str(x)", "stands inside"),
        ("", "tl.seen = str(x)", "tl.seen stands inside"),
        ("", "open('/tmp/seen', 'w').write(str(x))", "open stands inside"),
        ("", "tl.store(y, tl.load(x).handle.data.sum())", "stands inside"),
        ("LOW, SIZE = -float('inf'), tl.constexpr(4)", "tl.store(y, tl.load(x, other=LOW) * SIZE)", None),
        ("@triton.jit\ndef half(a): return a / 2", "tl.store(y, half(tl.load(x)))", None),
        ("if True:\n    SIZE: tl.constexpr = 4\nelse:\n    SIZE = 2 * 4", "tl.store(y, tl.load(x) * SIZE)", None),
    ],
)
def test_nothing_of_the_host_is_in_a_kernel(before, body, told):
    kernel = f"{before}\n@triton.jit\ndef kernel(x, y, BLOCK: tl.constexpr = 4):\n    {body}"
    launcher = LAUNCHER.format(launch="kernel[(1,)](x, y, BLOCK=4)", result="y")
    cells = ["import torch, triton\nimport triton.language as tl", kernel, launcher]
    found = AnswerText(cells).broken_rule(KERNEL_EXERCISE)
    assert found is None if told is None else told in found


def test_a_kernel_defined_inside_the_answer_counts():
    body = KERNEL.format(inside="tl.exp(values)").strip().replace("\n", "\n    ")
    cell = f"def answer(x):\n    {body}\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, BLOCK=4)\n    return y\n"
    assert AnswerText(["import torch", cell]).broken_rule(KERNEL_EXERCISE) is None


@pytest.mark.parametrize(
    ("kernel", "told"),
    [
        ("def kernel(x, y, BLOCK: tl.constexpr):\n    tl.store(y, tl.load(x))\nkernel = triton.jit(kernel)", None),
        ("def k(x, y, BLOCK):\n    tl.store(y, tl.load(x))\nkernel = triton.jit(k)", None),
        ("from triton import jit\n@jit\ndef kernel(x, y, BLOCK):\n    tl.store(y, tl.load(x))", None),
        ("def jit(f): return f\n@jit\ndef kernel(x, y, BLOCK):\n    y.copy_(x.sqrt())", "No kernel is started"),
        ("@triton.jit\ndef kernel(x, y, BLOCK):\n    triton.language.core.builtins.eval('1')", "cannot be read"),
    ],
)
def test_a_kernel_is_what_tritons_jit_makes(kernel, told):
    launcher = LAUNCHER.format(launch="kernel[(1,)](x, y, BLOCK=4)", result="y")
    found = AnswerText(["import torch, triton\nimport triton.language as tl", kernel, launcher]).broken_rule(
        KERNEL_EXERCISE
    )
    assert found is None if told is None else told in found


def test_an_input_changed_by_a_kernel_call_is_seen():
    pytest.importorskip("triton", reason="Triton exists for Linux only")
    x = torch.ones(2, 3).t()
    kernels.call_kernel(lambda t: t.zero_(), x)
    assert (x == 0).all()


@pytest.mark.parametrize("layout", [(0, (4, 5), (1, 4)), (3, (2, 3), (7, 2)), (0, (3, 2), (0, 1))])
def test_tensors_keep_their_strides_on_another_device(layout):
    offset, shape, strides = layout
    x = torch.arange(24.0).as_strided(shape, strides, offset)
    moved = kernels.moved_to(torch.device("meta"), x)
    assert (moved.shape, moved.stride(), moved.storage_offset()) == (x.shape, strides, offset)


def in_blocks(x, block):
    return sum(part.exp().sum(-1) for part in x.split(block, -1)).log()


@pytest.mark.parametrize(
    ("function", "columns"),
    [
        (in_blocks, 4),
        (lambda x, block: x.exp().sum(-1).log(), 10),
        (lambda x, block: (math.e**x).sum(-1).log(), 10),
        (lambda x, block: x.amax(-1) + in_blocks(x - x.amax(-1, keepdim=True), block), 10),
        (lambda x, block: torch.special.exp2(x).sum(-1).log2(), 10),
        (lambda x, block: (x.sigmoid() / (1 - x.sigmoid())).sum(-1).log(), 10),
        (lambda x, block: in_blocks(x - x.cummax(-1).values[..., -1:], block), 10),
        (lambda x, block: x[..., : 2 * block].exp_().sum(-1), 8),
        (lambda x, block: torch.logaddexp(x[..., 0], x[..., 1]), 1),
        (lambda x, block: x[..., :1].numpy().sum(), 0),
    ],
)
def test_the_columns_that_one_operation_takes_are_counted(function, columns):
    for rows in ((), (3,), (2, 3)):
        assert kernels.columns_at_once(function, torch.rand(*rows, 10), 4) == columns
    told = kernels.within_block(columns, {"block": 4})
    assert told is None if columns <= 4 else f"takes {columns} columns of a row at once" in told.text


def test_a_wide_kernel_is_called_with_rows_that_rise_and_judged_by_their_ends():
    pytest.importorskip("triton", reason="Triton exists for Linux only")
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    seen = []
    ends = kernels.call_wide_kernel(lambda wide, block: seen.append(wide) or wide, 5, x, 3)
    assert seen[0].shape == (2, 10)
    steps = torch.arange(10) / 10
    torch.testing.assert_close(seen[0], x.repeat(1, 5) + steps)
    torch.testing.assert_close(ends, torch.cat([x + steps[:2], x + steps[-2:]], 1))
    assert kernels.call_wide_kernel(lambda wide: wide.amax(-1), 5, x).shape == (2,)
