"""A small course and its learners for tests: the first notebook, or a few of its exercises, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderApp

from grading.building.products import notebook_from_source
from grading.grade import GradedNotebook, Grader
from grading.release import released_text
from grading.verdict import read_verdict, write_verdict

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "01-information-identities"


def make_course(folder: Path, exercises: Sequence[str] | None = None, name: str = NOTEBOOK) -> Path:
    """A course in `folder` with the settings of this repository and one notebook; with `exercises`, only these of
    it."""
    source = folder / "solutions" / name
    source.mkdir(parents=True)
    notebook = notebook_from_source(name, ROOT)
    if exercises is not None:
        wanted = {*exercises, *(f"{name}-check" for name in exercises), "reflection"}
        first = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
        notebook.cells = [cell for i, cell in enumerate(notebook.cells) if i == first or name_of(cell) in wanted]
    nbformat.write(notebook, source / f"{name}.ipynb")
    (source / f"{name}.py").write_text("# the text source, which must not be released\n")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    return folder


def make_release(course: Path, name: str = NOTEBOOK) -> Path:
    """The learner's notebook of the course, as a file in its place."""
    file = course / "notebooks" / name / f"{name}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(released_text(name, course))
    return file


def name_of(cell: NotebookNode) -> str | None:
    """The grade_id of a cell."""
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")


@cache
def model_answers(name: str = NOTEBOOK) -> dict[str, str]:
    """The model answers of the notebook, by grade_id."""
    cells = notebook_from_source(name, ROOT).cells
    return {str(name_of(c)): c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")}


def answered(released: Path, answers: Mapping[str, str]) -> dict:
    """The learner's notebook as JSON with these answers in it."""
    notebook = json.loads(released.read_text())
    for cell in notebook["cells"]:
        if (name := str(name_of(cell))) in answers:
            cell["source"] = answers[name]
    return notebook


def nbgrader(folder: Path, home: Path, *arguments: str, ends: int = 0) -> str:
    """Run an nbgrader command in `folder`, as a user whose home is `home`; its status must be `ends`. Returns what it
    said.

    It runs in a fork of this process, which has imported what takes longest; all else is as at the prompt.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = home / "log.txt"
    child = os.fork()
    if child == 0:
        run_command(folder, home, log, arguments)
    _, status = os.waitpid(child, 0)
    said = log.read_text()
    assert os.waitstatus_to_exitcode(status) == ends, f"nbgrader {' '.join(arguments)}\n{said[-4000:]}"
    return said


def run_command(folder: Path, home: Path, log: Path, arguments: Sequence[str]) -> None:
    """The child's part of `nbgrader`. Does not return."""
    status = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115 - this process ends with them
        os.chdir(folder)
        os.environ |= {"HOME": str(home), "JUPYTER_CONFIG_DIR": f"{home}/.jupyter", "JUPYTER_DATA_DIR": f"{home}/.data"}
        NbGraderApp.launch_instance(argv=list(arguments))
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


SEED = 11
ANSWERS = {
    "model": model_answers()["entropy"],
    "stub": "def entropy(p):\n    raise NotImplementedError\n",
    "bits": "def entropy(p):\n    return torch.special.entr(p).sum(-1) / math.log(2)\n",
    "no batches": "def entropy(p):\n    return torch.special.entr(p).sum()\n",
    "nan": "def entropy(p):\n    return -(p * p.log()).sum(-1)\n",
    "half": "def entropy(p):\n    return torch.special.entr(p.float()).sum(-1)\n",
    "numpy": "import numpy as np\n\ndef entropy(p):\n    x = p.detach().double().numpy()\n"
    "    y = np.where(x > 0, x, 1.0)\n    return torch.from_numpy(np.asarray(-(x * np.log(y)).sum(-1))).to(p.dtype)\n",
    "raises": "def entropy(p):\n    raise ValueError('no')\n",
    "in place": "def entropy(p):\n    q = torch.special.entr(p).sum(-1)\n    p.detach().zero_()\n    return q\n",
    "none": "def entropy(p):\n    pass\n",
    "forbidden": "def entropy(p):\n    return torch.distributions.Categorical(probs=p).entropy()\n",
}


def grade(
    grader: Grader, released: Path, folder: Path, answers: dict[str, str], seed: int | None = SEED
) -> GradedNotebook:
    """Grade a notebook with these answers as the plugin does, the verdict kept in `folder`."""
    file, verdict_file = folder / "submitted" / f"{NOTEBOOK}.ipynb", folder / "verdict.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(answered(released, answers)))
    graded = grader.grade(file, released, read_verdict(verdict_file), seed)
    write_verdict(verdict_file, graded.verdict)
    return graded
