"""The checklist: twenty items, each shown by an exercise that there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import checklist
from helpers.checking import key

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def table(tmp_path, monkeypatch):
    file = tmp_path / "progress.json"
    monkeypatch.setenv("INFOGRAD_PROGRESS", str(file))
    return file


def test_twenty_items_lead_to_cells_that_there_are(table):
    rows = checklist.states()
    assert len(rows) == len({words for words, *_ in rows}) == 20
    assert {state for *_, state in rows} == {checklist.NOT_YET}
    for _, exercise, notebook, _ in rows:
        beside = ROOT / "notebooks" / "08-reading-and-writing-math"
        file, _, cell = checklist.address(notebook, exercise).partition("#cell-id=")
        text = (beside / file).resolve().read_text(encoding="utf-8")
        assert cell in [one["id"] for one in json.loads(text)["cells"]]


def test_progress_is_read(table, capsys):
    table.write_text(json.dumps({"entropy": {"marks": key.find("entropy")["points"]}, "adam_step": {"marks": 0.5}}))
    states = {exercise: state for _, exercise, _, state in checklist.states()}
    assert (states["entropy"], states["adam_step"], states["perplexity"]) == ("done", "try again", "not yet tried")
    checklist.checklist()
    assert "1 of 20. A beginning." in capsys.readouterr().out


def test_bands():
    counts = (20, 15, 14, 10, 9, 7, 6, 0)
    assert [checklist.BANDS.index(next(b for b in checklist.BANDS if b[1] == checklist.band(n))) for n in counts] == [
        0, 0, 1, 1, 2, 2, 3, 3,
    ]  # fmt: skip
