"""The figures of joint distributions: tables, mosaics, and the information diagram with its sliders (notebook 02).

A joint distribution is (X, Y), rows are x. Every function checks it and raises ValueError as the routines in
``helpers.channels`` do. Every figure carries its alt text, made from the numbers that it draws.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from ipywidgets import HTML, FloatSlider, GridBox, Layout, ToggleButtons, VBox
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from helpers.channels import conditional_entropy, marginals, mutual_information
from helpers.information import entropy
from helpers.plotting import DENSITY, PALETTE, STYLE, describe

BARS = {
    "H(X, Y)": "black",
    "H(X)": "blue",
    "H(Y)": "vermilion",
    "H(X|Y)": "sky",
    "I(X; Y)": "green",
    "H(Y|X)": "orange",
}
PRESETS = {
    "worked example": (5, 1, 1.5, 2.5),
    "independent": (3, 3, 2, 2),
    "Y copies X": (5, 0, 0, 5),
    "one zero": (5, 0, 1.5, 3.5),
    "nothing to know": (10, 0, 0, 0),
}


def quantities(joint: Float[Tensor, "X Y"]) -> dict[str, float]:
    """The six quantities of the information diagram in nats, by their names."""
    px, py = marginals(joint)
    values = {
        "H(X, Y)": entropy(joint.flatten()),
        "H(X)": entropy(px),
        "H(Y)": entropy(py),
        "H(X|Y)": conditional_entropy(joint.mT),
        "I(X; Y)": mutual_information(joint),
        "H(Y|X)": conditional_entropy(joint),
    }
    return {name: max(0.0, value.item()) for name, value in values.items()}  # rounding may leave -1e-17


class Table:
    """A shaded table of a joint distribution with its row sums at the right and its column sums below."""

    def __init__(self, axes: Axes, rows: int, columns: int) -> None:
        margin: dict[str, Any] = {"weight": "bold", "va": "center"}
        self.shades = axes.imshow(np.zeros((rows, columns)), cmap="Blues", vmin=0, vmax=1)
        places = itertools.product(range(rows), range(columns))
        self.cells = [axes.text(y, x, "", ha="center", va="center") for x, y in places]
        self.px = [axes.text(columns - 0.35, x, "", color=PALETTE["blue"], **margin) for x in range(rows)]
        below = {**margin, "ha": "center", "color": PALETTE["vermilion"]}
        self.py = [axes.text(y, rows - 0.25, "", **below) for y in range(columns)]
        axes.text(columns - 0.35, -0.75, "p(x)", color=PALETTE["blue"], **margin)
        axes.text(-0.75, rows - 0.25, "p(y)", **below)
        axes.set_xticks(range(columns), [f"y = {y}" for y in range(columns)])
        axes.set_yticks(range(rows), [f"x = {x}" for x in range(rows)])
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)

    def show(self, joint: Float[Tensor, "X Y"]) -> list[Artist]:
        """Write ``joint`` into the table; returns the artists that changed."""
        px, py = marginals(joint)
        self.shades.set_data(joint.numpy())
        for text, p in zip(self.cells, joint.flatten().tolist(), strict=True):
            text.set(text=f"{p:.3f}", color="white" if p > 0.6 else "black")
        for text, p in zip(self.px + self.py, px.tolist() + py.tolist(), strict=True):
            text.set_text(f"{p:.3f}")
        return [self.shades, *self.cells, *self.px, *self.py]


class Bars:
    """The entropies of a joint distribution as bars to scale; what lies under each other is the same information."""

    def __init__(self, axes: Axes, cells: int) -> None:
        self.edges = [axes.axvline(0, color="#666666", linewidth=1, linestyle=":", zorder=0) for _ in range(2)]
        self.bars, self.labels = {}, {}
        for height, (name, colour) in enumerate(reversed(BARS.items())):
            (self.bars[name],) = axes.barh(height, 0.0, height=0.7, color=PALETTE[colour], label=name)
            place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
            self.labels[name] = axes.text(-0.02, height, "", **place)
        axes.set(xlim=(0, 1.02 * max(math.log(cells), 0.1)), ylim=(-0.6, 5.6), xlabel="nats", yticks=[])
        axes.spines["left"].set_visible(False)
        axes.grid(False)

    def show(self, joint: Float[Tensor, "X Y"]) -> list[Artist]:
        """Set the bars to those of ``joint``; returns the artists that changed."""
        q = quantities(joint)
        lefts = {"H(Y)": q["H(X|Y)"], "I(X; Y)": q["H(X|Y)"], "H(Y|X)": q["H(X)"]}
        for name, bar in self.bars.items():
            bar.set(x=lefts.get(name, 0.0), width=q[name])
            self.labels[name].set_text(f"{name} = {q[name]:.3f}")
        for edge, place in zip(self.edges, (q["H(X|Y)"], q["H(X)"]), strict=True):
            edge.set_xdata([place, place])
        return [*self.edges, *self.bars.values(), *self.labels.values()]


def in_rows(joint: Float[Tensor, "X Y"]) -> str:
    """The entries of a table in words: commas within a row, semicolons between rows."""
    return "; ".join(", ".join(f"{p:.3f}" for p in row) for row in joint.tolist())


def in_margins(joint: Float[Tensor, "X Y"]) -> str:
    """The marginals of a table in words."""
    px, py = ("(" + ", ".join(f"{p:.3f}" for p in sums.tolist()) + ")" for sums in marginals(joint))
    return f"p(x) = {px} and p(y) = {py}"


def table(joint: Float[Tensor, "X Y"]) -> Figure:
    """A joint distribution with its marginals in the margins, which is where they have their name from."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.3 * joint.shape[1] + 1.6, 1.0 * joint.shape[0] + 1.2))
        Table(figure.add_subplot(), *joint.shape).show(joint)
    alt = f"The joint table with rows {in_rows(joint)}. In the right margin its row sums, below its column sums:"
    return describe(figure, f"{alt} {in_margins(joint)}.")


