"""The ``infograd`` command, with a module behind each of its subcommands.

A subcommand is a line in `COMMANDS`; its function takes the arguments that follow its name and returns an exit
status. Its module is imported only when it is asked for, so that ``infograd --help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import itertools
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from grading.course import ROOT, notebooks
from helpers.lab import open_lab, replace_by

NOTEBOOKS = ROOT / "notebooks"
LEARNER_SETTINGS = Path(__file__).resolve().parent / "lab"


@dataclass(frozen=True)
class Command:
    """A subcommand: its name, the function behind it as ``module:function``, for whom it is, and what it does in a few
    words."""

    name: str
    target: str
    who: str
    summary: str

    def run(self, arguments: Sequence[str]) -> int:
        """Import the function, call it with the arguments, and return its exit status."""
        module, _, function = self.target.partition(":")
        return getattr(importlib.import_module(module), function)(list(arguments)) or 0


LEARNERS, TEACHERS, AUTHORS = "for learners", "for teachers", "for authors"

COMMANDS = (
    Command("lab", "grading.command:lab", LEARNERS, "open JupyterLab on the start page; arguments go to JupyterLab"),
    Command("submit", "grading.classroom.handing_in:submit", LEARNERS, "hand in a notebook"),
    Command("feedback", "grading.classroom.handing_in:feedback", LEARNERS, "fetch the feedback on what you handed in"),
    Command("update", "grading.update:main", LEARNERS, "bring the course up to date, and keep your answers"),
    Command("doctor", "grading.doctor:main", LEARNERS, "say what is well on this machine, what is not, and what to do"),
    Command("formgrader", "grading.command:formgrader", TEACHERS, "open nbgrader's formgrader in JupyterLab"),
    Command("bundle", "grading.building.bundle:main", TEACHERS, "make the zip that learners get, and a wheel"),
    Command("due", "grading.classroom.due:main", TEACHERS, "show or set when an assignment is due, for all or for one"),
    Command("grade", "grading.classroom.bulk:main", TEACHERS, "grade what a class has handed in"),
    Command("results", "grading.classroom.results:main", TEACHERS, "print what each answer was worth, and why"),
    Command("report", "grading.report.page:main", TEACHERS, "show on one page what a class did with an assignment"),
    Command("demo", "grading.demo.circle:main", TEACHERS, "grade a simulated class in a folder of its own"),
    Command("new-exercise", "grading.building.new_exercise:main", AUTHORS, "write the first draft of an exercise"),
    Command("lint", "grading.building.lint:main", AUTHORS, "say what exercises still lack, and where"),
    Command("build", "grading.building.build:main", AUTHORS, "make notebooks and answer keys from their sources"),
    Command("site", "grading.site.build:main", AUTHORS, "make a static site of notebooks, tables and guides"),
    Command("test", "grading.command:test", AUTHORS, "run what CI runs (slow tests: --all), or pytest with arguments"),
)


@dataclass(frozen=True)
class Step:
    """One step of ``infograd test``: a heading, the arguments for Python, and what to add to the environment."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """Return the shell line that runs this step alone, from the root of the repository."""
        # Not resolved: .venv/bin/python is a link, and what it links to is not the environment.
        python = Path(sys.executable)
        shown = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*settings, shlex.join([str(shown), *self.arguments])])

    def run(self, beside_others: bool = False) -> Ran:
        """Run the step in the root of the repository. What it says is shown at once, beside others kept."""
        begun, environment = time.monotonic(), os.environ | self.environment
        out, err = (subprocess.PIPE, subprocess.STDOUT) if beside_others else (None, None)
        line = [sys.executable, *self.arguments]
        done = subprocess.run(line, cwd=ROOT, env=environment, stdout=out, stderr=err, check=False)
        return Ran(done.returncode, time.monotonic() - begun, (done.stdout or b"").decode("utf-8", "replace"))


@dataclass(frozen=True)
class Ran:
    """How a step went: its exit status, its seconds, and what it said, if that was kept."""

    status: int
    seconds: float
    said: str


# Two workers on two cores: with more than one thread in each, they would only wait for each other.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

# Without a processor's vector instructions sums are rounded otherwise, and a search that stops by a tolerance ends
# elsewhere: what is built must not hang on that.
PLAINER_PROCESSOR = {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Nehalem"}

NBVAL = ("-m", "pytest", "--nbval", "solutions", "--nbval-sanitize-with", "tests/nbval.cfg")

# Each worker takes half of the tests in their order, then what the other has left: seldom do both make one fixture.
TESTS = ("-m", "pytest", "tests", "-q", "-n", "2", "--dist", "worksteal")
ALL = "--all"

# The steps of one stage run side by side.
STAGES = (
    (
        Step("lint", ("-m", "ruff", "check", ".")),
        Step("format", ("-m", "ruff", "format", "--check", ".")),
        Step("types", ("-m", "mypy")),
        # The notebooks run once, in the last step: nbval compares what they say with what is committed.
        Step("built files", ("-m", "grading.command", "build", "--check", "--unrun"), PLAINER_PROCESSOR),
    ),
    (Step("tests", (*TESTS, "-m", "not slow and not long"), ONE_THREAD),),
    # One worker for each notebook: its cells share a kernel.
    (Step("notebooks", (*NBVAL, "-q", "-n", "2", "--dist", "loadfile"), ONE_THREAD),),
)
# What CI runs: the slow tests, too.
ALL_STAGES = (STAGES[0], (Step("tests", TESTS, ONE_THREAD),), *STAGES[2:])


def lab(arguments: Sequence[str]) -> int:
    """Replace this process with JupyterLab, open at the start page and without nbgrader's panels for teachers."""
    return open_lab(NOTEBOOKS, arguments, [LEARNER_SETTINGS])


