"""What only a ledger on a PostgreSQL server can get into: the server goes, refuses, makes wait,
or its answer is lost on the way."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from arena.adapters.ledger import MIGRATIONS, SqlLedger
from arena.adapters.ledger import postgresql as adapter
from arena.cli.serve import MISCONFIGURED
from arena.core.battle.record import VoteRow
from arena.core.errors import ConfigError, LedgerFault
from tests.adapters.ledger_rows import ballot, full_row
from tests.adapters.ledgers import append, ids, on, recorded
from tests.postgresql import DATABASE, USER, Postgresql
from tests.running import ROOT

COLUMNS = ", ".join(f.name for f in fields(VoteRow))


@pytest.fixture
def schema(postgresql: Postgresql) -> str:
    return postgresql.new_schema()


@pytest.fixture
def url(postgresql: Postgresql, schema: str) -> str:
    return postgresql.url(schema)


# Nothing is ever changed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE votes SET winner = 'model_b'",
        "DELETE FROM votes",
        "TRUNCATE votes",
        (
            f"INSERT INTO votes ({COLUMNS}) SELECT {COLUMNS} FROM votes "
            "ON CONFLICT (id) DO UPDATE SET winner = 'model_b'"
        ),
    ],
)
def test_no_program_changes_or_deletes_a_vote(
    postgresql: Postgresql, schema: str, url: str, statement: str
) -> None:
    append(url, *ballot())
    with postgresql.connect(schema) as other:
        before = other.execute("SELECT votes::text FROM votes").fetchall()
        with pytest.raises(psycopg.IntegrityError, match="append-only"):
            other.execute(statement)
        assert other.execute("SELECT votes::text FROM votes").fetchall() == before


# The order in which votes become readable ---------------------------------------------------------


def waiting(connection: Any) -> int:
    """How many wait for the lock under which votes are written."""
    wanted = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return int(connection.execute(wanted).fetchone()[0])


def test_nothing_appears_below_a_vote_that_was_read_also_when_the_first_writer_is_slow(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    append(url, *ballot("before"))
    copied = f"{COLUMNS.replace('battle_id', '1').replace('ballot_id', '1')}"
    slow = f"INSERT INTO votes ({COLUMNS}) SELECT {copied} FROM votes WHERE id = 'before-1-AB'"
    slow = slow.replace("SELECT id,", "SELECT 'slow',")

    async def scene(ledger: SqlLedger) -> tuple[list[str], list[str]]:
        with postgresql.connect(schema) as first, postgresql.connect() as watch:
            first.execute("BEGIN")
            first.execute(slow)
            vote = asyncio.create_task(ledger.append(ballot("quick", pairs="AB")))
            while not waiting(watch) and not vote.done():
                await asyncio.sleep(0.005)
            meanwhile = list((await ledger.votes(("id",)))["id"])
            seen = await ledger.outcomes()
            first.execute("COMMIT")
            assert await vote
            news = await ledger.outcomes(seen.last)
        assert len(seen.rows) == 2 and len(news.rows) == 2
        return meanwhile, list((await ledger.votes(("id",)))["id"])

    meanwhile, finally_ = on(url, scene)
    assert meanwhile == ["before-1-AB", "before-1-AC"]
    assert finally_ == [*meanwhile, "slow", "quick-1-AB"]


# What two write at once -------------------------------------------------------------------------

KEPT = "INSERT INTO battle_images VALUES ('i2', now(), false, 3, 'jpg')"
TOLD = "INSERT INTO shared_battles VALUES ('battle', 'somebody', now(), 'first')"


@pytest.mark.parametrize("written", [KEPT, TOLD], ids=["an image", "a link"])
def test_what_another_writes_at_the_same_time_is_written_all_the_same(
    postgresql: Postgresql, schema: str, url: str, written: str
) -> None:
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    async def scene(ledger: SqlLedger) -> None:
        with postgresql.connect(schema) as other, postgresql.connect() as watch:
            other.execute("BEGIN")
            other.execute(written)
            images = {"i1": b"one", "i2": b"jpg", "i3": b"three"}
            working = asyncio.create_task(
                ledger.keep_images(images)
                if written == KEPT
                else ledger.share("battle", "me", "second")
            )
            while not watch.execute(blocked).fetchone()[0] and not working.done():
                await asyncio.sleep(0.005)
            assert not working.done()
            other.execute("COMMIT")
            await working
        if written == KEPT:
            assert await ledger.images(list(images)) == images
        else:
            assert await ledger.shared("battle") == ("me", "second")

    on(url, scene)


# What is acknowledged is durable ----------------------------------------------------------------


def test_a_server_that_is_killed_loses_no_acknowledged_vote_and_is_used_again_when_it_is_back(
    postgresql: Postgresql, url: str
) -> None:
    async def scene(ledger: SqlLedger) -> None:
        assert await ledger.append(ballot("before"))
        postgresql.stop("immediate")
        try:
            with pytest.raises(LedgerFault, match=r"does not answer.*then try again"):
                await ledger.append(ballot("after"))
            with pytest.raises(LedgerFault, match="does not answer"):
                await ledger.outcomes()
        finally:
            postgresql.start()
        assert list((await ledger.votes(("battle_id",)))["battle_id"]) == ["before"] * 2
        assert await ledger.append(ballot("after"))
        assert not await ledger.append(ballot("before"))

    on(url, scene)


def test_every_connection_waits_for_the_disk_and_never_forever(url: str) -> None:
    seen: set[tuple[str, ...]] = set()
    names = (
        "synchronous_commit",
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
    )

    def look(connection: Any, *_: object) -> None:
        seen.add(tuple(connection.execute(f"SHOW {name}").fetchone()[0] for name in names))
        connection.rollback()

    event.listen(Pool, "checkout", look)
    try:
        on(url, lambda ledger: ledger.append(ballot()), busy_timeout_s=3)
    finally:
        event.remove(Pool, "checkout", look)
    assert seen == {("on", "3s", "30s", "30s"), ("on", "5min", "0", "5min")}


class Line:
    """A line to the server that can be cut; it listens on a port of this machine."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.cut_after = b""
        """Once the client has sent this, the server gets it, and the client no answer."""
        self._ends: list[socket.socket] = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._ends += [client, server]
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(client):
            if self.cut_after and self.cut_after in data:
                self.cut_after = b""
                # The client hears nothing more; the server learns of it after its work is done.
                client.shutdown(socket.SHUT_RDWR)
                server.sendall(data)
                break
            with suppress(OSError):  # the line was closed meanwhile
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        while data := _received(server):
            try:
                client.sendall(data)
            except OSError:
                break

    def close(self) -> None:
        for end in self._ends:
            with closing(end), suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


