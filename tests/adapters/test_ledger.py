"""The contract of the ledger, on real SQLite files and a real PostgreSQL server: what is
acknowledged stays, once, unchanged, and is told in the order in which it came."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import StatementError

from arena.adapters.ledger import SqlLedger, chain, importing, outcomes, postgresql, sqlite
from arena.adapters.ledger.schema import OUTCOME
from arena.core.battle.record import EMPTY, VoteRow
from arena.core.errors import BadInput, LedgerFault
from arena.core.ports import Exclusion, Ledger
from arena.core.standings.votes import Vote
from tests.adapters.ledger_rows import WHEN, ballot, full_row
from tests.adapters.ledgers import append, ids, on, recorded
from tests.postgresql import Postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'arena.db'}"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_url()


# What is written comes back ---------------------------------------------------------------------


@pytest.mark.parametrize("optional", [True, False])
def test_every_column_comes_back_as_it_was_written(url: str, optional: bool) -> None:
    row = full_row(optional=optional)
    assert append(url, row)
    frame = on(url, lambda ledger: ledger.votes())
    assert list(frame.columns) == [f.name for f in fields(VoteRow)]
    (read,) = frame.to_dict("records")
    expected = asdict(row)
    unknown = {n for n, v in read.items() if pd.api.types.is_scalar(v) and pd.isna(v)}
    assert {**read, **dict.fromkeys(unknown)} == expected


def test_the_dtypes_are_those_one_computes_with_also_when_empty(url: str) -> None:
    empty = on(url, lambda ledger: ledger.votes())
    append(url, full_row(optional=False))
    filled = on(url, lambda ledger: ledger.votes())
    assert list(empty.columns) == [f.name for f in fields(VoteRow)] and empty.empty
    assert empty.dtypes.equals(filled.dtypes)
    wanted = {
        "winner": "str",
        "round": "int64",
        "is_code": "bool",
        "dwell_ms": "Int64",
        "ttft_ms_a": "float64",
        "timestamp": "datetime64[us, UTC]",
    }
    assert {name: str(filled[name].dtype) for name in wanted} == wanted


def test_a_time_of_another_zone_comes_back_as_the_same_instant_in_utc(url: str) -> None:
    there = WHEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    append(url, replace(full_row(), timestamp=there))
    (read,) = on(url, lambda ledger: ledger.votes())["timestamp"]
    assert read == WHEN and read.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(url: str) -> None:
    with pytest.raises(StatementError, match="time zone"):
        append(url, replace(full_row(), timestamp=datetime(2026, 3, 1)))


def test_rows_stand_in_the_order_written(url: str) -> None:
    for battle in ("z", "a", "m"):
        append(url, *ballot(battle, pairs="BC AB"))
    assert ids(url) == ["z-1-BC", "z-1-AB", "a-1-BC", "a-1-AB", "m-1-BC", "m-1-AB"]


def test_it_is_the_port_that_the_core_names() -> None:
    names = {n for n, value in vars(Ledger).items() if callable(value) and not n.startswith("_")}
    assert names == {
        "append",
        "exclude",
        "exclusions",
        "hold_images",
        "images",
        "keep_images",
        "add",
        "votes",
        "votes_on",
        "outcomes",
        "writable",
        "key",
        "share",
        "shared",
        "unshare",
    }
    assert all(callable(getattr(SqlLedger, name)) for name in names)


# A ballot counts once ---------------------------------------------------------------------------


def test_the_same_ballot_twice_is_recorded_once(url: str) -> None:
    assert append(url, *ballot())
    assert not append(url, *ballot())
    assert ids(url) == ["battle-1-AB", "battle-1-AC"]


def test_a_second_ballot_on_a_settled_round_is_not_recorded(url: str) -> None:
    assert append(url, *ballot(id="first", pairs="AB AC"))
    assert not append(url, *ballot(id="second", pairs="BC AC"))
    assert ids(url) == ["first-AB", "first-AC"]


def test_other_rounds_battles_and_superseding_ballots_are_recorded(url: str) -> None:
    assert append(url, *ballot(id="one"))
    assert append(url, *ballot(id="two", round=2))
    assert append(url, *ballot("elsewhere", id="three"))
    assert append(url, *ballot(id="four", supersedes="one"))
    assert not append(url, *ballot(id="five", supersedes="one"))
    assert len(ids(url)) == 8


def test_a_ballot_id_that_another_battle_has_used_is_a_fault_and_writes_nothing(url: str) -> None:
    append(url, *ballot("one", id="same"))
    with pytest.raises(LedgerFault):
        append(url, *ballot("two", id="same"))
    assert ids(url) == ["same-AB", "same-AC"]


def test_of_many_ballots_at_once_exactly_one_is_recorded(url: str) -> None:
    async def race(ledger: SqlLedger) -> list[bool]:
        rivals = [ballot(id=f"rival-{n}", pairs=("AB AC", "BC AC")[n % 2]) for n in range(24)]
        return await asyncio.gather(*(ledger.append(rows) for rows in rivals))

    assert sorted(on(url, race)) == [False] * 23 + [True]
    assert len(ids(url)) == 2


def test_many_ballots_at_once_are_all_recorded(url: str) -> None:
    async def rush(ledger: SqlLedger) -> list[bool]:
        return await asyncio.gather(*(ledger.append(ballot(f"b{n}")) for n in range(60)))

    commits: list[object] = []

    def committed(connection: object) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", committed)
    try:
        assert all(on(url, rush))
    finally:
        event.remove(Engine, "commit", committed)
    assert len(ids(url)) == 120
    assert len(commits) < 30, "they wait for the disk together"


def test_a_ballot_that_is_refused_takes_none_beside_it_along(url: str) -> None:
    def cast(number: int) -> list[VoteRow]:
        rows = ballot(f"b{number}")
        if number % 4 == 1:
            return ballot(f"b{number - 1}", id="again")
        if number % 4 == 2:
            return [replace(row, rater="\ud83d") for row in rows]
        return rows

    async def rush(ledger: SqlLedger) -> list[bool | BaseException]:
        casting = (ledger.append(cast(number)) for number in range(40))
        return await asyncio.gather(*casting, return_exceptions=True)

    told = on(url, rush)
    assert told[::4] == told[3::4] == [True] * 10
    assert told[1::4] == [False] * 10
    assert all(isinstance(fault, LedgerFault) for fault in told[2::4])
    kept = (ballot(f"b{number}") for number in range(40) if number % 4 in (0, 3))
    assert set(ids(url)) == {row.id for rows in kept for row in rows}


def test_threads_with_their_own_event_loops_share_one_ledger(url: str) -> None:
    ledger = SqlLedger(url)
    asyncio.run(ledger.open())
    results: list[bool] = []

    def vote(battle: str) -> None:
        results.append(asyncio.run(ledger.append(ballot(battle))))

    threads = [threading.Thread(target=vote, args=(f"b{n % 4}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ledger.close())
    assert sorted(results) == [False] * 4 + [True] * 4


# Counts -----------------------------------------------------------------------------------------


def test_the_rows_of_a_battle_are_counted_with_superseded_ones(url: str) -> None:
    async def count(ledger: SqlLedger) -> tuple[int, int]:
        await ledger.append(ballot(id="one", pairs="AB AC"))
        await ledger.append(ballot(id="two", pairs="BC", round=2))
        await ledger.append(ballot("elsewhere", id="three", pairs="AD"))
        await ledger.append(ballot(id="four", pairs="AC BC", supersedes="one"))
        return await recorded(ledger, "battle"), await recorded(ledger, "nowhere")

    assert on(url, count) == (5, 0)


def test_only_the_columns_asked_for_are_read(url: str) -> None:
    append(url, *ballot())
    some = on(url, lambda ledger: ledger.votes(("winner", "model_b")))
    everything = on(url, lambda ledger: ledger.votes())
    assert list(some.columns) == ["winner", "model_b"]
    pd.testing.assert_frame_equal(some, everything[["winner", "model_b"]])


def test_rows_are_told_after_a_sequence_and_up_to_a_limit(url: str) -> None:
    async def ask(ledger: SqlLedger) -> list[list[str]]:
        for battle in ("one", "two", "three"):
            await ledger.append(ballot(battle, pairs="AB BC"))
        every = await ledger.votes(("id", "sequence"))
        assert list(every.columns) == ["id", "sequence"] and every["sequence"].dtype == "int64"
        assert every["sequence"].is_monotonic_increasing
        third = int(every["sequence"][2])
        told = [
            await ledger.votes(("id",), after=third),
            await ledger.votes(("id",), limit=2),
            await ledger.votes(("id",), after=third, limit=2),
            await ledger.votes(("id",), after=third + 3),
        ]
        return [list(frame["id"]) for frame in told]

    assert on(url, ask) == [
        ["two-1-BC", "three-1-AB", "three-1-BC"],
        ["one-1-AB", "one-1-BC"],
        ["two-1-BC", "three-1-AB"],
        [],
    ]


def test_the_votes_on_a_battle_are_told_as_they_are_now(url: str) -> None:
    async def ask(ledger: SqlLedger) -> list[Sequence[Vote]]:
        await ledger.append(ballot("elsewhere", id="one"))
        await ledger.append(ballot(id="two", pairs="AB BC"))
        await ledger.append(ballot(id="three", pairs="AC", supersedes="two"))
        told = [await ledger.votes_on("battle")]
        await ledger.exclude([Exclusion("ballot", "two", True, "a test", datetime.now(UTC))])
        return [*told, await ledger.votes_on("battle"), await ledger.votes_on("nowhere")]

    told, excluded, nothing = on(url, ask)
    frame = on(url, lambda ledger: ledger.votes(Vote._fields))
    here = frame[frame["ballot_id"] != "one"]
    assert excluded == [Vote(*row) for row in here.itertuples(index=False)]
    assert [(vote.ballot_id, vote.supersedes, vote.excluded_reason) for vote in told] == [
        ("two", "", ""),
        ("two", "", ""),
        ("three", "two", ""),
    ]
    reasons = [vote.excluded_reason for vote in excluded]
    assert reasons == ["operator", "operator", ""] and not nothing


# What standings are made from ---------------------------------------------------------------------


def expected_outcomes(votes: pd.DataFrame, after: int) -> tuple[list[Any], list[Any]]:
    """Rows and withdrawn rows, found one by one."""
    undone = [(r.sequence, r.supersedes) for r in votes.itertuples() if r.supersedes != r.ballot_id]
    last_seen = {b for n, b in undone if n <= after and b}
    superseded = {b for _, b in undone if b}
    rows, withdrawn = [], []
    for vote in votes.itertuples():
        told = [getattr(vote, name) for name in ("sequence", *OUTCOME)]
        if vote.sequence > after:
            rows.append([*told[:-1], "superseded"] if vote.ballot_id in superseded else told)
        elif vote.ballot_id in superseded - last_seen:
            withdrawn.append(told)
    return rows, withdrawn


def told(frame: pd.DataFrame) -> list[Any]:
    return sorted(frame.astype(object).to_numpy().tolist())


@pytest.mark.parametrize(("few", "piece"), [(0, 1), (1000, 1_000_000)])
def test_outcomes_are_told_since_any_sequence_as_the_rows_have_them(
    url: str, few: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "FEW", few)
    monkeypatch.setattr(sqlite, "PIECE", piece)
    monkeypatch.setattr(postgresql, "PIECE", piece)
    chance = random.Random(7)

    async def compare(ledger: SqlLedger) -> None:
        for n in range(24):
            older = [f"ballot-{chance.randrange(n + 5)}" for _ in range(n % 3)]
            rows = ballot(
                f"battle-{n // 3}",
                id=f"ballot-{n}",
                round=n,
                pairs=chance.choice(("AB", "AB AC")),
                supersedes=older[0] if older else "",
            )
            reason = chance.choice(("", "", "identity"))
            rater = chance.choice(("", "one", "two"))
            assert await ledger.append(
                [replace(row, excluded_reason=reason, rater=rater) for row in rows]
            )
        votes = await ledger.votes(("sequence", "ballot_id", "supersedes", *OUTCOME))
        assert len(set(votes["supersedes"])) > 6
        for after in (0, *votes["sequence"]):
            rows, withdrawn = expected_outcomes(votes, after)
            found = await ledger.outcomes(after)
            assert (told(found.rows), told(found.withdrawn)) == (rows, withdrawn)
            assert found.last == votes["sequence"].max()

    on(url, compare)


def test_a_vote_on_two_contenders_of_one_name_does_not_count_and_says_why(url: str) -> None:
    """As earlier versions wrote some."""

    def rows(id: str, **fields: Any) -> list[VoteRow]:
        row = replace(ballot(id=id, pairs="AB")[0], model_b="name-A", rater="ann")
        return [replace(row, **{"battle_id": id, "excluded_reason": "", **fields})]

    async def scene(ledger: SqlLedger) -> None:
        await ledger.append(rows("old"))
        await ledger.append(rows("told", excluded_reason="identity"))
        await ledger.append(rows("fine", model_b="name-B"))
        await ledger.append(rows("odd", model_b="name-B", winner="C", rater="bob"))
        expected = ["itself", "identity", "", "outcome"]
        first = await ledger.outcomes()
        assert list(first.rows["excluded_reason"]) == expected
        assert list((await ledger.votes(("excluded_reason",)))["excluded_reason"]) == expected
        assert [vote.excluded_reason for vote in await ledger.votes_on("old")] == ["itself"]
        await ledger.append(rows("again", model_b="name-B", supersedes="old"))
        withdrawn = (await ledger.outcomes(first.last)).withdrawn
        pd.testing.assert_frame_equal(withdrawn, first.rows[:1], check_categorical=False)
        await ledger.exclude([Exclusion("rater", "ann", True, "why", WHEN)])
        expected = ["itself", "identity", "operator", "outcome", "operator"]
        assert list((await ledger.votes(("excluded_reason",)))["excluded_reason"]) == expected
        told = (await ledger.outcomes()).rows["excluded_reason"]
        assert list(told) == ["superseded", *expected[1:]]
        assert not (await ledger.verify()).faults

    on(url, scene)


def test_an_import_takes_no_vote_on_two_contenders_of_one_name(url: str) -> None:
    row = ballot(pairs="AB")[0]
    with pytest.raises(BadInput, match="have one name"):
        on(
            url,
            lambda ledger: ledger.add([row, replace(row, id="x", battle_id="x", model_b="name-A")]),
        )
    assert not ids(url)


def test_a_vote_that_is_taken_back_is_told_as_withdrawn_once(url: str) -> None:
    async def scene(ledger: SqlLedger) -> None:
        await ledger.append(ballot(id="first", pairs="AB"))
        first = await ledger.outcomes()
        assert list(first.rows["excluded_reason"]) == [""] and first.withdrawn.empty
        await ledger.append(ballot(id="second", pairs="AB", supersedes="first"))
        second = await ledger.outcomes(first.last)
        pd.testing.assert_frame_equal(second.withdrawn, first.rows, check_categorical=False)
        assert list(second.rows["excluded_reason"]) == [""]
        await ledger.append(ballot(id="third", pairs="AC", supersedes="first"))
        third = await ledger.outcomes(second.last)
        assert len(third.rows) == 1 and third.withdrawn.empty
        nothing = await ledger.outcomes(third.last)
        assert nothing.rows.empty and nothing.withdrawn.empty and nothing.last == third.last
        again = await ledger.outcomes()
        assert list(again.rows["excluded_reason"]) == ["superseded", "", ""]

    on(url, scene)


def test_outcomes_have_the_same_columns_and_dtypes_also_when_empty(url: str) -> None:
    empty = on(url, lambda ledger: ledger.outcomes())
    append(url, *ballot(id="one"), *ballot(id="one", round=2, pairs="BC"))
    filled = on(url, lambda ledger: ledger.outcomes())
    for frame in (empty.rows, empty.withdrawn, filled.rows, filled.withdrawn):
        assert list(frame.columns) == ["sequence", *OUTCOME]
        assert [str(dtype) for dtype in frame.dtypes] == ["int64", *["category"] * len(OUTCOME)]
        assert all(frame[name].cat.categories.dtype == "str" for name in OUTCOME)
    assert empty.last == 0 and filled.last == filled.rows["sequence"].max()


ODD = (
    "",
    " ",
    ",",
    '"',
    '""',
    "'",
    "a,b",
    'say "so"',
    "two\nlines",
    "two\r\nlines",
    "\r",
    "\n",
    "\t",
    "unit\x1fseparator",
    "record\x1eseparator",
    "\ufeffmark",
    "back\\slash",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "NA",
    "nan",
    "None",
    "0",
    "-1",
    "é 🙂 漢",
    "%s %(x)s {}",
    "x" * 700,
    '","',
    '"\n2,"',
)


@pytest.mark.parametrize("piece", [1, 1_000_000])
def test_any_text_comes_back_in_outcomes_as_it_is(
    url: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PIECE", piece)
    monkeypatch.setattr(postgresql, "PIECE", piece)
    (row,) = ballot(pairs="AB")
    rows = [
        replace(
            row,
            id=str(n),
            round=n,
            ballot_id=str(n),
            model_a=text,
            model_b=f"{text[::-1]}.",
            rater=text,
            winner=text or "tie",
            excluded_reason=text,
            battle_id=text,
        )
        for n, text in enumerate(ODD)
    ]
    assert on(url, lambda ledger: ledger.add(rows)) == len(rows)
    found = on(url, lambda ledger: ledger.outcomes()).rows.sort_values("sequence")
    for name in OUTCOME:
        assert list(found[name]) == [getattr(row, name) for row in rows], name


def test_whoever_reads_while_others_write_misses_nothing_and_hears_nothing_twice(url: str) -> None:
    on(url, lambda ledger: recorded(ledger, ""))
    writers = 3

    def write(name: str) -> None:
        async def some(ledger: SqlLedger) -> None:
            for n in range(9):
                older = f"{name}-{n - 1}" if n % 3 == 2 else ""
                assert await ledger.append(
                    ballot(name, id=f"{name}-{n}", round=n, supersedes=older)
                )

        on(url, some)

    async def follow(ledger: SqlLedger) -> list[int]:
        heard: list[int] = []
        withdrawn, last = 0, 0
        while True:
            over = not any(thread.is_alive() for thread in threads)
            news = await ledger.outcomes(last)
            assert sorted(news.rows["sequence"]) == [
                n for n in sorted(news.rows["sequence"]) if last < n <= news.last
            ]
            heard.extend(news.rows["sequence"])
            superseded = (news.rows["excluded_reason"] == "superseded").sum()
            withdrawn, last = withdrawn + len(news.withdrawn) + int(superseded), news.last
            if over:
                assert withdrawn == writers * 3 * 2
                return heard

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(writers)]
    for thread in threads:
        thread.start()
    heard = on(url, follow)
    for thread in threads:
        thread.join()
    written = on(url, lambda ledger: ledger.votes(("sequence",)))["sequence"]
    assert sorted(heard) == list(written) and len(written) == writers * 9 * 2


# Votes that were cast elsewhere -------------------------------------------------------------------


def test_an_import_keeps_its_order_and_may_be_larger_than_one_portion(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 5)
    rows = [row for n in range(9) for row in ballot(f"b{n}", pairs="BC AB")]
    assert on(url, lambda ledger: ledger.add(iter(rows))) == 18
    assert ids(url) == [row.id for row in rows]
    assert on(url, lambda ledger: ledger.add(())) == 0


@pytest.mark.parametrize("known", ["all", "little", "more of the second"])
def test_imported_rows_come_back_as_cast_ones_do(url: str, known: str) -> None:
    bare = VoteRow(**{**EMPTY, "id": "bare", "timestamp": WHEN, "model_a": "x", "winner": "tie"})
    rows = [full_row()] if known == "all" else [bare]
    rows += [full_row()] if known == "more of the second" else []
    on(url, lambda ledger: ledger.add(rows))
    found = on(url, lambda ledger: ledger.votes())
    read = found.astype(object).where(found.notna(), None).to_dict("records")
    assert read == [asdict(row) for row in rows]
    assert not on(url, lambda ledger: ledger.verify()).faults


@pytest.mark.parametrize(
    ("here", "coming", "named"),
    [
        (ballot("a", id="x"), ballot("b", id="x"), "x-AB"),
        (ballot("a", id="x"), ballot("a", id="y"), "y-AB"),
        ((), [*ballot("a", id="x"), *ballot("b", id="x")], "x-AB"),
        ((), [*ballot("a", id="x"), *ballot("a", id="y")], "x-AB"),
        (ballot("a", id="x"), ballot("b", id="y", supersedes="x"), "y-AB"),
        (ballot("a", id="y", supersedes="x"), ballot("b", id="x"), "x-AB"),
        ((), ballot("a", id="x", supersedes="x"), "x-AB"),
        (
            ballot("a", id="x"),
            [*ballot("b", id="x", pairs="AD"), *ballot("b", id="y", pairs="AD", supersedes="x")],
            "y-AD",
        ),
        ((), [*ballot("a", id="x"), *ballot("b", id="y", supersedes="x")], "y-AB"),
    ],
)
def test_an_import_of_votes_known_already_or_that_take_back_anothers_is_none_and_names_one(
    url: str, here: Iterable[VoteRow], coming: Iterable[VoteRow], named: str
) -> None:
    async def scene(ledger: SqlLedger) -> None:
        await ledger.add(here)
        for dry in (True, False):
            with pytest.raises(BadInput, match=f"{named}.*Nothing was imported"):
                await ledger.add([*ballot("before"), *coming, *ballot("after")], dry=dry)
            # It can be done again at once.
            assert await ledger.add(ballot("before"), dry=dry) == 2

    on(url, scene)
    assert ids(url) == [row.id for row in (*here, *ballot("before"))]


def test_an_import_whose_rows_end_in_an_error_imports_nothing(url: str) -> None:
    def rows() -> Iterator[VoteRow]:
        yield from ballot("one")
        raise BadInput("line 3 is no vote")

    async def scene(ledger: SqlLedger) -> None:
        with pytest.raises(BadInput, match="line 3"):
            await ledger.add(rows())
        naive = replace(full_row(), id="naive", timestamp=datetime(2026, 3, 1))
        with pytest.raises(BadInput, match=r"naive.*time zone"):
            await ledger.add([*ballot("two"), naive])

    on(url, scene)
    assert ids(url) == []


def test_whoever_votes_does_not_wait_for_an_import_that_is_still_being_read_or_made_ready(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 5)
    meant, during = chain.meant, ["ready"]

    def made_ready(*row: Any) -> Iterator[Any]:
        if during:
            cast = ballot(during.pop())
            assert on(url, lambda ledger: ledger.append(cast), busy_timeout_s=0.1)
        return meant(*row)

    def rows() -> Iterator[VoteRow]:
        for n in range(9):
            yield from ballot(f"import-{n}", pairs="AB")
        assert on(url, lambda ledger: ledger.append(ballot("cast")), busy_timeout_s=0.1)
        yield from ballot("import-9", pairs="AB")
        monkeypatch.setattr(chain, "meant", made_ready)

    assert on(url, lambda ledger: ledger.add(rows())) == 10
    first = [f"{battle}-1-{pair}" for battle in ("cast", "ready") for pair in ("AB", "AC")]
    assert ids(url)[:5] == [*first, "import-0-1-AB"]
    assert not on(url, lambda ledger: ledger.verify()).faults


def test_a_text_that_cannot_be_kept_is_told_and_nothing_is_written(url: str) -> None:
    bad = [replace(row, rater="\ud83d") for row in ballot()]

    async def scene(ledger: SqlLedger) -> None:
        for attempt in (ledger.append(bad), ledger.add(bad)):
            with pytest.raises(LedgerFault, match="cannot keep a character"):
                await attempt

    on(url, scene)
    assert ids(url) == []
