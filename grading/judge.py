"""Judge a grafted notebook: run its cells in the sandbox, call its functions with our inputs, compare what comes back.

All cells run before the first call, and all public cases are played before the first hidden one, so that nothing a
learner is shown can hold what a hidden case let slip. A process that dies or does not answer is replaced by a fresh
one, in which the cell or the exercise that ended it is left out; the others are still judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from grading.exercises.exercise import Exercise
from grading.graft import grade_id, is_answer
from grading.magics import as_python
from grading.reading import Text
from grading.sandbox.replies import conforming, words
from grading.sandbox.sandbox import Gone, Inside, Limits, Sandbox
from helpers.checking.calling import FINAL
from helpers.checking.marking import INCORRECT, CriterionReport, Report, mark, recognise
from helpers.checking.shapes import Observation

INTERACTIVE = "interactive"  # the tag of our cells whose widgets need a kernel
GRACE = 2.0  # seconds beyond a limit that the process keeps itself
MOST_FRESH_STARTS = 8
ENDINGS = {
    "time": "it did not answer in time",
    "memory": "it took more memory than allowed",
    "ended": "the process ended",
    "frame too large": "what it returned is too large",
    "kernel": "the process ended, as it does where a kernel reads or writes outside of its tensors",
}


@dataclass
class Cell:
    """A code cell to run: its name, its Python (IPython's magics written out), and what came of it."""

    name: str
    node: NotebookNode
    source: str
    reply: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None  # why the process did not survive it
    seconds: float = 0.0


@dataclass
class Judged:
    """What is known of a submission when it has been judged."""

    reports: dict[str, Report] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    limits_hit: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    memory_bytes: int = 0


def judge(notebook: NotebookNode, exercises: Mapping[str, Exercise], seed: int, sandbox: Sandbox) -> Judged:
    """Run `notebook` and judge the `exercises` that it has check cells for, with hidden cases drawn from `seed`."""
    checks = {str(grade_id(cell)).removesuffix("-check") for cell in notebook.cells if is_check(cell)}
    wanted = {name: one for name, one in exercises.items() if name in checks}
    sandbox.start()
    run = Run(list(code_cells(notebook)), sandbox)
    try:
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:  # while the cells run, and this process would wait
            ready = pool.submit(prepare, wanted, seed, run.text)
            run.seconds["cells"] = run.restart()
            data = ready.result()
        run.seconds["waiting for cases"] = time.monotonic() - begun - run.seconds["cells"]
        begun = time.monotonic()
        for name, one in data.items():
            run.play_public(name, one)
        for name, one in data.items():
            run.judged.reports[name] = recognised(exercises[name], run.report(name, one), seed)
        run.seconds["calls"] = time.monotonic() - begun
    finally:
        run.end()
    return run.judged


def prepare(wanted: Mapping[str, Exercise], seed: int, text: Text) -> dict[str, dict[str, Any]]:
    """The exercises with their hidden cases drawn; their source rules are looked for in the text of the answers."""
    data = {name: one.as_data(seed, mistakes=False) for name, one in wanted.items()}
    for one in data.values():
        text.broken_rule(one)
    return data


def is_check(cell: NotebookNode) -> bool:
    """Whether a cell of ours is a check, whose output the grader writes."""
    about = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and about.get("grade") and not about.get("solution"))


