"""Source rules, read in the text of a submission."""

from __future__ import annotations

import ast
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from grading.exercises import load
from grading.reading import Reading
from grading.source_rules import AnswerText, CellText, ToRead
from tests.grading.courses import NOTEBOOK, model_answers

# What a submission's text may look like that is legal, within the limit of characters, and hard to read.
MANY = ",".join(f"a{number}" for number in range(3000))
HARD_TO_READ = {
    "elif": "if 0:\n x = 1\n" + "".join(f"elif {number}:\n x = 1\n" for number in range(2400)),
    "names": f"{MANY} = range(3000)\ndef entropy(p):\n    return {MANY}\n",
    "imports": f"import {MANY}\ndef entropy(p):\n    return {MANY}\n",
    "stars": "from torch import *\n" * 1500 + f"def entropy(p):\n    return {MANY}\n",
    "again": "def entropy(p): pass\n" * 2000,
    "global": "".join(f"def f{n}():\n global entropy\n entropy = f{n}\n" for n in range(1000)),
    "attributes": "def entropy(p):\n    return p" + ".a" * 2000,
    "called": "x0 = 1\n" + "".join(f"x{n + 1} = f(x{n})\n" for n in range(400)) + "def entropy(p): return x400\n",
}


RULES = {"forbid": ["entropy", "Categorical", "kl_div"], "modules": ["helpers"], "require": [], "because": "Write it."}
ENTROPY: Any = {"functions": ["entropy"], "rules": RULES}
OURS = CellText("import torch\nfrom helpers import information\nfrom helpers.channels import *", ours=True)
FORBIDDEN = "def entropy(p): return torch.distributions.Categorical(probs=p).entropy()"
HONEST = "def entropy(p): return -torch.special.xlogy(p, p).sum(-1)"


def broken(*cells: str) -> str | None:
    return AnswerText([OURS, *cells]).broken_rule(ENTROPY)


def run(*cells: str) -> dict[str, object]:
    """The names that are there when the statements have run that were read for the exercise."""
    texts = [OURS, *map(CellText, cells)]
    space: dict[str, object] = {}
    for cell, kept in AnswerText(texts).kept(ENTROPY).items():
        exec(compile(ast.Module([one.node for one in kept], []), f"cell {cell}", "exec"), space)
    return space


