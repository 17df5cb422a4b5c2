"""A teacher adds learners by name: on formgrader's page, in a real browser, and by nbgrader's commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbgrader.server_extensions.formgrader as stock
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Dialog, Page, expect

from grading.classroom.learners import unfit
from grading.classroom.pages import HANDLERS
from tests.chromium import Desk
from tests.grading.classroom.test_formgrader import formgrader
from tests.grading.courses import make_course, nbgrader

FIT = "李雷 O'Neil"
UNFIT = "../x"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course without a class."""
    return make_course(tmp_path_factory.mktemp("roster") / "course", ["entropy"])


@pytest.fixture(scope="module")
def address(course: Path) -> Iterator[str]:
    """Where its formgrader is."""
    with formgrader(course, "") as found:
        yield found


def learners(course: Path) -> set[str]:
    """Those in the gradebook."""
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db") as gradebook:
        return {one.id for one in gradebook.students}


def add(page: Page, name: str) -> None:
    """Add a learner as a teacher does, up to the server's answer."""
    page.get_by_text("Add new student...").click()
    page.locator(".modal input.id").fill(name)
    with page.expect_response(re.compile("/api/student/")):
        page.locator(".modal").get_by_role("button", name="Save").click()


def test_the_commands_refuse_a_name_with_the_reason(course: Path, tmp_path: Path) -> None:
    table = tmp_path / "class.csv"
    table.write_text(f"id,email\nada,ada@example.org\n{UNFIT},\n", encoding="utf-8")
    for words in (("add", UNFIT), ("import", str(table))):
        said = nbgrader(course, tmp_path / "home", "db", "student", *words, ends=1)
        assert f"nobody can be called {UNFIT!r}: it begins with a dot" in said
        assert "Traceback" not in said
    assert learners(course) == {"ada"}


@pytest.mark.slow
def test_formgraders_page_adds_learners_and_says_why_not(address: str, course: Path, desk: Callable[..., Desk]) -> None:
    page = desk().page()
    told: list[str] = []

    def read(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.accept()

    page.on("dialog", read)
    page.goto(f"{address}/formgrader/manage_students")
    with page.expect_event("load"):  # the page shows again what is there
        add(page, UNFIT)
    add(page, FIT)
    expect(page.locator("td.id", has_text=FIT)).to_be_visible()
    expect(page.locator("td.id", has_text=UNFIT)).to_have_count(0)
    assert told == [f"Not added: nobody can be called {UNFIT!r}: {unfit(UNFIT)}."]
    assert FIT in learners(course)
    assert UNFIT not in learners(course)
    page.goto(f"{address}/formgrader/manage_assignments")
    page.get_by_role("link", name="Add new assignment...").click()
    expect(page.locator(".modal input.name")).to_be_visible()


def test_a_learner_from_before_a_name_was_refused_is_changed_and_removed(
    address: str, course: Path, desk: Callable[..., Desk], tmp_path: Path
) -> None:
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db") as gradebook:
        gradebook.add_student("a+b")
    page = desk().page()
    page.goto(f"{address}/formgrader/manage_students")
    page.locator("tr", has_text="a+b").locator("td.edit a").click()
    page.locator(".modal input.modal-email").fill("ab@example.org")
    with page.expect_response(re.compile("/api/student/")) as answer:
        page.locator(".modal").get_by_role("button", name="Save").click()
    assert answer.value.ok
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db") as gradebook:
        assert gradebook.find_student("a+b").email == "ab@example.org"
    nbgrader(course, tmp_path / "home", "db", "student", "remove", "a+b")
    assert "a+b" not in learners(course)


def test_the_policy_names_every_handler_in_nbgraders_templates() -> None:
    """A handler that it does not name is a button that does nothing."""
    templates = (Path(stock.__file__).parent / "templates").rglob("*.*")
    found = {one for file in templates for one in re.findall(r'\son\w+="([^"]*)"', file.read_text(), re.IGNORECASE)}
    assert found == set(HANDLERS)
