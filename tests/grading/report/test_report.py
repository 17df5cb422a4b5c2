"""The teacher's report: its numbers against numbers worked out otherwise, and its page as a browser gets it."""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from grading.report import similarity, statistics
from grading.report.mistakes import clusters, told_mistakes, unpassed
from grading.report.page import csv_link, main, make_report, render
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


def test_upper_less_lower_by_hand():
    shares, totals = np.array([0, 0, 0, 0.5, 0, 1, 0.5, 1, 1, 1]), np.arange(10.0)
    assert statistics.upper_lower(shares, totals) == pytest.approx(1.0)  # three of ten on each side
    assert statistics.upper_lower(shares[::-1], totals) == pytest.approx(-1.0)
    assert statistics.upper_lower(shares[:9], totals[:9]) is None


def test_an_exercise_of_luck_tells_nobody_apart(big_class):
    found = {one.exercise: one for one in statistics.exercise_statistics(big_class)}
    assert found["telling"].point_biserial > 0.3 > abs(found["luck"].point_biserial)
    assert found["telling"].upper_lower > 0.6


def test_equal_marks_have_no_correlation():
    same = [learner(str(i), {"a": exercise(3.0), "b": exercise(3.0)}) for i in range(20)]
    assert {(one.upper_lower, one.point_biserial) for one in statistics.exercise_statistics(same)} == {(None, None)}


def test_every_learner_is_in_one_bin(big_class):
    bins = statistics.distribution(big_class, 11.0)
    assert sum(one.learners for one in bins) == 200
    assert statistics.distribution([learner("all", {"a": exercise(3.0)})], 3.0)[-1].learners == 1


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
