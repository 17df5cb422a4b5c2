"""Questions with options, and derivations to put in order (notebook 08).

Each learner's sheet has its own order and its own word before each option; an answer is that word, so it says nothing
to a neighbour whose sheet is another. Which sheet that is goes with the account and the machine (`helpers.questions`).
It cannot go with the seed of grading, which is drawn when the answer is already written, and anew for another
submission; so there are SHEETS sheets, a word is read back whoever wrote it, and grading agrees on all of them. A key
holds only salted digests: whoever reads it does not see which option is right, and the sentence for an option can be
opened only by who has chosen it. (Whoever runs `check` on every option finds the right ones; so they would without.)"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from helpers.checking.comparing import kind_of
from helpers.checking.sealing import digest, opened
from helpers.checking.shapes import Expectation, Judge, Proof, Question
from helpers.checking.words import ITEM, Problem, printable

SHEETS = 64
CONSONANTS, VOWELS, SYLLABLES = "bdfghklmnprstvz", "aeiou", 3
MOST_WORDS = 200
SHOWN = 24  # characters of an answer in a sentence
NO_ANSWER = "no answer yet."


def word(sheet: int, question: str, option: str) -> str:
    """The word that stands before an option on a sheet."""
    number = int.from_bytes(hashlib.sha256(f"{sheet}\0{question}\0{option}".encode()).digest()[:8], "big")
    letters = []
    for _ in range(SYLLABLES):
        number, consonant = divmod(number, len(CONSONANTS))
        number, vowel = divmod(number, len(VOWELS))
        letters.append(CONSONANTS[consonant] + VOWELS[vowel])
    return "".join(letters)


def in_order_of(sheet: int, question: str, options: Sequence[str]) -> list[str]:
    """The options in the order of a sheet. (Another text than "order 0" would do; a test holds that on no sheet the
    right options of an exercise are all in one place.)"""
    order = sorted(options)
    random.Random(f"order 0/{sheet}/{question}").shuffle(order)
    return order


class Sheet(NamedTuple):
    """Answers read back, each by question: the sheet that its words are from, the options that they stand for, and the
    words that stand for none."""

    numbers: dict[str, int]
    chosen: dict[str, list[str]]
    strange: dict[str, list[str]]


def read_back(answers: Mapping[str, Sequence[str]], options: Mapping[str, Sequence[str]]) -> Sheet:
    """The options behind the words, on the sheet that explains most of all of them; a question of whose words another
    sheet explains more is read on that one, as when a learner goes on at another machine."""

    @cache
    def meaning(sheet: int, name: str) -> dict[str, str]:
        return {word(sheet, name, option): option for option in options[name]}

    def explained(sheet: int, name: str) -> int:
        return sum(one in meaning(sheet, name) for one in answers[name])

    most = max(range(SHEETS), key=lambda sheet: sum(explained(sheet, name) for name in answers))
    numbers = {name: max((most, *range(SHEETS)), key=lambda sheet: explained(sheet, name)) for name in answers}
    chosen, strange = {}, {}
    for name, words in answers.items():
        known = meaning(numbers[name], name)
        chosen[name] = [known[one] for one in words if one in known]
        strange[name] = [one for one in words if one not in known]
    return Sheet(numbers, chosen, strange)


def ask(function: Callable[..., Any], nonce: int) -> Any:
    """Driver: call without arguments; `nonce` tells one case from another."""
    return function()


def words_of(value: Any, names: Sequence[str], several: bool) -> dict[str, list[str]] | Problem:
    """The words of an answer by question, tidied; or what is wrong with its form."""
    if type(value) is not dict:
        return Problem.of("structure", "The answer is {kind}, where a dict of words was expected.", kind=kind_of(value))
    found: dict[str, list[str]] = {}
    for name in names:
        given = value.get(name, [] if several else "")
        texts = list(given) if isinstance(given, (list, tuple)) else [given]
        if not all(type(one) is str for one in texts) or len(texts) > MOST_WORDS or (not several and len(texts) != 1):
            form = "a list of words" if several else "one word"
            return Problem.of("structure", "The answer to {name} is not {form}.", name=name, form=form)
        found[name] = [one.strip().lower() for one in texts if one.strip()]
    return found


def chosen(value: Any, expectation: Expectation) -> Problem | None:
    """Judge: the right option of every question, or of the share `at_least`."""
    options = {one["name"]: one["options"] for one in expectation["questions"]}
    return of_a_sheet(value, expectation, expectation["questions"], options, about)


def of_a_sheet(
    value: Any, expectation: Expectation, asked: Sequence[Any], options: dict[str, list[str]], about: Callable[..., Any]
) -> Problem | None:
    """Hold a sheet's answers against what was asked: `options` are the texts by the name of what they belong to, and
    `about` says what is wrong with one answer. Derivations take several words, questions one."""
    answers = words_of(value, list(options), several="proofs" in expectation)
    if isinstance(answers, Problem):
        return answers
    sheet = read_back(answers, options)
    said = {one["name"]: found for one in asked if (found := about(one, sheet)) is not None}
    return too_few(said, len(asked), expectation.get("at_least", 1.0))


def too_few(said: Mapping[str, str], asked: int, at_least: float) -> Problem | None:
    """What is said of wrong answers, as a list, where more are wrong than may be; what several are told stands once."""
    right = asked - len(said)
    if right >= at_least * asked:
        return None
    names: dict[str, list[str]] = {}
    for name, remark in said.items():
        names.setdefault(remark, []).append(name)
    lines = "".join(f"{ITEM}{', '.join(those)}: {remark}" for remark, those in names.items())
    again = ", ".join(said)
    template = "{right} of {asked} are right; look again at {again}.{lines}"
    return Problem.of("numbers", template, right=right, asked=asked, again=again, lines=lines)


def about(question: Question, sheet: Sheet) -> str | None:
    """What there is to say of the answer to a question; None where it is right."""
    name = question["name"]
    if sheet.strange[name]:
        return f"{shortened(sheet.strange[name][0])} is no word of this question on your sheet."
    if not sheet.chosen[name]:
        return NO_ANSWER
    option = sheet.chosen[name][0]
    if digest(name, option) == question["right"]:
        return None
    return opened(question["told"][digest(name, option, "told")], name, option)


def shortened(text: str) -> str:
    """A learner's text in a sentence of ours."""
    return repr(printable(text, SHOWN))


