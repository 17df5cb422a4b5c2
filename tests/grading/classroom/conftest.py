from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def nobody_elses_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that another test has started in this process may keep, or have shut, what is logged."""
    logger = logging.getLogger("traitlets")
    logger.setLevel(logging.NOTSET)
    monkeypatch.setattr(logger, "disabled", False)
    monkeypatch.setattr(logger, "propagate", True)
