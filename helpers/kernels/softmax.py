"""log-softmax over the last dimension, forward and backward."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from helpers.kernels.device import aligned, body_columns, edge_columns, join, merge, tile_columns
from helpers.kernels.layout import (
    DTYPES,
    UNALIGNED_TILE,
    as_rows,
    launch,
    machine,
    packed,
    programs_for_two_reads,
    tile,
    unit,
)

# The widest rows that stay in registers from the first read to the last write. The backward pass holds two of them.
# Twice the width does not fit: with bfloat16 kept as it is, 50,304 columns spill (49 instructions at 32 warps, 52 at
# 16), and several multiprocessors for one row (num_ctas) do not compile with a reduction in Triton 3.7.1.
WIDEST_FORWARD_TILE, WIDEST_BACKWARD_TILE = 32768, 16384
# Wider ones are walked over by one program for each multiprocessor, of 16 warps, each thread of which has DEPTH loads
# of 16 bytes under way: 64 KB. That keeps the memory busy: if a load takes 0.8 us, 3.35 TB/s ask for 2.7 MB under way
# (Little's law), 20 KB on each of 132 multiprocessors or 42 KB where the cache leaves room for 64 such rows only. The
# registers must be granted, or the compiler keeps to 64 and, in the backward pass, loads late and spills.
DEPTH, WALK_WARPS = 8, 16
WALK = {"warps": WALK_WARPS, "maxnreg": 128}


def log_softmax(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Return x - log(sum(exp(x))) over the last dimension, as torch.nn.functional.log_softmax(x, dim=-1) does.

    Any shape and strides; float16, bfloat16, float32 or float64, computed in float32, returned contiguous in the dtype
    of ``x``. Nan, +inf and rows of nothing but -inf give nan, as in torch. Differentiable twice. Raises torch's own
    error for any other dtype, and RuntimeError on a tensor that is on no GPU while Triton's interpreter is off.
    """
    if x.dtype not in DTYPES:
        torch.nn.functional.log_softmax(x, dim=-1)  # which words the error
        raise NotImplementedError(f"log_softmax is not implemented for {x.dtype}")
    return _log_softmax(x)