def in_order(value: Any, expectation: Expectation) -> Problem | None:
    """Judge: the right steps of every derivation, or of the share `at_least`, in their order, without the wrong one."""
    steps = {one["name"]: one["steps"] for one in expectation["proofs"]}
    return of_a_sheet(value, expectation, expectation["proofs"], steps, about_order)


def about_order(proof: Proof, sheet: Sheet) -> str | None:
    """What there is to say of an order; None where it is right."""
    name, steps = proof["name"], sheet.chosen[proof["name"]]
    if sheet.strange[name]:
        return f"{shortened(sheet.strange[name][0])} is no word of this derivation on your sheet."
    if not steps:
        return NO_ANSWER
    for step in steps:
        if digest(name, step, "told") in proof["told"]:
            return opened(proof["told"][digest(name, step, "told")], name, step)
    good = sum(1 for _ in itertools.takewhile(bool, beginnings(proof, steps)))
    if good == len(steps) == len(proof["order"]):
        return None
    if good == len(steps):
        return f"right so far; {len(proof['order']) - good} more to come."
    next_one = word(sheet.numbers[name], name, steps[good])
    return f"the first {good} stand where they must; {next_one} does not follow yet."


def beginnings(proof: Proof, steps: Sequence[str]) -> Iterator[bool]:
    """Whether the steps are right up to the first, the second, ..."""
    for length in range(1, len(steps) + 1):
        yield length <= len(proof["order"]) and digest(proof["name"], *steps[:length]) == proof["order"][length - 1]


def habit(value: Any, expectation: Expectation) -> Problem | None:
    """Judge of symptoms: whether all was answered in one way, whatever was asked (HABITS)."""
    options = {one["name"]: one["options"] for one in expectation.get("questions", [])}
    options |= {one["name"]: one["steps"] for one in expectation.get("proofs", [])}
    names = list(options)
    answers = words_of(value, names, several="proofs" in expectation)
    if isinstance(answers, dict) and all(answers.values()):
        sheet = read_back(answers, options)
        if all(HABITS[expectation["symptom"]](name, answers[name], options[name], sheet) for name in names):
            return None
    return Problem.of("numbers", "That is something else.")


def always_at(place: int) -> Callable[..., bool]:
    """Whether a word is that of the option at one place of the sheet."""

    def habit_of(name: str, words: list[str], options: Sequence[str], sheet: Sheet) -> bool:
        return sheet.chosen[name][:1] == [in_order_of(sheet.numbers[name], name, options)[place]]

    return habit_of


HABITS: dict[str, Callable[[str, list[str], Sequence[str], Sheet], bool]] = {
    "longest": lambda name, words, options, sheet: sheet.chosen[name][:1] == [max(options, key=len)],
    "first": always_at(0),
    "last": always_at(-1),
    "letters": lambda name, words, options, sheet: all(len(one) == 1 for one in words),
    "texts": lambda name, words, options, sheet: set(words) <= {one.lower().strip() for one in options},
    "everything": lambda name, words, options, sheet: set(sheet.chosen[name]) == set(options),
    "as shown": lambda name, words, options, sheet: (
        sheet.chosen[name] == in_order_of(sheet.numbers[name], name, options)[: len(words)]
    ),
    "backwards": lambda name, words, options, sheet: (
        sheet.chosen[name] == in_order_of(sheet.numbers[name], name, options)[::-1][: len(words)]
    ),
}

DRIVERS: dict[str, Callable[..., Any]] = {"ask": ask}
WORDS = {"ask": ""}
JUDGES: dict[str, Judge] = {"chosen": chosen, "in_order": in_order, "habit": habit}