def code_cells(notebook: NotebookNode) -> Iterator[Cell]:
    """The cells that run: ours and the learner's answers, but no check, nothing interactive."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and not is_check(cell) and INTERACTIVE not in cell.metadata.get("tags", ()):
            yield Cell(grade_id(cell) or f"cell {number + 1}", cell, as_python(cell.source))


class Run:
    """One submission in the sandbox, over as many processes as it wears out."""

    def __init__(self, cells: list[Cell], sandbox: Sandbox):
        self.cells, self.sandbox, self.limits = cells, sandbox, sandbox.limits
        self.judged = Judged(cells=cells)
        self.seconds = self.judged.seconds
        self.deadline = time.monotonic() + self.limits.notebook_seconds
        self.inside: Inside | None = None
        self.starts = 0
        self.given_up: dict[str, str] = {}  # exercises whose call ended a process, with the reason
        self.public: dict[tuple[str, int], Observation] = {}
        self.text = Text([cell.source for cell in cells if is_answer(cell.node)])

    def restart(self) -> float:
        """A fresh process with all cells run that did not end one before. Returns the seconds that running took."""
        begun = time.monotonic()
        while self.inside is None and self.starts < MOST_FRESH_STARTS:
            self.starts += 1
            self.inside = self.sandbox.open()
            for cell in self.cells:
                if cell.ended is None and self.inside is not None:
                    self.run_cell(cell)
        return time.monotonic() - begun

    def run_cell(self, cell: Cell) -> None:
        """Run a cell; where the process does not survive it, note why."""
        seconds = min(self.limits.cell_seconds, self.left())
        begun = time.monotonic()
        try:
            assert self.inside is not None
            cell.reply = self.inside.ask(
                {"cell": cell.name, "source": cell.source, "seconds": seconds}, seconds + GRACE
            )
            if cell.reply.get("error") == "OutOfTime":
                self.judged.limits_hit.append(f"the cell {cell.name}: it did not end in time")
        except Gone as gone:
            cell.ended = self.lose(gone, f"the cell {cell.name}")
            cell.reply = {"outcome": "raised", "error": "Stopped", "message": cell.ended}
        cell.seconds += time.monotonic() - begun

    def left(self) -> float:
        """Seconds left for this submission."""
        return max(self.deadline - time.monotonic(), 0.1)

    def lose(self, gone: Gone, where: str) -> str:
        """The process is gone: write down why, and return it in words."""
        why = "memory" if self.end() == "memory" else gone.why
        reason = ENDINGS.get(why, "it disturbed the grading")
        self.judged.limits_hit.append(f"{where}: {reason}")
        return reason

    def end(self) -> str:
        """End the process; why it had ended, if it had."""
        if self.inside is None:
            return "ended"
        report = self.inside.end()
        self.inside = None
        self.judged.memory_bytes = max(self.judged.memory_bytes, int(report.get("memory_bytes", 0)))
        return str(report.get("why"))

    def play_public(self, name: str, data: dict[str, Any]) -> None:
        """Play the public cases of an exercise, and keep what happened for `report`."""
        cases = [case for criterion in data["criteria"] for case in criterion["cases"] if not case.get("hidden")]
        calls = [case["call"] for case in cases]
        for call, observation in zip(calls, self.play(name, calls, data["seconds"]), strict=False):
            self.public[name, id(call)] = observation

    def play(self, name: str, calls: list[dict[str, Any]], seconds: float) -> list[Observation]:
        """Send calls, and take what comes back for what it is. There are fewer observations than calls where one ends
        them."""
        if self.inside is None and name not in self.given_up and time.monotonic() < self.deadline:
            self.restart()
        if self.inside is None or time.monotonic() > self.deadline:
            self.given_up.setdefault(name, "the time for this notebook is used up")
        if self.inside is None or name in self.given_up:
            return [self.stopped(name)]
        seconds = min(seconds, self.limits.call_seconds, self.left())
        request = {"calls": calls, "seconds": seconds}
        found: list[Observation] = []
        try:
            for reply in self.inside.replies(request, seconds + GRACE, len(calls), self.deadline + GRACE):
                found.append(self.observed(reply, calls[len(found)]))
                if found[-1]["outcome"] in FINAL:
                    break
        except Gone as gone:
            call = calls[len(found)]
            if gone.why == "ended" and call.get("driver") in ("kernel", "without_kernels"):
                gone = Gone("kernel")
            self.given_up[name] = self.lose(gone, f"a call of {call['function']}")
            found.append(self.stopped(name))
        return found

    def stopped(self, name: str) -> Observation:
        """The observation of an exercise that is given up."""
        return {"outcome": "interrupted", "message": self.given_up[name]}

    def observed(self, reply: dict[str, Any], call: dict[str, Any]) -> Observation:
        """The observation in the reply to a call."""
        observation = conforming(reply, len(call["arguments"]))
        if observation["outcome"] == "no value" and observation["message"].startswith("There is no function"):
            observation["message"] = self.why_missing(call["function"])
        return observation

    def why_missing(self, function: str) -> str:
        """Why a function is not there: the error that ended the cell that should define it."""
        for cell in self.cells:
            if cell.reply.get("outcome") == "raised" and f"def {function}" in cell.source:
                line = cell.reply.get("line")
                where = f" in line {line}" if type(line) is int else ""
                error = f"{words(cell.reply.get('error'))}{where}: {words(cell.reply.get('message'))}"
                return f"The cell with {function} stops before it is defined. {error}"
        return f"There is no function called {function}."

    def report(self, name: str, data: dict[str, Any]) -> Report:
        """The report on an exercise. A comparison that fails on what came back is no reason to stop, and earns
        nothing."""

        def play(calls: list[dict[str, Any]]) -> list[Observation]:
            known = [self.public[name, id(call)] for call in calls if (name, id(call)) in self.public]
            ended = len(known) == len(calls) or bool(known and known[-1]["outcome"] in FINAL)
            return known if ended else known + self.play(name, calls[len(known) :], data["seconds"])

        try:
            return mark(name, data, play, lambda: self.text.broken_rule(data))
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            ArithmeticError,
            RuntimeError,
            MemoryError,
            RecursionError,
        ) as error:
            self.judged.limits_hit.append(f"{name}: what came back could not be compared ({type(error).__name__})")
            criteria = [CriterionReport(c["name"], c["marks"], False) for c in data["criteria"]]
            return Report(name, data["points"], data["stretch"], INCORRECT, criteria)


def recognised(exercise: Exercise, report: Report, seed: int) -> Report:
    """The report, with the mistake that explains a failure: only now the misconceptions are asked, on hidden cases only
    where the failure is in one."""
    if report.failure is not None:
        data = exercise.as_data(seed if report.failure.case.get("hidden") else None)
        for criterion, full in zip(report.criteria, data["criteria"], strict=True):
            for played, case in zip(criterion.played, full["cases"], strict=False):
                played.case = played.case | {"mistakes": case["mistakes"]}
        report.mistake, report.mistake_sentence = recognise(data, report)
    return report


__all__ = ["Judged", "Limits", "judge"]
