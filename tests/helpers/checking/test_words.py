"""Sentences are made at the end, from a template and facts."""

import ast
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import helpers.checking
from helpers.checking.words import ITEM, Phrase, Problem, ProblemKind, printable, prose

FOLDER = Path(helpers.checking.__file__).parent


def test_a_problem_is_its_kind_and_its_words():
    many = Phrase(" ({n} of {all})", {"n": 2, "all": 3})
    problem = Problem.of("numbers", "expected {want:.3g}, got {got:.3g}{many}.", want=1 / 3, got=0.5, many=many)
    assert problem.kind == "numbers"
    assert problem.text == str(problem) == "expected 0.333, got 0.5 (2 of 3)."


@pytest.mark.parametrize("fact", ["{secret}", "{0}", "{", "%s", "{kind}"])
def test_facts_are_put_in_as_they_are(fact):
    assert Problem.of("raised", "It raised {error}.", error=fact).text == f"It raised {fact}."


def calls_of_problem():
    """Every `Problem.of(kind, template, ...)` in the folder, with its file and line."""
    found = []
    for file in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem.of":
                found.append(pytest.param(node, id=f"{file.name}:{node.lineno}"))
    return found


@pytest.mark.parametrize("call", calls_of_problem())
def test_every_problem_has_a_known_kind_and_no_text_that_is_made_before(call):
    """A translation replaces templates, so no template may hold facts already."""
    kind, template = call.args[:2]
    if isinstance(kind, ast.Constant):
        assert kind.value in get_args(ProblemKind)
    else:
        assert ast.unparse(kind).endswith(".kind")  # another problem's, handed on
    assert isinstance(template, (ast.Constant, ast.Name))
    if isinstance(template, ast.Constant):
        fields = {name for _, name, _, _ in Formatter().parse(template.value) if name}
        given = {keyword.arg for keyword in call.keywords}
        assert None in given or fields == given


def test_printable():
    assert printable("a\x1b[2J\nb", 5) == "a[2J"
    assert printable("a\nb", instead=" ") == "a b"


def test_a_sentence_as_html_is_escaped_and_has_code_and_emphasis():
    said = "Over the *mean* of `a*b*c` & <b>, where 2 * p * q is not p*q*r."
    want = "Over the <em>mean</em> of <code>a*b*c</code> &amp; &lt;b&gt;, where 2 * p * q is not p*q*r."
    assert prose(said) == want
    assert prose(f"Two are wrong.{ITEM}the <b>{ITEM}`c`").endswith("<li>the &lt;b&gt;</li><li><code>c</code></li></ul>")
    assert prose("`open <i>").count("<code>") == prose("`open <i>").count("</code>") == 1