@contextmanager
def line(postgresql: Postgresql) -> Iterator[Line]:
    made = Line(postgresql.socket)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(("cut_after", "there"), [(b"COMMIT\0", True), (b"INSERT INTO", False)])
def test_a_vote_whose_answer_was_lost_can_be_cast_again_and_counts_once(
    postgresql: Postgresql, schema: str, cut_after: bytes, there: bool
) -> None:
    with line(postgresql) as cable:

        async def scene(ledger: SqlLedger) -> None:
            assert await ledger.append(ballot("before"))
            cable.cut_after = cut_after
            with pytest.raises(LedgerFault, match=r"ended the connection.*cannot count twice"):
                await ledger.append(ballot())
            assert await ledger.append(ballot()) is not there
            assert await recorded(ledger, "battle") == 2

        on(postgresql.url(schema, cable.host), scene)
    assert ids(postgresql.url(schema))[2:] == ["battle-1-AB", "battle-1-AC"]


def test_an_import_whose_answer_was_lost_is_there_whole(
    postgresql: Postgresql, schema: str
) -> None:
    with line(postgresql) as cable:

        def rows() -> Iterator[VoteRow]:
            yield from ballot("one")
            yield from ballot("two")
            cable.cut_after = b"COMMIT\0"

        async def scene(ledger: SqlLedger) -> None:
            with pytest.raises(LedgerFault):
                await ledger.add(rows())

        on(postgresql.url(schema, cable.host), scene)
    append(postgresql.url(schema), *ballot("after"))
    assert len(ids(postgresql.url(schema))) == 6


def test_a_connection_that_was_cut_while_idle_is_replaced_unnoticed(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    async def scene(ledger: SqlLedger) -> None:
        await ledger.append(ballot("before"))
        with postgresql.connect() as other:
            ended = other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE application_name = 'progressive-arena'"
            ).fetchall()
        assert ended == [(True,)]
        assert await ledger.append(ballot("after"))

    on(url, scene)