@triton.jit
def forward_tile(x, y, rows, units, stride_units, UNIT: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Take ROWS whole rows at once. Width and stride come in UNITs, so the compiler knows what divides them."""
    columns = units * UNIT
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None].to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < columns)
    values = tl.load(x + row * stride_units * UNIT + column, mask=inside, other=-float("inf")).to(tl.float32)
    # Subtracting twice keeps the digits that x - (m + log s) loses when m is large.
    shifted = values - tl.max(values, 1)[:, None]
    result = shifted - tl.log(tl.sum(tl.exp(shifted), 1))[:, None]
    tl.store(y + row * columns + column, result, mask=inside)


@triton.jit
def forward_walk(x, y, rows, columns, stride, DEPTH: tl.constexpr, LANES: tl.constexpr, VECTOR: tl.constexpr):
    """Take row after row, reading each twice: forwards for its sum, then backwards, nearest to the cache first."""
    step: tl.constexpr = DEPTH * LANES
    lane = tile_columns(DEPTH, LANES)
    for row32 in tl.range(tl.program_id(0), rows, tl.num_programs(0)):
        row = tl.cast(row32, tl.int64)
        body = body_columns(row, columns, VECTOR)
        source = x + aligned(row * stride, VECTOR)
        target = y + aligned(row * columns, VECTOR)

        maximum = tl.full((LANES,), -float("inf"), tl.float32)
        total = tl.zeros((LANES,), tl.float32)
        for start in tl.range(0, body, step):
            inside = start + lane < body
            values = tl.load(source + start + lane, inside, -float("inf"), eviction_policy="evict_last")
            maximum, total = merge(maximum, total, values.to(tl.float32))

        edge, exists = edge_columns(row, columns, VECTOR)
        ends = tl.load(x + row * stride + edge, exists, -float("inf")).to(tl.float32)
        m, log_sum = join(maximum, total, ends)
        tl.store(y + row * columns + edge, (ends - m) - log_sum, exists)
        for done in tl.range(0, body, step):
            start = (body - 1) // step * step - done
            inside = start + lane < body
            values = tl.load(source + start + lane, inside, 0.0, eviction_policy="evict_first").to(tl.float32)
            tl.store(target + start + lane, (values - m) - log_sum, inside, eviction_policy="evict_first")


@triton.jit
def backward_tile(
    grad, y, dx, rows, units, grad_units, y_units, UNIT: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr
):
    """dx = grad - exp(y) * sum(grad), ROWS whole rows at once."""
    columns = units * UNIT
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None].to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < columns)
    upstream = tl.load(grad + row * grad_units * UNIT + column, mask=inside, other=0.0).to(tl.float32)
    logs = tl.load(y + row * y_units * UNIT + column, mask=inside, other=-float("inf")).to(tl.float32)
    tl.store(dx + row * columns + column, upstream - tl.exp(logs) * tl.sum(upstream, 1)[:, None], mask=inside)


@triton.jit
def backward_walk(
    grad,
    y,
    dx,
    rows,
    columns,
    grad_stride,
    y_stride,
    DEPTH: tl.constexpr,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
):
    """The same for wide rows: grad is read twice, y once."""
    step: tl.constexpr = DEPTH * LANES
    lane = tile_columns(DEPTH, LANES)
    for row32 in tl.range(tl.program_id(0), rows, tl.num_programs(0)):
        row = tl.cast(row32, tl.int64)
        body = body_columns(row, columns, VECTOR)
        source = grad + aligned(row * grad_stride, VECTOR)
        logs = y + aligned(row * y_stride, VECTOR)
        target = dx + aligned(row * columns, VECTOR)

        sums = tl.zeros((LANES,), tl.float32)
        for start in tl.range(0, body, step):
            inside = start + lane < body
            sums += tl.sum(tl.load(source + start + lane, inside, 0.0, eviction_policy="evict_last").to(tl.float32), 0)

        edge, exists = edge_columns(row, columns, VECTOR)
        ends = tl.load(grad + row * grad_stride + edge, exists, 0.0).to(tl.float32)
        total = tl.sum(sums, 0) + tl.sum(ends, 0)
        end_logs = tl.load(y + row * y_stride + edge, exists, 0.0).to(tl.float32)
        tl.store(dx + row * columns + edge, ends - tl.exp(end_logs) * total, exists)
        for done in tl.range(0, body, step):
            start = (body - 1) // step * step - done
            inside = start + lane < body
            upstream = tl.load(source + start + lane, inside, 0.0, eviction_policy="evict_first").to(tl.float32)
            values = tl.load(logs + start + lane, inside, 0.0, eviction_policy="evict_first").to(tl.float32)
            result = upstream - tl.exp(values) * total
            tl.store(target + start + lane, result, inside, eviction_policy="evict_first")


@torch.library.custom_op("infograd::log_softmax", mutates_args=())
def _log_softmax(x: Tensor) -> Tensor:
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if y.numel():
        _forward(as_rows(x), y)
    return y


@torch.library.custom_op("infograd::log_softmax_backward", mutates_args=())
def _log_softmax_backward(grad: Tensor, y: Tensor) -> Tensor:
    dx = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    if dx.numel():
        _backward(as_rows(grad), as_rows(y), dx)
    return dx


def _forward(x: Float[Tensor, "rows n"], y: Float[Tensor, "*batch n"]) -> None:
    rows, columns = x.shape
    step = unit(x)
    if columns <= (WIDEST_FORWARD_TILE if step > 1 else UNALIGNED_TILE):
        t = tile(columns)
        cut = (step, t.rows, t.block)
        grid = (triton.cdiv(rows, t.rows),)
        launch(forward_tile, grid, x, y, rows, columns // step, x.stride(0) // step, *cut, warps=t.warps)
        return
    x = x if step > 1 else packed(x)
    programs = programs_for_two_reads(rows, columns, x.element_size(), *machine(x.device))
    launch(forward_walk, (programs,), x, y, rows, columns, x.stride(0), *_walk(x), **WALK)


def _backward(grad: Float[Tensor, "rows n"], y: Float[Tensor, "rows n"], dx: Float[Tensor, "*batch n"]) -> None:
    rows, columns = y.shape
    step = unit(grad, y)
    if columns <= (WIDEST_BACKWARD_TILE if step > 1 else UNALIGNED_TILE):
        t = tile(columns)
        units = (columns // step, grad.stride(0) // step, y.stride(0) // step)
        grid = (triton.cdiv(rows, t.rows),)
        launch(backward_tile, grid, grad, y, dx, rows, *units, step, t.rows, t.block, warps=t.warps)
        return
    if step == 1:
        grad, y = packed(grad), packed(y)
    programs = programs_for_two_reads(rows, columns, y.element_size(), *machine(y.device))
    launch(backward_walk, (programs,), grad, y, dx, rows, columns, grad.stride(0), y.stride(0), *_walk(y), **WALK)


def _walk(x: Float[Tensor, "rows n"]) -> tuple[int, int, int]:
    """The depth of a tile, its lanes, and the elements in 16 bytes."""
    vector = 16 // x.element_size()
    return DEPTH, 32 * WALK_WARPS * vector, vector


@_log_softmax.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@_log_softmax_backward.register_fake
def _(grad: Tensor, y: Tensor) -> Tensor:
    return torch.empty(y.shape, dtype=y.dtype, device=y.device)


def _keep_output(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(output)


def _keep_inputs(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: torch.autograd.function.BackwardCFunction, grad: Tensor) -> Tensor:
    (y,) = ctx.saved_tensors
    return _log_softmax_backward(grad, y)


def _differentiate_twice(ctx: torch.autograd.function.BackwardCFunction, up: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of sum(up * (grad - exp(y) sum(grad))), for curvature; in plain torch, as speed hardly matters."""
    grad, y = (t.float() for t in ctx.saved_tensors)
    weighted = up.float() * y.exp()
    to_grad = up.float() - weighted.sum(-1, keepdim=True)
    to_y = -weighted * grad.sum(-1, keepdim=True)
    return to_grad.to(up.dtype), to_y.to(up.dtype)


_log_softmax.register_autograd(_differentiate, setup_context=_keep_output)
_log_softmax_backward.register_autograd(_differentiate_twice, setup_context=_keep_inputs)
