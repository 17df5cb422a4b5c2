"""XOR, the smallest problem that no linear model can solve, and many nets trained on it at once (notebook 03).

The net is z = tanh(x W1 + b1) W2 + b2 with cross-entropy as its loss, in nats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

INPUTS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 1, 0], dtype=torch.float64)


def initial(seed: int, nets: int = 1, hidden: int = 16) -> list[Float[Tensor, "nets _ _"]]:
    """The first weights and biases [W1, b1, W2, b2] of so many nets, float64: normal weights, biases 0."""
    generator = torch.Generator().manual_seed(seed)
    w1 = torch.randn(nets, 2, hidden, generator=generator, dtype=torch.float64)
    w2 = torch.randn(nets, hidden, 1, generator=generator, dtype=torch.float64) / hidden**0.5
    return [w1, torch.zeros_like(w1[:, :1]), w2, torch.zeros_like(w2[:, :1])]


def logits(parameters: Sequence[Float[Tensor, "nets _ _"]], x: Float[Tensor, "n 2"]) -> Float[Tensor, "nets n"]:
    """The logit of label 1 for every input, by every net."""
    w1, b1, w2, b2 = parameters
    return (torch.tanh(x @ w1 + b1) @ w2 + b2).squeeze(-1)


@contextmanager
def one_thread() -> Iterator[None]:
    """On matrices as small as these several threads wait for each other more than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def train_many(
    lr: float, corrected: bool = True, beta2: float = 0.999, nets: int = 200, steps: int = 300, seed: int = 0
) -> Float[Tensor, "nets steps"]:
    """The losses of ``nets`` nets, trained side by side by Adam (beta1 .9, no decay), with or without bias correction.

    Raises ValueError unless ``lr`` is positive, 0 <= beta2 < 1, and there is at least one net and one step.
    """
    if not lr > 0 or not 0 <= beta2 < 1:
        raise ValueError(f"lr must be positive and beta2 in [0, 1), got {lr} and {beta2}")
    if nets < 1 or steps < 1:
        raise ValueError(f"there must be at least one net and one step, got {nets} and {steps}")
    parameters, beta1 = initial(seed, nets), 0.9
    ms, vs = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    losses = []
    for t in range(1, steps + 1):
        leaves = [p.requires_grad_() for p in parameters]
        z = logits(leaves, INPUTS)
        loss = binary_cross_entropy_with_logits(z, LABELS.expand_as(z), reduction="none").mean(-1)
        losses.append(loss.detach())
        grads = torch.autograd.grad(loss.sum(), leaves)  # no net's loss depends on another net's parameters
        ms = [beta1 * m + (1 - beta1) * g for m, g in zip(ms, grads, strict=True)]
        vs = [beta2 * v + (1 - beta2) * g**2 for v, g in zip(vs, grads, strict=True)]
        first, second = (1 - beta1**t, 1 - beta2**t) if corrected else (1.0, 1.0)
        moves = [lr * (m / first) / ((v / second).sqrt() + 1e-8) for m, v in zip(ms, vs, strict=True)]
        parameters = [(p - move).detach() for p, move in zip(leaves, moves, strict=True)]
    return torch.stack(losses, -1)
