"""A class graded by `infograd grade`: killed anywhere and run again, alone, summed up, and printed as results."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import random
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest
from nbgrader.api import Gradebook
from sqlalchemy import Engine, event

from grading.classroom import nbgrader_plugin
from grading.classroom.bulk import main as grade_main
from grading.classroom.cluster import Cluster
from grading.classroom.converters import FreshFeedback
from grading.classroom.handing_in import feedback
from grading.classroom.results import main as results_main
from grading.classroom.stopping import LOCK, alone
from grading.classroom.tasks import Release, Task, setup
from grading.classroom.tasks import grade as grade_task
from grading.classroom.team import MOST_PROCESSES, Team, Waiting, worth
from grading.classroom.warm import warm_grader
from grading.course import course_directory
from grading.exercises import load
from grading.submission import HandedIn
from tests.grading.courses import ANSWERS, NOTEBOOK, answered, make_course, make_release
from tests.postgresql import Server

FEW, MANY = 2, 60
# honest learners between two whose answers try the sandbox, in one warm process
LEARNERS = {
    "a-right": ANSWERS["model"],
    "b-ends-it-all": "import os, signal\nos.kill(-1, signal.SIGKILL)\n" + ANSWERS["model"],
    "c-bits": ANSWERS["bits"],
    "d-writes": "open('/tmp/mark', 'w').write('x')\nimport torch\ntorch.special.entr = None\n" + ANSWERS["bits"],
    "e-raises": ANSWERS["raises"],
    "=f": ANSWERS["model"],
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A course with one exercise, what its class has handed in, and the grader warm."""
    folder = make_course(tmp_path_factory.mktemp("bulk") / "course", ["entropy"])
    released = make_release(folder)
    for name, answer in LEARNERS.items():
        file = folder / "classroom" / "submitted" / name / NOTEBOOK / f"{NOTEBOOK}.ipynb"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(answered(released, {"entropy": answer})))
    with Gradebook(f"sqlite:///{folder.parent}/empty.db", "infograd"):
        pass  # made once: nbgrader starts a program for it
    with pytest.MonkeyPatch.context() as patch:  # forks of this process find all warm
        patch.setattr("grading.course.ROOT", folder)
        assert grade_main([NOTEBOOK, "--seed", "5"]) == 0
    yield folder
    warm_grader.cache_clear()


@pytest.fixture(autouse=True)
def in_the_course(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.course.ROOT", course)


class Killed(Exception):
    """The run was killed at the point that was asked for."""


def run(course: Path, die_at: int | None = None) -> int:
    """`infograd grade` in a fork of this process, killed at its so many-th step on the disk. Returns how many it took
    to its end; raises Killed."""
    told = course.parent / "told"
    child = os.fork()
    if child == 0:
        grade_and_tell(course, die_at, told)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        raise Killed
    assert status == 0, told.read_text()
    return int(told.read_text())


def grade_and_tell(course: Path, die_at: int | None, told: Path) -> None:
    """The child's part of `run`. Does not return."""
    steps, status = 0, 1

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_disk(name: str, arguments: tuple[Any, ...]) -> None:
        if name in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove") and str(course / "classroom") in str(
            arguments
        ):
            step()

    try:
        sys.addaudithook(on_disk)
        event.listen(Engine, "before_cursor_execute", step)
        event.listen(Engine, "commit", step)
        status = grade_main([NOTEBOOK, "--seed", "5"])
        told.write_text(str(steps))
    except BaseException:
        told.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def cleared(course: Path) -> Path:
    """The course as if nothing had been graded."""
    for name in ("autograded", "verdicts", "logs"):
        shutil.rmtree(course / "classroom" / name, ignore_errors=True)
    for file in (course / "classroom").glob("gradebook.db*"):
        file.unlink()
    shutil.copy(course.parent / "empty.db", course / "classroom" / "gradebook.db")
    return course


