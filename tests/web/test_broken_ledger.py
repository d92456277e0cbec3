"""A ledger that breaks under an arena that runs, in each way and of each kind: probes say so, votes
and battles are refused with the reason, and once it is mended all goes on by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from arena.adapters.ledger import sql
from arena.adapters.ledger import sqlite as adapter
from tests.playing import Table
from tests.postgresql import USER, Postgresql
from tests.web.calling import A, called, opened, problem, voting

Broken = Callable[[Path], AbstractContextManager[object]]
NEWER = "INSERT INTO schema_migrations (version, applied_at) VALUES (99, '2026-01-01 00:00:00')"
NO_NEWER = "DELETE FROM schema_migrations WHERE version = 99"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out is found out anew by the next who asks."""
    monkeypatch.setattr(sql, "FRESH_S", 0.0)


def broken(
    folder: Path, database: str, said: str, meanwhile: Callable[[], AbstractContextManager[object]]
) -> None:
    """Play a battle in an arena on this database, whose ledger is broken between two votes."""

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ballot = (await voting(client, path))["ballot"]
        vote = {"round": 1, "judgement": "drop", "seat": "C", "ballot": ballot}
        with meanwhile():
            for call, told in (
                (client.get("/readyz"), said),
                (client.post(f"{A}/battles", json={"prompt": "Why?"}), "ledger cannot be used"),
                (client.post(f"{path}/votes", json=vote), "ledger cannot be used"),
                (client.get("/readyz"), said),
            ):
                status, detail = problem(await call)
                assert status == 503 and told in detail, detail
            assert (await client.get(f"{A}/status")).json()["ready"] is False
        async with asyncio.timeout(30):
            while not (await client.get("/readyz")).is_success:
                await asyncio.sleep(0.05)
        cast = await client.post(f"{path}/votes", json=vote)
        assert cast.is_success, cast.text
        kept = await at.ledger.votes(("battle_id", "round"))
        assert list(zip(*kept.to_numpy().T, strict=True))[-2:] == [(path.rsplit("/")[-1], 1)] * 2
        assert (await at.ledger.verify()).faults == ()

    called(folder, scene, database=database)


# SQLite -------------------------------------------------------------------------------------------


def said_to(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as there, there:
        for statement in statements:
            there.execute(statement)


@contextmanager
def instead(file: Path, content: bytes) -> Iterator[None]:
    """Another file at its place."""
    kept = file.with_name("kept.db")
    file.rename(kept)
    file.write_bytes(content)
    yield
    kept.rename(file)


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    """The same file with other bytes in it."""
    said_to(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    sound = file.read_bytes()
    with file.open("r+b") as there:
        there.write(b"\xff" * len(sound))
    yield
    file.with_name("sound.db").write_bytes(sound)
    file.with_name("sound.db").rename(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(_: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "LEAST_ROOM", 2**62)
        yield


@contextmanager
def newer(file: Path) -> Iterator[None]:
    said_to(file, NEWER)
    yield
    said_to(file, NO_NEWER)


@contextmanager
def gone(file: Path) -> Iterator[None]:
    file.rename(file.with_name("kept.db"))
    yield
    file.with_name("kept.db").rename(file)


def read_only(file: Path) -> AbstractContextManager[None]:
    """By its header, as no file mode would stop root."""
    said_to(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[18] = 3
    return instead(file, bytes(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        (damaged, "damaged"),
        (lambda file: instead(file, b"a diary, no database\n" * 400), "damaged"),
        (locked, "another program"),
        (full, "disk is full"),
        (newer, "newer arena"),
        (gone, "its file is gone"),
        (read_only, "cannot be written"),
    ],
    ids=["damaged", "diary", "locked", "full", "newer", "gone", "read-only"],
)
def test_a_file_that_breaks_is_told_and_used_again_when_it_is_mended(
    tmp_path: Path, how: Broken, said: str
) -> None:
    file = tmp_path / "arena.db"
    broken(tmp_path, f"sqlite:///{file}", said, lambda: how(file))


# PostgreSQL ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """What breaks: a schema of a server."""

    server: Postgresql
    schema: str

    def told(self, *statements: str) -> None:
        with self.server.connect(self.schema) as other:
            for statement in statements:
                other.execute(statement)


@contextmanager
def changed(at: Server, there: str, back: str) -> Iterator[None]:
    at.told(there)
    yield
    at.told(back)


@contextmanager
def held(at: Server) -> Iterator[None]:
    with at.server.connect(at.schema) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE votes IN EXCLUSIVE MODE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def away(at: Server) -> Iterator[None]:
    at.server.stop("immediate")
    yield
    at.server.start()


def fails(state: str) -> Callable[[Server], AbstractContextManager[None]]:
    """The server says that, whatever is written into the table."""
    there = (
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'it fails' USING ERRCODE = '{state}'; END $$; "
        "CREATE TRIGGER fail BEFORE INSERT ON votes EXECUTE FUNCTION fail()"
    )
    return lambda at: changed(at, there, "DROP TRIGGER fail ON votes; DROP FUNCTION fail")


@contextmanager
def only_read(at: Server) -> Iterator[None]:
    """As after a change of primaries: the sessions that there were have ended."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
    ended += f"AND usename = '{USER}'"
    at.told(f"ALTER ROLE {USER} SET default_transaction_read_only = on", ended)
    yield
    off = "SET default_transaction_read_only = off"
    at.told(off, f"ALTER ROLE {USER} RESET default_transaction_read_only", ended)


INDEXES = "SELECT pg_relation_filepath(indexrelid) FROM pg_index WHERE indrelid = 'votes'::regclass"
ROWS = "SELECT pg_relation_filepath('votes')"


@contextmanager
def torn(at: Server, asked: str) -> Iterator[None]:
    """The first page of these files has other bytes on the disk."""
    with at.server.connect(at.schema) as other:
        paths = [at.server.folder / "data" / row[0] for row in other.execute(asked).fetchall()]
    at.server.stop()
    sound = {path: path.read_bytes() for path in paths}
    for path in paths:
        with path.open("r+b") as there:
            there.write(b"\xff" * 8192)
    at.server.start()
    yield
    at.server.stop("immediate")
    for path, content in sound.items():
        path.write_bytes(content)
    at.server.start()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "said"),
    [
        (away, "does not answer"),
        pytest.param(lambda at: torn(at, INDEXES), "damaged", marks=pytest.mark.slow),
        pytest.param(lambda at: torn(at, ROWS), "damaged", marks=pytest.mark.slow),
        (held, "another program holds it"),
        (only_read, "only lets itself be read"),
        (lambda at: changed(at, NEWER, NO_NEWER), "newer arena"),
        (
            lambda at: changed(
                at, "ALTER TABLE votes RENAME TO kept", "ALTER TABLE kept RENAME TO votes"
            ),
            "its tables are gone",
        ),
        (fails("53100"), "disk is full"),
        (fails("XX001"), "damaged"),
    ],
    ids=["away", "torn", "torn-rows", "held", "read-only", "newer", "gone", "full", "damaged"],
)
def test_a_database_that_breaks_is_told_and_used_again_when_it_is_mended(
    tmp_path: Path,
    postgresql: Postgresql,
    how: Callable[[Server], AbstractContextManager[None]],
    said: str,
) -> None:
    at = Server(postgresql, postgresql.new_schema())
    broken(tmp_path, postgresql.url(at.schema), said, lambda: how(at))
