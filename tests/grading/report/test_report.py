"""The teacher's report: its numbers against numbers worked out otherwise, and its page as a browser gets it."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from grading.report import similarity, statistics
from grading.report.mistakes import clusters, told_mistakes, unpassed
from grading.report.page import Noticed, csv_link, main, make_report, render
from grading.report.reading import Graded, NothingGraded, read_class
from grading.verdict import CriterionVerdict, ExerciseVerdict, Verdict, write_verdict

NOTEBOOK = "01-information-identities"

SENTENCES = {"entropy_bits": "These are bits."}


def exercise(marks, points=3.0, *, stretch=False, mistake=None, rule=None, outcome=None, problems=("",)):
    outcome = outcome or ("correct" if marks == points else "incorrect")
    each = points / len(problems)
    criteria = [
        CriterionVerdict(f"criterion {i}", each, not problem, 2, "numbers" if problem else None, problem or None)
        for i, problem in enumerate(problems)
    ]
    return ExerciseVerdict(marks, points, stretch, outcome, mistake, rule, 0.01, criteria, SENTENCES.get(mistake))


def learner(name, exercises, answers=None, **about):
    verdict = Verdict("digest", "1", 0, True, "graded", None, [], {}, exercises, {})
    for key, value in about.items():
        setattr(verdict, key, value)
    return Graded(name, verdict, answers or {})


@pytest.fixture(scope="module")
def big_class():
    """Two hundred learners whose skill decides one exercise and not the other."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(200):
        skill = rng.uniform()
        telling = 3.0 if rng.uniform() < skill else 0.0
        rest = float(rng.binomial(6, skill))
        luck = 2.0 * rng.integers(2)
        verdicts = {"telling": exercise(telling), "rest": exercise(rest, 6.0), "luck": exercise(luck, 2.0)}
        found.append(learner(f"learner {number}", verdicts))
    return found


def test_discrimination_is_pearsons_correlation_with_the_other_exercises(big_class):
    for one in statistics.exercise_statistics(big_class):
        marks = np.array([g.verdict.exercises[one.exercise].marks for g in big_class])
        total = np.array([sum(v.marks for v in g.verdict.exercises.values()) for g in big_class])
        expected = np.corrcoef(marks >= one.points, total - marks)[0, 1]
        assert one.point_biserial == pytest.approx(expected, abs=1e-12)
        assert one.share == pytest.approx(marks.mean() / one.points)


def test_a_stretch_exercise_is_compared_with_all_the_core_marks():
    rng = np.random.default_rng(1)
    core, extra = rng.integers(0, 4, 30).astype(float), rng.integers(0, 2, 30) * 2.0
    handed = [
        learner(str(i), {"core": exercise(core[i]), "extra": exercise(extra[i], 2.0, stretch=True)}) for i in range(30)
    ]
    assert [one.marks for one in handed] == core.tolist()
    found = statistics.exercise_statistics(handed)[1]
    assert found.point_biserial == pytest.approx(np.corrcoef(extra == 2, core)[0, 1], abs=1e-12)


def test_an_exercise_by_hand():
    """Over those who have a verdict on it: one could not be read, one handed in an older notebook without it."""
    handed = [
        learner("ada", {"a": exercise(3.0), "b": exercise(2.0)}),
        learner("bea", {"a": exercise(0.0, outcome="not attempted"), "b": exercise(2.0)}),
        learner("cem", {"a": exercise(1.5), "b": exercise(2.0)}),
        learner("dia", {"a": exercise(0.0), "b": exercise(2.0)}),
        learner("eli", {"b": exercise(2.0)}),
        learner("fay", {}, outcome="unreadable"),
    ]
    one = statistics.exercise_statistics(handed)[0]
    assert (one.exercise, one.points, one.learners, one.attempted, one.solved) == ("a", 3.0, 4, 3, 1)
    assert (one.mean, one.share) == (1.125, 0.375)


def test_upper_less_lower_by_hand():
    shares, totals = np.array([0, 0, 0.25, 0.5, 0, 1, 0.5, 0.5, 1, 1]), np.arange(10.0)
    assert statistics.upper_lower(shares, totals) == pytest.approx(2.5 / 3 - 0.25 / 3)  # three of ten on each side
    assert statistics.upper_lower(shares[::-1], totals) == pytest.approx(0.25 / 3 - 2.5 / 3)
    assert statistics.upper_lower(shares[:9], totals[:9]) is None


