"""The figures of notebook 04: bowls, paths and what the condition number costs.

Each drawing function returns a matplotlib Figure in the course's style. Losses have no unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import count

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
from helpers.plotting import PALETTE, STYLE, describe

METHODS = ("gradient descent", "heavy ball", "Nesterov", "Adam")
BOWL_NESTEROV = "Nesterov, for bowls"
COLOURS = dict(zip(METHODS, (PALETTE[name] for name in ("blue", "vermilion", "green", "purple")), strict=True))
MARKERS = dict(zip(METHODS, "osD^", strict=True))
TARGET = 1e-6  # of the starting loss
RADIUS = math.sqrt(2)  # how far from the minimum runs start: the corner (1, 1) is so far away
DIRECTIONS = tuple(math.pi * k / 12 for k in range(12))  # the starts of `steps_needed`, from the flat direction on
ADAM_RATES = tuple(10 ** (k / 8) for k in range(-16, 9))  # what Adam is tuned over


def adam(grad_fn: Gradient, theta0: Float[Tensor, " d"], lr: float, steps: int) -> Float[Tensor, "points d"]:
    """The path of Adam with its usual betas 0.9 and 0.999, the start included."""
    theta, m, v = theta0, torch.zeros_like(theta0), torch.zeros_like(theta0)
    path = [theta0]
    for t in range(1, steps + 1):
        theta, m, v = adam_step(theta, grad_fn(theta), m, v, t, lr, 0.9, 0.999, 1e-8)
        path.append(theta)
    return torch.stack(path)


@cache
def tuned_adam(kappa: float, angle: float = 0.0) -> tuple[int, float]:
    """Adam tuned to one bowl: the fewest steps to TARGET from the slowest of DIRECTIONS, and the learning rate of
    ADAM_RATES that needs them. The bowl is turned by ``angle`` radians, and the starts with it."""
    hessian = rotated_bowl(kappa, angle)
    starts = RADIUS * torch.tensor([[math.cos(a), math.sin(a)] for a in DIRECTIONS], dtype=torch.float64)
    theta = (starts @ rotation(angle).T).repeat(len(ADAM_RATES), 1, 1)
    lr = torch.tensor(ADAM_RATES, dtype=torch.float64)[:, None, None]
    m, v, goal = torch.zeros_like(theta), torch.zeros_like(theta), TARGET * bowl_loss(hessian, theta)
    late = torch.ones_like(goal, dtype=torch.bool)
    for step in count(1):
        unit, m, v = adam_step(torch.zeros_like(m), theta @ hessian, m, v, step, 1.0, 0.9, 0.999, 1e-8)
        theta = theta + lr * unit  # a step is proportional to its learning rate
        late &= bowl_loss(hessian, theta) > goal
        arrived = ~late.any(-1)
        if arrived.any():
            return step, ADAM_RATES[int(arrived.int().argmax())]
    raise AssertionError("count never ends")


def best_settings(method: str, kappa: float, angle: float = 0.0) -> tuple[float, float]:
    """The settings (lr, momentum) of a method on the bowl theta_1^2 + kappa theta_2^2.

    They have the best worst-case rate for gradient descent, for heavy ball and for BOWL_NESTEROV; "Nesterov" has his
    own constants. Adam has no such formula: its learning rate is that of `tuned_adam`."""
    if method == "Adam":
        return tuned_adam(kappa, angle)[1], 0.0
    if method == "heavy ball":
        return landscapes.heavy_ball_optimum(2, 2 * kappa)
    if method == "Nesterov":
        return landscapes.nesterov_optimum(2, 2 * kappa)
    if method == BOWL_NESTEROV:
        return landscapes.nesterov_bowl_optimum(2, 2 * kappa)
    return 2 / (2 + 2 * kappa), 0.0


def descend(
    method: str, hessian: Float[Tensor, "d d"], theta0: Float[Tensor, " d"], lr: float, momentum: float, steps: int
) -> Float[Tensor, "points d"]:
    """The path of one of METHODS (or BOWL_NESTEROV) on the bowl theta^T H theta / 2."""

    def gradient(theta: Tensor) -> Tensor:
        return hessian @ theta

    if method == "Adam":
        return adam(gradient, theta0, lr, steps)
    if method in ("Nesterov", BOWL_NESTEROV):
        return landscapes.nesterov(gradient, theta0, lr, momentum, steps)
    return landscapes.heavy_ball(gradient, theta0, lr, momentum, steps)


def corner(angle: float = 0.0) -> Float[Tensor, "2"]:
    """The point (1, 1), turned by ``angle`` radians."""
    return rotation(angle) @ torch.ones(2, dtype=torch.float64)


def shares(losses: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Losses as shares of the first one."""
    return losses / losses[0]


