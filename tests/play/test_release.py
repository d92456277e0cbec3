"""What the public may download, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from arena.core.standings.slices import Slice
from arena.play.release import LEVELS, Release, Withheld

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_votes_of_today_are_kept_back_unless_told_otherwise() -> None:
    assert Release().of(Slice(), "csv", 9, NOW) == Slice(until=TODAY)
    earlier = Slice(topic="law", until=TODAY - timedelta(days=2))
    assert Release().of(earlier, "csv", 9, NOW) == earlier
    assert Release(after_h=0).of(Slice(), "csv", 9, NOW).until == NOW
    assert Release(after_h=36).of(Slice(), "csv", 9, NOW).until == NOW - timedelta(hours=36)
    with pytest.raises(Withheld, match="before 2026-03-01"):
        Release().of(Slice(since=TODAY), "csv", 9, NOW)


@pytest.mark.parametrize(
    ("what", "allowed"),
    [("nothing", ()), ("standings", ()), ("votes", ("csv", "jsonl")), ("all", ("csv", "dpo"))],
)
def test_what_is_not_given_away_is_withheld(what: str, allowed: tuple[str, ...]) -> None:
    release = Release(what)
    for format in ("csv", "jsonl", "parquet", "dpo"):
        if format in allowed or (allowed and format != "dpo"):
            assert release.of(Slice(), format, 9, NOW).until == TODAY
        else:
            with pytest.raises(Withheld):
                release.of(Slice(), format, 9, NOW)
    assert release.textless is (what != "all") and what in LEVELS


def test_votes_can_be_had_once_there_are_enough() -> None:
    release = Release(least=10)
    assert release.of(Slice(), "csv", 10, NOW)
    with pytest.raises(Withheld, match="once there are 10"):
        release.of(Slice(), "csv", 9, NOW)
