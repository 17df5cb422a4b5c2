"""The figures of notebook 01: what every one of them has, what each says, and the numbers in its alternative text."""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

from helpers.figures import codes
from helpers.figures.codes import block_costs, code_length_against_entropy, huffman_tree
from helpers.figures.divergences import DICE, OWN, WRONG, code_areas, entropy_surface, kl_curves, kl_strip
from helpers.plotting import Picture, alt_of

STRIP = (0.1, 0.5, 0.9)
FIGURES: dict[str, Callable[[], Figure]] = {
    "surface": entropy_surface,
    "curves": kl_curves,
    "strip": lambda: kl_strip(STRIP),
    "areas": code_areas,
    "lengths": code_length_against_entropy,
    "tree": huffman_tree,
    "blocks": block_costs,
}
H = scipy.stats.entropy


@pytest.fixture(scope="module", params=FIGURES)
def drawn(request) -> Figure:
    return FIGURES[request.param]()


def line(figure: Figure, label: str, place: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The data of the line with this word in its label."""
    (found,) = [x for x in figure.axes[place].get_lines() if label in str(x.get_label())]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def numbers(figure: Figure) -> list[str]:
    """The numbers in a figure's alternative text, as they are written there."""
    return re.findall(r"\d+(?:\.\d+)?", alt_of(figure))


def kl(p: float, q: float) -> float:
    return float(scipy.special.rel_entr([p, 1 - p], [q, 1 - q]).sum())


# What every figure has


def test_axes_are_labelled_with_units(drawn):
    if all(not axes.axison for axes in drawn.axes):  # the tree has no axes
        return
    labels = [label for axes in drawn.axes if axes.axison for label in (axes.get_xlabel(), axes.get_ylabel()) if label]
    assert any(re.search(r"\((nats|bits)|bits per", label) for label in labels)
    assert drawn.axes[0].get_title(loc="left")


def test_picture_is_small(drawn):
    png = Picture(drawn, alt_of(drawn)).png
    assert len(png) < 60_000
    assert len(set(Image.open(io.BytesIO(png)).convert("L").tobytes())) > 10  # something is drawn


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
        for draw in FIGURES.values():
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
    with pytest.raises(ValueError, match="p must lie strictly between 0 and 1, got 1"):
        kl_curves(1)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.98])
def test_the_forward_curve_leaves_the_frame_at_both_ends_unless_it_is_too_slow_to(p):
    figure = kl_curves(p)
    _, forwards = line(figure, "KL(p, q)")
    top = figure.axes[0].get_ylim()[1]
    assert max(forwards[0], forwards[-1]) > top
    assert min(forwards[0], forwards[-1]) > min(p, 1 - p) * 20  # log 1e-12 is -27.6: it rises on and on
    assert "KL(p, q) rises without bound at both ends" in alt_of(figure)


def test_the_strip_answers_the_question_under_the_slider():
    figure = kl_strip(STRIP)
    for place, mirrored in enumerate((False, True, False)):
        for label in ("KL(p, q)", "KL(q, p)"):
            _, height = line(figure, label, place)
            assert bool(np.allclose(height, height[::-1], rtol=1e-3)) is mirrored
            _, other = line(figure, label, 2 - place)
            np.testing.assert_allclose(height, other[::-1], rtol=1e-3, atol=1e-12)


def test_every_code_lies_between_its_bounds():
    (dots,) = [x for x in code_length_against_entropy().axes[0].collections if isinstance(x, PathCollection)]
    x, y = np.asarray(dots.get_offsets()).T
    assert numbers(code_length_against_entropy()) == [str(len(x))] == ["200"]
    assert (x <= y + 1e-9).all()
    assert (y < x + 1).all()
    own = code_length_against_entropy([torch.tensor([0.5, 0.25, 0.25])], lambda p: torch.ones(len(p)))
    (dots,) = [x for x in own.axes[0].collections if isinstance(x, PathCollection)]
    np.testing.assert_allclose(dots.get_offsets(), [[1.5, 1]])


