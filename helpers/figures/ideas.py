"""The map of the course's ideas: which leads to which. Drawn in notebook 07 and, as docs/ideas.png, in the README.

`python -m helpers.figures.ideas` draws the picture anew."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers.plotting import PALETTE, STYLE, Picture, alt_of, describe

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "ideas.png"

# Each idea under the notebook that teaches it, from top to bottom as drawn.
IDEAS: dict[str, tuple[str, ...]] = {
    "01": ("entropy", "cross-entropy", "KL divergence", "maximum entropy", "Huffman code"),
    "02": ("mutual information", "data processing", "plug-in bias", "channel capacity", "rate-distortion"),
    "03": ("moving average", "momentum", "Adam", "AdamW", "schedules"),
    "04": ("condition number", "heavy ball", "Hessian-vector product", "natural gradient"),
    "05": ("Gaussian KL", "Monte Carlo", "KL estimators", "ELBO"),
    "06": ("log-softmax", "online softmax", "backward pass", "roofline"),
    "07": ("Lion", "Muon", "SAM", "Schedule-Free", "ADOPT", "Sophia", "K-FAC"),
    "08": ("derivations", "LaTeX", "GAN"),
}
# From, to, and how the one leads to the other.
LINKS: tuple[tuple[str, str, str], ...] = (
    ("entropy", "cross-entropy", "the same sum with another model's code lengths"),
    ("cross-entropy", "KL divergence", "what it costs beyond the entropy"),
    ("entropy", "maximum entropy", "the least that a constraint says"),
    ("entropy", "Huffman code", "the bound that a code comes near"),
    ("KL divergence", "mutual information", "between a joint and its marginals"),
    ("mutual information", "data processing", "it falls along a chain"),
    ("mutual information", "plug-in bias", "estimated from counts it is too large"),
    ("mutual information", "channel capacity", "the largest over inputs"),
    ("mutual information", "rate-distortion", "the least for a given error"),
    ("moving average", "momentum", "the same sum without its weight"),
    ("moving average", "Adam", "of the gradient and of its square"),
    ("Adam", "AdamW", "decay beside the step, not through it"),
    ("momentum", "heavy ball", "why it helps in a valley"),
    ("condition number", "heavy ball", "its root is what counts"),
    ("condition number", "natural gradient", "undone by a matrix"),
    ("KL divergence", "natural gradient", "its curvature is the Fisher matrix"),
    ("KL divergence", "Gaussian KL", "in closed form"),
    ("Gaussian KL", "ELBO", "the term that regularises"),
    ("Monte Carlo", "KL estimators", "with error bars"),
    ("KL divergence", "KL estimators", "from samples alone"),
    ("rate-distortion", "ELBO", "beta is its slope"),
    ("cross-entropy", "log-softmax", "from scores, without overflow"),
    ("log-softmax", "online softmax", "in one pass"),
    ("log-softmax", "backward pass", "probabilities minus one"),
    ("online softmax", "roofline", "bytes moved, not operations"),
    ("AdamW", "Lion", "the sign is enough"),
    ("momentum", "Muon", "made orthogonal"),
    ("condition number", "SAM", "flat places on purpose"),
    ("schedules", "Schedule-Free", "an average in place of the end"),
    ("Adam", "ADOPT", "divide first"),
    ("Hessian-vector product", "Sophia", "the diagonal by random signs"),
    ("natural gradient", "LaTeX", "a step and a matrix, sign by sign"),
    ("Adam", "derivations", "why its averages are corrected, line by line"),
    ("KL estimators", "GAN", "from samples alone, by a classifier"),
    ("natural gradient", "K-FAC", "layer by layer, in two factors"),
)
HALF = 1.2  # of a box's width
COLUMNS = (("01", "02"), ("05", "06"), ("03", "04"), ("07", "08"))  # notebooks above each other


def places() -> dict[str, tuple[float, float]]:
    """Where each idea is drawn: x by its column, y downwards."""
    found = {}
    for x, notebooks in enumerate(COLUMNS):
        y = 0.0
        for notebook in notebooks:
            y -= 0.9
            for idea in IDEAS[notebook]:
                found[idea] = (3.5 * x, y)
                y -= 1.0
    return found


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """An arrow between two boxes: a bow at the right within a column, from side to side between columns."""
    same = start[0] == end[0]
    right = 1 if end[0] >= start[0] else -1
    a = (start[0] + right * HALF, start[1])
    b = (end[0] + (HALF if same else -right * HALF), end[1])
    bend = (0.45 if end[1] > start[1] else -0.45) if same else 0.06
    bow = FancyArrowPatch(a, b, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=7, color=colour)
    bow.shrinkA = bow.shrinkB = 0
    axes.add_patch(bow)


def box(axes: Axes, idea: str, place: tuple[float, float], colour: str) -> None:
    """An idea in its box; all boxes are equally wide."""
    corner = (place[0] - HALF + 0.1, place[1] - 0.2)
    axes.add_patch(FancyBboxPatch(corner, 2 * HALF - 0.2, 0.4, boxstyle="round,pad=0.1", facecolor="white",
                                  edgecolor=colour, linewidth=1.3))  # fmt: skip
    axes.text(*place, idea, ha="center", va="center", fontsize=7)


def map_of_ideas() -> Figure:
    """All ideas in the columns of their notebooks, with an arrow for each link."""
    at, home = places(), {idea: notebook for notebook, ideas in IDEAS.items() for idea in ideas}
    names = ("blue", "vermilion", "green", "purple", "orange", "sky", "black")
    grey = STYLE["axes.edgecolor"]  # the palette's last one, yellow, cannot be read on white
    colours = dict(zip(IDEAS, [*(PALETTE[name] for name in names), grey], strict=True))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 5.3), dpi=76)
        axes = figure.add_subplot()
        for start, end, _ in LINKS:
            arrow(axes, at[start], at[end], colours[home[start]])
        for idea, place in at.items():
            box(axes, idea, place, colours[home[idea]])
        for notebook, ideas in IDEAS.items():
            x, y = at[ideas[0]]
            axes.text(
                x, y + 0.75, f"notebook {notebook}", ha="center", fontsize=8, color=colours[notebook], weight="bold"
            )
        axes.set(xlim=(-1.5, 12.0), ylim=(min(y for _, y in at.values()) - 0.7, 0.4))
        axes.set_axis_off()
    newest = "; ".join(f"{start} to {end}" for start, end, _ in LINKS if home[end] == list(IDEAS)[-1])
    words = f"{len(LINKS)} arrows between {len(at)} ideas of the notebooks, each from an idea to one that it leads to. "
    return describe(figure, f"{words}Into notebook {list(IDEAS)[-1]}: {newest}.")


def fingerprint() -> str:
    """A digest of what the map shows."""
    return hashlib.sha256(repr((IDEAS, LINKS, COLUMNS)).encode()).hexdigest()[:16]


def drawn() -> str:
    """The fingerprint of the picture that is in docs/. Raises FileNotFoundError if there is none."""
    return str(Image.open(PICTURE).info.get("ideas", ""))


def main() -> int:
    """Draw docs/ideas.png."""
    figure = map_of_ideas()
    made = Picture(figure, alt_of(figure))
    part = PICTURE.with_suffix(".part")
    part.write_bytes(made.png)
    note = PngInfo()
    note.add_text("ideas", fingerprint())
    Image.open(part).save(part, "PNG", optimize=True, pnginfo=note)
    os.replace(part, PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
