"""The course's figure style, and the figures of the course.

Figures are made without pyplot, so nothing here picks a backend or keeps a figure alive, and all of it works without a
display. Each drawing function returns a matplotlib Figure; ``show_figure`` shows one together with its alt text.
"""

from __future__ import annotations

import base64
import html
import io
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from helpers.information import entropy, huffman_code_lengths, kl_divergence

if TYPE_CHECKING:
    from ipywidgets import Widget

# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
PALETTE = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=list(PALETTE.values())),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.figsize": (6.4, 4.0),
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 11,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "image.cmap": "cividis",
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "savefig.dpi": "figure",
}

DENSITY = 2  # pixels drawn for each pixel shown


def use_course_style() -> None:
    """Draw every figure made from now on in the course's style."""
    matplotlib.rcParams.update(STYLE)


class Picture:
    """A figure as a PNG with its alt text: an image in a notebook, ``<figure: alt>`` wherever there is only text.

    It is an HTML image, as JupyterLab and nbconvert give no alt text to a bare ``image/png`` output, drawn at
    ``DENSITY`` times the pixels that it takes up, so that it is sharp on high-density screens.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        drawn, small = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DENSITY * figure.dpi)
        # 128 colours look the same and take a third of the space in a notebook.
        Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        self.png, self.alt = small.getvalue(), alt
        self.width = round(figure.get_figwidth() * figure.dpi)

    def __repr__(self) -> str:
        return f"<figure: {self.alt}>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        size = f'width="{self.width}" style="max-width: 100%"'
        return f'<img src="data:image/png;base64,{data}" {size} alt="{html.escape(self.alt)}">'


def describe(figure: Figure, alt: str) -> Figure:
    """``figure`` with its own alt text, which a drawing function makes from the data that it draws."""
    figure.set_label(" ".join(alt.split()))
    return figure


def alt_of(figure: Figure) -> str:
    """The alt text that ``describe`` gave to ``figure``. Raises ValueError if there is none."""
    if not (alt := str(figure.get_label())):
        raise ValueError("alt must say what the figure shows; it is empty")
    return alt


def show_figure(fig: Figure, alt: str = "") -> None:
    """Show ``fig`` at its own size with the alt text ``alt``, or else the one that it carries, and close it.

    The alt text says what the figure shows to a reader who cannot see it. Without a notebook it is printed.
    Raises ValueError if there is none.
    """
    from IPython.display import display  # here, as drawing alone does not need it

    display(Picture(fig, " ".join(alt.split()) or alt_of(fig)))
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)  # or the notebook would show a figure made by pyplot a second time


def explore(draw: Callable[..., Figure], alt: str = "", **sliders: tuple[float, float, float, float]) -> Widget:
    """Sliders above a figure that follows them: ``explore(kl_curves, "...", p=(0.02, 0.98, 0.02, 0.3))``.

    ``draw`` takes the sliders' values by name and returns a figure; each slider is (lowest, highest, step, first).
    Without ``alt`` each figure's own alt text is used.
    """
    from ipywidgets import HTML, FloatSlider, VBox  # they take a while to import, and few figures move

    controls = {
        name: FloatSlider(first, min=low, max=high, step=step, description=name)
        for name, (low, high, step, first) in sliders.items()
    }
    screen = HTML()

    def redraw(_: object = None) -> None:
        figure = draw(**{name: control.value for name, control in controls.items()})
        screen.value = Picture(figure, alt or alt_of(figure))._repr_html_()

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return VBox([*controls.values(), screen])


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches, in the current style."""
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _label(axes: Axes, text: str, place: Sequence[float] | Tensor, above: bool = False, dot: bool = False) -> None:
    """Write ``text`` centred below or above a place in data coordinates, with a dot there if asked for."""
    x, y = (float(value) for value in place)
    if dot:
        axes.plot(x, y, "o", color=PALETTE["black"], markersize=6, clip_on=False, zorder=3)
    offset, va = ((0, 7), "bottom") if above else ((0, -7), "top")
    axes.annotate(text, (x, y), offset, textcoords="offset points", ha="center", va=va)


