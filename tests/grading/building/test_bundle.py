"""The zip for learners: nothing of the teacher's, the same bytes each time, and an exercise can be solved there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest

from grading.building import bundle
from grading.exercises import notebooks

ANSWER = "def entropy(p):\n    return torch.special.entr(p.double()).sum(-1).to(p.dtype)\n"


WRONG = ANSWER.replace("special.entr(p.double())", "special.entr(p.double()).div(math.log(2))")
# Runs a notebook's cells in a kernel of the Python that runs this, beside the file.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
file = sys.argv[1]
notebook = nbformat.read(file, as_version=4)
NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, file)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, with the wheel beside it."""
    place = tmp_path_factory.mktemp("bundle") / "course.zip"
    assert bundle.main(["--to", str(place), "--wheel"]) == 0
    return place


@pytest.fixture(scope="module")
def wheel(archive: Path) -> Path:
    """The wheel."""
    (found,) = archive.parent.glob("*.whl")
    return found


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


def test_the_wheel_holds_all_of_helpers_and_nothing_else(unpacked: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = {one for one in packed.namelist() if ".dist-info/" not in one}
    helpers = (one for one in (unpacked / "helpers").rglob("*") if one.is_file())
    assert names == {one.relative_to(unpacked).as_posix() for one in helpers if "__pycache__" not in one.parts}


@pytest.mark.slow
def test_an_exercise_can_be_solved_where_only_the_wheel_is(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees the packages that are installed here but not the course, with one
    notebook: its first cell installs the wheel; then a wrong answer and a right one, and the card of each."""
    python = environment_without_the_course(tmp_path / "environment")
    name = notebooks()[0]
    file = tmp_path / f"{name}.ipynb"
    released = (unpacked / "notebooks" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = nbformat.reads(bundle.with_address(released, str(wheel)), as_version=4)
    keep_to(notebook, "entropy", [WRONG, ANSWER])
    notebook.cells.append(nbformat.v4.new_code_cell("import helpers, importlib.util as util\nhelpers.__file__"))
    notebook.cells.append(nbformat.v4.new_code_cell("util.find_spec('grading') is None"))
    nbformat.write(notebook, file)
    subprocess.run([python, "-c", RUN, str(file), str(tmp_path)], env=alone(tmp_path), cwd=tmp_path, check=True)
    *_, wrong, _, right, where, is_alone = nbformat.read(file, as_version=4).cells
    assert "bits" in shown(wrong)
    assert "entropy: correct, 3 of 3 points" not in shown(wrong)
    assert "entropy: correct, 3 of 3 points" in shown(right)
    assert str(tmp_path / "environment") in shown(where)
    assert shown(is_alone) == "True"


def test_where_an_address_is_known_the_notebooks_install_from_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "notebooks", lambda: notebooks()[:1])
    address = "git+https://github.com/OWNER/REPOSITORY@BRANCH"
    for given in ([], ["--address", address]):
        assert bundle.main(["--to", str(tmp_path / f"{len(given)}.zip"), *given]) == 0
    ours, theirs = (cells_of_the_first(tmp_path / f"{number}.zip") for number in (0, 2))
    assert f"    %pip install --quiet {address}\n\nimport math\n" in theirs[0].source
    assert "%pip" not in theirs[0].source.replace("%pip install", "", 1)
    assert ours[0].source.endswith(theirs[0].source.partition("\n\n")[2])
    assert ours[1:] == theirs[1:]
    assert bundle.main(["--to", str(tmp_path / "bad.zip"), "--address", "x; rm -r ~"]) == 2
    assert "is none that pip can install from" in capsys.readouterr().err
    assert not (tmp_path / "bad.zip").exists()


def cells_of_the_first(archive: Path) -> list[nbformat.NotebookNode]:
    """The code cells of the first notebook in a zip."""
    name = notebooks()[0]
    with zipfile.ZipFile(archive) as packed:
        text = packed.read(f"{bundle.FOLDER}/notebooks/{name}/{name}.ipynb").decode("utf-8")
    return [cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]


def environment_without_the_course(folder: Path) -> Path:
    """Make an environment that finds all packages that are installed here, but for those installed as links to a
    checkout; returns its Python."""
    venv.create(folder, symlinks=os.name != "nt")
    inside = sysconfig.get_path("purelib", "venv", {"base": str(folder), "installed_base": str(folder)})
    (Path(inside) / "here.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def alone(folder: Path) -> dict[str, str]:
    """The variables of a process that knows nothing of this checkout and writes in a folder."""
    ours = {"INFOGRAD_PROGRESS": str(folder / "progress.json"), "IPYTHONDIR": str(folder / "ipython")}
    ours |= {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | ours


def keep_to(notebook: nbformat.NotebookNode, exercise: str, answers: list[str]) -> None:
    """Keep a notebook's first code and one exercise, with its check after each of the answers."""
    first, *rest = (one for one in notebook.cells if one.cell_type == "code")
    named = {one.metadata.get("nbgrader", {}).get("grade_id"): one for one in rest}
    check = named[f"{exercise}-check"].source
    notebook.cells = [first, *(nbformat.v4.new_code_cell(one) for text in answers for one in (text, check))]


def shown(cell: nbformat.NotebookNode) -> str:
    """What a cell printed or displayed, as text."""
    parts = (one.get("text") or one.get("data", {}).get("text/plain", "") for one in cell.outputs)
    return "".join(parts)


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
