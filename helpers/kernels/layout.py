"""How a tensor is cut into programs, warps and 16-byte loads, and how a kernel is started."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl
from jaxtyping import Shaped
from torch import Tensor

from helpers.safe_interpreter import make_safe

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# Values that a thread holds of one row: a tile of 32768 takes 32 warps, whose threads have 64 registers each.
PER_THREAD = 32
# Rows that start anywhere are read element by element up to this width; wider ones have their edges cut off instead.
UNALIGNED_TILE = 2048
# The part of the L2 cache that rows waiting for their second read may fill; outputs pass through the rest.
L2_SHARE = 0.5
# Triton decides when it decorates a kernel whether that kernel is interpreted.
INTERPRETED = bool(triton.knobs.runtime.interpret)

if isinstance(tl.sum, triton.runtime.JITFunction) == INTERPRETED:
    raise ImportError(
        f"TRITON_INTERPRET is {os.environ.get('TRITON_INTERPRET', 'not set')} now but was different when Triton was "
        "imported: restart Python (or the notebook's kernel) and set it before the first import of triton"
    )
if INTERPRETED:
    make_safe()


@dataclass(frozen=True)
class Tile:
    """Whole rows in registers: each program takes ``rows`` of them, padded to ``block`` columns (a power of two)."""

    rows: int
    block: int
    warps: int


def tile(columns: int) -> Tile:
    """Cut rows so that each thread holds PER_THREAD elements.

    A row of up to 1024 columns then fits one warp and needs no barrier. Programs of a single warp are enough for
    those, but for rows so narrow that a warp holds many: there four warps share the cost of starting a program.
    """
    block = triton.next_power_of_2(columns)
    warps = block // (32 * PER_THREAD) or (4 if block <= 128 else 1)
    return Tile(rows=max(1, 32 * PER_THREAD * warps // block), block=block, warps=warps)


def programs_for_two_reads(rows: int, columns: int, itemsize: int, multiprocessors: int, l2_bytes: int) -> int:
    """Choose how many rows are under way at once, so that the second read of a row finds it in the L2 cache.

    A multiprocessor has room for one program that walks over wide rows. One on every second keeps the memory busy as
    well, with what its threads have in flight; fewer would not. Every program gets the same number of rows, give or
    take one.
    """
    fitting = int(L2_SHARE * l2_bytes) // (columns * itemsize)
    programs = max(1, multiprocessors // 2, min(fitting, multiprocessors))
    return triton.cdiv(rows, triton.cdiv(rows, programs))


def machine(device: torch.device) -> tuple[int, int]:
    """Return the number of multiprocessors and the bytes of L2 cache (made up for a CPU, which interprets)."""
    if device.type != "cuda":
        return 4, 2**20
    properties = torch.cuda.get_device_properties(device)
    return properties.multi_processor_count, properties.L2_cache_size


def as_rows(x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "rows columns"]:
    """Return ``x`` as rows that are contiguous within themselves: a view where its strides allow, else a copy."""
    rows = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
    return rows if rows.stride(1) == 1 or rows.shape[1] == 1 else rows.contiguous()


def unit(*tensors: Shaped[Tensor, "rows columns"]) -> int:
    """Return the elements in 16 bytes if every row of every tensor starts at a multiple of that and is one long."""
    vector = 16 // tensors[0].element_size()
    starts_aligned = all(t.data_ptr() % 16 == 0 and t.stride(0) % vector == 0 for t in tensors)
    return vector if starts_aligned and tensors[0].shape[1] % vector == 0 else 1


def packed(x: Shaped[Tensor, "rows columns"]) -> Shaped[Tensor, "rows columns"]:
    """Return ``x`` without gaps between rows, beginning at a multiple of 16 bytes: itself where it is so, or a copy.

    What walks over unaligned rows needs this: then a column has the same alignment in the input and in the output.
    """
    return x if x.is_contiguous() and x.data_ptr() % 16 == 0 else x.clone(memory_format=torch.contiguous_format)


def launch(kernel: triton.JITFunction, grid: tuple[int, ...], *args: object, warps: int, **meta: object) -> None:
    """Start ``kernel`` on the device of its first argument, a tensor.

    Raises RuntimeError when that is no GPU and Triton's interpreter is off.
    """
    device = args[0].device  # type: ignore[attr-defined] # the first argument is a tensor
    if INTERPRETED:
        # Infinities and nan are answers here, not accidents: NumPy, which plays the GPU, need not warn of them.
        with np.errstate(all="ignore"):
            kernel[grid](*args, num_warps=warps, **meta)
    elif device.type == "cuda":
        with torch.cuda.device(device):
            kernel[grid](*args, num_warps=warps, **meta)
    else:
        raise RuntimeError(
            f"this kernel needs a GPU and its tensor is on the {device.type}: move it to one, or set "
            "TRITON_INTERPRET=1 before Triton is imported to run it here, slowly, under Triton's interpreter"
        )