@pytest.mark.parametrize(
    "cells",
    [
        ["torch.special.entr = S", "class S: pass", "def entropy(p): return torch.special.entr(p).entropy()"],
        [HONEST, "from helpers.information import entropy"],
        [HONEST, "if True:\n    from helpers.information import entropy"],
        ["from helpers.information import entropy as e\nentropy = lambda p: e(p)"],
        ["def entropy(p): return information.entropy(p)"],
        ["from helpers.information import *"],
        [FORBIDDEN, "entropy: object"],
        [FORBIDDEN + "\nentropy = torch.jit.script(entropy)"],
        ["h = torch.distributions\ndef entropy(p): return h.OneHotCategorical(probs=p).perplexity().log()"],
        ["M = [torch.distributions]\ndef entropy(p): return M[0].x(p)"],
        ["def f(m=torch): return m\ndef entropy(p): return f().x(p)"],
        ["get = print.__self__.getattr\ndef entropy(p): return get(p, 'x')"],
        ["import pkgutil\ndef entropy(p): return pkgutil.resolve_name('torch')"],
        ["import torch.fx\ndef entropy(p): return torch.fx.wrap(p)"],
        ["def entropy(p): return torch._log_softmax(p, -1, False)"],
        ["def entropy(p): return torch.nn.modules.loss.F.relu(p)"],
        ["match torch.nn.functional:\n    case object(kl_div=k): pass\ndef entropy(p): return k(p, p)"],
        ["import functools\ndef entropy(p): return functools.update_wrapper(p, p)"],
        ["class A:\n    def __setattr__(self, n, v): L.append(v)\nL = []\ndef entropy(p): return A().__setattr__"],
        ["class A:\n    def kl_div(self): return self\ndef entropy(p): return torch.nn.functional.kl_div(p, p)"],
        ["from scipy import stats\ndef entropy(p): return stats.rv_discrete(values=p)"],
        ["def entropy(p): return (lambda: 0).__globals__"],
        ["def entropy(p): return __builtins__.eval('p')"],
        ["def entropy(p): return __loader__.load_module('torch')"],
        ["import functools\ng = functools.singledispatch(print)\ndef entropy(p): return g.register(p)"],
        ["from typing_extensions import get_annotations as g\ndef entropy(p): return g(p, eval_str=True)"],
        ["class A:\n    __annotations__ = {'x': 'kl_div'}\ndef entropy(p): return A()"],
        ["import triton.language as tl\ndef entropy(p): return tl.str_to_ty('kl_div', None)"],
        ["import jaxtyping as j\ndef entropy(p): return isinstance(p, j.Float[torch.Tensor, 'f()+0'])"],
        ["from jaxtyping import Float\nn = 'f()+0'\ndef entropy(p): return isinstance(p, Float[torch.Tensor, n])"],
        ["from jaxtyping import Float\nL = [Float]\ndef entropy(p): return isinstance(p, L[0][torch.Tensor, 'n'])"],
        ["from jaxtyping import jaxtyped\n@jaxtyped\ndef entropy(p): return p"],
    ],
)
def test_ways_around_the_source_rules(cells: list[str]) -> None:
    assert broken(*cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["def swap():\n    global entropy\n    from helpers.information import entropy\nswap()"],
        ["class B:\n    global entropy\n    def entropy(p): return torch.distributions.Categorical(p).entropy()"],
        ["import __main__\n__main__.entropy = torch.distributions.Categorical"],
        ["globals()['entropy'] = torch.distributions.Categorical"],
        ["for _ in map(setattr, [torch.special], ['xlogy'], [None]): pass"],
        ["torch.special.__dict__"],
    ],
)
def test_what_was_not_read_does_not_run(cells: list[str]) -> None:
    """It is left out, and what is called is the honest function: its numbers are judged."""
    before = torch.special.xlogy
    found = run(HONEST, *cells).get("entropy") if broken(HONEST, *cells) is None else None
    assert found is None or found.__code__.co_names[:2] == ("torch", "special")  # type: ignore[attr-defined] # a function
    assert torch.special.xlogy is before


def test_a_name_that_only_an_unread_statement_binds_is_not_there() -> None:
    for cell in ("globals()['entropy'] = 1", "class B:\n    global entropy\n    entropy = 1", "entropy: object"):
        assert broken(cell) is None
        assert "entropy" not in run(cell)


STYLES = {
    "an earlier attempt": [FORBIDDEN, HONEST],
    "an earlier attempt, and recursion": [
        FORBIDDEN,
        "def entropy(p): return entropy(p[0]) if p.dim() > 9 else -torch.special.xlogy(p, p).sum(-1)",
    ],
    "a comparison with the library": [
        HONEST,
        "p = torch.ones(2) / 2\nassert torch.allclose(entropy(p), torch.distributions.Categorical(p).entropy())",
    ],
    "an import that brings more than is used": [
        "from torch.distributions import Categorical, constraints\nfrom torch.special import xlogy\n"
        "def entropy(p): return -xlogy(p, p).sum(-1)"
    ],
    "a class of one's own": [
        "class Info:\n    def __init__(self): self._kept = {}\n"
        "    def entropy(self, p): return -torch.special.xlogy(p, p).sum(-1)\n"
        "info = Info()\ndef entropy(p): return info.entropy(p) + 0 * len(info._kept)",
    ],
    "a method called in place": [
        "class Info:\n    def entropy(self, q): return -torch.special.xlogy(q, q).sum(-1)\ndef entropy(p):\n"
        "    h = Info().entropy\n    return h(p)"
    ],
    "a library under a name of one's own": [
        "F = torch.nn.functional\nS = torch.special\ndef entropy(p): return S.entr(F.relu(p)).sum(-1)"
    ],
    "a table that is filled": [
        "T = []\nT.append(-1)\nfor i in range(1):\n    T.append(0)\n"
        "def entropy(p): return T[0] * torch.special.xlogy(p, p).sum(-1)"
    ],
    "a decorator": [
        "import functools\n@functools.cache\ndef c(): return -1\n" + HONEST.replace("-torch", "c() * torch")
    ],
    "a compiled function": [HONEST.replace("def", "@torch.compile(backend='eager')\ndef")],
    "shapes in annotations": [
        "from jaxtyping import Float\nBatch = Float[torch.Tensor, '*batch n']\n"
        "def entropy(p: Batch) -> Float[torch.Tensor, '*batch n-n+1']: return -torch.special.xlogy(p, p).sum(-1)"
    ],
    "names of built-in functions": [
        "input = 1.0\ndef entropy(p):\n    vars, compile = p, -1\n"
        "    return compile * input * torch.special.xlogy(vars, vars).sum(-1)"
    ],
    "statements that cannot be read beside it": [HONEST, "eval('1')", "get_ipython()", "import pandas"],
}


