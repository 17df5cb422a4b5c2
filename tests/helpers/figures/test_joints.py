from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from helpers.figures import joints
from helpers.plotting import alt_of

WORKED = torch.tensor([[0.5, 0.1], [0.15, 0.25]], dtype=torch.float64)
H = scipy.stats.entropy  # of counts or probabilities, in nats

counts = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda size: (
        st.lists(st.integers(0, 9), min_size=size[0] * size[1], max_size=size[0] * size[1])
        .filter(any)
        .map(lambda numbers: np.array(numbers, dtype=float).reshape(size))
    )
)


def bars(joint: torch.Tensor) -> dict[str, tuple[float, float]]:
    """Left end and length of each bar of the information diagram."""
    axes = Figure().add_subplot()
    joints.Bars(axes, joint.numel()).show(joint)
    patches = {str(c.get_label()): c[0] for c in axes.containers}
    return {name: (bar.get_x(), bar.get_width()) for name, bar in patches.items()}


def numbers_in(alt: str) -> list[str]:
    """Every number of an alternative text, as it is written."""
    return re.findall(r"\d+(?:\.\d+)?", alt)


def texts(figure: Figure, place: int = 0) -> list[str]:
    return [text.get_text() for text in figure.axes[place].texts]


@settings(deadline=None, derandomize=True, max_examples=30)
@given(counts)
def test_the_information_diagram_is_right_for_every_table(table):
    p = table / table.sum()
    hx, hy, hxy = H(p.sum(1)), H(p.sum(0)), H(p.flatten())
    found = bars(torch.from_numpy(p))
    lengths = {"H(X, Y)": hxy, "H(X)": hx, "H(Y)": hy, "H(X|Y)": hxy - hy, "I(X; Y)": hx + hy - hxy, "H(Y|X)": hxy - hx}
    assert {name: length for name, (_, length) in found.items()} == pytest.approx(lengths, abs=1e-12)
    assert all(length >= 0 for _, length in found.values())
    lefts = {"H(X, Y)": 0, "H(X)": 0, "H(Y)": hxy - hy, "H(X|Y)": 0, "I(X; Y)": hxy - hy, "H(Y|X)": hx}
    assert {name: left for name, (left, _) in found.items()} == pytest.approx(lefts, abs=1e-12)


@pytest.mark.parametrize(
    ("preset", "empty"),
    [
        ("independent", {"I(X; Y)"}),
        ("Y copies X", {"H(X|Y)", "H(Y|X)"}),
        ("one zero", set()),
        ("nothing to know", {"H(X, Y)", "H(X)", "H(Y)", "H(X|Y)", "I(X; Y)", "H(Y|X)"}),
    ],
)
def test_bars_vanish_where_they_should(preset, empty):
    weights = torch.tensor(joints.PRESETS[preset], dtype=torch.float64).reshape(2, 2)
    assert {name for name, (_, length) in bars(weights / weights.sum()).items() if length < 1e-12} == empty


def test_the_diagram_has_units_and_says_its_numbers():
    figure = joints.information_diagram(WORKED)
    assert figure.axes[1].get_xlabel() == "nats"
    assert texts(figure, 1)[::-1][:2] == ["H(X, Y) = 1.208", "H(X) = 0.673"]
    assert "I(X; Y) = 0.112" in joints.diagram_in_words(WORKED)
    assert alt_of(figure) == joints.diagram_in_words(WORKED)


def test_sliders_move_the_diagram():
    buttons, grid, picture = joints.explore().children
    assert joints.diagram_in_words(WORKED) in picture.value
    grid.children[1].value = 0.0
    moved = torch.tensor([[5.0, 0.0], [1.5, 2.5]], dtype=torch.float64) / 9
    assert joints.diagram_in_words(moved) in picture.value
    buttons.value = "independent"
    assert [cell.value for cell in grid.children] == [3, 3, 2, 2]
    assert "I(X; Y) = 0.000" in picture.value
    assert picture.value.startswith("<img")
    data = re.search(r'base64,([^"]+)" width="(\d+)"', picture.value)
    assert data is not None
    assert Image.open(io.BytesIO(base64.b64decode(data[1]))).width == 2 * int(data[2])


