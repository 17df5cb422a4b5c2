"""What a learner imports: `check`, `hint` and `progress`, and small verified routines in the modules beside them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.checking.check import check, hint
    from helpers.checking.progress import progress

__all__ = ["check", "hint", "progress"]
HOMES = {"check": "helpers.checking.check", "hint": "helpers.checking.check", "progress": "helpers.checking.progress"}


def __getattr__(name: str) -> Any:
    """`check`, `hint` or `progress`, imported when it is first asked for: it needs torch, and the teacher's commands,
    which import small things from here too, should not wait for that."""
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
