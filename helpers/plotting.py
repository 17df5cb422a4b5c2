"""The course's figure style, and how a figure is shown.

Figures are made without pyplot, so nothing here picks a backend or keeps a figure alive, and all of it works without a
display. Each drawing function of ``helpers.figures`` returns a matplotlib Figure; ``show_figure`` shows one together
with its alt text.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure
from PIL import Image

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
    from ipywidgets import HTML, FloatSlider, Layout, VBox  # they take a while to import, and few figures move

    controls = {
        name: FloatSlider(first, min=low, max=high, step=step, description=name, layout=Layout(max_width="100%"))
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