def test_entropy_surface_asks_for_the_whole_triangle_and_the_marked_dice():
    asked = []

    def gini(p):
        asked.append(p)
        return 1 - (p**2).sum(-1)

    entropy_surface(gini, steps=10)
    (p,) = asked
    assert p.shape == (66 + 5, 3)
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(71, dtype=torch.float64))
    first, middle, last = p[66:69]
    torch.testing.assert_close(middle, (first + last) / 2)


# The numbers of the alternative texts, by another route


def test_numbers_of_the_surface():
    first, last = np.array(DICE)
    wanted = [0, H([1, 1, 1]), H([1, 1]), H(first), H(last), H((first + last) / 2)]
    assert numbers(entropy_surface()) == ["0", *(f"{x:.3f}" for x in wanted[1:3]), *(f"{x:.2f}" for x in wanted[3:])]
    assert wanted[5] > (wanted[3] + wanted[4]) / 2


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.98])
def test_numbers_of_the_curves(p):
    ends = [f"{kl(0, p):.2f}", f"{kl(1, p):.2f}"]
    assert numbers(kl_curves(p)) == [f"{p:g}", "0", f"{p:g}", *ends]


def test_numbers_of_the_strip():
    assert numbers(kl_strip(STRIP)) == [n for p in STRIP for n in numbers(kl_curves(p))]


def test_numbers_of_the_areas():
    figure = code_areas()
    own, wrong = H(OWN, base=2), H(OWN, base=2) + H(OWN, WRONG, base=2)
    lengths = [[f"{-math.log2(x):g}" for x in code] for code in (OWN, WRONG)]
    given = [[f"{x:g}" for x in code] for code in (OWN, WRONG)]
    wanted = [*given[0], *lengths[0], f"{own:g}", *given[1], *lengths[1], f"{wrong:g}", f"{wrong - own:g}"]
    assert numbers(figure) == wanted
    for axes, area in zip(figure.axes, (own, wrong), strict=True):
        boxes = axes.containers[0]
        assert sum(box.get_width() * box.get_height() for box in boxes) == pytest.approx(area)
        assert sum(box.get_width() for box in boxes) == pytest.approx(1)


def test_the_tree_is_a_huffman_code():
    words = codes.code_words(codes.joined(codes.FOUR))
    assert [len(words[i]) for i in range(4)] == [1, 2, 3, 3]
    assert not [(a, b) for a, b in itertools.permutations(words.values(), 2) if b.startswith(a)]
    alt = alt_of(huffman_tree())
    for i, (name, p) in enumerate(zip("abcd", codes.FOUR, strict=True)):
        assert f"{name} ({p:g}) has {words[i]}" in alt
    drawn = {t.get_text() for t in huffman_tree().axes[0].texts}
    assert {"1", "0.6", "0.3", "0.4", "0.2", "0.1"} <= drawn


@pytest.mark.parametrize("p", [(0.9, 0.1), (0.5, 0.3, 0.2)])
def test_blocks_by_the_sum_of_all_joins(p):
    """Huffman's mean length is the sum of the weights of all joins: no lengths are needed."""
    import heapq

    for k, bits in enumerate(codes.block_bits(p, 5), start=1):
        heap = [math.prod(block) for block in itertools.product(p, repeat=k)]
        heapq.heapify(heap)
        total = 0.0
        while len(heap) > 1:
            joint = heapq.heappop(heap) + heapq.heappop(heap)
            total += joint
            heapq.heappush(heap, joint)
        assert bits == pytest.approx(total / k)
        assert H(p, base=2) <= bits + 1e-9 < H(p, base=2) + 1 / k


def test_numbers_of_the_blocks():
    figure = block_costs()
    k, bits = line(figure, "optimal code")
    wanted = [f"{bits[i]:.3f}" for i in range(4)]
    assert numbers(figure) == [
        "1",
        "8",
        "0.9",
        "0.1",
        *wanted,
        "1",
        "4",
        f"{bits[-1]:.3f}",
        "8",
        f"{H([9, 1], base=2):.3f}",
    ]
    assert list(k) == list(range(1, 9))
    assert wanted == ["1.000", "0.645", "0.533", "0.493"]