@pytest.mark.parametrize("name", STYLES)
def test_honest_cells_break_no_rule_and_are_called(name: str) -> None:
    assert broken(*STYLES[name]) is None
    p = torch.tensor([0.25, 0.75], dtype=torch.float64)
    found = run(*STYLES[name])["entropy"]
    assert callable(found)
    assert torch.allclose(found(p), -(p * p.log()).sum(-1))


def test_an_index_is_not_what_an_assignment_changes() -> None:
    ours = CellText("t = torch.zeros(2)\nt[int(True)] = information.entropy(t)\n", ours=True)
    assert AnswerText([OURS, ours, HONEST + " * int(1)"]).broken_rule(ENTROPY) is None
    spoilt = "torch.special.xlogy = lambda p, q: information.entropy(p)"
    assert broken(spoilt, HONEST)


TWO = CellText("half, shortcut = 0.5, information.entropy", ours=True)


@pytest.mark.parametrize(
    "cells",
    [
        [TWO, "if half > 1:\n    shortcut = None", "def entropy(p): return shortcut(p) * 2 * half"],
        ["def shortcut(p): return p", TWO, "def entropy(p): return shortcut(p) * 2 * half"],
        [TWO, "KEPT = [(lambda q: shortcut(q))(torch.ones(2))]", "def shortcut(p): return p", HONEST + " * KEPT[0]"],
        [TWO, "@shortcut\ndef entropy(p): return p", "def shortcut(p): return p"],
        [TWO, "class A:\n    def __init_subclass__(cls): cls.f = shortcut\nclass B(A): pass\nshortcut = 1\n"
         "def entropy(p): return B.f(p)"],
        [TWO, "def make(): return shortcut\nf = make()\nshortcut = 1\ndef entropy(p): return f(p)"],
        [TWO, "def make(): return shortcut\n" + "".join(f"f{n} = make()\n" for n in range(40)) + "shortcut = 1\n"
         "def entropy(p): return f39(p)"],
    ],
)  # fmt: skip
def test_a_binding_of_ours_counts_where_it_is_what_the_answer_meets(cells: list[CellText | str]) -> None:
    assert AnswerText([OURS, *cells]).broken_rule(ENTROPY)


def test_the_model_answer_breaks_no_rule() -> None:
    cells = ["import torch", model_answers()["entropy"]]
    assert AnswerText(cells).broken_rule(load(NOTEBOOK)["entropy"].as_data()) is None


@pytest.mark.parametrize("text", HARD_TO_READ.values(), ids=list(HARD_TO_READ))
def test_reading_takes_steps_in_proportion_to_the_text(text: str) -> None:
    """Not to its square: these trees have some ten thousand nodes."""
    nodes = sum(1 for _ in ast.walk(ast.parse(text)))
    rules_of_entropy = load(NOTEBOOK)["entropy"].as_data(mistakes=False)
    assert len(text) < 50_000
    assert steps_of(lambda: AnswerText([text]).broken_rule(rules_of_entropy)) < 300 * nodes


