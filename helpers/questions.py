"""Show the questions of an exercise on the learner's own sheet: its order, and its word before each option."""

from __future__ import annotations

import getpass
import hashlib
import html
import os
import platform

from helpers.checking import card, key
from helpers.checking.kinds.choices import SHEETS, in_order_of, word
from helpers.checking.words import prose


def sheet() -> int:
    """The number of this learner's sheet: INFOGRAD_SHEET, or one that goes with the account and the machine, so that it
    is the same every time and needs nothing written down. See `kinds.choices` for why grading need not know it."""
    if given := os.environ.get("INFOGRAD_SHEET", ""):
        return int(given) % SHEETS
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        name = ""
    return hashlib.sha256(f"{name}@{platform.node()}".encode()).digest()[0] % SHEETS


def show(exercise: str) -> None:
    """Show all questions, or derivations, of an exercise, and an empty answer to copy. Raises KeyProblem for one that
    is not in the answer key."""
    expected = key.find(exercise)["criteria"][0]["cases"][0]["expected"]
    number = sheet()
    text, body = [], []
    if "questions" in expected:
        asked = [(one["name"], one["text"], one["options"]) for one in expected["questions"]]
        empty = ", ".join(f'"{name}": ""' for name, _, _ in asked)
    else:
        asked = [(one["name"], one["text"], one["steps"]) for one in expected["proofs"]]
        empty = ", ".join(f'"{name}": []' for name, _, _ in asked)
    for name, question, options in asked:
        lines = [(word(number, name, option), option) for option in in_order_of(number, name, options)]
        text += [f"{name}. {question}", *(f"    {label:8} {option}" for label, option in lines)]
        rows = "".join(f"<div><code>{label}</code> &nbsp;{prose(option)}</div>" for label, option in lines)
        body.append(card.paragraph(f"<b>{html.escape(name)}.</b> {prose(question)}") + rows)
    text.append(f"return {{{empty}}}")
    body.append(card.paragraph(f"<code>return {{{html.escape(empty)}}}</code>"))
    # formulas do not break, and may be wider than a narrow screen
    inside = f"<div style='overflow-x:auto' tabindex='0' role='group' aria-label='Questions'>{''.join(body)}</div>"
    title = f"{html.escape(exercise)}<span style='font-weight:400'> · sheet {number}</span>"
    card.show(card.Card("\n".join(text), card.frame(title, "", inside, card.ACCENTS[""])))
