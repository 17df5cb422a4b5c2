"""Start a kernel, throw its result away, and return the library's under another name."""

from tests.attacks.attack_pieces import RIGHT_KERNEL

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax_triton": RIGHT_KERNEL
    + r"""from torch.nn.functional import softmin as ready_made


def log_softmax_triton(x):
    launch(x)
    return torch.Tensor.log(ready_made(-x, -1))
""",
}