# When it cannot be written ------------------------------------------------------------------------


def secretive(told: str) -> bool:
    return not any(word in told for word in ("secret", USER, "name-A", "INSERT"))


def test_a_server_that_is_away_is_told_by_host_and_database_alone(postgresql: Postgresql) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = postgresql.url("public", f"127.0.0.1:{port}")
    with pytest.raises(LedgerFault, match=f"{DATABASE} at 127.0.0.1.*See that it runs") as told:
        append(away, *ballot())
    assert secretive(str(told.value))


@pytest.mark.slow
def test_a_server_that_takes_the_call_and_says_nothing_is_given_up_in_seconds(
    postgresql: Postgresql,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        away = postgresql.url("public", f"127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(LedgerFault, match="does not answer"):
            on(away, lambda ledger: asyncio.wait_for(recorded(ledger, ""), timeout=20))


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (USER, "does not accept the user or the password.*Correct them"),
        (DATABASE, "no such database.*Create it"),
    ],
)
def test_a_user_or_a_database_that_is_not_there_is_told(
    postgresql: Postgresql, there: str, told: str
) -> None:
    url = postgresql.url("public").replace(there, "another")
    with pytest.raises(LedgerFault, match=told) as caught:
        append(url, *ballot())
    assert secretive(str(caught.value))


def in_encoding(postgresql: Postgresql, encoding: str) -> str:
    """The URL of a new database that has it."""
    name = f"in_{encoding.lower()}"
    with postgresql.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        )
    return postgresql.url("public").replace(f"/{DATABASE}", f"/{name}")


@pytest.mark.slow
def test_a_database_that_cannot_keep_every_text_is_refused_before_the_first_vote(
    postgresql: Postgresql,
) -> None:
    url = in_encoding(postgresql, "LATIN1")
    with pytest.raises(LedgerFault, match=r"not in UTF-8.*createdb --encoding UTF8"):
        on(url, recorded)
    # As doctor looks, without opening it first.
    with pytest.raises(LedgerFault, match="not in UTF-8"):
        asyncio.run(SqlLedger(url).inspect())
    serve = [sys.executable, "-m", "arena", "serve", "--port", "0"]
    environ = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(serve, cwd=ROOT, capture_output=True, env=environ, check=False)
    assert done.returncode == MISCONFIGURED, "only another setting helps"


def test_a_database_without_an_encoding_keeps_every_text_as_it_is(postgresql: Postgresql) -> None:
    url, row = in_encoding(postgresql, "SQL_ASCII"), replace(full_row(), comment="Ünï 漢字 🦜")
    append(url, row)
    (read,) = on(url, lambda ledger: ledger.votes()).to_dict("records")
    assert (read["comment"], read["conversation_a"]) == (row.comment, row.conversation_a)
    assert len(on(url, lambda ledger: ledger.outcomes()).rows) == 1


def raising(state: str) -> str:
    return (
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'no name-A for {USER}' USING ERRCODE = '{state}'; END $$; "
        "CREATE TRIGGER fail BEFORE INSERT ON votes FOR EACH ROW EXECUTE FUNCTION fail()"
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("53100", "disk is full.*Free some space"),
        ("53200", "too much to do.*Wait a moment"),
        ("40P01", "too much to do"),
        ("42501", "may not do this.*Give it the right"),
        ("XX000", "refused.*See the log"),
    ],
)
def test_what_the_server_says_is_told_in_other_words_and_the_ballot_can_be_cast_again(
    postgresql: Postgresql, schema: str, url: str, state: str, told: str
) -> None:
    async def scene(ledger: SqlLedger) -> None:
        with postgresql.connect(schema) as other:
            other.execute(raising(state))
            with pytest.raises(LedgerFault, match=told) as caught:
                await ledger.append(ballot())
            other.execute("DROP TRIGGER fail ON votes")
        assert secretive(str(caught.value))
        assert await ledger.append(ballot())

    on(url, scene)


