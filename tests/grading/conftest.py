from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grading.grade import Grader
from grading.sandbox.sandbox import Limits
from tests.grading.courses import make_course, make_release


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's notebook with three exercises and the hand-graded cell."""
    return make_release(make_course(tmp_path_factory.mktemp("course"), ["entropy", "kl_divergence", "f_divergence"]))


@pytest.fixture(scope="session")
def grader() -> Iterator[Grader]:
    """A warm grader with short limits; a machine without bubblewrap fails here, and `infograd doctor` says why."""
    one = Grader(Limits(cell_seconds=5, call_seconds=2, notebook_seconds=20))
    one.sandbox.start()
    yield one
    one.close()
