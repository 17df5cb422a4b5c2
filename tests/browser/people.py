"""What people do in the browser, by what they see there: a learner in JupyterLab, a teacher in formgrader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.grading.courses import NOTEBOOK


class Learner:
    """A learner at JupyterLab's start page."""

    def __init__(self, page: Page, url: str):
        self.page = page
        page.goto(url)
        expect(page.get_by_role("heading", name="Information theory and optimisation")).to_be_visible()

    @property
    def start(self) -> Locator:
        """The start page."""
        return self.page.locator(".jp-MarkdownViewer")

    @property
    def notebook(self) -> Locator:
        """The notebook that is open."""
        return self.page.locator(".jp-NotebookPanel")

    def menu(self, name: str, entry: str) -> None:
        """Choose an entry of a menu."""
        self.page.get_by_role("menubar").get_by_text(name, exact=True).click()
        self.page.get_by_role("menuitem", name=entry).first.click()

    def tab(self, name: str) -> None:
        """Look at another tab of JupyterLab."""
        self.page.get_by_role("tab", name=name).click()

    def themes(self) -> Iterator[str]:
        """The page in the dark theme, then in the light one: JupyterLab follows the system's."""
        schemes: list[tuple[Literal["dark", "light"], str]] = [("dark", "false"), ("light", "true")]
        for scheme, light in schemes:
            self.page.emulate_media(color_scheme=scheme)
            expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)
            yield scheme

    def small_screens(self) -> Iterator[str]:
        """The page at 200% and on a phone, without the list of files; then as it was."""
        self.page.keyboard.press("Control+b")
        for name, width, height in (("200-percent", 640, 450), ("phone", 390, 800)):
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.wait_for_function(
                "document.querySelector('.jp-NotebookPanel').getBoundingClientRect().right <= innerWidth"
            )
            yield name
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.keyboard.press("Control+b")
        expect(self.page.locator("#jp-left-stack")).to_be_visible()

    def scrolled_sideways(self) -> list[str]:
        """The texts of the outputs that are wider than their place."""
        outputs = self.notebook.locator(".jp-OutputArea-output")
        wide = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText)"
        return list(outputs.evaluate_all(wide))

    def idle(self) -> None:
        """Wait until the kernel has nothing to do and no cell waits for it."""
        expect(self.notebook.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0)
        expect(self.page.get_by_text("| Idle")).to_be_visible()

    def run_all(self) -> None:
        """Run the notebook and wait for its end."""
        expect(self.page.get_by_text("| Idle")).to_be_visible()
        self.menu("Run", "Run All Cells")
        expect(self.code("progress()").locator(".jp-OutputArea-output").first).to_be_attached()
        self.idle()

    def code(self, text: str) -> Locator:
        """The first code cell with this text."""
        return self.notebook.locator(".jp-CodeCell", has_text=text).first

    def answer(self, name: str, text: str) -> Locator:
        """Write an answer, run it and its check; returns the check's cell."""
        self.code(f"def {name}(").locator(".cm-content").click()
        self.type_over(text)
        self.page.keyboard.press("Shift+Enter")
        return self.code(f'check("{name}"')

    def type_over(self, text: str) -> None:
        """Replace what the cell says in which the cursor is, and run the cell."""
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")

    def write(self, placeholder: str, text: str) -> None:
        """Write into a cell of Markdown that says `placeholder`."""
        self.notebook.locator(".jp-RenderedMarkdown", has_text=placeholder).click()
        expect(self.notebook.locator(".jp-mod-active", has_text=placeholder)).to_be_visible()
        self.page.keyboard.press("Enter")
        expect(self.notebook.locator(".jp-mod-active .cm-content", has_text=placeholder)).to_be_focused()
        self.type_over(text)
        expect(self.notebook.locator(".jp-RenderedMarkdown", has_text=text)).to_be_attached()

    def save(self) -> None:
        """Save the notebook."""
        self.idle()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".jp-mod-current.jp-mod-dirty")).to_have_count(0)

    def validate(self) -> str:
        """Press Validate, and return what it says."""
        self.notebook.get_by_text("Validate", exact=True).click()
        said = self.page.locator(".jp-Dialog", has_text="Validation Results")
        text = said.inner_text()
        said.get_by_role("button", name="Ok").click()
        return text

    def fetch_feedback(self) -> FrameLocator:
        """Press Fetch Feedback in Assignment List, and open the page from the folder that it leads to."""
        self.page.get_by_role("button", name="Fetch Feedback").click()
        self.page.get_by_text("(view feedback)").click()
        self.page.locator(".jp-DirListing-item", has_text=f"{NOTEBOOK}.html").dblclick()
        return self.page.frame_locator(".jp-HTMLViewer iframe")


class Teacher:
    """A teacher at formgrader."""

    def __init__(self, page: Page, url: str):
        self.page = page
        page.goto(url)
        expect(page.get_by_role("heading", name="Manage Assignments")).to_be_visible()

    def press(self, column: str, row: Locator) -> None:
        """Press a column's button in a row, and close the message when it is done."""
        row.locator(f"td.{column} a").click()
        done = self.page.locator(".modal", has_text="Success")
        done.get_by_role("button", name="OK").click()
        expect(done).to_be_hidden()

    def assignment(self) -> Locator:
        """The notebook's row in the table of assignments."""
        self.page.get_by_role("link", name="Manage Assignments").click()
        return self.page.locator("tr", has=self.page.get_by_role("link", name=NOTEBOOK, exact=True))

    def submission(self) -> Locator:
        """The row of the only submission."""
        self.assignment().locator("td.num-submissions a").click()
        return self.page.locator("tr", has=self.page.locator("td.autograde a"))

    def open_grading(self) -> None:
        """Open the page on which the only submission is graded by hand."""
        self.page.get_by_role("link", name="Manual Grading").click()
        for place in ("gradebook", f"gradebook/{NOTEBOOK}"):
            self.page.locator(f"td a[href$='{place}/{NOTEBOOK}']").click()
        self.page.get_by_role("link", name="Submission #1").click()

    def mark(self, name: str, marks: str, comment: str) -> None:
        """Give marks and a comment to a cell, and wait until both are kept."""
        score, said = (self.page.locator(f"[id='{name}{end}']") for end in ("", "-comment"))
        # both are shown at once, and keep what is written only when they have got what was kept before
        expect(self.page.locator(f"[id='{name}_extra_credit']")).to_have_attribute("placeholder", "0")
        expect(said).to_have_attribute("placeholder", re.compile("."))
        for place, text in ((score, marks), (said, comment)):
            place.fill(text)
            with self.page.expect_response(lambda answer: answer.request.method == "PUT"):
                place.press("Tab")

    def leave_grading(self) -> None:
        """Back to where the other pages are within reach."""
        self.page.get_by_role("link", name="Manual Grading").click()
