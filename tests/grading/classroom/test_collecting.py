"""Collecting from an exchange in which strangers may put anything."""

from __future__ import annotations

import json
import logging
import os
import pwd
import shutil
import stat
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import CollectApp
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from traitlets.config import Config

from grading.classroom import collecting
from grading.classroom.collecting import CarefulCollect, is_name
from grading.classroom.nbgrader_plugin import install

NOTEBOOK = "01-notebook"
DATE = "2024-05-01 10:00:00.000000 UTC"
ME = os.getuid()


class Exchange:
    """A course with one notebook, and its exchange. Its learner eve has the account that runs the tests, unless
    `teacher` has it."""

    def __init__(self, folder: Path, gradebook: Path):
        self.folder, self.inbound = folder, folder / "exchange" / "infograd" / "inbound"
        self.inbound.mkdir(parents=True)
        self.secret = folder / "solutions" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        for file in (folder / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb", self.secret):
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps({"cells": [], "of": file.parts[-3]}))
        self.config = Config()
        self.config.Exchange.root = str(folder / "exchange")
        about = self.config.CourseDirectory
        about.root, about.course_id, about.assignment_id = str(folder), "infograd", NOTEBOOK
        about.release_directory, about.db_url = "notebooks", f"sqlite:///{folder}/gradebook.db"
        shutil.copy(gradebook, folder / "gradebook.db")

    def hand_in(self, name: str, text: str | None = "{}") -> Path:
        """A folder as `nbgrader submit` makes it."""
        folder = self.inbound / name
        folder.mkdir()
        if text is not None:
            (folder / f"{NOTEBOOK}.ipynb").write_text(text)
        (folder / "timestamp.txt").write_text(DATE)
        (folder / "submission_secret.txt").write_text("5e")
        return folder

    def collect(self, **settings: object) -> dict[str, dict[str, str]]:
        """Collect, and return the files of each learner."""
        coursedir = CourseDirectory(config=self.config)
        log = logging.getLogger("collecting")
        CarefulCollect(coursedir=coursedir, config=self.config, log=log, **settings).start()
        found: dict[str, dict[str, str]] = {}
        for file in (self.folder / "submitted").rglob("*"):
            if file.is_file():
                found.setdefault(file.parts[-3], {})[file.name] = file.read_text()
        return found


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty gradebook, which takes nbgrader a while to make."""
    install(Config())  # sees that nbgrader finds the programs that it needs for it
    file = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    Gradebook(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def exchange(tmp_path: Path, gradebook: Path) -> Exchange:
    return Exchange(tmp_path, gradebook)


@pytest.fixture
def eve(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """The exchange with everything in it eve's, and a teacher who is somebody else."""
    monkeypatch.setattr(collecting, "me", lambda: ME + 1)
    monkeypatch.setattr(pwd, "getpwuid", lambda user: SimpleNamespace(pw_name="eve" if user == ME else "who"))
    return exchange


def test_a_notebook_and_its_secret_are_collected_and_nothing_else(eve: Exchange) -> None:
    folder = eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc", '{"mine": 1}')
    (folder / "extra.html").write_text("<script>")
    (folder / "more").mkdir()
    found = eve.collect()
    assert sorted(found["eve"]) == [f"{NOTEBOOK}.ipynb", "submission_secret.txt", "timestamp.txt"]
    assert found["eve"][f"{NOTEBOOK}.ipynb"] == '{"mine": 1}'


HOSTILE: dict[str, Callable[[Exchange, Path], object]] = {
    "a link to the solutions": lambda exchange, file: file.symlink_to(exchange.secret),
    "a link to nowhere": lambda exchange, file: file.symlink_to("/nowhere"),
    "a named pipe": lambda exchange, file: os.mkfifo(file),
    "a folder": lambda exchange, file: file.mkdir(),
    "a large file": lambda exchange, file: file.write_bytes(b" " * 2000),
}


def test_any_number_of_large_folders_takes_the_memory_of_one(eve: Exchange) -> None:
    """Each may hold a file of the largest size that is all hole, and costs its learner nothing."""
    for number in range(10):
        folder = eve.hand_in(f"eve+{NOTEBOOK}+2024-05-{number + 1:02} 10:00:00.000000 UTC+abc")
        os.truncate(folder / f"{NOTEBOOK}.ipynb", 2**22)
    tracemalloc.start()
    found = eve.collect()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found["eve"][f"{NOTEBOOK}.ipynb"]) == 2**22
    assert peak < 5 * 2**22


