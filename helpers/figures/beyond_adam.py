"""The figures of what came after Adam (notebook 07). Each carries an alt text made from the data that it draws."""

from __future__ import annotations

import matplotlib
import torch
from matplotlib.figure import Figure

from helpers.beyond_adam import COEFFICIENTS, adopt_online_problem, sam_gradient, schedule_free_step
from helpers.landscapes import top_hessian_eigenvalue
from helpers.optimisers import adam_step, momentum_step, online_problem, warmup_cosine
from helpers.plotting import PALETTE, STYLE, describe

BLUE, VERMILION, GREEN, ORANGE = (PALETTE[name] for name in ("blue", "vermilion", "green", "orange"))
GREY = "#666666"
F64 = torch.float64


def step_lengths(noises: tuple[float, ...] = (0, 0.3, 1, 3, 10), repeats: int = 400, steps: int = 60) -> Figure:
    """How far a step of Adam or Lion goes, over lr, against the noise of a gradient that is 1 on average."""
    generator = torch.Generator().manual_seed(0)
    adam = []
    for noise in noises:
        grads = 1 + noise * torch.randn(steps, repeats, generator=generator, dtype=F64)
        theta = m = v = torch.zeros(repeats, dtype=F64)
        for t, grad in enumerate(grads, start=1):
            before = theta
            theta, m, v = adam_step(theta, grad, m, v, t, 1.0, 0.9, 0.99, 1e-8)
        adam.append((theta - before).abs().mean().item())
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.2))
        axes = figure.add_subplot()
        places = range(len(noises))
        axes.plot(places, adam, "o-", color=BLUE, label="Adam")
        axes.plot(places, [1.0] * len(noises), "s--", color=VERMILION, label="Lion")
        axes.set(xlabel="noise in the gradient, over its mean", ylabel="length of a step / lr", ylim=(0, 1.15))
        axes.set_xticks(places, [f"{noise:g}" for noise in noises])
        axes.legend(loc="lower left")
    words = ", ".join(f"{length:.2f}" for length in adam)
    return describe(
        figure, f"Length of a step over the learning rate against the noise: Lion's is 1 always, Adam's falls: {words}."
    )


def after_steps(s: torch.Tensor, steps: int) -> torch.Tensor:
    """What Muon's polynomial makes of singular values in so many steps."""
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


def singular_values() -> Figure:
    """What 1, 2 and 5 steps of Muon's polynomial make of a singular value."""
    s = torch.linspace(0, 1, 2001, dtype=F64)
    after = after_steps(s, 5)[s >= 0.01]
    low, high = after.min().item(), after.max().item()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.add_subplot()
        axes.axhspan(low, high, color=PALETTE["sky"], alpha=0.2, linewidth=0)
        for steps, colour, line in ((0, GREY, ":"), (1, ORANGE, "-."), (2, VERMILION, "--"), (5, BLUE, "-")):
            name = "before" if not steps else f"after {steps} step" + "s" * (steps > 1)
            axes.plot(s, after_steps(s, steps), line, color=colour, linewidth=1.8, label=name)
        axes.set(
            xlabel="singular value, over the Frobenius norm", ylabel="what it becomes", xlim=(0, 1), ylim=(0, 1.35)
        )
        axes.legend(loc="lower right")
    return describe(
        figure,
        f"Singular values before and after Muon's polynomial. After five steps all from 0.01 up lie between {low:.2f} "
        f"and {high:.2f}, waving about 1; one and two steps lift small values only in part.",
    )


