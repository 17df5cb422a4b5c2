"""The first minutes of a learner, the teacher who grades them, and the learner who reads what the teacher says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from grading.exercises import load
from tests.browser.conftest import Course
from tests.browser.people import Learner, Teacher
from tests.chromium import Desk, findings, shoot
from tests.grading.courses import ANSWERS, NOTEBOOK, model_answers

ENTROPY = load(NOTEBOOK)["entropy"]
REFLECTION = "Each token is as hard as one of 7.4 for A and one of 6.7 for B."
COMMENT = "Right. And the size of the file?"


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_from_the_start_page_to_the_feedback(course: Course, desk: Callable[..., Desk]) -> None:
    hers, theirs = desk(), desk()
    ada = Learner(hers.page(), course.lab.url())
    learns(ada)
    hands_in(ada)
    teacher = Teacher(theirs.page(), course.formgrader.url())
    grades(teacher)
    gives_feedback(teacher)
    reads_feedback(ada)
    assert hers.elsewhere == theirs.elsewhere == [], "a page asked for something from afar"


def learns(ada: Learner) -> None:
    """From the start page to an exercise that is solved, by way of a mistake that is named."""
    for theme in ada.themes():
        assert findings(ada.page, ".jp-MarkdownViewer") == []
        shoot(ada.page, f"start-{theme}")
    ada.start.get_by_text("9 exercises").click()
    ada.start.get_by_role("link", name="Exercise 3. kl_divergence").click()
    # where exactly it stops depends on when the formulas above are set: while it scrolls, or before
    expect(ada.notebook.locator(".jp-mod-selected", has_text="Exercise 3. kl_divergence")).to_be_attached()
    expect(ada.notebook.get_by_role("heading", name="01 Information identities")).not_to_be_in_viewport()
    ada.run_all()

    wrong = ada.answer("entropy", ANSWERS["bits"])
    expect(wrong).to_contain_text("entropy · incorrect")
    expect(wrong).to_contain_text("Recognised. These are bits, not nats")
    hint = wrong.locator("summary", has_text="Hint 1 of 3")
    hint.focus()
    ada.page.keyboard.press("Enter")
    expect(wrong.get_by_text("Hint 2 of 3")).to_be_visible()
    shoot(ada.page, "card-wrong")
    for screen in ada.small_screens():
        assert ada.scrolled_sideways() == []
        assert faults(ada) == []
        wrong.get_by_text("entropy · incorrect").scroll_into_view_if_needed()
        shoot(ada.page, f"card-wrong-{screen}")

    right = ada.answer("entropy", model_answers()["entropy"])
    expect(right).to_contain_text("entropy · correct")
    expect(right).to_contain_text(f"{ENTROPY.points:g} / {ENTROPY.points:g}")
    shoot(ada.page, "card-right")

    explorer = ada.code("plotting.explore(divergences.kl_curves")
    figure = explorer.locator("img")
    before = figure.get_attribute("src")
    explorer.get_by_role("slider", name="p").focus()
    ada.page.keyboard.press("ArrowRight")
    expect(figure).not_to_have_attribute("src", before or "")
    for theme in ada.themes():
        assert faults(ada) == []
        shoot(ada.page, f"figure-moved-{theme}")

    ada.tab("start.md")
    expect(ada.start).to_contain_text("Continue here: Exercise 2. cross_entropy")
    shoot(ada.page, "start-continued")
    ada.tab(NOTEBOOK[:10])


def faults(ada: Learner) -> list[str]:
    """What axe-core finds in all cards, figures and widgets."""
    return findings(ada.page, ".jp-OutputArea-output")


def hands_in(ada: Learner) -> None:
    """The reflection, Validate, and Submit."""
    ada.write("YOUR ANSWER HERE", REFLECTION)
    ada.save()
    said = ada.validate()
    assert 'check("cross_entropy"' in said
    assert 'check("entropy"' not in said
    ada.menu("Nbgrader", "Assignment List")
    ada.page.get_by_role("button", name="Submit").first.click()
    expect(ada.page.get_by_role("button", name="Fetch Feedback")).to_be_visible()
    shoot(ada.page, "handed-in")


def grades(teacher: Teacher) -> None:
    """Collect, autograde, and grade the reflection."""
    teacher.press("collect", teacher.assignment())
    teacher.press("autograde", teacher.submission())
    expect(teacher.submission()).to_contain_text(f"{ENTROPY.points:g} / 22")
    teacher.open_grading()
    expect(teacher.page.locator(".infograd-summary")).to_contain_text("entropy")
    shoot(teacher.page, "formgrader")
    teacher.mark("reflection", "1.5", COMMENT)
    teacher.leave_grading()
    expect(teacher.submission()).to_contain_text(f"{ENTROPY.points + 1.5:g} / 22")


def gives_feedback(teacher: Teacher) -> None:
    """Generate feedback and release it."""
    teacher.press("generate-feedback", teacher.assignment())
    teacher.press("release-feedback", teacher.assignment())


def reads_feedback(ada: Learner) -> None:
    """Fetch the feedback in Assignment List, and open its page there."""
    page = ada.fetch_feedback()
    marks = f"{ENTROPY.points + 1.5:g} of 22 points"
    expect(page.get_by_role("heading", name=f"{NOTEBOOK}: {marks}")).to_be_visible()
    reflection = page.get_by_role("row", name="reflection")
    expect(reflection).to_contain_text("1.5 of 2")
    expect(reflection).to_contain_text(COMMENT)
    expect(page.locator("section#reflection")).to_contain_text(REFLECTION)
    expect(page.locator("section#reflection .comment")).to_have_text(COMMENT)
    expect(page.get_by_role("row", name="entropy").first).to_contain_text("correct")
    shoot(ada.page, "feedback-read")
