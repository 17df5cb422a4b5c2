"""The landscape explorer of notebook 04: sliders for a bowl's condition number and angle, the learning rate, the
momentum, the method; and stills of it, for a page that does not move.

`LandscapePicture` draws and knows no widgets; `landscape_explorer` puts sliders above it. Axes, ticks and labels never
change: they are drawn once and copied, and only lines and titles are drawn anew, which takes tens of milliseconds.
"""

from __future__ import annotations

import base64
import gc
import html
import io
import math
from typing import TYPE_CHECKING, NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from helpers.figures.landscapes import COLOURS, METHODS, TARGET, contours, corner, descend, shares
from helpers.landscapes import bowl_loss, rotated_bowl, rotation, steps_to_reach
from helpers.plotting import PALETTE, STYLE, describe

if TYPE_CHECKING:
    import ipywidgets

STEPS = 100
WITH_MOMENTUM = ("heavy ball", "Nesterov")
REACH = 1.6  # the picture shows the square from -REACH to REACH
LOSSES = (1e-8, 1e4)  # as shares of the starting loss
KAPPAS, ANGLES, RATES, MOMENTA = (1.0, 1000.0), (0, 90), (1e-4, 1.0), (0.0, 0.99)  # the ends of the sliders
STILLS = (  # condition number, angle, learning rate, momentum, method
    (100.0, 0, 0.0099, 0.0, "heavy ball"),
    (100.0, 0, 0.0125, 0.5, "heavy ball"),
    (100.0, 0, 0.0155, 0.5, "heavy ball"),
    (100.0, 45, 0.1, 0.0, "Adam"),
)


class View(NamedTuple):
    """One position of the sliders, drawn: the picture as PNG, and in words what it shows."""

    png: bytes
    words: str


class LandscapePicture:
    """A bowl with a path on it, and the losses along the path."""

    def __init__(self) -> None:
        with matplotlib.rc_context({**STYLE, "figure.constrained_layout.use": False}):
            figure = Figure(figsize=(8.4, 3.9))
            self.canvas = FigureCanvasAgg(figure)
            figure.subplots_adjust(left=0.09, right=0.97, bottom=0.14, top=0.9, wspace=0.24)
            self.map, self.curve = figure.subplots(1, 2, width_ratios=(1, 1.1))
            self.rings = [self.map.plot([], [], color="#9a9a9a", linewidth=0.9)[0] for _ in range(8)]
            (self.path,) = self.map.plot([], [], ".-", markersize=5, linewidth=1.3)
            (self.goal,) = self.map.plot(0, 0, "X", color=PALETTE["black"], markeredgecolor="white", markersize=11)
            self.map.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
            self.map.set_aspect("equal")
            self.map.grid(False)
            (self.losses,) = self.curve.semilogy([1], [1], linewidth=2)
            self.curve.axhline(TARGET, color=PALETTE["black"], linewidth=1)
            self.curve.set(xlim=(0, STEPS), ylim=LOSSES, xlabel="step", ylabel="loss / starting loss")
            self.moving = [*self.rings, self.path, self.goal, self.losses, self.map.title, self.curve.title]
            for artist in self.moving:
                artist.set_animated(True)  # the canvas leaves these out
            self.canvas.draw()
            self.background = self.canvas.copy_from_bbox(figure.bbox)
        gc.collect()
        gc.freeze()  # else one redraw in a hundred waits while the collector looks over all that torch has made

    def draw(self, kappa: float, angle: float, lr: float, momentum: float, method: str) -> View:
        """Draw the run of ``method`` from the corner (1, 1) of a bowl; both are turned by ``angle`` degrees. Only heavy
        ball and Nesterov's method have a ``momentum``."""
        path, losses = run(kappa, angle, lr, momentum, method)
        words, name = verdict(losses), named(method, momentum)
        self._move_rings(kappa, rotation(math.radians(angle)))
        for line, values in ((self.path, inside(path).T), (self.losses, (range(STEPS + 1), drawable(losses)))):
            line.set_data(*values)
            line.set_color(COLOURS[method])
        self.map.set_title(name, loc="center")
        colour = PALETTE["vermilion"] if words.startswith("diverges") else PALETTE["black"]
        self.curve.set_title(words, color=colour, loc="center")  # the centre, as these are the titles that move
        return View(self._png(), f"{name} at condition number {kappa:.3g}, {angle:g} degrees, lr {lr:.4g}: {words}")

    def _move_rings(self, kappa: float, turn: Tensor) -> None:
        """Put the eight lines of equal loss where this bowl has them; the outermost passes through the start."""
        circle = torch.linspace(0, 2 * math.pi, 121, dtype=torch.float64)
        for k, ring in enumerate(self.rings):
            radius = math.sqrt((1 + kappa) * 2.0 ** (-1.6 * k))
            ellipse = torch.stack([circle.cos(), circle.sin() / math.sqrt(kappa)]) * radius
            ring.set_data(*(turn @ ellipse))

    def _png(self) -> bytes:
        self.canvas.restore_region(self.background)
        for artist in self.moving:
            self.canvas.figure.draw_artist(artist)
        drawn = io.BytesIO()
        Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB").save(drawn, "PNG", compress_level=1)
        return drawn.getvalue()


