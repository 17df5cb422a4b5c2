from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clones import Clone


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A fresh clone of the repository, one for each file of tests."""
    one = Clone(tmp_path_factory.mktemp("clone"))
    yield one
    one.close()
