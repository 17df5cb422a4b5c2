"""The ``infograd`` command, with a module behind each of its subcommands.

A subcommand is a line in `COMMANDS`; its function takes the arguments that follow its name and returns an exit
status. Its module is imported only when it is asked for, so that ``infograd --help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grading.course import ROOT
from helpers.lab import open_lab, replace_by

NOTEBOOKS = ROOT / "notebooks"
LEARNER_SETTINGS = Path(__file__).resolve().parent / "lab"


@dataclass(frozen=True)
class Command:
    """A subcommand: its name, the function behind it as ``module:function``, and what it does in a few words."""

    name: str
    target: str
    summary: str

    def run(self, arguments: Sequence[str]) -> int:
        """Import the function, call it with the arguments, and return its exit status."""
        module, _, function = self.target.partition(":")
        return getattr(importlib.import_module(module), function)(list(arguments)) or 0


COMMANDS = (
    Command("lab", "grading.command:lab", "open JupyterLab on the start page; arguments go to JupyterLab"),
    Command("submit", "grading.classroom.handing_in:submit", "hand in a notebook"),
    Command("feedback", "grading.classroom.handing_in:feedback", "fetch the feedback on a notebook that you handed in"),
    Command("update", "grading.update:main", "bring the course up to date, and keep your answers"),
    Command("formgrader", "grading.command:formgrader", "open nbgrader's formgrader in JupyterLab, for teachers"),
    Command("test", "grading.command:test", "run everything that CI runs; with arguments, run pytest with them"),
    Command("build", "grading.building.build:main", "make notebooks and answer keys from their sources"),
    Command(
        "bundle", "grading.building.bundle:main", "make the zip that learners get, and a wheel of what they import"
    ),
    Command("grade", "grading.classroom.bulk:main", "grade what a class has handed in"),
    Command("results", "grading.classroom.results:main", "print what each answer was worth, and why"),
    Command("report", "grading.report.page:main", "show on one page what a class did with an assignment"),
    Command("demo", "grading.demo.circle:main", "grade a simulated class in a folder of its own, up to the report"),
    Command("due", "grading.classroom.due:main", "show or set when an assignment is due, for all or for one learner"),
    Command("doctor", "grading.doctor:main", "say what is well on this machine, what is not, and what to do"),
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

    def run(self) -> int:
        """Run the step in the root of the repository and return its exit status."""
        environment = os.environ | self.environment
        return subprocess.run([sys.executable, *self.arguments], cwd=ROOT, env=environment, check=False).returncode


# Two workers on two cores: with more than one thread in each, they would only wait for each other.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

NBVAL = ("-m", "pytest", "--nbval", "solutions", "--nbval-sanitize-with", "tests/nbval.cfg")

STEPS = (
    Step("lint", ("-m", "ruff", "check", ".")),
    Step("format", ("-m", "ruff", "format", "--check", ".")),
    Step("types", ("-m", "mypy")),
    Step("built files", ("-m", "grading.command", "build", "--check")),
    Step("tests", ("-m", "pytest", "tests", "-q", "-n", "2"), ONE_THREAD),
    # One worker for each notebook: its cells share a kernel.
    Step("notebooks", (*NBVAL, "-q", "-n", "2", "--dist", "loadfile"), ONE_THREAD),
)


def lab(arguments: Sequence[str]) -> int:
    """Replace this process with JupyterLab, open at the start page and without nbgrader's panels for teachers."""
    return open_lab(NOTEBOOKS, arguments, [LEARNER_SETTINGS])


def formgrader(arguments: Sequence[str]) -> int:
    """Replace this process with JupyterLab, rooted where nbgrader_config.py is and open on the formgrader."""
    os.chdir(ROOT)
    return replace_by("-m", "jupyterlab", "--LabApp.default_url=/formgrader", *arguments)


def test(arguments: Sequence[str]) -> int:
    """Run every step, stop at the first that fails and say how to repeat it; with arguments, run pytest with them."""
    if arguments:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    return run_steps(STEPS)


def run_steps(steps: Sequence[Step]) -> int:
    """Run the steps in turn, with a heading and the seconds of each, and return the status of the first that fails."""
    start = time.monotonic()
    for number, step in enumerate(steps, 1):
        print(f"\n== {number}/{len(steps)} {step.name}", flush=True)
        begun = time.monotonic()
        status = step.run()
        seconds = time.monotonic() - begun
        if status:
            print(f"\n== {step.name} failed after {seconds:.0f} s. To repeat it: {step.line()}", flush=True)
            return status
        print(f"   {step.name}: {seconds:.0f} s", flush=True)
    print(f"\n== all {len(steps)} steps passed in {time.monotonic() - start:.0f} s", flush=True)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that the arguments (those of the process if None) name, and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    width = max(len(command.name) for command in COMMANDS)
    parser = argparse.ArgumentParser(
        prog="infograd",
        description="Notebooks on information theory and optimisation whose exercises grade themselves.",
        usage="infograd [-h] COMMAND [ARGUMENT ...]",
        epilog="commands:\n" + "\n".join(f"  {c.name:{width}}  {c.summary}" for c in COMMANDS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=[c.name for c in COMMANDS], help=argparse.SUPPRESS)
    # What follows the name is the subcommand's own business, --help included.
    name = parser.parse_args(arguments[:1]).command
    # nbgrader calls its own tools by their bare names.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    try:
        return next(c for c in COMMANDS if c.name == name).run(arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