def run(kappa: float, angle: float, lr: float, momentum: float, method: str) -> tuple[Tensor, Tensor]:
    """The path of ``method`` from the corner (1, 1), and its losses as shares of the first; angle in degrees."""
    turn, hessian = math.radians(angle), rotated_bowl(kappa, math.radians(angle))
    kept = momentum if method in WITH_MOMENTUM else 0.0
    path = descend(method, hessian, corner(turn), lr, kept, STEPS)
    return path, shares(bowl_loss(hessian, path))


def named(method: str, momentum: float) -> str:
    """A method with its momentum, if it has one."""
    return f"{method}, momentum {momentum:.2f}" if method in WITH_MOMENTUM else method


def inside(path: Tensor) -> Tensor:
    """The path up to its first point far outside the picture, or no number: so far its line can be drawn."""
    far = ~(path.abs().amax(-1) < 3 * REACH)
    return path[: int(far.nonzero()[0])] if far.any() else path


def drawable(losses: Tensor) -> Tensor:
    """Losses kept just outside the axis where they are off it; inf and nan are above it."""
    return losses.nan_to_num(math.inf).clamp(LOSSES[0] / 100, LOSSES[1] * 100)


def verdict(losses: Tensor) -> str:
    """What became of a run, from its losses as shares of the first: diverged, arrived, or where it is."""
    last = losses[-1].item()
    if not last <= 1:
        return f"diverges: {last:.1e} of the loss after {STEPS} steps"
    reached = steps_to_reach(losses, TARGET)
    if reached is not None:
        return f"reaches a millionth of the loss at step {reached}"
    return f"{last:.2g} of the loss after {STEPS} steps"


def landscape_stills() -> Figure:
    """Four positions of the explorer's sliders: the path of each, with what became of it."""
    told = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2.9))
        for axes, position in zip(figure.subplots(1, len(STILLS), sharey=True), STILLS, strict=True):
            kappa, angle, lr, momentum, method = position
            path, losses = run(*position)
            contours(axes, rotated_bowl(kappa, math.radians(angle)), [0.02 * kappa * 2.5**k for k in range(5)], REACH)
            axes.plot(*inside(path).T, ".-", color=COLOURS[method], markersize=4, linewidth=1)
            axes.plot(0, 0, "X", color=PALETTE["black"], markeredgecolor="white", markersize=9)
            axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xlabel=r"$\theta_1$")
            axes.grid(False)
            turned = f", {angle} degrees" if angle else ""
            words = verdict(losses)
            axes.set_title(f"{named(method, momentum)}{turned}\nlr {lr:g}: {words.split(' of the')[0]}", fontsize=8)
            told.append(f"{named(method, momentum)}{turned}, learning rate {lr:g}: {words}")
        figure.axes[0].set_ylabel(r"$\theta_2$")
    return describe(figure, f"Four runs from (1, 1) at condition number 100: {'; '.join(told)}.")


def landscape_explorer() -> ipywidgets.Widget:
    """Sliders for kappa, angle, learning rate, momentum and method above the picture, with its words as alt text."""
    import ipywidgets as widgets

    picture = LandscapePicture()
    wide = {"layout": widgets.Layout(width="420px", max_width="100%"), "style": {"description_width": "130px"}}
    ends = [[math.log10(x) for x in pair] for pair in (KAPPAS, RATES)]
    controls = {
        "method": widgets.ToggleButtons(options=METHODS, description="method", style={"button_width": "145px"}),
        "kappa": widgets.FloatLogSlider(20, min=ends[0][0], max=ends[0][1], description="condition number", **wide),
        "angle": widgets.IntSlider(0, min=ANGLES[0], max=ANGLES[1], description="angle (degrees)", **wide),
        "lr": widgets.FloatLogSlider(
            0.04, min=ends[1][0], max=ends[1][1], step=0.02, description="learning rate", readout_format=".4f", **wide
        ),
        "momentum": widgets.FloatSlider(0.9, min=MOMENTA[0], max=MOMENTA[1], step=0.01, description="momentum", **wide),
    }
    screen = widgets.HTML()

    def redraw(_: object = None) -> None:
        view = picture.draw(**{name: control.value for name, control in controls.items()})
        data = base64.b64encode(view.png).decode()
        picture_of = f'src="data:image/png;base64,{data}" alt="{html.escape(view.words)}"'
        screen.value = f'<img style="max-width: 100%" {picture_of}>'

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([*controls.values(), screen])
