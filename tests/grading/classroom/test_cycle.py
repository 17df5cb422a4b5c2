"""A class from release to feedback and export, with nbgrader's own commands."""

from __future__ import annotations

import csv
import errno
import json
import os
import sqlite3
from pathlib import Path

import pytest
from nbgrader.api import Course, Gradebook
from nbgrader.apps import NbGraderAPI
from sqlalchemy import Engine, event

from grading.classroom.bulk import main as grade_main
from grading.classroom.warm import warm_grader
from grading.course import course_directory
from grading.exercises import load
from tests.grading.courses import NOTEBOOK, answered, make_course, model_answers, nbgrader

LEARNERS = ("perfect", "untouched", "partly", "misconceived", "truncated")
STRETCH = sum(one.points for one in load(NOTEBOOK).values() if one.stretch)
CORE = sum(one.points for one in load(NOTEBOOK).values() if not one.stretch)
WRONG_FOR_BATCHES = "def entropy(p):\n    return -torch.special.xlogy(p, p).sum()\n"
BITS = "def entropy(p):\n    return torch.special.entr(p).sum(-1) / math.log(2)\n"


class Class:
    """A course, an exchange, and a home for each who works with them."""

    def __init__(self, folder: Path):
        self.folder, self.course = folder, folder / "course"
        self.exchange = make_course(self.course) / "classroom" / "exchange"

    def teacher(self, *command: str, ends: int = 0) -> str:
        """A command in the course's folder."""
        return nbgrader(self.course, self.folder / "home" / "teacher", *command, ends=ends)

    def learner(self, name: str, *command: str) -> str:
        """A command in a learner's folder."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return nbgrader(place, self.folder / "home" / name, *command, f"--student={name}")

    def exchanging(self) -> tuple[str, ...]:
        """The options by which a learner names the exchange, which the course's settings name for the teacher."""
        return (f"--Exchange.root={self.exchange}", "--course", "infograd")

    def file(self, step: str, name: str, suffix: str = "ipynb") -> Path:
        """A learner's file at a step of the cycle."""
        return self.course / "classroom" / step / name / NOTEBOOK / f"{NOTEBOOK}.{suffix}"


