"""A simulated class: who hands in what. The same seed makes the same class."""

from __future__ import annotations

import ast
import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import digits
from typing import Any

from grading.exercises import load
from grading.exercises.as_text import NoText, answer_text

NAMES = {  # what a learner is called, and the family name
    "ada": "Lindgren", "amir": "Haddad", "anouk": "Visser", "bela": "Kovács", "carmen": "Ortega", "chidi": "Okafor",
    "dario": "Ricci", "edith": "Baumann", "emeka": "Nwosu", "farah": "Rahimi", "felix": "Sommer", "gita": "Menon",
    "hana": "Novák", "henrik": "Dahl", "ines": "Duarte", "ivo": "Petrov", "jamila": "Osman", "jonas": "Keller",
    "kaito": "Mori", "kira": "Volkova", "lea": "Fontaine", "lior": "Peretz", "mara": "Ionescu", "mateo": "Silva",
    "mei": "Chen", "nadia": "Benali", "noor": "Jansen", "olga": "Sokolova", "oscar": "Nilsson", "petra": "Horvat",
    "quentin": "Moreau", "rosa": "Marino", "sami": "Laine", "selma": "Berg", "tariq": "Aziz", "uma": "Iyer",
    "viktor": "Szabó", "wanda": "Nowak", "yara": "Khoury", "zeno": "Peeters",
}  # fmt: skip
HOSTILE = {
    "ends its process": "import os\nos._exit(0)\n",
    "looks for the answers": "print(open('/course/solutions/answers.py').read())\n",
    "shows a script": "from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script>'))\n",
    "raises in the middle": "raise SystemExit('done')\n",
}
MALFORMED: dict[str, Callable[[str], str]] = {
    "half a file": lambda text: text[: len(text) // 2],
    "a web page": lambda text: "<!DOCTYPE html><title>My notebook</title>",
    "no cells": lambda text: json.dumps({**json.loads(text), "cells": []}),
}
SAME_SLIP = "\n\n_first_try = {name}\n\n\ndef {name}(*arguments):\n    return 0.93 * _first_try(*arguments)\n"


@dataclass(frozen=True)
class Learner:
    """A simulated learner: the name, what kind of submission it is, and the file handed in."""

    name: str
    kind: str
    text: str

    @property
    def full_name(self) -> tuple[str, str]:
        """First name and family name; from the second round on the latter with the number."""
        called = self.name.rstrip(digits)
        return called.capitalize(), f"{NAMES[called]} {self.name.removeprefix(called)}".strip()


@dataclass
class Answers:
    """The texts that the definitions of a notebook hold, by exercise."""

    notebook: str
    right: dict[str, list[str]] = field(default_factory=dict)
    wrong: dict[str, Iterator[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, notebook: str, models: dict[str, str]) -> Answers:
        """Right answers are the model's (a text per exercise) and the alternatives; wrong ones the known mistakes, in
        turn."""
        answers = cls(notebook)
        for name, exercise in load(notebook).items():
            if name not in models:
                continue
            answers.right[name] = [models[name], *texts(notebook, exercise.alternatives.values())]
            wrong = list(texts(notebook, (one.functions for one in exercise.misconceptions.values())))
            answers.wrong[name] = itertools.cycle(wrong or [models[name]])
        return answers


def texts(notebook: str, answers: Any) -> Iterator[str]:
    """The texts of those answers that have one."""
    for functions in answers:
        try:
            yield answer_text(notebook, functions)
        except NoText:
            continue


def simulated_class(notebook: str, released: Path, solution: Path, size: int, seed: int) -> list[Learner]:
    """A class of `size` learners. `released` is the learner's notebook, `solution` the executed one with the model
    answers."""
    rng = random.Random(seed)
    start = json.loads(released.read_text(encoding="utf-8"))
    executed = json.loads(solution.read_text(encoding="utf-8"))
    models = {name: without_marks("".join(cell["source"])) for name, cell in answer_cells(executed)}
    answers = Answers.of(notebook, models)
    kinds = kinds_of(size, rng)
    class_list = [
        Learner(name, kind, hand_in(kind, start, answers, rng)) for name, kind in zip(names(size), kinds, strict=True)
    ]
    return with_a_copy(class_list, start, rng)


def without_marks(text: str) -> str:
    """A model answer without nbgrader's marks around the solution."""
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("### "))


def names(size: int) -> list[str]:
    """As many names as learners; from the second round on with a number."""
    rounds = (f"{name}{number or ''}" for number in itertools.count() for name in NAMES)
    return list(itertools.islice(rounds, size))


def kinds_of(size: int, rng: random.Random) -> list[str]:
    """One of each odd kind, a tenth untouched, some perfect, some with the same unknown slip, the others partial."""
    odd = [*HOSTILE, *MALFORMED]
    few = max(1, size // 10)
    kinds = [*odd, *["untouched"] * few, *["perfect"] * (2 * few), *["same slip"] * few]
    kinds = [*kinds, *["partial"] * (size - len(kinds))][:size]
    rng.shuffle(kinds)
    return kinds


def hand_in(kind: str, start: dict[str, Any], answers: Answers, rng: random.Random) -> str:
    """The file that a learner of some kind hands in."""
    if kind == "untouched":
        return json.dumps(start)
    skill = 1.0 if kind in ("perfect", *MALFORMED) else rng.uniform(0.2, 0.95)
    notebook = answered(start, {name: answer_of(name, answers, skill, rng) for name in answers.right})
    cells = dict(answer_cells(notebook))
    if kind in HOSTILE:
        cells[rng.choice(list(cells))]["source"] += "\n\n" + HOSTILE[kind]
    if kind == "same slip":
        name = next(iter(cells))
        cells[name]["source"] = answers.right[name][0] + SAME_SLIP.format(name=name)
    text = json.dumps(notebook)
    return MALFORMED[kind](text) if kind in MALFORMED else text


def answer_of(name: str, answers: Answers, skill: float, rng: random.Random) -> str | None:
    """A right answer as often as the skill is high, else a mistake, and now and then none."""
    if rng.random() < skill:
        return rng.choice(answers.right[name])
    return None if rng.random() < 0.15 else next(answers.wrong[name])


def with_a_copy(class_list: list[Learner], start: dict[str, Any], rng: random.Random) -> list[Learner]:
    """The class with one partial submission handed in twice, the second time under other variable names."""
    partial = [number for number, one in enumerate(class_list) if one.kind == "partial"]
    if len(partial) < 2:
        return class_list
    source, copied = rng.sample(partial, 2)
    notebook = json.loads(class_list[source].text)
    for name, cell in answer_cells(notebook):
        cell["source"] = renamed("".join(cell["source"]), name)
    class_list[copied] = replace(class_list[copied], kind="copy", text=json.dumps(notebook))
    return class_list


def renamed(text: str, name: str) -> str:
    """A text whose local variables have other names."""
    tree = ast.parse(text)
    stored = {leaf.id for leaf in ast.walk(tree) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}
    for leaf in ast.walk(tree):
        if isinstance(leaf, ast.Name) and leaf.id in stored - {name}:
            leaf.id = f"my_{leaf.id}"
    return ast.unparse(tree)


def answer_cells(notebook: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The cells for answers, by grade_id."""
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and about.get("solution"):
            yield about["grade_id"], cell


def answered(start: dict[str, Any], given: dict[str, str | None]) -> dict[str, Any]:
    """The learner's notebook with these answers in it; None leaves one untouched."""
    notebook = copy.deepcopy(start)
    for name, cell in answer_cells(notebook):
        if (text := given.get(name)) is not None:
            cell["source"] = text
    return notebook