def test_an_exercise_of_luck_tells_nobody_apart(big_class):
    found = {one.exercise: one for one in statistics.exercise_statistics(big_class)}
    assert found["telling"].point_biserial > 0.3 > abs(found["luck"].point_biserial)
    assert found["telling"].upper_lower > 0.6


def test_equal_marks_have_no_correlation():
    same = [learner(str(i), {"a": exercise(3.0), "b": exercise(3.0)}) for i in range(20)]
    assert {(one.upper_lower, one.point_biserial) for one in statistics.exercise_statistics(same)} == {(None, None)}


SOME = np.arange(10) < 5


@pytest.mark.parametrize(
    ("solved", "rest"),
    [
        (SOME, np.full(10, 7.0)),
        (SOME, 0.3 + 1e-15 * np.arange(10)),  # the same marks, summed in another order
        (np.full(10, True), np.arange(10.0)),
        (np.full(10, False), np.arange(10.0)),
        (SOME[1:], np.arange(9.0)),
    ],
)
def test_what_is_constant_or_small_has_no_correlation(solved, rest):
    assert statistics.point_biserial(solved, rest) is None
    assert statistics.point_biserial(SOME, np.arange(10.0)) < -0.8


def test_equal_totals_have_no_upper_part():
    assert statistics.upper_lower(1.0 * SOME, 0.3 + 1e-15 * np.arange(10)) is None


def test_where_nothing_could_be_read_all_have_no_marks():
    (first, *rest) = statistics.distribution([learner("ada", {}), learner("bea", {})], 0.0)
    assert (first.low, first.learners) == (0.0, 2)
    assert not any(one.learners for one in rest)


def test_every_learner_is_in_one_bin(big_class):
    bins = statistics.distribution(big_class, 11.0)
    assert sum(one.learners for one in bins) == 200
    assert statistics.distribution([learner("all", {"a": exercise(3.0)})], 3.0)[-1].learners == 1


def test_who_has_more_marks_than_there_are_now_is_in_the_last_bin():
    bins = statistics.distribution([learner("a", {"x": exercise(3.0)}), learner("b", {"x": exercise(4.0, 4.0)})], 3.0)
    assert [one.learners for one in bins] == [0] * 9 + [2]


def test_mistakes_come_by_their_number_and_a_broken_rule_is_one():
    handed = [
        learner("ada", {"entropy": exercise(0, mistake="entropy_bits")}),
        learner("bea", {"entropy": exercise(0, rule="entropy is not an answer here.")}),
        learner("cem", {"entropy": exercise(1, mistake="entropy_bits")}),
    ]
    first, second = told_mistakes(handed)
    assert (first.sentence, first.learners) == ("These are bits.", ["ada", "cem"])
    assert second.sentence == "entropy is not an answer here."
    assert not clusters(handed)


def test_the_most_frequent_come_first_then_by_exercise():
    handed = [
        learner("ada", {"a": exercise(0, mistake="m"), "b": exercise(0, mistake="m"), "c": exercise(0, mistake="m")}),
        learner("bea", {"c": exercise(0, mistake="m"), "b": exercise(3)}),
    ]
    assert [one.exercise for one in told_mistakes(handed)] == ["c", "a", "b"]


def test_a_group_tells_the_first_problem_that_a_public_case_showed():
    both = learner("ada", {"entropy": exercise(0, problems=("got 1.", "got 2."))})
    criteria = both.verdict.exercises["entropy"].criteria
    criteria[0] = replace(criteria[0], hidden=True)
    (found,) = clusters([both])
    assert (found.failed, found.problem, found.example) == (["criterion 0", "criterion 1"], "got 2.", "")


def test_wrong_answers_are_together_when_they_go_wrong_alike():
    wrong = ("expected 1.28, got 1.19.", "")
    handed = [
        learner("ada", {"entropy": exercise(0, problems=wrong)}, {"entropy": "def entropy(p):\n    long\n"}),
        learner("bea", {"entropy": exercise(0, problems=wrong)}, {"entropy": "short"}),
        learner("cem", {"entropy": exercise(0, problems=("expected 1.28, got 1.5.", ""))}),
        learner("dia", {"entropy": exercise(0, outcome="not attempted")}),
    ]
    first, second = clusters(handed)
    assert (first.learners, first.example, first.problem) == (["ada", "bea"], "short", "expected 1.28, got 1.19.")
    assert second.learners == ["cem"]


