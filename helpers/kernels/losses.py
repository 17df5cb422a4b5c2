"""Cross-entropy from logits and class indices, forward and backward, without storing log-probabilities."""

from __future__ import annotations

import torch
import triton
from jaxtyping import Float, Int
from torch import Tensor

from helpers.kernels.layout import DTYPES, as_rows, launch, packed, tile, unit
from helpers.kernels.loss_kernels import backward_tile, backward_walk, finish, forward_tile, forward_walk

# Beyond this width a row has a program, or several, of its own. Nothing of it is kept, so no register is short and
# eight warps, each thread of which has DEPTH loads of 16 bytes under way, leave room for others beside them.
WIDEST_TILE = 2048
DEPTH, WALK_WARPS = 4, 8
# The programs of the forward pass whose sums one step of `finish` adds up.
FINISH_BLOCK, FINISH_WARPS = 4096, 8


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
    loss, _, _ = _cross_entropy(as_rows(classes_last), indices, ignore_index, label_smoothing, reduction)
    return loss.view(targets.shape) if reduction == "none" else loss


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


@torch.library.custom_op("infograd::cross_entropy", mutates_args=())
def _cross_entropy(
    logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss of each row or of all, in the dtype of the logits; of each row its maximum m and
    log(sum(exp(x - m))), stacked; and what the sum was divided by. The latter two are float32."""
    loss, stats, divisor = _empty_losses(logits, reduction)
    if targets.device.type == "cpu":
        _check_range(targets, logits.shape[1], ignore_index)
    if logits.shape[0]:
        _forward(as_rows(logits), targets.contiguous(), loss, stats, divisor, ignore_index, label_smoothing, reduction)
    else:
        loss.fill_(0.0 if reduction == "sum" else float("nan"))
        divisor.fill_(1.0)
    return loss, stats, divisor


@torch.library.custom_op("infograd::cross_entropy_backward", mutates_args=())
def _cross_entropy_backward(
    grad: Tensor,
    logits: Tensor,
    targets: Tensor,
    stats: Tensor,
    divisor: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    dx = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    if dx.numel():
        _backward(grad, divisor, as_rows(logits), targets.contiguous(), stats, dx, ignore_index, label_smoothing)
    return dx


def _empty_losses(logits: Tensor, reduction: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the forward pass fills: losses (rows,) or one loss (), statistics (2, rows) and a divisor ()."""
    rows = logits.shape[0]
    losses = logits.new_empty(rows if reduction == "none" else ())
    return losses, logits.new_empty((2, rows), dtype=torch.float32), logits.new_empty((), dtype=torch.float32)


def _check_range(targets: Int[Tensor, " rows"], classes: int, ignore_index: int) -> None:
    """Raise torch's IndexError for a target that is no class."""
    bad = targets[((targets < 0) | (targets >= classes)) & (targets != ignore_index)]
    if bad.numel():
        raise IndexError(f"Target {bad[0].item()} is out of bounds.")


def _walk(x: Float[Tensor, "rows n"]) -> tuple[int, int, int]:
    """The depth of a tile, its lanes, and the elements in 16 bytes."""
    vector = 16 // x.element_size()
    return DEPTH, 32 * WALK_WARPS * vector, vector


def _forward(
    x: Float[Tensor, "rows n"],
    targets: Int[Tensor, " rows"],
    loss: Float[Tensor, "*rows"],
    stats: Float[Tensor, "2 rows"],
    divisor: Float[Tensor, ""],
    ignore_index: int,
    smoothing: float,
    reduction: str,
) -> None:
    rows, columns = x.shape
    step = unit(x)
    how = (ignore_index, smoothing, smoothing > 0, reduction == "none")
    t = tile(columns)
    programs = triton.cdiv(rows, t.rows) if columns <= WIDEST_TILE else rows
    sums = x.new_empty((3, programs), dtype=torch.float32)
    if columns <= WIDEST_TILE:
        sizes = (rows, columns // step, x.stride(0) // step, *how, step, t.rows, t.block)
        launch(forward_tile, (programs,), x, targets, loss, stats, sums, *sizes, warps=t.warps)
    else:
        x = x if step > 1 else packed(x)
        sizes = (rows, columns, x.stride(0), *how, *_walk(x))
        launch(forward_walk, (programs,), x, targets, loss, stats, sums, *sizes, warps=WALK_WARPS)
    # A device-side assertion is compiled in debug mode only, which alone would also watch integers for overflow. It
    # stands in this kernel, as it would cost those that walk over the rows registers.
    options = {"debug": True, "sanitize_overflow": False}
    block = min(FINISH_BLOCK, triton.next_power_of_2(programs))
    launch(finish, (1,), sums, loss, divisor, programs, reduction, block, warps=FINISH_WARPS, **options)


# The gradient could be written in the forward pass: 2 passes over memory instead of 3. But that is the gradient for an
# upstream gradient of 1 only: any other, of a scaled or weighted loss, takes 2 passes more to multiply, in all 4; and
# multiplied in place, a graph that is kept would give another gradient the second time.
def _backward(
    grad: Float[Tensor, "*rows"],
    divisor: Float[Tensor, ""],
    x: Float[Tensor, "rows n"],
    targets: Int[Tensor, " rows"],
    stats: Float[Tensor, "2 rows"],
    dx: Float[Tensor, "rows n"],
    ignore_index: int,
    smoothing: float,
) -> None:
    rows, columns = x.shape
    step = unit(x)
    grad_stride = grad.stride(0) if grad.ndim else 0
    tensors = (targets, stats, dx)
    if columns <= WIDEST_TILE:
        t = tile(columns)
        sizes = (rows, columns // step, x.stride(0) // step, grad_stride, ignore_index, smoothing)
        grid, cut = (triton.cdiv(rows, t.rows),), (step, t.rows, t.block)
        launch(backward_tile, grid, grad, divisor, x, *tensors, *sizes, *cut, warps=t.warps)
    else:
        x = x if step > 1 else packed(x)
        sizes = (rows, columns, x.stride(0), grad_stride, ignore_index, smoothing)
        depth, lanes, vector = _walk(x)
        steps = triton.cdiv(columns, depth * lanes)
        launch(backward_walk, (rows, steps), grad, divisor, x, *tensors, *sizes, depth, lanes, vector, warps=WALK_WARPS)


@_cross_entropy.register_fake
def _(
    logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    return _empty_losses(logits, reduction)


@_cross_entropy_backward.register_fake
def _(
    grad: Tensor,
    logits: Tensor,
    targets: Tensor,
    stats: Tensor,
    divisor: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    return torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)


def _keep(
    ctx: torch.autograd.function.FunctionCtx,
    inputs: tuple[Tensor, Tensor, int, float, str],
    output: tuple[Tensor, Tensor, Tensor],
) -> None:
    logits, targets, *ctx.options, _ = inputs  # type: ignore[attr-defined] # a context takes any attribute
    ctx.mark_non_differentiable(output[1], output[2])
    ctx.save_for_backward(logits, targets, output[1], output[2])


def _differentiate(
    ctx: torch.autograd.function.BackwardCFunction, grad: Tensor, _stats: Tensor, _divisor: Tensor
) -> tuple[Tensor, None, None, None, None]:
    options = ctx.options  # type: ignore[attr-defined] # kept in the forward pass
    dx = _cross_entropy_backward(grad, *ctx.saved_tensors, *options)
    return dx, None, None, None, None


_cross_entropy.register_autograd(_differentiate, setup_context=_keep)
