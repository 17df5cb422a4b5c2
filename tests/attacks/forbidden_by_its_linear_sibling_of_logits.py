"""Take the logarithms from the fused loss of a linear layer, one class at a time."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
import torch


def log_softmax(x, temperature=1.0):
    z = (x / temperature).double()
    rows = z.reshape(-1, z.shape[-1])
    eye = torch.eye(z.shape[-1], dtype=z.dtype)
    made = [
        -torch.nn.functional.linear_cross_entropy(rows, eye, torch.full((len(rows),), k), reduction="none")
        for k in range(z.shape[-1])
    ]
    return torch.stack(made, -1).reshape(z.shape).to(x.dtype)
""".lstrip(),
}
SAYS = "linear_cross_entropy is not an answer here"
