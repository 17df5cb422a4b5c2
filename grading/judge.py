"""Judge a submission: run its cells in the sandbox, call its functions with our inputs, compare what comes back.

The cells run as a whole once, for what they show. Then each exercise is called in a process of its own, in which those
statements have run that were read for its source rules (see `source_rules.Plan`), and no others. Its public cases are
played before its hidden ones, so that nothing a learner is shown can hold what a hidden case let slip. A cell or call
that ends its process costs what it is part of; all else is still judged.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from nbformat import NotebookNode

from grading import sanitise
from grading.exercises.exercise import Exercise
from grading.reading import LONG, Reading, ReadRules
from grading.sandbox import replies
from grading.sandbox.replies import CellError
from grading.sandbox.sandbox import Process, ProcessEnded, Sandbox
from grading.slicing import Shown, shows_what_keys_hold
from grading.source_rules import CellText, ToRead
from grading.submission import Cell, Submission
from helpers.checking import key
from helpers.checking.calling import FINAL, OutOfTime, time_limit
from helpers.checking.judging import problem
from helpers.checking.marking import NOT_ATTEMPTED, Report, mark
from helpers.checking.recognising import recognise
from helpers.checking.shapes import Call, CriterionData, ExerciseData, Observation

GRACE = 2.0  # seconds beyond a limit that the process keeps itself
MOST_FRESH_STARTS = 8
PROCESSOR = "processor, in the sandbox"  # among the seconds of a judgement
SECONDS_TO_RECOGNISE = 20.0  # which mistake it was; it takes a fraction of one
MOST_DRAWN = 1000  # exercises with their cases that are kept
ENDINGS = {
    "time": "it did not answer in time",
    "memory": "it took more memory than allowed",
    "ended": "the process ended",
    "frame too large": "what it returned is too large",
    "too much": "all that it returned together is too large",
    "kernel": "the process ended, as it does where a kernel reads or writes outside of its tensors",
}
# Said where the whole notebook, which is no more than run, and what was read for an exercise, which counts, differ.
RIGHT_AS_A_WHOLE = (
    "{name} answers its first case rightly when the whole notebook has run, and wrongly with only the statements that "
    "were read for it, which count: look at what other statements do."
)
WRONG_AS_A_WHOLE = (
    "{name} answers its first case rightly with the statements that were read for it, which count, and wrongly "
    "when the whole notebook has run: other statements change it."
)
KERNEL_DRIVERS = ("kernel", "without_kernels")
# What was found not to be attempted with nothing but released cells: it is the same in the next submission, and need
# not be run there. The exercise and the texts of its cells.
NOT_ATTEMPTED_STUBS: set[tuple[str, ...]] = set()


@dataclass
class CellRun:
    """What came of running a cell."""

    cell: Cell
    error: CellError | None = None
    outputs: list[NotebookNode] = field(default_factory=list)  # made harmless
    ended: str | None = None  # why the process did not survive it
    spared: bool = False  # ours, needed by no answer: it shows what it shows for everybody, and does not run
    seconds: float = 0.0


@dataclass
class Judgement:
    """What is known of a submission when it has been judged. `failed` holds the exercises that the grader itself failed
    to judge, with its error."""

    reports: dict[str, Report] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    runs: list[CellRun] = field(default_factory=list)
    limits_hit: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the teacher
    seconds: dict[str, float] = field(default_factory=dict)
    seconds_of: dict[str, float] = field(default_factory=dict)  # by exercise
    memory_bytes: int = 0


def judge(
    submission: Submission,
    exercises: Mapping[str, Exercise],
    seed: int,
    sandbox: Sandbox,
    seconds: float | None = None,
    shown: Shown | None = None,
) -> Judgement:
    """Run a submission and judge the `exercises` that it has check cells for, with hidden cases drawn from `seed`,
    within so many `seconds` from when the sandbox is there; by default within `notebook_seconds`. Cells of ours that no
    answer needs do not run where it is known what they have `shown`."""
    wanted = {name: exercises[name] for name in submission.exercises if name in exercises}
    sandbox.start()
    begun = time.monotonic()
    run = SubmissionRun(submission, sandbox, wanted, seconds, shown or {})
    took = run.judgement.seconds
    took["reading"] = time.monotonic() - begun
    try:
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:  # while the cells run, and this process would wait
            drawing = pool.submit(with_hidden_cases, wanted, seed)
            took["cells"] = run.run_all()
            drawn = drawing.result()
        run.ask_whole(drawn)
        run.end()
        took["waiting for cases"] = time.monotonic() - begun - took["cells"]
        begun = time.monotonic()
        for name, exercise in drawn.items():
            run.report(name, exercise, exercises[name], seed)
            run.end()
        took["calls"] = time.monotonic() - begun
    finally:
        run.end()
    return run.judgement


def with_hidden_cases(wanted: Mapping[str, Exercise], seed: int) -> dict[str, ExerciseData]:
    """The exercises with their hidden cases drawn."""
    return {name: drawn_from(one, seed, mistakes=False) for name, one in wanted.items()}


@lru_cache(maxsize=MOST_DRAWN)
def drawn_from(exercise: Exercise, seed: int | None, mistakes: bool) -> ExerciseData:
    """An exercise as data; what a class shares a seed of is drawn once."""
    return exercise.as_data(seed, mistakes)


class SubmissionRun:
    """One submission in the sandbox. A process that ends is replaced, at most MOST_FRESH_STARTS times."""

    def __init__(
        self,
        submission: Submission,
        sandbox: Sandbox,
        exercises: Mapping[str, Exercise],
        seconds: float | None,
        shown: Shown,
    ):
        self.sandbox, self.limits = sandbox, sandbox.limits
        self.judgement = Judgement(runs=[CellRun(cell) for cell in submission.cells if cell.runs])
        self.deadline = time.monotonic() + (self.limits.notebook_seconds if seconds is None else seconds)
        self.process: Process | None = None
        self.starts = 0
        self.whole: dict[str, Observation] = {}  # by exercise, what the whole notebook answers to its first case
        self.given_up: dict[str, str] = {}  # exercises whose call ended a process, with the reason
        texts = [CellText(run.cell.python, run.cell.kind == "ours") for run in self.judgement.runs]
        wanted: dict[str, ToRead] = {
            name: {"functions": list(one.references), "rules": one.rules} for name, one in exercises.items()
        }
        self.reading = Reading(texts, wanted, self.seconds_left())
        for number, run in enumerate(self.judgement.runs):
            known = shown.get((run.cell.name, run.cell.node.source))
            of_the_key = run.cell.kind == "ours" and shows_what_keys_hold(run.cell.python)
            if of_the_key or (number in self.reading.spared and known is not None):
                run.spared, run.outputs = True, copy.deepcopy(known or [])

    def run_all(self) -> float:
        """Run all cells in a process, and those but the one that ended it in a fresh one. Returns the seconds that this
        took."""
        begun = time.monotonic()
        while self.process is None and self.starts < MOST_FRESH_STARTS:
            self.starts += 1
            self.process = self.sandbox.open()
            for run in self.judgement.runs:
                if run.ended is None and not run.spared and self.process is not None:
                    self.run_cell(run, self.process)
        return time.monotonic() - begun

    def ask_whole(self, exercises: Mapping[str, ExerciseData]) -> None:
        """Ask the process in which all cells have run for the first public case of each exercise that could differ
        there."""
        for name, exercise in exercises.items():
            calls = public_calls(exercise["criteria"][0])[:1]
            if self.process is None or not calls or not self.reading.is_apart(name) or time.monotonic() > self.deadline:
                continue
            seconds = min(exercise["seconds"], self.limits.call_seconds, self.seconds_left())
            request = {"calls": calls, "seconds": seconds, "rules": None}
            try:
                for reply in self.process.replies(request, seconds + GRACE, 1, self.deadline + GRACE):
                    self.whole[name] = replies.checked(reply, len(calls[0]["arguments"]))
            except ProcessEnded:
                self.end()

    def note_difference(self, name: str, exercise: ExerciseData, report: Report) -> None:
        """Tell the teacher where the whole notebook's answer to the first case is right and the one that counts is
        wrong, or the other way round."""
        played = report.criteria[0].played
        if name not in self.whole or not played or report.broken_rule is not None:
            return
        case = exercise["criteria"][0]["cases"][0]
        right = problem(self.whole[name], case["expected"], case["call"]["names"]) is None
        if right != (played[0].problem is None):
            self.judgement.notes.append((RIGHT_AS_A_WHOLE if right else WRONG_AS_A_WHOLE).format(name=name))

    def run_kept(self, name: str, read: ReadRules) -> None:
        """A fresh process, in which what was read for an exercise has run and nothing else."""
        self.process = self.sandbox.open()
        for number, keep in read.keep.items():
            run = self.judgement.runs[number]
            request = {"cell": run.cell.name, "source": run.cell.python, "keep": reached(run, keep)}
            if request["keep"] and run.cell.unread is None and self.process is not None:
                seconds = min(self.limits.cell_seconds, self.seconds_left())
                try:
                    self.process.ask({**request, "seconds": seconds}, seconds + GRACE)
                except ProcessEnded as ended:
                    self.given_up.setdefault(name, self.note_end(ended, f"the cell {run.cell.name}"))

    def run_cell(self, run: CellRun, process: Process) -> None:
        """Run a cell; where the process does not survive it, note why. What the grader cannot read does not run."""
        if run.cell.unread is not None:
            run.error = run.cell.unread
            return
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
        used = self.judgement.seconds.get(PROCESSOR, 0.0)
        self.judgement.seconds[PROCESSOR] = used + float(report.get("processor_seconds", 0.0))
        return str(report.get("why"))

    def play_public(self, name: str, exercise: ExerciseData) -> list[list[Observation]]:
        """Play the public cases of an exercise; what happened, by criterion."""
        calls = [public_calls(criterion) for criterion in exercise["criteria"]]
        found = iter(self.play(name, exercise, [call for some in calls for call in some]))
        return [list(islice(found, len(some))) for some in calls]

    def play(self, name: str, exercise: ExerciseData, calls: list[Call]) -> list[Observation]:
        """Send calls, and return what happened. There are fewer observations than calls where one ends them."""
        if self.process is None or time.monotonic() > self.deadline:
            self.given_up.setdefault(name, "the time for this notebook is used up")
        if self.process is None or name in self.given_up:
            return [self.stopped(name)]
        seconds = min(exercise["seconds"], self.limits.call_seconds, self.seconds_left())
        request = {"calls": calls, "seconds": seconds, "rules": exercise["rules"]}
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

    def note_once(self, sentence: str) -> None:
        """Write down a limit that was hit."""
        if sentence not in self.judgement.limits_hit:
            self.judgement.limits_hit.append(sentence)

    def why_missing(self, function: str) -> str:
        """Why a function is not there: what ended the cell that should define it."""
        for run in self.judgement.runs:
            if run.error is not None and f"def {function}" in run.cell.python:
                if run.ended is not None:
                    return f"The cell with {function} did not run to its end, and what it defined is lost: {run.ended}."
                return f"The cell with {function} stops before it is defined. {run.error}"
        return f"There is no function called {function}."

    def report(self, name: str, data: ExerciseData, exercise: Exercise, seed: int) -> None:
        """Report on an exercise. A fault of ours is noted, and ends neither the other exercises nor the class."""

        def play(criterion: int, calls: list[Call]) -> Iterator[Observation]:
            known = public[criterion]  # its public cases come first
            yield from known
            if len(known) < len(calls) and not (known and known[-1]["outcome"] in FINAL):
                yield from self.play(name, data, calls[len(known) :])

        try:
            read = self.reading.of(name)
            stub = self.stub(name, read)
            if stub in NOT_ATTEMPTED_STUBS:
                public: list[list[Observation]] = [[{"outcome": "not attempted"}], *([] for _ in data["criteria"][1:])]
            else:
                self.make_ready(name, read)
                public = self.play_public(name, data)
            report = mark(name, data, play, lambda: None if read is None else read.broken)
            if stub and report.outcome == NOT_ATTEMPTED:
                NOT_ATTEMPTED_STUBS.add(stub)
            self.note_difference(name, data, report)
            self.judgement.reports[name] = with_mistake(exercise, report, seed)
        except Exception as error:
            logging.exception("%s could not be judged", name)
            self.judgement.failed[name] = type(error).__name__

    def make_ready(self, name: str, read: ReadRules | None) -> None:
        """Have a fresh process for an exercise, or give it up."""
        if read is None:
            self.given_up.setdefault(name, LONG)
            self.note_once(LONG)
        elif time.monotonic() < self.deadline:
            self.run_kept(name, read)

    def stub(self, name: str, read: ReadRules | None) -> tuple[str, ...]:
        """The texts of the cells that count for an exercise, its name first, where all of them are as they were
        released; else nothing."""
        cells = [self.judgement.runs[number].cell for number, keep in read.keep.items() if keep] if read else []
        if any(cell.is_learners and not cell.is_untouched for cell in cells):
            return ()
        return (name, *(cell.python for cell in cells)) if cells else ()


def reached(run: CellRun, keep: list[tuple[int, int]]) -> list[int]:
    """The numbers of the statements to keep, up to the line that raised an error when the cell ran as a whole; of a
    cell that ended the process its imports."""
    last = 0 if run.ended is not None else None if run.error is None else run.error.line
    return [number for number, line in keep if last is None or line <= last]


def public_calls(criterion: CriterionData) -> list[Call]:
    """The calls of a criterion's public cases."""
    return [case["call"] for case in criterion["cases"] if not case.get("hidden")]


def with_mistake(exercise: Exercise, report: Report, seed: int) -> Report:
    """The report, with the mistake that explains a failure: only now the misconceptions are asked, on hidden cases only
    where the failure is in one."""
    if report.failure is not None and report.broken_rule is None:
        data = drawn_from(exercise, seed if report.failure.case.get("hidden") else None, mistakes=True)
        for criterion, full in zip(report.criteria, data["criteria"], strict=True):
            for played, case in zip(criterion.played, full["cases"], strict=False):
                made_of = case.get("ingredients", {})
                played.case = {**played.case, "mistakes": case["mistakes"], "ingredients": made_of}
        with suppress(OutOfTime), time_limit(SECONDS_TO_RECOGNISE):
            recognise({**data, "slips": slips_in_key(exercise.name)}, report)
    return report


def slips_in_key(name: str) -> dict[str, str]:
    """What a learner's check knows of slips; nothing where there is no key, as while one is made."""
    try:
        return key.find(name).get("slips", {})
    except key.KeyProblem:
        return {}
