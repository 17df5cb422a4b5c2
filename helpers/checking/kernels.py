"""How exercises about kernels are played: on the GPU where there is one, else under Triton's interpreter.

Memory that the call allocates is full of nan, so that what a kernel leaves out is seen; and the same call is played
with every kernel left out, so that an answer which does not come from one is seen, too."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

NEEDS_TRITON = "this exercise needs Triton, which exists for Linux only; the exercises in plain torch need no Triton"
# Where Triton keeps what a launch runs: compiled kernels, interpreted ones.
LAUNCHERS = (("triton.runtime.jit", "JITFunction"), ("triton.runtime.interpreter", "InterpretedFunction"))


def call_kernel(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call with tensors where kernels run, and bring the answer back. Raises RuntimeError where there is no Triton."""
    if importlib.util.find_spec("triton") is None:
        raise RuntimeError(NEEDS_TRITON)
    on_gpu = torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET", "0") == "0"
    device = torch.device("cuda" if on_gpu else "cpu")
    moved = [moved_to(device, one) for one in arguments]
    with nan_in_new_memory(), np.errstate(all="ignore"):
        value = function(*moved)
    for before, after in zip(arguments, moved, strict=True):
        if isinstance(before, Tensor) and before is not after:
            before.untyped_storage().copy_(after.untyped_storage())  # so that a changed input is seen
    return value


def call_without_kernels(function: Callable[..., Any], *arguments: Any) -> Any:
    """The same call with every launch left out; None where the function does not get through without."""
    with ExitStack() as stack:
        for module, launcher in LAUNCHERS:
            if module in sys.modules:
                owner = getattr(sys.modules[module], launcher)
                stack.enter_context(mock.patch.object(owner, "run", return_value=None))
        try:
            return call_kernel(function, *arguments)
        except Exception:
            return None


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
