from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.chromium import Desk, opened
from tests.clones import Clone

# Files whose tests take longest. They come first: what is left at the end, when one worker has nothing more, is short.
LONGEST = ("test_story.py", "test_demo.py", "test_readme.py", "test_bulk.py", "test_formgrader.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Play the longest files of tests first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A fresh clone of the repository, one for each file of tests."""
    one = Clone(tmp_path_factory.mktemp("clone"))
    yield one
    one.close()


# Not for the session: while Playwright runs there is an event loop in this thread, and other tests have loops of their
# own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or Chrome."""
    with opened() as browser:
        yield browser


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Callable[..., Desk]]:
    """Makes browsers with settings of their own (`viewport`, `color_scheme`, ...), closed after the test."""
    made: list[Desk] = []

    def make(**settings: Any) -> Desk:
        made.append(Desk(chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
