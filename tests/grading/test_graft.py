from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from grading.graft import Grafted, grade_id, graft
from tests.grading.courses import answered

ANSWER = "def entropy(p):\n    return p.sum(-1)\n"


def take(tmp_path: Path, released: Path, text: str | bytes | None) -> Grafted:
    file = tmp_path / "handed_in.ipynb"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return graft(file, nbformat.read(released, as_version=4), 100_000, 1000)


def source(grafted: Grafted, name: str) -> str:
    return next(cell.source for cell in grafted.notebook.cells if grade_id(cell) == name)


def test_only_the_text_of_answers_is_taken(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": ANSWER, "entropy-check": "3.0", "reflection": "my words"})
    notebook["cells"][0]["source"] = "import nothing"
    grafted = take(tmp_path, released, json.dumps(notebook))
    ours = nbformat.read(released, as_version=4)
    assert source(grafted, "entropy") == ANSWER
    assert source(grafted, "reflection") == "my words"
    assert source(grafted, "entropy-check") == source(Grafted(ours, ""), "entropy-check")
    assert [cell.metadata for cell in grafted.notebook.cells] == [cell.metadata for cell in ours.cells]
    assert grafted.notebook.cells[0].source == ours.cells[0].source
    assert grafted.irregularities


def test_an_honest_notebook_has_no_irregularity(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": ANSWER})
    notebook["cells"].append({"cell_type": "code", "source": "", "metadata": {}, "outputs": []})
    for cell in notebook["cells"]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
        cell["metadata"]["collapsed"] = True
    assert take(tmp_path, released, json.dumps(notebook)).irregularities == []


def test_lines_and_carriage_returns(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {"entropy": "LINES"})
    cell = next(cell for cell in notebook["cells"] if cell["source"] == "LINES")
    cell["source"] = ["a = 1\r\n", "b = 2\r", "c\0 = 3"]
    assert source(take(tmp_path, released, json.dumps(notebook)), "entropy") == "a = 1\nb = 2\nc = 3"


def test_a_missing_cell_is_not_attempted(tmp_path: Path, released: Path) -> None:
    notebook = answered(released, {})
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id(cell) != "entropy"]
    grafted = take(tmp_path, released, json.dumps(notebook))
    assert "NotImplementedError" in source(grafted, "entropy")
    assert "The cell entropy is missing; it counts as not attempted." in grafted.irregularities


def test_an_overlong_answer_is_not_taken(tmp_path: Path, released: Path) -> None:
    grafted = take(tmp_path, released, json.dumps(answered(released, {"entropy": "x" * 1001})))
    assert "NotImplementedError" in source(grafted, "entropy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No notebook"),
        ("", "not whole JSON"),
        ("{", "not whole JSON"),
        ("[]", "no list of cells"),
        ('{"cells": {}}', "no list of cells"),
        ("[" * 1000, "nested"),
        (b"\xff\xfe{}", "UTF-8"),
        (" " * 100_001, "larger than"),
        ('{"cells": [' + "0," * 2001 + "0]}", "more than 2000"),
        ('{"cells": [' + "1" * 5000 + "]}", "not whole JSON"),
    ],
)
def test_what_is_no_notebook(tmp_path: Path, released: Path, text: str | bytes | None, reason: str) -> None:
    grafted = take(tmp_path, released, text)
    assert reason in str(grafted.problem)
    assert grafted.notebook == nbformat.read(released, as_version=4)


def test_a_link_is_not_followed(tmp_path: Path, released: Path) -> None:
    (tmp_path / "handed_in.ipynb").symlink_to(released)
    assert "not a file of its own" in str(take(tmp_path, released, None).problem)


def test_a_bracket_in_a_text_is_no_nesting(tmp_path: Path, released: Path) -> None:
    deep = "# " + '[{"\\"' * 100
    grafted = take(tmp_path, released, json.dumps(answered(released, {"entropy": deep})))
    assert source(grafted, "entropy") == deep
    assert grafted.problem is None


def test_the_digest_is_that_of_the_file(tmp_path: Path, released: Path) -> None:
    text = json.dumps(answered(released, {}))
    assert take(tmp_path, released, text).digest == take(tmp_path, released, text).digest
    assert take(tmp_path, released, text).digest != take(tmp_path, released, text + " ").digest
    assert os.listdir(tmp_path) == ["handed_in.ipynb"]
