"""The ledger of votes in a SQL database, append-only: `core.ports.Ledger` over SQLAlchemy Core.

The table is derived from `core.record.VoteRow`, so the two cannot differ. Today the database is
SQLite; only what is marked so speaks SQLite. It does not know how a row comes about, nor what
is computed from it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pandas as pd
from sqlalchemy import (
    DDL, JSON, URL, Boolean, Column, Connection, DateTime, Dialect, Double, Engine, Integer,
    MetaData, Table, Text, TypeDecorator, UniqueConstraint, create_engine, event, func, insert,
    select, union_all,
)  # fmt: skip
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeEngine

from arena.core.ports import ConfigError, LedgerFault
from arena.core.record import VoteRow

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class UtcTime(TypeDecorator[datetime]):
    """Aware datetimes, kept in UTC also where the database keeps no zone. Refuses naive ones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.utcoffset() is None:
            raise ValueError("a time in the ledger must carry its time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


# Type of a field of VoteRow → type of the column, dtype of the DataFrame.
_KINDS: Mapping[type, tuple[TypeEngine[Any], str]] = {
    str: (Text(), "str"),
    bool: (Boolean(), "bool"),
    int: (Integer(), "int64"),
    float: (Double(), "float64"),
    datetime: (UtcTime(), "datetime64[us, UTC]"),
    list: (JSON(), "object"),
    dict: (JSON(), "object"),
}


def _columns() -> tuple[list[Column[Any]], dict[str, str]]:
    """The columns of VoteRow in its order, and the dtype of each."""
    columns, dtypes = [], {}
    hints = get_type_hints(VoteRow)
    for name in (field.name for field in fields(VoteRow)):
        optional = NoneType in get_args(hints[name])
        kind = get_args(hints[name])[0] if optional else hints[name]
        sql, dtype = _KINDS[get_origin(kind) or kind]
        columns.append(Column(name, sql, nullable=optional, unique=name == "id"))
        dtypes[name] = "Int64" if optional and kind is int else dtype
    return columns, dtypes


_SCHEMA = MetaData()
_FIELDS, DTYPES = _columns()

VOTES = Table(
    "votes",
    _SCHEMA,
    Column("sequence", Integer, primary_key=True, comment="the order of writing"),
    *_FIELDS,
    UniqueConstraint("battle_id", "round", "supersedes", "seat_a", "seat_b"),
    sqlite_autoincrement=True,
)
APPLIED = Table(
    "schema_migrations",
    _SCHEMA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", UtcTime, nullable=False),
)

# REPLACE deletes without asking the DELETE trigger, hence the third one.
_APPEND_ONLY = (
    "CREATE TRIGGER votes_are_never_updated BEFORE UPDATE ON votes "
    "BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END",
    "CREATE TRIGGER votes_are_never_deleted BEFORE DELETE ON votes "
    "BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END",
    "CREATE TRIGGER votes_are_never_replaced BEFORE INSERT ON votes WHEN EXISTS ("
    "SELECT 1 FROM votes WHERE sequence = NEW.sequence OR id = NEW.id OR (battle_id = "
    "NEW.battle_id AND round = NEW.round AND supersedes = NEW.supersedes "
    "AND seat_a = NEW.seat_a AND seat_b = NEW.seat_b)) "
    "BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END",
)


def _first(connection: Connection) -> None:
    VOTES.create(connection)
    for statement in _APPEND_ONLY:
        connection.execute(DDL(statement).execute_if(dialect="sqlite"))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first,)
"""Applied in order, number n makes schema version n. As the first creates the table as VoteRow
is today, a later one must pass over what a new database has already."""

_DISK = (
    "the disk is full or fails",
    "Free some space where the ledger is kept",
)
_READ_ONLY = (
    "the file or its folder cannot be written",
    "Give the account that runs the arena the right to write there",
)
_BUSY = (
    "another program holds it",
    "Close what has the file open (a database browser, a backup)",
)
_DAMAGED = (
    "the file is damaged or is no SQLite database",
    "Stop the arena, move the file away, put a sound copy in its place",
)
_UNKNOWN = (
    "the database refused",
    "See the log of the arena for its reason",
)
# SQLite's primary result codes (https://www.sqlite.org/rescode.html) → what happened, what to do.
_REASONS: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: _DISK,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


