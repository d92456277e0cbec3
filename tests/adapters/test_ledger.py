"""The ledger on real SQLite files: what is acknowledged stays, once, unchanged."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import StatementError
from sqlalchemy.pool import Pool

from arena.adapters.ledger import MIGRATIONS, SqlLedger
from arena.core.ports import ConfigError, Ledger, LedgerFault
from arena.core.record import VoteRow
from tests.adapters.ledger_rows import WHEN, ballot, full_row

ROOT = Path(__file__).parents[2]
COLUMNS = ", ".join(f.name for f in fields(VoteRow))
Result = TypeVar("Result")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "arena.db"


def on(
    file: Path, work: Callable[[SqlLedger], Coroutine[Any, Any, Result]], **options: float
) -> Result:
    """Open the ledger, do the work, close it."""

    async def run() -> Result:
        ledger = SqlLedger(f"sqlite:///{file}", **options)
        try:
            await ledger.open()
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


def append(file: Path, *rows: VoteRow) -> bool:
    return on(file, lambda ledger: ledger.append(rows))


def ids(file: Path) -> list[str]:
    return list(on(file, lambda ledger: ledger.votes())["id"])


@contextmanager
def raw(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program at the same file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


# What is written comes back ---------------------------------------------------------------------


@pytest.mark.parametrize("optional", [True, False])
def test_every_column_comes_back_as_it_was_written(file: Path, optional: bool) -> None:
    row = full_row(optional=optional)
    assert append(file, row)
    frame = on(file, lambda ledger: ledger.votes())
    assert list(frame.columns) == [f.name for f in fields(VoteRow)]
    (read,) = frame.to_dict("records")
    expected = asdict(row)
    assert {n: None if v is pd.NA or v != v else v for n, v in read.items()} == expected


def test_the_dtypes_are_those_one_computes_with_also_when_empty(file: Path) -> None:
    empty = on(file, lambda ledger: ledger.votes())
    append(file, full_row(optional=False))
    filled = on(file, lambda ledger: ledger.votes())
    assert list(empty.columns) == [f.name for f in fields(VoteRow)] and empty.empty
    assert empty.dtypes.equals(filled.dtypes)
    wanted = {"winner": "str", "round": "int64", "is_code": "bool", "dwell_ms": "Int64",
              "ttft_ms_a": "float64", "timestamp": "datetime64[us, UTC]"}  # fmt: skip
    assert {name: str(filled[name].dtype) for name in wanted} == wanted


def test_a_time_of_another_zone_comes_back_as_the_same_instant_in_utc(file: Path) -> None:
    there = WHEN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    append(file, replace(full_row(), timestamp=there))
    (read,) = on(file, lambda ledger: ledger.votes())["timestamp"]
    assert read == WHEN and read.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(file: Path) -> None:
    with pytest.raises(StatementError, match="time zone"):
        append(file, replace(full_row(), timestamp=datetime(2026, 3, 1)))


def test_rows_stand_in_the_order_written(file: Path) -> None:
    for battle in ("z", "a", "m"):
        append(file, *ballot(battle, pairs="BC AB"))
    assert ids(file) == ["z-1-BC", "z-1-AB", "a-1-BC", "a-1-AB", "m-1-BC", "m-1-AB"]


def test_it_is_the_port_that_the_core_names() -> None:
    names = {n for n, value in vars(Ledger).items() if callable(value) and not n.startswith("_")}
    assert names == {"append", "votes", "count_by_contender", "of_battle"}
    assert all(callable(getattr(SqlLedger, name)) for name in names)


# A ballot counts once ---------------------------------------------------------------------------


def test_the_same_ballot_twice_is_recorded_once(file: Path) -> None:
    assert append(file, *ballot())
    assert not append(file, *ballot())
    assert ids(file) == ["battle-1-AB", "battle-1-AC"]


def test_a_second_ballot_on_a_settled_round_is_not_recorded(file: Path) -> None:
    assert append(file, *ballot(id="first", pairs="AB AC"))
    assert not append(file, *ballot(id="second", pairs="BC AC"))
    assert ids(file) == ["first-AB", "first-AC"]


def test_other_rounds_battles_and_superseding_ballots_are_recorded(file: Path) -> None:
    assert append(file, *ballot(id="one"))
    assert append(file, *ballot(id="two", round=2))
    assert append(file, *ballot("elsewhere", id="three"))
    assert append(file, *ballot(id="four", supersedes="one"))
    assert not append(file, *ballot(id="five", supersedes="one"))
    assert len(ids(file)) == 8


def test_a_ballot_id_that_another_battle_has_used_is_a_fault_and_writes_nothing(
    file: Path,
) -> None:
    append(file, *ballot("one", id="same"))
    with pytest.raises(LedgerFault):
        append(file, *ballot("two", id="same"))
    assert ids(file) == ["same-AB", "same-AC"]


def test_of_many_ballots_at_once_exactly_one_is_recorded(file: Path) -> None:
    async def race(ledger: SqlLedger) -> list[bool]:
        rivals = [ballot(id=f"rival-{n}", pairs=("AB AC", "BC AC")[n % 2]) for n in range(24)]
        return await asyncio.gather(*(ledger.append(rows) for rows in rivals))

    assert sorted(on(file, race)) == [False] * 23 + [True]
    assert len(ids(file)) == 2


def test_many_ballots_at_once_are_all_recorded(file: Path) -> None:
    async def rush(ledger: SqlLedger) -> list[bool]:
        return await asyncio.gather(*(ledger.append(ballot(f"b{n}")) for n in range(60)))

    assert all(on(file, rush))
    assert len(ids(file)) == 120


def test_threads_with_their_own_event_loops_share_one_ledger(file: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{file}")
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


def test_a_slow_disk_does_not_hold_up_the_event_loop(file: Path) -> None:
    async def wait_for_another(ledger: SqlLedger) -> bool:
        with raw(file) as other:
            other.execute("BEGIN IMMEDIATE")
            vote = asyncio.create_task(ledger.append(ballot()))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
            return await vote

    assert on(file, wait_for_another, busy_timeout_s=5)


# Nothing is ever changed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE votes SET winner = 'model_b'",
        "DELETE FROM votes",
        "INSERT OR REPLACE INTO votes SELECT * FROM votes",
        f"REPLACE INTO votes ({COLUMNS}) SELECT {COLUMNS} FROM votes",
        "UPDATE OR REPLACE votes SET seat_a = 'B'",
    ],
)
def test_no_program_changes_or_deletes_a_vote(file: Path, statement: str) -> None:
    append(file, *ballot())
    with raw(file) as other:
        before = other.execute("SELECT * FROM votes").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
        assert other.execute("SELECT * FROM votes").fetchall() == before


def test_a_ballot_counts_once_also_in_a_file_that_lost_its_triggers(file: Path) -> None:
    append(file, *ballot(id="first"))
    with raw(file) as other:
        other.execute("DROP TRIGGER votes_are_never_replaced")
    assert not append(file, *ballot(id="second"))
    assert ids(file) == ["first-AB", "first-AC"]


# What is acknowledged is durable ----------------------------------------------------------------

VOTE_ON = """
import asyncio, sys
from arena.adapters.ledger import SqlLedger
from tests.adapters.ledger_rows import ballot

