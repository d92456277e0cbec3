"""What only an SQLite ledger can get into: its file, other programs at it, older files."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from arena.adapters.ledger import MIGRATIONS, SqlLedger, outcomes, sql
from arena.adapters.ledger import sqlite as adapter
from arena.adapters.ledger.schema import OUTCOME
from arena.core.battle.record import VoteRow
from arena.core.errors import ConfigError, LedgerFault
from tests.adapters import ledgers
from tests.adapters.ledger_rows import ballot
from tests.adapters.ledgers import program, recorded

COLUMNS = ", ".join(f.name for f in fields(VoteRow))
Result = TypeVar("Result")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "arena.db"


def on(
    file: Path, work: Callable[[SqlLedger], Coroutine[Any, Any, Result]], **options: float
) -> Result:
    return ledgers.on(f"sqlite:///{file}", work, **options)


def append(file: Path, *rows: VoteRow) -> bool:
    return on(file, lambda ledger: ledger.append(rows))


def ids(file: Path) -> list[str]:
    return ledgers.ids(f"sqlite:///{file}")


@contextmanager
def raw(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program at the same file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def test_connections_that_were_needed_for_a_moment_are_closed_again(file: Path) -> None:
    together = threading.Barrier(5)

    closed = 0

    async def ask(ledger: SqlLedger) -> None:
        @event.listens_for(ledger._engine, "close")
        def count(*_: object) -> None:
            nonlocal closed
            closed += 1

        await asyncio.gather(*(ledger._do(lambda _: together.wait(20)) for _ in range(5)))
        assert closed == 3

    on(file, ask)


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
    await asyncio.gather(*(vote(ledger, first) for first in range(8)))

async def vote(ledger, first):
    for number in range(first, 100_000, 8):
        await ledger.append(ballot(f"b{number}"))
        print(number, flush=True)

asyncio.run(main())
"""


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
    patient = int(adapter.PATIENCE_S * 1000)
    assert seen == {("wal", 2, 1, 3000), ("wal", 2, 1, patient)}


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
from arena.core.errors import LedgerFault
from tests.adapters.ledger_rows import ballot

async def main(file):
    ledger = SqlLedger(f"sqlite:///{file}")
    await ledger.open()
    assert await ledger.append(ballot("before"))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = Path(file + "-wal").stat().st_size + 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, unlimited[1]))
    large = ballot("large", text="x" * 100_000)
    larger = ballot("larger", text="x" * 450_000)
    for way, rows in (ledger.append, large), (ledger.append, large), (ledger.add, larger):
        try:
            await way(rows)
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
    assert len(told) == 3 and all("disk is full" in line for line in told)
    assert ids(file) == ["before-1-AB", "before-1-AC", "large-1-AB", "large-1-AC"]


def test_a_database_that_is_full_is_told(file: Path) -> None:
    append(file, *ballot("before"))

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(Engine, "connect", limit)
    try:
        with pytest.raises(LedgerFault, match=r"disk is full.*Free some space"):
            append(file, *ballot("large", text="x" * 100_000))
    finally:
        event.remove(Engine, "connect", limit)
    assert ids(file) == ["before-1-AB", "before-1-AC"]
    assert append(file, *ballot("large", text="x" * 100_000))


def test_an_import_for_which_there_is_no_room_is_told_and_takes_none_from_those_who_vote(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "AHEAD", 0)
    ahead = file.with_name(f"{file.name}-wal")
    coming = [row for n in range(60) for row in ballot(f"b{n}", text="x" * 30_000)]

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 150")

    async def scene(ledger: SqlLedger) -> None:
        assert await ledger.append(ballot("before"))
        event.listen(Engine, "connect", limit)
        try:
            with pytest.raises(LedgerFault, match=r"disk is full.*Free some space"):
                await ledger.add(coming)
        finally:
            event.remove(Engine, "connect", limit)
        assert ahead.stat().st_size == 0
        assert await ledger.add(coming) == len(coming)
        assert ahead.stat().st_size == 0
        monkeypatch.setattr(adapter, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
        with pytest.raises(LedgerFault, match="disk is full"):
            await ledger.add(
                [replace(row, battle_id=f"{row.battle_id}+", id=f"{row.id}+") for row in coming]
            )
        assert await ledger.append(ballot("after"))
        assert not (await ledger.verify()).faults

    on(file, scene)
    assert len(ids(file)) == len(coming) + 4


def test_a_ledger_that_another_program_holds_is_told_and_works_again_when_released(
    file: Path,
) -> None:
    async def vote(ledger: SqlLedger) -> bool:
        with raw(file) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerFault, match=r"another program holds it.*Close"):
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
    with pytest.raises(LedgerFault, match=r"cannot be written.*Give the account"):
        append(file, *ballot("another"))


def lose(file: Path, how: str) -> None:
    kept = file.with_name("kept.db")
    if how == "deleted":
        kept.write_bytes(b"")
        file.unlink()
    else:
        file.rename(kept)
    if how == "replaced":
        append(file.with_name("other.db"), *ballot("other"))
        file.with_name("other.db").rename(file)


