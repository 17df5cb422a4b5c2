from __future__ import annotations

import base64
import io
import itertools
import math
import os
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter
from nbconvert import HTMLExporter
from PIL import Image

from helpers import plotting
from helpers.figures.divergences import kl_curves
from helpers.plotting import PALETTE, Picture, show_figure

ALT = 'Rows & columns: p < "q"'


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
from helpers.figures.divergences import kl_curves
from helpers.plotting import show_figure
assert "IPython" not in sys.modules
show_figure(kl_curves(), "two curves")
assert "matplotlib.pyplot" not in sys.modules
"""
    headless = {**{k: v for k, v in os.environ.items() if k != "DISPLAY"}, "MPLBACKEND": "tkagg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=headless)
    assert done.stdout == "<figure: two curves>\n", done.stderr


def test_a_picture_is_small_and_the_same_each_time():
    first, second = Picture(kl_curves(), ALT).png, Picture(kl_curves(), ALT).png
    assert first == second
    assert Image.open(io.BytesIO(first)).size == (1280, 800)  # twice what it is shown at


class TestExplore:
    def test_the_figure_follows_its_sliders(self):
        seen = []

        def draw(p):
            seen.append(p)
            return kl_curves(p)

        slider, screen = plotting.explore(draw, "two curves", p=(0.1, 0.9, 0.1, 0.3)).children
        assert 'alt="two curves"' in screen.value
        before = screen.value
        slider.value = 0.7
        assert seen == [0.3, 0.7]
        assert screen.value != before

    def test_each_position_has_its_own_alt_text(self):
        slider, screen = plotting.explore(
            lambda p: plotting.describe(kl_curves(p), f"p is {p:g}"), p=(0.1, 0.9, 0.1, 0.3)
        ).children
        assert 'alt="p is 0.3"' in screen.value
        slider.value = 0.7
        assert 'alt="p is 0.7"' in screen.value

    def test_no_position_fails(self):
        slider, _ = plotting.explore(kl_curves, "two curves", p=(0.02, 0.98, 0.02, 0.3)).children
        for value in (slider.min, slider.max):
            slider.value = value