def hand_in(course: Class, name: str) -> None:
    """Fetch, answer, submit."""
    course.learner(name, "fetch_assignment", NOTEBOOK, *course.exchanging())
    file = course.folder / name / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    answers = {
        "perfect": model_answers(),
        "partly": {"entropy": WRONG_FOR_BATCHES},
        "misconceived": {"entropy": BITS},
    }.get(name, {})
    text = json.dumps(answered(file, answers))
    file.write_text(text[: len(text) // 2] if name == "truncated" else text)
    course.learner(name, "submit", NOTEBOOK, *course.exchanging())


def files_of(folder: Path) -> dict[str, bytes]:
    """All files outside classroom/."""
    found = (file for file in folder.rglob("*") if file.is_file() and "classroom" not in file.relative_to(folder).parts)
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The class after the whole cycle."""
    course = Class(tmp_path_factory.mktemp("class"))
    course.teacher("generate_assignment", NOTEBOOK)
    before = files_of(course.course)
    course.teacher("release_assignment", NOTEBOOK)
    for name in LEARNERS:
        hand_in(course, name)
    course.teacher("collect", NOTEBOOK)
    course.teacher("autograde", NOTEBOOK)
    course.teacher("generate_feedback", NOTEBOOK)
    course.teacher("release_feedback", NOTEBOOK)
    course.teacher("export", "--to", "classroom/grades.csv")
    assert files_of(course.course) == before
    return course


def grades(course: Class, name: str) -> dict[str, tuple[float | None, float | None, bool]]:
    """(auto score, extra credit, needs a person) of each graded cell."""
    with Gradebook(f"sqlite:///{course.course}/classroom/gradebook.db") as gradebook:
        found = gradebook.find_submission_notebook(NOTEBOOK, NOTEBOOK, name).grades
        return {one.name: (one.auto_score, one.extra_credit, bool(one.needs_manual_grade)) for one in found}


def test_scores_reach_the_gradebook_per_criterion(graded: Class) -> None:
    perfect = grades(graded, "perfect")
    for exercise in load(NOTEBOOK).values():
        auto, extra, _ = perfect[f"{exercise.name}-check"]
        assert (auto, extra) == ((0.0, exercise.points) if exercise.stretch else (exercise.points, None)), exercise.name
    assert perfect["reflection"][2]
    partly = grades(graded, "partly")["entropy-check"][0]
    assert partly is not None
    assert 0 < partly < load(NOTEBOOK)["entropy"].points
    assert grades(graded, "misconceived")["entropy-check"][0] == 0


@pytest.mark.parametrize("name", ["untouched", "truncated"])
def test_nothing_earns_nothing(graded: Class, name: str) -> None:
    for cell, (auto, extra, manual) in grades(graded, name).items():
        assert auto == 0, cell
        assert not extra, cell
        assert not manual, cell


def test_the_exported_table_has_every_learner(graded: Class) -> None:
    with (graded.course / "classroom" / "grades.csv").open() as stream:
        table = {line["student_id"]: float(line["score"]) for line in csv.DictReader(stream)}
    assert set(table) == set(LEARNERS)
    assert table["perfect"] == CORE + STRETCH
    assert 0 < table["partly"] < 3
    assert [table[name] for name in ("untouched", "misconceived", "truncated")] == [0, 0, 0]


def test_feedback_says_what_happened(graded: Class) -> None:
    pages = {name: graded.file("feedback", name, "html").read_text() for name in LEARNERS}
    assert "These are bits, not nats" in pages["misconceived"]
    assert "not whole JSON" in pages["truncated"]
    assert "not attempted" in pages["untouched"]
    # our cards keep their looks
    assert all("border-left:4px solid" in pages[name].replace("border-left: ", "border-left:") for name in LEARNERS[:4])


def test_feedback_comes_back_to_its_learner(graded: Class) -> None:
    graded.learner("partly", "fetch_feedback", NOTEBOOK, *graded.exchanging())
    assert list((graded.folder / "partly" / NOTEBOOK / "feedback").rglob("*.html"))


def test_verdicts_say_why(graded: Class) -> None:
    verdicts = {name: json.loads(graded.file("verdicts", name, "json").read_text()) for name in LEARNERS}
    assert "not whole JSON" in verdicts["truncated"]["reason"]
    assert verdicts["misconceived"]["exercises"]["entropy"]["misconception"] == "entropy_bits"
    assert {one["outcome"] for one in verdicts["untouched"]["exercises"].values()} == {"not attempted"}
    assert all(verdict["sandbox"] for verdict in verdicts.values())


def test_only_notebooks_are_released(graded: Class) -> None:
    released = [file.name for file in (graded.course / "notebooks").rglob("*") if file.is_file()]
    assert released == [f"{NOTEBOOK}.ipynb"]
    assert [file.name for file in (graded.exchange / "infograd" / "outbound").rglob("*") if file.is_file()] == released


def test_a_resubmission_replaces_the_old_grade(graded: Class) -> None:
    before = json.loads(graded.file("verdicts", "misconceived", "json").read_text())
    file = graded.folder / "misconceived" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    notebook = answered(file, {"entropy": model_answers()["entropy"]})
    notebook["cells"] = [cell for cell in notebook["cells"] if "entropy-check" not in str(cell["metadata"])]
    submitted = graded.file("submitted", "misconceived")
    submitted.chmod(0o644)
    submitted.write_text(json.dumps(notebook))  # of the same date
    assert "its content has changed" in graded.teacher("autograde", NOTEBOOK, "--student=misconceived")
    after = json.loads(graded.file("verdicts", "misconceived", "json").read_text())
    assert grades(graded, "misconceived")["entropy-check"][0] == load(NOTEBOOK)["entropy"].points
    assert after["seed"] != before["seed"]
    assert "The cell entropy-check was deleted; it was put back." in after["irregularities"]
    assert not os.path.lexists(graded.file("submitted", "misconceived").parent / "autograded")


def test_feedback_is_made_again_when_marks_have_changed_and_only_then(graded: Class) -> None:
    page = graded.file("feedback", "partly", "html")
    before = page.stat().st_mtime_ns
    graded.teacher("generate_feedback", NOTEBOOK, "--student=partly")
    assert page.stat().st_mtime_ns == before
    with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
        comment = gradebook.find_comment("reflection", NOTEBOOK, NOTEBOOK, "partly")
        comment.manual_comment = "Which half is noise?"
        gradebook.db.commit()
    graded.teacher("generate_feedback", NOTEBOOK, "--student=partly")
    assert "Which half is noise?" in page.read_text()


def test_feedback_on_work_that_was_put_in_by_hand_stops_nobodys_release(graded: Class) -> None:
    file = graded.file("submitted", "by-hand")
    file.parent.mkdir(parents=True)
    released = graded.course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    file.write_text(json.dumps(answered(released, {"entropy": BITS})))
    graded.teacher("autograde", NOTEBOOK, "--student=by-hand")
    graded.teacher("generate_feedback", NOTEBOOK, "--student=by-hand")
    assert "Feedback released" in graded.teacher("release_feedback", NOTEBOOK)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["a learner", "a cell"])
def test_what_the_gradebook_has_lost_is_named_and_graded_again(graded: Class, lost: str) -> None:
    """A teacher removes a learner, or a whole gradebook; or a regrade of others drops a cell that is no more in the
    release, and with which this learner was graded."""
    before = grades(graded, "partly")
    if lost == "a learner":
        with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
            gradebook.remove_student("partly")
    else:
        file = graded.file("autograded", "partly")
        notebook = json.loads(file.read_text())
        cell = next(cell for cell in notebook["cells"] if cell["id"] == "entropy")
        cell["metadata"]["nbgrader"]["grade_id"] = "dropped"
        file.write_text(json.dumps(notebook))
    page = graded.file("feedback", "perfect", "html")
    page.unlink()
    said = graded.teacher("generate_feedback", NOTEBOOK, "--force", ends=1)
    assert (
        f"No feedback for partly: the gradebook has no entry for {NOTEBOOK if lost == 'a learner' else 'dropped'}."
        in said
    )
    assert "Traceback" not in said
    assert page.is_file()
    assert "Grading partly again: the gradebook lacks its marks" in graded.teacher("autograde", NOTEBOOK)
    graded.teacher("generate_feedback", NOTEBOOK, "--student=partly")
    assert grades(graded, "partly") == before


def test_what_is_graded_and_unchanged_is_left_alone(graded: Class) -> None:
    assert "graded already, and unchanged" in graded.teacher("autograde", NOTEBOOK, "--student=partly")


def test_what_an_older_version_graded_is_named_and_regraded_when_asked_for(
    graded: Class, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    monkeypatch.setattr("grading.grade.version_now", lambda notebook: "a later one")
    caplog.set_level("INFO")
    file = graded.file("verdicts", "partly", "json")
    before = file.read_text()
    assert grade_main([NOTEBOOK, "--learner", "partly"]) == 0
    assert (
        "1 of these submissions were graded by an older version of the exercises; --regrade of infograd" in caplog.text
    )
    assert file.read_text() == before
    assert grade_main([NOTEBOOK, "--learner", "partly", "--regrade"]) == 0
    assert json.loads(file.read_text())["exercises_version"] == "a later one"


@pytest.mark.slow
def test_points_that_no_longer_agree_with_the_release_are_named_and_follow_it(
    graded: Class, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
        gradebook.find_grade_cell("entropy-check", NOTEBOOK, NOTEBOOK).max_score = 1.0
        gone = gradebook.find_grade_cell("perplexity-check", NOTEBOOK, NOTEBOOK)
        for grade in gone.grades:
            gradebook.db.delete(grade)
        gradebook.db.delete(gone)
        gradebook.add_grade_cell("obsolete", NOTEBOOK, NOTEBOOK, max_score=7.0, cell_type="code")
    said = graded.teacher("autograde", NOTEBOOK, "--student=perfect")
    assert "entropy-check had 1 points in the gradebook; the release says 3." in said
    assert "perplexity-check is new in the release" in said
    assert f"The total of {NOTEBOOK} was 25 points in the gradebook and is 29 now." in said
    assert "obsolete is no more in the release; the gradebook keeps it until --regrade drops it." in said
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    assert grade_main([NOTEBOOK, "--learner", "perfect", "--regrade"]) == 0
    assert "the gradebook has dropped it" in caplog.text
    assert "in the release" not in graded.teacher("autograde", NOTEBOOK, "--student=perfect", "--force")
    found = grades(graded, "perfect")
    assert found["perplexity-check"][0] == load(NOTEBOOK)["perplexity"].points
    assert set(found) == {*(f"{name}-check" for name in load(NOTEBOOK)), "reflection"}


def test_a_released_notebook_that_someone_worked_in_is_not_what_is_graded_against(graded: Class) -> None:
    file = graded.course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    as_made = file.read_text()
    file.write_text(json.dumps(answered(file, model_answers())))
    submitted = graded.file("submitted", "untouched")
    notebook = json.loads(submitted.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if "entropy" not in str(cell["metadata"])]
    submitted.chmod(0o644)
    submitted.write_text(json.dumps(notebook))
    graded.teacher("autograde", NOTEBOOK, "--student=untouched")
    assert grades(graded, "untouched")["entropy-check"][0] == 0
    graded.teacher("release_assignment", NOTEBOOK)  # the same as before, so it is no error
    outbound = graded.exchange / "infograd" / "outbound" / NOTEBOOK / file.name
    assert outbound.read_text() == as_made
    file.write_text(as_made)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "left"), [("none", CORE + STRETCH), ("zero", 0.0)])
def test_late_work_loses_what_nbgraders_own_setting_says(graded: Class, method: str, left: float) -> None:
    with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment(NOTEBOOK, duedate="2020-01-01 00:00:00 UTC")
    setting = f"--LateSubmissionPlugin.penalty_method={method}"
    graded.teacher("autograde", NOTEBOOK, "--student=perfect", "--force", setting)
    with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
        found = gradebook.find_submission_notebook(NOTEBOOK, NOTEBOOK, "perfect")
        assert found.score - (found.late_submission_penalty or 0.0) == left
        gradebook.update_or_create_assignment(NOTEBOOK, duedate=None)


def test_infograd_grade_is_the_same_path(
    graded: Class, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    assert grade_main([NOTEBOOK, "--student", "perfect", "--force", "--seed", "5"]) == 0
    assert json.loads(graded.file("verdicts", "perfect", "json").read_text())["seed"] == 5
    assert grades(graded, "perfect")["entropy-check"][0] == load(NOTEBOOK)["entropy"].points


def test_the_gradebook_knows_one_course_and_a_submission_takes_one_commit(
    graded: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    url = f"sqlite:///{graded.course}/classroom/gradebook.db"
    with Gradebook(url, "infograd") as gradebook:  # nbgrader's own commands leave a row for "default_course"
        gradebook.db.query(Course).filter(Course.id != "infograd").delete()
        gradebook.db.commit()
    counts = []
    for again in ([], ["--force"]):  # the first leaves the submission alone but for its late penalty
        commits: list[str] = []
        listener = lambda connection, seen=commits: seen.append("commit")  # noqa: E731 - removed by its name
        event.listen(Engine, "commit", listener)
        try:
            assert grade_main([NOTEBOOK, "--student", "partly", *again]) == 0
        finally:
            event.remove(Engine, "commit", listener)
        counts.append(len(commits))
    assert counts[0] == counts[1] > 0
    with Gradebook(url, "infograd") as gradebook:
        assert [course.id for course in gradebook.db.query(Course)] == ["infograd"]


def test_a_fault_of_the_grader_is_told_and_waits_for_a_person(
    graded: Class, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("grading.course.ROOT", graded.course)
    with monkeypatch.context() as patch:
        patch.setattr("grading.grade.judge", fail)
        assert grade_main([NOTEBOOK, "--student", "partly", "--force"]) == 0
    auto, _, needs_a_person = grades(graded, "partly")["entropy-check"]
    assert (auto, needs_a_person) == (None, True)
    assert "1 of these submissions need a person" in caplog.text
    assert grade_main([NOTEBOOK, "--student", "partly", "--force"]) == 0
    assert grades(graded, "partly")["entropy-check"][0]


def test_a_misspelt_limit_is_refused_with_the_one_that_was_meant(
    graded: Class, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    settings = graded.course / "nbgrader_config.py"
    before = settings.read_text()
    settings.write_text(before + 'c.SandboxedAutograde.limits = {"notebok_seconds": 5}\n')
    try:
        assert grade_main([NOTEBOOK, "--student", "partly", "--force"]) == 1
    finally:
        settings.write_text(before)
    assert "did you mean 'notebook_seconds'" in capsys.readouterr().err


def test_a_gradebook_in_use_stops_the_class_with_a_sentence(
    graded: Class, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    monkeypatch.setattr("grading.classroom.stopping.PATIENCE", 0)
    other = sqlite3.connect(graded.course / "classroom" / "gradebook.db", isolation_level=None)
    learners = "SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a ON n.assignment_id = a.id"
    spoil = f"UPDATE grade SET auto_score = 9 WHERE auto_score > 0 AND notebook_id IN ({learners} AND a.student_id = ?)"
    assert other.execute(spoil, ("partly",)).rowcount  # so that there is something to write
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert grade_main([NOTEBOOK, "--learner", "partly", "--force"]) == 1
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert "The gradebook is in use by another program" in capsys.readouterr().err
    assert "Traceback" not in caplog.text
    assert grade_main([NOTEBOOK, "--learner", "partly"]) == 0


def test_a_full_disk_stops_the_class_and_a_second_run_goes_on(
    graded: Class, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("grading.classroom.nbgrader_plugin.write_whole", full)
        assert grade_main([NOTEBOOK, "--learner", "partly", "--force"]) == 1
    assert "The disk is full." in capsys.readouterr().err
    assert not graded.file("autograded", "partly").exists()
    assert grade_main([NOTEBOOK, "--learner", "partly"]) == 0
    assert graded.file("autograded", "partly").is_file()


def test_formgraders_button_is_the_same_path(graded: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    coursedir, config = course_directory(NOTEBOOK)
    file = graded.file("verdicts", "perfect", "json")
    file.unlink()
    result = NbGraderAPI(coursedir, config=config).autograde(NOTEBOOK, "perfect")
    assert result["success"], result
    assert json.loads(file.read_text())["sandbox"]


def test_grading_refuses_without_a_sandbox_unless_told_to(graded: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.course.ROOT", graded.course)
    monkeypatch.setattr("shutil.which", lambda name: None)
    before = graded.file("verdicts", "partly", "json").read_text()
    warm_grader.cache_clear()
    assert grade_main([NOTEBOOK, "--student", "partly", "--force"]) == 1
    assert graded.file("verdicts", "partly", "json").read_text() == before
    assert grade_main([NOTEBOOK, "--student", "partly", "--force", "--without-sandbox"]) == 0
    assert json.loads(graded.file("verdicts", "partly", "json").read_text())["sandbox"] is False
    assert "Graded without a sandbox." in graded.file("autograded", "partly").read_text()
    with Gradebook(f"sqlite:///{graded.course}/classroom/gradebook.db") as gradebook:
        comments = gradebook.find_submission_notebook(NOTEBOOK, NOTEBOOK, "partly").comments
        assert all("Graded without a sandbox." in comment.auto_comment for comment in comments)
    warm_grader.cache_clear()
