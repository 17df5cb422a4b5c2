"""Work in a child with limits: what it returns comes back, and what takes too much does not come back at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from grading.aside import TookTooMuch, aside


def never_ends() -> None:
    while True:
        pass


def takes_all_memory() -> int:
    return len([bytearray(2**26) for _ in range(64)])


def recurs() -> None:
    recurs()


def raises() -> None:
    raise ValueError


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_it_returns_comes_back() -> None:
    assert aside(lambda: {"a": ["x" * 300_000, None, 1.5]}, 20, 2**28) == {"a": ["x" * 300_000, None, 1.5]}


@pytest.mark.parametrize("work", [never_ends, takes_all_memory, recurs, dies, lambda: object()])
def test_what_takes_too_much_or_fails_ends_the_child_alone(
    work: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, children = os.fork, []

    def noted() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", noted)
    with pytest.raises(TookTooMuch):
        aside(work, 0.5 if work is never_ends else 60, 2**28)
    (child,) = children
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_fault_of_ours_is_named() -> None:
    with pytest.raises(RuntimeError, match="ValueError"):
        aside(raises, 20, 2**28)
