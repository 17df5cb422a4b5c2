"""The card that a learner sees: one report as HTML (JupyterLab, light and dark) and as plain text.

Styles are inline and take JupyterLab's own colours, with fall-backs for a page without them. The text is
deterministic: nbval compares it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from helpers.checking import plain
from helpers.checking.kinds.latex import Reading
from helpers.checking.kinds.tables import READINGS, WORDS
from helpers.checking.marking import CORRECT, INCORRECT, NOT_ATTEMPTED, RAISED, CriterionReport, Played, Report
from helpers.checking.shapes import Call, Expectation
from helpers.checking.words import prose

WIDTH = 88  # characters of code on a line of a card
LINES_OF_VALUE = 4
SENTENCES = ("So", "Smallest")  # rows that are words, not code
DIGITS = 6
INK = "var(--jp-content-font-color1, #1f2328)"
FAINT = "var(--jp-content-font-color2, #59636e)"
LINE = "var(--jp-border-color2, #d1d9e0)"
PANEL = "var(--jp-layout-color1, #ffffff)"
INSET = "var(--jp-layout-color2, #f3f5f7)"
MONO = "var(--jp-code-font-family, ui-monospace, monospace)"
# one colour and one word for each outcome: the word carries the meaning, the colour repeats it (Okabe and Ito, 2008)
ACCENTS = {CORRECT: "#009e73", INCORRECT: "#d55e00", NOT_ATTEMPTED: "#7d8590", RAISED: "#cc79a7", "": "#0072b2"}
MARKS = {True: "passed", False: "not yet", None: "not reached"}
READ_AS = "Read as:"
SIGNS = {True: "✓", False: "✗", None: "·"}


class Card(NamedTuple):
    """The same content twice."""

    text: str
    html: str


def show(card: Card) -> None:
    """Display a card: as HTML where the front end can, else as text."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(card.text)
        return
    if get_ipython() is None:
        print(card.text)
    else:
        display({"text/plain": card.text, "text/html": card.html}, raw=True)


def from_report(report: Report) -> Card:
    """The card of one check."""
    failure = report.failure
    text = [f"{report.exercise}: {report.outcome}, {report.marks:g} of {report.points:g} points" + stretch(report)]
    body = []
    if report.outcome == NOT_ATTEMPTED:
        text.append("  Replace the NotImplementedError in the cell above with your answer.")
        body.append(paragraph("Replace the <code>NotImplementedError</code> in the cell above with your answer."))
    else:
        text += [f"  {SIGNS[c.passed]} {c.name} ({c.marks:g})" + remark(c) for c in report.criteria]
        body.append("".join(criterion_row(c) for c in report.criteria))
    if report.broken_rule:
        text.append(f"  Rule: {report.broken_rule}")
        body.append(callout("Rule", prose(report.broken_rule)))
    if report.mistake_sentence:
        text.append(f"  Recognised: {report.mistake_sentence}")
        body.append(callout("Recognised", prose(report.mistake_sentence)))
    if failure:
        rows = failure_rows(report.smaller or failure)
        if report.smaller:
            rows.insert(0, ("Smallest", "the smallest case that was found to fail"))
        text += [f"  {label + ':':<10}{indent(value)}" for label, value in rows]
        body.append(table(rows))
    if report.outcome != CORRECT and report.hints:
        stage = report.hint
        text.append(f"  Hint {stage} of {len(report.hints)}: {report.hints[stage - 1]}")
        if len(report.hints) > stage:
            text.append(f"  More: hint({report.exercise!r}, {stage + 1})")
        body.append(hint_details(report.hints, stage))
    read = readings(report)
    text = [f"{READ_AS} {one.text}" for one in read] + text
    above = "".join(paragraph(f"<span style='color:{FAINT}'>{READ_AS}</span> {one.html}") for one in read)
    title = f"{html.escape(report.exercise)}<span style='font-weight:400'> · {report.outcome}</span>"
    right = f"{report.marks:g} / {report.points:g}{stretch(report)}"
    return Card("\n".join(text), frame(title, right, "".join(body), ACCENTS[report.outcome], above))