def test_what_hidden_cases_said_keeps_no_answers_apart():
    handed = [learner(name, {"entropy": exercise(0, problems=(f"got {name}.",))}) for name in ("1", "2")]
    assert len(clusters(handed)) == 2
    for one in handed:
        criteria = one.verdict.exercises["entropy"].criteria
        criteria[:] = [replace(each, hidden=True) for each in criteria]
    assert [one.learners for one in clusters(handed)] == [["1", "2"]]


def test_a_slow_learner_does_not_make_an_exercise_slow():
    times = (9.0, 0.01, 0.01)
    handed = [learner(f"{took}", {"entropy": replace(exercise(3), seconds=took)}) for took in times]
    assert statistics.exercise_statistics(handed)[0].seconds == 0.01


def test_a_criterion_is_unpassed_only_if_nobody_passed_it():
    handed = [
        learner("ada", {"entropy": exercise(1, problems=("", "worse", "got 2."))}),
        learner("bea", {"entropy": exercise(1, problems=("wrong", "", "got 2."))}),
        learner("cem", {"entropy": exercise(3, problems=("", "", "got 1."))}),
    ]
    (found,) = unpassed(handed)
    assert (found.criterion, found.tried, found.problem) == ("criterion 2", 3, "got 2.")
    assert unpassed(handed[:1]) == []  # one learner's failure says little of a criterion


def test_who_did_not_come_as_far_or_broke_a_rule_has_not_tried():
    handed = [
        learner("ada", {"entropy": exercise(0, problems=("often", "far"))}),
        learner("bea", {"entropy": exercise(0, problems=("often", "far"))}),
        learner("cem", {"entropy": exercise(0, problems=("seldom", ""))}),
        learner("dia", {"entropy": exercise(0, rule="No.", problems=("seldom", ""))}),
    ]
    for one in handed[1:3]:
        criteria = one.verdict.exercises["entropy"].criteria
        criteria[1] = replace(criteria[1], passed=None)
    (found,) = unpassed(handed)  # the second was tried by one alone
    assert (found.criterion, found.tried, found.problem) == ("criterion 0", 3, "often")


COPIED = """
def divergence(p, q):
    total = 0.0
    for i in range(len(p)):
        if p[i] > 0 and not q[i] <= 0:
            total = total + p[i] * (math.log(p[i]) - math.log(q[i]))
        elif p[i] > 0:
            return float("inf")
    return total
"""
RENAMED = COPIED.replace("total", "acc").replace("0.0", "0").replace("p[", "left[").replace("q[", "right[")
UNLIKE = """
def own(x):
    with open(x) as lines:
        return {line: [word for word in line.split() if word] for line in lines}
"""
OWN = """
def divergence(p, q):
    support = p > 0
    ratio = torch.where(support, p / q, torch.ones_like(p))
    terms = torch.where(support, p * ratio.log(), torch.zeros_like(p))
    return terms.sum(dim=-1, keepdim=False).clamp(min=0)
"""


def test_renaming_hides_nothing_and_what_many_write_says_nothing():
    handed = [learner(str(i), {}, {"kl": OWN}) for i in range(30)]
    handed += [learner("ada", {}, {"kl": COPIED}), learner("bea", {}, {"kl": "# mine\n" + RENAMED})]
    (found,) = similarity.similar_pairs(handed, {})
    assert (found.one, found.other, found.share, found.exercises) == ("ada", "bea", 1.0, ["kl"])


def test_what_the_course_wrote_is_no_likeness():
    handed = [learner(name, {}, {"kl": COPIED + f"\nx = {name!r}"}) for name in ("ada", "bea")]
    assert not similarity.similar_pairs(handed, {"kl": COPIED})


def test_of_two_that_are_alike_the_shorter_is_measured():
    handed = [learner(str(i), {}, {"kl": OWN}) for i in range(30)]
    handed += [learner("ada", {}, {"kl": COPIED}), learner("bea", {}, {"kl": RENAMED, "own": UNLIKE})]
    (found,) = similarity.similar_pairs(handed, {})
    assert found.share == 1.0
    assert found.runs == len(set(similarity.runs("kl", COPIED)))


