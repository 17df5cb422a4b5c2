"""Print what the compiler made of a kernel, a line for each way to launch it (notebook 06)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from helpers.compiling import Compiled, compile_kernel, python_function

WIDTH = 34


def report_compiled(kernels: Mapping[str, tuple[Any, dict[str, Any]]]) -> None:
    """Compile each kernel with its arguments for an H100 (sm_90), without a GPU, and print registers, spills and loads,
    those among them that are in flight before the first is needed, in each loop.

    ``kernels`` maps a label to (kernel, arguments by name); a missing tensor is `None` and taken as float32. Where
    Triton or its tools are missing, or a kernel is not written yet, a line says so.
    """
    lines = [f"{label:{WIDTH}}{line(kernel, named)}" for label, (kernel, named) in kernels.items()]
    print("\n".join([f"{'':{WIDTH}}registers  spills  in flight  loads", *lines]))


def line(kernel: Any, named: dict[str, Any]) -> str:
    """The registers of a thread, the instructions that spill, and the loads of a kernel, in flight at once and in all;
    or why there are none."""
    try:
        function = python_function(kernel)
        if "raise NotImplementedError" in inspect.getsource(function):
            return f"{function.__name__} is not written yet"
        arguments: dict[str, Any] = {k: torch.empty(0) if v is None else v for k, v in named.items()}
        made = compile_kernel(function, **arguments)
    except (RuntimeError, ValueError, OSError) as error:
        return f"not compiled: {str(error).splitlines()[-1]}"
    flying = ", ".join(map(str, made.in_flight)) or "none"
    return f"{made.registers:9}  {made.spills:6}  {flying:>9}  {loads(made)}"


def loads(made: Compiled) -> str:
    """The loads from global memory by width: 16 bytes is the widest."""
    return ", ".join(f"{count} x {width} bytes" for width, count in sorted(made.loads.items())) or "none"
