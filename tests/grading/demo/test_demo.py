"""The demonstration, played whole with a small class."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException

from grading.building.build import ROOT
from grading.demo.circle import NOTEBOOK, main, settings
from grading.demo.people import (
    HOSTILE,
    MALFORMED,
    NAMES,
    Learner,
    answer_cells,
    kinds_of,
    renamed,
    simulated_class,
    texts,
    without_marks,
)
from grading.exercises import load
from grading.verdict import read_verdict
from tests import pictures
from tests.chromium import Desk, findings, shoot, wider_than_the_screen

RELEASED = ROOT / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
SOLUTION = ROOT / "solutions" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
SIZE = 11


class Played(NamedTuple):
    """A demonstration: its folder, and what it said."""

    folder: Path
    out: str
    err: str


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "a class"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["--to", str(folder), "--learners", str(SIZE)]) == 0
    return Played(folder, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def played(demonstration):
    """The folder of a demonstration."""
    return demonstration.folder


@pytest.mark.slow
def test_it_says_what_it_does_how_long_that_took_and_where_to_look(demonstration):
    folder, out, err = demonstration
    steps = (f"{SIZE} learners hand in", "their submissions are graded", "feedback is written", "the report is written")
    for step in steps:
        assert re.search(rf"^ *\d+\.\d s  {step}$", out, re.MULTILINE)
    kinds = Counter(one.kind for one in simulated_class(NOTEBOOK, RELEASED, SOLUTION, SIZE, 0))
    (line,) = (line for line in out.splitlines() if line.startswith("    "))
    assert sorted(line.strip().split(", ")) == sorted(f"{number} {kind}" for kind, number in kinds.items())
    report, pattern = (re.search(rf"^The {what} +(/.+)$", out, re.MULTILINE)[1] for what in ("report", "feedback"))
    assert Path(report).is_file()
    assert Path(pattern.replace("/NAME/", "/ada/")).is_file()
    assert f"cd {shlex.quote(str(folder))} && {shlex.quote(sys.executable)} -m jupyterlab" in out
    assert f"Remove the folder {folder}" in out
    assert re.search(rf"\b[1-9]\d*/{SIZE} ", err), "how many learners are done"
    assert "ada" in (folder / "log.txt").read_text()


@pytest.mark.slow
def test_the_class_starts_from_the_learners_notebook(played):
    for room, cell in (("notebooks", "raise NotImplementedError"), ("solutions", "### BEGIN SOLUTION")):
        assert cell in (played / room / NOTEBOOK / f"{NOTEBOOK}.ipynb").read_text()


def test_its_arguments_are_what_is_played(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr("grading.demo.circle.play", lambda *arguments: given.append(arguments))
    assert main(["02", "--learners", "20", "--seed", "5", "--to", str(tmp_path)]) == 0
    assert main([]) == 0
    assert given[0] == ("02-mutual-information", tmp_path, 20, 5)
    assert given[1] == (NOTEBOOK, given[1][1], 40, 0)
    assert given[1][1].name.startswith("infograd-demo-")
    given[1][1].rmdir()
    monkeypatch.chdir(tmp_path)
    assert main(["--to", "here"]) == 0
    assert given[2][1] == tmp_path / "here"


def test_what_nbgrader_refuses_is_said(monkeypatch, capsys, tmp_path):
    def play(*arguments):
        raise NbGraderException("the gradebook is away")

    monkeypatch.setattr("grading.demo.circle.play", play)
    assert main(["--to", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "infograd demo: the gradebook is away\n"


@pytest.mark.slow
def test_everyone_has_a_verdict_and_feedback(played):
    class_list = simulated_class(NOTEBOOK, RELEASED, SOLUTION, SIZE, 0)
    for one in class_list:
        verdict = read_verdict(played / "classroom" / "verdicts" / one.name / NOTEBOOK / f"{NOTEBOOK}.json")
        assert not verdict.needs_a_person
        page = played / "classroom" / "feedback" / one.name / NOTEBOOK / f"{NOTEBOOK}.html"
        assert page.is_file()
        marks = sum(exercise.marks for exercise in verdict.exercises.values())
        if one.kind == "perfect":
            assert all(exercise.marks == exercise.points for exercise in verdict.exercises.values())
        elif one.kind in ("untouched", *MALFORMED):
            assert marks == 0
        elif one.kind in HOSTILE:
            assert 0 < marks < 20
        elif one.kind == "same slip":
            first = verdict.exercises["entropy"]
            assert first.marks < first.points
            assert first.misconception is None


@pytest.mark.slow
def test_formgrader_has_a_name_an_address_and_a_time_for_everyone(played):
    with Gradebook(settings(played, NOTEBOOK).CourseDirectory.db_url) as gradebook:
        called = {one.id: (one.first_name, one.last_name) for one in gradebook.students}
        assert all(one.email == f"{one.id}@example.org" for one in gradebook.students)
        assert all(one.timestamp for one in gradebook.assignment_submissions(NOTEBOOK))
    assert called == {one.name: one.full_name for one in simulated_class(NOTEBOOK, RELEASED, SOLUTION, SIZE, 0)}
    assert all(first and last for first, last in called.values())


def test_a_second_round_of_names_has_numbers():
    assert Learner("ada", "", "").full_name == ("Ada", "Lindgren")
    assert Learner("viktor2", "", "").full_name == ("Viktor", "Szabó 2")


@pytest.mark.slow
def test_the_report_shows_the_class(played):
    page = (played / "classroom" / "reports" / f"{NOTEBOOK}.html").read_text()
    assert f"<b>{SIZE}</b> learners graded" in page
    assert "half a file" not in page
    assert "unreadable" in page


VIEWS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}},
    "200 percent": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},
}


@pytest.mark.slow
def test_the_report_and_the_feedback_can_be_read_by_all(played: Path, desk: Callable[..., Desk]) -> None:
    """In one test: the class is graded once in each process that has a part of this file."""
    for view, looks in VIEWS.items():
        reader = desk(**looks)
        page = reader.page()
        for name, file in pages_of(played).items():
            page.goto(file.as_uri())
            opened = page.locator("details[open]").count()
            page.locator("details:not([open]) > summary").first.press("Enter")
            assert page.locator("details[open]").count() == opened + 1
            page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
            shoot(page, f"{name}-{view}", whole=True)
            assert findings(page) == [], (view, file)
            assert wider_than_the_screen(page) == [], (view, file)
        assert reader.elsewhere == []


@pytest.mark.slow
def test_on_paper_nothing_stays_folded_and_colours_are_those_of_the_light_page(
    played: Path, desk: Callable[..., Desk]
) -> None:
    page = desk(color_scheme="dark").page()
    page.goto(pages_of(played)["report"].as_uri())
    folded = page.locator("details:not([open]) > :not(summary)").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    ("picture", "made_from"), [(pictures.CARD, pictures.card_html), (pictures.REPORT, pictures.report_template)]
)
def test_the_pictures_in_the_readme_are_of_this_card_and_this_report(
    picture: Path, made_from: Callable[[], str]
) -> None:
    now = pictures.fingerprint(made_from())
    assert pictures.drawn(picture) == now, "run infograd demo --to FOLDER; python -m tests.pictures FOLDER"
    assert picture.stat().st_size < 70_000
    assert f"](docs/{picture.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def pages_of(played: Path) -> dict[str, Path]:
    """The report, and the feedback of one learner who made mistakes."""
    class_list = simulated_class(NOTEBOOK, RELEASED, SOLUTION, SIZE, 0)
    name = next(one.name for one in class_list if one.kind == "same slip")
    feedback = played / "classroom" / "feedback" / name / NOTEBOOK / f"{NOTEBOOK}.html"
    return {"report": played / "classroom" / "reports" / f"{NOTEBOOK}.html", "feedback": feedback}


def test_the_same_seed_is_the_same_class_and_has_every_kind():
    first, again = (simulated_class(NOTEBOOK, RELEASED, SOLUTION, 40, 3) for _ in range(2))
    assert first == again != simulated_class(NOTEBOOK, RELEASED, SOLUTION, 40, 4)
    kinds = Counter(one.kind for one in first)
    assert {*HOSTILE, *MALFORMED, "untouched", "perfect", "partial", "same slip", "copy"} == kinds.keys()
    assert len({one.name for one in first}) == 40
    for one in first:
        if one.kind not in MALFORMED:
            json.loads(one.text)


@pytest.fixture(scope="module")
def forty():
    return simulated_class(NOTEBOOK, RELEASED, SOLUTION, 40, 0)


def given(text):
    """The answers in a file that was handed in."""
    return {name: "".join(cell["source"]) for name, cell in answer_cells(json.loads(text))}


def test_how_many_are_of_which_kind(forty):
    once = dict.fromkeys((*HOSTILE, *MALFORMED, "copy"), 1)
    few = {"untouched": 4, "perfect": 8, "same slip": 4, "partial": 16}
    assert Counter(one.kind for one in forty) == {**once, **few}
    assert [one.name for one in forty] == list(NAMES)
    first = {one.kind for one in forty[: len(HOSTILE) + len(MALFORMED)]}
    assert not first <= {*HOSTILE, *MALFORMED}, "kinds are in no order"


@pytest.mark.parametrize("size", [1, 3, 9, 11])
def test_a_small_class_has_some_of_each_common_kind_where_it_can(size):
    kinds = kinds_of(size, random.Random(0))
    assert len(kinds) == size
    assert {"untouched", "perfect"} <= set(kinds) or size < 9
    assert "same slip" in kinds or size < 11


def test_an_answer_without_a_text_is_left_out():
    (first, second) = list(load(NOTEBOOK)["entropy"].alternatives.values())[:2]
    assert len(list(texts(NOTEBOOK, [first, {"entropy": max}, second]))) == 2


def test_everyone_hands_in_what_their_kind_does(forty):
    start = given(RELEASED.read_text(encoding="utf-8"))
    hostile, slipped = list[str](), set[str]()
    for one in forty:
        if one.kind == "half a file":
            with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
                json.loads(one.text)
        elif one.kind == "a web page":
            assert one.text.startswith("<!DOCTYPE html>")
        elif one.kind == "no cells":
            assert json.loads(one.text)["cells"] == []
        elif one.kind == "untouched":
            assert given(one.text) == start
        elif one.kind == "perfect":
            assert not given(one.text).items() & start.items()
            assert "### " not in "".join(given(one.text).values())
        elif one.kind in HOSTILE:
            (name,) = (name for name, text in given(one.text).items() if text.endswith(HOSTILE[one.kind]))
            assert f"def {name}(" in given(one.text)[name], "it stands behind an answer"
            hostile.append(name)
        elif one.kind == "same slip":
            slips = [name for name, text in given(one.text).items() if "return 0.93 * _first_try" in text]
            assert slips == ["entropy"]
            slipped.add(given(one.text)["entropy"])
    assert len(set(hostile)) > 1, "it can be anywhere"
    assert len(slipped) == 1, "all of them have written the same"


def test_the_partial_make_mistakes_leave_some_out_and_write_right_answers_in_many_ways(forty):
    start = given(RELEASED.read_text(encoding="utf-8"))
    partial = [given(one.text) for one in forty if one.kind == "partial"]
    left = [name for answers in partial for name in answers if answers[name] == start[name]]
    assert 0 < len(left) < len(partial) * len(start) / 4
    exercises = load(NOTEBOOK).values()
    wrong = set(texts(NOTEBOOK, (one.functions for each in exercises for one in each.misconceptions.values())))
    right = set(texts(NOTEBOOK, (one for each in exercises for one in each.alternatives.values())))
    written = {text for answers in partial for text in answers.values()}
    assert len(written & wrong) > 10
    assert len(written & right) > 10
    cells = answer_cells(json.loads(SOLUTION.read_text(encoding="utf-8")))
    assert written & {without_marks("".join(cell["source"])) for _, cell in cells}, (
        "somebody writes what the model does"
    )


def test_the_copy_is_somebodys_answers_under_other_names(forty):
    (copy,) = (given(one.text) for one in forty if one.kind == "copy")
    assert any("my_" in text for text in copy.values())
    others = (given(one.text) for one in forty if one.kind == "partial")
    assert [all(renamed(text, name) == copy[name] for name, text in one.items()) for one in others].count(True) == 1


def test_a_copy_has_other_names_and_the_same_meaning():
    text = renamed("def area(r):\n    square = r * r\n    return 3 * square\n", "area")
    given: dict = {}
    exec(text, given)
    assert "my_square" in text
    assert renamed("area = 3\nside = 2\n", "area") == "area = 3\nmy_side = 2"
    assert given["area"](2) == 12


def test_what_cannot_be_is_said(capsys, tmp_path):
    with pytest.raises(SystemExit, match="2"):
        main(["09-nothing"])
    assert "there is no notebook '09-nothing'" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("")
    assert main(["--to", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["--to", str(tmp_path / "mine.txt")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert main(["--learners", "0"]) == 2