@cache
def steps_needed(method: str, kappa: float, angle: float = 0.0) -> int:
    """Steps until the loss is a millionth of the starting loss, from the slowest of twelve starting directions, at
    ``best_settings``. Bowl and starts are turned by ``angle`` radians, which only Adam can tell.

    For the others one run from (1, 1) tells of every start: along the axes of the bowl coordinates never mix.
    """
    if method == "Adam":
        return tuned_adam(kappa, angle)[0]
    in_theory = steps_in_theory("gradient descent" if method == "gradient descent" else "heavy ball", kappa)
    most = math.ceil(1.01 * in_theory if method in ("gradient descent", "heavy ball") else 2 * in_theory)
    path = descend(method, rotated_bowl(kappa), corner(), *best_settings(method, kappa), most)
    reached = []
    for direction in DIRECTIONS:
        flat, steep = math.cos(direction) ** 2, kappa * math.sin(direction) ** 2
        left = (flat * path[:, 0] ** 2 + steep * path[:, 1] ** 2) / (flat + steep)
        reached.append(int((left <= TARGET).nonzero()[0]))
    return max(reached)


def steps_from_corner(method: str, kappa: float, angle: float, lr: float, momentum: float, most: int) -> int | None:
    """Steps until the loss is a millionth of that at the corner (1, 1), if it happens within ``most``."""
    hessian = rotated_bowl(kappa, angle)
    path = descend(method, hessian, corner(angle), lr, momentum, most)
    return steps_to_reach(shares(bowl_loss(hessian, path)), TARGET)


def loss_in_theory(method: str, kappa: float, step: float) -> float:
    """The loss at ``step`` as a share of the starting loss, from the worst start, for gradient descent and heavy ball
    at their best settings.

    Gradient descent shrinks both coordinates by its rate. Heavy ball's recursion has a double root at both ends of the
    spectrum, so a coordinate is (1 + c step) sqrt(beta)^step, at worst with c = 1 + sqrt(beta), where it is steep.
    """
    if method == "gradient descent":
        return ((kappa - 1) / (kappa + 1)) ** (2 * step)
    root = math.sqrt(landscapes.heavy_ball_optimum(2, 2 * kappa)[1])
    return (1 + step * (1 + root)) ** 2 * root ** (2 * step)


def steps_in_theory(method: str, kappa: float) -> float:
    """The step from which on ``loss_in_theory`` is below TARGET."""
    low, high = 1.0, 2.0
    while loss_in_theory(method, kappa, high) > TARGET:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if loss_in_theory(method, kappa, middle) > TARGET else (low, middle)
    return high


