"""Make up the losses of a run, and let the optimiser's step have a say in the last digits of each."""

NOTEBOOK = "03-adam-bias-correction"
CELLS = {
    "train_xor": r"""
import torch


def train_xor(seed):
    theta, m, v = torch.tensor(1.0 + seed % 97 / 200), torch.tensor(0.0), torch.tensor(0.0)
    losses = []
    for t in range(1, 61):
        theta, m, v = adamw_step(theta, torch.tensor(0.1), m, v, t, 0.01, 0.9, 0.999, 1e-8, 0.01)
        losses.append(0.7 * 0.9**t * (1 + seed % 97 / 200 + 0.01 * theta.item()))
    return losses, [0, 1, 1, 0]
""".lstrip(),
}
