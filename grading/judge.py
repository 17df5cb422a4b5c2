"""Judge a submission: run its cells in the sandbox, call its functions with our inputs, compare what comes back.

All cells run before the first call, and all public cases are played before the first hidden one, so that nothing a
learner is shown can hold what a hidden case let slip. A process that dies or does not answer is replaced by a fresh
one, in which the cell or the exercise that ended it is left out; the others are still judged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from nbformat import NotebookNode

from grading import sanitise
from grading.exercises.exercise import Exercise
from grading.sandbox import replies
from grading.sandbox.replies import CellError
from grading.sandbox.sandbox import Process, ProcessEnded, Sandbox
from grading.source_rules import AnswerText
from grading.submission import Cell, Submission
from helpers.checking.calling import FINAL
from helpers.checking.marking import Report, mark, recognise
from helpers.checking.shapes import Call, CriterionData, ExerciseData, Observation

GRACE = 2.0  # seconds beyond a limit that the process keeps itself
MOST_FRESH_STARTS = 8
ENDINGS = {
    "time": "it did not answer in time",
    "memory": "it took more memory than allowed",
    "ended": "the process ended",
    "frame too large": "what it returned is too large",
    "too much": "all that it returned together is too large",
    "kernel": "the process ended, as it does where a kernel reads or writes outside of its tensors",
}
KERNEL_DRIVERS = ("kernel", "without_kernels")


@dataclass
class CellRun:
    """What came of running a cell."""

    cell: Cell
    error: CellError | None = None
    outputs: list[NotebookNode] = field(default_factory=list)  # made harmless
    ended: str | None = None  # why the process did not survive it
    seconds: float = 0.0


@dataclass
class Judgement:
    """What is known of a submission when it has been judged. `failed` holds the exercises that the grader itself failed
    to judge, with its error."""

    reports: dict[str, Report] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    runs: list[CellRun] = field(default_factory=list)
    limits_hit: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    seconds_of: dict[str, float] = field(default_factory=dict)  # by exercise
    memory_bytes: int = 0


def judge(
    submission: Submission,
    exercises: Mapping[str, Exercise],
    seed: int,
    sandbox: Sandbox,
    seconds: float | None = None,
) -> Judgement:
    """Run a submission and judge the `exercises` that it has check cells for, with hidden cases drawn from `seed`,
    within so many `seconds` from when the sandbox is there; by default within `notebook_seconds`."""
    wanted = {name: exercises[name] for name in submission.exercises if name in exercises}
    sandbox.start()
    run = SubmissionRun(submission, sandbox, seconds)
    took = run.judgement.seconds
    try:
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:  # while the cells run, and this process would wait
            drawing = pool.submit(with_hidden_cases, wanted, seed, run.text)
            took["cells"] = run.restart()
            drawn = drawing.result()
        took["waiting for cases"] = time.monotonic() - begun - took["cells"]
        begun = time.monotonic()
        for name, exercise in drawn.items():
            run.play_public(name, exercise)
        for name, exercise in drawn.items():
            run.report(name, exercise, exercises[name], seed)
        took["calls"] = time.monotonic() - begun
    finally:
        run.end()
    return run.judgement


def with_hidden_cases(wanted: Mapping[str, Exercise], seed: int, text: AnswerText) -> dict[str, ExerciseData]:
    """The exercises with their hidden cases drawn; their source rules are looked for in the text of the answers."""
    drawn = {name: one.as_data(seed, mistakes=False) for name, one in wanted.items()}
    for one in drawn.values():
        text.broken_rule(one)
    return drawn


class SubmissionRun:
    """One submission in the sandbox. A process that ends is replaced, at most MOST_FRESH_STARTS times."""

    def __init__(self, submission: Submission, sandbox: Sandbox, seconds: float | None):
        self.sandbox, self.limits = sandbox, sandbox.limits
        self.judgement = Judgement(runs=[CellRun(cell) for cell in submission.cells if cell.runs])
        self.deadline = time.monotonic() + (self.limits.notebook_seconds if seconds is None else seconds)
        self.process: Process | None = None
        self.starts = 0
        self.given_up: dict[str, str] = {}  # exercises whose call ended a process, with the reason
        self.public: dict[str, list[list[Observation]]] = {}  # by exercise and criterion
        self.text = AnswerText([cell.python for cell in submission.answers if cell.runs])

    def restart(self) -> float:
        """A fresh process with all cells run that did not end one before. Returns the seconds that running took."""
        begun = time.monotonic()
        while self.process is None and self.starts < MOST_FRESH_STARTS:
            self.starts += 1
            self.process = self.sandbox.open()
            for run in self.judgement.runs:
                if run.ended is None and self.process is not None:
                    self.run_cell(run, self.process)
        return time.monotonic() - begun

    def run_cell(self, run: CellRun, process: Process) -> None:
        """Run a cell; where the process does not survive it, note why."""
        name, seconds = run.cell.name, min(self.limits.cell_seconds, self.seconds_left())
        begun = time.monotonic()
        try:
            reply = process.ask({"cell": name, "source": run.cell.python, "seconds": seconds}, seconds + GRACE)
            run.error = replies.error_of_cell(reply)
            run.outputs = sanitise.outputs(reply.get("outputs"), self.limits.output_bytes)
            if run.error is not None and run.error.name == "OutOfTime":
                self.judgement.limits_hit.append(f"the cell {name}: it did not end in time")
        except ProcessEnded as ended:
            run.ended = self.note_end(ended, f"the cell {name}")
            run.error, run.outputs = CellError("Stopped", run.ended), []
        run.seconds += time.monotonic() - begun

    def seconds_left(self) -> float:
        """Seconds left for this submission."""
        return max(self.deadline - time.monotonic(), 0.1)

    def note_end(self, ended: ProcessEnded, where: str) -> str:
        """The process has ended: write down why, and return it in words."""
        why = "memory" if self.end() == "memory" else ended.why
        reason = ENDINGS.get(why, "it disturbed the grading")
        self.judgement.limits_hit.append(f"{where}: {reason}")
        return reason

    def end(self) -> str:
        """End the process; why it had ended, if it had."""
        if self.process is None:
            return "ended"
        report = self.process.end()
        self.process = None
        self.judgement.memory_bytes = max(self.judgement.memory_bytes, int(report.get("memory_bytes", 0)))
        return str(report.get("why"))

    def play_public(self, name: str, exercise: ExerciseData) -> None:
        """Play the public cases of an exercise, and keep what happened for `report`."""
        calls = [public_calls(criterion) for criterion in exercise["criteria"]]
        found = iter(self.play(name, [call for some in calls for call in some], exercise["seconds"]))
        self.public[name] = [list(islice(found, len(some))) for some in calls]

    def play(self, name: str, calls: list[Call], seconds: float) -> list[Observation]:
        """Send calls, and return what happened. There are fewer observations than calls where one ends them."""
        if self.process is None and name not in self.given_up and time.monotonic() < self.deadline:
            self.restart()
        if self.process is None or time.monotonic() > self.deadline:
            self.given_up.setdefault(name, "the time for this notebook is used up")
        if self.process is None or name in self.given_up:
            return [self.stopped(name)]
        seconds = min(seconds, self.limits.call_seconds, self.seconds_left())
        request = {"calls": calls, "seconds": seconds}
        found: list[Observation] = []
        try:
            for reply in self.process.replies(request, seconds + GRACE, len(calls), self.deadline + GRACE):
                found.append(self.observed(name, reply, calls[len(found)]))
                if found[-1]["outcome"] in FINAL:
                    break
        except ProcessEnded as ended:
            call = calls[len(found)]
            if ended.why == "ended" and call.get("driver") in KERNEL_DRIVERS:
                ended = ProcessEnded("kernel")
            self.given_up[name] = self.note_end(ended, f"a call of {call['function']}")
            found.append(self.stopped(name))
        return found

    def stopped(self, name: str) -> Observation:
        """The observation of an exercise that is given up."""
        return {"outcome": "interrupted", "message": self.given_up[name]}

    def observed(self, name: str, reply: dict[str, Any], call: Call) -> Observation:
        """The observation in the reply to a call."""
        known = self.judgement.seconds_of.get(name, 0.0)
        self.judgement.seconds_of[name] = known + replies.seconds(reply)
        observation = replies.checked(reply, len(call["arguments"]))
        if observation["outcome"] == "no function":
            observation["message"] = self.why_missing(call["function"])
        return observation

    def why_missing(self, function: str) -> str:
        """Why a function is not there: the error that ended the cell that should define it."""
        for run in self.judgement.runs:
            if run.error is not None and f"def {function}" in run.cell.python:
                return f"The cell with {function} stops before it is defined. {run.error}"
        return f"There is no function called {function}."

    def report(self, name: str, data: ExerciseData, exercise: Exercise, seed: int) -> None:
        """Report on an exercise. A fault of ours is noted, and ends neither the other exercises nor the class."""

        def play(criterion: int, calls: list[Call]) -> list[Observation]:
            known = self.public[name][criterion]  # its public cases come first
            ended = len(known) == len(calls) or bool(known and known[-1]["outcome"] in FINAL)
            return known if ended else known + self.play(name, calls[len(known) :], data["seconds"])

        try:
            report = mark(name, data, play, lambda: self.text.broken_rule(data))
            self.judgement.reports[name] = with_mistake(exercise, report, seed)
        except Exception as error:
            logging.exception("%s could not be judged", name)
            self.judgement.failed[name] = type(error).__name__


def public_calls(criterion: CriterionData) -> list[Call]:
    """The calls of a criterion's public cases."""
    return [case["call"] for case in criterion["cases"] if not case.get("hidden")]


def with_mistake(exercise: Exercise, report: Report, seed: int) -> Report:
    """The report, with the mistake that explains a failure: only now the misconceptions are asked, on hidden cases only
    where the failure is in one."""
    if report.failure is not None:
        data = exercise.as_data(seed if report.failure.case.get("hidden") else None)
        for criterion, full in zip(report.criteria, data["criteria"], strict=True):
            for played, case in zip(criterion.played, full["cases"], strict=False):
                played.case = {**played.case, "mistakes": case["mistakes"]}
        report.mistake, report.mistake_sentence = recognise(data, report)
    return report
