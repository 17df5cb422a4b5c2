"""A helper of an honest answer may have a name that a cell of ours binds, before it or after: its answer keeps its
marks, whether the helper is used as the cell runs or when the answer is called."""

from __future__ import annotations

import ast
from functools import cache

import nbformat
import pytest

from grading.exercises import load, notebooks
from grading.exercises.exercise import Exercise
from grading.source_rules import AnswerText, CellText, ToRead, statements_of
from grading.submission import sorted_cells
from helpers.checking.names import global_names
from tests.grading.courses import ROOT

# A helper; what stands above the answer; what stands below it, and is put into a list that the answer is taken from.
FORMS = {
    "a decorator": ("def NAME(its_own):\n    return its_own\n", "@NAME", ""),
    "a decorator made by a call": ("def NAME(one=1):\n    return lambda its_own: its_own\n", "@NAME(one=2)", ""),
    "a decorator's helper": (
        "def NAME():\n    return 1\ndef with_NAME(its_own):\n    NAME()\n    return its_own\n",
        "@with_NAME",
        "",
    ),
    "a global that waits": (
        "NAME = 1\ndef with_NAME(its_own):\n    def wrapped(*given, **more):\n"
        "        NAME + 1\n        return its_own(*given, **more)\n    return wrapped\n",
        "@with_NAME",
        "",
    ),
    "a partial": ("def NAME(its_own, *given):\n    return its_own(*given)\n", "", "functools.partial(NAME, ANSWER)"),
    "a default": ("def NAME(*given):\n    return given\n", "", "lambda *given, NAME_kept=NAME(1): NAME_kept"),
    "a base": ("class NAME:\n    pass\nclass NAME_more(NAME):\n    pass\n", "", "NAME_more()"),
    "a lambda": ("NAME = lambda its_own: its_own\n", "", "NAME(ANSWER)"),
    "a loop's name": ("for NAME in [lambda its_own: its_own]:\n    pass\n", "", "NAME(ANSWER)"),
    "one of two": ("try:\n    NAME = abs\nexcept ValueError:\n    NAME = max\n", "", "NAME(1)"),
}


@cache
def cells_of(notebook: str) -> list[tuple[str, str, bool]]:
    """Each cell that runs: its name, its code, and whether it is a learner's; with the model answers."""
    executed = nbformat.read(ROOT / "solutions" / notebook / f"{notebook}.ipynb", as_version=4)
    return [(cell.name, cell.python, cell.is_learners) for cell in sorted_cells(executed) if cell.runs]


@cache
def names_of_ours(notebook: str) -> set[str]:
    """Every name that a cell of ours binds, in whichever way."""
    found = set[str]()
    for number, (_, code, is_learners) in enumerate(cells_of(notebook)):
        if not is_learners:
            found |= {name for one in statements_of(number, CellText(code, True)) for name in one.binds}
    return {name for name in found if name.isidentifier()}


def with_helpers(code: str, function: str, names: list[str], form: str) -> str:
    """An answer with helpers of these names."""
    helper, above, below = FORMS[form]
    lines = code.splitlines(keepends=True)
    definition = next(one for one in ast.parse(code).body if isinstance(one, ast.FunctionDef) and one.name == function)
    first = min([definition.lineno, *(one.lineno for one in definition.decorator_list)]) - 1
    helpers = "".join(helper.replace("NAME", name) for name in names)
    decorators = "".join(above.replace("NAME", name) + "\n" for name in names)
    used = ", ".join(below.replace("NAME", name).replace("ANSWER", function) for name in names)
    after = f"\nimport functools\n{function} = [{function}, {used}][0]\n" if below else ""
    return helpers + "".join(lines[:first]) + decorators + "".join(lines[first:]) + after


QUICK = ("04-condition-number-landscapes", "05-gaussian-kl-monte-carlo")


@pytest.mark.parametrize(
    ("notebook", "turn"),
    [
        pytest.param(notebook, turn, marks=[] if notebook in QUICK and turn == 0 else [pytest.mark.long])
        for notebook in notebooks()
        for turn in range(len(FORMS))
    ],
)
def test_a_helper_may_have_a_name_of_ours(notebook: str, turn: int) -> None:
    """The answers with rules have each a form of helper, for all names; at the next turn each has another."""
    exercises, forms = load(notebook), [*FORMS][turn:] + [*FORMS][:turn]
    used = {name for _, code, learners in cells_of(notebook) if learners for name in global_names(ast.parse(code))}
    names = sorted(names_of_ours(notebook) - used - exercises.keys())
    texts, chosen = [], dict[str, str]()
    for cell, code, is_learners in cells_of(notebook):
        if is_learners and cell in exercises and has_rules(exercises[cell]) and f"def {cell}(" in code:
            form = forms[len(chosen) % len(forms)]
            code, chosen[cell] = with_helpers(code, cell, names, form), form
        texts.append(CellText(code, not is_learners))
    text = AnswerText(texts)
    for name, form in chosen.items():
        exercise: ToRead = {"functions": list(exercises[name].references), "rules": exercises[name].rules}
        assert text.broken_rule(exercise) is None, (name, form)
        kept = {inner for some in text.kept(exercise).values() for one in some if not one.ours for inner in one.binds}
        assert set(names) <= kept, (name, form, sorted(set(names) - kept))


def has_rules(exercise: Exercise) -> bool:
    """Whether something is not an answer to an exercise, and no kernel is asked for, whose text is read otherwise."""
    return bool(exercise.rules["forbid"] or exercise.rules["modules"]) and not exercise.rules.get("kernel")
