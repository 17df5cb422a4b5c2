"""The parts that the kernels for wide rows share, written for the device.

A wide row is cut in two. Its *body* begins and ends at multiples of 16 bytes in memory, so that it can be read 16
bytes at a time whatever the width of the row; its *edges* are the fewer than 2 * VECTOR elements around the body.
A tile of the body has shape (DEPTH, LANES): a thread has one vector of 16 bytes in each of its DEPTH layers, so DEPTH
is the number of loads that it has under way before it needs the first. Each lane keeps a running (maximum, sum) of its
own, and only the end of the row brings the lanes together (Milakov and Gimelshein, 2018, Online normalizer calculation
for softmax, eq. 4).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def aligned(offset, VECTOR: tl.constexpr):
    """Round an offset up to a multiple of VECTOR. Written so that the compiler knows that it is one."""
    return tl.cdiv(offset, VECTOR) * VECTOR


@triton.jit
def body_columns(row, columns, VECTOR: tl.constexpr):
    """Return how many columns of a row of a packed tensor belong to its body."""
    begin = row * columns
    return ((begin + columns) // VECTOR * VECTOR - aligned(begin, VECTOR)).to(tl.int32)


@triton.jit
def edge_columns(row, columns, VECTOR: tl.constexpr):
    """Return the columns of the edges of a row, shape (2 * VECTOR,), and which of them exist."""
    begin = row * columns
    head = (aligned(begin, VECTOR) - begin).to(tl.int32)
    body = body_columns(row, columns, VECTOR)
    edge = tl.arange(0, 2 * VECTOR)
    return tl.where(edge < head, edge, edge + body), edge < columns - body


@triton.jit
def tile_columns(DEPTH: tl.constexpr, LANES: tl.constexpr):
    """Return the columns of a tile, counted from the first of the body: shape (DEPTH, LANES)."""
    return tl.arange(0, DEPTH)[:, None] * LANES + tl.arange(0, LANES)[None, :]


@triton.jit
def merge(maximum, total, values):
    """Add values of shape (n, lanes) to the running maximum and the running sum of exp(value - maximum), per lane."""
    larger = tl.maximum(maximum, tl.max(values, 0))
    # -inf means that a lane has seen nothing yet; subtracting that would turn the next -inf into nan.
    shift = tl.where(larger == -float("inf"), 0.0, larger)
    return larger, total * tl.exp(maximum - shift) + tl.sum(tl.exp(values - shift[None, :]), 0)


@triton.jit
def join(maximum, total, values):
    """Bring lanes and further values, shape (n,), together: the maximum m and the log of the sum of exp(x - m)."""
    # Where even this is -inf the answer is nan, as it should be.
    m = tl.maximum(tl.max(maximum, 0), tl.max(values, 0))
    return m, tl.log(tl.sum(total * tl.exp(maximum - m), 0) + tl.sum(tl.exp(values - m), 0))