def test_what_changes_between_looking_and_reading_is_left_aside(
    eve: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc")
    file = folder / f"{NOTEBOOK}.ipynb"
    read = CarefulCollect.read

    def swapped(self: CarefulCollect, one: collecting.HandedIn) -> collecting.HandedIn:
        file.unlink()
        file.symlink_to(eve.secret)
        return read(self, one)

    monkeypatch.setattr(CarefulCollect, "read", swapped)
    assert f"{NOTEBOOK}.ipynb" not in eve.collect()["eve"]
    assert "Left aside" in caplog.text


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_file_of_the_learners_own_is_left_aside(
    kind: str, eve: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    folder = eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc", None)
    HOSTILE[kind](eve, folder / f"{NOTEBOOK}.ipynb")
    (folder / "submission_secret.txt").unlink()
    (folder / "submission_secret.txt").symlink_to(eve.secret)
    assert sorted(eve.collect(notebook_bytes=1000)["eve"]) == ["timestamp.txt"]
    assert f"{NOTEBOOK}.ipynb: " in caplog.text
    assert "2 folders or files in the exchange were left aside" in caplog.text


@pytest.mark.parametrize(
    "name",
    [f"eve+{NOTEBOOK}+not a date+x", f"bob+{NOTEBOOK}+{DATE}+x", f"..+{NOTEBOOK}+{DATE}", f"e\nve+{NOTEBOOK}+{DATE}",
     os.fsdecode(b"e\xffve+" + f"{NOTEBOOK}+{DATE}".encode()), f"+{NOTEBOOK}+{DATE}", f"eve+{NOTEBOOK}+{'9' * 150}"],
)  # fmt: skip
def test_a_folder_with_a_wrong_name_stops_nobody(name: str, eve: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    eve.hand_in(name, '{"hostile": 1}')
    eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc", '{"mine": 1}')
    assert {student: files[f"{NOTEBOOK}.ipynb"] for student, files in eve.collect().items()} == {"eve": '{"mine": 1}'}
    assert "Left aside" in caplog.text
    assert sum("Left aside" in line for line in caplog.text.splitlines()) == 1


def test_a_linked_folder_is_not_followed(eve: Exchange, tmp_path: Path) -> None:
    (eve.inbound / f"eve+{NOTEBOOK}+{DATE}+abc").symlink_to(eve.secret.parent)
    assert eve.collect() == {}


def test_a_file_of_another_user_is_left_aside(eve: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a hard link to a file of the teacher's would be."""
    eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc")
    look = os.fstat

    def status(handle: int) -> os.stat_result:
        found = look(handle)
        return os.stat_result((*found[:4], ME + 1, *found[5:])) if stat.S_ISREG(found.st_mode) else found

    monkeypatch.setattr(collecting.os, "fstat", status)
    assert sorted(eve.collect()["eve"]) == ["timestamp.txt"]


def test_who_collects_may_hand_in_for_anybody(exchange: Exchange) -> None:
    exchange.hand_in(f"bob+{NOTEBOOK}+{DATE}+abc")
    assert "bob" in exchange.collect()


def test_the_time_is_the_file_systems(eve: Exchange) -> None:
    folder = eve.hand_in(f"eve+{NOTEBOOK}+0001-01-01 00:00:00 UTC+abc")
    (folder / "timestamp.txt").write_text("0001-01-01 00:00:00 UTC")
    for file in (folder, folder / f"{NOTEBOOK}.ipynb"):
        os.utime(file, (1e9, 1e9))
    told = parse_utc(eve.collect()["eve"]["timestamp.txt"])
    assert abs(told - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=5)


def test_a_later_one_replaces_an_earlier_one_where_it_is_asked_for(eve: Exchange) -> None:
    eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc", '{"first": 1}')
    assert '"first"' in eve.collect()["eve"][f"{NOTEBOOK}.ipynb"]
    eve.hand_in(f"eve+{NOTEBOOK}+2020-05-01 10:00:00 UTC+abd", '{"second": 1}')
    assert '"first"' in eve.collect()["eve"][f"{NOTEBOOK}.ipynb"]
    assert '"second"' in eve.collect(update=True)["eve"][f"{NOTEBOOK}.ipynb"]
    assert [file.name for file in (eve.folder / "submitted" / "eve").iterdir()] == [NOTEBOOK]


def test_the_last_counts_or_the_last_in_time_where_that_is_asked_for(eve: Exchange) -> None:
    first = eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abc", '{"in time": 1}') / f"{NOTEBOOK}.ipynb"
    due = parse_utc(eve.collect()["eve"]["timestamp.txt"])
    with Gradebook(f"sqlite:///{eve.folder}/gradebook.db", "infograd") as gradebook:
        gradebook.update_or_create_assignment(NOTEBOOK, duedate=due)
    last = eve.hand_in(f"eve+{NOTEBOOK}+{DATE}+abd", '{"late": 1}') / f"{NOTEBOOK}.ipynb"
    while last.stat().st_ctime_ns == first.stat().st_ctime_ns:  # the file system's clock moves in steps
        last.touch()
    assert "late" in eve.collect(update=True)["eve"][f"{NOTEBOOK}.ipynb"]
    flag = CollectApp().flags["before-duedate"][0]["ExchangeCollect"]
    assert "in time" in eve.collect(**flag)["eve"][f"{NOTEBOOK}.ipynb"]


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\nb", "a\x1b[2J", "a\u202eb", "\udcff"])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["eve", "a+b", "Ñandú", "o'neill", "a b"])
def test_what_is_a_name(name: str) -> None:
    assert is_name(name)
