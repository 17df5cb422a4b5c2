"""No source rule refuses a right answer for its style: list comprehensions and einsum, SciPy and NumPy, lambdas and
decorators, classes and generators are all read, in the check and in the grading, and earn full marks."""

import linecache
import sys
import types

import pytest

from grading import source_rules
from grading.exercises import load, notebooks
from helpers.checking.check import examine
from tests.grading.exercises.styles import IMPORTS, STYLES
from tests.grading.exercises.wrapped import WRAPPED

ANSWERS = [
    (name, f"{kind}{i}", text)
    for kind, table in (("", STYLES), ("wrapped ", WRAPPED))
    for name, texts in table.items()
    for i, text in enumerate(texts)
]
each_answer = pytest.mark.parametrize(
    ("name", "text"), [(n, t) for n, _, t in ANSWERS], ids=[f"{n}-{i}" for n, i, _ in ANSWERS]
)


def exercise_called(name):
    """The exercise of this name, in whichever notebook."""
    return next(load(notebook)[name] for notebook in notebooks() if name in load(notebook))


def made(name, cells):
    """The function that cells define, with a text that Python finds, as in a notebook."""
    notebook = sys.modules["a_notebook"] = types.ModuleType("a_notebook")  # without a file, as a kernel's is
    space = vars(notebook)
    for i, cell in enumerate(cells):
        file = f"<style {name} {i}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), space)
    return space[name]


def test_there_are_enough():
    assert len(ANSWERS) >= 40
    assert len(STYLES) >= 20


@each_answer
def test_an_answer_in_another_style_gets_full_marks(name, text):
    exercise = exercise_called(name)
    report = examine(name, exercise.as_data(1, mistakes=False), {name: made(name, [IMPORTS, text])})
    assert report.broken_rule is None
    assert report.marks == exercise.points, report.failure and (report.failure.problem, report.failure.case["call"])


@each_answer
def test_the_grading_reads_it_alike(name, text):
    rules = exercise_called(name).rules
    assert source_rules.AnswerText([IMPORTS, text]).broken_rule({"functions": [name], "rules": rules}) is None
