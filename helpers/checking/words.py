"""Sentences that are made at the end: a template and the facts that stand in it.

Judges return a `Problem`: its kind, which is a fact that rooms may act on, and a `Phrase`, which people read. Nothing
looks into the text of a phrase; a translation replaces its template."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

SYMBOL = re.compile(r"\w\d?|[A-Z].*|.*[(\[].*|result \d+|grads|theta|mu|sigma|beta")
ITEM = "\n- "  # begins each line of a list, which stands after a sentence
EMPHASIS = re.compile(r"(?<!\w)\*(\w+)\*(?!\w)")
ProblemKind = Literal[
    "missing",  # None, or no gradient, where a value was expected
    "structure",  # another type, or another number of results
    "shape",
    "dtype",
    "numbers",
    "input changed",
    "raised",  # an error where a value was expected
    "refused",  # what it calls is not an answer
    "not raised",  # no error, or another one, where one was expected
    "time",  # stopped before it had answered
    "no value",  # what was returned cannot be compared
    "no function",
    "not attempted",
    "randomness",  # seeds are ignored, or the same seed gives two answers
]


class Phrase(NamedTuple):
    """Words with named places for facts, which may be phrases themselves: `Phrase("{n} results", {"n": 2})`."""

    template: str
    facts: Mapping[str, object] = {}

    def __str__(self) -> str:
        return self.template.format(**self.facts)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class Problem(NamedTuple):
    """What is wrong with an answer: the kind of it, and the words for it."""

    kind: ProblemKind
    phrase: Phrase

    @classmethod
    def of(cls, kind: ProblemKind, template: str, /, **facts: object) -> Problem:
        """A problem whose sentence has its facts in braces: `Problem.of("shape", "It has shape {got}.", got=(3,))`."""
        return cls(kind, Phrase(template, facts))

    @property
    def text(self) -> str:
        """The sentence in English."""
        return str(self.phrase)

    def __str__(self) -> str:
        return self.text


def the(part: str) -> str:
    """A part of an answer within a sentence: with its article where it is a word, without where it is a symbol."""
    return part if SYMBOL.fullmatch(part) else f"the {part}"


def capital(words: str) -> str:
    """Words at the beginning of a sentence; a symbol or a formula stays as it is."""
    return words[:1].upper() + words[1:] if words.startswith(("the ", "result ")) else words


def printable(text: str, most: int | None = None, instead: str = "") -> str:
    """Text without control characters, at most so many characters; `instead` stands for each that is left out."""
    return "".join(c if c.isprintable() else instead for c in text[:most])


def prose(text: str) -> str:
    """A sentence as HTML: escaped, its `code` set as code, and a word between asterisks emphasised; a list (ITEM) after
    it as a list."""
    sentence, *items = text.split(ITEM)
    if not items:
        return in_html(sentence)
    style = "margin:4px 0 0;padding-left:1.4em"
    return f"{in_html(sentence)}<ul style='{style}'>{''.join(f'<li>{in_html(one)}</li>' for one in items)}</ul>"


def in_html(text: str) -> str:
    """A sentence as HTML, without lists."""
    pieces = html.escape(text).split("`")
    return "".join(
        f"<code>{piece}</code>" if i % 2 else EMPHASIS.sub(r"<em>\1</em>", piece) for i, piece in enumerate(pieces)
    )