def formgrader(arguments: Sequence[str]) -> int:
    """Replace this process with JupyterLab, rooted where nbgrader_config.py is and open on the formgrader."""
    os.chdir(ROOT)
    return replace_by("-m", "jupyterlab", "--LabApp.default_url=/formgrader", *arguments)


def test(arguments: Sequence[str]) -> int:
    """Run every step, with `--all` the slow tests too, stop at the first that fails and say how to repeat it; with
    other arguments, run pytest with them."""
    if [*arguments] == [ALL]:
        return run_stages(ALL_STAGES)
    if arguments:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    return run_stages(STAGES)


def run_stages(stages: Sequence[Sequence[Step]]) -> int:
    """Run the stages in turn, with a heading and the seconds of each step, and return the status of the first step that
    fails. What steps say that run side by side is shown step by step."""
    start, count = time.monotonic(), sum(map(len, stages))
    numbers = itertools.count(1)
    for stage in stages:
        side_by_side = len(stage) > 1
        with ThreadPoolExecutor(len(stage)) as pool:
            at_work = [pool.submit(step.run, side_by_side) for step in stage]
            for step, done in zip(stage, at_work, strict=True):
                print(f"\n== {next(numbers)}/{count} {step.name}", flush=True)
                ran = done.result()
                print(without_progress(ran.said), end="")
                if ran.status:
                    failed = f"{step.name} failed after {ran.seconds:.0f} s. To repeat it: {step.line()}"
                    print(f"\n== {failed}", flush=True)
                    return ran.status
                print(f"   {step.name}: {ran.seconds:.0f} s", flush=True)
    print(f"\n== all {count} steps passed in {time.monotonic() - start:.0f} s", flush=True)
    return 0


def without_progress(said: str) -> str:
    """What a program said, of each progress bar only the last state."""
    return "\n".join(line.rpartition("\r")[2] for line in said.split("\n"))


def overview() -> str:
    """The subcommands, by whom they are for."""
    width = max(len(command.name) for command in COMMANDS)
    groups: dict[str, list[str]] = {}
    for one in COMMANDS:
        groups.setdefault(one.who, []).append(f"  {one.name:{width}}  {one.summary}")
    return "\n\n".join("\n".join([f"{who}:", *lines]) for who, lines in groups.items())


def options_of(name: str) -> list[str]:
    """The options that a subcommand's help names; none of one that does not exist, or hands its arguments on."""
    command = next((one for one in COMMANDS if one.name == name), None)
    if command is None or command.target.startswith("grading.command:"):
        return []
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        command.run(["--help"])
    return sorted({*re.findall(r"(?<![\w-])--[a-z][a-z-]*", said.getvalue())} - {"--help"})


def complete(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what can come next, and end: the subcommands, then the notebooks, or files. A subcommand is
    imported only where its options are asked for, so that all else is answered at once."""
    import argcomplete

    words = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])].split()
    for option in options_of(words[1]) if len(words) > 2 and words[-1].startswith("-") else ():
        parser.add_argument(option, nargs="?")
    rest = parser.add_argument("rest", nargs="*")
    rest.completer = lambda prefix, **_: [*notebooks(), *argcomplete.FilesCompleter()(prefix)]  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that the arguments (those of the process if None) name, and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="infograd",
        description="Notebooks on information theory and optimisation whose exercises grade themselves.",
        usage="infograd [-h] COMMAND [ARGUMENT ...]",
        epilog=f"{overview()}\n\ninfograd COMMAND --help says more, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=[c.name for c in COMMANDS], help=argparse.SUPPRESS)
    if "_ARGCOMPLETE" in os.environ:
        complete(parser)
    # What follows the name is the subcommand's own business, --help included.
    name = parser.parse_args(arguments[:1]).command
    # nbgrader calls its own tools by their bare names.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    try:
        return next(c for c in COMMANDS if c.name == name).run(arguments[1:])
    except KeyboardInterrupt:
        return 130
    except OSError as problem:
        about = f"{problem.filename} cannot be used: {problem.strerror}" if problem.filename else problem
        print(f"infograd {name}: {about}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
