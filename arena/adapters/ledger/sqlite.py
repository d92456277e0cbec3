"""The ledger in an SQLite file, in WAL mode; several processes may share it.

It does not know the ledger's port, nor what the rows mean.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from shutil import disk_usage
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from arena.adapters.ledger.faults import DISK, UNKNOWN, Reason
from arena.adapters.ledger.migrations import MIGRATIONS
from arena.adapters.ledger.schema import OUTCOME_LINE, written
from arena.core.errors import ConfigError, NotThere
from arena.core.ports import Condition

PREFIX = "sqlite:///"
PATIENCE_S = 300.0
PAGE = 16_384
CACHE_KIB = 512
"""Of a connection, of which there are several: a fourth of the usual, and votes are written as
quickly, as the system keeps what was read."""
POOL: Mapping[str, Any] = {"pool_size": 2, "max_overflow": 13, "pool_use_lifo": True}
"""Each connection keeps a cache: those that are needed for a moment are closed again, which even at
150 battles at once is one each two seconds. Their files SQLite keeps for the next ones."""
AHEAD = 1000 * PAGE
"""Bytes that the file ahead of the ledger keeps once they are in it: as many as SQLite waits for."""
AT_EASE_S = 1.0
PIECE = 50_000
"""Rows of one piece of outcomes: some megabytes."""

_READ_ONLY = Reason(
    "the file or its folder cannot be written",
    "Give the account that runs the arena the right to write there",
)
_GONE = Reason(
    "its file is gone", "Put the file back, or start the arena anew for one without votes"
)
_FOLDER = Reason(
    "its place is a folder, which cannot be written as a file", "Name a file in DATABASE_URL"
)
_REPLACED = Reason("another file has taken its place", "Wait a moment, until that one is open")
_BUSY = Reason(
    "another program holds it", "Close what has the file open (a database browser, a backup)"
)
_DAMAGED = Reason(
    "the file is damaged or is no SQLite database",
    "Stop the arena, move the file away, put a sound copy in its place",
)
# SQLite's primary result codes (https://www.sqlite.org/rescode.html).
_REASONS: Mapping[int, Reason] = {
    sqlite3.SQLITE_FULL: DISK,
    sqlite3.SQLITE_IOERR: DISK,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}

_FILE = "file"
_Identity = tuple[tuple[int, int] | None, ...]

LEAST_ROOM = 256 * 1024
"""Bytes that have to be free for a vote: what is written of a large one."""


class _Refused(sqlite3.OperationalError):
    """What SQLite itself would not notice, as one of its errors."""

    def __init__(self, code: int) -> None:
        super().__init__("the file at its place is another one, or there is no room for a vote")
        self.sqlite_errorcode = code


# The index holds the line; asked for by name, as the planner would rather walk through the table.
_LINES = f"SELECT sequence, {OUTCOME_LINE} AS line FROM votes INDEXED BY votes_outcomes"  # noqa: S608 -- names of our columns
_JOINED = "SELECT max(sequence), CAST(group_concat(line, char(10)) AS BLOB)"


_NUMBERS = (
    "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'votes'), 0), max("
    "coalesce((SELECT max(sequence) FROM votes), 0), "
    "coalesce((SELECT max(sequence) FROM vote_chain), 0))"
)


class SqliteDatabase:
    """As `database.Database`. `busy_timeout_s`: how long one waits for another to finish."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._path = _file(url)
        self._busy_timeout_s = busy_timeout_s
        self._known: _Identity | None = None
        self._unmade = False
        """Whether there was none, and none could be made."""
        self.name = self._path.name
        self.place = str(self._path)

    def engine(self, *, patient: bool = False) -> Engine:
        wait_s = PATIENCE_S if patient else self._busy_timeout_s
        options: Mapping[str, Any] = {"poolclass": NullPool} if patient else POOL
        engine = create_engine(
            # Never a new file in the place of one that was moved away.
            URL.create(
                "sqlite",
                database=self._path.absolute().as_uri(),
                query={"mode": "rw", "uri": "true"},
            ),
            connect_args={"timeout": wait_s},
            json_serializer=written,
            hide_parameters=True,
            **options,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
            # Of a new file: an index that lies scattered over a disk is read in a third of the
            # time with pages four times as large as usual.
            connection.execute(f"PRAGMA page_size = {PAGE}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA journal_size_limit = {AHEAD}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _write_ahead(connection, wait_s)
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # Makes what is ahead.
            record.info[_FILE] = _identity(self._path)

        @event.listens_for(engine, "checkout")
        def _check(connection: sqlite3.Connection, record: ConnectionPoolEntry, _: object) -> None:
            if record.info[_FILE] != _identity(self._path):
                self._part(connection, record.info[_FILE])
                raise InvalidatePoolError

        @event.listens_for(engine, "commit")
        def _commit(connection: Connection) -> None:
            if connection.info[_FILE] != _identity(self._path):
                raise _Refused(sqlite3.SQLITE_CANTOPEN)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # The driver opens none before DDL. A writer takes the lock at once: one that has read
            # first cannot wait for another.
            writing = connection.get_execution_options().get("writing")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

        return engine

    def _part(self, connection: sqlite3.Connection, before: _Identity) -> None:
        """What still stands beside the place goes into the file that it belongs to. With another
        file there it goes away: SQLite would cut it off under whoever has it mapped."""
        busy = 1
        with suppress(sqlite3.Error):
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        now = _identity(self._path)
        if now[0] in (None, before[0]):
            return
        for file, was, there in zip(_files(self._path), before, now, strict=True):
            if was == there and not (busy and file.name.endswith("-wal")):
                file.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Create the folder, and the file where there is none: for its owner alone, as the arena's
        key is in it. What SQLite keeps beside it is like it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                self._path.touch(0o600, exist_ok=False)
            self._unmade = not self._path.exists()
        except OSError as error:
            raise NotThere(
                f"DATABASE_URL: the folder {self._path.parent} cannot be created "
                f"({error.strerror}). Name a file in a folder that can be written."
            ) from error

    def there(self) -> bool:
        return self._path.exists()

    def settle(self) -> None:
        self._known = _identity(self._path)

    def moved(self) -> bool:
        return self._known is not None and self._known != _identity(self._path)

    def may_write(self, connection: Connection) -> None:  # noqa: ARG002 -- the file is asked
        with suppress(OSError):
            if disk_usage(self._path.parent).free < LEAST_ROOM:
                raise _Refused(sqlite3.SQLITE_FULL)

    def may_add(self, connection: Connection) -> None:
        """What is added stands ahead of the file at first, and then in both, with its indexes."""
        pages = connection.exec_driver_sql("PRAGMA temp.page_count").scalar_one()
        size = connection.exec_driver_sql("PRAGMA temp.page_size").scalar_one()
        with suppress(OSError):
            if disk_usage(self._path.parent).free < 3 * pages * size + LEAST_ROOM:
                raise _Refused(sqlite3.SQLITE_FULL)

    def tidy(self) -> None:
        """What is written ahead of the file goes into it, and the file ahead is empty. Whoever
        votes waits for that no longer than for another vote."""
        with suppress(sqlite3.Error), closing(self._opened("rw", AT_EASE_S)) as own:
            own.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _opened(self, mode: str, timeout_s: float) -> sqlite3.Connection:
        """Never a new file in the place of one that was moved away."""
        address = f"{self._path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, timeout=timeout_s)

    def inspect(self) -> Condition:
        if not self._path.exists():
            return Condition(f"{self._path} will be created at the first start")
        with closing(self._opened("ro", self._busy_timeout_s)) as there:
            (verdict,) = there.execute("PRAGMA quick_check(1)").fetchone()
            (schema,) = there.execute("SELECT max(version) FROM schema_migrations").fetchone()
            (votes,) = there.execute("SELECT count(*) FROM votes").fetchone()
        what = f"{self._path}: schema {schema}, {votes} votes"
        if verdict != "ok":
            mend = "Stop the arena, keep the file, put a sound copy in its place."
            return Condition(what, ((f"{self._path} is damaged ({verdict})", mend),))
        if schema > len(MIGRATIONS):
            mend = "Start that arena, or name another file in DATABASE_URL."
            return Condition(what, ((f"{self._path} was written by a newer arena", mend),))
        return Condition(what)

    def doubts(self, connection: Connection) -> list[str]:
        told = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
        faults = [fault for fault in told if fault != "ok"]
        # A number is given once, and given back only by what was never committed.
        given, last = connection.exec_driver_sql(_NUMBERS).one()
        if given > last:
            faults.append(f"votes {last + 1} to {given} are missing")
        return faults

    def take_turns(self, connection: Connection) -> None:
        """Nothing to do: a writer has the file for itself from the beginning."""

    def one_moment(self, connection: Connection) -> Connection:
        return connection

    def outcomes(self, connection: Connection, after: int, until: int) -> Iterator[bytes]:
        wanted = (
            f"{_JOINED} FROM ({_LINES} WHERE sequence > ? AND sequence <= ? "
            f"ORDER BY sequence LIMIT {PIECE})"
        )
        while True:
            row = connection.exec_driver_sql(wanted, (after, until)).one()
            if row[0] is None:
                return
            after = row[0]
            yield row[1]

    def outcomes_of(self, connection: Connection, sequences: Sequence[int]) -> Iterator[bytes]:
        wanted = f"{_JOINED} FROM ({_LINES} WHERE sequence IN (SELECT value FROM json_each(?)))"  # noqa: S608 -- names of our columns
        for start in range(0, len(sequences), PIECE):
            some = json.dumps(sequences[start : start + PIECE])
            yield connection.exec_driver_sql(wanted, (some,)).one()[1]

    def reason(self, error: BaseException | None) -> Reason:
        # Extended codes carry the primary one in their low byte.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN and not self._path.exists():
            return _READ_ONLY if self._unmade else _GONE
        if self._path.is_dir():
            return _FOLDER
        if code == sqlite3.SQLITE_CANTOPEN and isinstance(error, _Refused):
            return _REPLACED
        return _REASONS.get(code, UNKNOWN)


def _file(url: str) -> Path:
    """The path in the URL."""
    file = url.removeprefix(PREFIX)
    if not file or file.startswith((":memory:", "file:")):
        raise ConfigError(
            "DATABASE_URL names no file. Allowed is sqlite:///folder/arena.db, or "
            "sqlite:////absolute/folder/arena.db with four slashes."
        )
    return Path(file)


def _identity(path: Path) -> _Identity:
    """Of the file that is there now, and of what stands beside it."""
    return tuple(map(_of_file, _files(path)))


def _files(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}{end}") for end in ("", "-wal", "-shm"))


def _of_file(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


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
