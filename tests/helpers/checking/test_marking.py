"""Marking: criteria, the gate, outcomes, and which mistake is recognised."""

import pytest

from helpers.checking.marking import mark
from helpers.checking.recognising import recognise

SENTENCES = {"doubled": "This is doubled.", "negated": "This is negated."}


def case(number, **mistakes):
    """A case that expects `number`, with what mistakes would return."""
    known = {name: returned(value) for name, value in mistakes.items()}
    call = {"function": "f", "names": ["x"], "arguments": [number]}
    return {"call": call, "expected": {"judge": "close", "value": number, "dtype": None}, "mistakes": known}


def returned(value):
    return {"outcome": "returned", "value": value, "changed": []}


def exercise(*criteria):
    named = [{"name": f"criterion {i}", "marks": 1.0 + i, "cases": cases} for i, cases in enumerate(criteria)]
    return {
        "points": sum(c["marks"] for c in named),
        "stretch": False,
        "criteria": named,
        "mistakes": SENTENCES,
        "hints": ["Think."],
    }


def marked(answer, *criteria, rule=None):
    played = []

    def play(criterion, calls):
        for call in calls:
            played.append(call["arguments"][0])
            outcome = answer(call["arguments"][0])
            yield outcome if isinstance(outcome, dict) else returned(outcome)

    data = exercise(*criteria)
    report = mark("f", data, play, lambda: rule)
    recognise(data, report)
    return report, played


def is_stub(x):
    return {"outcome": "not attempted"}


THREE = ([case(1.0), case(2.0)], [case(3.0)], [case(4.0), case(5.0)])


class TestMarks:
    def test_everything_right(self):
        report, played = marked(lambda x: x, *THREE)
        assert (report.outcome, report.marks, report.points) == ("correct", 6.0, 6.0)
        assert played == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert report.failure is None

    def test_each_criterion_counts_alone(self):
        report, _ = marked(lambda x: x if x != 3.0 else 0.0, *THREE)
        assert (report.outcome, report.marks) == ("incorrect", 4.0)
        assert [c.passed for c in report.criteria] == [True, False, True]
        assert report.failure.problem.text == "expected 3, got 0."

    def test_one_wrong_case_costs_its_criterion(self):
        report, _ = marked(lambda x: x if x != 5.0 else 0.0, *THREE)
        assert report.marks == 3.0

    def test_behind_a_shut_gate_nothing_is_played_or_earned(self):
        report, played = marked(lambda x: x if x != 2.0 else 0.0, *THREE)
        assert (report.outcome, report.marks) == ("incorrect", 0.0)
        assert [c.passed for c in report.criteria] == [False, None, None]
        assert played == [1.0, 2.0]

    def test_a_criterion_without_cases_earns_nothing(self):
        report, _ = marked(lambda x: x, [case(1.0)], [])
        assert report.marks == 1.0

    def test_a_broken_rule_earns_nothing_and_is_asked_after_one_case(self):
        report, played = marked(lambda x: x, *THREE, rule="Write it yourself.")
        assert (report.outcome, report.marks, report.broken_rule) == ("incorrect", 0.0, "Write it yourself.")
        assert played == [1.0]


class TestOutcomes:
    def test_a_stub(self):
        report, played = marked(is_stub, *THREE, rule="never asked")
        assert (report.outcome, report.marks, report.broken_rule) == ("not attempted", 0.0, None)
        assert played == [1.0]

    def test_a_branch_that_is_not_written_is_a_failure_of_its_criterion(self):
        report, _ = marked(lambda x: x if x != 3.0 else is_stub(x), *THREE)
        assert (report.outcome, report.marks) == ("incorrect", 4.0)

    def test_an_error(self):
        error = {"outcome": "raised", "error": "KeyError", "message": "x"}
        assert marked(lambda x: error, *THREE)[0].outcome == "raised an error"
        assert marked(lambda x: x if x < 3 else error, *THREE)[0].outcome == "raised an error"
        assert marked(lambda x: [0.0, 1.0, 0.0, error][int(x)], *THREE)[0].outcome == "incorrect"

    def test_the_wrong_error_where_one_is_expected(self):
        refusing = case(3.0) | {"expected": {"judge": "raises", "error": "ValueError"}}
        error = {"outcome": "raised", "error": "KeyError", "message": "x"}
        report, _ = marked(lambda x: x if x < 3 else error, [case(1.0)], [refusing])
        assert (report.outcome, report.marks) == ("incorrect", 1.0)

    def test_what_does_not_end_once_is_not_tried_again(self):
        late = {"outcome": "interrupted", "message": "no answer after 10 s"}
        report, played = marked(lambda x: late, *THREE)
        assert report.outcome == "incorrect"
        assert played == [1.0]
        _, played = marked(lambda x: x if x != 4.0 else late, *THREE)
        assert played == [1.0, 2.0, 3.0, 4.0]


class TestRecognition:
    CASES = ([case(1.0, doubled=2.0, negated=-1.0), case(2.0, doubled=4.0, negated=-2.0)], [case(3.0, doubled=6.0)])

    @pytest.mark.parametrize(("factor", "name"), [(2.0, "doubled"), (-1.0, "negated")])
    def test_a_mistake_is_known_by_its_numbers(self, factor, name):
        report, _ = marked(lambda x: factor * x, *self.CASES)
        assert (report.mistake, report.mistake_sentence) == (name, SENTENCES[name])

    def test_other_numbers_are_nobodys(self):
        assert marked(lambda x: x + 7, *self.CASES)[0].mistake is None
        assert marked(lambda x: x, *self.CASES)[0].mistake is None

    def test_the_first_failure_must_be_explained(self):
        assert marked(lambda x: 9.0 if x == 1.0 else 2 * x, *self.CASES)[0].mistake is None

    def test_the_mistake_that_explains_more_wins(self):
        both = [case(1.0, doubled=2.0, negated=2.0), case(3.0, doubled=6.0, negated=-3.0)]
        assert marked(lambda x: 2 * x, both)[0].mistake == "doubled"
        assert marked(lambda x: 2.0 if x == 1.0 else -x, both)[0].mistake == "negated"

    def test_a_mistake_that_would_have_failed_elsewhere_is_less_likely(self):
        cases = [case(1.0, doubled=2.0, negated=2.0), case(3.0, doubled=6.0)]
        assert marked(lambda x: 2.0 if x == 1.0 else x, cases)[0].mistake == "negated"

    def test_a_mistake_may_be_known_by_its_looks(self):
        looks = {"looks": {"judge": "close", "value": 2.0, "dtype": None, "atol": 0.5, "rtol": 0.0}}
        cases = [case(1.0) | {"mistakes": {"doubled": looks}}]
        assert marked(lambda x: 2.3, cases)[0].mistake == "doubled"
        assert marked(lambda x: 2.6, cases)[0].mistake is None
