"""What learners wrote or displayed is made harmless to look at."""

from __future__ import annotations

import base64
import time
import timeit
from collections.abc import Callable
from functools import partial

import pytest
from matplotlib.figure import Figure

from grading import sanitise
from helpers import plotting


@pytest.mark.parametrize(
    ("dirty", "never"),
    [
        ("<script>alert(1)</script>", "<script"), ("<img src=x onerror=alert(1)>", "onerror"),
        ("<a href='java\tscript:alert(1)'>x</a>", "href"), ("<a href='data:text/html,x'>x</a>", "href"),
        ("<div style='position:fixed;top:0'>x</div>", "position"), ("<div style='margin:-900px'>x</div>", "margin"),
        ("<div style='background:url(//x)'>x</div>", "url"), ("<svg><a href='javascript:x'></svg>", "javascript"),
        ("<img src='//x.example/a.png'>", "x.example"), ("<math><mtext><img src=x onerror=y>", "onerror"),
        ("<form action=//x><input></form>", "form"), ("<meta http-equiv=refresh>", "meta"), ("<base href=//x>", "base"),
    ],
)  # fmt: skip
def test_html_is_made_harmless(dirty: str, never: str) -> None:
    assert never not in sanitise.clean(dirty)


def test_our_own_card_survives() -> None:
    folded = "<details><summary>Hint</summary>x</details>"
    card = f"<div style='border:1px solid var(--x, #fff);color:var(--y, #1f2328)'>{folded}</div>"
    kept = sanitise.clean(card)
    assert "var(--y, #1f2328)" in kept
    assert "<details><summary>Hint</summary>" in kept


def test_our_own_figures_survive() -> None:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2])
    shown = plotting.Picture(figure, "A line from 1 to 2.")._repr_html_()
    kept = sanitise.clean(shown)
    assert 'src="data:image/png;base64,' in kept
    assert 'width="300"' in kept
    assert "A line from 1 to 2." in kept


def test_a_flood_is_cut_with_a_note() -> None:
    shown = sanitise.outputs({"shown": [{"stream": "stdout", "text": "x" * 99}] * 9, "left_out": False}, 500)
    assert len(shown) == 6
    assert "More was shown" in shown[-1].text


def test_html_is_cleaned_in_time_proportional_to_its_length() -> None:
    """Ten times the nested tags would take a hundred times the processor's time if it were quadratic."""
    short, long = (processor_seconds(partial(sanitise.clean, "<b>" * tags)) for tags in (5_000, 50_000))
    assert long < 40 * short + 0.05


def test_all_html_of_a_cell_is_kept_up_to_the_limit_of_its_output() -> None:
    start = base64.b64encode(sanitise.PNG + b"\0\0\0\rIHDR" + bytes(6) + bytes([100]) * 2).decode()
    picture = f'<img alt="a" src="data:image/png;base64,{start}' + "A" * 100_000 + '">'
    shown = {"shown": [{"data": {"text/plain": "x", "text/html": html}} for html in (picture, "<b>" * 7000)]}
    kept = sanitise.outputs(shown, 300_000)
    assert "A" * 100_000 in kept[0].data["text/html"]
    assert kept[1].data["text/html"].startswith("<b><b>")


def processor_seconds(work: Callable[[], object]) -> float:
    """The processor's time of the fastest of three runs."""
    return min(timeit.repeat(work, number=1, repeat=3, timer=time.process_time))
