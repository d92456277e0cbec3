"""Slices: the rows they hold, and the questions that make no sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from arena.core.errors import BadInput
from arena.core.standings.slices import LABELS, Slice, pseudonym

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def votes() -> pd.DataFrame:
    times = pd.to_datetime([NOON, NOON + timedelta(hours=1), None], utc=True).as_unit("us")
    return pd.DataFrame(
        {
            "topic": ["law", "", None],
            "study": ["pilot", "pilot", "main"],
            "language": ["en", "de", "en"],
            "channel": ["web", "api", "web"],
            "rater": ["r1", "r2", None],
            "timestamp": times,
        }
    )


def rows(chosen: Slice, table: pd.DataFrame | None = None) -> list[int]:
    return chosen.of(votes() if table is None else table).index.tolist()


def test_a_slice_of_nothing_in_particular_is_everything() -> None:
    assert Slice().everything and rows(Slice()) == [0, 1, 2]
    assert not Slice(topic="law").everything and not Slice(until=NOON).everything


def test_every_label_that_is_given_must_agree() -> None:
    assert rows(Slice(topic="law")) == [0]
    assert rows(Slice(study="pilot")) == [0, 1]
    assert rows(Slice(study="pilot", language="de")) == [1]
    assert rows(Slice(channel="web", rater="r2")) == []


def test_labels_may_be_categories_or_objects() -> None:
    for kind in ("category", "object"):
        table = votes().astype(dict.fromkeys(LABELS, kind))
        assert rows(Slice(study="pilot", channel="api"), table) == [1]
        assert rows(Slice(study="unheard of"), table) == []


def test_labels_that_a_file_has_as_numbers_are_read_as_they_are_written() -> None:
    assert rows(Slice(study="2024"), votes().assign(study=[2024, 2025, 2024])) == [0, 2]


def test_a_rater_may_be_named_by_the_pseudonym() -> None:
    assert rows(Slice(rater=pseudonym("r2"))) == [1]
    assert pseudonym("") == "" != pseudonym("r1") != pseudonym("r2")


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    assert rows(Slice(since=NOON)) == [0, 1]
    assert rows(Slice(until=NOON)) == []
    assert rows(Slice(since=NOON, until=NOON + timedelta(hours=1))) == [0]
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert rows(Slice(since=elsewhere, until=elsewhere + timedelta(hours=1))) == [0]


def test_only_the_columns_that_decide_are_needed() -> None:
    few = votes()[["study"]]
    assert rows(Slice(study="main"), few) == [2]
    with pytest.raises(BadInput, match="topic, timestamp"):
        Slice(topic="law", study="main", since=NOON).of(few)
    assert Slice(topic="law").of(pd.DataFrame()).empty


def test_a_time_without_a_zone_and_a_span_that_is_none_are_refused() -> None:
    with pytest.raises(BadInput, match="no time zone"):
        Slice(since=NOON.replace(tzinfo=None))
    with pytest.raises(BadInput, match="holds no time"):
        Slice(since=NOON, until=NOON)
