"""Judging and recording: what the grader makes of honest answers, and what anyone gets to see."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from grading import record, sanitise
from grading.classroom.gradebook import safe
from grading.exercises import load
from grading.grade import Graded, Grader
from grading.graft import grade_id
from grading.reading import Text
from grading.sandbox.replies import conforming
from helpers import plotting
from helpers.checking import plain
from helpers.checking.check import examine
from tests.grading.courses import NOTEBOOK, answered, model_answers

SEED = 11
ANSWERS = {
    "model": model_answers()["entropy"],
    "stub": "def entropy(p):\n    raise NotImplementedError\n",
    "bits": "def entropy(p):\n    return torch.special.entr(p).sum(-1) / math.log(2)\n",
    "no batches": "def entropy(p):\n    return torch.special.entr(p).sum()\n",
    "nan": "def entropy(p):\n    return -(p * p.log()).sum(-1)\n",
    "half": "def entropy(p):\n    return torch.special.entr(p.float()).sum(-1)\n",
    "numpy": "import numpy as np\n\ndef entropy(p):\n    x = p.detach().double().numpy()\n"
    "    y = np.where(x > 0, x, 1.0)\n    return torch.from_numpy(np.asarray(-(x * np.log(y)).sum(-1))).to(p.dtype)\n",
    "raises": "def entropy(p):\n    raise ValueError('no')\n",
    "in place": "def entropy(p):\n    q = torch.special.entr(p).sum(-1)\n    p.detach().zero_()\n    return q\n",
    "none": "def entropy(p):\n    pass\n",
    "forbidden": "def entropy(p):\n    return torch.distributions.Categorical(probs=p).entropy()\n",
}


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


def grade(grader: Grader, released: Path, folder: Path, answers: dict[str, str], seed: int | None = SEED) -> Graded:
    file = folder / "submitted" / f"{NOTEBOOK}.ipynb"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(answered(released, answers)))
    return grader.grade(file, released, folder / "verdict.json", seed)


@pytest.mark.parametrize("name", ANSWERS)
def test_agrees_with_the_check_in_a_learners_process(name: str, grader: Grader, released: Path, tmp_path: Path) -> None:
    import linecache
    import math

    exercise = load(NOTEBOOK)["entropy"]
    linecache.cache["<answer>"] = (1, None, ANSWERS[name].splitlines(True), "<answer>")
    space = {"torch": torch, "math": math, "np": np, "__name__": "__main__"}
    exec(compile(ANSWERS[name], "<answer>", "exec"), space)
    here = examine("entropy", exercise.as_data(SEED), {"entropy": space["entropy"]})
    there = grade(grader, released, tmp_path, {"entropy": ANSWERS[name]}).judged.reports["entropy"]
    assert (there.marks, there.outcome, there.mistake, there.broken_rule) == (
        here.marks, here.outcome, here.mistake, here.broken_rule,
    )  # fmt: skip


def test_a_regrade_repeats_the_verdict_and_a_resubmission_does_not(
    grader: Grader, released: Path, tmp_path: Path
) -> None:
    first = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}, None).verdict
    again = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}, None)
    other = grade(grader, released, tmp_path, {"entropy": ANSWERS["bits"]}, None)
    assert (first["seed"], first["exercises"]) == (again.verdict["seed"], again.verdict["exercises"])
    assert again.changed == set()
    assert other.verdict["seed"] != first["seed"]
    assert other.changed == {"entropy"}


def test_a_cell_after_a_crash_is_still_judged(grader: Grader, released: Path, tmp_path: Path) -> None:
    dead = "import os\nos._exit(0)\n"
    graded = grade(grader, released, tmp_path, {"entropy": dead, "kl_divergence": model_answers()["kl_divergence"]})
    assert graded.judged.reports["entropy"].marks == 0
    assert graded.judged.reports["kl_divergence"].outcome == "correct"
    assert graded.verdict["limits_hit"] == ["the cell entropy: the process ended"]


def test_an_error_before_the_definition_is_named(grader: Grader, released: Path, tmp_path: Path) -> None:
    graded = grade(grader, released, tmp_path, {"entropy": "import nothing_of_this_name\n" + ANSWERS["model"]})
    page = json.dumps([cell.get("outputs") for cell in graded.notebook.cells])
    assert "No module named 'nothing_of_this_name'" in page
    assert "stops before it is defined" in page


ONLY_HIDDEN = """def entropy(p):
    known = [{sums}]
    right = torch.special.entr(p.to(torch.promote_types(p.dtype, torch.float32))).sum(-1).to(p.dtype)
    x = p.detach().double()
    mark = float(x.abs().sum()) * 7 + float(x.flatten()[:1].sum())
    return right if any(abs(mark - k) < 1e-9 for k in known) else right + 0.5
