"""Write far outside of every tensor, which under the interpreter is the process's own memory."""

NOTEBOOK = "06-triton-log-softmax"
SAYS = "outside of its tensors"
CELLS = {
    "log_softmax_triton": r"""
import torch
import triton
import triton.language as tl


@triton.jit
def row_kernel(x, y, columns, row_stride, column_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    values = tl.load(x + row * row_stride + column * column_stride, mask=inside, other=-float("inf")).to(tl.float32)
    shifted = values - tl.max(values, 0)
    tl.store(y + (1 << 40) + row * columns + column, shifted - tl.log(tl.sum(tl.exp(shifted), 0)), mask=inside)


def launch(x):
    y = torch.empty(x.shape, dtype=x.dtype)
    row_kernel[(x.shape[0],)](x, y, x.shape[1], *x.stride(), BLOCK=triton.next_power_of_2(x.shape[1]))
    return y


def log_softmax_triton(x):
    return launch(x)
""".lstrip()
}
