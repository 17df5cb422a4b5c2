"""Formulas in LaTeX: what is read, what it is worth, and that nothing which strangers write is more than a wrong answer."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.exercises import load
from helpers.checking.card import from_report
from helpers.checking.check import examine
from helpers.checking.kinds import formulas, latex, meaning, rendering
from helpers.checking.kinds.languages import LANGUAGES

NOTEBOOK = "08-reading-and-writing-math"
FORMULAS = [name for name in load(NOTEBOOK) if name.endswith("_in_latex")]
P = np.array([0.4, 0.3, 0.2, 0.1])
PIECES = [
    r"\sum_x", r"\sum_{x,y}", "p(x)", "p", "x", "y", "(", ")", "[", "]", "{", "}", "^", "_", r"\frac", r"\log ", r"\hat ", "=", "+", "-",
    "/", r"\cdot ", "9", "2", r"\mathbb{E}", r"\min", r"\nabla ", "|", r"\|", ",", ";", ":", r"\le ", r"\text{s.t.}", r"\theta", "'",
    r"^\top", "^{-1}", "F", "L", "g", r"\\", r"\quad ", "\x00", r"\def\a{\a}", "é", r"\eta", "d", "D", "H(X)", "I(X;Y)", r"\sqrt",
]  # fmt: skip
BOMBS = {
    "braces": "{" * 1400,
    "brackets": "(" * 700 + "x" + ")" * 700,
    "sums within sums": "".join(r"\sum_{x}(" for _ in range(30)) + "p(x)" + ")" * 30,
    "powers": "9^{" * 35 + "9" + "}" * 35,
    "digits": "9" * 1400,
    "too long": "x" * 100_000,
    "macros": r"\def\a{\a\a}\a",
    "logarithms": r"\log " * 250 + "2",
    "hats": r"\hat{" * 200 + "x" + "}" * 200,
    "a program": "__import__('os').system('id')",
    "half a character": "\ud800",
    "nothing": "",
}


def criteria(name):
    return [[one["expected"] for one in c["cases"]] for c in load(NOTEBOOK)[name].as_data()["criteria"]]


def expected(name):
    return [one for cases in criteria(name) for one in cases]


def value(text, scope=None, language="entropy"):
    known = LANGUAGES[language]
    (statement,) = formulas.read(text, known.functions, known.tables)
    return float(meaning.evaluate(statement, scope or known.scope(P)))


@pytest.mark.parametrize("name", FORMULAS)
def test_each_question_has_twelve_spellings_and_eight_wrong_formulas(name):
    exercise = load(NOTEBOOK)[name]
    assert len({repr(one[name]()) for one in exercise.alternatives.values()}) >= 12
    assert len(exercise.misconceptions) >= 8


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (r"\frac12", 0.5), (r"\tfrac{1}{2} (1 + 1)^2", 2), (r"\log 2\pi e", np.log(2 * np.pi) + 1), (r"\log 2 \cdot 3", 3 * np.log(2)),
        (r"2 - 3 - 4", -5), (r"8/4/2", 1), (r"-2^2", -4), (r"\sum_x p(x) + 1", 2), (r"\sum_x (p(x) + 1)", 5), (r"\log_2 8", 3),
        (r"\sum_x p(x) \log p(x) p(x)", (P**2 * np.log(P)).sum()), (r"\sum_x \log(p(x)) p(x)", (P * np.log(P)).sum()),
        (r"\exp(0)^2", 1), (r"\sqrt{4}^{3}", 8), (r"n p_1^0", None), (r"\mathbb{E}[p(X)]", (P**2).sum()), (r"2\left(1+\frac{1}{2}\right)", 3),
    ],
)  # fmt: skip
def test_what_a_formula_is_worth(text, right):
    if right is None:
        with pytest.raises(formulas.Unreadable):
            value(text)
    else:
        assert value(text) == pytest.approx(right)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        (r"\sum_x p(x \foo)", 11, "not known"),
        (r"\sum_x (p(x)", 12, "too early"),
        ("p(x))", 4, "opens"),
        ("1 + + 2", 4, "not expected"),
    ],
)
def test_what_cannot_be_read_has_its_place_and_a_sentence(text, at, says):
    with pytest.raises(formulas.Unreadable, match=says) as found:
        value(text)
    assert found.value.at == at
    problem = latex.latex(text, expected("entropy_in_latex")[0])
    assert f"at character {at + 1}" in problem.text


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_a_wrong_answer_and_soon(name, bomb):
    text = BOMBS[bomb]
    for cases in criteria(name):
        for answer in (text, [text] * 4, [text] * 5000):
            begun = time.process_time()
            assert any(latex.latex(answer, one) is not None for one in cases)
            for one in cases:
                latex.readings(answer, one)
            assert time.process_time() - begun < 10


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25), st.sampled_from(FORMULAS))
def test_whatever_is_written_is_judged(pieces, name):
    text = "".join(pieces)
    for one in expected(name):
        for answer in (text, (text,) * 4):
            problem = latex.latex(answer, one)
            assert problem is None or problem.text
            latex.readings(answer, one)


@pytest.mark.parametrize("answer", [None, 3, {}, ["x", 3], b"x", [], [["x"]]])
def test_what_is_no_text_is_told_so(answer):
    assert "text" in latex.latex(answer, expected("entropy_in_latex")[0]).text


@pytest.mark.parametrize("name", FORMULAS)
def test_the_reading_is_shown_before_the_verdict(name):
    exercise = load(NOTEBOOK)[name]
    card = from_report(examine(name, exercise.as_data(), next(iter(exercise.alternatives.values()))))
    assert card.text.index("Read as:") < card.text.index("correct")
    assert card.html.index("Read as:") < card.html.index("correct")


def test_a_reading_has_brackets_where_the_sum_ends_and_is_no_markup():
    language = LANGUAGES["entropy"]
    (statement,) = formulas.read(r"-\sum_x p(x) \log p(x) + \frac{1}{2}", language.functions, language.tables)
    assert rendering.as_text(statement) == "−Σ_x [ p(x) · log(p(x)) ] + 1 / 2"
    assert "<sub><i>x</i></sub>" in rendering.as_html(statement)
    (statement,) = formulas.read("1 < 2", language.functions, language.tables)
    assert "&lt;" in rendering.as_html(statement)
