"""The figures of notebook 04: bowls, paths and what the condition number costs.

Each drawing function returns a matplotlib Figure in the course's style. Losses have no unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from helpers import landscapes
from helpers.landscapes import Gradient, bowl_loss, rotated_bowl, rotation, steps_to_reach
from helpers.optimisers import adam_step
from helpers.plotting import PALETTE, STYLE

METHODS = ("gradient descent", "heavy ball", "Nesterov", "Adam")
COLOURS = dict(zip(METHODS, (PALETTE[name] for name in ("blue", "vermilion", "green", "purple")), strict=True))
MARKERS = dict(zip(METHODS, "osD^", strict=True))
ADAM_LR = 0.1
TARGET = 1e-4


def adam(grad_fn: Gradient, theta0: Float[Tensor, " d"], lr: float, steps: int) -> Float[Tensor, "points d"]:
    """The path of Adam with its usual betas 0.9 and 0.999, the start included."""
    theta, m, v = theta0, torch.zeros_like(theta0), torch.zeros_like(theta0)
    path = [theta0]
    for t in range(1, steps + 1):
        theta, m, v = adam_step(theta, grad_fn(theta), m, v, t, lr, 0.9, 0.999, 1e-8)
        path.append(theta)
    return torch.stack(path)


def best_settings(method: str, kappa: float) -> tuple[float, float]:
    """The learning rate and momentum that suit a method on the bowl theta_1^2 + kappa theta_2^2. Adam takes lr 0.1."""
    if method == "Adam":
        return ADAM_LR, 0.0
    if method == "heavy ball":
        return landscapes.heavy_ball_optimum(2, 2 * kappa)
    if method == "Nesterov":
        return landscapes.nesterov_optimum(2, 2 * kappa)
    return 2 / (2 + 2 * kappa), 0.0


def descend(
    method: str, hessian: Float[Tensor, "d d"], theta0: Float[Tensor, " d"], lr: float, momentum: float, steps: int
) -> Float[Tensor, "points d"]:
    """The path of one of METHODS on the bowl theta^T H theta / 2."""

    def gradient(theta: Tensor) -> Tensor:
        return hessian @ theta

    if method == "Adam":
        return adam(gradient, theta0, lr, steps)
    if method == "Nesterov":
        return landscapes.nesterov(gradient, theta0, lr, momentum, steps)
    return landscapes.heavy_ball(gradient, theta0, lr, momentum, steps)


@cache
def steps_needed(method: str, kappa: float, angle: float = 0.0) -> int:
    """Steps from (1, 1) to a loss of 1e-4 at the method's best settings; the bowl and its start turned by ``angle``."""
    hessian, start = rotated_bowl(kappa, angle), rotation(angle) @ torch.ones(2, dtype=torch.float64)
    most = 512 if method == "Adam" else math.ceil(1.1 * steps_in_theory(method, kappa))
    while True:
        losses = bowl_loss(hessian, descend(method, hessian, start, *best_settings(method, kappa), most))
        if (found := steps_to_reach(losses, TARGET)) is not None:
            return found
        most *= 4


def loss_in_theory(method: str, kappa: float, step: float) -> float:
    """The loss at ``step`` from (1, 1), in closed form, for gradient descent and heavy ball at their best settings.

    Gradient descent shrinks both coordinates by its rate. Heavy ball's recursion has a double root at both ends of the
    spectrum, so a coordinate is (1 + c step) sqrt(beta)^step, with c = 1 - sqrt(beta) where it is flat and
    1 + sqrt(beta) where it is steep.
    """
    if method == "gradient descent":
        return (1 + kappa) * ((kappa - 1) / (kappa + 1)) ** (2 * step)
    root = math.sqrt(landscapes.heavy_ball_optimum(2, 2 * kappa)[1])
    return ((1 + step * (1 - root)) ** 2 + kappa * (1 + step * (1 + root)) ** 2) * root ** (2 * step)


def steps_in_theory(method: str, kappa: float) -> float:
    """The step at which ``loss_in_theory`` falls to 1e-4 (for Nesterov's method: that of heavy ball)."""
    low, high = 0.0, 1.0
    while loss_in_theory(method, kappa, high) > TARGET:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if loss_in_theory(method, kappa, middle) > TARGET else (low, middle)
    return high