async def main():
    ledger = SqlLedger(sys.argv[1])
    await ledger.open()
    for number in range(100_000):
        await ledger.append(ballot(f"b{number}"))
        print(number, flush=True)

asyncio.run(main())
"""


def program(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_kill_9_loses_no_acknowledged_vote_and_leaves_no_half_ballot(file: Path) -> None:
    with program(VOTE_ON, f"sqlite:///{file}") as voting:
        assert voting.stdout
        acknowledged = [int(voting.stdout.readline()) for _ in range(25)]
        voting.kill()
        acknowledged += [int(line) for line in voting.stdout if line.endswith("\n")]
    kept = ids(file)
    for number in acknowledged:
        assert {f"b{number}-1-AB", f"b{number}-1-AC"} <= set(kept)
    assert len(kept) % 2 == 0
    assert append(file, *ballot("afterwards"))


def test_every_commit_waits_for_the_disk(file: Path) -> None:
    seen: set[tuple[object, ...]] = set()

    def look(connection: sqlite3.Connection, *_: object) -> None:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        seen.add(tuple(connection.execute(f"PRAGMA {n}").fetchone()[0] for n in names))

    event.listen(Pool, "checkout", look)
    try:
        on(file, lambda ledger: ledger.append(ballot()), busy_timeout_s=3)
    finally:
        event.remove(Pool, "checkout", look)
    assert seen == {("wal", 2, 1, 3000)}


VOTE_WITH_RIVAL = """
import asyncio, json, sys
from arena.adapters.ledger import SqlLedger
from tests.adapters.ledger_rows import ballot

