from __future__ import annotations

import importlib.util
import os
import subprocess

import pytest
import torch

if not torch.cuda.is_available():
    # Triton reads this when it is first imported, so it stands above that import.
    os.environ.setdefault("TRITON_INTERPRET", "1")

triton = pytest.importorskip("triton", reason="Triton exists for Linux only")

import triton.language as tl  # noqa: E402 (the interpreter is chosen first)

from helpers import compiling  # noqa: E402 (as above)

USAGE = "Function kernel:\n  REG:53 STACK:16 SHARED:1024 LOCAL:0 CONSTANT[0]:576 TEXTURE:0"
SASS = """
 /*0010*/ LDG.E.128 R4, desc[UR4][R2.64] ;
 /*0020*/ @!P0 LDG.E.U16 R4, desc[UR4][R2.64] ;
 /*0030*/ LDG.E R4, desc[UR4][R2.64] ;
 /*0040*/ LDG.E.64.CONSTANT R4, desc[UR4][R2.64] ;
 /*0050*/ LDG.E.128 R4, desc[UR4][R2.64] ;
 /*0060*/ STG.E.EF.U8 desc[UR4][R2.64], R4 ;
 /*0070*/ STL.64 [R1], R8 ;
 /*0080*/ LDL.LU.64 R8, [R1] ;
"""
HALF = tl.constexpr(0.5)
LIMIT = float("inf")


@triton.jit
def halve(x):
    return x * HALF


twice_halved = halve


@triton.jit
def copy(x, y, columns, BLOCK: tl.constexpr):
    """Copy one row, halved where it is not infinite."""
    offset = tl.program_id(0) * columns + tl.arange(0, BLOCK)
    inside = tl.arange(0, BLOCK) < columns
    values = tl.load(x + offset, mask=inside, other=0.0)
    tl.store(y + offset, tl.where(values < LIMIT, twice_halved(values), values), mask=inside)


@triton.jit
def mistaken(x, y, BLOCK: tl.constexpr):
    tl.store(y + tl.arange(0, BLOCK), tl.load(x + tl.arange(0, 2 * BLOCK)))


def empty(dtype=torch.float32):
    return torch.empty(0, dtype=dtype)


def test_the_machine_code_is_counted_by_width():
    made = compiling.read(USAGE, SASS, shared_bytes=128)
    assert (made.registers, made.stack_bytes, made.spills, made.shared_bytes) == (53, 16, 2, 128)
    assert made.loads == {16: 2, 8: 1, 4: 1, 2: 1}
    assert made.stores == {1: 1}
    assert str(made) == (
        "53 registers per thread, 2 spill instructions; loads: 1 of 2 bytes, 1 of 4 bytes, 1 of 8 bytes, "
        "2 of 16 bytes; stores: 1 of 1 bytes; loads in flight: 1"
    )


def code(*lines):
    """Machine code as cuobjdump prints it, sixteen bytes an instruction."""
    return "\n".join(f" /*{16 * at:04x}*/ {line} ;" for at, line in enumerate(lines))


IN_FLIGHT = {
    "all loads stand before the first use": (
        ["LDG.E.128 R4, desc[UR4][R2.64]", "@!P0 LDG.E.128 R8, desc[UR4][R2.64]", "FADD R0, R7, R1", "FADD R0, R8, R0"],
        (2,),
    ),
    "one waits for the other": (
        ["LDG.E R4, desc[UR4][R2.64]", "FADD R0, R4, R1", "LDG.E R4, desc[UR4][R2.64]", "FADD R0, R4, R0"],
        (1,),
    ),
    "an address is a load's result": (
        ["LDG.E.64 R4, desc[UR4][R2.64]", "LDG.E R6, desc[UR4][R4.64]", "LDG.E R7, desc[UR4][R2.64]", "EXIT"],
        (2,),
    ),
    "a wide store reads four registers": (
        ["LDG.E R7, desc[UR4][R2.64]", "STG.E.128 desc[UR4][R2.64], R4", "LDG.E R8, desc[UR4][R2.64]", "EXIT"],
        (1,),
    ),
    "each innermost loop counts by itself": (
        [
            "LDG.E R4, desc[UR4][R2.64]",
            "FADD R0, R4, R0",
            "@P0 BRA 0x0",
            "LDG.E R4, desc[UR4][R2.64]",
            "LDG.E R5, desc[UR4][R2.64]",
            "FADD R0, R4, R5",
            "@P0 BRA 0x30",
            "@P1 BRA 0x0",
            "BRA 0x80",
        ],
        (1, 2),
    ),
    "copies to shared memory wait for nobody": (
        ["LDGSTS.E.128 [R8], desc[UR4][R2.64]", "FADD R2, R2, R1", "LDG.E R4, desc[UR4][R2.64]", "FADD R0, R4, R0"],
        (2,),
    ),
    "no load": (["EXIT"], ()),
}


@pytest.mark.parametrize(("lines", "expected"), IN_FLIGHT.values(), ids=IN_FLIGHT.keys())
def test_the_loads_under_way_are_counted_up_to_the_first_use(lines, expected):
    assert compiling.read(USAGE, code(*lines)).in_flight == expected


