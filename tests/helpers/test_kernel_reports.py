from __future__ import annotations

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported

triton = pytest.importorskip("triton", reason="Triton exists for Linux only")

import triton.language as tl  # noqa: E402 (the interpreter is chosen first)

from helpers import kernel_reports  # noqa: E402 (as above)
from helpers.compiling import Compiled  # noqa: E402 (as above)

x = torch.ones(3)  # a notebook's own name, which a kernel uses for a parameter


@triton.jit
def kernel(x, y, columns, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    tl.store(y + column, tl.load(x + column, mask=column < columns), mask=column < columns)


@triton.jit
def stub(x, BLOCK: tl.constexpr):
    raise NotImplementedError()


ARGUMENTS = {"x": None, "y": None, "columns": 1024, "BLOCK": 1024, "num_warps": 4}


def test_a_kernel_is_reported_with_registers_spills_and_loads():
    assert kernel_reports.line(kernel, ARGUMENTS).split(maxsplit=2)[1:] == ["0", "2  2 x 16 bytes"]


def test_every_launch_has_a_line(monkeypatch, capsys):
    made = Compiled(54, 0, 3, {16: 8, 4: 1}, {}, (8,), 0, "")
    monkeypatch.setattr(kernel_reports, "compile_kernel", lambda *_, **__: made)
    kernel_reports.report_compiled({"few": (kernel, ARGUMENTS), "many": (kernel, ARGUMENTS)})
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["registers", "spills", "in", "flight", "loads"]
    assert [line.split(maxsplit=4) for line in lines] == [
        ["few", "54", "3", "8", "1 x 4 bytes, 8 x 16 bytes"],
        ["many", "54", "3", "8", "1 x 4 bytes, 8 x 16 bytes"],
    ]


def test_a_stub_is_not_written_yet():
    assert kernel_reports.line(stub, {"x": None, "BLOCK": 4}) == "stub is not written yet"


def test_what_is_missing_is_said(monkeypatch):
    def missing(*_, **__):
        raise RuntimeError("this needs Triton")

    monkeypatch.setattr(kernel_reports, "compile_kernel", missing)
    assert kernel_reports.line(kernel, ARGUMENTS) == "not compiled: this needs Triton"
    assert "not compiled: " in kernel_reports.line(kernel, {"z": None})
