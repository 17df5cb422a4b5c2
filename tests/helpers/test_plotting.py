from __future__ import annotations

import base64
import io
import itertools
import math
import os
import re
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from PIL import Image

from helpers import plotting
from helpers.plotting import PALETTE, Picture, code_length_against_entropy, entropy_surface, kl_curves, show_figure

FIGURES = [entropy_surface, kl_curves, code_length_against_entropy]
ALT = 'Rows & columns: p < "q"'


@pytest.fixture(scope="module", params=FIGURES, ids=lambda draw: draw.__name__)
def drawn(request) -> Figure:
    return request.param()


def line(figure: Figure, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The data of the line with this word in its label."""
    (found,) = [x for x in figure.axes[0].get_lines() if label in str(x.get_label())]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


# What every figure has


def test_axes_are_labelled_with_units(drawn):
    labels = [label for axes in drawn.axes if axes.axison for label in (axes.get_xlabel(), axes.get_ylabel()) if label]
    assert labels
    assert any(re.search(r"\((nats|bits)", label) for label in labels)
    assert drawn.axes[0].get_title(loc="left")


@pytest.mark.parametrize("draw", FIGURES)
def test_picture_is_small_and_the_same_each_time(draw):
    first, second = Picture(draw(), ALT).png, Picture(draw(), ALT).png
    assert first == second
    assert len(first) < 60_000
    picture = Image.open(io.BytesIO(first))
    assert picture.size == tuple(round(inches * 200) for inches in draw().get_size_inches())
    assert len(set(picture.convert("L").tobytes())) > 10  # something is drawn


def test_no_text_lies_on_another(drawn):
    drawn.draw_without_rendering()
    axes = drawn.axes[0]
    texts = [
        t
        for t in [*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        if t.get_text() and t.get_visible()
    ]
    boxes = [t.get_window_extent() for t in texts]
    assert not [(a, b) for (a, x), (b, y) in itertools.combinations(zip(texts, boxes, strict=True), 2) if x.overlaps(y)]
    assert all(drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1 for box in boxes)


def test_the_reader_s_own_settings_are_left_alone():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        before = dict(matplotlib.rcParams)
        for draw in FIGURES:
            draw()
        assert dict(matplotlib.rcParams) == before


# What the figures say


def test_kl_curves_are_zero_at_p_and_right_elsewhere():
    figure = kl_curves(0.25)
    for label, forwards in (("KL(p, q)", True), ("KL(q, p)", False)):
        q, height = line(figure, label)
        a, b = (0.25, q) if forwards else (q, 0.25)
        want = a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))
        np.testing.assert_allclose(height, want, atol=1e-12)
    assert kl_curves(0.25, lambda p, q: (p - q).abs().sum(-1)).axes[0].get_lines()[0].get_ydata()[0] == pytest.approx(
        0.495
    )
    with pytest.raises(ValueError, match="p must lie strictly between 0 and 1, got 1"):
        kl_curves(1)


def test_every_code_lies_between_its_bounds():
    (dots,) = [x for x in code_length_against_entropy().axes[0].collections if isinstance(x, PathCollection)]
    x, y = np.asarray(dots.get_offsets()).T
    assert len(x) == 200
    assert (x <= y + 1e-9).all()
    assert (y < x + 1).all()
    own = code_length_against_entropy([torch.tensor([0.5, 0.25, 0.25])], lambda p: torch.ones(len(p)))
    (dots,) = [x for x in own.axes[0].collections if isinstance(x, PathCollection)]
    np.testing.assert_allclose(dots.get_offsets(), [[1.5, 1]])


def test_entropy_surface_asks_for_the_whole_triangle():
    asked = []

    def gini(p):
        asked.append(p)
        return 1 - (p**2).sum(-1)

    entropy_surface(gini, steps=10)
    (p,) = asked
    assert p.shape == (66, 3)
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(66, dtype=torch.float64))


def test_colours_stay_apart_without_colour_vision():
    """Simulated deuteranopia (Machado et al. 2009, severity 1): no two colours of the palette become alike."""
    machado = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in PALETTE.values()])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ machado.T, 0, 1)
    seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    assert min(math.dist(a, b) for a, b in itertools.combinations(seen, 2)) > 0.12


# Showing


def bundle(picture: Picture) -> dict[str, str]:
    return DisplayFormatter().format(picture)[0]


def test_alt_text_reaches_the_image_and_the_exported_page():
    data = bundle(Picture(kl_curves(), ALT))
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == f"<figure: {ALT}>"
    output = nbformat.v4.new_output("display_data", data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("show_figure()", outputs=[output])])
    for template in ("lab", "classic"):
        page, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
        (image,) = BeautifulSoup(page, "html.parser").select("img")
        assert image["alt"] == ALT
        assert image["width"] == "640"
        kind, _, code = str(image["src"]).partition(",")
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(code))).format == "PNG"


def test_show_figure_closes_figures_of_pyplot(capsys):
    figure, _ = plt.subplots()
    show_figure(figure, "an empty\n    pair of axes")
    assert not plt.fignum_exists(figure.number)
    assert capsys.readouterr().out == "<figure: an empty pair of axes>\n"


def test_alt_text_is_not_optional():
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        show_figure(plotting.describe(kl_curves(), ""), " \n")


def test_a_figure_may_carry_its_own_alt_text(capsys):
    figure = plotting.describe(kl_curves(), "two\n    curves")
    show_figure(figure)
    show_figure(figure, "said here")
    assert capsys.readouterr().out == "<figure: two curves>\n<figure: said here>\n"


def test_course_style_is_one_that_matplotlib_knows():
    with matplotlib.rc_context():
        plotting.use_course_style()
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"][0] == PALETTE["blue"]
        assert matplotlib.rcParams["figure.dpi"] == 100


def test_a_plain_script_needs_neither_a_display_nor_pyplot():
    code = """
import sys
from helpers.plotting import kl_curves, show_figure
assert "IPython" not in sys.modules
show_figure(kl_curves(), "two curves")
assert "matplotlib.pyplot" not in sys.modules
"""
    headless = {**{k: v for k, v in os.environ.items() if k != "DISPLAY"}, "MPLBACKEND": "tkagg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=headless)
    assert done.stdout == "<figure: two curves>\n", done.stderr


class TestExplore:
    def test_the_figure_follows_its_sliders(self):
        seen = []

        def draw(p):
            seen.append(p)
            return plotting.kl_curves(p)

        slider, screen = plotting.explore(draw, "two curves", p=(0.1, 0.9, 0.1, 0.3)).children
        assert 'alt="two curves"' in screen.value
        before = screen.value
        slider.value = 0.7
        assert seen == [0.3, 0.7]
        assert screen.value != before

    def test_each_position_has_its_own_alt_text(self):
        slider, screen = plotting.explore(
            lambda p: plotting.describe(plotting.kl_curves(p), f"p is {p:g}"), p=(0.1, 0.9, 0.1, 0.3)
        ).children
        assert 'alt="p is 0.3"' in screen.value
        slider.value = 0.7
        assert 'alt="p is 0.7"' in screen.value

    def test_no_position_fails(self):
        slider, _ = plotting.explore(plotting.kl_curves, "two curves", p=(0.02, 0.98, 0.02, 0.3)).children
        for value in (slider.min, slider.max):
            slider.value = value
