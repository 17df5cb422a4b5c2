"""Choices and orders: per learner, sealed, and never passed by habit."""

from __future__ import annotations

import getpass
import json
from importlib import import_module

import pytest

from grading.exercises import load
from grading.exercises.written import on_sheet
from helpers import questions
from helpers.checking import key
from helpers.checking.check import examine
from helpers.checking.kinds import choices
from helpers.checking.marking import CORRECT
from helpers.checking.words import ITEM

NOTEBOOK = "08-reading-and-writing-math"
definitions = import_module("grading.exercises.08_reading_and_writing_math")
GROUPS = {"ten_signs": definitions.SIGNS, "code_to_formula": definitions.CODE, "adam_paper": definitions.PAPER}
QUESTIONS = [one for group in GROUPS.values() for one in group]
each_question = pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: f"{one.text[:20]}")


def judged(question, word):
    return choices.chosen({question.name: word}, {"judge": "chosen", "questions": [question.as_data()]})


@each_question
def test_every_wrong_option_is_told_its_own_sentence(question):
    assert judged(question, choices.word(5, question.name, question.right)) is None
    assert len(set(question.wrong.values())) == len(question.wrong) == 3
    for option, sentence in question.wrong.items():
        assert sentence in judged(question, choices.word(5, question.name, option)).text


@each_question
def test_the_longest_option_is_wrong(question):
    assert max(question.options, key=len) != question.right


@each_question
def test_words_and_places_differ_from_sheet_to_sheet(question):
    sheets = range(choices.SHEETS)
    words = {choices.word(sheet, question.name, question.right) for sheet in sheets}
    places = [choices.in_order_of(sheet, question.name, question.options).index(question.right) for sheet in sheets]
    assert len(words) == choices.SHEETS
    assert set(places) == {0, 1, 2, 3}


@pytest.mark.parametrize("name", GROUPS)
def test_no_two_options_of_a_sheet_share_a_word_and_each_is_read_back(name):
    group = GROUPS[name]
    for sheet in range(choices.SHEETS):
        for one in group:
            assert len({choices.word(sheet, one.name, option) for option in one.options}) == 4
        answers = {question: [word] for question, word in on_sheet(group, sheet).items()}
        read = choices.read_back(answers, {one.name: one.options for one in group})
        assert set(read.numbers.values()) == {sheet}
        assert read.chosen == {one.name: [one.right] for one in group}


def test_who_goes_on_at_another_machine_has_two_sheets_and_is_understood():
    for name, group in GROUPS.items():
        mixed = on_sheet(group, 5) | on_sheet(group[:2], 41)
        report = examine(name, load(NOTEBOOK)[name].as_data(9), {name: lambda mixed=mixed: mixed})
        assert report.outcome == CORRECT


def test_which_sheet_is_the_learners_own(monkeypatch):
    monkeypatch.setenv("INFOGRAD_SHEET", "67")
    assert questions.sheet() == 3
    monkeypatch.delenv("INFOGRAD_SHEET")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert questions.sheet() == questions.sheet()
    sheets = set()
    for number in range(200):
        monkeypatch.setattr(getpass, "getuser", lambda number=number: f"learner {number}")
        sheets.add(questions.sheet())
    assert len(sheets) > choices.SHEETS / 2
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert questions.sheet() in range(choices.SHEETS)


def nobody():
    raise OSError("no account")


@pytest.mark.parametrize("name", GROUPS)
def test_no_exercise_is_passed_by_a_habit(name):
    """The longest option everywhere, or one place of the sheet, never has all; the longest earns nothing."""
    group = GROUPS[name]
    for sheet in range(choices.SHEETS):
        shown = {one.name: choices.in_order_of(sheet, one.name, one.options) for one in group}
        for habit in (lambda o: max(o, key=len), *(lambda o, i=i: o[i] for i in range(4))):
            answer = {question: choices.word(sheet, question, habit(options)) for question, options in shown.items()}
            right = sum(choices.word(sheet, one.name, one.right) == answer[one.name] for one in group)
            assert right < len(group)
    always = {one.name: choices.word(0, one.name, max(one.options, key=len)) for one in group}
    assert examine(name, load(NOTEBOOK)[name].as_data(9), {name: lambda: always}).marks == 0


def test_the_key_says_in_clear_neither_what_is_right_nor_why():
    for name, group in GROUPS.items():
        text = json.dumps(key.find(name))
        for one in group:
            assert not [sentence for sentence in one.wrong.values() if json.dumps(sentence)[1:-1] in text]
            assert not [sheet for sheet in range(choices.SHEETS) if choices.word(sheet, one.name, one.right) in text]
        kept = key.find(name)["criteria"][0]["cases"][0]["expected"]["questions"]
        rights = [data["options"].index(one.right) for data, one in zip(kept, group, strict=True)]
        assert len(set(rights)) > 1
        assert all(len(data["told"]) == 4 for data in kept)


def test_what_derivations_are_told():
    (proof, *_) = definitions.PROOFS
    expected = {"judge": "in_order", "proofs": [proof.as_data()]}
    right = [choices.word(3, proof.name, step) for step in proof.steps]
    assert choices.in_order({proof.name: right}, expected) is None
    assert "1 more to come" in choices.in_order({proof.name: right[:-1]}, expected).text
    assert "the first 0 stand" in choices.in_order({proof.name: right[::-1]}, expected).text
    wrong = [*right[:1], choices.word(3, proof.name, proof.wrong), *right[2:]]
    assert proof.told in choices.in_order({proof.name: wrong}, expected).text
    assert "is no word" in choices.in_order({proof.name: ["zzzz"]}, expected).text
    assert "no answer yet" in choices.in_order({}, expected).text


@pytest.mark.parametrize("several", [False, True])
def test_remarks_are_a_list_and_what_is_said_of_several_stands_once(several):
    asked = definitions.PROOFS[:3] if several else definitions.SIGNS[:3]
    judge, kind = ("in_order", "proofs") if several else ("chosen", "questions")
    expected = {"judge": judge, kind: [one.as_data() for one in asked]}
    wrong = choices.word(3, asked[1].name, asked[1].wrong if several else next(iter(asked[1].wrong)))
    told = asked[1].told if several else next(iter(asked[1].wrong.values()))
    text = choices.JUDGES[judge]({asked[1].name: [wrong] if several else wrong}, expected).text
    first, second, third = (one.name for one in asked)
    assert text.split(ITEM) == [
        f"0 of 3 are right; look again at {first}, {second}, {third}.",
        f"{first}, {third}: no answer yet.",
        f"{second}: {told}",
    ]


@pytest.mark.parametrize("answer", [None, "a", [], {"1": 3}, {"1": ["a", "b"]}, {"1": None}, {"1": "x" * 90_000}])
def test_any_answer_is_judged(answer):
    data = {"judge": "chosen", "questions": [QUESTIONS[0].as_data()]}
    assert choices.chosen(answer, data) is not None
