"""The kill table of one exercise, which an author looks at while writing it."""

from __future__ import annotations

import pytest

from grading.exercises import kill_table


def test_it_is_the_exercises_part_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert kill_table.main(["01-information-identities", "perplexity"]) == 0
    shown = capsys.readouterr().out.strip()
    assert shown.startswith("### perplexity\n")
    assert shown in kill_table.FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("one", [["01-information-identities", "perplexty"], ["09-nothing", "x"], ["01"]])
def test_what_is_not_there_is_named(one: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert kill_table.main(one) == 2
    assert one[-1] in capsys.readouterr().err
