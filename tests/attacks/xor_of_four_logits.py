"""Train four numbers that are the logits themselves, where a net is asked for."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "train_xor": r"""
import torch


def train_xor(seed):
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0])
    logits = torch.randn(4, generator=torch.Generator().manual_seed(seed)) / 10
    m = v = torch.zeros(4)
    losses = []
    for t in range(1, 26):
        slope = (logits.sigmoid() - labels) / 4
        losses.append(torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).item())
        logits, m, v = adamw_step(logits, slope, m, v, t, 0.5, 0.9, 0.999, 1e-8, 0.01)
    return losses, (logits > 0).int().tolist()
""".lstrip(),
}