def curve_fit(seed: int, rho: float, steps: int = 1000, hidden: int = 12) -> tuple[float, float, float]:
    """Fit a noisy sine with a small net, by momentum along SAM's gradient (rho 0: the plain one).

    The learning rate falls to 0 along a cosine: at a constant one a net bounces about its valley, and where it is at
    the end hangs on how the processor rounds. Returns the loss, the largest curvature there, and the mean squared error
    on the sine without noise.
    """
    x = torch.linspace(-2, 2, 24, dtype=F64)[:, None]
    y = torch.sin(2 * x) + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=F64)

    def net(theta: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        w1, b1, w2, b2 = theta.split([hidden, hidden, hidden, 1])
        h = torch.tanh(at * w1 + b1)
        return h, h @ w2[:, None] + b2

    def loss(theta: torch.Tensor) -> torch.Tensor:
        return (net(theta, x)[1] - y).square().mean()

    def gradient(theta: torch.Tensor) -> torch.Tensor:  # by hand: autograd would take most of the time
        h, out = net(theta, x)
        error = 2 * (out - y) / len(x)
        back = error * theta[2 * hidden : 3 * hidden] * (1 - h * h)
        return torch.cat([(back * x).sum(0), back.sum(0), (error * h).sum(0), error.sum(0)])

    theta = torch.randn(3 * hidden + 1, generator=torch.Generator().manual_seed(seed), dtype=F64)
    velocity = torch.zeros_like(theta)
    for t in range(1, steps + 1):
        grad = sam_gradient(gradient, theta, rho) if rho else gradient(theta)
        theta, velocity = momentum_step(theta, grad, velocity, warmup_cosine(t, 0, steps, 0.02, 0.0), 0.9)
    sharpness = top_hessian_eigenvalue(loss, theta, 60, torch.Generator().manual_seed(0))
    fresh = torch.linspace(-2, 2, 400, dtype=F64)[:, None]
    return loss(theta).item(), sharpness, (net(theta, fresh)[1] - torch.sin(2 * fresh)).square().mean().item()


def sharpness_against_radius(seeds: tuple[int, ...] = (1, 2)) -> Figure:
    """What SAM's radius does to the largest curvature at the end of training, to the loss, and to the error."""
    radii = (0.0, 0.02, 0.05, 0.1, 0.2)
    found = torch.tensor([[curve_fit(seed, rho) for rho in radii] for seed in seeds], dtype=F64)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.0))
        titles = ("largest curvature", "training loss", "error on new points")
        for axes, part, title in zip(figure.subplots(1, 3), (1, 0, 2), titles, strict=True):
            for k in range(len(seeds)):
                axes.plot(range(len(radii)), found[k, :, part], "o-", color=list(PALETTE.values())[k], linewidth=1.4)
            axes.set_xticks(range(len(radii)), [f"{rho:g}" for rho in radii])
            axes.set(xlabel="rho", ylim=(0, 1.15 * found[..., part].max().item()))
            axes.set_title(title, fontsize=11)
    sharp, loss, error = (found[..., part].mean(0).tolist() for part in (1, 0, 2))
    return describe(
        figure,
        f"Small nets trained with SAM, means over the nets, rho from 0 to {radii[-1]:g}: the largest curvature falls "
        f"from {sharp[0]:.1f} to {sharp[-1]:.1f}; the training loss goes from {loss[0]:.3f} to {loss[-1]:.3f}, "
        f"the error on new points from {error[0]:.3f} to {error[-1]:.3f}.",
    )


def noisy_bowl(method: str, steps: int, lr: float = 0.6, repeats: int = 200) -> list[float]:
    """Mean losses theta^2 / 2 of `repeats` runs from 5 under gradients theta + noise, after each step.

    `method` is "constant" or "cosine" for SGD, "z" or "x" for Schedule-Free SGD judged there.
    """
    noise = torch.randn(steps, repeats, generator=torch.Generator().manual_seed(3), dtype=F64)
    z = x = y = torch.full((repeats,), 5.0, dtype=F64)
    velocity, losses = torch.zeros_like(z), []
    for t in range(1, steps + 1):
        grad = y + noise[t - 1]
        if method in ("z", "x"):
            z, x, y = schedule_free_step(z, x, grad, t, lr, 0.9)
        else:
            rate = lr if method == "constant" else warmup_cosine(t, 0, steps, lr, 0.0)
            y, velocity = momentum_step(y, grad, velocity, rate, 0.0)
        at = {"z": z, "x": x}.get(method, y)
        losses.append((at.square() / 2).mean().item())
    return losses


def averages(steps: int = 400) -> Figure:
    """SGD at a constant rate and with a cosine, and Schedule-Free's z and x, on a noisy bowl."""
    curves = {
        "SGD, constant rate": ("constant", VERMILION, "--"),
        "SGD, cosine to step 400": ("cosine", GREEN, "-."),
        "Schedule-Free, at z": ("z", ORANGE, ":"),
        "Schedule-Free, at x": ("x", BLUE, "-"),
    }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.add_subplot()
        ends = {}
        for name, (method, colour, line) in curves.items():
            losses = noisy_bowl(method, steps)
            ends[name] = losses[-1]
            axes.loglog(range(1, steps + 1), losses, line, color=colour, linewidth=1.8, label=name)
        axes.set(xlabel="step", ylabel="loss, mean of 200 runs", xlim=(1, steps))
        axes.legend(loc="lower left", fontsize=10)
    words = ", ".join(f"{name} {loss:.4f}" for name, loss in ends.items())
    return describe(figure, f"Mean loss against step on log axes, on a noisy bowl. At step {steps}: {words}.")


def right_end(steps: int = 100_000) -> Figure:
    """Adam and ADOPT on the online problem of Reddi, Kale and Kumar (2018), whose best point is -1."""
    t = range(1, steps + 1)
    adam, adopt = online_problem(steps, amsgrad=False), adopt_online_problem(steps)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.4))
        axes = figure.add_subplot()
        axes.semilogx(t, adam, "--", color=VERMILION, linewidth=1.4, label="Adam")
        axes.semilogx(t, adopt, color=BLUE, linewidth=1.4, label="ADOPT")
        for place, words, va in ((1, "worst point", "bottom"), (-1, "best point", "top")):
            axes.axhline(place, color=GREY, linewidth=1, linestyle=":")
            shift = (4, 3 if va == "bottom" else -3)
            axes.annotate(words, (1, place), shift, textcoords="offset points", va=va)
        axes.set(xlabel="step t", ylabel="position", xlim=(1, steps), ylim=(-1.25, 1.25))
        axes.legend(loc="center left")
    return describe(
        figure,
        f"Position against step on a log axis. After {steps:,} steps Adam is at {adam[-1]:+.2f}, next to the worst "
        f"point; ADOPT is at {adopt[-1]:+.2f}, the best one.",
    )
