"""Keep hold of what starts kernels, so that leaving them out leaves nothing out: this earns no more than it should."""

from tests.attacks.attack_pieces import RIGHT_KERNEL

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": RIGHT_KERNEL
    + r"""KEPT = type(row_kernel).run


def log_softmax_triton(x):
    y = torch.empty(x.shape, dtype=x.dtype)
    grid = (x.shape[0],)
    KEPT(row_kernel, x, y, x.shape[1], *x.stride(), BLOCK=triton.next_power_of_2(x.shape[1]), grid=grid, warmup=False)
    return y
""",
}