def contours(axes: Axes, hessian: Float[Tensor, "2 2"], levels: Sequence[float], reach: float = 1.5) -> None:
    """Lines of equal loss of a bowl over the square from -reach to reach."""
    grid = torch.linspace(-reach, reach, 201, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), -1)
    losses = bowl_loss(hessian, points)
    axes.contourf(grid, grid, losses, levels=[0, *levels], cmap="Greys_r", alpha=0.35, extend="max")
    axes.contour(grid, grid, losses, levels=levels, colors="#8a8a8a", linewidths=0.8)


def learning_rates(kappa: float = 100.0, rates: Sequence[float] = (0.005, 0.009, 2 / 202, 0.0101)) -> Figure:
    """Loss against step for gradient descent from (1, 1), for learning rates below and above 2 / lambda_max."""
    hessian = rotated_bowl(kappa)
    limit = landscapes.max_stable_lr(hessian).item()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0))
        axes = figure.add_subplot()
        looks = ("blue", "green", "orange", "vermilion")
        for lr, colour, dashes in zip(rates, looks, ("-", "--", "-.", ":"), strict=True):
            path = descend("gradient descent", hessian, torch.ones(2, dtype=torch.float64), lr, 0.0, 480)
            label = f"lr = {lr:.4f}, {lr / limit:.2f} of the limit"
            axes.semilogy(bowl_loss(hessian, path), dashes, color=PALETTE[colour], label=label)
        axes.axhline(TARGET, color=PALETTE["black"], linewidth=1)
        axes.set(xlabel="step", ylabel="loss", xlim=(0, 480), ylim=(1e-5, 1e7))
        axes.set_title(f"Gradient descent at condition number {kappa:g}: the limit is lr = {limit:g}")
        axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.62))
    return figure


def paths_on_contours(kappa: float = 20.0, angle: float = 0.0, shown: int = 60) -> Figure:
    """The path of every method at its best settings from the corner (1, 1) of a bowl, turned by ``angle`` radians."""
    hessian, start = rotated_bowl(kappa, angle), rotation(angle) @ torch.ones(2, dtype=torch.float64)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 7.4))
        for axes, method in zip(figure.subplots(2, 2, sharex=True, sharey=True).flat, METHODS, strict=True):
            contours(axes, hessian, [0.02 * kappa * 2.5**k for k in range(5)])
            lr, momentum = best_settings(method, kappa)
            path = descend(method, hessian, start, lr, momentum, shown)
            axes.plot(*path.T, "-", color=COLOURS[method], marker=MARKERS[method], markersize=4, linewidth=1.3)
            axes.plot(0, 0, "+", color=PALETTE["black"], markersize=12, markeredgewidth=2)
            axes.set_title(f"{method}: {steps_needed(method, kappa, angle)} steps to 0.0001")
            axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
            axes.grid(False)
            axes.label_outer()
        figure.supxlabel(r"$\theta_1$, the flat direction" if angle == 0 else r"$\theta_1$")
        figure.supylabel(r"$\theta_2$, the steep direction" if angle == 0 else r"$\theta_2$")
    return figure


