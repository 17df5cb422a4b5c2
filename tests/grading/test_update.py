"""A course that changes under way: the learner keeps every answer, and is told what to look at again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import compute_checksum

from grading import update
from tests.clones import git
from tests.grading.courses import NOTEBOOK, answered, name_of

ANSWER = "def entropy(p):\n    return p.sum(-1)  # mine\n"
OTHER = "def kl_divergence(p, q):\n    return (p - q).sum(-1)  # mine\n"


def cell_of(file: Path, name: str) -> str:
    return next(cell.source for cell in nbformat.read(file, as_version=4).cells if name_of(cell) == name)


def key(points: float) -> str:
    about = {name: {"points": 1.0, "criteria": [], "hints": ["?"]} for name in ("entropy", "kl_divergence")}
    about["entropy"]["points"] = points
    return json.dumps({"exercises": about})


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", message)


@pytest.fixture
def checkout(tmp_path: Path, released: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The course's repository and a learner's clone of it, which `infograd update` takes for the course."""
    upstream = tmp_path / "upstream"
    notebook = upstream / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(released.read_text())
    keys = upstream / "helpers" / "keys"
    keys.mkdir(parents=True)
    (keys / f"{NOTEBOOK}.json").write_text(key(points=1.0))
    (upstream / ".gitignore").write_text("/classroom/\n")
    git(tmp_path, "init", "-q", "-b", "main", str(upstream))
    commit(upstream, "First release")
    git(tmp_path, "clone", "-q", str(upstream), str(tmp_path / "learner"))
    monkeypatch.setattr("grading.course.ROOT", tmp_path / "learner")
    return upstream, tmp_path / "learner"


def new_release(upstream: Path) -> None:
    """A release with another title, another stub of kl_divergence, and other points for entropy."""
    file = upstream / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[0].source = "# A new title"
    stub = next(cell for cell in notebook.cells if name_of(cell) == "kl_divergence")
    stub.source = "# Now in bits.\n" + stub.source
    stub.metadata.nbgrader.checksum = compute_checksum(stub)
    nbformat.write(notebook, file)
    (upstream / "helpers" / "keys" / f"{NOTEBOOK}.json").write_text(key(points=2.0))
    commit(upstream, "Second release")


def work(learner: Path, **answers: str) -> Path:
    file = learner / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    file.write_text(json.dumps(answered(file, answers)))
    return file


def test_answers_come_along_and_what_changed_is_named(
    checkout: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    upstream, learner = checkout
    new_release(upstream)
    file = work(learner, entropy=ANSWER, reflection="My words.")
    old = file.read_bytes()
    assert update.main([]) == 0
    said = capsys.readouterr().out
    assert "The course is brought up to date: 1 change.\n" in said
    assert (learner / "classroom" / "kept" / NOTEBOOK / "1.ipynb").read_bytes() == old
    assert f"{NOTEBOOK}: answers carried over: entropy, reflection" in said
    assert "look again, what is asked for has changed: entropy" in said
    assert nbformat.read(file, as_version=4).cells[0].source == "# A new title"
    assert (cell_of(file, "entropy"), cell_of(file, "reflection")) == (ANSWER, "My words.")
    assert cell_of(file, "kl_divergence").startswith("# Now in bits.")  # untouched: the new stub
    assert git(learner, "rev-parse", "HEAD") == git(upstream, "rev-parse", "HEAD")
    assert update.main([]) == 0
    assert "The course was up to date already.\n" in capsys.readouterr().out


def test_a_changed_stub_is_named_and_the_answer_kept(
    checkout: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    upstream, learner = checkout
    new_release(upstream)
    file = work(learner, kl_divergence=OTHER)
    assert update.main([]) == 0
    assert "look again, what is asked for has changed: kl_divergence" in capsys.readouterr().out
    assert cell_of(file, "kl_divergence") == OTHER


def test_where_git_cannot_all_is_as_it_was(checkout: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    upstream, learner = checkout
    new_release(upstream)
    file = work(learner, entropy=ANSWER)
    old = file.read_bytes()
    upstream.rename(upstream.with_name("away"))
    assert update.main([]) == 1
    assert "git could not bring the new release; all is as it was" in capsys.readouterr().err
    assert file.read_bytes() == old


def test_a_notebook_of_a_course_downloaded_before_is_carried_and_answers_here_stay(
    checkout: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, learner = checkout
    old = tmp_path / "old notebook.ipynb"
    file = work(learner, entropy=ANSWER)
    old.write_text(json.dumps(answered(file, {"entropy": "def entropy(p):\n    return 0\n", "kl_divergence": OTHER})))
    assert update.main([str(old)]) == 0
    said = capsys.readouterr().out
    assert "answers carried over: kl_divergence" in said
    assert "left as they are, since there are answers already: entropy" in said
    assert (cell_of(file, "entropy"), cell_of(file, "kl_divergence")) == (ANSWER, OTHER)
    assert update.main([str(file)]) == 1


def test_without_a_checkout_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("grading.course.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert subprocess.run(["git", "-C", str(tmp_path), "rev-parse"], capture_output=True, check=False).returncode
    assert update.main([]) == 1
    assert "Download the new release into a folder of its own" in capsys.readouterr().err
