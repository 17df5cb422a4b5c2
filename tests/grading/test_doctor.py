"""The page that a learner pastes into a mail: what is well, and a remedy for what is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grading import doctor
from grading.sandbox.finding import Finding


def test_the_page_for_learners_is_well_here_and_needs_no_sandbox(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert doctor.main(["--learner"]) == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert "All is well: open a notebook with ./infograd lab." in shown
    assert "MISSING" not in shown
    assert "bubblewrap" not in shown


def told(finding: Finding, *words: str) -> bool:
    """Whether something is not well, with a remedy, in these words."""
    return not finding.well and bool(finding.remedy) and all(word in finding.what + finding.remedy for word in words)


def test_a_python_that_is_too_new_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 19, 0))
    assert told(doctor.python(), "3.11 to 3.13", "INFOGRAD_PYTHON=")


def test_another_courses_helpers_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert told(doctor.environment(), "helpers: /", "./infograd")


def test_a_package_that_is_missing_or_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "tqdm":
            raise doctor.metadata.PackageNotFoundError(name)
        return "0.1"

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert told(doctor.packages(), "tqdm missing (tested: ", "torch 0.1 (tested: 2.")


def test_a_torch_that_does_not_start_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise OSError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    (found,) = doctor.torch()
    assert told(found, "OSError: libtorch_cpu.so", "Remove the folder .venv")
    assert not doctor.answer_keys().well
    assert not doctor.kernel().well
    assert not doctor.table().well


def test_missing_and_damaged_notebooks_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert told(doctor.notebooks(), "infograd build")
    (tmp_path / "notebooks" / "01").mkdir(parents=True)
    (tmp_path / "notebooks" / "01" / "01.ipynb").write_text("{")
    assert told(doctor.notebooks(), "damaged: notebooks/01/01.ipynb", "git restore")


def test_a_key_of_another_version_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "01.json").write_text('{"format": 99}')
    monkeypatch.setenv("INFOGRAD_KEYS", str(tmp_path))
    assert told(doctor.answer_keys(), "Update the course so that notebooks and helpers come from one release")


def test_another_kernel_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "kernels" / "python3"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(
        '{"argv": ["/bin/sh", "-f", "{connection_file}"], "display_name": "Another", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert told(doctor.kernel(), "/bin/sh", "Select Kernel", "import helpers")


def test_places_and_the_exchange_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    course, home = doctor.places()
    assert told(course, "copy the course to a folder of yours")
    assert told(home, "JUPYTER_DATA_DIR")
    assert told(doctor.handing_in(), "exchange", "nbgrader_config.py names it")
    monkeypatch.undo()
    monkeypatch.setattr(doctor, "FREE", 2**70)
    assert told(next(iter(doctor.places())), "Make room")
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    assert told(list(doctor.places())[1], "Set HOME")