def steps_against_kappa(kappas: Sequence[float] = (10, 32, 100, 320, 1000, 3200, 10000)) -> Figure:
    """Steps to a loss of 1e-4 against the condition number for every method, with the lines that the rates predict."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.6))
        axes = figure.add_subplot()
        line = np.geomspace(kappas[0], kappas[-1], 100)
        for method, dashes in (("gradient descent", "-"), ("heavy ball", "--")):
            predicted = [steps_in_theory(method, kappa) for kappa in line]
            axes.loglog(line, predicted, dashes, color=COLOURS[method], linewidth=1.3, label=f"{method}, theory")
        for method in METHODS:
            steps = [steps_needed(method, kappa) for kappa in kappas]
            axes.loglog(kappas, steps, MARKERS[method], color=COLOURS[method], label=f"{method}, measured")
        axes.set(xlabel=r"condition number $\kappa$", ylabel="steps to a loss of 0.0001")
        axes.set_title("What a narrow bowl costs, axes aligned")
        axes.legend()
    return figure


def steps_against_angle(kappa: float = 100.0, degrees: Sequence[float] = tuple(range(0, 91, 5))) -> Figure:
    """Steps to a loss of 1e-4 against the angle by which the same bowl and its start are turned, for every method."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.2))
        axes = figure.add_subplot()
        for method in METHODS:
            steps = [steps_needed(method, kappa, math.radians(angle)) for angle in degrees]
            axes.semilogy(degrees, steps, MARKERS[method] + "-", color=COLOURS[method], markersize=5, label=method)
        axes.set(xlabel="angle of the bowl (degrees)", ylabel="steps to a loss of 0.0001", xticks=range(0, 91, 15))
        axes.set_title(f"The same bowl, turned: condition number {kappa:g}")
        axes.legend(loc="upper right", ncols=2)
        axes.set_ylim(30, 2000)
    return figure