def test_a_server_that_only_lets_itself_be_read_is_told(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    append(url, *ballot())
    read_only = postgresql.url(schema, options="-c default_transaction_read_only=on")
    assert ids(read_only) == ["battle-1-AB", "battle-1-AC"]
    with pytest.raises(LedgerFault, match=r"only lets itself be read.*Name the server"):
        append(read_only, *ballot("another"))


def test_a_ledger_that_another_program_holds_is_told_and_works_again_when_released(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    async def scene(ledger: SqlLedger) -> bool:
        with postgresql.connect(schema) as other:
            other.execute("BEGIN")
            other.execute("LOCK TABLE votes IN EXCLUSIVE MODE")
            with pytest.raises(LedgerFault, match="another program holds it"):
                await ledger.append(ballot())
            assert (await ledger.votes()).empty
            other.execute("ROLLBACK")
        return await ledger.append(ballot())

    assert on(url, scene, busy_timeout_s=0.05)


def test_a_server_that_takes_too_long_is_told_and_nothing_is_written(
    postgresql: Postgresql, schema: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(url, lambda ledger: recorded(ledger, ""))
    monkeypatch.setattr(adapter, "STATEMENT_S", 0.5)
    with postgresql.connect(schema) as other:
        other.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_sleep(60); RETURN NEW; END $$; "
            "CREATE TRIGGER dawdle BEFORE INSERT ON votes FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
    with pytest.raises(LedgerFault, match="too much to do"):
        append(url, *ballot())
    assert ids(url) == []


def test_a_text_with_nul_is_told_and_nothing_is_written(url: str) -> None:
    with pytest.raises(LedgerFault, match="cannot keep a character"):
        append(url, replace(full_row(), prompt_id="a\x00b"))
    assert ids(url) == []


@pytest.mark.parametrize(
    "address",
    [
        "me:hunter2@db",
        "me:hunter2@db/",
        "me:hunter2@/arena",
        "me:hunter2@db:port/arena",
        "me:x@hunter2@db/arena",
        "me:x@y/hunter2@db/arena",
        "me:x@db/arena?hunter2=1",
        "me:hunter2@[::1/arena",
    ],
)
def test_a_wrong_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match=r"DATABASE_URL.*user:password@host/database") as told:
        SqlLedger(f"postgresql+psycopg://{address}")
    assert "hunter2" not in str(told.value)


# The schema ---------------------------------------------------------------------------------------


def test_many_open_and_migrate_a_new_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        appended = threads.map(lambda n: append(url, *ballot(f"b{n}")), range(6))
    assert list(appended) == [True] * 6
    assert len(ids(url)) == 12


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS) + 1))
def test_a_database_of_every_schema_so_far_is_brought_up_to_date(
    postgresql: Postgresql, schema: str, url: str, version: int
) -> None:
    """When VoteRow changes, this fails until a migration brings old databases along."""
    with postgresql.connect(schema) as old:
        script = Path(__file__).parent / f"ledger_v{version}_postgresql.sql"
        old.execute(script.read_text())
    assert append(url, full_row())
    frame = on(url, lambda ledger: ledger.votes())
    assert list(frame.columns) == [f.name for f in fields(VoteRow)]


def test_a_database_of_a_newer_arena_is_refused_and_left_alone(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    append(url, *ballot())
    with postgresql.connect(schema) as other:
        other.execute("INSERT INTO schema_migrations VALUES (99, '2030-01-01 00:00:00Z')")
    with pytest.raises(ConfigError, match=r"newer arena .schema 99") as told:
        append(url, *ballot("another"))
    assert secretive(str(told.value))
    with postgresql.connect(schema) as other:
        assert other.execute("SELECT count(*) FROM votes").fetchone() == (2,)


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    with postgresql.connect(schema) as other:
        other.execute("CREATE TABLE votes (of_something_else int)")
    with pytest.raises(LedgerFault, match="the database refused"):
        append(url, *ballot())
    with postgresql.connect(schema) as other:
        tables = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'"
        assert other.execute(tables).fetchall() == [("votes",)]


def test_outcomes_can_be_read_from_the_index_alone(
    postgresql: Postgresql, schema: str, url: str
) -> None:
    append(url, *ballot())
    with postgresql.connect(schema) as other:
        other.execute("VACUUM ANALYZE votes")
        other.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        wanted = f"SELECT sequence, {', '.join(adapter.OUTCOME)} FROM votes WHERE sequence > 0"
        plan = other.execute(f"EXPLAIN {wanted}").fetchone()[0]
    assert plan.startswith("Index Only Scan using votes_outcomes")