class SqlLedger:
    """Votes in the SQLite file of `url`, for example sqlite:////srv/arena/arena.db.

    Call `open` before anything else. All calls may run at once, and several processes may share
    a file; `busy_timeout_s` is how long one waits for another to finish writing."""

    def __init__(self, url: str, *, busy_timeout_s: float = 10.0) -> None:
        self._path = _sqlite_file(url)
        self._engine = _sqlite_engine(self._path, busy_timeout_s)

    async def open(self) -> None:
        """Create or migrate the database. Raises `ConfigError` where the folder cannot be
        created or the file is of a newer arena, `LedgerFault` where the file cannot be used."""
        try:
            await asyncio.to_thread(self._path.parent.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"DATABASE_URL: the folder {self._path.parent} cannot be created "
                f"({error.strerror}). Name a file in a folder that can be written."
            ) from error
        await self._do(self._migrate, writing=True)

    async def close(self) -> None:
        await asyncio.to_thread(self._engine.dispose)

    async def append(self, rows: Sequence[VoteRow]) -> bool:
        """As `core.ports.Ledger.append`. rows: at least one, all of one ballot. False also
        where another ballot settled this round, or superseded the same one, before."""
        ballot = rows[0]
        values = [{name: getattr(row, name) for name in DTYPES} for row in rows]
        settled = select(VOTES.c.id).where(
            VOTES.c.battle_id == ballot.battle_id,
            VOTES.c.round == ballot.round,
            VOTES.c.supersedes == ballot.supersedes,
        )
        try:
            await self._do(lambda db: db.execute(insert(VOTES), values), writing=True)
        except IntegrityError as error:
            if await self._do(lambda db: db.scalar(settled.limit(1))):
                return False
            raise self._fault(error) from error
        return True

    async def votes(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """As `core.ports.Ledger.votes`; dtypes are `DTYPES`, lists and dicts come decoded."""
        dtypes = {name: DTYPES[name] for name in columns or DTYPES}
        wanted = select(*(VOTES.c[name] for name in dtypes)).order_by(VOTES.c.sequence)
        rows = await self._do(lambda db: db.execute(wanted).all())
        return await asyncio.to_thread(
            lambda: pd.DataFrame.from_records(rows, columns=list(dtypes)).astype(dtypes)
        )

    async def count_by_contender(self) -> dict[str, int]:
        """Contender name → pairs judged so far that are ranked: not superseded, not excluded."""
        undone = select(VOTES.c.supersedes).where(VOTES.c.supersedes != "")
        sides = union_all(
            *(
                select(side.label("name")).where(
                    VOTES.c.ballot_id.not_in(undone), VOTES.c.excluded_reason == ""
                )
                for side in (VOTES.c.model_a, VOTES.c.model_b)
            )
        ).subquery()
        counts = select(sides.c.name, func.count()).group_by(sides.c.name)
        return {name: n for name, n in await self._do(lambda db: db.execute(counts).all())}

    async def of_battle(self, battle_id: str) -> int:
        """How many rows the battle has."""
        count = select(func.count()).where(VOTES.c.battle_id == battle_id)
        return await self._do(lambda db: db.scalar(count)) or 0

    async def _do(self, work: Callable[[Connection], Result], *, writing: bool = False) -> Result:
        """Run `work` in a transaction, in a worker thread; committed when this returns."""
        engine = self._engine.execution_options(writing=writing)

        def transact() -> Result:
            with engine.begin() as connection:
                return work(connection)

        try:
            return await asyncio.to_thread(transact)
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout) as error:
            raise self._fault(error) from error

    def _migrate(self, connection: Connection) -> None:
        APPLIED.create(connection, checkfirst=True)
        version = connection.scalar(select(func.max(APPLIED.c.version))) or 0
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"DATABASE_URL: {self._path} was written by a newer arena (schema {version}, "
                f"this one knows {len(MIGRATIONS)}). Start that arena, or name another file."
            )
        for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
            migration(connection)
            applied = {"version": number, "applied_at": datetime.now(UTC)}
            connection.execute(insert(APPLIED), applied)

    def _fault(self, error: DBAPIError | PoolTimeout) -> LedgerFault:
        reason = error.orig if isinstance(error, DBAPIError) else error
        log.error("The ledger %s cannot be used: %s", self._path, reason)
        if isinstance(error, PoolTimeout):
            happened, todo = _BUSY
        else:
            # Extended codes carry the primary one in their low byte.
            code = getattr(reason, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            happened, todo = _REASONS.get(code, _UNKNOWN)
        return LedgerFault(
            f"The ledger {self._path.name} cannot be used: {happened}. Nothing was "
            f"written. {todo}, then try again."
        )


def _sqlite_file(url: str) -> Path:
    """The path in the URL. Raises `ConfigError`, which never repeats what may hold a password."""
    prefix = "sqlite:///"
    file = url.removeprefix(prefix)
    if not url.startswith(prefix) or not file or file.startswith((":memory:", "file:")):
        raise ConfigError(
            "DATABASE_URL has a wrong value. Allowed is sqlite:///folder/arena.db, "
            "or sqlite:////absolute/folder/arena.db with four slashes."
        )
    return Path(file)


def _sqlite_engine(path: Path, busy_timeout_s: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _write_ahead(connection, busy_timeout_s)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The driver opens none before DDL. A writer takes the lock at once: one that has read
        # first cannot wait for another.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL. When two make a new file at once, SQLite fails here without waiting."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
