"""What the page of the report shows: figures, tables with their CSV, and what it says where there is nothing."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from grading.report.mistakes import Cluster, Mistake, Unpassed
from grading.report.page import Noticed, Report, Slow, render
from grading.report.similarity import Pair
from grading.report.statistics import Bin, ExerciseStatistics

NOTEBOOK = "01-information-identities"
FIVE = ["ada", "bea", "cem", "dia", "eli"]
FULL = Report(
    NOTEBOOK,
    learners=40,
    points=20.0,
    mean=11.25,
    ungraded=[Noticed("zoe", "unreadable: a web page")],
    distribution=[Bin(0.0, 10.0, 30), Bin(10.0, 20.0, 10)],
    exercises=[
        ExerciseStatistics("entropy", 3.0, False, 31, 17, 40, 1.5, 0.5, 0.61, 0.42, 0.02),
        ExerciseStatistics("huffman", 2.0, True, 5, 4, 40, 0.25, 0.125, None, None, 1.5),
    ],
    mistakes=[Mistake(f"exercise{i}", f"name{i}", f"Sentence {i} of `code`.", FIVE[: 5 - i % 2]) for i in range(17)],
    unpassed=[Unpassed("entropy", "zeros", 12, "expected 0, got nan.")],
    clusters=[Cluster(f"exercise{i}", ["definition", "zeros"], f"got {i}.", FIVE, f"def f{i}():") for i in range(32)],
    slowest=[Slow("ada", "entropy", 2.5)],
    limits=[Noticed("bea", "memory")],
    irregular=[*(Noticed("ada", f"thing {i}") for i in range(5)), Noticed("bea", "a link")],
    pairs=[Pair("ada", "bea", 0.875, 12, ["entropy", "kl"])],
)
EMPTY = replace(FULL, ungraded=[], mistakes=[], unpassed=[], clusters=[], limits=[], irregular=[], pairs=[])


@pytest.fixture(scope="module")
def page():
    return BeautifulSoup(render(FULL), "html.parser")


def text_of(tag):
    return " ".join(tag.get_text(" ").split())


def rows(page, label):
    """The cells of the table with this label, row by row."""
    region = page.find(attrs={"aria-label": label})
    assert region is not None, label
    return [[text_of(cell) for cell in row.find_all(["th", "td"])] for row in region.tbody.find_all("tr")]


def widths(page, label):
    """How long the bars of a table are."""
    return [bar["style"] for bar in page.find(attrs={"aria-label": label}).select(".bar span")]


def test_the_figures_on_top(page):
    assert [text_of(one) for one in page.select(".figures li")] == [
        "40 learners graded",
        "11.25 of 20 mean marks",
        "1 need a look",
        "6 things out of the ordinary",
    ]
    assert rows(page, "Submissions that need a look") == [["zoe", "unreadable: a web page"]]


def test_marks_and_exercises(page):
    assert rows(page, "Distribution of marks") == [["0.0 to 10.0", "30", ""], ["10.0 to 20.0", "10", ""]]
    assert widths(page, "Distribution of marks") == ["width: 75.0%", "width: 25.0%"]
    assert rows(page, "Exercises") == [
        ["entropy", "31 of 40", "17", "1.50 of 3", "50%", "0.61", "0.42", "0.020 s"],
        ["huffman extra credit", "5 of 40", "4", "0.25 of 2", "12%", "–", "–", "1.500 s"],
    ]
    assert widths(page, "Exercises") == ["width: 50.0%", "width: 12.5%"]


def test_no_bar_leaves_its_place():
    beyond = [replace(FULL.exercises[0], share=share) for share in (-0.5, 1.5)]
    shown = BeautifulSoup(render(replace(FULL, exercises=beyond)), "html.parser")
    assert widths(shown, "Exercises") == ["width: 0%", "width: 100%"]


def test_fifteen_mistakes_stand_there_and_the_rest_is_folded(page):
    first, rest = rows(page, "Mistakes, the most frequent first"), rows(page, "Further mistakes")
    assert [row[1] for row in first + rest] == [one.exercise for one in FULL.mistakes]
    assert len(first) == 15
    assert first[0] == ["5", "exercise0", "Sentence 0 of code .", "5 learners ada, bea, cem, dia, eli"]
    assert first[1] == ["4", "exercise1", "Sentence 1 of code .", "ada, bea, cem, dia"]
    assert page.find(attrs={"aria-label": "Further mistakes"}).find_parent("details").summary.text == "2 more"


def test_what_nobody_passed_and_what_took_long(page):
    assert rows(page, "Criteria that nobody passed") == [["entropy", "zeros", "12", "expected 0, got nan."]]
    assert rows(page, "Slowest exercises") == [["ada", "entropy", "2.500"]]
    assert rows(page, "Submissions alike") == [["ada and bea", "88%", "12", "entropy, kl"]]


def test_of_the_unexplained_thirty_are_shown_and_the_first_is_open(page):
    heading = page.find("h2", string="Wrong answers that nothing explains")
    folds = list(heading.find_next_siblings(["details", "h2"]))
    folds = folds[: next(i for i, one in enumerate(folds) if one.name == "h2")]
    assert len(folds) == 30
    assert [one.has_attr("open") for one in folds] == [True, *[False] * 29]
    assert text_of(folds[1]) == "5 · exercise1 · definition, zeros got 1. ada, bea, cem, dia, eli def f1():"


def test_of_one_learner_three_things_stand_there_and_the_rest_is_folded(page):
    assert rows(page, "Limits and oddities") == [
        ["ada", "thing 0 thing 1 thing 2 2 more thing 3 thing 4"],
        ["bea", "memory a link"],
    ]


def test_each_table_is_there_as_csv_whole(page):
    tables = {}
    for link in page.select("a[download]"):
        data = base64.b64decode(link["href"].partition("base64,")[2]).decode()
        tables[link["download"].removeprefix(f"{NOTEBOOK}-").removesuffix(".csv")] = list(csv.reader(io.StringIO(data)))
    assert {name: len(table) - 1 for name, table in tables.items()} == {
        "marks": 2, "exercises": 2, "mistakes": 17, "unpassed": 1, "unexplained": 32, "slowest": 1, "noticed": 7,
        "alike": 1,
    }  # fmt: skip
    assert tables["alike"] == [
        ["one", "other", "share", "runs", "exercises"],
        ["ada", "bea", "0.875", "12", "entropy kl"],
    ]


def test_where_there_is_nothing_the_page_says_so(page):
    sentences = (
        "No known mistake was made.",
        "Every criterion was passed by somebody who came as far as it.",
        "There are none.",
        "No limit was hit, and no submission held what it should not.",
        "No two submissions share more than a class does by chance.",
    )
    empty = BeautifulSoup(render(EMPTY), "html.parser")
    for sentence in sentences:
        assert empty.find("p", string=sentence), sentence
        assert not page.find("p", string=sentence), sentence
    labels = {one["aria-label"] for one in empty.select("[role=region]")}
    assert labels == {"Distribution of marks", "Exercises", "Slowest exercises"}
    assert "0 need a look" in text_of(empty.ul)
