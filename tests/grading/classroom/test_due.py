"""Due dates in people's own zones, and who has longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.api import Gradebook

from grading.classroom.due import NotSet, moment
from tests.clones import Clone

NAME = "03-adam-bias-correction"


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2026-12-01 23:59", "Europe/Berlin", "2026-12-01 22:59"),
        ("2026-07-01 23:59", "Europe/Berlin", "2026-07-01 21:59"),  # summer time
        ("2026-12-01 23:59", "Asia/Kolkata", "2026-12-01 18:29"),
        ("2026-12-01 23:59+09:00", "Europe/Berlin", "2026-12-01 14:59"),  # an offset counts first
        ("2026-12-01", "UTC", "2026-12-01 00:00"),
    ],
)
def test_a_date_is_in_the_zone_that_is_named(text: str, zone: str, utc: str) -> None:
    assert moment(text, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(("text", "zone"), [("tomorrow", None), ("2026-13-01", None), ("2026-12-01", "Mars/Olympus")])
def test_what_is_no_date_and_no_zone_is_named(text: str, zone: str | None) -> None:
    with pytest.raises(NotSet, match=text if zone is None else zone):
        moment(text, zone)


@pytest.mark.slow
def test_a_due_date_and_an_extension_reach_the_gradebook_and_go_again(clone: Clone) -> None:
    zone = "--zone Europe/Berlin"
    assert "no due date" in clone.run(f"infograd due {NAME} '2026-12-01 23:59' --learner ada {zone}")[1]
    said = clone.must(f"infograd due {NAME} '2026-12-01 23:59' {zone}")
    assert f"{NAME} is due Tuesday 2026-12-01 23:59 CET." in said
    said = clone.must(f"infograd due {NAME} '2026-12-03 12:00' --learner 'Ada L.' {zone}")
    assert "Ada L. has until Thursday 2026-12-03 12:00 CET." in said
    with Gradebook(f"sqlite:///{clone.course}/classroom/gradebook.db") as gradebook:
        submission = gradebook.find_submission(NAME, "Ada L.")
        assert submission.extension == timedelta(days=1, hours=12, minutes=1)
        assert submission.duedate == datetime(2026, 12, 3, 11, 0)
        submission.timestamp = datetime(2026, 12, 3, 11, 1)
        assert submission.total_seconds_late == 60
    assert "not before" in clone.run(f"infograd due {NAME} '2026-11-30' --learner 'Ada L.' {zone}")[1]
    assert "has no due date" in clone.must(f"infograd due {NAME} never")
    with Gradebook(f"sqlite:///{clone.course}/classroom/gradebook.db") as gradebook:
        assert gradebook.find_submission(NAME, "Ada L.").total_seconds_late == 0
