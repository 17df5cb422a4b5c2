"""What changes after a class has been graded: answers, due dates, and what was put in by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook, InvalidEntry
from sqlalchemy import text

from grading.classroom.bulk import main as grade_main
from grading.classroom.due import main as due_main
from grading.classroom.stopping import Stopped, stopping
from grading.classroom.warm import warm_grader
from grading.submission import DATE
from tests.grading.courses import ANSWERS, NOTEBOOK, answered, make_course, make_release

LATE = "2026-03-02 10:00:00 UTC"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A course with one exercise and an empty gradebook."""
    folder = make_course(tmp_path_factory.mktemp("regrading") / "course", ["entropy"])
    make_release(folder)
    settings = folder / "nbgrader_config.py"
    settings.write_text(settings.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    yield folder
    warm_grader.cache_clear()


@pytest.fixture(autouse=True)
def in_the_course(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grading.course.ROOT", course)


def put(course: Path, learner: str, answer: str, date: str | None = None) -> None:
    """What a learner has handed in, collected or put there by hand."""
    place = course / "classroom" / "submitted" / learner / NOTEBOOK
    place.mkdir(parents=True, exist_ok=True)
    released = course / "notebooks" / NOTEBOOK / f"{NOTEBOOK}.ipynb"
    (place / f"{NOTEBOOK}.ipynb").write_text(json.dumps(answered(released, {"entropy": ANSWERS[answer]})))
    if date:
        (place / DATE).write_text(date)


def entered(course: Path, learner: str) -> tuple[float, float | None, str | None]:
    """Of a learner in the gradebook: marks, late penalty, and the grader's comment on the answer."""
    with Gradebook(f"sqlite:///{course}/classroom/gradebook.db", "infograd") as gradebook:
        found = gradebook.find_submission_notebook(NOTEBOOK, NOTEBOOK, learner)
        comment = gradebook.find_comment("entropy", NOTEBOOK, NOTEBOOK, learner).auto_comment
        return found.score, found.late_submission_penalty, comment


@pytest.mark.slow
def test_no_response_goes_when_an_answer_comes_and_comes_when_it_goes(course: Path) -> None:
    for answer, said in (("stub", "No response."), ("model", None), ("bits", None), ("stub", "No response.")):
        put(course, "ada", answer)
        assert grade_main([NOTEBOOK, "--learner", "ada"]) == 0
        assert entered(course, "ada")[2] == said, answer


def test_a_penalty_follows_the_due_date_whichever_moves_it(course: Path) -> None:
    put(course, "bob", "model", LATE)
    assert grade_main([NOTEBOOK, "--learner", "bob"]) == 0
    assert entered(course, "bob")[:2] == (3, None)
    assert due_main([NOTEBOOK, "2026-03-01 23:59", "--zone", "UTC"]) == 0
    assert entered(course, "bob")[:2] == (3, 3)
    assert due_main([NOTEBOOK, "2026-03-03 23:59", "--zone", "UTC", "--learner", "bob"]) == 0
    assert entered(course, "bob")[:2] == (3, None)
    assert due_main([NOTEBOOK, "never"]) == 0
    for due, penalty in (("2026-03-01 23:59:00 UTC", 3), ("2026-03-03 23:59:00 UTC", None)):
        with Gradebook(f"sqlite:///{course}/classroom/gradebook.db", "infograd") as gradebook:  # as formgrader does
            gradebook.update_or_create_assignment(NOTEBOOK, duedate=due)
        assert grade_main([NOTEBOOK, "--learner", "bob"]) == 0
        assert entered(course, "bob")[:2] == (3, penalty)


def test_what_was_put_in_by_hand_without_a_date_is_graded_and_never_late(course: Path) -> None:
    assert due_main([NOTEBOOK, "2020-01-01", "--zone", "UTC"]) == 0
    put(course, "by-hand", "model")
    put(course, "late", "model", LATE)
    assert grade_main([NOTEBOOK, "--learner", "*[edl]"]) == 0
    assert entered(course, "by-hand")[:2] == (3, None)
    assert entered(course, "late")[:2] == (3, 3)
    assert due_main([NOTEBOOK, "never"]) == 0


def test_an_empty_folder_is_0_with_the_reason_and_the_class_goes_on(course: Path) -> None:
    (course / "classroom" / "submitted" / "a-nothing" / NOTEBOOK).mkdir(parents=True)
    put(course, "b-after", "model")
    assert grade_main([NOTEBOOK, "--learner", "[ab]-*"]) == 0
    assert entered(course, "a-nothing")[0] == 0
    assert entered(course, "b-after")[0] == 3
    verdict = json.loads((course / "classroom" / "verdicts" / "a-nothing" / NOTEBOOK / f"{NOTEBOOK}.json").read_text())
    assert "No notebook" in verdict["reason"]


def test_a_log_on_a_full_disk_stops_no_grading(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(course, "eva", "model")
    log = course / "classroom" / "logs" / f"{NOTEBOOK}.log"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    log.symlink_to("/dev/full")  # whatever is written there, the disk is full
    try:
        assert grade_main([NOTEBOOK, "--learner", "eva"]) == 0
    finally:
        log.unlink()
    assert entered(course, "eva")[0] == 3
    assert "Error" not in capsys.readouterr().err


def test_a_learner_for_whom_the_disk_has_no_room_stops_the_class_with_a_sentence(tmp_path: Path) -> None:
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "infograd") as gradebook:
        with pytest.raises(InvalidEntry), stopping():  # noqa: PT012 - a fault of another kind stays what it is
            gradebook.add_student("twin")
            gradebook.add_student("twin")
        gradebook.db.execute(text("PRAGMA max_page_count = 1"))  # as large as it is: SQLite then calls the disk full
        with pytest.raises(Stopped, match=r"The disk is full\. Make room\."), stopping():  # noqa: PT012 - whichever is the one too many
            for number in range(10_000):
                gradebook.add_student(f"newcomer {number}")