def against_independence(joint: Float[Tensor, "X Y"]) -> Figure:
    """A joint distribution beside the product of its marginals, which is what independence would make of them."""
    product = torch.outer(*marginals(joint))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.2))
        for axes, shown, title in zip(
            figure.subplots(1, 2),
            (joint, product),
            ("p(x, y): what is", "p(x) p(y): if independent"),
            strict=True,
        ):
            Table(axes, *shown.shape).show(shown)
            axes.set_title(title, pad=14)
    alt = f"Two tables side by side: the joint with rows {in_rows(joint)}, and the product of its marginals with rows"
    return describe(figure, f"{alt} {in_rows(product)}. Both have the same margins, {in_margins(joint)}.")


def mosaic(joint: Float[Tensor, "X Y"]) -> Figure:
    """One band for each x, from the top as in the table, as high as p(x), divided in the shares p(y given x): areas are
    joint probabilities.

    Beside each band stands the entropy of Y in it, whose mean by height is H(Y given X).
    """
    px, _ = marginals(joint)
    given = joint / torch.where(px > 0, px, 1)[:, None]
    colours = [PALETTE[name] for name in ("sky", "orange", "green", "purple", "yellow")]
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6))
        axes = figure.add_subplot()
        for x, (top, height) in enumerate(zip((px.cumsum(0) - px).tolist(), px.tolist(), strict=True)):
            left = 0.0
            for y, share in enumerate(given[x].tolist()):
                colour = colours[y % len(colours)]
                axes.barh(top, share, height, left, align="edge", color=colour, edgecolor="white", linewidth=2)
                if share * height > 0.01:
                    place = (left + share / 2, top + height / 2)
                    axes.text(*place, f"y = {y}\n{share:.3f}", ha="center", va="center")
                left += share
            if height > 0:
                h = entropy(given[x]).item()
                label = f"p(x={x}) = {height:.2f}\nentropy {h:.3f} nats"
                axes.text(1.02, top + height / 2, label, ha="left", va="center")
                shares = " to ".join(f"{share:.3f}" for share in given[x].tolist())
                words.append(f"x = {x} is {height:.2f} high and split {shares}, with entropy {h:.3f} nats")
        axes.set(xlim=(0, 1), ylim=(1, 0), xlabel="p(y given x), as width", ylabel="p(x), as height")
        mean = f"H(Y|X) = {conditional_entropy(joint):.6f} nats, the mean by height"
        axes.set_title(mean)
        axes.grid(False)
    return describe(figure, f"Mosaic of one band for each x, from the top. {'; '.join(words)}. {mean}.")


class InformationDiagram:
    """The table and the bars of joint distributions of one shape. What never changes is drawn once and copied, so that
    a slider moves the rest in tens of milliseconds. ``density`` is how many pixels are drawn for each that is shown."""

    def __init__(self, rows: int, columns: int, density: int = 1) -> None:
        with matplotlib.rc_context(STYLE):
            self.figure = Figure(figsize=(8.4, 3.2))
            self.width = round(self.figure.get_figwidth() * self.figure.dpi)
            self.figure.set_dpi(density * self.figure.dpi)
            self.figure.set_layout_engine("none")
            self.table = Table(self.figure.add_axes((0.06, 0.14, 0.28, 0.68)), rows, columns)
            axes = self.figure.add_axes((0.585, 0.16, 0.4, 0.74))
            self.bars = Bars(axes, rows * columns)
            axes.set_title("What there is to know, and who knows it", fontsize=11)
        self.canvas, self.still = FigureCanvasAgg(self.figure), None

    def show(self, joint: Float[Tensor, "X Y"]) -> list[Artist]:
        """Set the figure to ``joint``; returns the artists that changed."""
        return self.table.show(joint) + self.bars.show(joint)

    def png(self, joint: Float[Tensor, "X Y"]) -> bytes:
        """The figure of ``joint`` as PNG."""
        moving = self.show(joint)
        if self.still is None:
            for artist in moving:
                artist.set_animated(True)
            self.canvas.draw()
            self.still = self.canvas.copy_from_bbox(self.figure.bbox)
        self.canvas.restore_region(self.still)
        for artist in moving:
            artist.draw(self.canvas.get_renderer())
        drawn = io.BytesIO()
        Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB").save(drawn, "PNG", compress_level=1)
        return drawn.getvalue()


