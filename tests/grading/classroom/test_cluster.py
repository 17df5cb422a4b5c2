"""Tasks for workers: what a worker must have, and a grading process that ends. test_bulk has a class with workers."""

from __future__ import annotations

import io
import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grading.classroom import tasks
from grading.classroom.cluster import Cluster, NoWorkers
from grading.classroom.tasks import GradingProcess, OtherSetup, Release, Setup, Task, setup
from grading.submission import HandedIn

HERE = Setup("digest", "3.11.7", (("torch", "2.13.0"), ("numpy", "2.3.0")))


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (HERE, []),
        (replace(HERE, course="other"), ["another version of the course"]),
        (replace(HERE, python="3.12.1"), ["Python 3.12.1 for 3.11.7"]),
        (replace(HERE, libraries=(("numpy", "2.3.0"),)), ["torch None for 2.13.0"]),
        (replace(HERE, libraries=(("torch", "2.13.0"), ("numpy", "2.2.0"))), ["numpy 2.2.0 for 2.3.0"]),
    ],
)
def test_a_worker_says_in_what_it_differs(theirs: Setup, said: list[str]) -> None:
    assert list(HERE.differences(theirs)) == said


def test_the_setup_knows_a_changed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "grading" / "judge.py"
    file.parent.mkdir()
    monkeypatch.setattr(tasks, "CODE", tmp_path)
    digests = []
    for text in ("marks = 1\n", "marks = 2\n", "marks = 1\n"):
        file.write_text(text)
        setup.cache_clear()
        digests.append(setup().course)
    setup.cache_clear()
    assert digests[0] == digests[2] != digests[1]


def a_task(**other: Any) -> Task:
    return replace(Task(setup(), (), True, HandedIn(b"{}"), None, 5), **other)


def test_another_setup_does_not_grade(tmp_path: Path) -> None:
    with pytest.raises(OtherSetup, match="another version of the course"):
        tasks.grade(a_task(setup=replace(setup(), course="older")), Release("00", "{}", None), tmp_path)


def test_an_error_of_the_grading_process_comes_back(tmp_path: Path) -> None:
    task, release = a_task(setup=replace(setup(), course="older")), Release("00", "{}", None)
    answers = io.BytesIO()
    tasks.serve(io.BytesIO(pickle.dumps((task, release)) + pickle.dumps((task, release.name))), answers, tmp_path)
    answers.seek(0)
    assert all(isinstance(pickle.load(answers), OtherSetup) for _ in range(2))


class OfTwo(Exception):
    def __init__(self, one: str, two: str):
        super().__init__(f"{one} and {two}")


class WithALock(Exception):
    def __init__(self) -> None:
        super().__init__("locked", threading.Lock())

    def __str__(self) -> str:
        return "locked"


@pytest.mark.parametrize(
    ("error", "said"), [(OfTwo("a", "b"), "OfTwo: a and b"), (WithALock(), "WithALock: locked"), (KeyError("x"), "'x'")]
)
def test_an_error_that_cannot_be_sent_is_told(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(tasks, "grade", fail)
    answers = io.BytesIO()
    tasks.serve(io.BytesIO(pickle.dumps((a_task(), Release("00", "{}", None)))), answers, tmp_path)
    answers.seek(0)
    assert str(pickle.load(answers)) == said


def test_a_grading_process_that_ends_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    process, asked = GradingProcess(), []

    def end(task: Task, release: Release) -> Any:
        asked.append(task)
        if len(asked) < lasts:
            raise EOFError
        return "graded"

    monkeypatch.setattr(process, "ask", end)
    lasts = 2
    assert process.grade(a_task(), Release("00", "{}", None)) == "graded"
    lasts = 9
    with pytest.raises(RuntimeError, match="twice"):
        process.grade(a_task(), Release("00", "{}", None))
    assert len(asked) == 4
    process.dismiss()
    with pytest.raises(RuntimeError, match="dismissed"):
        process.grade(a_task(), Release("00", "{}", None))
    assert len(asked) == 5


def test_a_worker_with_another_setup_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def run(self, _: object) -> dict[str, Setup]:
            return {"tcp://far:1": replace(setup(), python="3.9.0")}

    with pytest.raises(NoWorkers, match=r"The worker tcp://far:1 has Python 3\.9\.0"):
        Cluster("tcp://far:0").must_be_as_here(Client())  # type: ignore[arg-type]


def test_a_grading_process_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = GradingProcess()
    process.fork()
    with pytest.raises(OtherSetup):
        process.ask(a_task(setup=replace(setup(), course="older")), Release("00", "{}", None))
    assert len(list(tmp_path.iterdir())) == 1
    process.close()
    assert list(tmp_path.iterdir()) == []
