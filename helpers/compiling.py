"""Read what the compiler did: compile a Triton kernel for a GPU that need not be there, and count what came out.

Triton brings NVIDIA's assembler along, so registers, spills and the width of every load can be read on any Linux
machine. The compilation runs in a fresh Python, because a kernel that was decorated under TRITON_INTERPRET=1 cannot be
compiled in the process that interprets it. This file is that program too: it reads one request from standard input.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from helpers.checking.names import global_names

SECONDS_TO_COMPILE = 120
# From global memory to registers, and straight to shared memory, which is what num_stages makes of a load.
LOADS = ("LDG", "LDGSTS")
# How Triton writes the types of tensors. Keys are str(dtype), so that this file needs no torch.
POINTERS = {
    "torch.float16": "*fp16",
    "torch.bfloat16": "*bf16",
    "torch.float32": "*fp32",
    "torch.float64": "*fp64",
    "torch.int64": "*i64",
    "torch.int32": "*i32",
    "torch.int16": "*i16",
    "torch.int8": "*i8",
    "torch.uint8": "*u8",
    "torch.bool": "*i1",
}


@dataclass(frozen=True)
class Compiled:
    """What the compiler made of a kernel.

    ``registers`` and ``stack_bytes`` are per thread (a thread can have at most 255 registers, and 65536 / threads of
    them in all). ``spills`` counts the local memory instructions: they save a register to memory or bring it back, or
    serve an array that has no registers. ``loads`` and ``stores`` map a width in bytes to the number of instructions
    that move so many bytes between global memory and a thread, or its shared memory. ``in_flight`` has a number for
    each innermost loop that loads, in the order of the machine code (one number in all, where no loop does): how many
    loads a thread has under way at most before it needs the first of them. ``shared_bytes`` is the shared memory of a
    program. ``sass`` is the machine code, for the curious.
    """

    registers: int
    stack_bytes: int
    spills: int
    loads: dict[int, int]
    stores: dict[int, int]
    in_flight: tuple[int, ...]
    shared_bytes: int
    sass: str

    def __str__(self) -> str:
        def widths(moves: dict[int, int]) -> str:
            return ", ".join(f"{count} of {width} bytes" for width, count in sorted(moves.items())) or "none"

        return (
            f"{self.registers} registers per thread, {self.spills} spill instructions; "
            f"loads: {widths(self.loads)}; stores: {widths(self.stores)}; "
            f"loads in flight: {', '.join(map(str, self.in_flight)) or 'none'}"
        )


def compile_kernel(kernel: Any, *args: Any, architecture: int = 90, **named: Any) -> Compiled:
    """Compile ``kernel`` as `kernel[grid](*args, **named)` would, for an NVIDIA GPU (90: an H100 or H200).

    What ``named`` holds beyond the kernel's own arguments are options of a launch, such as num_warps=8. Tensors stand
    for their dtype and alignment only: they may be empty, and on any device. Whole numbers that 16 divides, and the
    number 1, are known to the compiler as such, as in a launch. ``kernel`` may be interpreted or not; the functions and
    constants that it uses are taken from where it was defined.

    Raises ValueError for arguments that do not fit the kernel, or a kernel whose source cannot be had, and
    RuntimeError naming the remedy where Triton or its tools are missing or when the kernel does not compile.
    """
    if importlib.util.find_spec("triton") is None:
        raise RuntimeError("this needs Triton, which exists for Linux only: on Linux run `pip install triton`")
    function = python_function(kernel)
    own = {name: value for name, value in named.items() if name in inspect.signature(function).parameters}
    request = {
        "source": "\n\n".join(source_parts(function)),
        "kernel": function.__name__,
        **arguments(function, args, own),
        "options": {name: value for name, value in named.items() if name not in own},
        "architecture": architecture,
    }
    answer = _in_fresh_python(request)
    return read(answer["usage"], answer["sass"], answer["shared_bytes"])


def _in_fresh_python(request: dict[str, Any]) -> dict[str, Any]:
    """Run this file on a request. Raises RuntimeError with the end of what it says when it fails."""
    name = request["kernel"]
    # Nothing that changes how Triton compiles; a path to another assembler or disassembler may stay.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRITON_") or k.endswith("_PATH")}
    with tempfile.TemporaryDirectory() as folder:
        # Its own empty cache, so that this works where the home folder cannot be written.
        environment["TRITON_CACHE_DIR"] = folder
        try:
            # -P: the names of the files beside this one must not hide modules of the standard library.
            done = subprocess.run(
                [sys.executable, "-P", __file__, folder],
                input=json.dumps(request),
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS_TO_COMPILE,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"{name} was still being compiled after {SECONDS_TO_COMPILE} seconds: try a smaller block"
            ) from None
    if done.returncode:
        target = f"sm_{request['architecture']}"
        raise RuntimeError(f"{name} could not be compiled for {target}:\n{_last_lines(done.stderr)}")
    return json.loads(done.stdout)


def read(usage: str, sass: str, shared_bytes: int = 0) -> Compiled:
    """Count what matters in the output of `cuobjdump -res-usage` and `cuobjdump -sass`."""
    match = re.search(r"REG:(\d+) STACK:(\d+)", usage)
    if match is None:
        raise RuntimeError(f"cuobjdump reports no register use; it said: {usage.strip()[:200]}")
    loads, stores, spills = Counter[int](), Counter[int](), 0
    names = re.findall(r"\b(?:LDG|LDGSTS|STG|LDL|STL)\b(?:\.\w+)*", sass)
    for opcode, *modifiers in (name.split(".") for name in names):
        if opcode in ("LDL", "STL"):
            spills += 1
        else:
            (loads if opcode in LOADS else stores)[_width(modifiers)] += 1
    flying = loads_in_flight(instructions(sass))
    return Compiled(int(match[1]), int(match[2]), spills, dict(loads), dict(stores), flying, shared_bytes, sass)


@dataclass(frozen=True)
class Instruction:
    """One line of machine code: where it stands, what it does, and the numbers of the registers that it names."""

    address: int
    opcode: str
    modifiers: tuple[str, ...]
    operands: str

    @property
    def registers(self) -> set[int]:
        """The registers that it reads or writes; of a wide one, all. In an address two registers make one number."""
        wide = _width(list(self.modifiers)) // 4 or 1
        found = set[int]()
        for inside, first in re.findall(r"(\[)?\bR(\d+)", self.operands):
            found |= set(range(int(first), int(first) + (2 if inside else wide)))
        return found


def instructions(sass: str) -> list[Instruction]:
    """Read the machine code that `cuobjdump -sass` prints."""
    lines = re.findall(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w*)([.\w]*)([^;]*);", sass)
    return [Instruction(int(at, 16), name, tuple(m.split(".")[1:]), rest) for at, name, m, rest in lines]


def loads_in_flight(code: list[Instruction]) -> tuple[int, ...]:
    """For each innermost loop that loads: the most loads that are under way when the first of them is needed."""
    branches = [(int(target[1], 16), at.address) for at in code if (target := _target(at)) is not None]
    loops = [(begin, end) for begin, end in branches if begin < end]
    innermost = [
        one for one in loops if not any(one != other and one[0] <= other[0] <= other[1] <= one[1] for other in loops)
    ]
    bodies = [[at for at in code if begin <= at.address <= end] for begin, end in sorted(innermost)]
    flying = [most for body in bodies if (most := _most_in_flight(body))]
    return tuple(flying or [most for most in [_most_in_flight(code)] if most])


def _target(at: Instruction) -> re.Match[str] | None:
    return re.search(r"0x([0-9a-f]+)", at.operands) if at.opcode == "BRA" else None


def _target_registers(load: Instruction) -> set[int]:
    """The registers that a load fills."""
    first = re.search(r"\bR(\d+)", load.operands)
    words = max(1, _width(list(load.modifiers)) // 4)
    return set(range(int(first[1]), int(first[1]) + words)) if first else set()


def _most_in_flight(code: list[Instruction]) -> int:
    """The most loads from global memory whose registers nothing has touched yet, in code that runs line by line."""
    under_way: list[set[int]] = []
    most = 0
    for at in code:
        touched = at.registers
        waiting = [target for target in under_way if not target & touched]
        if len(waiting) < len(under_way):
            most = max(most, len(under_way))
        under_way = waiting
        if at.opcode in LOADS:
            under_way.append(_target_registers(at) if at.opcode == "LDG" else set())
    return max(most, len(under_way))


def _width(modifiers: list[str]) -> int:
    """Return the bytes a load or store moves per thread: an opcode that names no width moves 4."""
    bits = next((re.sub(r"\D", "", m) for m in modifiers if re.fullmatch(r"[US]?(8|16|64|128)", m)), "32")
    return int(bits) // 8


def python_function(kernel: Any) -> FunctionType:
    """Return the Python function inside @triton.jit, @triton.autotune and @triton.heuristics."""
    while not isinstance(kernel, FunctionType):
        if not hasattr(kernel, "fn"):
            raise ValueError(f"kernel must be a function decorated with @triton.jit, got {type(kernel).__name__}")
        kernel = kernel.fn
    return kernel


def arguments(function: FunctionType, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return what Triton specialises a launch on: the type of each argument, the constants, what 16 divides.

    Raises ValueError when the arguments do not fit the function or one is of a kind that no kernel takes.
    """
    try:
        bound = inspect.signature(function).bind(*args, **named)
    except TypeError as error:
        raise ValueError(f"{function.__name__}: {error}") from None
    bound.apply_defaults()
    signature, constants, divisible = {}, {}, []
    for name, value in bound.arguments.items():
        constant = "constexpr" in str(function.__annotations__.get(name, ""))
        signature[name] = "constexpr" if constant else _type(name, value)
        if signature[name] == "constexpr":
            constants[name] = getattr(value, "value", value)
        elif _divisible_by_16(value):
            divisible.append(name)
    return {"signature": signature, "constants": constants, "divisible": divisible}


