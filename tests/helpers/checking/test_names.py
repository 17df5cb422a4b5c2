"""Which names a text looks up outside of itself, on each version of Python alike."""

from __future__ import annotations

import ast

import pytest

from helpers.checking.names import names_looked_up


@pytest.mark.parametrize(
    ("text", "at_once", "later"),
    [
        ("ks = [f(b) for b in (1, 2)]", "f", ""),
        ("d = {k: g(v) for k, v in p.items()}", "g p", ""),
        ("s = {h(x) for x in [y for y in z]}", "h z", ""),
        ("k = [w for w in w]", "w", ""),
        ("l = [b for b in c]\nb", "b c", ""),
        ("y = [last := e for e in data]", "data", ""),
        ("def f():\n    return [a + c for a in q]", "", "c q"),
        ("async def g():\n    return [x async for x in y]", "", "y"),
        ("z = [(lambda: i + r)() for i in t]", "t", "r"),
        ("class A:\n    l = [u for u in m]", "m", ""),
        ("@d([n(o) for o in (1, 2)])\ndef kernel(x):\n    return x + e", "d n", "e"),
    ],
)
def test_a_comprehensions_variables_are_its_own(text: str, at_once: str, later: str) -> None:
    """Python 3.12 and newer have them in the table of the scope around it."""
    tree = ast.parse(text)
    before = ast.dump(tree)
    assert names_looked_up(tree) == (set(at_once.split()), set(later.split()))
    assert ast.dump(tree) == before