async def main(url, name):
    print("ready", flush=True)
    sys.stdin.readline()
    ledger = SqlLedger(url)
    await ledger.open()
    own = [await ledger.append(ballot(f"{name}-{n}")) for n in range(10)]
    both = [await ledger.append(ballot(f"both-{n}", id=f"{name}-both-{n}")) for n in range(10)]
    print(json.dumps([own, both]))

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_open_a_new_file_and_write_at_once(file: Path) -> None:
    pair = [program(VOTE_WITH_RIVAL, f"sqlite:///{file}", name) for name in ("left", "right")]
    for process in pair:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in pair:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    (left, left_both), (right, right_both) = (json.loads(p.communicate()[0]) for p in pair)
    assert all(left) and all(right)
    assert [one + other for one, other in zip(left_both, right_both, strict=True)] == [1] * 10
    assert len(ids(file)) == 2 * (10 + 10 + 10)


# When it cannot be written ----------------------------------------------------------------------

FILL_THE_DISK = """
import asyncio, resource, sys
from pathlib import Path
from arena.adapters.ledger import SqlLedger
from arena.core.ports import LedgerFault
from tests.adapters.ledger_rows import ballot

async def main(file):
    ledger = SqlLedger(f"sqlite:///{file}")
    await ledger.open()
    assert await ledger.append(ballot("before"))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = Path(file + "-wal").stat().st_size + 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, unlimited[1]))
    large = ballot("large", text="x" * 100_000)
    for _ in range(2):
        try:
            await ledger.append(large)
        except LedgerFault as fault:
            print(fault)
    assert list((await ledger.votes())["battle_id"]) == ["before"] * 2
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert await ledger.append(large)

asyncio.run(main(sys.argv[1]))
"""


def test_a_disk_that_takes_no_more_is_told_and_later_the_same_ballot_is_recorded(
    file: Path,
) -> None:
    with program(FILL_THE_DISK, file) as voting:
        told = voting.communicate()[0].splitlines()
    assert voting.returncode == 0
    assert len(told) == 2 and all("disk is full" in line for line in told)
    assert ids(file) == ["before-1-AB", "before-1-AC", "large-1-AB", "large-1-AC"]


def test_a_database_that_is_full_is_told(file: Path) -> None:
    append(file, *ballot("before"))

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(Engine, "connect", limit)
    try:
        with pytest.raises(LedgerFault, match="disk is full.*Free some space"):
            append(file, *ballot("large", text="x" * 100_000))
    finally:
        event.remove(Engine, "connect", limit)
    assert ids(file) == ["before-1-AB", "before-1-AC"]
    assert append(file, *ballot("large", text="x" * 100_000))


def test_a_ledger_that_another_program_holds_is_told_and_works_again_when_released(
    file: Path,
) -> None:
    async def vote(ledger: SqlLedger) -> bool:
        with raw(file) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerFault, match="another program holds it.*Close"):
                await ledger.append(ballot())
            assert (await ledger.votes()).empty
            other.execute("ROLLBACK")
        return await ledger.append(ballot())

    assert on(file, vote, busy_timeout_s=0.05)


def test_a_ledger_that_is_read_only_is_told(file: Path) -> None:
    append(file, *ballot())
    content = bytearray(file.read_bytes())
    # A write version above 2 in the header makes SQLite treat any file as read-only, also for
    # root, whom no file mode would stop (https://www.sqlite.org/fileformat.html).
    content[18] = 3
    file.write_bytes(content)
    with pytest.raises(LedgerFault, match="cannot be written.*Give the account"):
        append(file, *ballot("another"))


def test_a_file_that_is_no_database_is_told_and_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"a diary, no database\n" * 400)
    before = file.read_bytes()
    with pytest.raises(LedgerFault, match="damaged or is no SQLite database"):
        append(file, *ballot())
    assert file.read_bytes() == before


def test_a_damaged_database_is_told(file: Path) -> None:
    append(file, *ballot())
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(LedgerFault, match="damaged"):
        append(file, *ballot("another"))


def test_a_folder_that_cannot_be_created_is_told_by_the_name_of_the_setting(
    tmp_path: Path,
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="DATABASE_URL.*cannot be created"):
        append(tmp_path / "data" / "arena.db", *ballot())


def test_a_folder_in_place_of_the_file_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(LedgerFault, match="cannot be written"):
        append(file, *ballot())


def test_no_message_to_people_tells_a_path_or_a_contender(file: Path) -> None:
    async def vote(ledger: SqlLedger) -> str:
        with raw(file) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerFault) as caught:
                await ledger.append(ballot())
        return str(caught.value)

    told = on(file, vote, busy_timeout_s=0.05)
    assert str(file.parent) not in told and "name-A" not in told


