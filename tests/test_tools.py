"""Jupyter's own tools on a learner's notebook, untouched; nbgrader's validation is in test_notebooks.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clones import ROOT, environment
from tests.grading.courses import NOTEBOOK, make_course, make_release


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One exercise of the first notebook, away from the course's folder."""
    return make_release(make_course(tmp_path_factory.mktemp("a course"), ["entropy"]))


def jupyter(*arguments: str, home: Path) -> None:
    own = environment(home) | {"PYTHONPATH": str(ROOT), "INFOGRAD_PROGRESS": str(home / "progress.json")}
    programs = Path(sys.executable).parent
    own["PATH"] = f"{programs}:{own['PATH']}"
    line = [str(programs / "jupyter"), *arguments]
    done = subprocess.run(line, cwd=home, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_nbconvert_makes_a_page_of_it(notebook: Path, tmp_path: Path) -> None:
    jupyter("nbconvert", "--to", "html", str(notebook), "--output-dir", str(tmp_path), home=tmp_path)
    page = (tmp_path / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
    assert "raise" in page
    assert "NotImplementedError" in page


def test_jupyter_execute_runs_it_to_the_end_and_the_check_says_not_attempted(notebook: Path, tmp_path: Path) -> None:
    made = tmp_path / "done.ipynb"
    jupyter("execute", str(notebook), f"--output={made}", home=tmp_path)
    outputs = [one for cell in json.loads(made.read_text())["cells"] for one in cell.get("outputs", ())]
    assert not [one for one in outputs if one["output_type"] == "error"]
    assert "entropy: not attempted" in json.dumps(outputs)
