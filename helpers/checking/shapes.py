"""The types of the data that crosses rooms: what is called, what happened, what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Observation = dict[str, Any]
Expectation = dict[str, Any]
Judge = Callable[[Any, Expectation], str | None]
