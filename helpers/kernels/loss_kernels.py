"""What runs on the device for cross-entropy: one row or several in each program, forward and backward."""

from __future__ import annotations

import triton
import triton.language as tl

from helpers.kernels.device import aligned, body_columns, edge_columns, join, merge, tile_columns


@triton.jit
def finite(value):
    """Return the value, or 0 where it is infinite or nan."""
    return tl.where(tl.abs(value) < float("inf"), value, 0.0)


@triton.jit
def loss_of(m, log_sum, at_target, excess, columns, smoothing, SMOOTH: tl.constexpr):
    """The loss of a row from its maximum m, log(sum(exp(x - m))) and logit at the target.

    ``excess`` is the sum over classes of x - finite(at_target): a mean of logits near 1e4 would lose the digits that
    a mean of differences keeps.
    """
    loss = (m - at_target) + log_sum
    if SMOOTH:
        uniform = ((m - finite(at_target)) + log_sum) - excess / columns
        loss = (1.0 - smoothing) * loss + smoothing * uniform
    return loss


@triton.jit
def leave_sums(sums, losses, counted, lost):
    """Leave what `finish` adds up: this program's losses, the rows that count, and the targets out of bounds."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    tl.store(sums + program, losses)
    tl.store(sums + programs + program, counted)
    tl.store(sums + 2 * programs + program, lost)


@triton.jit
def finish(sums, loss, divisor, programs, REDUCTION: tl.constexpr, BLOCK: tl.constexpr):
    """One program: add up what all programs have left, and stop at a target out of bounds, as torch does."""
    lane = tl.arange(0, BLOCK)
    losses = tl.zeros((BLOCK,), tl.float32)
    counted = tl.zeros((BLOCK,), tl.float32)
    lost = tl.zeros((BLOCK,), tl.float32)
    for start in tl.range(0, programs, BLOCK):
        inside = start + lane < programs
        losses += tl.load(sums + start + lane, inside, 0.0)
        counted += tl.load(sums + programs + start + lane, inside, 0.0)
        lost += tl.load(sums + 2 * programs + start + lane, inside, 0.0)
    tl.device_assert(tl.sum(lost, 0) == 0.0, "cross_entropy: a target is out of bounds")
    share = tl.sum(counted, 0) if REDUCTION == "mean" else 1.0
    tl.store(divisor, share)
    if REDUCTION != "none":
        tl.store(loss, tl.sum(losses, 0) / share)


@triton.jit
def forward_tile(
    x,
    targets,
    losses,
    stats,
    sums,
    rows,
    units,
    stride_units,
    ignore_index,
    smoothing,
    SMOOTH: tl.constexpr,
    EACH: tl.constexpr,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS whole rows at once. Writes of each row m and log(sum(exp(x - m))) for the backward pass, and EACH loss."""
    columns = units * UNIT
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    there = row < rows
    start = x + row * stride_units * UNIT
    inside = there[:, None] & (column < columns)
    values = tl.load(start[:, None] + column, mask=inside, other=-float("inf")).to(tl.float32)
    m = tl.max(values, 1)
    log_sum = tl.log(tl.sum(tl.exp(values - m[:, None]), 1))

    target = tl.load(targets + row, mask=there, other=ignore_index)
    exists = (target >= 0) & (target < columns)
    counted = target != ignore_index
    at_target = tl.load(start + target, mask=there & exists, other=0.0).to(tl.float32)
    excess = tl.sum(tl.where(inside, values - finite(at_target)[:, None], 0.0), 1) if SMOOTH else 0.0
    loss = tl.where(counted, loss_of(m, log_sum, at_target, excess, columns, smoothing, SMOOTH), 0.0)
    if EACH:
        tl.store(losses + row, loss, mask=there)
    tl.store(stats + row, m, mask=there)
    tl.store(stats + rows + row, log_sum, mask=there)
    lost = (counted & ~exists).to(tl.float32)
    leave_sums(sums, tl.sum(loss, 0), tl.sum(counted.to(tl.float32), 0), tl.sum(lost, 0))