def _type(name: str, value: Any) -> str:
    """Return Triton's name for the type of an argument; None and 1 are compiled in."""
    if value is None or (type(value) is int and value == 1):
        return "constexpr"
    if isinstance(value, bool):
        return "i1"
    if isinstance(value, int):
        return "i32" if -(2**31) <= value < 2**31 else "i64"
    if isinstance(value, float):
        return "fp32"
    pointer = POINTERS.get(str(getattr(value, "dtype", None)))
    if pointer is None:
        raise ValueError(f"{name} must be a tensor, a number or None, got {type(value).__name__}")
    return pointer


def _divisible_by_16(value: Any) -> bool:
    address = value.data_ptr() if hasattr(value, "data_ptr") else value
    return type(address) is int and address % 16 == 0


def source_parts(function: FunctionType, seen: set[str] | None = None) -> Iterator[str]:
    """Yield the source of all that a kernel uses, in an order that runs: imports, constants, functions, itself.

    Raises ValueError when a source cannot be read, or the kernel uses something that no kernel can.
    """
    seen = set() if seen is None else seen
    tree = _tree(function)
    tree.decorator_list = [ast.parse("__import__('triton').jit", mode="eval").body]
    for name in sorted(global_names(tree)):  # a notebook's own x is not the kernel's parameter x
        if name in function.__globals__ and name not in seen:
            seen.add(name)
            yield from _definition(name, function.__globals__[name], seen)
    yield ast.unparse(tree)


