"""How far a study is, by its votes."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from arena.core.battle.entities import Contender
from arena.core.study import tables
from arena.core.study.course import Claim, Course, Event
from arena.core.study.design import Item, Kind, Study

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("ash", "beech", "cedar")
STUDY = Study(
    "trees",
    tuple(Item(f"p{n}", ("Why?",)) for n in range(10)),
    tuple(Contender(name, name) for name in NAMES),
    size=3,
    raters=1,
    alike=1,
)


def course(judged: int) -> Course:
    """Of one rater who has practised, is at the next battle, and has judged so many."""
    found = Course(open=True, raters={"r": Event("consent", NOW, "r")})
    for number in range(judged + 2):
        kind = Kind.REAL if number else Kind.PRACTICE
        done = number <= judged
        found.claims[f"b{number}"] = Claim(
            f"b{number}", "r", f"p{number}", kind, NAMES, NOW, done=done
        )
    return found


def cast(battle: str, ballot: str, seconds: float, pairs: int) -> list[dict[str, object]]:
    row = {"battle_id": battle, "ballot_id": ballot, "rater": "r", "dwell_ms": 1000 * seconds}
    names = {"model_a": "ash", "model_b": "beech", "winner": "model_a", "excluded_reason": ""}
    return [row | names] * pairs


def test_what_is_needed_is_told_by_all_ballots_of_a_battle_each_once() -> None:
    rows = [*cast("b0", "practice", 3600, 2), *cast("b4", "first", 1, 2)]
    for battle in ("b1", "b2", "b3"):
        rows += cast(battle, f"{battle}/slip", 40, 2)
        rows += cast(battle, f"{battle}/drop", 30, 2) + cast(battle, f"{battle}/pick", 20, 1)
    votes, judged = pd.DataFrame(rows), course(3)
    raters = tables.raters(STUDY, judged, votes, NOW)
    told = tables.status(STUDY, judged, raters, votes, NOW)
    assert (told.judged, told.seconds) == (3, 30)
    assert told.hours_left == pytest.approx(7 * 90 / 3600)
    nothing, begun = votes[:0].astype({"dwell_ms": "Int64"}), course(0)
    told = tables.status(STUDY, begun, tables.raters(STUDY, begun, nothing, NOW), nothing, NOW)
    assert told.hours_left == pytest.approx(10 * STUDY.minutes / 60)