def readings(report: Report) -> list[Reading]:
    """How the answer was read, where that is not plain: before the verdict, so that a misreading is seen as one."""
    found: list[Reading] = []
    for criterion in report.criteria:
        for played in criterion.played:
            expected, observation = played.case["expected"], played.observation
            if expected["judge"] in READINGS and observation["outcome"] == "returned":
                found += READINGS[expected["judge"]](plain.decode(observation["value"]), expected)
    return list(dict.fromkeys(found))


def stretch(report: Report) -> str:
    """A stretch exercise says so."""
    return " (stretch)" if report.stretch else ""


def remark(criterion: CriterionReport) -> str:
    """Why a criterion has neither passed nor failed, or failed for a reason that is known already."""
    if criterion.passed is None:
        return ", waits for the first"
    return ", same cause as above" if criterion.same_cause else ""


def criterion_row(criterion: CriterionReport) -> str:
    """One criterion with its mark."""
    waiting = f"<span style='color:{FAINT}'>{remark(criterion)}</span>"
    return row(criterion.name, criterion.passed, f"{criterion.marks:g}", waiting)


def row(label: str, passed: bool | None, right: str, more: str = "") -> str:
    """A sign, a label and something on the right; `more` is HTML behind the label, which stays between the two."""
    colour = {True: ACCENTS[CORRECT], False: ACCENTS[INCORRECT], None: FAINT}[passed]
    style = f"color:{colour};font-weight:700;float:left;width:1.4em"
    sign = f"<span style='{style}' title='{MARKS[passed]}'>{SIGNS[passed]}</span>"
    end = f"<span style='color:{FAINT};float:right;margin-left:.8em'>{right}</span>"
    between = f"<div style='display:flow-root'>{html.escape(label)}{more}</div>"
    return f"<div style='padding:1px 0'>{end}{sign}{between}</div>"


def failure_rows(failure: Played) -> list[tuple[str, str]]:
    """What was called, what was expected, what came; of a case that is not shown only the sentence."""
    if failure.case.get("hidden"):
        return [("So", sentence_of(failure))]
    call = failure.case["call"]
    expected, got = compared(failure)
    rows = [("Called", call_text(call)), ("Expected", expected)]
    if got is not None:
        rows.append(("Got", got))
    if failure.observation["outcome"] != "not attempted":  # of that the title tells
        rows.append(("So", sentence_of(failure)))
    return rows


def compared(failure: Played) -> tuple[str, str | None]:
    """What was expected and what came, with as many digits as it takes to see that they differ."""
    expected = failure.case["expected"]
    if failure.observation["outcome"] != "returned":
        return expected_text(expected), None
    got = plain.decode(failure.observation["value"])
    texts = ((expected_text(expected, digits), describe(got, digits)) for digits in (DIGITS, 9, 12, 17))
    return next((pair for pair in texts if pair[0] != pair[1]), (expected_text(expected), describe(got)))


def sentence_of(failure: Played) -> str:
    """What was wrong, as a sentence."""
    text = failure.problem.text if failure.problem else ""
    return text[:1].upper() + text[1:]


def call_text(call: Call) -> str:
    """The call as the learner would write it."""
    arguments = zip(call["names"], call["arguments"], strict=True)
    parts = [below(f"{name}=", argument_text(data)) for name, data in arguments]
    words = WORDS[call.get("driver", "call")]
    together = below(f"{call['function']}(", ", ".join(parts)) + f"){words}"
    one_of_several_is_high = len(parts) > 1 and "\n" in together
    if max(map(len, together.split("\n"))) <= WIDTH and not one_of_several_is_high:
        return together
    return f"{call['function']}(\n" + ",\n".join(below("  ", part) for part in parts) + f"){words}"


def argument_text(data: Any) -> str:
    """An argument: a value, a named function or a generator."""
    if isinstance(data, dict) and "function" in data:
        return f"{data['function']}({', '.join(argument_text(item) for item in data['arguments'])})"
    if isinstance(data, dict) and "generator" in data:
        return f"torch.Generator().manual_seed({data['generator']})"
    layout = f" [{data['layout']}]" if isinstance(data, dict) and "layout" in data else ""
    return describe(plain.decode(data)) + layout