def information_diagram(joint: Float[Tensor, "X Y"]) -> Figure:
    """A joint table and, to scale in nats, how its entropies are made of each other (after MacKay 2003, figure 8.1).

    It is right for every table: where X and Y are independent the bar of I(X; Y) has no width, where one tells the
    other the bar of what is left open has none.
    """
    diagram = InformationDiagram(*joint.shape)
    diagram.show(joint)
    return describe(diagram.figure, diagram_in_words(joint))


def stills(names: Sequence[str] = ("independent", "Y copies X", "one zero")) -> Figure:
    """The bars of the information diagram at some of the buttons, side by side, for readers without a kernel."""
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 2.9))
        figure.set_layout_engine("none")
        for place, name in enumerate(names):
            joint = preset(name)
            axes = figure.add_axes(((place + 0.42) / len(names), 0.17, 0.55 / len(names), 0.62))
            Bars(axes, joint.numel()).show(joint)
            rows = " / ".join(" ".join(f"{p:.2f}" for p in row) for row in joint.tolist())
            axes.set_title(f"{name}\n{rows}", fontsize=10.5)
            gone = [bar for bar, value in quantities(joint).items() if value < 1e-12]
            vanished = f"no bar of {' and '.join(gone)}" if gone else "every bar is there"
            lengths = ", ".join(f"{bar} = {value:.3f}" for bar, value in quantities(joint).items())
            words.append(f"{name} ({in_rows(joint)}): {vanished}; {lengths}")
    return describe(figure, f"Information diagrams of {len(names)} tables side by side, in nats. {'. '.join(words)}.")


def preset(name: str) -> Float[Tensor, "2 2"]:
    """The table of one of the buttons."""
    weights = torch.tensor(PRESETS[name], dtype=torch.float64).reshape(2, 2)
    return weights / weights.sum()


def diagram_in_words(joint: Float[Tensor, "X Y"]) -> str:
    """The numbers of the information diagram as one sentence, for readers who cannot see it."""
    return (
        "Information diagram: "
        + ", ".join(f"{name} = {value:.3f}" for name, value in quantities(joint).items())
        + " nats."
    )


def explore() -> VBox:
    """The information diagram with a slider for each weight of a 2 by 2 table, and buttons for telling tables.

    The weights are divided by their sum, so that every position of the sliders is a joint distribution, but for the one
    where all are 0: there the diagram waits and says so.
    """
    cells = [
        FloatSlider(
            5.0,
            min=0,
            max=10,
            step=0.1,
            description=f"x={x}, y={y}",
            readout_format=".1f",
            layout=Layout(width="330px", max_width="100%"),
        )
        for x in range(2)
        for y in range(2)
    ]
    buttons = ToggleButtons(options=list(PRESETS), description="", style={"button_width": "auto"})
    diagram, picture = InformationDiagram(2, 2, DENSITY), HTML()

    def draw(_: object = None) -> None:
        weights = torch.tensor([cell.value for cell in cells], dtype=torch.float64).reshape(2, 2)
        if weights.sum() == 0:
            picture.value = "<p>Raise a slider: the weights of a table cannot all be 0.</p>"
            return
        joint = weights / weights.sum()
        data = base64.b64encode(diagram.png(joint)).decode()
        size = f'width="{diagram.width}" style="max-width: 100%"'
        picture.value = f'<img src="data:image/png;base64,{data}" {size} alt="{diagram_in_words(joint)}">'

    def choose(_: object = None) -> None:
        for cell in cells:
            cell.unobserve(draw, "value")
        for cell, weight in zip(cells, PRESETS[buttons.value], strict=True):
            cell.value = weight
            cell.observe(draw, "value")
        draw()

    buttons.observe(choose, "value")
    choose()
    side_by_side = "repeat(auto-fit, minmax(min(100%, 340px), 1fr))"  # one below the other on a phone
    grid = GridBox(cells, layout=Layout(grid_template_columns=side_by_side, max_width="690px"))
    return VBox([buttons, grid, picture])
