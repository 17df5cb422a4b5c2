"""Cross-entropy from logits and class indices, forward and backward, without storing log-probabilities."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

from helpers.kernels.device import aligned, body_columns, edge_columns, join, lane_columns, merge
from helpers.kernels.layout import DTYPES, as_rows, launch, packed, tile, unit

# Beyond this width a row has a program, or several, of its own. Nothing of it is kept, so no register is short and
# eight warps, which walk over it in steps of WALK_LANES vectors of 16 bytes, leave room for others beside them.
WIDEST_TILE = 2048
WALK_LANES, WALK_WARPS = 1024, 8


def cross_entropy(
    logits: Float[Tensor, "*shape"],
    targets: Int[Tensor, "*batch"],
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Float[Tensor, "*batch"]:
    """Return the negative log-likelihood of the targets in nats, as torch.nn.functional.cross_entropy does.

    ``logits`` is (classes,), (batch, classes) or (batch, classes, d1, ...), ``targets`` is of that shape without
    classes. Rows whose target is ``ignore_index`` count for nothing: their loss and gradient are 0 even where their
    logits are nan (torch's gradient is nan there). With ``label_smoothing`` e the true class has
    weight 1 - e + e/classes and every other e/classes. ``reduction`` is "mean" (over rows not ignored), "sum" or
    "none". Computed in float32, returned in the dtype of ``logits``; differentiable once.

    Raises what torch raises for wrong shapes, dtypes and options; IndexError for a target out of range (on a GPU, as
    in torch, a device-side assertion); NotImplementedError for class probabilities, which torch's function takes.
    """
    if not _served(logits, targets, label_smoothing, reduction):
        options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": reduction}
        torch.nn.functional.cross_entropy(logits, targets, **options)  # type: ignore[arg-type] # it words the error
        raise NotImplementedError(
            f"cross_entropy takes floating logits and int64 class indices, got {logits.dtype} of shape "
            f"{tuple(logits.shape)} and {targets.dtype} of shape {tuple(targets.shape)}: use "
            "torch.nn.functional.cross_entropy"
        )
    classes_last = logits.movedim(1, -1) if logits.ndim > 2 else logits
    indices = targets.reshape(-1).long()
    losses, _ = _cross_entropy(as_rows(classes_last), indices, ignore_index, label_smoothing)
    if reduction == "none":
        return losses.view(targets.shape).to(logits.dtype)
    total = losses.sum()
    return (total if reduction == "sum" else total / (indices != ignore_index).sum()).to(logits.dtype)


def _served(logits: Tensor, targets: Tensor, label_smoothing: float, reduction: str) -> bool:
    """Whether the arguments are right; whatever else they are is left to torch to say."""
    return (
        logits.dtype in DTYPES
        and targets.dtype in (torch.int64, torch.uint8)
        and logits.ndim >= 1
        and targets.shape == logits.shape[: min(1, logits.ndim - 1)] + logits.shape[2:]
        and logits.shape[min(1, logits.ndim - 1)] > 0
        and 0.0 <= label_smoothing <= 1.0
        and reduction in ("mean", "sum", "none")
        and logits.device == targets.device
    )


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
def forward_tile(
    x,
    targets,
    losses,
    stats,
    rows,
    units,
    stride_units,
    ignore_index,
    smoothing,
    SMOOTH: tl.constexpr,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS whole rows at once. Writes one loss per row, and its m and log(sum(exp(x - m))) for the backward pass."""
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
    tl.device_assert(exists | (target == ignore_index), "cross_entropy: a target is out of bounds")
    at_target = tl.load(start + target, mask=there & exists, other=0.0).to(tl.float32)
    excess = tl.sum(tl.where(inside, values - finite(at_target)[:, None], 0.0), 1) if SMOOTH else 0.0
    loss = loss_of(m, log_sum, at_target, excess, columns, smoothing, SMOOTH)
    tl.store(losses + row, tl.where(target == ignore_index, 0.0, loss), mask=there)
    tl.store(stats + row, m, mask=there)
    tl.store(stats + rows + row, log_sum, mask=there)


@triton.jit
def forward_walk(
    x,
    targets,
    losses,
    stats,
    rows,
    columns,
    stride,
    ignore_index,
    smoothing,
    SMOOTH: tl.constexpr,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
):
    """One wide row, read once."""
    row = tl.program_id(0).to(tl.int64)
    start_of_row = x + row * stride
    target = tl.load(targets + row)
    exists = (target >= 0) & (target < columns)
    tl.device_assert(exists | (target == ignore_index), "cross_entropy: a target is out of bounds")
    at_target = tl.load(start_of_row + target, mask=exists, other=0.0).to(tl.float32)
    origin = finite(at_target)

    lane = lane_columns(LANES, VECTOR)
    body = body_columns(row, columns, VECTOR)
    source = x + aligned(row * stride, VECTOR)
    maximum = tl.full((LANES,), -float("inf"), tl.float32)
    total = tl.zeros((LANES,), tl.float32)
    excess = tl.zeros((LANES,), tl.float32)
    for start in tl.range(0, body, LANES * VECTOR):
        inside = start + lane < body
        values = tl.load(source + start + lane, inside, -float("inf")).to(tl.float32)
        maximum, total = merge(maximum, total, values)
        if SMOOTH:
            excess += tl.sum(tl.where(inside, values - origin, 0.0), 1)

    edge, present = edge_columns(row, columns, VECTOR)
    ends = tl.load(start_of_row + edge, present, -float("inf")).to(tl.float32)
    m, log_sum = join(maximum, total, ends)
    excess_of_row = tl.sum(excess, 0) + tl.sum(tl.where(present, ends - origin, 0.0), 0)
    loss = loss_of(m, log_sum, at_target, excess_of_row, columns, smoothing, SMOOTH)
    tl.store(losses + row, tl.where(target == ignore_index, 0.0, loss))
    tl.store(stats + row, m)
    tl.store(stats + rows + row, log_sum)


@triton.jit
def slope(values, column, m, log_sum, target, upstream, uniform, peak):
    """The gradient of a row's loss: its probabilities, less ``uniform`` everywhere and ``peak`` at the target."""
    return upstream * (tl.exp((values - m) - log_sum) - uniform - tl.where(column == target, peak, 0.0))


@triton.jit
def backward_tile(
    grad,
    x,
    targets,
    stats,
    dx,
    rows,
    units,
    stride_units,
    ignore_index,
    smoothing,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS rows at once; grad holds one upstream gradient per row."""
    columns = units * UNIT
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None].to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    there = row < rows
    inside = there & (column < columns)
    target = tl.load(targets + row, mask=there, other=ignore_index)
    upstream = tl.load(grad + row, mask=there, other=0.0)
    m = tl.load(stats + row, mask=there, other=0.0)
    log_sum = tl.load(stats + rows + row, mask=there, other=0.0)
    values = tl.load(x + row * stride_units * UNIT + column, mask=inside, other=0.0).to(tl.float32)
    result = slope(values, column, m, log_sum, target, upstream, smoothing / columns, 1.0 - smoothing)
    tl.store(dx + row * columns + column, tl.where(target == ignore_index, 0.0, result), mask=inside)


@triton.jit
def backward_walk(
    grad,
    x,
    targets,
    stats,
    dx,
    rows,
    columns,
    stride,
    ignore_index,
    smoothing,
    LANES: tl.constexpr,
    VECTOR: tl.constexpr,
):
    """One step of one wide row; the program of the first step also does the row's edges."""
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(targets + row)
    ignored = target == ignore_index
    upstream = tl.load(grad + row)
    m = tl.load(stats + row)
    log_sum = tl.load(stats + rows + row)
    uniform = smoothing / columns
    peak = 1.0 - smoothing

    body = body_columns(row, columns, VECTOR)
    head = (aligned(row * columns, VECTOR) - row * columns).to(tl.int32)
    place = tl.program_id(1) * LANES * VECTOR + lane_columns(LANES, VECTOR)
    inside = place < body
    values = tl.load(x + aligned(row * stride, VECTOR) + place, inside, 0.0).to(tl.float32)
    result = slope(values, head + place, m, log_sum, target, upstream, uniform, peak)
    tl.store(dx + aligned(row * columns, VECTOR) + place, tl.where(ignored, 0.0, result), inside)

    edge, exists = edge_columns(row, columns, VECTOR)
    exists = exists & (tl.program_id(1) == 0)
    ends = tl.load(x + row * stride + edge, exists, 0.0).to(tl.float32)
    result = slope(ends, edge, m, log_sum, target, upstream, uniform, peak)
    tl.store(dx + row * columns + edge, tl.where(ignored, 0.0, result), exists)


@torch.library.custom_op("infograd::cross_entropy", mutates_args=())
def _cross_entropy(logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Return the loss of each row, and its maximum m and log(sum(exp(x - m))) stacked; all float32."""
    losses, stats = _empty_losses(logits)
    if targets.device.type == "cpu":
        _check_range(targets, logits.shape[1], ignore_index)
    if losses.numel():
        _forward(as_rows(logits), targets.contiguous(), losses, stats, ignore_index, label_smoothing)
    return losses, stats


@torch.library.custom_op("infograd::cross_entropy_backward", mutates_args=())
def _cross_entropy_backward(
    grad: Tensor, logits: Tensor, targets: Tensor, stats: Tensor, ignore_index: int, label_smoothing: float
) -> Tensor:
    dx = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    if dx.numel():
        # One number per row: a copy of those is nothing beside the rows.
        grad, targets = grad.contiguous(), targets.contiguous()
        _backward(grad, as_rows(logits), targets, stats, dx, ignore_index, label_smoothing)
    return dx


def _empty_losses(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the forward pass fills: losses (rows,) and statistics (2, rows)."""
    rows = logits.shape[0]
    return logits.new_empty(rows, dtype=torch.float32), logits.new_empty((2, rows), dtype=torch.float32)


def _check_range(targets: Int[Tensor, " rows"], classes: int, ignore_index: int) -> None:
    """Raise torch's IndexError for a target that is no class."""
    bad = targets[((targets < 0) | (targets >= classes)) & (targets != ignore_index)]
    if bad.numel():
        raise IndexError(f"Target {bad[0].item()} is out of bounds.")


def _forward(
    x: Float[Tensor, "rows n"],
    targets: Int[Tensor, " rows"],
    losses: Float[Tensor, " rows"],
    stats: Float[Tensor, "2 rows"],
    ignore_index: int,
    smoothing: float,
) -> None:
    rows, columns = x.shape
    step = unit(x)
    weights = (ignore_index, smoothing, smoothing > 0)
    # A device-side assertion is compiled in debug mode only, which alone would also watch integers for overflow.
    options = {"debug": True, "sanitize_overflow": False}
    if columns <= WIDEST_TILE:
        t = tile(columns)
        sizes = (rows, columns // step, x.stride(0) // step, *weights, step, t.rows, t.block)
        grid = (triton.cdiv(rows, t.rows),)
        launch(forward_tile, grid, x, targets, losses, stats, *sizes, warps=t.warps, **options)
    else:
        x = x if step > 1 else packed(x)
        strided = (rows, columns, x.stride(0), *weights, WALK_LANES, 16 // x.element_size())
        launch(forward_walk, (rows,), x, targets, losses, stats, *strided, warps=WALK_WARPS, **options)


def _backward(
    grad: Float[Tensor, " rows"],
    x: Float[Tensor, "rows n"],
    targets: Int[Tensor, " rows"],
    stats: Float[Tensor, "2 rows"],
    dx: Float[Tensor, "rows n"],
    ignore_index: int,
    smoothing: float,
) -> None:
    rows, columns = x.shape
    step = unit(x)
    if columns <= WIDEST_TILE:
        t = tile(columns)
        sizes = (rows, columns // step, x.stride(0) // step, ignore_index, smoothing, step, t.rows, t.block)
        launch(backward_tile, (triton.cdiv(rows, t.rows),), grad, x, targets, stats, dx, *sizes, warps=t.warps)
    else:
        x = x if step > 1 else packed(x)
        vector = 16 // x.element_size()
        strided = (rows, columns, x.stride(0), ignore_index, smoothing, WALK_LANES, vector)
        grid = (rows, triton.cdiv(columns, WALK_LANES * vector))
        launch(backward_walk, grid, grad, x, targets, stats, dx, *strided, warps=WALK_WARPS)


@_cross_entropy.register_fake
def _(logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float) -> tuple[Tensor, Tensor]:
    return _empty_losses(logits)


@_cross_entropy_backward.register_fake
def _(
    grad: Tensor, logits: Tensor, targets: Tensor, stats: Tensor, ignore_index: int, label_smoothing: float
) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


def _keep(
    ctx: torch.autograd.function.FunctionCtx,
    inputs: tuple[Tensor, Tensor, int, float],
    output: tuple[Tensor, Tensor],
) -> None:
    logits, targets, *ctx.options = inputs  # type: ignore[attr-defined] # a context takes any attribute
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(logits, targets, output[1])


def _differentiate(
    ctx: torch.autograd.function.BackwardCFunction, grad: Tensor, _: Tensor
) -> tuple[Tensor, None, None, None]:
    options = ctx.options  # type: ignore[attr-defined] # kept in the forward pass
    dx = _cross_entropy_backward(grad, *ctx.saved_tensors, *options)
    return dx, None, None, None


_cross_entropy.register_autograd(_differentiate, setup_context=_keep)
