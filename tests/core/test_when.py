"""Days and times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from arena.core import when
from arena.core.errors import BadInput


@pytest.mark.parametrize(
    "said", ["2026-03-01", " 2026-03-01 ", "20260301", "2026-W09-7", date(2026, 3, 1)]
)
def test_a_day_begins_at_midnight_and_ends_with_all_of_its_hours(said: str | date) -> None:
    assert when.since(said) == datetime(2026, 3, 1, tzinfo=UTC)
    assert when.until(said) == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        "2026-03-01T12:30",
        "2026-03-01 12:30:00",
        "2026-03-01T12:30Z",
        "2026-03-01T14:30+02:00",
        datetime(2026, 3, 1, 12, 30),
        datetime(2026, 3, 1, 13, 30, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_time_is_that_moment_and_utc_without_a_zone(said: str | date) -> None:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert when.since(said) == when.until(said) == moment
    assert when.since(said).tzinfo is when.until(said).tzinfo is UTC


@pytest.mark.parametrize("said", ["", "soon", "2026-13-01", "01.03.2026", "1772368215"])
def test_what_is_no_time_is_told(said: str) -> None:
    for read in (when.since, when.until):
        with pytest.raises(BadInput, match=r"is no time. Write a day as 2026-03-01"):
            read(said)


def test_the_last_day_of_all_has_no_end() -> None:
    assert when.since("9999-12-31").year == 9999
    with pytest.raises(BadInput, match="no time"):
        when.until("9999-12-31")


@pytest.mark.parametrize("said", ["0001-01-01T00:00+05:30", "9999-12-31T23:00-05:00"])
def test_a_moment_that_utc_does_not_know_is_no_time(said: str) -> None:
    for read in (when.since, when.until):
        with pytest.raises(BadInput, match="no time"):
            read(said)
