"""What the ledger keeps of studies, in SQLite and in PostgreSQL."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from arena.adapters.ledger import SqlLedger
from arena.core.battle.entities import Contender
from arena.core.battle.record import VoteRow
from arena.core.errors import BadInput
from arena.core.study.assignment import upcoming
from arena.core.study.course import Claim, Course, Event
from arena.core.study.design import Item, Kind, Study
from arena.core.study.written import Written, elsewhere
from tests.adapters.ledger_rows import ballot
from tests.adapters.ledgers import on
from tests.postgresql import Postgresql

AT = datetime(2026, 3, 1, tzinfo=UTC)
STUDY = Study(
    "pilot",
    tuple(Item(f"p{n}", (f"Question {n}?",)) for n in range(8)),
    tuple(Contender(name, name) for name in "xyz"),
    raters=3,
)
NOTHING = {"reasons": [], "comment": "", "grade_a": None, "grade_b": None}
AGAIN = Written("p1", "x", "digest", (elsewhere("One."), elsewhere("Two.")), 7, AT)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'arena.db'}"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.url(server.new_schema())


def test_raters_who_ask_at_once_get_each_prompt_to_its_number_of_raters(url: str) -> None:
    """Each has connections of its own, as on replicas."""

    async def begin(ledger: SqlLedger) -> None:
        await ledger.move("pilot", lambda *_: (None, [Event("opened", AT)]))

    async def judge_all(ledger: SqlLedger, rater: str) -> None:
        def claim(
            events: Sequence[Event], judged: frozenset[str]
        ) -> tuple[Claim | None, list[Event]]:
            course = Course.of(events, judged)
            found = upcoming(STUDY, course, rater, AT, f"{rater}-{len(events)}", random.Random(1))
            return found, [found.event] if found else []

        while found := await ledger.move("pilot", claim):
            done = Event("done", AT, rater, found.battle)
            await ledger.move("pilot", lambda *_, done=done: (None, [done]))

    on(url, begin)
    raters = [f"r{n}" for n in range(6)]
    with ThreadPoolExecutor(len(raters)) as threads:
        list(threads.map(lambda r: on(url, lambda ledger: judge_all(ledger, r)), raters))
    course = on(url, lambda ledger: ledger.move("pilot", lambda e, j: (Course.of(e, j), [])))
    assert course.judged() == {item.id: 3 for item in STUDY.items}
    assert max(Counter((c.rater, c.item) for c in course.claims.values()).values()) == 1
    assert max(course.pairs().values()) - min(course.pairs().values()) <= 2


def test_a_battle_whose_last_vote_is_here_is_told_though_nobody_said_so(url: str) -> None:
    claim = Claim("battle", "r", "p0", Kind.REAL, ("x", "y"), AT)

    async def scene(ledger: SqlLedger) -> frozenset[str]:
        await ledger.move("pilot", lambda *_: (None, [claim.event]))
        await ledger.append([replace(row, champion="A") for row in ballot(pairs="AB")])
        return await ledger.move("pilot", lambda _, judged: (judged, []))

    assert on(url, scene) == {"battle"}


def test_replies_are_kept_once_and_come_back_as_they_were(url: str) -> None:
    async def scene(ledger: SqlLedger) -> None:
        assert await ledger.keep("pilot", [AGAIN]) == 1
        other = replace(AGAIN, replies=(elsewhere("Another."),))
        assert await ledger.keep("pilot", [other]) == 0
        assert await ledger.written("pilot") == [AGAIN]
        assert await ledger.written("pilot", "p1") == [AGAIN]
        assert await ledger.written("pilot", "p2") == []

    on(url, scene)


def test_what_a_rater_says_after_a_vote_stands_beside_it(url: str) -> None:
    said = {"reasons": ["clear"], "grades": {"A": 4}, "marks": {"B": ["false"]}, "comment": "Hm."}

    async def scene(ledger: SqlLedger) -> None:
        await ledger.append([replace(row, **NOTHING) for row in ballot(pairs="AB")])
        remark = Event("remark", AT, "r", "battle", data=said)
        await ledger.move("pilot", lambda *_: (None, [remark]))
        votes = await ledger.votes(("id", "reasons", "grade_a", "grade_b", "marks_b", "comment"))
        (vote,) = votes.to_dict("records")
        assert (vote["reasons"], vote["grade_a"], vote["comment"]) == (["clear"], 4, "Hm.")
        assert vote["marks_b"] == ["false"]
        assert str(votes["grade_a"].dtype) == "Int64"
        assert votes["grade_b"].isna().all()

    on(url, scene)


@pytest.mark.parametrize("table", ["study_events", "study_replies"])
def test_nothing_of_a_study_is_ever_changed(url: str, table: str) -> None:
    async def scene(ledger: SqlLedger) -> None:
        await ledger.keep("pilot", [AGAIN])
        await ledger.move("pilot", lambda *_: (None, [Event("opened", AT)]))
        with pytest.raises(IntegrityError, match="append-only"):
            await ledger._do(
                lambda db: db.exec_driver_sql(f"UPDATE {table} SET study = 'x'"), writing=True
            )

    on(url, scene)


def test_votes_from_elsewhere_and_a_study_of_their_name_keep_each_other_out_at_any_moment(
    url: str,
) -> None:
    def opened(study: str) -> Callable[[SqlLedger], Coroutine[Any, Any, None]]:
        return lambda ledger: ledger.move(study, lambda *_: (None, [Event("opened", AT)]))

    def rows() -> Iterator[VoteRow]:
        yield from (replace(row, study="pilot") for row in ballot(pairs="AB"))
        on(url, opened("pilot"))

    async def scene(ledger: SqlLedger) -> None:
        with pytest.raises(BadInput, match="AB is of a study pilot that was opened here"):
            await ledger.add(rows())
        assert not len(await ledger.votes(("id",)))
        await ledger.add([replace(row, study="other") for row in ballot(pairs="AB")])
        with pytest.raises(BadInput, match="study other"):
            await opened("other")(ledger)
        assert set(await ledger.openings()) == {"pilot"}
        await ledger.append([replace(row, study="pilot") for row in ballot("own", pairs="AB")])
        closed = Event("closed", AT)
        await ledger.move("pilot", lambda *_: (None, [closed]))
        await opened("pilot")(ledger)

    on(url, scene)