@triton.jit
def forward_walk(
    x,
    targets,
    losses,
    stats,
    sums,
    rows,
    columns,
    stride,
    ignore_index,
    smoothing,
    SMOOTH: tl.constexpr,
    EACH: tl.constexpr,
    DEPTH: tl.constexpr,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
):
    """One wide row, read once."""
    row = tl.program_id(0).to(tl.int64)
    start_of_row = x + row * stride
    target = tl.load(targets + row)
    exists = (target >= 0) & (target < columns)
    counted = target != ignore_index
    at_target = tl.load(start_of_row + target, mask=exists, other=0.0).to(tl.float32)
    origin = finite(at_target)

    lane = tile_columns(DEPTH, LANES)
    body = body_columns(row, columns, VECTOR)
    source = x + aligned(row * stride, VECTOR)
    maximum = tl.full((LANES,), -float("inf"), tl.float32)
    total = tl.zeros((LANES,), tl.float32)
    excess = tl.zeros((LANES,), tl.float32)
    for start in tl.range(0, body, DEPTH * LANES):
        inside = start + lane < body
        values = tl.load(source + start + lane, inside, -float("inf")).to(tl.float32)
        maximum, total = merge(maximum, total, values)
        if SMOOTH:
            excess += tl.sum(tl.where(inside, values - origin, 0.0), 0)

    edge, present = edge_columns(row, columns, VECTOR)
    ends = tl.load(start_of_row + edge, present, -float("inf")).to(tl.float32)
    m, log_sum = join(maximum, total, ends)
    excess_of_row = tl.sum(excess, 0) + tl.sum(tl.where(present, ends - origin, 0.0), 0)
    loss = tl.where(counted, loss_of(m, log_sum, at_target, excess_of_row, columns, smoothing, SMOOTH), 0.0)
    if EACH:
        tl.store(losses + row, loss)
    tl.store(stats + row, m)
    tl.store(stats + rows + row, log_sum)
    leave_sums(sums, loss, counted, counted & ~exists)


@triton.jit
def slope(values, column, m, log_sum, target, upstream, uniform, peak):
    """The gradient of a row's loss: its probabilities, less ``uniform`` everywhere and ``peak`` at the target."""
    return upstream * (tl.exp((values - m) - log_sum) - uniform - tl.where(column == target, peak, 0.0))


@triton.jit
def backward_tile(
    grad,
    divisor,
    x,
    targets,
    stats,
    dx,
    rows,
    units,
    stride_units,
    grad_stride,
    ignore_index,
    smoothing,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS rows at once; grad holds one upstream gradient per row (or stride 0), which the divisor shares out."""
    columns = units * UNIT
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None].to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    there = row < rows
    inside = there & (column < columns)
    target = tl.load(targets + row, mask=there, other=ignore_index)
    upstream = tl.load(grad + row * grad_stride, mask=there, other=0.0).to(tl.float32) / tl.load(divisor)
    m = tl.load(stats + row, mask=there, other=0.0)
    log_sum = tl.load(stats + rows + row, mask=there, other=0.0)
    values = tl.load(x + row * stride_units * UNIT + column, mask=inside, other=0.0).to(tl.float32)
    result = slope(values, column, m, log_sum, target, upstream, smoothing / columns, 1.0 - smoothing)
    tl.store(dx + row * columns + column, tl.where(target == ignore_index, 0.0, result), mask=inside)


@triton.jit
def backward_walk(
    grad,
    divisor,
    x,
    targets,
    stats,
    dx,
    rows,
    columns,
    stride,
    grad_stride,
    ignore_index,
    smoothing,
    DEPTH: tl.constexpr,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
):
    """One step of one wide row; the program of the first step also does the row's edges."""
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(targets + row)
    ignored = target == ignore_index
    upstream = tl.load(grad + row * grad_stride).to(tl.float32) / tl.load(divisor)
    m = tl.load(stats + row)
    log_sum = tl.load(stats + rows + row)
    uniform = smoothing / columns
    peak = 1.0 - smoothing

    body = body_columns(row, columns, VECTOR)
    head = (aligned(row * columns, VECTOR) - row * columns).to(tl.int32)
    place = tl.program_id(1) * DEPTH * LANES + tile_columns(DEPTH, LANES)
    inside = place < body
    values = tl.load(x + aligned(row * stride, VECTOR) + place, inside, 0.0).to(tl.float32)
    result = slope(values, head + place, m, log_sum, target, upstream, uniform, peak)
    tl.store(dx + aligned(row * columns, VECTOR) + place, tl.where(ignored, 0.0, result), inside)

    edge, exists = edge_columns(row, columns, VECTOR)
    exists = exists & (tl.program_id(1) == 0)
    ends = tl.load(x + row * stride + edge, exists, 0.0).to(tl.float32)
    result = slope(ends, edge, m, log_sum, target, upstream, uniform, peak)
    tl.store(dx + row * columns + edge, tl.where(ignored, 0.0, result), exists)