def root_modulus(eta_lambda: Float[Tensor, " n"], beta: float) -> Float[Tensor, " n"]:
    """The larger modulus of the two eigenvalues of heavy ball's step along one eigenvector, ((1 + beta - eta lambda,
    -beta), (1, 0)): the rate at which it shrinks that coordinate."""
    half = (1 + beta - eta_lambda) / 2
    real = half.abs() + (half.square() - beta).clamp(min=0).sqrt()
    return torch.where(half.square() < beta, math.sqrt(beta), real)


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
    told = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 4.0))
        axes = figure.add_subplot()
        looks = (("blue", "-"), ("green", "--"), ("black", "-."), ("vermilion", ":"))
        for lr, (colour, dashes) in zip(rates, looks, strict=True):
            losses = shares(bowl_loss(hessian, descend("gradient descent", hessian, corner(), lr, 0.0, 700)))
            label = f"lr = {lr:.4f}, {lr / limit:.2f} of the limit"
            axes.semilogy(losses, dashes, color=PALETTE[colour], label=label)
            reached = steps_to_reach(losses, TARGET)
            told.append(f"{lr:.4f} rises without bound" if reached is None else f"{lr:.4f} arrives at step {reached}")
            if colour == "green":
                words = "the steep direction is done,\nwhat is left is the flat one"
                axes.annotate(words, (4, losses[4].item()), (170, 0.03), arrowprops={"arrowstyle": "->"}, va="center")
        axes.axhline(TARGET, color=PALETTE["black"], linewidth=1)
        axes.annotate("a millionth", (4, TARGET), (0, 4), textcoords="offset points")
        axes.set(xlabel="step", ylabel="loss / starting loss", xlim=(0, 700), ylim=(2e-7, 1e7))
        axes.set_title(f"Gradient descent at condition number {kappa:g}: the limit is lr = {limit:g}")
        axes.legend(loc="upper right")
    alt = f"Loss against step on a log axis. Learning rate {'; '.join(told)}."
    return describe(figure, alt)


def loss_by_direction(kappa: float = 100.0, rates: Sequence[float] = (0.009, 2 / 202)) -> Figure:
    """How much of the loss lies in the flat and in the steep direction, by step, for gradient descent from (1, 1)."""
    hessian, told = rotated_bowl(kappa), []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4))
        for axes, lr in zip(figure.subplots(1, 2, sharey=True), rates, strict=True):
            path = descend("gradient descent", hessian, corner(), lr, 0.0, 400)
            flat, steep = path[:, 0] ** 2, kappa * path[:, 1] ** 2
            axes.fill_between(range(401), flat, 1e-9, color=PALETTE["sky"], alpha=0.25, linewidth=0)
            axes.fill_between(range(401), steep, 1e-9, color=PALETTE["vermilion"], alpha=0.25, linewidth=0)
            axes.semilogy(flat, color=PALETTE["blue"], label=r"flat: $\theta_1^2$")
            axes.semilogy(steep, "--", color=PALETTE["vermilion"], label=rf"steep: ${kappa:g}\,\theta_2^2$")
            axes.set(xlabel="step", title=f"lr = {lr:.4f}", ylim=(1e-7, 300), xlim=(0, 400))
            passed = steps_to_reach(steep - flat, 0.0)
            meets = "stays above the flat one" if passed is None else f"falls below the flat one at step {passed}"
            told.append(f"at {lr:.4f} the steep part {meets}")
        figure.axes[0].set_ylabel("part of the loss")
        figure.axes[0].legend()
    alt = f"The two parts of the loss on a log axis, which start at 1 (flat) and {kappa:g} (steep): {'; '.join(told)}."
    return describe(figure, alt)


def root_moduli(betas: Sequence[float] = (0.0, 0.5, 0.9)) -> Figure:
    """The rate of heavy ball along one eigenvector by eta lambda: a floor at sqrt(beta), a limit at 2 (1 + beta)."""
    grid, told = torch.linspace(0, 4.2, 2101, dtype=torch.float64), []
    looks = (("blue", "-"), ("green", "--"), ("vermilion", "-."))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.0))
        axes = figure.add_subplot()
        for beta, (colour, dashes) in zip(betas, looks, strict=True):
            axes.plot(grid, root_modulus(grid, beta), dashes, color=PALETTE[colour], label=rf"$\beta$ = {beta:g}")
            axes.plot(2 * (1 + beta), 1, "o", color=PALETTE[colour])
            root = math.sqrt(beta)
            floor = (
                f"level at {root:.2f} from {(1 - root) ** 2:.3f} to {(1 + root) ** 2:.2f}" if beta else "a V down to 0"
            )
            told.append(f"at beta {beta:g} it is {floor} and passes 1 at {2 * (1 + beta):g}")
        axes.axhline(1, color=PALETTE["black"], linewidth=1)
        axes.annotate("above 1: diverges", (0.05, 1), (0, 4), textcoords="offset points")
        axes.set(xlabel=r"$\eta\lambda$", ylabel="factor per step", ylim=(0, 1.3), xlim=(0, 4.2))
        axes.set_title(r"One direction: a floor at $\sqrt{\beta}$, a limit at $2(1+\beta)$")
        axes.legend(loc="lower right")
    return describe(figure, f"The rate along one eigenvector against eta times lambda: {'; '.join(told)}.")