def find(file: Path) -> None:
    assert not file.exists(), "no new one is made in silence"
    file.with_name("kept.db").rename(file)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_vote_is_acknowledged_only_in_the_file_that_is_at_its_place(file: Path, how: str) -> None:
    async def vote(ledger: SqlLedger) -> None:
        assert await ledger.append(ballot("before"))
        await ledger.writable()
        key = await ledger.key()
        await asyncio.to_thread(lose, file, how)
        if how != "replaced":
            for refused in (ledger.append(ballot("lost")), ledger.writable(), ledger.outcomes()):
                with pytest.raises(LedgerFault, match=r"its file is gone.*Put the file back"):
                    await refused
            find(file)
        assert (await ledger.key() == key) == (how == "moved"), "whoever asks first"
        assert await ledger.append(ballot("after"))
        await ledger.writable()

    on(file, vote)
    first = {"deleted": [], "moved": ["before"], "replaced": ["other"]}[how]
    battles = on(file, lambda ledger: ledger.votes(("battle_id",)))["battle_id"]
    assert list(dict.fromkeys(battles)) == [*first, "after"]


def test_a_vote_is_not_lost_with_what_is_written_ahead_of_the_file(file: Path) -> None:
    """Whoever tidies up may take it for a file that was left over."""

    async def vote(ledger: SqlLedger) -> None:
        for battle in ("one", "two"):
            assert await ledger.append(ballot(battle))
            await ledger.writable()
            file.with_name(f"{file.name}-wal").unlink()
            assert await ledger.append(ballot(f"{battle} after"))
            # As it would be found after a crash.
            shutil.copytree(file.parent, file.parent.with_name(battle))

    on(file, vote)
    battles = ["one", "one after", "two", "two after"]
    for folder, expected in (("one", battles[:2]), ("two", battles)):
        kept = file.parent.with_name(folder) / file.name
        found = on(kept, lambda ledger: ledger.votes(("battle_id",)))["battle_id"]
        assert list(dict.fromkeys(found)) == expected


def test_what_belongs_to_a_file_that_was_replaced_is_not_used_for_the_other(file: Path) -> None:
    """SQLite would cut it off under the connections that still have it mapped, which kills."""

    async def vote(ledger: SqlLedger) -> None:
        assert await ledger.append(ballot("before"))
        beside = file.with_name(f"{file.name}-shm")
        # While it is held, no other file gets its number.
        with beside.open("rb") as before:
            await asyncio.to_thread(lose, file, "replaced")
            assert await ledger.append(ballot("after"))
            assert not os.path.samestat(os.fstat(before.fileno()), beside.stat())

    on(file, vote)


def test_a_file_that_goes_between_a_vote_and_its_commit_is_not_acknowledged(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writing(connection: sqlite3.Connection, record: object) -> None:
        connection.set_trace_callback(lambda said: said.startswith("INSERT") and file.unlink())

    append(file, *ballot())
    event.listen(Engine, "connect", writing)
    try:
        with pytest.raises(LedgerFault, match="its file is gone"):
            append(file, *ballot("lost"))
    finally:
        event.remove(Engine, "connect", writing)


def test_a_ledger_that_takes_no_vote_says_so_before_one_is_cast(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "FRESH_S", 0.0)
    monkeypatch.setattr(sql, "PATIENCE_S", 0.1)

    async def ask(ledger: SqlLedger) -> None:
        await ledger.writable()
        with raw(file) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerFault, match="takes no vote within seconds"):
                await ledger.writable()
            other.execute("ROLLBACK")
        monkeypatch.setattr(sql, "PATIENCE_S", 20)
        await ledger.writable()
        monkeypatch.setattr(adapter, "LEAST_ROOM", 2**62)
        with pytest.raises(LedgerFault, match="disk is full"):
            await ledger.writable()

    on(file, ask)


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


@pytest.mark.parametrize(
    ("column", "value"), [("rater", "CAST(x'ff' AS TEXT)"), ("conversation_a", "'{'")]
)
def test_a_row_that_no_arena_wrote_and_that_cannot_be_read_is_told(
    file: Path, column: str, value: str
) -> None:
    append(file, *ballot())
    changed = {"id": "'odd'", "round": "99", column: value}
    copied = ", ".join(changed.get(name, name) for name in COLUMNS.split(", "))
    with raw(file) as other:
        other.execute(f"INSERT INTO votes ({COLUMNS}) SELECT {copied} FROM votes LIMIT 1")
    with pytest.raises(LedgerFault, match="the log of the arena"):
        on(file, lambda ledger: ledger.votes())
    if column in OUTCOME:
        with pytest.raises(LedgerFault, match="cannot be read"):
            on(file, lambda ledger: ledger.outcomes())
    else:
        assert len(on(file, lambda ledger: ledger.outcomes()).rows) == 3


def test_a_folder_that_cannot_be_created_is_told_by_the_name_of_the_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"DATABASE_URL.*cannot be created"):
        append(tmp_path / "data" / "arena.db", *ballot())


