"""A hostile submission in a real formgrader, looked at in a real browser: a planted script writes no file."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook
from playwright.sync_api import Page

from tests.chromium import Desk, opened
from tests.grading.courses import ANSWERS, NOTEBOOK, ROOT, answered, make_course, make_release, nbgrader

pytestmark = pytest.mark.slow  # each starts a server and a browser

PLANT = (
    "fetch('/api/contents/PLANTED', {method: 'PUT', headers: {'X-XSRFToken': document.cookie.match('_xsrf=([^;]*)')[1]}"
    ", body: JSON.stringify({type: 'file', format: 'text', content: 'x'})})"
)
NAME = "<img src=x onerror=document.title='PLANTED'>"  # a learner's: a folder's name holds no slash
TEX = r"$\href{https://away.example}{x}$ and $$\require{html}\style{position:fixed}{\class{modal}{\cssId{mine}{y}}}$$"
REFLECTION = f'<script>{PLANT}</script><img src="x" onerror="{PLANT}">\n\n{TEX}'
# settings under which a page is as nbgrader makes it, or has only the policy behind the cleaning
STOCK = "from grading.classroom import pages\npages.use = lambda config: None\n"
NAMES = ("Ada Lovelace", "a.b@example.org", "Jürgen", "12345", "x,y")
IN_BROWSER = ('"O\'Neil" & <S>', "李雷 {0}")  # these are looked at in a browser, too
UNFIT = "x[1]"
UNCLEANED = "from grading import sanitise\nsanitise.cleaned = lambda text, cleaner: text\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which one learner has handed in a notebook, and has been graded."""
    folder = tmp_path_factory.mktemp("formgrader") / "course"
    make_course(folder, ["entropy"])
    released = make_release(folder)
    file = folder / "classroom" / "submitted" / NAME / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(answered(released, {"reflection": REFLECTION})))
    nbgrader(folder, folder.parent / "home", "generate_assignment", NOTEBOOK, "--force")
    nbgrader(folder, folder.parent / "home", "autograde", NOTEBOOK)
    nbgrader(folder, folder.parent / "home", "generate_feedback", NOTEBOOK)
    return folder