def state(course: Path, url: str | None = None) -> dict[str, Any]:
    """What is known of the class, without what the clock said: gradebook, verdicts and graded notebooks."""
    found: dict[str, Any] = {}
    with Gradebook(url or f"sqlite:///{course}/classroom/gradebook.db", "infograd") as gradebook:
        for submission in gradebook.assignment_submissions(NOTEBOOK):
            for notebook in submission.notebooks:
                rows = [(g.name, g.auto_score, g.extra_credit, g.needs_manual_grade) for g in notebook.grades]
                words = [(c.name, c.auto_comment) for c in notebook.comments]
                found[submission.student.id] = sorted(rows), sorted(words)
    for file in sorted((course / "classroom" / "verdicts").rglob("*.json")):
        verdict = json.loads(file.read_text())
        timed = {"seconds": None, "memory_bytes": None}
        exercises = {name: one | timed for name, one in verdict["exercises"].items()}
        found[str(file.relative_to(course))] = verdict | timed | {"exercises": exercises}
    for file in sorted((course / "classroom" / "autograded").rglob("*")):
        if file.is_file():
            found[str(file.relative_to(course))] = file.read_text()
    return found


@pytest.fixture(scope="module")
def undisturbed(course: Path) -> tuple[dict[str, Any], int]:
    """What an undisturbed run leaves, and how many steps it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grading.course.ROOT", course)
        steps = run(cleared(course))
    return state(course), steps


def kill_and_run_again(course: Path, undisturbed: tuple[dict[str, Any], int], points: int, seed: int) -> None:
    expected, steps = undisturbed
    for point in sorted(random.Random(seed).sample(range(1, steps), points)):
        with pytest.raises(Killed):
            run(cleared(course), point)
        run(course)
        assert state(course) == expected, f"killed at step {point} of {steps}"


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(course: Path, undisturbed: Any) -> None:
    assert len(undisturbed[0]) == 3 * len(LEARNERS)
    kill_and_run_again(course, undisturbed, FEW, random.randrange(2**32))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_places_to_be_killed_at(course: Path, undisturbed: Any) -> None:
    kill_and_run_again(course, undisturbed, MANY, 1)


def test_honest_learners_beside_attackers_get_what_they_earned(undisturbed: Any) -> None:
    scores = {name: {row[0]: row[1] for row in undisturbed[0][name][0]}["entropy-check"] for name in LEARNERS}
    assert scores["a-right"] == scores["=f"] == 3
    assert scores["c-bits"] == scores["d-writes"] == scores["e-raises"] == 0


@contextmanager
def in_this_process(course: Path) -> Iterator[Any]:
    """A Dask cluster whose worker is a thread, which grades here."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("grading.classroom.cluster.beside.grade", partial(grade_task, folder=course.parent / "releases"))
        yield cluster


