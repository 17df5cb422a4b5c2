"""Chromium for tests: a person's browser, which reaches this machine alone; pictures of pages; what axe-core finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

SHOTS = Path(__file__).resolve().parent / "screenshots"  # git does not see it; kept to be looked at
LONGEST = 90_000  # milliseconds for one condition, on a slow machine that has other work
NEAR = ("http://127.0.0.1:", "file:", "data:", "blob:")
expect.set_options(timeout=LONGEST)


@contextmanager
def opened() -> Iterator[Browser]:
    """Debian's Chromium, or Chrome, while it is needed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no Chromium here; .ci/run installs it"
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium makes none for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


@dataclass
class Desk:
    """A person's browser, and what pages asked of others."""

    context: BrowserContext
    elsewhere: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Close it to the network."""
        self.context.set_default_timeout(LONGEST)
        self.context.route(lambda url: not url.startswith(NEAR), self.refuse)

    def page(self) -> Page:
        """A new page."""
        return self.context.new_page()

    def refuse(self, route: Route) -> None:
        """Note a request to another machine, and let it fail."""
        self.elsewhere.append(route.request.url)
        route.abort()


def shoot(page: Page, name: str, whole: bool = False) -> None:
    """Keep a picture of what is on the screen, or of the whole page."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)


def findings(page: Page, *places: str) -> list[str]:
    """What axe-core calls serious or critical in these places (CSS selectors; the whole page if none)."""
    where = {"include": [[place] for place in places]} if places else None
    found = Axe().run(page, context=where, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']} at {node['target']}: {node['html'][:200]}" for one in serious for node in one["nodes"]]


def wider_than_the_screen(page: Page) -> list[str]:
    """What makes a page scroll sideways: nothing, unless the page is wider than the screen."""
    return list(
        page.evaluate(
            """() => document.documentElement.scrollWidth <= innerWidth ? []
            : [...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1)
            .map(one => one.outerHTML.slice(0, 120)).slice(0, 5)"""
        )
    )