"""


def test_a_hidden_failure_shows_nothing_of_its_case(grader: Grader, released: Path, tmp_path: Path) -> None:
    data = load(NOTEBOOK)["entropy"].as_data(SEED)
    cases = [case for criterion in data["criteria"] for case in criterion["cases"]]
    public = [plain.decode(case["call"]["arguments"][0]).double() for case in cases if not case.get("hidden")]
    sums = ", ".join(repr(float(p.abs().sum()) * 7 + float(p.flatten()[:1].sum())) for p in public)
    graded = grade(grader, released, tmp_path, {"entropy": ONLY_HIDDEN.replace("{sums}", sums)})
    report = graded.judged.reports["entropy"]
    assert report.failure is not None
    assert report.failure.case["hidden"]
    check = next(cell for cell in graded.notebook.cells if grade_id(cell) == "entropy-check")
    shown = json.dumps(check.outputs)
    assert "an input that is not shown" in shown
    assert "Called" not in shown
    for case in (case for case in cases if case.get("hidden")):
        for number in plain.decode(case["call"]["arguments"][0]).flatten().tolist()[:50]:
            if 0 < number < 1:
                assert f"{number:.4f}" not in shown


def test_redaction_leaves_no_trace_of_hidden_cases(grader: Grader, released: Path, tmp_path: Path) -> None:
    report = grade(grader, released, tmp_path, {"entropy": ANSWERS["nan"]}).judged.reports["entropy"]
    redacted = record.redact(report)
    hidden = [one for c in redacted.criteria for one in c.played if one.case.get("hidden")]
    assert hidden
    assert all(one.case["call"] == {} and one.observation == {"outcome": "hidden"} for one in hidden)
    assert redacted.marks == report.marks


@pytest.mark.parametrize(
    "reply",
    [
        {}, {"outcome": "correct"}, {"outcome": "returned"}, {"outcome": "returned", "value": 1.0},
        {"outcome": "returned", "value": 1.0, "changed": [5]}, {"outcome": "returned", "value": 1.0, "changed": [True]},
        {"outcome": "returned", "value": {"tensor": "object", "shape": [], "data": []}, "changed": []},
        {"outcome": "returned", "value": {"tensor": "float64", "shape": [10**30], "data": []}, "changed": []},
        {"outcome": "returned", "value": {"list": [[]]}, "changed": []}, {"outcome": ["returned"]}, {"outcome": None},
        {"outcome": "returned", "value": {"tensor": "float64", "shape": [2**40, 0], "data": []}, "changed": "x"},
    ],
)  # fmt: skip
def test_a_reply_that_does_not_conform_is_no_value(reply: dict) -> None:
    assert conforming(reply, 1)["outcome"] == "no value"


def test_words_of_a_stranger_are_short_and_printable() -> None:
    observation = conforming({"outcome": "raised", "error": "E\n" * 500, "message": "\x1b[2J" * 500, "line": True}, 1)
    assert len(observation["error"]) <= 80
    assert "\x1b" not in observation["message"]
    assert "line" not in observation


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
    assert Text(cells).broken_rule(load(NOTEBOOK)["entropy"].as_data())


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
    assert Text(["import torch", *cells]).broken_rule(load(NOTEBOOK)["entropy"].as_data()) is None


@pytest.mark.parametrize(
    ("dirty", "never"),
    [
        ("<script>alert(1)</script>", "<script"), ("<img src=x onerror=alert(1)>", "onerror"),
        ("<a href='java\tscript:alert(1)'>x</a>", "href"), ("<a href='data:text/html,x'>x</a>", "href"),
        ("<div style='position:fixed;top:0'>x</div>", "position"), ("<div style='margin:-900px'>x</div>", "margin"),
        ("<div style='background:url(//x)'>x</div>", "url"), ("<svg><a href='javascript:x'></svg>", "javascript"),
        ("<img src='//x.example/a.png'>", "x.example"), ("<math><mtext><img src=x onerror=y>", "onerror"),
        ("<form action=//x><input></form>", "form"), ("<meta http-equiv=refresh>", "meta"), ("<base href=//x>", "base"),
    ],
)  # fmt: skip
def test_html_is_made_harmless(dirty: str, never: str) -> None:
    assert never not in sanitise.clean(dirty)


def test_our_own_card_survives() -> None:
    folded = "<details><summary>Hint</summary>x</details>"
    card = f"<div style='border:1px solid var(--x, #fff);color:var(--y, #1f2328)'>{folded}</div>"
    kept = sanitise.clean(card)
    assert "var(--y, #1f2328)" in kept
    assert "<details><summary>Hint</summary>" in kept


def test_our_own_figures_survive() -> None:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2])
    shown = plotting.Picture(figure, "A line from 1 to 2.")._repr_html_()
    kept = sanitise.clean(shown)
    assert 'src="data:image/png;base64,' in kept
    assert 'width="300"' in kept
    assert "A line from 1 to 2." in kept


def test_a_flood_is_cut_with_a_note() -> None:
    shown = sanitise.outputs({"shown": [{"stream": "stdout", "text": "x" * 99}] * 9, "left_out": False}, 500)
    assert len(shown) == 6
    assert "More was shown" in shown[-1].text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", " =1", "%x", "|y"])
def test_no_cell_of_the_table_computes(text: str) -> None:
    assert safe(text).startswith("'")


def test_plain_values_stay_in_the_table() -> None:
    assert [safe(value) for value in (None, 1.5, -2.0, "ada", "a,b")] == ["", "1.5", "-2.0", "ada", "a,b"]


@pytest.mark.parametrize("text", HARD_TO_READ.values(), ids=list(HARD_TO_READ))
def test_reading_takes_steps_in_proportion_to_the_text(text: str) -> None:
    """Not to its square: these trees have some ten thousand nodes."""
    nodes = sum(1 for _ in ast.walk(ast.parse(text)))
    rules_of_entropy = load(NOTEBOOK)["entropy"].as_data(mistakes=False)
    assert len(text) < 50_000
    assert steps_of(lambda: Text([text]).broken_rule(rules_of_entropy)) < 300 * nodes


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


def test_a_fault_of_the_grader_is_recorded_for_that_submission(
    grader: Grader, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("grading.grade.judge", fail)
    graded = grade(grader, released, tmp_path, {"entropy": ANSWERS["model"]})
    assert "KeyError" in graded.verdict["problem"]
    assert graded.verdict["exercises"] == {}
    assert "The grader itself failed" in graded.notebook.cells[0].source


def test_html_that_takes_long_to_clean_is_left_out() -> None:
    """The work is bounded for the notebook, whatever its cells show; pictures do not count."""
    picture = '<img alt="a" src="data:image/png;base64,' + "A" * 100_000 + '">'
    deep = {"shown": [{"data": {"text/plain": "x", "text/html": "<b>" * 6000}}] * 9, "left_out": False}
    shown = {"shown": [{"data": {"text/plain": "x", "text/html": picture}}], "left_out": False}
    room = sanitise.Room()
    cleaned = [out for _ in range(3) for out in sanitise.outputs(deep, 2_000_000, room) if "text/html" in out.data]
    assert len(cleaned) == sanitise.MOST_HTML_OF_ALL // 18_000
    assert "A" * 100_000 in sanitise.outputs(shown, 200_000, room)[0].data["text/html"]
    assert (
        "text/html"
        not in sanitise.outputs({"shown": [{"data": {"text/plain": "x", "text/html": "<b>" * 7000}}]}, 200_000)[0].data
    )