def test_a_worker_finds_what_this_process_finds(
    course: Path, undisturbed: tuple[dict[str, Any], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, given = Cluster.submit, []

    def submit(self: Cluster, task: Task, release: Release) -> Any:
        given.append(task)
        return real(self, pickle.loads(pickle.dumps(task)), release)

    monkeypatch.setattr(Cluster, "submit", submit)
    with in_this_process(course) as cluster:
        address = cluster.scheduler_address
        assert grade_main([NOTEBOOK, "--seed", "5", "--scheduler", address]) == 0
        assert not given  # all was graded, so nobody was called
        assert grade_main([NOTEBOOK, "--seed", "5", "--scheduler", address, "--force"]) == 0
    assert len(given) == len(LEARNERS)
    assert state(course) == undisturbed[0]


@pytest.mark.slow
def test_of_two_processes_one_is_killed(
    course: Path, undisturbed: tuple[dict[str, Any], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two processes is killed when the second submission has been given out; another comes in its place."""
    real, given = Team.submit, []

    def submit(self: Team, task: Task, release: Release) -> Any:
        given.append(real(self, task, release))
        if len(given) == 2:
            os.kill(self.processes[0].number or 0, signal.SIGKILL)
        return given[-1]

    monkeypatch.setattr(Team, "submit", submit)
    assert grade_main([NOTEBOOK, "--seed", "5", "--workers", "2", "--force"]) == 0
    assert len(given) == len(LEARNERS)
    assert state(course) == undisturbed[0]


def test_submissions_of_one_seed_go_to_one_process_while_there_is_work_for_the_other() -> None:
    team, release = Team(2), Release("x", "", None)
    task = Task(setup(), (), True, HandedIn(b""), None, 0)
    team.waiting = [Waiting(replace(task, seed=seed), release) for seed in (7, 8, 9, 7, 8, 7, 7)]
    of_first = [team.next_for(0) for _ in range(4)]
    of_second = [team.next_for(1) for _ in range(3)]
    assert [[one.task.seed for one in some if one] for some in (of_first, of_second)] == [[7, 9, 7, 7], [8, 8, 7]]
    team.close()
    assert team.next_for(0) is None


@pytest.mark.long
@pytest.mark.timeout(600)
def test_of_two_dask_workers_one_is_killed(
    course: Path, undisturbed: tuple[dict[str, Any], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with the workers of a scheduler, which are processes of their own."""
    real, given = Cluster.submit, []

    def submit(self: Cluster, task: Task, release: Release) -> Any:
        given.append(real(self, task, release))
        if len(given) == 2:
            victim = next(iter(self.connected().run(os.getpid).values()))
            assert victim != os.getpid()
            os.kill(victim, signal.SIGKILL)
        return given[-1]

    monkeypatch.setattr(Cluster, "submit", submit)
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        assert grade_main([NOTEBOOK, "--seed", "5", "--scheduler", cluster.scheduler_address, "--force"]) == 0
    assert len(given) == len(LEARNERS)
    assert state(course) == undisturbed[0]


def test_processes_are_started_where_the_class_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert [worth(submissions) for submissions in (-1, 0, 19, 20, 29, 30, 1000)] == [1, 1, 1, 2, 2, 3, 3]
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert worth(10_000) == MOST_PROCESSES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scheduler", "nonsense"], "There is no Dask scheduler at nonsense"),
        (["--workers", "0"], "'0' is no number of workers"),
        (["--scheduler", "tcp://127.0.0.1:1"], ".[cluster]"),
    ],
)
def test_workers_that_cannot_be_had_are_told(
    arguments: list[str],
    said: str,
    undisturbed: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if said == ".[cluster]":
        monkeypatch.setitem(sys.modules, "distributed", None)
    with suppress(SystemExit):
        assert grade_main([NOTEBOOK, "--force", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_gradebook_in_postgresql_goes_away_and_comes_back(
    course: Path,
    undisturbed: tuple[dict[str, Any], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Server()
    real, entered = nbgrader_plugin.record, list[str]()

    def record(gradebook: Gradebook, assignment: str, student: str, *others: Any) -> None:
        if len(entered) == 2:
            server.stop()
        entered.append(student)
        real(gradebook, assignment, student, *others)

    try:
        monkeypatch.setattr(nbgrader_plugin, "record", record)
        assert grade_main([NOTEBOOK, "--seed", "5", "--db", server.url]) == 1
        assert "The gradebook's server does not answer" in capsys.readouterr().err
        server.start()
        assert len(state(course, server.url).keys() & LEARNERS.keys()) == 2
        assert grade_main([NOTEBOOK, "--seed", "5", "--db", server.url]) == 0
        assert len(entered) == len(LEARNERS) + 1
        assert state(course, server.url) == undisturbed[0]
    finally:
        server.remove()


def test_a_second_run_at_the_same_time_says_so_and_stops(
    course: Path, undisturbed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(course)
    with alone(course / "classroom"):
        assert (course / "classroom" / LOCK).exists()
        assert grade_main([NOTEBOOK, "--force"]) == 1
    assert "Another run is grading this classroom." in capsys.readouterr().err
    assert state(course) == before
    assert grade_main([NOTEBOOK]) == 0


def test_a_run_is_summed_up_and_logged(course: Path, undisturbed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert grade_main([NOTEBOOK]) == 0
    assert f"0 graded (0 of them unreadable), 0 left to a person, {len(LEARNERS)} unchanged." in capsys.readouterr().out
    assert grade_main([NOTEBOOK, "--force", "--learner", "c-bits", "--seed", "5"]) == 0
    said, log = capsys.readouterr().out, (course / "classroom" / "logs" / f"{NOTEBOOK}.log").read_text()
    told = load(NOTEBOOK)["entropy"].misconceptions["entropy_bits"].sentence
    assert f"entropy, told to 1: {told}" in said
    assert f"INFO entropy, told to 1: {told}" in log


def test_results_are_a_record_for_each_learner_and_exercise(
    course: Path, undisturbed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert results_main([NOTEBOOK, "--format", "jsonl"]) == 0
    records = {one["learner"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(records) == set(LEARNERS)
    right, bits = records["a-right"], records["c-bits"]
    assert (right["exercise"], right["points"], right["max_points"], right["reason"]) == ("entropy", 3, 3, None)
    assert (bits["points"], bits["misconception"], bits["outcome"]) == (0, "entropy_bits", "incorrect")
    assert bits["criteria"]
    assert bits["reason"]
    assert results_main([NOTEBOOK, "--format", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {line["learner"] for line in table} == {"'=f", *LEARNERS} - {"=f"}
    assert results_main([NOTEBOOK, "--learner", "c*"]) == 0
    assert capsys.readouterr().out.count("\n") == 2
    assert results_main(["02-mutual-information"]) == 1


def feedback_of(course: Path) -> dict[str, str]:
    """The class's pages, without the number that each has for itself."""
    files = (course / "classroom" / "feedback").glob("*/*/*.html")
    return {file.parts[-3]: re.sub("nonce-[^']*", "nonce", file.read_text()) for file in files}


def test_a_classs_feedback_is_what_nbgrader_makes_one_after_another(
    course: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade_main([NOTEBOOK]) == 0
    coursedir, config = course_directory(NOTEBOOK)
    FreshFeedback(coursedir=coursedir, config=config).start()
    one_after_another = feedback_of(course)
    capsys.readouterr()
    assert feedback(["--class", NOTEBOOK]) == 0
    assert f"0 pages made, {len(LEARNERS)} unchanged." in capsys.readouterr().out
    assert feedback(["--class", NOTEBOOK, "--force", "--workers", "2"]) == 0
    assert f"{len(LEARNERS)} pages made, 0 unchanged." in capsys.readouterr().out
    assert feedback_of(course) == one_after_another
    assert len(one_after_another) == len(LEARNERS)
    assert "3 of 3" in one_after_another["a-right"]
    with Gradebook(coursedir.db_url, "infograd") as gradebook:
        gradebook.remove_student("=f")
    assert feedback(["--class", NOTEBOOK, "--workers", "2"]) == 1
    assert "No feedback for =f" in capsys.readouterr().err
    assert grade_main([NOTEBOOK, "--seed", "5"]) == 0
    assert feedback(["--class", NOTEBOOK, "--learner", "nobody"]) == 1
    assert f"nothing of {NOTEBOOK} is graded" in capsys.readouterr().err


def test_where_the_grader_failed_a_later_run_tries_again_when_asked(
    course: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError

    one = ["--learner", "a-right"]
    with monkeypatch.context() as patch:
        patch.setattr("grading.grade.judge", fail)
        assert grade_main([NOTEBOOK, *one, "--force"]) == 0
    assert "0 graded (0 of them unreadable), 1 left to a person" in capsys.readouterr().out
    assert grade_main([NOTEBOOK, *one]) == 0
    assert "1 unchanged" in capsys.readouterr().out
    assert grade_main([NOTEBOOK, *one, "--retry-failed"]) == 0
    assert "1 graded" in capsys.readouterr().out
