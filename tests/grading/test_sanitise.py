"""What learners wrote or displayed is made harmless to look at."""

from __future__ import annotations

import base64
import re
import time
import timeit
from collections.abc import Callable
from functools import partial

import pytest
from matplotlib.figure import Figure

from grading import sanitise
from helpers import plotting
from helpers.checking import card


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


@pytest.mark.parametrize("style", [
    "margin:-1px", "margin:-.4e3px", "margin-top:calc(0px - 9px)", "color:expression(1)", "position:fixed",
    "opacity:.5",
    "background:url(x)", "background:image-set('x')", "width:99999px", "margin:var(--x, -9px)", "color:((((red))))",
    "color:re\\64 ", "margin:1px/*x*/2px", "behavior:url(x)", "-moz-binding:x", "color", ":red", "color:",
])  # fmt: skip
def test_styles_are_plain_values_of_known_properties(style: str) -> None:
    assert sanitise.declarations(style) == []


@pytest.mark.parametrize("style", ["color:#FFF", "margin:0 1.5EM .5px", "font-family:'A b', monospace", "width:50%"])
def test_plain_styles_stay(style: str) -> None:
    name, _, value = style.partition(":")
    assert sanitise.declarations(f" {name.upper()} : {value}") == [style]


def test_cleaning_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails:
        def clean(self, _: str) -> str:
            raise RecursionError

    def fails(_: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(sanitise, "STRANGERS", Fails())
    assert sanitise.clean("<b>\\href \ud800") == "<pre>&lt;b&gt;\\ href ?</pre>"
    assert sanitise.markdown("x", fails, True) == sanitise.BOX + "<pre>&lt;pre&gt;x&lt;/pre&gt;</pre></div>"


def test_tex_that_leads_elsewhere_is_broken_and_other_tex_is_not() -> None:
    assert sanitise.clean(r"$\hr&#101;f{x}$ &#92;class") == r"$\ href{x}$ \ class"
    for fine in (
        r"\alpha \log \mathbb{E} \left( \text{data} \nabla \newline \Delta \defn \letter \referee",
        r"\\[2pt]",
    ):
        assert sanitise.clean(fine) == fine


def test_links_of_ours_stay_and_a_learners_go() -> None:
    link = '<a href="https://a.example/b">b</a>'
    assert "https" in sanitise.clean_ours(link)
    assert "https" not in sanitise.clean(link)
    assert 'href="#x"' in sanitise.clean('<a href="#x">x</a>')


@pytest.mark.parametrize(("width", "height", "fine"), [(1200, 800, True), (40_000, 40_000, False), (2**31, 1, False)])
def test_a_picture_has_a_size_that_can_be_looked_at(width: int, height: int, fine: bool) -> None:
    start = sanitise.PNG + b"\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    assert sanitise.is_png(base64.b64encode(start).decode()) == fine


def test_our_own_card_survives() -> None:
    body = card.row("keeps batches", True, "0.5", "more") + card.callout("Rule", "one") + card.table([("Got", "1")])
    whole = card.frame("entropy", "1 / 3", body + card.hint_details(["first", "second"]), "#009e73")
    given, kept = (re.findall(r"""style=(["'])(.*?)\1""", text) for text in (whole, sanitise.clean(whole)))
    # a cursor is not worth a property that learners could use, too
    wanted = [style.replace("cursor:pointer;", "").replace(" ", "") for _, style in given]
    assert [style.replace(" ", "") for _, style in kept] == wanted
    assert "<details><summary" in sanitise.clean(whole)


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


def test_so_many_outputs_that_not_all_are_kept_are_cut_with_a_note() -> None:
    one = {"stream": "stdout", "text": "x"}
    whole, more = (sanitise.outputs({"shown": [one] * (sanitise.MOST_OUTPUTS + i)}, 9999) for i in (0, 1))
    assert [len(whole), whole[-1].text] == [sanitise.MOST_OUTPUTS, "x"]
    assert [len(more), more[-1].text] == [sanitise.MOST_OUTPUTS + 1, sanitise.CUT + "\n"]


def test_what_has_no_harmless_form_is_left_out_and_what_is_no_list_is_cut() -> None:
    shown = [3, {}, {"data": 3}, {"data": {"image/svg+xml": "<svg>" * 19}}, {"stream": "stderr", "text": "x"}]
    assert [(one.name, one.text) for one in sanitise.outputs({"shown": shown}, 99)] == [("stderr", "x")]
    replies: list[object] = [None, [], {}, {"shown": "x"}]
    for strange in replies:
        assert [one.text for one in sanitise.outputs(strange, 99)] == [sanitise.CUT + "\n"]


@pytest.mark.parametrize("tags", ["<b>", "<ul><li>", "<b></p>", "<pre>\n", "<table><tr><td>", "<P><b>"])
def test_html_is_cleaned_in_time_proportional_to_its_length(tags: str) -> None:
    """Ten times the nested tags would take a hundred times the processor's time if it were quadratic."""
    short, long = (processor_seconds(partial(sanitise.clean, tags * times)) for times in (2_500, 25_000))
    assert long < 40 * short + 0.05


def test_tags_that_are_closed_are_not_deep() -> None:
    rows = "<table>" + "<tr><td>a<br><td>b</td></tr>" * 900 + "</table><p>c</p>" * 5000
    assert "<td>" in sanitise.clean(rows)


def test_what_is_larger_than_the_room_for_it_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A submission's process may send a reply of its own, of any size."""
    monkeypatch.setattr(sanitise, "clean", len)
    shown = sanitise.outputs({"shown": [{"data": {"text/html": "<b>" * 1000}}], "left_out": False}, 500)
    assert [one.text for one in shown] == [sanitise.CUT + "\n"]


def test_all_html_of_a_cell_is_kept_up_to_the_limit_of_its_output() -> None:
    start = base64.b64encode(sanitise.PNG + b"\0\0\0\rIHDR" + bytes(6) + bytes([100]) * 2).decode()
    picture = f'<img alt="a" src="data:image/png;base64,{start}' + "A" * 100_000 + '">'
    shown = {"shown": [{"data": {"text/plain": "x", "text/html": html}} for html in (picture, "<b>x</b>" * 3000)]}
    kept = sanitise.outputs(shown, 300_000)
    assert "A" * 100_000 in kept[0].data["text/html"]
    assert kept[1].data["text/html"].startswith("<b>x</b><b>")


def processor_seconds(work: Callable[[], object]) -> float:
    """The processor's time of the fastest of three runs."""
    return min(timeit.repeat(work, number=1, repeat=3, timer=time.process_time))