def test_a_copy_to_shared_memory_is_a_load_of_its_own_width():
    made = compiling.read(USAGE, code("LDGSTS.E.BYPASS.LTC128B.128 [R8], desc[UR4][R2.64]"))
    assert made.loads == {16: 1}


def test_output_without_registers_is_an_error():
    with pytest.raises(RuntimeError, match="no register use; it said: nothing useful"):
        compiling.read("nothing useful", SASS)


def test_arguments_become_what_triton_specialises_on():
    args = (empty(torch.bfloat16), torch.empty(8)[1:], 50304, 1024)
    found = compiling.arguments(compiling.python_function(copy), args, {})
    assert found["signature"] == {"x": "*bf16", "y": "*fp32", "columns": "i32", "BLOCK": "constexpr"}
    assert found["constants"] == {"BLOCK": 1024}
    # y begins four bytes beyond a multiple of 16.
    assert found["divisible"] == ["x", "columns"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, "constexpr"), (None, "constexpr"), (True, "i1"), (2, "i32"), (2**31, "i64"), (0.5, "fp32")],
)
def test_numbers_become_what_triton_specialises_on(value, expected):
    args = (empty(), empty(), value, tl.constexpr(8))
    found = compiling.arguments(compiling.python_function(copy), args, {})
    assert found["signature"]["columns"] == expected
    assert found["constants"] == {"BLOCK": 8} | ({"columns": value} if expected == "constexpr" else {})


def test_the_width_of_loads_follows_what_is_known_of_the_row_length():
    known = compiling.compile_kernel(copy, empty(), empty(), 50304, BLOCK=65536, num_warps=32)
    odd = compiling.compile_kernel(copy, empty(), empty(), 50257, BLOCK=65536, num_warps=32)
    # 65536 columns over 1024 threads: 64 elements each, four at a time or one by one.
    assert known.loads == known.stores == {16: 16}
    assert odd.loads == odd.stores == {4: 64}


def test_the_assembler_reports_the_same_registers(tmp_path, monkeypatch):
    """Ask ptxas itself about the same kernel, compiled by Triton in this test's own way."""
    program = tmp_path / "compile_here.py"
    parts = compiling.source_parts(compiling.python_function(copy))
    call = """
import sys
from triton.backends.compiler import GPUTarget
signature = {"x": "*fp32", "y": "*fp32", "columns": "i32", "BLOCK": "constexpr"}
source = triton.compiler.ASTSource(fn=copy, signature=signature, constexprs={"BLOCK": 4096})
made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 1})
open(sys.argv[1], "w").write(made.asm["ptx"])
"""
    program.write_text("import triton\n" + "\n".join(parts) + call)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    subprocess.run([compiling.sys.executable, program, tmp_path / "kernel.ptx"], check=True)
    ptxas = triton.knobs.nvidia.ptxas.path
    command = [ptxas, "-v", "--gpu-name=sm_90a", tmp_path / "kernel.ptx", "-o", tmp_path / "kernel.cubin"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr

    unaligned = (torch.empty(8)[1:], torch.empty(8)[1:], 33)
    made = compiling.compile_kernel(copy, *unaligned, BLOCK=4096, num_warps=1)
    assert f"Used {made.registers} registers" in said
    assert f"{made.stack_bytes} bytes stack frame" in said


def test_a_kernel_that_does_not_compile_says_why():
    with pytest.raises(RuntimeError, match=r"mistaken could not be compiled for sm_90:(.|\n)*shape"):
        compiling.compile_kernel(mistaken, empty(), empty(), BLOCK=8)


def test_an_unknown_option_is_named():
    with pytest.raises(RuntimeError, match="num_wraps is neither an argument of the kernel nor an option"):
        compiling.compile_kernel(copy, empty(), empty(), 8, BLOCK=8, num_wraps=8)


def test_arguments_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="copy: missing a required argument: 'BLOCK'"):
        compiling.compile_kernel(copy, empty(), empty(), 8)
    with pytest.raises(ValueError, match="y must be a tensor, a number or None, got str"):
        compiling.compile_kernel(copy, empty(), "empty", 8, BLOCK=8)
    with pytest.raises(ValueError, match=r"must be a function decorated with @triton\.jit, got int"):
        compiling.compile_kernel(3)


def test_a_kernel_whose_source_is_lost_is_named():
    namespace = {"triton": triton, "tl": tl}
    exec("def lost(x):\n    tl.store(x, 0)", namespace)
    with pytest.raises(ValueError, match="the source of lost cannot be read"):
        compiling.compile_kernel(namespace["lost"], empty())


def test_what_no_kernel_can_use_is_named(monkeypatch):
    monkeypatch.setitem(compiling.python_function(copy).__globals__, "LIMIT", torch.tensor(1.0))
    with pytest.raises(ValueError, match="a kernel cannot use LIMIT, which is of type Tensor"):
        compiling.compile_kernel(copy, empty(), empty(), 8, BLOCK=8)


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"Linux(.|\n)*pip install triton"):
        compiling.compile_kernel(copy, empty(), empty(), 8, BLOCK=8)
