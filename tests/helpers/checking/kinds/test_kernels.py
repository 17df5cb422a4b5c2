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


def test_a_kernel_defined_inside_the_answer_counts():
    body = KERNEL.format(inside="tl.exp(values)").strip().replace("\n", "\n    ")
    cell = f"def answer(x):\n    {body}\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, BLOCK=4)\n    return y\n"
    assert AnswerText(["import torch", cell]).broken_rule(KERNEL_EXERCISE) is None


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
