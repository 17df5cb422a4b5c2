"""A call that cannot be done is answered in one sentence, which names the argument or the file and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grading import command

ROOT = Path(__file__).resolve().parents[1]
NAME = "01-information-identities"
KNOWN = f"there are {NAME}, 02-"
# The call, and what its answer says. {here} is a folder with a file that is no notebook and one of another course. With
# two workers, `grade` asks for a sandbox no sooner than for a submission.
CALLS = [
    *(
        (f"{one} 99", "argument assignment: there is no notebook '99'; there are")
        for one in ("due", "grade", "results")
    ),
    ("report 99", "argument assignment: there is no notebook '99'; there are"),
    ("due 01-informations-identities", f"did you mean {NAME}?"),
    ("grade ../x", "argument assignment: there is no notebook '../x'"),
    ("due 01 tomorrow", "WHEN 'tomorrow' is no date; write it as '2026-12-01 23:59'"),
    ("due 01 2026-12-01 --zone Mars", "--zone: there is no time zone 'Mars'; did you mean"),
    ("due 01 2026-12-01 --learner ada", "no due date, so nobody needs longer; set one first, without --learner"),
    ("grade 01 --workers 2", f"nobody has handed in {NAME}. `nbgrader collect {NAME}`"),
    ("grade 01 --workers 2 --learner zoe", f"submitted/zoe/{NAME} is not there"),
    ("grade 01 --workers 0", "argument --workers: '0' is no number of workers; 1 takes"),
    ("grade 01 --db nonsense", "argument --db: 'nonsense' is no gradebook's address"),
    ("grade 01 --db oracle://here", "write it as sqlite:"),
    ("grade 01 --workers 2 --db sqlite:////nowhere/a.db", "The gradebook cannot be opened: is its folder there"),
    ("results 01", f"nothing of {NAME} is graded; `infograd grade {NAME}`"),
    ("results 01 --learner zoe", f"nothing of {NAME} by a learner 'zoe' is graded; `infograd grade"),
    ("results 01 --format xml", "argument --format: invalid choice: 'xml' (choose from"),
    ("report 01", f"no submission of {NAME} has been graded; `infograd grade {NAME}`"),
    *((f"{one} 99", f"'99' is no file, and there is no notebook '99'; {KNOWN}") for one in ("submit", "feedback")),
    *((f"{one} {{here}}/bad.ipynb", "bad.ipynb cannot be read. The file is not") for one in ("submit", "feedback")),
    *((f"{one} {{here}}/other.ipynb", "is none of the course's notebooks") for one in ("submit", "feedback")),
    *((f"{one} 01 --learner ../x", "Name yourself with --learner.") for one in ("submit", "feedback")),
    ("update {here}/missing.ipynb", "there is no file {here}/missing.ipynb; name an old notebook"),
    ("update {here}", "there is no file {here}; name an old notebook"),
    ("update {here}/bad.ipynb", "{here}/bad.ipynb cannot be read. The file is not a notebook"),
    ("update {here}/other.ipynb", f"one of the course's notebooks, which are {NAME}"),
    ("bundle --to {here}", "--to {here} cannot be written: Is a directory"),
    ("bundle --to {here}/bad.ipynb/a.zip", "--to {here}/bad.ipynb/a.zip cannot be written: "),
    ("build 99", "argument notebooks: there is no notebook '99'; there are"),
    ("lint 99", "argument notebook: there is no notebook '99'; there are"),
    ("new-exercise 99 line_search", "argument notebook: there is no notebook '99'; there are"),
    ("release 01", "argument COMMAND: invalid choice: 'release' (choose from"),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a course whose class has done nothing yet, and with two files that are not its notebooks."""
    folder = tmp_path_factory.mktemp("calls")
    for name in ("notebooks", "solutions"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    (folder / "bad.ipynb").write_text("no notebook")
    (folder / "other.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return folder


@pytest.fixture(autouse=True)
def in_the_course(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.course.ROOT", here)
    monkeypatch.setattr("grading.report.page.CLASSROOM", here / "classroom")
    monkeypatch.setattr("grading.building.bundle.files", lambda address: iter([("README.md", b"")]))


def answer(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a call that must fail says on the terminal; argparse's usage is left out."""
    try:
        status = command.main(line.split())
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr()
    assert status in (1, 2)
    assert not said.out
    (sentence,) = (one for one in said.err.splitlines() if not one.startswith(("usage: ", " ")))
    assert sentence.startswith("infograd")
    return sentence.partition(": ")[2]


@pytest.mark.parametrize(("line", "says"), CALLS, ids=[line for line, _ in CALLS])
def test_a_wrong_call_is_answered_in_a_sentence(
    line: str, says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says.replace("{here}", str(here)) in answer(line.replace("{here}", str(here)), capsys)


@pytest.mark.parametrize("line", ["due 01", "grade 01 --workers 2"])
def test_a_gradebook_that_is_none_is_said(line: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gradebook = here / "classroom" / "gradebook.db"
    gradebook.parent.mkdir(exist_ok=True)
    gradebook.write_bytes(b"no database " * 100)
    try:
        assert "The gradebook cannot be read (file is not a database). Copy it first;" in answer(line, capsys)
    finally:
        gradebook.unlink()


@pytest.mark.parametrize("line", ["due 01", "grade 01 --workers 2", "results 01", "submit 01", "feedback 01"])
def test_a_class_without_a_folder_is_said(
    line: str, here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grading.course.ROOT", tmp_path)
    shutil.copy(here / "nbgrader_config.py", tmp_path)
    (tmp_path / "classroom").write_text("")
    assert answer(line, capsys) == f"{tmp_path}/classroom/exchange cannot be used: Not a directory"