def entropy_surface(measure: Callable[[Tensor], Tensor] = entropy, steps: int = 80) -> Figure:
    """The entropy in nats of every three-sided die, over the triangle of all (p1, p2, p3).

    ``measure`` maps distributions (..., 3) to numbers (...); ``steps`` is how finely each edge is divided.
    """
    counts = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    p = torch.tensor(counts, dtype=torch.float64) / steps
    corners = torch.tensor([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    x, y = (p @ corners).T.tolist()
    with matplotlib.rc_context(STYLE):
        figure, axes = _canvas(6.0, 4.6)
        height = measure(p).tolist()
        surface = axes.tricontourf(x, y, height, levels=[0.1 * k for k in range(12)])
        lines = axes.tricontour(x, y, height, levels=[0.2, 0.4, 0.6, 0.8, 1.0], colors="white", linewidths=1)
        axes.plot(*corners[[0, 1, 2, 0]].T.tolist(), color="#333333", linewidth=1.2)
        _label(axes, "fair die:\nlog 3 = 1.099", corners.mean(0), dot=True)
        _label(axes, "fair coin:\nlog 2 = 0.693", corners[:2].mean(0), dot=True)
        for name, corner, above in zip(("$p_1=1$", "$p_2=1$", "$p_3=1$"), corners, (False, False, True), strict=True):
            _label(axes, name, corner, above)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title("Entropy of a three-sided die", pad=28)
        figure.colorbar(surface, label="entropy (nats)", shrink=0.85).add_lines(lines)
    return figure


def kl_curves(p: float = 0.3, divergence: Callable[[Tensor, Tensor], Tensor] = kl_divergence) -> Figure:
    """KL(p, q) and KL(q, p) in nats for two outcomes, as the probability q of the first one moves from 0 to 1.

    Raises ValueError unless 0 < p < 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"p must lie strictly between 0 and 1, got {p}")
    x = torch.linspace(0, 1, 401, dtype=torch.float64)[1:-1]
    q = torch.stack([x, 1 - x], -1)
    fixed = torch.tensor([p, 1 - p], dtype=torch.float64).expand_as(q)
    with matplotlib.rc_context(STYLE):
        figure, axes = _canvas(6.4, 4.0)
        axes.plot(x, divergence(fixed, q), color=PALETTE["blue"], label="KL(p, q): mean under p")
        axes.plot(x, divergence(q, fixed), "--", color=PALETTE["vermilion"], label="KL(q, p): mean under q")
        _label(axes, f"q = p = {p:g}", (p, 0), above=True, dot=True)
        axes.set(xlim=(0, 1), ylim=(0, 2), xlabel="q, the probability of the first outcome", ylabel="divergence (nats)")
        axes.set_title(f"Two ways to be wrong about p = {p:g}")
        axes.legend(loc="upper center")
    return figure


def _assorted_distributions() -> list[Tensor]:
    """Two hundred distributions over 2 to 8 outcomes, from nearly certain to nearly uniform."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(2, 9, (200,), generator=generator).tolist()
    spreads = torch.linspace(0.3, 5, 200).tolist()
    logits = [s * torch.randn(n, generator=generator).double() for n, s in zip(sizes, spreads, strict=True)]
    return [x.softmax(-1) for x in logits]


def code_length_against_entropy(
    distributions: Sequence[Tensor] | None = None, code_lengths: Callable[[Tensor], Tensor] = huffman_code_lengths
) -> Figure:
    """Mean length of a code against entropy, both in bits per symbol, between Shannon's bounds H and H + 1.

    One dot for each of ``distributions``, vectors of which two hundred assorted ones are drawn by default.
    ``code_lengths`` maps a vector to its code lengths in bits.
    """

    def place(p: Tensor) -> tuple[float, float]:
        return entropy(p).item() / math.log(2), (p * code_lengths(p)).sum().item()

    with matplotlib.rc_context(STYLE):
        figure, axes = _canvas(6.4, 4.4)
        chosen = _assorted_distributions() if distributions is None else distributions
        entropies, lengths = zip(*map(place, chosen), strict=True)
        axes.fill_between([0, 3.2], [0, 3.2], [1, 4.2], color=PALETTE["sky"], alpha=0.15, linewidth=0)
        axes.plot([0, 3.2], [1, 4.2], "--", color=PALETTE["vermilion"], linewidth=1.5, label="H + 1")
        axes.scatter(entropies, lengths, s=16, color=PALETTE["blue"], alpha=0.6, linewidth=0, label="optimal code")
        axes.plot([0, 3.2], [0, 3.2], color=PALETTE["black"], linewidth=1.5, label="H, the entropy")
        for example, shift in (((0.4, 0.3, 0.2, 0.1), 0.5), ((0.9, 0.1), 0)):
            x, y = place(torch.tensor(example, dtype=torch.float64))
            axes.plot(x, y, "D", color=PALETTE["orange"], markeredgecolor="black", markersize=7)
            _label(axes, str(example), (x + shift, y))
        axes.set(
            xlim=(0, 3.2),
            ylim=(0, 3.5),
            xlabel="entropy (bits per symbol)",
            ylabel="mean code length (bits per symbol)",
        )
        axes.set_title("An optimal code costs less than one bit above the entropy")
        axes.legend(loc="upper left")
    return figure
