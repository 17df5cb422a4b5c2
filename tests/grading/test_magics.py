"""IPython's syntax as Python: what is run is what is read."""

from __future__ import annotations

import ast

import pytest

from grading.magics import as_python

FUNCTION = "def f(p):\n    return p\n"
NOTHING = "get_ipython()"


@pytest.mark.parametrize("text", [FUNCTION, "x = 5 % 3\n", "y = (4\n% 3)\n", "", 'text = """\n%time x\n"""\n'])
def test_python_stays_as_it_is(text: str) -> None:
    assert as_python(text) == text


@pytest.mark.parametrize("magic", ["%%time", "%%capture out", "\n\n%%timeit -n 3", "%%time\n%%capture"])
def test_what_stands_under_a_magic_stays_code(magic: str) -> None:
    assert as_python(f"{magic}\n{FUNCTION}") == FUNCTION


@pytest.mark.parametrize(
    ("line", "code"),
    [("%time x = f(1)", "x = f(1)"), ("    %timeit -n 10 -r3 f(1)", "    f(1)"), ("%prun -l 5 f(1)", "f(1)")],
)
def test_what_follows_a_magic_stays_code(line: str, code: str) -> None:
    assert as_python(f"if 1:\n    pass\n{line}\n") == f"if 1:\n    pass\n{code}\n"


@pytest.mark.parametrize(
    "line", ["%matplotlib inline", "!ls", "x = !ls", "x = %who", "f?", "?f", "%%bash\nls", "%time -o"]
)
def test_all_else_becomes_a_call_that_does_nothing(line: str) -> None:
    made = as_python(f"{line}\n" if line.startswith("%%") else f"{FUNCTION}{line}\n")
    ast.parse(made)
    assert NOTHING in made or made.endswith("\n-o\n")


@pytest.mark.parametrize("text", ["x = %a\n" * 6000, "x?\r" * 12000, "!ls\n" * 12000])
def test_what_would_take_ipython_minutes_stays_as_it_is(text: str) -> None:
    assert as_python(text) == text
