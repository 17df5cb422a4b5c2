"""The gradebook and its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from sqlalchemy import event

from grading.classroom.gradebook import safe
from grading.classroom.recording import one_transaction


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", " =1", "%x", "|y"])
def test_no_cell_of_the_table_computes(text: str) -> None:
    assert safe(text).startswith("'")


def test_plain_values_stay_in_the_table() -> None:
    assert [safe(value) for value in (None, 1.5, -2.0, "ada", "a,b")] == ["", "1.5", "-2.0", "ada", "a,b"]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Gradebook]:
    """A gradebook with one assignment of one graded cell."""
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "infograd") as gradebook:
        gradebook.add_assignment("first")
        gradebook.add_notebook("first", "first")
        gradebook.add_grade_cell("entropy-check", "first", "first", max_score=3, cell_type="code")
        yield gradebook


def test_all_of_a_transaction_is_committed_at_once(book: Gradebook) -> None:
    commits: list[int] = []
    event.listen(book.engine, "commit", lambda connection: commits.append(1))
    with one_transaction(book):
        book.update_or_create_student("ada")
        book.update_or_create_submission("first", "ada")
        book.find_grade("entropy-check", "first", "first", "ada").auto_score = 2.0
        assert commits == []
    assert commits == [1]
    assert book.find_submission("first", "ada").score == 2.0


def test_of_a_transaction_that_fails_nothing_stays(book: Gradebook) -> None:
    with pytest.raises(ZeroDivisionError), one_transaction(book):  # noqa: PT012 - the whole block is what is undone
        book.update_or_create_student("ada")
        book.update_or_create_submission("first", "ada")
        raise ZeroDivisionError
    assert [student.id for student in book.students] == []
    book.add_student("bob")  # nbgrader's own commits work again
    assert [student.id for student in book.students] == ["bob"]


@pytest.mark.parametrize(("log", "waits"), [("wal", False), ("delete", True)])
def test_a_commit_waits_for_the_disk_where_no_log_keeps_the_gradebook_whole(
    log: str, waits: bool, book: Gradebook
) -> None:
    def pragma(name: str) -> object:
        return book.db.connection().exec_driver_sql(f"PRAGMA {name}").scalar()

    book.db.commit()
    assert pragma(f"journal_mode = {log}") == log
    assert pragma("synchronous") == 2
    with one_transaction(book):
        book.update_or_create_student("ada")
    assert pragma("synchronous") == (2 if waits else 1)
