"""What anyone gets to see of a judgement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from grading.exercises import load
from grading.feedback import GENERAL, NUMBERS, general, redact, remedy
from grading.grade import Grader
from grading.submission import grade_id
from helpers.checking import card, plain
from helpers.checking.check import examine
from helpers.checking.marking import CriterionReport, Played, Report
from helpers.checking.words import Phrase, Problem, ProblemKind
from tests.grading.courses import ANSWERS, NOTEBOOK, SEED, grade

WRONG_FROM_CALL = """
calls = 0
def entropy(p):
    global calls
    calls += 1
    right = torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
    return right if calls <= {public} else right + 0.5
"""


def test_a_hidden_failure_shows_nothing_of_its_case(grader: Grader, released: Path, tmp_path: Path) -> None:
    data = load(NOTEBOOK)["entropy"].as_data(SEED)
    cases = [case for criterion in data["criteria"] for case in criterion["cases"]]
    public = sum(1 for case in cases if not case.get("hidden"))  # they are played before the first hidden one
    graded = grade(grader, released, tmp_path, {"entropy": WRONG_FROM_CALL.replace("{public}", str(public))})
    report = graded.judgement.reports["entropy"]
    assert report.failure is not None
    assert report.failure.case["hidden"]
    check = next(cell for cell in graded.notebook.cells if grade_id(cell) == "entropy-check")
    shown = json.dumps(check.outputs)
    assert "an input that is not shown" in shown
    assert "Called" not in shown
    for case in (case for case in cases if case.get("hidden")):
        for number in plain.decode(case["call"]["arguments"][0]).flatten().tolist()[:50]:
            if 0 < number < 1:
                assert f"{number:.4f}" not in shown


def test_redaction_leaves_no_trace_of_hidden_cases(grader: Grader, released: Path, tmp_path: Path) -> None:
    report = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}).judgement.reports["entropy"]
    redacted = redact(report)
    hidden = [one for c in redacted.criteria for one in c.played if one.case.get("hidden")]
    assert hidden
    assert all(not one.case["call"]["arguments"] and one.observation == {"outcome": "hidden"} for one in hidden)
    assert redacted.marks == report.marks


@pytest.mark.parametrize("kind", [kind for kind in get_args(ProblemKind) if kind != "not attempted"])
def test_a_hidden_failure_is_told_by_its_kind_whatever_its_words_are(kind: ProblemKind) -> None:
    problem = Problem.of(kind, "shape dtype None changed its input {secret}", secret=0.123)
    told = general(problem)
    assert told.kind == kind
    assert told.text.startswith(GENERAL.get(kind, NUMBERS))
    assert "0.123" not in told.text


@pytest.mark.parametrize("hidden", [True, False])
def test_what_was_read_off_hidden_numbers_is_not_told(hidden: bool) -> None:
    data = load(NOTEBOOK)["entropy"].as_data(SEED)
    case = next(one for c in data["criteria"] for one in c["cases"] if bool(one.get("hidden")) is hidden)
    wrong = Played(case, {"outcome": "returned", "value": 0.125, "changed": []}, Problem("numbers", Phrase("0.125")))
    report = Report("entropy", 1, False, "incorrect", [CriterionReport("any", 1, False, [wrong])])
    report.mistake, report.mistake_sentence, report.by_form = "constant", "The answer is 0.125 in every case.", True
    assert ("0.125" in card.from_report(redact(report)).text) is not hidden


def test_of_a_list_the_table_shows_the_sentence_before_it_and_the_card_all() -> None:
    exercise = load("08-reading-and-writing-math")["ten_signs"].as_data(SEED)
    report = examine("ten_signs", exercise, {"ten_signs": dict})
    assert remedy(report) == "0 of 13 are right; look again at 1, 2a, 2b, 3, 4, 7, 8, 5, 6a, 6b, 9, 10a, 10b."
    assert "<li>1, 2a, 2b, 3, 4, 7, 8, 5, 6a, 6b, 9, 10a, 10b: no answer yet.</li>" in card.from_report(report).html
