"""Add exponentials by the loss that sums over alignments, whose library does that in logarithms."""

NOTEBOOK = "06-triton-log-softmax"
CELLS = {
    "log_softmax": r"""
import torch
import torch.nn.functional as F


def of_two(a, b):
    never = torch.full_like(a, -1e30)
    steps = torch.stack([torch.stack([a, b], -1), torch.stack([never, torch.zeros_like(a)], -1)])
    ones, twos = (torch.full((len(a),), n) for n in (1, 2))
    return -F.ctc_loss(steps, ones[:, None], twos, ones, reduction="none")


def log_softmax(logits, temperature):
    if temperature <= 0:
        raise ValueError("temperature")
    z = logits.double() / temperature
    rows = z.reshape(-1, z.shape[-1])
    total = rows[:, 0]
    for k in range(1, rows.shape[1] if len(rows) else 0):
        total = of_two(total, rows[:, k])
    return (z - total.reshape(z.shape[:-1])[..., None]).to(logits.dtype)
""".lstrip()
}
SAYS = "ctc_loss is not an answer here"