def kinked_gradient(theta: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The slope of a smooth convex function with second derivative 25, 1 and 25 again, on which heavy ball cycles.

    Lessard, Recht and Packard (2016), equation 4.11.
    """
    return torch.where(theta < 1, 25 * theta, torch.where(theta < 2, theta + 24, 25 * theta - 24))


def chain_loss(method: str, steps: int) -> float:
    """(L(theta_T) - L*) / |theta_0 - theta*|^2 after T = ``steps`` steps of 1 / 4 on Nesterov's chain of 2 T + 1 links.

    The chain (Nesterov 2018, section 2.1.2) is convex and, for T steps, as hard as a function can be. ``method`` is
    "gradient descent" or "Nesterov", whose momentum grows as (t - 1) / (t + 2). It starts at 0; theta*_i is
    1 - i / (2 T + 2).
    """
    d = 2 * steps + 1
    theta = previous = torch.zeros(d, dtype=torch.float64)
    pull = torch.zeros(d, dtype=torch.float64)
    pull[0] = 1.0

    def gradient(at: Tensor) -> Tensor:
        wide = torch.nn.functional.pad(at, (1, 1))
        return 2 * at - wide[:-2] - wide[2:] - pull

    for t in range(1, steps + 1):
        ahead = theta + (t - 1) / (t + 2) * (theta - previous) if method == "Nesterov" else theta
        theta, previous = ahead - gradient(ahead) / 4, theta
    best = 1 - torch.arange(1, d + 1, dtype=torch.float64) / (d + 1)
    return (((theta @ (gradient(theta) - pull)) - (best @ (gradient(best) - pull))) / (2 * best @ best)).item()


def promises_of_momentum() -> Figure:
    """Left: heavy ball cycles for ever where Nesterov's method converges. Right: Nesterov's 1/T^2 on a flat chain."""
    start = torch.tensor([3.3], dtype=torch.float64)
    heavy = landscapes.heavy_ball(kinked_gradient, start, *landscapes.heavy_ball_optimum(1, 25), 40)
    looking = landscapes.nesterov(kinked_gradient, start, *landscapes.nesterov_optimum(1, 25), 40)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.8))
        left, right = figure.subplots(1, 2)
        for method, path in (("heavy ball", heavy), ("Nesterov", looking)):
            left.plot(
                path[:, 0], MARKERS[method] + "-", color=COLOURS[method], markersize=4, label=method, linewidth=1.3
            )
        left.set(xlabel="step", ylabel=r"$\theta$, minimum at 0", title="A convex function with two kinks in its slope")
        left.legend()
        horizons = [10, 20, 50, 100, 200, 500]
        for method in ("gradient descent", "Nesterov"):
            reached = [chain_loss(method, steps) for steps in horizons]
            right.loglog(horizons, reached, MARKERS[method] + "-", color=COLOURS[method], markersize=5, label=method)
        for power, dashes in ((1, ":"), (2, "--")):
            line = [0.25 / steps**power for steps in horizons]
            name = f"slope of $1/T^{power}$" if power > 1 else "slope of $1/T$"
            right.loglog(horizons, line, dashes, color=PALETTE["black"], linewidth=1.3, label=name)
        right.set(xlabel="steps T", ylabel="loss / distance$^2$", title="The hardest convex function for T steps")
        right.legend()
    return figure


def hessian_spectrum(eigenvalues: Float[Tensor, " d"], top: float) -> Figure:
    """The eigenvalues of a Hessian by size on a log axis, and the one that power iteration found."""
    order = eigenvalues.double().abs().sort(descending=True)
    signs = eigenvalues[order.indices]
    rank = torch.arange(1, len(eigenvalues) + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.2))
        axes = figure.add_subplot()
        for keep, marker, colour, label in (
            (signs > 0, "o", PALETTE["blue"], "positive"),
            (signs <= 0, "x", PALETTE["vermilion"], "negative (shown by magnitude)"),
        ):
            axes.semilogy(rank[keep], order.values[keep], marker, color=colour, markersize=4, label=label)
        axes.axhline(abs(top), color=PALETTE["black"], linewidth=1, linestyle="--", label="found by power iteration")
        axes.set(xlabel="rank", ylabel="eigenvalue of the Hessian, magnitude", ylim=(1e-8, None))
        axes.set_title(f"The {len(eigenvalues)} eigenvalues of a small network's Hessian")
        axes.legend()
    return figure


def gaussian_divergence(theta: Float[Tensor, "*batch 2"], mean: float, std: float) -> Float[Tensor, "*batch"]:
    """KL(N(mean, std^2), N(mu, sigma^2)) in nats at theta = (mu, log sigma)."""
    mu, log_sigma = theta.unbind(-1)
    return log_sigma - math.log(std) + (std**2 + (mu - mean) ** 2) / (2 * (2 * log_sigma).exp()) - 0.5


def fit_gaussian(mean: float, std: float, lr: float, steps: int, natural: bool) -> Float[Tensor, "points 2"]:
    """The path of (mu, log sigma) from (0, 0) as gradient steps, natural or plain, fit a Gaussian to N(mean, std^2)."""
    theta = torch.zeros(2, dtype=torch.float64)
    path = [theta]
    for _ in range(steps):
        mu, precision = theta[0], (-2 * theta[1]).exp()
        grad = torch.stack([(mu - mean) * precision, 1 - (std**2 + (mu - mean) ** 2) * precision])
        if natural:
            fisher = torch.diag(torch.stack([precision, torch.tensor(2.0, dtype=torch.float64)]))
            theta = landscapes.natural_gradient_step(theta, grad, fisher, lr, 0.0)
        else:
            theta = theta - lr * grad
        path.append(theta)
    return torch.stack(path)


def natural_gradient_paths(mean: float = 1.0, std: float = 0.1) -> Figure:
    """Fitting a Gaussian by plain and by natural gradient: the paths over the divergence, and its fall by step."""
    runs = {
        "plain, lr = 0.01": fit_gaussian(mean, std, 0.01, 400, natural=False),
        "natural, lr = 0.5": fit_gaussian(mean, std, 0.5, 60, natural=True),
    }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 4.0))
        left, right = figure.subplots(1, 2)
        x, y = torch.linspace(-0.2, 1.4, 161, dtype=torch.float64), torch.linspace(-2.9, 0.5, 161, dtype=torch.float64)
        surface = gaussian_divergence(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1), mean, std)
        left.contourf(
            x, y, surface.log10(), levels=[-3, -2, -1, 0, 0.5, 1, 2], cmap="Greys_r", alpha=0.4, extend="both"
        )
        for (label, path), colour, marker in zip(runs.items(), ("blue", "vermilion"), ".o", strict=True):
            left.plot(*path.T, marker + "-", color=PALETTE[colour], markersize=5, linewidth=1.2, label=label)
            right.semilogy(gaussian_divergence(path, mean, std), color=PALETTE[colour], label=label)
        left.plot(mean, math.log(std), "+", color=PALETTE["black"], markersize=12, markeredgewidth=2)
        left.set(xlabel=r"$\mu$", ylabel=r"$\log\sigma$", title="Paths over the divergence")
        right.set(xlabel="step", ylabel="KL to the target (nats)", ylim=(1e-8, 100), title="The same two runs")
        right.legend()
    return figure