def test_a_redraw_leaves_nothing_of_the_last_table_behind():
    diagram = joints.InformationDiagram(2, 2)
    first = diagram.png(WORKED)
    assert diagram.png(WORKED.T.flip(0)) != first
    assert diagram.png(WORKED) == first


def test_sliders_that_are_all_zero_are_told_so():
    _, grid, picture = joints.explore().children
    for cell in grid.children:
        cell.value = 0.0
    assert "cannot all be 0" in picture.value
    grid.children[0].value = 1.0
    assert "H(X, Y) = 0.000" in picture.value


def test_the_table_shows_the_joint_and_its_margins():
    figure = joints.table(torch.tensor([[0.1, 0.2, 0.3], [0.2, 0.15, 0.05]], dtype=torch.float64))
    cells, px, py = "0.100 0.200 0.300 0.200 0.150 0.050", "0.600 0.400", "0.300 0.350 0.350"
    assert " ".join(texts(figure)) == f"{cells} {px} {py} p(x) p(y)"
    assert " ".join(numbers_in(alt_of(figure))) == f"{cells} {px} {py}"


def test_the_product_stands_beside_the_joint():
    figure = joints.against_independence(WORKED)
    assert texts(figure, 1)[:2] == ["0.390", "0.210"]
    assert texts(figure, 0)[:2] == ["0.500", "0.100"]
    assert numbers_in(alt_of(figure)) == [*texts(figure, 0)[:4], *texts(figure, 1)[:4], *texts(figure, 0)[4:8]]


def test_the_areas_of_the_mosaic_are_the_joint():
    joint = torch.tensor([[0.1, 0.0, 0.1], [0.0, 0.0, 0.0], [0.2, 0.3, 0.3]], dtype=torch.float64)
    figure = joints.mosaic(joint)
    areas = [patch.get_width() * patch.get_height() for patch in figure.axes[0].patches]
    assert areas == pytest.approx(joint.flatten().tolist())
    heads = " ".join(texts(figure))
    entropies = [f"{H([1, 1]):.3f}", f"{H([2, 3, 3]):.3f}"]
    assert re.findall(r"entropy ([\d.]+)", heads) == entropies
    mean = f"{0.2 * H([1, 1]) + 0.8 * H([2, 3, 3]):.6f}"
    assert f"{mean} nats" in figure.axes[0].get_title(loc="left")
    first, last = ["0", "0.20", "0.500", "0.000", "0.500"], ["2", "0.80", "0.250", "0.375", "0.375"]
    assert numbers_in(alt_of(figure)) == [*first, entropies[0], *last, entropies[1], mean]


def test_bands_lie_as_the_rows_of_the_table_do():
    figure = joints.mosaic(WORKED)
    first, last = figure.axes[0].patches[0], figure.axes[0].patches[-1]
    assert (first.get_y(), first.get_height()) == pytest.approx((0, 0.6))
    assert (last.get_y(), last.get_height()) == pytest.approx((0.6, 0.4))
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top  # x = 0 is on top


def test_the_stills_show_what_the_buttons_do():
    names = ("independent", "Y copies X", "one zero")
    figure = joints.stills()
    assert len(figure.axes) == len(names)
    for axes, name, words in zip(
        figure.axes, names, alt_of(figure).split("side by side, in nats. ")[1].split(". "), strict=True
    ):
        quantities = joints.quantities(joints.preset(name))
        assert [text.get_text() for text in axes.texts][::-1] == [f"{bar} = {v:.3f}" for bar, v in quantities.items()]
        assert words.startswith(name)
        assert all(f"{bar} = {v:.3f}" in words for bar, v in quantities.items())
    assert "independent (0.300, 0.300; 0.200, 0.200): no bar of I(X; Y);" in alt_of(figure)
    assert "no bar of H(X|Y) and H(Y|X);" in alt_of(figure)


@pytest.mark.parametrize("draw", [joints.table, joints.mosaic, joints.against_independence, joints.information_diagram])
def test_what_is_no_joint_is_refused(draw):
    with pytest.raises(ValueError, match="joint must sum to one"):
        draw(2 * WORKED)
