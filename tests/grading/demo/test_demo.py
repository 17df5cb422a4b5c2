"""The demonstration, played whole with a small class."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from grading.building.build import ROOT
from grading.demo.circle import NOTEBOOK, main, settings
from grading.demo.people import HOSTILE, MALFORMED, Learner, renamed, simulated_class
from grading.verdict import read_verdict
from tests import pictures
from tests.chromium import Desk, findings, shoot, wider_than_the_screen

RELEASED = ROOT / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
SOLUTION = ROOT / "solutions" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
SIZE = 11


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The folder of a demonstration."""
    folder = tmp_path_factory.mktemp("demo") / "a class"
    assert main(["--to", str(folder), "--learners", str(SIZE)]) == 0
    return folder


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


def test_formgrader_has_a_name_for_everyone(played):
    with Gradebook(settings(played, NOTEBOOK).CourseDirectory.db_url) as gradebook:
        called = {one.id: (one.first_name, one.last_name) for one in gradebook.students}
    assert called == {one.name: one.full_name for one in simulated_class(NOTEBOOK, RELEASED, SOLUTION, SIZE, 0)}
    assert all(first and last for first, last in called.values())


def test_a_second_round_of_names_has_numbers():
    assert Learner("ada", "", "").full_name == ("Ada", "Lindgren")
    assert Learner("viktor2", "", "").full_name == ("Viktor", "Szabó 2")


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


def test_a_copy_has_other_names_and_the_same_meaning():
    text = renamed("def area(r):\n    square = r * r\n    return 3 * square\n", "area")
    given: dict = {}
    exec(text, given)
    assert "my_square" in text
    assert given["area"](2) == 12


def test_what_cannot_be_is_said(capsys, tmp_path):
    assert main(["09-nothing"]) == 2
    assert "09-nothing" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("")
    assert main(["--to", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["--learners", "0"]) == 2