def expected_text(expected: Expectation, digits: int = DIGITS) -> str:
    """What was expected, in words where many answers are right; numbers with the dtype that they should have."""
    if "text" in expected:
        return str(expected["text"])
    if expected["judge"] == "raises":
        return f"raise {expected['error']}"
    if "value" not in expected:
        return expected["judge"].replace("_", " ")
    return describe(in_dtype(plain.decode(expected["value"]), expected.get("dtype")), digits)


def in_dtype(value: Any, dtype: str | None) -> Any:
    """Floating tensors in the dtype that is asked for; the reference computes in float64."""
    if isinstance(value, (tuple, list)):
        return type(value)(in_dtype(item, dtype) for item in value)
    if dtype and isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(plain.TORCH_DTYPES[dtype])
    return torch.tensor(value, dtype=plain.TORCH_DTYPES[dtype]) if dtype and type(value) is float else value


def describe(value: Any, digits: int = DIGITS) -> str:
    """A value in a few short lines, tensors with dtype and, if cut, their shape."""
    if isinstance(value, (tuple, list)):
        opening, closing = ("(", ")") if isinstance(value, tuple) else ("[", "]")
        items = [describe(item, digits) for item in value[:6]] + ["..."] * (len(value) > 6)
        between = ",\n" if any("\n" in item for item in items) else ", "
        return below(opening, between.join(items)) + "," * (opening == "(" and len(value) == 1) + closing
    if isinstance(value, float):
        return describe_float(value, digits + 1)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return describe_numbers(value, digits)
    text = repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def below(before: str, text: str) -> str:
    """A text behind another; its further lines begin where it does."""
    column = len(before) - before.rfind("\n") - 1
    return before + text.replace("\n", "\n" + " " * column)


def describe_float(value: float, digits: int = DIGITS) -> str:
    """A number as Python writes it, with no more digits than are asked for."""
    text = f"{value:.{digits}g}"
    return text if text.lstrip("-").strip("0123456789") else f"{text}.0"  # 1.0 is no int


def describe_numbers(value: torch.Tensor | np.ndarray, digits: int = DIGITS) -> str:
    """A tensor or array on at most LINES_OF_VALUE lines. Its numbers are written as single ones are, where numpy would
    fill them up with spaces; only those that stand below each other are brought to one width, as rows are indented."""
    tensor = torch.as_tensor(value)
    array = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    precise = digits + (array.ndim == 0)
    written: list[str] = []

    def write(number: Any) -> str:
        written.append(describe_float(float(number), precise) if array.dtype.kind == "f" else str(number))
        return written[-1]

    text = in_brackets(array, write)
    if array.ndim > 1:
        width = max(map(len, written), default=0)
        text = in_brackets(array, lambda number: write(number).rjust(width))
    lines = text.replace("\n\n", "\n").split("\n")
    shape = f", shape={tuple(array.shape)}" if len(lines) > LINES_OF_VALUE or array.size > 24 else ""
    if len(lines) > LINES_OF_VALUE:
        lines[LINES_OF_VALUE - 1 :] = [lines[LINES_OF_VALUE - 1].rstrip("., ") + " ..."]
    text = below("tensor(" if isinstance(value, torch.Tensor) else "array(", "\n".join(lines))
    dtype = str(value.dtype).removeprefix("torch.")
    return f"{text}{shape}, {dtype})"


def in_brackets(array: np.ndarray, write: Callable[[Any], str]) -> str:
    """An array in numpy's brackets, the first and last three along an axis of a large one, each number by `write`."""
    return np.array2string(
        array, formatter={"all": write}, threshold=24, edgeitems=3, separator=", ", max_line_width=80
    )


def hint(name: str, hints: list[str], stage: int) -> Card:
    """One hint."""
    text = f"{name}: hint {stage} of {len(hints)}\n  {hints[stage - 1]}"
    title = f"{html.escape(name)}<span style='font-weight:400'> · hint {stage} of {len(hints)}</span>"
    return Card(text, frame(title, "", paragraph(prose(hints[stage - 1])), ACCENTS[""]))


