"""How an exercise is defined: options that do not exist are refused, and the version says what decides a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from grading import exercises
from grading.exercises import deciding, notebooks, version
from grading.exercises.exercise import Exercise, case, exercise

P = torch.tensor([0.5, 0.5], dtype=torch.float64)
RIGHT: dict[str, Any] = {"hints": ["Think."]}


def with_case(**options: Any) -> Exercise:
    """An exercise with one case that has these options."""

    @exercise(**RIGHT)
    def total(p):
        return p.sum(-1)

    @total.criterion("adds up", marks=1)
    def cases(rng):
        yield case(P, **options)

    return total


@pytest.mark.parametrize(
    ("misspelt", "meant"), [("unchangd", "unchanged"), ("rtoll", "rtol"), ("any_sequences", "any_sequence")]
)
def test_a_misspelt_option_of_a_case_is_refused_with_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"no option '{misspelt}'; did you mean '{meant}'"):
        case(P, **{misspelt: True})  # type: ignore[arg-type] # the misspelling is what is tested


@pytest.mark.parametrize(("misspelt", "meant"), [("forbids", "forbid"), ("hint", "hints"), ("modul", "modules")])
def test_a_misspelt_rule_is_refused_with_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"no option '{misspelt}'; did you mean '{meant}'"):
        exercise(**RIGHT, **{misspelt: []})  # type: ignore[arg-type] # the misspelling is what is tested


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"judge": "clos", "value": 1.0}, "did you mean 'close'"),
        ({"judge": "close", "values": 1.0}, "did you mean 'value'"),
        ({"judge": "raises", "eror": "ValueError"}, "did you mean 'error'"),
        ({"value": 1.0}, "the table of judges has no option"),
    ],
)
def test_a_misspelt_expectation_is_refused(expected: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        with_case(expected=expected).as_data()


def test_an_expectation_as_it_should_be_is_taken() -> None:
    (criterion,) = with_case(expected={"judge": "close", "value": 1.0}, rtol=1e-3).as_data()["criteria"]
    assert criterion["cases"][0]["expected"] == {"judge": "close", "value": 1.0, "rtol": 1e-3}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that decide verdicts, and some that do not, copied to where a test may change them."""
    root = exercises.ROOT
    for folder in ("grading", "helpers"):
        for file in (root / folder).rglob("*.py"):
            place = tmp_path / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
    monkeypatch.setattr(exercises, "ROOT", tmp_path)
    monkeypatch.setattr(exercises, "FOLDER", tmp_path / "grading" / "exercises")
    return tmp_path


FIRST, THIRD = "01-information-identities", "03-adam-bias-correction"


@pytest.mark.parametrize(
    ("file", "first", "third"),
    [
        ("helpers/checking/card.py", False, False),
        ("helpers/checking/progress.py", False, False),
        ("helpers/checking/kinds/tables.py", False, False),
        ("grading/feedback.py", False, False),
        ("grading/building/build.py", False, False),
        ("helpers/checking/comparing.py", True, True),
        ("grading/judge.py", True, True),
        ("grading/source_rules.py", True, True),
        ("grading/sandbox/worker.py", True, True),
        ("helpers/checking/kinds/training.py", False, True),
        ("helpers/checking/kinds/divergences.py", True, False),
        ("grading/exercises/03_adam_bias_correction.py", False, True),
    ],
)
def test_the_version_changes_with_what_decides_a_verdict_alone(
    copied: Path, file: str, first: bool, third: bool
) -> None:
    before = version(FIRST), version(THIRD)
    place = copied / file
    place.write_text(place.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert (version(FIRST) != before[0], version(THIRD) != before[1]) == (first, third)


@pytest.mark.parametrize("notebook", notebooks())
def test_every_file_that_decides_is_there(notebook: str) -> None:
    assert all(file.is_file() for file in deciding(notebook))
