"""`infograd new-exercise`: a definition and three cells to begin with, which build and lint at once.

The stub asks for a sum, so that everything runs; what an author has to write is marked TODO, and `infograd lint` counts
what is still lacking."""

from __future__ import annotations

import argparse
import keyword
import sys
from collections.abc import Sequence
from pathlib import Path

from grading.building.inputs import source_of
from grading.building.lint import TODO, definitions_of
from grading.course import ROOT, notebooks, with_exercises
from grading.exercises import load
from helpers.files import write_whole

WIDTH = 112  # of the rule above a definition
BEFORE = "# %% [markdown]\n# ## In your own words"  # where the last section of exercises ends

DEFINITION = """

{rule}
# Inputs: {todo}: sizes, scales and special values that the cases reach.
@exercise(
    hints=[
        "{todo}: a first hint.",
        "{todo}: a further one.",
    ],{stretch}
)
def {name}(x):
    return x.numpy().sum(-1)  # {todo}: the reference, in float64


@{name}.oracle
def {name}_by_steps(x):
    return sum(x.unbind(-1)).numpy()  # {todo}: another route to the same number


@{name}.criterion("matches the definition", marks={marks}, says="the answer `(...)`")
def {name}_definition(rng):
    yield case(torch.from_numpy(rng.standard_normal(3)))
    yield case(torch.from_numpy(rng.standard_normal((2, 4))))


@{name}.alternative
def {name}_with_torch(x):
    return x.sum(-1)


@{name}.misconception("{todo}: this sums over everything; sum over the last dimension only.")
def {name}_total(x):
    return x.sum()
"""

CELLS = '''# %% [markdown]
# ### {kind} {number}. `{name}`
#
# **Goal:** {todo}.
#
# Difficulty ●○○○○ · Importance ●○○○○ · 5 minutes
#
# - `x` has shape `(..., n)`, the answer `(...)`.


# %% nbgrader={{"grade_id": "{name}"}}
def {name}(x: torch.Tensor) -> torch.Tensor:
    """{todo}: what it returns, for what."""
    ### BEGIN SOLUTION
    return x.sum(-1)
    ### END SOLUTION


# %% nbgrader={{"grade_id": "{name}-check"}}
check("{name}", {name})

'''


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the stub and its cells; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="infograd new-exercise",
        description="Write the definition of a new exercise and its three cells, to begin with. It builds at once.",
        epilog="example:\n  infograd new-exercise 04-condition-number-landscapes line_search\n"
        "  infograd lint 04-condition-number-landscapes line_search    says what it still lacks\n"
        "  infograd build 04-condition-number-landscapes",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebook", type=with_exercises, help="such as 04, or 04-condition-number-landscapes")
    parser.add_argument("name", help="the name of the function that a learner writes, such as line_search")
    parser.add_argument("--stretch", action="store_true", help="for 3 points of extra credit, not one of the 20")
    options = parser.parse_args(arguments)
    if problem := why_not(options.notebook, options.name):
        print(f"infograd new-exercise: {problem}", file=sys.stderr)
        return 2
    source, definitions = source_of(options.notebook, ROOT), definitions_of(options.notebook)
    text = source.read_text(encoding="utf-8")
    if text.count(BEFORE) != 1:
        heading = BEFORE.partition("# ## ")[2]
        print(f"infograd new-exercise: {source} has no cell that begins with '## {heading}'", file=sys.stderr)
        return 1
    stub, cells = stub_of(options.notebook, options.name, options.stretch)
    write_whole(definitions, definitions.read_text(encoding="utf-8").rstrip("\n") + "\n" + stub)
    write_whole(source, text.replace(BEFORE, cells + BEFORE))
    for file, text in ((definitions, f"def {options.name}("), (source, f"`{options.name}`")):
        print(f"{shown(file)}:{line_of(file, text)}")
    print(f"Now: infograd lint {options.notebook} {options.name}")
    return 0


def why_not(notebook: str, name: str) -> str | None:
    """Why there can be no exercise of this name in a notebook; None where there can."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{name!r} is no name of a function; choose one such as line_search"
    if taken := [one for one in notebooks() if name in load(one)]:
        return f"{taken[0]} has an exercise {name!r}; exercises of the course have different names"
    if name in vars(sys.modules[load.__module__ + "." + notebook.replace("-", "_")]):
        return f"{shown(definitions_of(notebook))} uses the name {name!r} already; choose another"
    return None


def stub_of(notebook: str, name: str, stretch: bool) -> tuple[str, str]:
    """The definition and the cells of a new exercise, which comes last of its kind."""
    number = 1 + sum(one.stretch == stretch for one in load(notebook).values())
    kind, marks = ("Stretch", 3) if stretch else ("Exercise", 1)
    rule = f"# {'-' * (WIDTH - len(name) - 3)} {name}"
    extra = "\n    stretch=True," if stretch else ""
    definition = DEFINITION.format(name=name, todo=TODO, rule=rule, stretch=extra, marks=marks)
    return definition, CELLS.format(name=name, todo=TODO, kind=kind, number=number)


def shown(file: Path) -> Path:
    """A file as seen from the course's folder."""
    return file.relative_to(ROOT)


def line_of(file: Path, text: str) -> int:
    """The number of the first line that has this text."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


if __name__ == "__main__":
    sys.exit(main())
