"""The zip for learners: nothing of the teacher's, the same bytes each time, and an exercise can be solved there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grading.building import bundle
from grading.exercises import notebooks

ANSWER = "def entropy(p):\n    return torch.special.entr(p.double()).sum(-1).to(p.dtype)\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip."""
    place = tmp_path_factory.mktemp("bundle") / "course.zip"
    assert bundle.main(["--to", str(place)]) == 0
    return place


@pytest.fixture(scope="module")
def unpacked(archive: Path) -> Path:
    """The course as a learner has unpacked it, in a folder with a space."""
    folder = archive.parent / "my courses"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder / bundle.FOLDER


def test_nothing_of_the_teachers_is_in_it(unpacked: Path) -> None:
    assert sorted(one.name for one in unpacked.iterdir()) == sorted(
        [*bundle.AS_THEY_ARE, "README.md", "pyproject.toml", "helpers", "notebooks"]
    )
    files = [one for one in unpacked.rglob("*") if one.is_file()]
    assert not [one for one in files if "__pycache__" in one.parts or one.suffix in (".pyc", ".tmp")]
    for file in (one for one in files if one.suffix in (".ipynb", ".py", ".json", ".toml", ".md")):
        text = file.read_text(encoding="utf-8")
        assert "BEGIN SOLUTION" not in text, file
        assert "grading.command" not in text, file


def test_the_notebooks_are_those_of_the_course_and_untouched(unpacked: Path) -> None:
    assert sorted(one.stem for one in unpacked.glob("notebooks/*/*.ipynb")) == notebooks()
    for file in unpacked.glob("notebooks/*/*.ipynb"):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        answers = [one for one in cells if one["metadata"].get("nbgrader", {}).get("solution")]
        code = ["".join(one["source"]) for one in answers if one["cell_type"] == "code"]
        assert code
        assert all("NotImplementedError" in one for one in code)
        assert not [one for one in cells if one.get("outputs")]


def test_an_exercise_can_be_solved_there(unpacked: Path, tmp_path: Path) -> None:
    """The first notebook's own first cell and check cell, with an answer, where only the unpacked files are."""
    file = unpacked / "notebooks" / notebooks()[0] / f"{notebooks()[0]}.ipynb"
    code = [one for one in json.loads(file.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == "code"]
    check = next(one for one in code if one["metadata"].get("nbgrader", {}).get("grade_id") == "entropy-check")
    where = "import helpers; print(helpers.__file__)"
    lines = ["".join(code[0]["source"]), ANSWER, "".join(check["source"]), where]
    environment = os.environ | {"PYTHONPATH": str(unpacked), "INFOGRAD_PROGRESS": str(tmp_path / "progress.json")}
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True, check=True)
    assert "entropy: correct, 3 of 3 points" in done.stdout
    assert str(unpacked) in done.stdout.splitlines()[-1]
    assert json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["entropy"]["marks"] == 3


def test_the_same_sources_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bundle, "notebooks", lambda: notebooks()[:1])
    for name in ("one.zip", "two.zip"):
        bundle.write_zip(tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_wrapper_can_be_run(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        assert packed.getinfo(f"{bundle.FOLDER}/infograd").external_attr >> 16 == 0o100755


def test_a_notebook_that_was_not_built_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "notebooks", lambda: ["09-nothing"])
    assert bundle.main(["--to", str(tmp_path / "a.zip")]) == 1
    assert "run `infograd build 09-nothing`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