@pytest.mark.slow
@pytest.mark.parametrize("text", [*HARD_TO_READ.values(), "entropy=0\n" * 2500], ids=[*HARD_TO_READ, "assigned"])
def test_reading_all_cells_takes_time_in_proportion_to_their_text(text: str) -> None:
    """Loops inside C count too, and so do cells together. Four times the text would take sixteen times the processor's
    time if it were quadratic; this only tells four from sixteen, and no machine is too slow for it."""
    rules_of_entropy = load(NOTEBOOK)["entropy"].as_data(mistakes=False)

    def seconds(cells: int) -> float:
        gc.collect()
        gc.disable()  # a collection may fall into either measurement, and walks all that the tests before have left
        try:
            begun = time.process_time()
            AnswerText([text] * cells).broken_rule(rules_of_entropy)
            return time.process_time() - begun
        finally:
            gc.enable()

    assert seconds(4) < 9 * seconds(1) + 0.1


def steps_of(work: Callable[[], object]) -> int:
    """How many functions are called in Python's own code: a measure of work that is the same on every machine."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_reading_aside_says_what_reading_here_says() -> None:
    texts = [OURS, CellText(FORBIDDEN), CellText("def other(p):\n    return p\n")]
    other: ToRead = {"functions": ["other"], "rules": RULES}  # type: ignore[typeddict-item] # as above
    reading = Reading(texts, {"entropy": ENTROPY, "other": other}, 20)
    forbidden, allowed = reading.of("entropy"), reading.of("other")
    assert forbidden is not None
    assert allowed is not None
    assert forbidden.broken == AnswerText(texts).broken_rule(ENTROPY)
    assert (allowed.broken, allowed.keep) == (None, {2: [(0, 1)]})


def test_reading_imports_for_the_next_submission_what_is_listed_and_nothing_else() -> None:
    """A module may set something for all when it is imported, as torch.backends.xeon.run_cpu does for logging."""
    loud, listed = "torch.backends.xeon.run_cpu", "scipy.spatial"
    sys.modules.pop(loud, None)
    cell = CellText(f"import {loud}, {listed}\ndef entropy(p): return {loud}.x(p) + {listed}.x(p)")
    assert Reading([OURS, cell], {"entropy": ENTROPY}, 20).of("entropy") is not None
    assert loud not in sys.modules
    assert listed in sys.modules


def test_reading_asks_no_module_to_make_what_it_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module may import others when it is asked for a name: a learner's text must not have the grader do so."""
    asked: list[str] = []

    def made(name: str) -> Any:
        asked.append(name)
        raise AttributeError(name)

    monkeypatch.setattr(torch, "__getattr__", made)
    uses = "torch.lazy_one(p) + lazy_two(p) + torch.lazy_three.lazy_four(p)"
    imports = "from torch import *\nfrom torch import lazy_five\nimport torch.lazy_six"
    broken(f"{imports}\ndef entropy(p): return {uses} + lazy_five + torch.lazy_six.x")
    assert not [name for name in asked if name.startswith("lazy")]
    assert not hasattr(torch, "lazy_seven")
    assert "lazy_seven" in asked  # who asks is seen


def test_reading_that_takes_too_long_is_no_answer_and_a_fault_of_ours_is_one_exercises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = Reading([CellText(HARD_TO_READ["stars"])] * 300, {"entropy": ENTROPY}, 0.2)
    assert reading.of("entropy") is None
    whole = AnswerText.broken_rule

    def fails(self: AnswerText, exercise: Any) -> str | None:
        if exercise["functions"] == ["entropy"]:
            raise KeyError
        return whole(self, exercise)

    monkeypatch.setattr(AnswerText, "broken_rule", fails)
    other: Any = {"functions": ["other"], "rules": RULES}
    reading = Reading([CellText(HONEST)], {"entropy": ENTROPY, "other": other}, 20)
    with pytest.raises(RuntimeError, match="KeyError"):
        reading.of("entropy")
    assert reading.of("other") is not None
