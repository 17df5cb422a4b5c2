"""`infograd lint`: what exercises still lack, each with a remedy and the place in the file.

It reads definitions, the notebooks' sources and the kill table, and plays nothing; the wrong answers of one exercise
are played when that exercise is named."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from grading.building.inputs import source_of
from grading.course import ROOT, notebooks, with_exercises
from grading.exercises import kill_table, load
from grading.exercises.exercise import Exercise

CORE_POINTS, STRETCH_POINTS = 20, 3
TODO = "TODO"  # what `infograd new-exercise` leaves to be written
SENTENCE_ENDS = (".", "?", ".)", "`")


@dataclass(frozen=True)
class Finding:
    """Something that lacks: where, and what to do."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        file = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{file}:{self.line}: {self.text}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the exercises named (all by default) lack; returns 1 where something does."""
    parser = argparse.ArgumentParser(
        prog="infograd lint",
        description="Say what exercises still lack: answers, hints, quotes, inputs, cells, rows of the kill table.",
        epilog="examples:\n  infograd lint\n  infograd lint 04-condition-number-landscapes\n"
        "  infograd lint 04-condition-number-landscapes nesterov    also plays its wrong answers, in seconds",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "notebook", nargs="?", type=with_exercises, help="such as 04, or 04-condition-number-landscapes; all by default"
    )
    parser.add_argument("exercise", nargs="?", help="one of its exercises, whose wrong answers are played, too")
    options = parser.parse_args(arguments)
    names = [options.notebook] if options.notebook else notebooks()
    if options.exercise and options.exercise not in load(names[0]):
        known = ", ".join(load(names[0]))
        print(f"infograd lint: {names[0]} has no exercise {options.exercise!r}; it has {known}", file=sys.stderr)
        return 2
    if options.exercise:
        found = [*of_exercise(names[0], options.exercise), *survivors(names[0], options.exercise)]
    else:
        found = [one for name in names for one in of_notebook(name)]
    for one in found:
        print(one)
    if not found:
        print("infograd lint: nothing lacks")
    return 1 if found else 0


def of_notebook(notebook: str) -> list[Finding]:
    """What a notebook and its exercises lack."""
    exercises = load(notebook)
    total = sum(one.points for one in exercises.values() if not one.stretch)
    found = [one for name in exercises for one in of_exercise(notebook, name)]
    if total != CORE_POINTS:
        text = f"the core exercises add up to {total:g} points, not {CORE_POINTS}; change marks of their criteria"
        found.insert(0, Finding(definitions_of(notebook), 1, text))
    return found


def of_exercise(notebook: str, name: str) -> list[Finding]:
    """What one exercise lacks in its definition, in the notebook's source and in the kill table."""
    exercise, file = load(notebook)[name], definitions_of(notebook)
    here = line_of(file, f"def {name}(")
    in_definition = [*counts(exercise), *marks(exercise), *words(exercise)]
    if inspect.signature(exercise.references[name]).parameters:
        in_definition += inputs_range(file, here)
    return [
        *(Finding(file, here, f"{name}: {text}") for text in in_definition),
        *in_source(notebook, exercise),
        *(Finding(kill_table.FILE, 1, f"{name}: {text}") for text in missing_rows(exercise)),
    ]


def definitions_of(notebook: str) -> Path:
    """The file with a notebook's definitions."""
    return ROOT / "grading" / "exercises" / f"{notebook.replace('-', '_')}.py"


def counts(exercise: Exercise) -> Iterator[str]:
    """Too few of anything."""
    few = 2 if exercise.stretch else 3
    wanted = (
        (exercise.alternatives, few, "alternatives", f"add other right answers with @{exercise.name}.alternative"),
        (
            exercise.misconceptions,
            few + (not exercise.stretch),
            "misconceptions",
            f'add wrong answers that learners write, with @{exercise.name}.misconception("what they are told")',
        ),
        (exercise.hints, 2, "hints", "each goes one step further than the one before: @exercise(hints=[...])"),
        (
            {criterion.name for criterion in exercise.criteria},
            2,
            "criteria of different names",
            f"add @{exercise.name}.criterion(name, marks=..., says=...)",
        ),
    )
    for there, least, what, remedy in wanted:
        if len(there) < least:
            yield f"{len(there)} of at least {least} {what}; {remedy}"
    if len({criterion.name for criterion in exercise.criteria}) < len(exercise.criteria):
        yield "two criteria have one name; give each its own"
    by_value = any(judged_by_value(exercise, criterion.name) for criterion in exercise.criteria)
    if by_value and not exercise.oracles:
        yield f"no oracle; add a second route to the reference's number with @{exercise.name}.oracle"


def judged_by_value(exercise: Exercise, criterion: str) -> bool:
    """Whether no case of a criterion brings an expectation of its own, so that only an oracle can vouch for it."""
    cases = [one for c in exercise.criteria if c.name == criterion for one in exercise.draw(c, 0)]
    return all(one.expected is None for one in cases)


def marks(exercise: Exercise) -> Iterator[str]:
    """Marks that no scheme has."""
    for criterion in exercise.criteria:
        if criterion.marks <= 0 or criterion.marks * 4 != int(criterion.marks * 4):
            yield f"criterion {criterion.name!r} has {criterion.marks:g} marks; give it quarters, more than 0"
    if exercise.stretch and exercise.points != STRETCH_POINTS:
        yield f"a stretch exercise is worth {STRETCH_POINTS} points, and its criteria add up to {exercise.points:g}"