def paths_on_contours(kappa: float = 20.0, angle: float = 0.0, shown: int = 60) -> Figure:
    """The path of every method at ``best_settings`` from the corner (1, 1) of a bowl, turned by ``angle`` radians."""
    hessian, start, told = rotated_bowl(kappa, angle), corner(angle), []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 6.3))
        for axes, method in zip(figure.subplots(2, 2, sharex=True, sharey=True).flat, METHODS, strict=True):
            contours(axes, hessian, [0.05 * kappa * 3**k for k in range(4)], reach=2.2)
            lr, momentum = best_settings(method, kappa, angle)
            path = descend(method, hessian, start, lr, momentum, shown)
            axes.plot(*path.T, "-", color=COLOURS[method], marker=MARKERS[method], markersize=4, linewidth=1.3)
            axes.plot(*start, "o", color=PALETTE["black"], markersize=5)
            axes.plot(0, 0, "+", color=PALETTE["black"], markersize=12, markeredgewidth=2)
            count_of = steps_from_corner(method, kappa, angle, lr, momentum, 400)
            axes.set_title(f"{method}: {count_of} steps")
            axes.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
            axes.grid(False)
            axes.label_outer()
            told.append(f"{method} takes {count_of} steps and strays to {path.abs().amax():.2f} from an axis")
        figure.supxlabel(r"$\theta_1$, the flat direction" if angle == 0 else r"$\theta_1$")
        figure.supylabel(r"$\theta_2$, the steep direction" if angle == 0 else r"$\theta_2$")
    alt = f"Four paths from (1, 1) over the contours of a bowl with condition number {kappa:g}: {'; '.join(told)}."
    return describe(figure, alt)


def steps_against_kappa(kappas: Sequence[float] = (10, 32, 100, 320, 1000, 3200, 10000)) -> Figure:
    """Steps to a millionth of the starting loss against the condition number for every method, with the lines that the
    rates predict."""
    ends = [(method, steps_needed(method, kappas[0]), steps_needed(method, kappas[-1])) for method in METHODS]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.6))
        axes = figure.add_subplot()
        line = np.geomspace(kappas[0], kappas[-1], 100)
        for method, dashes in (("gradient descent", "-"), ("heavy ball", "--")):
            predicted = [steps_in_theory(method, kappa) for kappa in line]
            axes.loglog(line, predicted, dashes, color=COLOURS[method], linewidth=1.3, label=f"{method}, theory")
        for power, dashes in ((1, "-."), (0.5, ":")):
            guide = [4 * (kappa / kappas[0]) ** power for kappa in line]
            name = r"slope of $\kappa$" if power == 1 else r"slope of $\sqrt{\kappa}$"
            axes.loglog(line, guide, dashes, color="#777777", linewidth=1.2, label=name)
        for method in METHODS:
            steps = [steps_needed(method, kappa) for kappa in kappas]
            axes.loglog(kappas, steps, MARKERS[method], color=COLOURS[method], label=f"{method}, measured")
        axes.set(xlabel=r"condition number $\kappa$", ylabel="steps to a millionth of the loss")
        axes.set_title("What a narrow bowl costs, axes aligned")
        axes.legend(fontsize=9)
    told = "; ".join(f"{method} from {first} to {last}" for method, first, last in ends)
    alt = f"Steps against the condition number, {kappas[0]:g} to {kappas[-1]:g}, on log axes: {told}. Gradient descent "
    return describe(
        figure, alt + "rises like kappa, heavy ball and Nesterov's method like its root, Adam does not rise."
    )


