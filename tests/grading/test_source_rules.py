"""Source rules, read in the text of a submission."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable

import pytest

from grading.exercises import load
from grading.source_rules import AnswerText
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
}


@pytest.mark.parametrize(
    "cells",
    [
        [
            "import torch\nclass S: pass\ntorch.special.entr = S",
            "def entropy(p): return torch.special.entr(p).entropy()",
        ],
        ["def entropy(p): return p", "globals()['entropy'] = 1"],
        ["def entropy(p): return p", "def f():\n    import helpers\n    setattr(helpers, 'x', 1)\nf()"],
        ["def entropy(p): return p", "from helpers.information import entropy"],
        ["def entropy(p): return p", "if True:\n    from helpers.information import entropy"],
        [
            "def entropy(p): return p",
            "def swap():\n    global entropy\n    from helpers.information import entropy\nswap()",
        ],
        ["from helpers.information import entropy as e\nentropy = lambda p: e(p)"],
    ],
)
def test_ways_around_the_source_rules(cells: list[str]) -> None:
    assert AnswerText(cells).broken_rule(load(NOTEBOOK)["entropy"].as_data())


@pytest.mark.parametrize(
    "cells",
    [
        [model_answers()["entropy"]],
        ["def entropy(p):\n    return torch.distributions.Categorical(probs=p).entropy()", model_answers()["entropy"]],
        [model_answers()["entropy"], "import torch\ncheck = torch.distributions.Categorical(torch.ones(2)).entropy()"],
        [
            model_answers()["entropy"],
            "torch.backends.mkldnn.enabled = False\nmodel = torch.nn.Linear(1, 1)\nmodel.eval()",
        ],
    ],
)
def test_honest_cells_break_no_rule(cells: list[str]) -> None:
    assert AnswerText(["import torch", *cells]).broken_rule(load(NOTEBOOK)["entropy"].as_data()) is None


@pytest.mark.parametrize("text", HARD_TO_READ.values(), ids=list(HARD_TO_READ))
def test_reading_takes_steps_in_proportion_to_the_text(text: str) -> None:
    """Not to its square: these trees have some ten thousand nodes."""
    nodes = sum(1 for _ in ast.walk(ast.parse(text)))
    rules_of_entropy = load(NOTEBOOK)["entropy"].as_data(mistakes=False)
    assert len(text) < 50_000
    assert steps_of(lambda: AnswerText([text]).broken_rule(rules_of_entropy)) < 300 * nodes


@pytest.mark.parametrize("text", [*HARD_TO_READ.values(), "entropy=0\n" * 2500], ids=[*HARD_TO_READ, "assigned"])
def test_reading_all_cells_takes_time_in_proportion_to_their_text(text: str) -> None:
    """Loops inside C count too, and so do cells together. Four times the text would take sixteen times the processor's
    time if it were quadratic; this only tells four from sixteen, and no machine is too slow for it."""
    rules_of_entropy = load(NOTEBOOK)["entropy"].as_data(mistakes=False)

    def seconds(cells: int) -> float:
        begun = time.process_time()
        AnswerText([text] * cells).broken_rule(rules_of_entropy)
        return time.process_time() - begun

    assert seconds(8) < 9 * seconds(2) + 0.1


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