def words(exercise: Exercise) -> Iterator[str]:
    """Sentences that are not written yet, or not as sentences for learners are."""
    told = {f"the misconception {name}": one.sentence for name, one in exercise.misconceptions.items()}
    told |= {f"hint {number}": text for number, text in enumerate(exercise.hints, 1)}
    for what, text in told.items():
        if TODO in text:
            yield f"{what} is still to be written"
        elif re.search(r"!(?!=)", text):
            yield f"{what} has an exclamation mark; say it calmly"
    for name, one in exercise.misconceptions.items():
        if not one.sentence.endswith(SENTENCE_ENDS):
            yield f"the sentence of the misconception {name} has no full stop at its end"


def inputs_range(file: Path, line: int) -> Iterator[str]:
    """A definition without the range of inputs that it is played on."""
    above = []
    for text in reversed(lines_of(file)[: line - 1]):  # up to the rule of hyphens above the definition
        above.append(text)
        if text.startswith("# ---"):
            break
    stated = next((text for text in above if text.startswith("# Inputs:")), None)
    if stated is None or TODO in stated:
        yield 'no range of inputs; write "# Inputs: ..." above it: sizes, scales, special values that its cases reach'


def in_source(notebook: str, exercise: Exercise) -> list[Finding]:
    """What the notebook's source lacks of an exercise."""
    file, name = source_of(notebook, ROOT), exercise.name
    first = line_of(file, f'"grade_id": "{name}"')
    header = statement(file, name)
    missing = []
    if header is None:
        return [
            Finding(file, 1, f'{name}: no solution cell; add # %% nbgrader={{"grade_id": "{name}"}} below its text')
        ]
    if not has_line(file, f'"grade_id": "{name}-check"'):
        missing.append(f'no check cell; add # %% nbgrader={{"grade_id": "{name}-check"}} below its solution')
    if "### BEGIN SOLUTION" not in solution_cell(file, name):
        missing.append("no ### BEGIN SOLUTION: learners would be given the answer")
    if f"`{name}`" not in header or "**Goal:**" not in header or "Difficulty" not in header:
        missing.append("its text needs a heading with its name, **Goal:** and a line Difficulty · Importance · minutes")
    if TODO in header:
        missing.append("its text is still to be written")
    for criterion in exercise.criteria:
        missing += [
            f"criterion {criterion.name!r} says {phrase!r}, which the text does not; quote the text in says=..."
            for phrase in criterion.says
            if phrase not in header + without_solution(solution_cell(file, name))
        ]
        if not criterion.says:
            missing.append(f"criterion {criterion.name!r} quotes nothing of the text; add says=... to it")
    return [Finding(file, first, f"{name}: {text}") for text in missing]


def missing_rows(exercise: Exercise) -> Iterator[str]:
    """Wrong answers that the kill table does not have."""
    section = kill_table.FILE.read_text(encoding="utf-8").partition(f"\n### {exercise.name}\n")[2].partition("\n#")[0]
    lacking = [n for n in (*exercise.misconceptions, *exercise.rule_breakers) if f"| `{n}`" not in section]
    if lacking:
        yield f"no row for {', '.join(lacking)}; run python -m grading.exercises.kill_table"


def survivors(notebook: str, name: str) -> list[Finding]:
    """Wrong answers of one exercise that nothing catches, or that are not recognised."""
    exercise, file = load(notebook)[name], definitions_of(notebook)
    found = []
    for row in kill_table.rows(exercise):
        at = line_of(file, f"def {row.name}(") if row.name.isidentifier() else line_of(file, f"def {name}(")
        if row.caught is None:
            found.append(Finding(file, at, f"{name}: the wrong answer {row.name!r} survives; add a case that tells it"))
        elif row.kind == "misconception" and row.told != exercise.misconceptions[row.name].sentence:
            text = f"{name}: {row.name} is caught and told something else ({row.told}); draw a case that tells it apart"
            found.append(Finding(file, at, text))
    return found


@cache
def lines_of(file: Path) -> list[str]:
    """The lines of a file."""
    return file.read_text(encoding="utf-8").splitlines()


def has_line(file: Path, text: str) -> bool:
    """Whether a line has this text."""
    return any(text in line for line in lines_of(file))


def line_of(file: Path, text: str) -> int:
    """The number of the first line that has this text; 1 where none has."""
    return next((number for number, line in enumerate(lines_of(file), 1) if text in line), 1)


@cache
def cells(file: Path) -> list[str]:
    """The cells of a notebook's source, each from behind its `# %%`."""
    return re.split(r"^# %%", "\n".join(lines_of(file)), flags=re.MULTILINE)


def place_of(file: Path, name: str) -> int | None:
    """Which cell is an exercise's solution."""
    begins = f' nbgrader={{"grade_id": "{name}"}}'
    return next((number for number, cell in enumerate(cells(file)) if cell.startswith(begins)), None)


def statement(file: Path, name: str) -> str | None:
    """An exercise's text, the cell above its solution, in one line; None where it has no solution cell."""
    place = place_of(file, name)
    return None if place is None else plain(cells(file)[place - 1])


def solution_cell(file: Path, name: str) -> str:
    """The cell of an exercise's solution; empty where there is none."""
    place = place_of(file, name)
    return "" if place is None else cells(file)[place]


def without_solution(cell: str) -> str:
    """What a learner sees of a solution cell, in one line."""
    return plain(re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", cell, flags=re.DOTALL))


def plain(cell: str) -> str:
    """A cell's text without comment signs, in one line."""
    return " ".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE).split())


if __name__ == "__main__":
    sys.exit(main())