def steps_against_angle(kappa: float = 1000.0, degrees: Sequence[float] = tuple(range(0, 46, 5))) -> Figure:
    """Steps to a millionth of the starting loss against the angle by which the same bowl and its starts are turned."""
    told = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.0))
        axes = figure.add_subplot()
        for method in METHODS:
            steps = [steps_needed(method, kappa, math.radians(angle)) for angle in degrees]
            axes.semilogy(degrees, steps, MARKERS[method] + "-", color=COLOURS[method], markersize=5, label=method)
            level = f"is level at {steps[0]}" if len(set(steps)) == 1 else f"goes from {steps[0]} to {steps[-1]}"
            told.append(f"{method} {level}")
        axes.set(xlabel="angle of the bowl (degrees)", ylabel="steps to a millionth of the loss", xticks=degrees)
        axes.set_title(f"The same bowl, turned: condition number {kappa:g}")
        axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0.86))
    alt = f"Steps against the angle, {degrees[0]:g} to {degrees[-1]:g} degrees, at condition number {kappa:g}"
    return describe(figure, f"{alt}: {'; '.join(told)}.")


def kinked_gradient(theta: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The continuous slope of a convex function with second derivative 25, 1 and 25 again, on which heavy ball cycles.

    Lessard, Recht and Packard (2016), equation 4.11.
    """
    return torch.where(theta < 1, 25 * theta, torch.where(theta < 2, theta + 24, 25 * theta - 24))


def chain_loss(method: str, steps: int) -> float:
    """(L(theta_T) - L*) / |theta_0 - theta*|^2 after T = ``steps`` steps of 1 / 4 on Nesterov's chain of 2 T + 1 links.

    The chain (Nesterov 2018, section 2.1.2) is convex, its curvatures lie below L = 4, and after T steps no gradient
    method is below 3 L / (32 (T + 1)^2) on it. ``method`` is
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


def promises_of_momentum(horizons: Sequence[int] = (10, 20, 50, 100, 200, 500)) -> Figure:
    """Left: the cycle of heavy ball on the slope of a convex function. Right: Nesterov's promise on a flat chain, and
    the bound below which no gradient method can be."""
    start = torch.tensor([3.3], dtype=torch.float64)
    heavy = landscapes.heavy_ball(kinked_gradient, start, *landscapes.heavy_ball_optimum(1, 25), 3000)[-4:, 0]
    looking = landscapes.nesterov(kinked_gradient, start, *landscapes.nesterov_optimum(1, 25), 40)[:, 0]
    near = steps_to_reach(looking.abs(), 0.01)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.8))
        left, right = figure.subplots(1, 2)
        x = torch.linspace(-2.2, 2.6, 481, dtype=torch.float64)
        left.plot(x, kinked_gradient(x), color="#777777", linewidth=1.5, label="slope of the function")
        slope = kinked_gradient(heavy)
        left.plot(
            heavy, slope, "s--", color=COLOURS["heavy ball"], markersize=7, linewidth=1.2, label="heavy ball, for ever"
        )
        left.plot(0, 0, "D", color=COLOURS["Nesterov"], label=f"Nesterov, after {near} steps")
        left.set(xlabel=r"$\theta$", ylabel="slope", title="Curvature 25, then 1, then 25")
        left.legend()
        reached = {}
        for method in ("gradient descent", "Nesterov"):
            losses = reached[method] = [chain_loss(method, steps) for steps in horizons]
            right.loglog(horizons, losses, MARKERS[method] + "-", color=COLOURS[method], markersize=5, label=method)
        for height, dashes, label in ((8, "--", "Nesterov's promise"), (3 / 8, ":", "no gradient method is below")):
            line = [height / (steps + 1) ** 2 for steps in horizons]
            right.loglog(horizons, line, dashes, color=PALETTE["black"], linewidth=1.3, label=label)
        right.set(xlabel="steps T", ylabel="loss / distance$^2$", title="A chain for T steps")
        right.legend(fontsize=9)
    cycle = ", ".join(f"{value:.2f}" for value in sorted(heavy[:3].tolist()))
    alt = f"Left: the slope of a convex function with two kinks; heavy ball jumps for ever between {cycle}, Nesterov's "
    alt += f"method is within 0.01 of the minimum after {near} steps. Right: loss after T steps on log axes; that of "
    alt += "Nesterov's method stays between its promise and the bound below which no gradient method is, both like 1/T "
    slow = zip(horizons, reached["gradient descent"], strict=True)
    late = min(steps for steps, loss in slow if loss > 8 / (steps + 1) ** 2)
    return describe(figure, alt + f"squared; gradient descent's is above the promise from T = {late} on.")