def test_in_a_small_class_two_may_be_alike_and_three_are_how_one_writes_it():
    two = [learner("ada", {}, {"kl": COPIED}), learner("bea", {}, {"kl": RENAMED}), learner("cem", {}, {"kl": OWN})]
    assert [(one.one, one.other) for one in similarity.similar_pairs(two, {})] == [("ada", "bea")]
    assert not similarity.similar_pairs([*two, learner("dia", {}, {"kl": COPIED})], {})


def test_the_most_alike_pairs_come_first_and_not_too_many_of_them():
    """Forty pairs, each with an answer of its own length, to which one half adds much, little or nothing."""
    rng, handed = random.Random(0), []
    for number in range(40):
        shared, more = (" ".join(f"{rng.choice('+-*/%@|&^')} x" for _ in range(size)) for size in (20 + number, 9))
        own = more if number % 3 else ""
        handed += [learner(f"{number:02}a", {}, {"kl": f"x {shared} {own * (number % 3)}"})]
        handed += [learner(f"{number:02}b", {}, {"kl": f"x {shared} {'** x' * bool(own)}"})]
    found = similarity.similar_pairs(handed, {})
    assert len(found) == 20
    assert all(one.one[:2] == one.other[:2] for one in found)
    assert sum(one.share == 1 for one in found) == 14
    assert found == sorted(found, key=lambda one: (-one.share, -one.runs, one.one, one.other))
    assert found[0].runs > found[13].runs


def test_keywords_and_operators_stay_and_names_numbers_and_texts_are_of_their_kind():
    text = "for i in range(3):  # each\n    if not x: print('a' + b'')\n"
    expected = ["for", "name", "in", "name", "(", "number", ")", ":", "if", "not", "name", ":", "name"]
    assert similarity.kinds(text) == [*expected, "(", "text", "+", "text", ")"]


@pytest.mark.parametrize("rest", ['"' * 3, "(", "  x = 1\n y = 2\n", "'"])
def test_a_text_is_read_as_far_as_it_is_python(rest):
    assert similarity.kinds("a = 1\n" + rest)[:3] == ["name", "=", "number"]


HOSTILE = "<script>alert(1)</script><img src=//x.example/y>=2+5"


class Tags(HTMLParser):
    """The tags and addresses of a page."""

    def __init__(self):
        super().__init__()
        self.found, self.addresses = set(), []

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "srcset", "action")]


@pytest.fixture(scope="module")
def page():
    """A page on learners who wrote markup wherever they could."""
    wrong = {"entropy": exercise(0, problems=(HOSTILE,))}
    handed = [
        learner(HOSTILE, wrong, {"entropy": HOSTILE}, irregularities=[HOSTILE], limits_hit=[HOSTILE]),
        learner("bea", {}, outcome="unreadable", reason=HOSTILE),
    ]
    return render(make_report("01-information-identities", handed, {}))


def test_the_page_needs_no_network_and_runs_nothing(page):
    tags = Tags()
    tags.feed(page)
    assert not tags.found & {"script", "img", "iframe", "link", "object", "form"}
    assert tags.addresses
    assert all(address.startswith("data:text/csv") for address in tags.addresses)
    assert "default-src 'none'" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_each_table_is_there_as_csv(page):
    links = re.findall(r'download="([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    tables = {name: list(csv.reader(io.StringIO(base64.b64decode(data).decode()))) for name, data in links}
    assert {name.rsplit("-", 1)[1] for name in tables} >= {"marks.csv", "exercises.csv", "unexplained.csv"}
    header, row = tables["01-information-identities-exercises.csv"]
    assert header[:2] == ["exercise", "points"]
    assert row[:2] == ["entropy", "3.0"]


def test_a_spreadsheet_computes_nothing():
    link = csv_link([statistics.Bin(0.0, 1.0, 3), similarity.Pair("=cmd()", "b", 1.0, 5, ["@x"])])
    text = base64.b64decode(link.split(",", 1)[1]).decode()
    assert "'=cmd()" in text
    assert "'@x" in text


def test_it_reads_what_grading_wrote(tmp_path):
    verdict = learner("ada", {"entropy": exercise(3)}).verdict
    write_verdict(tmp_path / "verdicts" / "ada" / "nb" / "nb.json", verdict)
    (tmp_path / "verdicts" / "bea" / "nb").mkdir(parents=True)
    (tmp_path / "verdicts" / "bea" / "nb" / "nb.json").write_text("{")
    (found,) = read_class(tmp_path, "nb")
    assert (found.learner, found.marks, found.answers) == ("ada", 3.0, {})
    with pytest.raises(NothingGraded, match="infograd grade other"):
        read_class(tmp_path, "other")


def test_a_class_comes_in_the_order_of_names_with_the_code_of_its_answers(tmp_path):
    cells = [
        {
            "cell_type": "code",
            "metadata": {"nbgrader": {"grade_id": "entropy", "solution": True}},
            "source": ["a", "b"],
        },
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "entropy-check"}}, "source": "check"},
        {"cell_type": "code", "metadata": {}, "source": "ours"},
        {
            "cell_type": "markdown",
            "metadata": {"nbgrader": {"grade_id": "reflection", "solution": True}},
            "source": "r",
        },
    ]
    texts = {"dia": json.dumps({"cells": cells}), "ada": "{", "cem": "{}", "bea": "{}", "eli": None}
    for name, text in texts.items():
        verdict = learner(name, {"entropy": exercise(3), "extra": exercise(2, 2, stretch=True)}).verdict
        write_verdict(tmp_path / "verdicts" / name / "nb" / "nb.json", verdict)
        if text is not None:
            (place := tmp_path / "autograded" / name / "nb" / "nb.ipynb").parent.mkdir(parents=True)
            place.write_text(text)
    found = read_class(tmp_path, "nb")
    assert [one.learner for one in found] == ["ada", "bea", "cem", "dia", "eli"]
    assert [one.answers for one in found] == [{}, {}, {}, {"entropy": "ab"}, {}]
    assert {one.marks for one in found} == {3.0}