def notice(name: str, sentence: str) -> Card:
    """A plain sentence where there is nothing to report on."""
    title = f"{html.escape(name)}<span style='font-weight:400'> · not checked</span>"
    return Card(f"{name}: not checked\n  {sentence}", frame(title, "", paragraph(html.escape(sentence)), ACCENTS[""]))


def progress_table(table: dict[str, list[tuple[str, float, bool, dict[str, Any]]]]) -> Card:
    """All notebooks with the marks earned so far: (exercise, points, whether it is a stretch, what is remembered). The
    exercises of those that nobody has begun are left out."""
    text, body = ["Progress"], []
    for notebook, exercises in table.items():
        core = [(points, done.get("marks", 0.0)) for _, points, is_stretch, done in exercises if not is_stretch]
        total = f"{sum(marks for _, marks in core):g} of {sum(points for points, _ in core):g}"
        text.append(f"  {notebook}: {total}")
        body.append(ends(html.escape(notebook), total, "margin-top:6px;font-weight:600"))
        begun = any(done for *_, done in exercises)
        for name, points, is_stretch, done in exercises if begun else ():
            marks = done.get("marks")
            passed = None if marks is None else marks >= points
            label = name + (" (stretch)" if is_stretch else "")
            text.append(f"    {SIGNS[passed]} {label}: {marks or 0:g} of {points:g}")
            body.append(row(label, passed, f"{marks or 0:g} of {points:g}"))
    return Card("\n".join(text), frame("Progress", "", "".join(body), ACCENTS[""]))


def frame(title: str, right: str, body: str, accent: str, above: str = "") -> str:
    """The card around its content; `above` stands before the title."""
    head = ends(title, right, "font-weight:600;margin-bottom:6px")
    style = (
        f"border:1px solid {LINE};border-left:4px solid {accent};border-radius:4px;padding:10px 14px;margin:4px 0;"
        f"max-width:760px;color:{INK};background:{PANEL};font-size:14px;line-height:1.5;overflow-wrap:break-word"
    )
    return f"<div style='{style}'>{above}{head}{body}</div>"


def ends(left: str, right: str, style: str) -> str:
    """HTML at the two ends of a line, or of two where one is too narrow."""
    return (
        f"<div style='display:flow-root;{style}'>{left}<span style='float:right;margin-left:.8em'>{right}</span></div>"
    )


def paragraph(text: str) -> str:
    """A line of prose; `text` is HTML."""
    return f"<div style='margin:4px 0'>{text}</div>"


def callout(label: str, text: str) -> str:
    """The sentence that matters most; `text` is HTML."""
    return (
        f"<div style='margin:8px 0;padding:6px 10px;background:{INSET};border-radius:3px'><b>{label}.</b> {text}</div>"
    )


def table(rows: list[tuple[str, str]]) -> str:
    """Labels and code."""
    cell = "padding:2px 10px 2px 0;vertical-align:top;text-align:left;border:none;background:none"
    code = f"font-family:{MONO};font-size:12.5px;white-space:pre-wrap;overflow-wrap:anywhere"
    lines = (
        f"<tr style='background:none'><td style='{cell};color:{FAINT}'>{label}</td>"
        f"<td style='{cell};{code if label not in SENTENCES else ''}'>"
        f"{prose(value) if label in SENTENCES else html.escape(value)}</td></tr>"
        for label, value in rows
    )
    style = "margin:6px 0;border-collapse:collapse;border:none;color:inherit;font-size:13px"
    return f"<table style='{style}'>{''.join(lines)}</table>"


def hint_details(hints: list[str], first: int = 1) -> str:
    """Hints folded one inside the other, so that reading the first does not show the last; from `first` on, where those
    before it speak of what has passed."""
    inner = ""
    for stage in range(len(hints), first - 1, -1):
        opened = f"<div style='margin:2px 0 2px 1.2em'>{prose(hints[stage - 1])}{inner}</div>"
        summary = f"<summary style='cursor:pointer;color:{FAINT}'>Hint {stage} of {len(hints)}</summary>"
        inner = f"<details>{summary}{opened}</details>"
    return inner


def indent(value: str) -> str:
    """Further lines of a value under its first."""
    return value.replace("\n", "\n" + " " * 12)
