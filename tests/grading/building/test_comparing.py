"""A build leaves alone what says the same, and keeps what somebody wrote."""

from __future__ import annotations

import base64
import io
import json
import shutil
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from grading.building import products
from grading.building.comparing import UNCOMPARED, same_notebook
from grading.course import keep_copy
from tests.grading.courses import NOTEBOOK, ROOT, answered


def picture(change: int = 0) -> str:
    """A picture of a line, in base64; `change` more of its pixels are black."""
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[50] = 0
    pixels[60, :change] = 0
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()


def notebook(content: str, text: str = "1.0", tags: tuple[str, ...] = ()) -> str:
    cell = nbformat.v4.new_code_cell("draw()", id="draw", metadata={"tags": list(tags)})
    html = f"<img alt='a line' src='data:image/png;base64,{content}'>"
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": text})]
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))


def test_a_picture_counts_by_its_looks() -> None:
    plain = notebook(picture())
    assert same_notebook(plain, notebook(picture()))
    assert same_notebook(plain, notebook(picture(change=3)))
    assert not same_notebook(plain, notebook(picture(change=100)))
    assert not same_notebook(plain, notebook("AAAA"))


def test_a_number_counts_and_what_is_the_machines_own_does_not() -> None:
    assert not same_notebook(notebook(picture()), notebook(picture(), "1.1"))
    own = (UNCOMPARED,)
    assert same_notebook(notebook(picture(), tags=own), notebook(picture(100), "1.1", own))
    assert not same_notebook(notebook(picture()), "no notebook")


def test_a_key_that_says_the_same_stays_and_another_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (ROOT / "helpers" / "keys" / f"{NOTEBOOK}.json").read_text(encoding="utf-8")
    file = tmp_path / "helpers" / "keys" / f"{NOTEBOOK}.json"
    file.parent.mkdir(parents=True)
    file.write_text(key, encoding="utf-8")
    digits = "1.2798542258336674"
    assert digits in key
    monkeypatch.setattr(products, "make_key", lambda name: key.replace(digits, "1.2798542258336671"))
    products.write_key(NOTEBOOK, tmp_path)
    assert file.read_text(encoding="utf-8") == key
    changed = key.replace('"points": 3.0', '"points": 4.0', 1)
    monkeypatch.setattr(products, "make_key", lambda name: changed)
    products.write_key(NOTEBOOK, tmp_path)
    assert file.read_text(encoding="utf-8") == changed


def test_what_somebody_wrote_in_a_learners_notebook_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("solutions", "notebooks"):
        shutil.copytree(ROOT / folder / NOTEBOOK, tmp_path / folder / NOTEBOOK)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    monkeypatch.setattr(products, "ROOT", tmp_path)
    monkeypatch.setattr("grading.course.ROOT", tmp_path)
    monkeypatch.setattr(products, "keep_copy", partial(keep_copy, classroom=tmp_path / "classroom"))
    file = tmp_path / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    as_made = file.read_text(encoding="utf-8")
    work = json.dumps(answered(file, {"entropy": "def entropy(p):\n    return 1\n"}))
    file.write_text(work, encoding="utf-8")
    products.write_release(NOTEBOOK, tmp_path)
    assert file.read_text(encoding="utf-8") == as_made
    assert (tmp_path / "classroom" / "kept" / NOTEBOOK / "1.ipynb").read_text(encoding="utf-8") == work
    assert "it is kept as" in capsys.readouterr().err
    products.write_release(NOTEBOOK, tmp_path)
    assert len(list((tmp_path / "classroom" / "kept").rglob("*.ipynb"))) == 1