def test_a_file_that_cannot_be_made_is_told_as_that_and_not_as_one_that_is_gone() -> None:
    with pytest.raises(LedgerFault, match=r"its folder cannot be written.*Give the account"):
        append(Path("/proc/arena.db"), *ballot())


def test_a_folder_in_place_of_the_file_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(LedgerFault, match=r"cannot be written.*Name a file"):
        append(file, *ballot())
    with pytest.raises(LedgerFault, match="Name a file"):
        asyncio.run(SqlLedger(f"sqlite:///{file}").inspect())


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
        "",
        "data/arena.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/a.db",
        "sqlite:///file:a.db?uri=true",
        "sqlite+aiosqlite:///a.db",
        "postgresql://me:hunter2@db/arena",
        "mysql://me:hunter2@db:port/arena",
    ],
)
def test_another_address_is_refused_and_what_is_allowed_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match=r"DATABASE_URL.*Allowed is sqlite:///") as caught:
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


def write_old_row(old: sqlite3.Connection) -> None:
    """With what has to be there; texts are named after their columns or empty."""
    needed = [
        (name, kind)
        for _, name, kind, needed, *_ in old.execute("PRAGMA table_info(votes)")
        if needed and name != "sequence"
    ]
    of_kind = {"TEXT": "", "JSON": "[]", "DATETIME": "2026-03-01 12:30:15.123456"}
    named = {"id": "old", "battle_id": "old battle", "ballot_id": "old ballot"}
    row = {name: named.get(name, of_kind.get(kind, 0)) for name, kind in needed}
    slots = ", ".join("?" * len(row))
    old.execute(f"INSERT INTO votes ({', '.join(row)}) VALUES ({slots})", [*row.values()])


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_a_file_of_every_schema_so_far_is_brought_up_to_date(file: Path, version: int) -> None:
    """When VoteRow changes, this fails until a migration brings old files along."""
    file.parent.mkdir()
    with raw(file) as old:
        old.executescript((Path(__file__).parent / f"ledger_v{version}.sql").read_text())
        write_old_row(old)
    assert append(file, *ballot())
    frame = on(file, lambda ledger: ledger.votes())
    assert list(frame.columns) == [f.name for f in fields(VoteRow)]
    assert list(frame["id"]) == ["old", "battle-1-AB", "battle-1-AC"]
    first = frame.iloc[0]
    assert (first["battle_id"], first["draw_policy"]) == ("old battle", "")
    assert first[["draw_probability", "draw_probability_a", "draw_probability_b"]].isna().all()
    told = on(file, lambda ledger: ledger.outcomes()).rows
    assert list(told["battle_id"]) == ["old battle", "battle", "battle"]
    with raw(file) as other:
        schema = {sql for (sql,) in other.execute("SELECT sql FROM sqlite_master")}
    append(file.with_name("new.db"), *ballot())
    with raw(file.with_name("new.db")) as other:
        indexes = other.execute("SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger')")
        assert {sql for (sql,) in indexes} <= schema


def test_many_open_and_migrate_an_old_file_at_once(file: Path) -> None:
    file.parent.mkdir()
    with raw(file) as old:
        old.executescript((Path(__file__).parent / "ledger_v1.sql").read_text())
    with ThreadPoolExecutor(6) as threads:
        appended = threads.map(lambda n: append(file, *ballot(f"b{n}")), range(6))
    assert list(appended) == [True] * 6


def test_an_up_to_date_file_opens_while_another_program_writes_to_it(file: Path) -> None:
    append(file, *ballot())
    with raw(file) as other:
        other.execute("BEGIN IMMEDIATE")
        assert on(file, lambda ledger: recorded(ledger, "battle"), busy_timeout_s=0.05) == 2
        other.execute("ROLLBACK")


def test_a_file_of_a_newer_arena_is_refused_and_left_alone(file: Path) -> None:
    append(file, *ballot())
    with raw(file) as other:
        other.execute("INSERT INTO schema_migrations VALUES (99, '2030-01-01 00:00:00')")
    with pytest.raises(ConfigError, match=r"DATABASE_URL.*newer arena .schema 99"):
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


# What standings need, apart from the conversations ------------------------------------------------


def test_outcomes_are_read_from_indexes_and_never_from_the_table(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "FEW", 0)
    append(file, *ballot(id="first"))
    append(file, *ballot(id="second", supersedes="first"))
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, values: Any, *_: object) -> None:
        if "FROM votes" in statement:
            asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        on(file, lambda ledger: ledger.outcomes())
        assert len(on(file, lambda ledger: ledger.outcomes(2)).withdrawn) == 2
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) >= 8
    with raw(file) as other:
        root = "SELECT rootpage FROM sqlite_master WHERE name = 'votes'"
        (table,) = other.execute(root).fetchone()
        for statement, values in asked:
            program = other.execute(f"EXPLAIN {statement}", values).fetchall()
            opened = {p1 for _, code, p1, p2, *_ in program if code == "OpenRead" and p2 == table}
            read = {p1 for _, code, p1, *_ in program if code in ("Column", "FinishSeek")}
            assert not opened & read, statement