@contextmanager
def formgrader(course: Path, settings: str) -> Iterator[str]:
    """A running Jupyter server with formgrader in the course's folder; its address."""
    (course / "nbgrader_config.py").write_text(settings + (ROOT / "nbgrader_config.py").read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = course.parent / "home"
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": f"{home}/.jupyter",
        "JUPYTER_DATA_DIR": f"{home}/.data",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}",
               "--ip=127.0.0.1", "--IdentityProvider.token=", f"--ServerApp.root_dir={course}"]  # fmt: skip
    with (course.parent / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=course, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            await_answer(f"{address}/formgrader/manage_students", server)
            yield address
        finally:
            server.terminate()
            server.wait()


def await_answer(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address).close()
            return
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextmanager
def reader() -> Iterator[Page]:
    """A page of a browser. It is not the fixture's: that stays, and nbgrader has no event loop beside Playwright's."""
    with opened() as browser:
        yield Desk(browser.new_context()).page()


def seen(address: str, page: Page) -> str:
    """What a browser shows at an address, after its scripts."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page.content()


def submission_page(course: Path) -> str:
    """The address of the submission's page."""
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db") as gradebook:
        return f"/formgrader/submissions/{gradebook.find_submission_notebook(NOTEBOOK, NOTEBOOK, NAME).id}"


def planted(course: Path, address: str, reader: Page) -> tuple[bool, str]:
    """Whether looking at the submission's page lets the planted script write its file; and the page."""
    page = seen(address + submission_page(course), reader)
    assert "Student's answer" in page
    file = course / "PLANTED"
    found = file.exists()
    file.unlink(missing_ok=True)
    return found, page


def test_a_planted_script_writes_no_file(course: Path) -> None:
    with formgrader(course, "") as address, reader() as browser:
        wrote, page = planted(course, address, browser)
        assert not wrote
        assert "<title>PLANTED" not in page
        assert "glyphicon-eye-open" in page
        assert BeautifulSoup(page, "html.parser").select("[onerror]") == []
        tex_leads_nowhere(page)
        # the page's own scripts run: they put the score that is kept into its field
        assert 'class="score tabbable"' in page
        assert "toggle_name" in page
        for other in (f"/formgrader/manage_students/{quote(NAME)}", f"/formgrader/gradebook/{NOTEBOOK}/{NOTEBOOK}"):
            assert "<title>PLANTED" not in seen(address + other, browser)
        feedback = course / "classroom" / "feedback" / NAME / NOTEBOOK / f"{NOTEBOOK}.html"
        page = seen(feedback.as_uri(), browser)
    assert "<title>PLANTED" not in page
    tex_leads_nowhere(page)


def tex_leads_nowhere(page: str) -> None:
    """A learner's TeX is formulas, without a link, a class or a style; no program for formulas is loaded."""
    found = BeautifulSoup(page, "html.parser")
    formulas = found.select("math")
    assert len([one for one in formulas if one.text.strip().endswith(("x", "y"))]) >= 2
    named = [
        one for part in formulas for one in [part, *part.select("*")] if {"class", "style", "id", "href"} & {*one.attrs}
    ]
    assert named == []
    assert found.select('[href*="away.example"], [src*="away.example"], [src*="athJax"], .MathJax, mjx-container') == []


@pytest.mark.parametrize(("settings", "writes"), [(STOCK, True), (UNCLEANED, False)], ids=["stock", "policy alone"])
def test_the_policy_stands_behind_the_cleaning(settings: str, writes: bool, course: Path) -> None:
    """The same page as nbgrader makes it writes the file, so the test above can fail."""
    with formgrader(course, settings) as address, reader() as browser:
        wrote, page = planted(course, address, browser)
        assert wrote == writes
        assert PLANT[:20] in page


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which learners of all names, and one whose name cannot be, have handed in one exercise."""
    folder = make_course(tmp_path_factory.mktemp("people") / "course", ["entropy"])
    released = make_release(folder)
    for name in (*NAMES, *IN_BROWSER, UNFIT):
        file = folder / "classroom" / "submitted" / name / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(answered(released, {"entropy": ANSWERS["model"], "reflection": words_of(name)})))
    nbgrader(folder, folder.parent / "home", "generate_assignment", NOTEBOOK, "--force")
    nbgrader(folder, folder.parent / "home", "autograde", NOTEBOOK)
    return folder


class Buttons:
    """What formgrader's own pages ask of its server."""

    def __init__(self, address: str):
        self.address, cookies = address, CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
        self.read("/formgrader/manage_students")
        self.token = next(str(cookie.value) for cookie in cookies if cookie.name == "_xsrf")

    def read(self, path: str) -> str:
        """A page, or an answer."""
        with self.browser.open(self.address + path, timeout=120) as answer:
            return str(answer.read().decode())

    def press(self, *path: str) -> Any:
        """Press a button, and return what it did."""
        address = self.address + "/formgrader/api/" + "/".join(quote(part, safe="") for part in path)
        request = urllib.request.Request(address, method="POST", headers={"X-XSRFToken": self.token})
        with self.browser.open(request, timeout=120) as answer:
            return json.load(answer)


def words_of(name: str) -> str:
    """A learner's reflection, in which Markdown finds nothing to do."""
    return f"I am {name.encode().hex()}."


def text_of(page: str) -> str:
    """What a page says."""
    return BeautifulSoup(page, "html.parser").get_text()


def test_every_name_is_shown_in_formgrader_and_its_buttons_work_or_say_why_not(people: Path) -> None:
    database = f"sqlite:///{people}/classroom/gradebook.db"
    with formgrader(people, "") as address, Gradebook(database) as gradebook, reader() as browser:
        buttons = Buttons(address)
        pages = {one.student.id: one.notebooks[0].id for one in gradebook.assignment_submissions(NOTEBOOK)}
        assert set(pages) == {*NAMES, *IN_BROWSER}
        for name, page in pages.items():
            (theirs,) = json.loads(buttons.read(f"/formgrader/api/student_submissions/{quote(name)}"))
            assert (theirs["student"], theirs["score"], theirs["autograded"]) == (name, 3, True)
            assert words_of(name) in text_of(buttons.read(f"/formgrader/submissions/{page}"))
        listed = BeautifulSoup(seen(f"{address}/formgrader/manage_submissions/{NOTEBOOK}", browser), "html.parser")
        rows = {cell.get_text().strip(): row for row in listed.select("tr") for cell in row.select("td")}
        assert rows.keys() >= pages.keys()
        for name in IN_BROWSER:
            link = rows[name].select_one("a[href*=manage_students]")
            assert link is not None
            assert "3 / 5" in text_of(seen(address + str(link["href"]), browser)), name
            for done in (
                buttons.press("submission", NOTEBOOK, name, "autograde"),
                buttons.press("assignment", NOTEBOOK, name, "generate_feedback"),
            ):
                assert done["success"], done
            feedback = people / "classroom" / "feedback" / name / NOTEBOOK / f"{NOTEBOOK}.html"
            assert 'class="infograd-summary' in feedback.read_text(encoding="utf-8")
        refused = buttons.press("submission", NOTEBOOK, UNFIT, "autograde")
        assert not refused["success"]
        assert f"nobody can be called {UNFIT!r}: it has [ ]" in refused["log"]