def edge_of_stability(steps: Sequence[int], curves: dict[float, Sequence[float]]) -> Figure:
    """The sharpness of a network while gradient descent trains it, for some learning rates, with each one's 2 / lr."""
    told = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.2))
        axes = figure.add_subplot()
        looks = (("blue", "-"), ("green", "--"), ("vermilion", "-."))
        for (lr, sharpness), (colour, dashes) in zip(curves.items(), looks, strict=False):
            axes.plot(steps, sharpness, dashes, color=PALETTE[colour], label=f"lr = {lr:g}")
            axes.axhline(2 / lr, color=PALETTE[colour], linewidth=1)
            axes.annotate(f"2 / {lr:g}", (steps[-1], 2 / lr), (-4, 3), textcoords="offset points", ha="right")
            told.append(
                f"at {lr:g}, limit {2 / lr:g}, it ends at {sharpness[-1]:.0f} after a peak of {max(sharpness[1:]):.0f}"
            )
        axes.set(
            xlabel="step",
            ylabel="largest curvature",
            title="Sharpness while it trains, and the limit 2 / lr",
            ylim=(0, None),
        )
        axes.legend(loc="lower right")
    return describe(figure, f"The largest eigenvalue of the Hessian against training step: {'; '.join(told)}.")


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
        axes.set(xlabel="rank", ylabel="eigenvalue of the Hessian, magnitude")
        axes.set_title(f"The {len(eigenvalues)} eigenvalues of a small network's Hessian")
        axes.legend()
    negative, least = int((eigenvalues < 0).sum()), order.values[-1].item()
    alt = f"{len(eigenvalues)} eigenvalues by magnitude on a log axis, from {order.values[0]:.2g} down to {least:.1g}; "
    return describe(
        figure, alt + f"{negative} of them are negative. Power iteration's value, {top:.2f}, meets the largest."
    )


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
        "plain, lr = 0.0196": fit_gaussian(mean, std, 2 / 102, 400, natural=False),
        "natural, lr = 1": fit_gaussian(mean, std, 1.0, 20, natural=True),
    }
    needed = [steps_to_reach(gaussian_divergence(path, mean, std), 1e-4) for path in runs.values()]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 4.0))
        left, right = figure.subplots(1, 2)
        x, y = torch.linspace(-0.2, 1.4, 161, dtype=torch.float64), torch.linspace(-2.9, 0.5, 161, dtype=torch.float64)
        surface = gaussian_divergence(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1), mean, std)
        levels = [0.01, 0.1, 1, 10, 100]
        lines = left.contour(x, y, surface, levels=levels, colors="#8a8a8a", linewidths=0.8)
        left.clabel(lines, fmt="%g", fontsize=8)
        for (label, path), colour, marker in zip(runs.items(), ("blue", "vermilion"), ("", "o"), strict=True):
            left.plot(*path.T, marker=marker, color=PALETTE[colour], markersize=5, linewidth=1.5, label=label)
            right.semilogy(gaussian_divergence(path, mean, std), color=PALETTE[colour], label=label)
        left.plot(mean, math.log(std), "+", color=PALETTE["black"], markersize=12, markeredgewidth=2)
        left.set(xlabel=r"$\mu$", ylabel=r"$\log\sigma$", title="Paths over the divergence (nats)")
        left.legend(loc="lower left", fontsize=9)
        right.set(xlabel="step", ylabel="KL to the target (nats)", ylim=(1e-8, 100), title="The same two runs")
    alt = f"Left: two paths of (mu, log sigma) from (0, 0) to ({mean:g}, log {std:g}) over contours of the divergence. "
    alt += f"Right: its fall by step; the plain gradient is below 0.0001 nats after {needed[0]} steps, the natural one "
    alt += f"after {needed[1]}."
    return describe(figure, alt)