def test_the_facts_of_the_page():
    verdicts = {"a": exercise(1.0), "b": exercise(2.0, 2.0, stretch=True), "c": exercise(4.0, 4.0)}
    slow = {name: replace(one, seconds=number) for number, (name, one) in enumerate(verdicts.items())}
    handed = [
        learner("ada", slow, limits_hit=["memory"], irregularities=["a link"]),
        learner("bea", verdicts, failed={"a": "KeyError", "c": "OSError"}),
        learner("cem", {}, outcome="unreadable", reason="It is a zip archive."),
        *(learner(f"{i:02}", {"a": replace(exercise(0), seconds=0.5)}) for i in range(9)),
    ]
    report = make_report(NOTEBOOK, handed, {})
    assert (report.learners, report.points, report.mean) == (12, 7.0, 10 / 12)
    assert [(one.learner, one.what) for one in report.ungraded] == [
        ("bea", "the grader failed in a: KeyError; the grader failed in c: OSError"),
        ("cem", "unreadable: It is a zip archive."),
    ]
    assert report.limits == [Noticed("ada", "memory")]
    assert report.irregular == [Noticed("ada", "a link")]
    assert [(one.learner, one.seconds) for one in report.slowest] == [
        ("ada", 2), ("ada", 1), *((f"{i:02}", 0.5) for i in range(8))
    ]  # fmt: skip
    assert [one.learners for one in report.distribution] == [10, 0, 0, 0, 0, 0, 0, 2, 0, 0]


def test_the_page_goes_where_reports_are_or_where_one_says(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("grading.report.page.CLASSROOM", tmp_path)
    place = tmp_path / "verdicts" / "ada" / NOTEBOOK / f"{NOTEBOOK}.json"
    write_verdict(place, learner("ada", {"entropy": exercise(3)}).verdict)
    for arguments, file in (([], tmp_path / "reports" / f"{NOTEBOOK}.html"), (["--to"], tmp_path / "a" / "b.html")):
        assert main(["01", *arguments, *([str(file)] if arguments else [])]) == 0
        assert str(file) in capsys.readouterr().out
        assert "<b>1</b> learners graded" in file.read_text()


def test_nothing_graded_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("grading.report.page.CLASSROOM", tmp_path)
    assert main(["01-information-identities"]) == 1
    assert "infograd grade 01-information-identities" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("grading.report.page.CLASSROOM", tmp_path)
    place = tmp_path / "verdicts" / "ada" / NOTEBOOK / f"{NOTEBOOK}.json"
    write_verdict(place, learner("ada", {"entropy": exercise(3)}).verdict)
    (tmp_path / "file").write_text("")
    assert main([NOTEBOOK, "--to", str(Path(tmp_path / "file" / "report.html"))]) == 1
    assert "cannot be written" in capsys.readouterr().err