@pytest.mark.parametrize(
    "url",
    [
        "", "data/arena.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/a.db",
        "sqlite:///file:a.db?uri=true", "sqlite+aiosqlite:///a.db",
        "postgresql://me:hunter2@db/arena", "postgresql://me:hunter2@db:port/arena",
    ],
)  # fmt: skip
def test_another_address_is_refused_and_what_is_allowed_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL.*Allowed is sqlite:///") as caught:
        SqlLedger(url)
    assert "hunter2" not in str(caught.value)


def test_a_path_relative_to_the_working_folder_and_odd_names_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    append(Path("my votes?") / "100%25 é #1.db", *ballot())
    assert (tmp_path / "my votes?" / "100%25 é #1.db").is_file()


# The schema -------------------------------------------------------------------------------------


def test_a_new_file_is_migrated_once_and_opening_again_changes_nothing(file: Path) -> None:
    append(file, *ballot())
    with raw(file) as other:
        schema = other.execute("SELECT sql FROM sqlite_master").fetchall()
        applied = other.execute("SELECT * FROM schema_migrations").fetchall()
    assert [version for version, _ in applied] == list(range(1, len(MIGRATIONS) + 1))
    assert ids(file) == ["battle-1-AB", "battle-1-AC"]
    with raw(file) as other:
        assert other.execute("SELECT sql FROM sqlite_master").fetchall() == schema
        assert other.execute("SELECT * FROM schema_migrations").fetchall() == applied


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_a_file_of_every_schema_so_far_is_brought_up_to_date(file: Path, version: int) -> None:
    """When VoteRow changes, this fails until a migration brings old files along."""
    file.parent.mkdir()
    with raw(file) as old:
        old.executescript((Path(__file__).parent / f"ledger_v{version}.sql").read_text())
    assert append(file, *ballot())
    frame = on(file, lambda ledger: ledger.votes())
    assert list(frame.columns) == [f.name for f in fields(VoteRow)]
    assert list(frame["id"]) == ["battle-1-AB", "battle-1-AC"]


def test_a_file_of_a_newer_arena_is_refused_and_left_alone(file: Path) -> None:
    append(file, *ballot())
    with raw(file) as other:
        other.execute("INSERT INTO schema_migrations VALUES (99, '2030-01-01 00:00:00')")
    with pytest.raises(ConfigError, match="DATABASE_URL.*newer arena .schema 99"):
        append(file, *ballot("another"))
    with raw(file) as other:
        assert other.execute("SELECT count(*) FROM votes").fetchone() == (2,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(file: Path) -> None:
    file.parent.mkdir()
    with raw(file) as other:
        other.execute("CREATE TABLE votes (of_something_else)")
    with pytest.raises(LedgerFault, match="the database refused"):
        append(file, *ballot())
    with raw(file) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("votes",)]


# Counts -----------------------------------------------------------------------------------------


def test_pairs_judged_are_counted_by_contender_without_superseded_ones(file: Path) -> None:
    async def count(ledger: SqlLedger) -> tuple[dict[str, int], int, int]:
        await ledger.append(ballot(id="one", pairs="AB AC"))
        await ledger.append(ballot(id="two", pairs="BC", round=2))
        await ledger.append(ballot("elsewhere", id="three", pairs="AD"))
        counts = await ledger.count_by_contender()
        assert counts == {"name-A": 3, "name-B": 2, "name-C": 2, "name-D": 1}
        await ledger.append(ballot(id="four", pairs="AC BC", supersedes="one"))
        counts = await ledger.count_by_contender()
        return counts, await ledger.of_battle("battle"), await ledger.of_battle("nowhere")

    counts, here, nowhere = on(file, count)
    assert counts == {"name-A": 2, "name-B": 2, "name-C": 3, "name-D": 1}
    assert (here, nowhere) == (5, 0)


def test_an_empty_ledger_counts_nobody(file: Path) -> None:
    assert on(file, lambda ledger: ledger.count_by_contender()) == {}


def test_only_the_columns_asked_for_are_read(file: Path) -> None:
    append(file, *ballot())
    some = on(file, lambda ledger: ledger.votes(("winner", "model_b")))
    everything = on(file, lambda ledger: ledger.votes())
    assert list(some.columns) == ["winner", "model_b"]
    pd.testing.assert_frame_equal(some, everything[["winner", "model_b"]])


def test_ballots_that_are_not_ranked_do_not_count_for_the_draw(file: Path) -> None:
    append(file, *(replace(row, excluded_reason="identity") for row in ballot()))
    assert on(file, lambda ledger: ledger.count_by_contender()) == {}
    assert len(ids(file)) == 2
