"""The methods that are compared, each as one step on a list of parameters by the routines of this course.

None of them decays weights here, so AdamW is Adam. Betas are the usual ones and the same for all problems; only the
learning rate is tuned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from helpers.beyond_adam import adopt_step, lion_step, muon_orthogonalize, sam_gradient, schedule_free_step
from helpers.experiments.problems import Loss, Params
from helpers.optimisers import adam_step, momentum_step, warmup_cosine

RHO = 0.05  # SAM's radius
WARMUP = 0.1  # of the steps
State = list[tuple[Tensor, ...]]


def gradients(loss: Loss, params: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of the loss by each parameter."""
    leaves = [p.detach().requires_grad_() for p in params]
    return list(torch.autograd.grad(loss(leaves), leaves))


class Method:
    """Momentum: one gradient a step and one state a parameter. The others change `slots` and `update`, or `step`."""

    cost = 1  # gradient evaluations a step
    constant = False  # whether it wants a constant rate after the warm-up
    slots = 1  # tensors of state a parameter
    state_bytes = "4"  # of float32 state a parameter, in words
    products = 0  # matrix products a step and matrix

    def __init__(self, params: Params, matrix: Sequence[bool]) -> None:
        self.params, self.matrix, self.t = params, list(matrix), 0
        self.state: State = [tuple(torch.zeros_like(p) for _ in range(self.slots)) for p in params]

    def rate(self, share: float) -> float:
        """The rate at this share of the run, as a multiple of the largest: warm-up, then a cosine to 0 or nothing."""
        steps = 10_000
        if self.constant:
            return min(1.0, share / WARMUP)
        return warmup_cosine(round(share * steps), round(WARMUP * steps), steps, 1.0, 0.0)

    def step(self, loss: Loss, lr: float) -> None:
        """One step on a batch's loss."""
        self.t += 1
        grads = self.gradients(loss)
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            self.params[i], *state = self.update(i, p, g, lr)
            self.state[i] = tuple(state)

    def gradients(self, loss: Loss) -> list[Tensor]:
        """What is stepped along."""
        return gradients(loss, self.params)

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """The new parameter and its new states."""
        (velocity,) = self.state[i]
        return momentum_step(p, g, velocity, lr, 0.9)

    def result(self) -> Params:
        """The parameters to be judged."""
        return self.params


class Adam(Method):
    """AdamW without decay, beta2 = .99."""

    slots = 2
    state_bytes = "8"

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """Notebook 03's step."""
        m, v = self.state[i]
        return adam_step(p, g, m, v, self.t, lr, 0.9, 0.99, 1e-8)


class Lion(Method):
    """Lion with its authors' betas."""

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """The sign of a blend."""
        (m,) = self.state[i]
        return lion_step(p, g, m, lr, 0.9, 0.99, 0.0)


class Muon(Adam):
    """Muon for matrices and AdamW for the rest, at one rate: the orthogonal step is scaled to the size of Adam's."""

    state_bytes = "4, or AdamW's 8"
    products = 15  # S, S S and the product with X, five times

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """Nesterov momentum, orthogonalised; the scale is torch.optim.Muon's "match_rms_adamw"."""
        if not self.matrix[i]:
            return super().update(i, p, g, lr)
        velocity = 0.95 * self.state[i][0] + 0.05 * g
        direction = muon_orthogonalize(0.95 * velocity + 0.05 * g, 5)
        return p - lr * 0.2 * max(p.shape) ** 0.5 * direction, velocity, self.state[i][1]


class Adopt(Adam):
    """ADOPT at Adam's betas, with its authors' later clipping at t^(1/4).

    Without it a parameter whose first gradient is 0 (a character that is not in the first batch) is next divided by eps
    alone."""

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """Divide first, then average."""
        m, v = self.state[i]
        bound = self.t**0.25 * v.sqrt().clamp(min=1e-6)
        p, m, _ = adopt_step(p, g.clamp(-bound, bound), m, v, self.t, lr, 0.9, 0.99, 1e-6)
        return p, m, g**2 if self.t == 1 else 0.99 * v + 0.01 * g**2


class Sam(Adam):
    """AdamW along SAM's gradient, which costs two."""

    cost = 2

    def gradients(self, loss: Loss) -> list[Tensor]:
        """The gradient of all parameters together, from RHO further uphill."""
        sizes = [p.numel() for p in self.params]
        shapes = [p.shape for p in self.params]

        def parts(flat: Tensor) -> list[Tensor]:
            return [x.reshape(s) for x, s in zip(flat.split(sizes), shapes, strict=True)]

        def grad_fn(flat: Tensor) -> Tensor:
            return torch.cat([g.reshape(-1) for g in gradients(loss, parts(flat))])

        return parts(sam_gradient(grad_fn, torch.cat([p.reshape(-1) for p in self.params]), RHO))


class ScheduleFree(Method):
    """Schedule-Free SGD: the gradient is taken at y, and the average x is judged. Its rate never falls.

    One number a parameter would do beside y, as x follows from y and z."""

    constant = True
    slots = 2

    def __init__(self, params: Params, matrix: Sequence[bool]) -> None:
        super().__init__(params, matrix)
        self.state = [(p, p) for p in params]

    def update(self, i: int, p: Tensor, g: Tensor, lr: float) -> Sequence[Tensor]:
        """z steps, x averages, y is where the next gradient is taken."""
        z, x = self.state[i]
        z, x, y = schedule_free_step(z, x, g, self.t, lr, 0.9)
        return y, z, x

    def result(self) -> Params:
        """The average."""
        return [x for _, x in self.state]


METHODS: dict[str, type[Method]] = {
    "SGD with momentum": Method,
    "AdamW": Adam,
    "Lion": Lion,
    "Muon": Muon,
    "Schedule-Free": ScheduleFree,
    "ADOPT": Adopt,
    "SAM": Sam,
}