def _tree(function: FunctionType) -> ast.FunctionDef:
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise ValueError(
            f"the source of {function.__name__} cannot be read: define it in a notebook cell or a file"
        ) from None
    tree = ast.parse(source).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise ValueError(f"{function.__name__} must be defined with def")
    return tree


def _definition(name: str, value: Any, seen: set[str]) -> Iterator[str]:
    """Yield what defines a global name that a kernel uses."""
    constant = value.value if type(value).__name__ == "constexpr" else value
    inner = python_function(value) if hasattr(value, "fn") else value
    home = getattr(inner, "__module__", None) or ""
    if isinstance(value, ModuleType):
        yield f"{name} = __import__('importlib').import_module({value.__name__!r})"
    elif type(constant) in (bool, int, float, str):
        yield f"{name} = __import__('triton').language.constexpr({_literal(constant)})"
    elif home.split(".")[0] == "triton" and hasattr(inner, "__name__"):
        yield f"from {home} import {inner.__name__} as {name}"
    elif inner is not value:
        yield from source_parts(inner, seen)
        if inner.__name__ != name:
            yield f"{name} = {inner.__name__}"
    elif type(value).__module__ != "builtins":
        raise ValueError(f"a kernel cannot use {name}, which is of type {type(value).__name__}")


def _literal(value: bool | int | float | str) -> str:
    """Return source for a constant; repr alone would write infinity as a name that Python does not know."""
    return f"float({str(value)!r})" if isinstance(value, float) else repr(value)


def _last_lines(text: str, count: int = 12) -> str:
    """Return the end of an error: what stands above it are Triton's own frames."""
    return "\n".join(text.strip().splitlines()[-count:])


def _compile(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do the compiling, in the fresh process."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    path = folder / "kernel_source.py"
    path.write_text(request["source"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("kernel_source", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kernel = getattr(module, request["kernel"])
    hints = {(kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in request["divisible"]}
    source = ASTSource(fn=kernel, signature=request["signature"], constexprs=request["constants"], attrs=hints)
    target = GPUTarget("cuda", request["architecture"], 32)
    known = vars(triton.compiler.make_backend(target).parse_options({}))
    for option in request["options"]:
        if option not in known:
            raise SystemExit(f"{option} is neither an argument of the kernel nor an option of a launch")
    compiled = triton.compile(source, target=target, options=request["options"])
    binary = folder / "kernel.cubin"
    binary.write_bytes(compiled.asm["cubin"])
    try:
        tool = triton.knobs.nvidia.cuobjdump.path
    except RuntimeError:
        raise SystemExit("Triton's own cuobjdump is missing: run `pip install --force-reinstall triton`") from None
    usage, sass = (
        subprocess.run([tool, flag, str(binary)], capture_output=True, text=True, check=True).stdout
        for flag in ("-res-usage", "-sass")
    )
    return {"usage": usage, "sass": sass, "shared_bytes": compiled.metadata.shared}


if __name__ == "__main__":
    print(json.dumps(_compile(json.load(sys.stdin), Path(sys.argv[1]))))
