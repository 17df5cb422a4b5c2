from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clones import Clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A fresh clone of the repository, one for all tests: each works on a notebook or with learners of its own."""
    one = Clone(tmp_path_factory.mktemp("clone"))
    yield one
    one.close()
