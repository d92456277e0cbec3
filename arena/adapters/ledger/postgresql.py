"""The ledger in a PostgreSQL database, through psycopg; for several machines and many writers.

It does not know the ledger's port, nor what the rows mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError

from arena.adapters.ledger.faults import DISK, TEXT, UNKNOWN, Reason
from arena.adapters.ledger.schema import OUTCOME, written
from arena.core.errors import ConfigError
from arena.core.ports import Condition

PATIENCE_S = 300.0
STATEMENT_S = 30.0
PIECE = 4_000_000
"""Bytes of one piece of outcomes."""

MIGRATIONS_LOCK = 0x6172656E61
"""An advisory lock; one database is taken to have one program that uses this number."""

# A server that is gone without a word is noticed within half a minute. The URL may say otherwise.
_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "progressive-arena",
}

_AWAY = Reason(
    "the database server does not answer or ended the connection. Whatever it has not confirmed "
    "may be saved or not, but cannot count twice",
    "See that it runs and can be reached",
)
_REFUSED = Reason(
    "the database server does not accept the user or the password", "Correct them in DATABASE_URL"
)
_NO_DATABASE = Reason("there is no such database on the server", "Create it")
_RIGHTS = Reason(
    "the user may not do this there", "Give it the right to read, insert and create tables"
)
_READ_ONLY = Reason(
    "the database server only lets itself be read",
    "Name the server that takes writes, or wait until this one does",
)
_ENCODING = Reason(
    "the database keeps texts in an encoding of its own, not in UTF-8, which has every character",
    "Make another one with `createdb --encoding UTF8 --locale C --template template0`, bring over "
    "what this one holds with pg_dump and pg_restore, and name that one in DATABASE_URL",
    lasting=True,
)
_GONE = Reason("its tables are gone", "Put a copy back, or start the arena anew for new ones")
_DAMAGED = Reason(
    "the database server finds what it has kept damaged",
    "See its log, stop the arena, put a sound copy in its place",
)
_TOO_LONG = "57014"
_BUSY = Reason(
    "another program holds it, or the server has too much to do",
    "Wait a moment, or end what holds the table votes",
)
# SQLSTATE, or its class, the first two characters
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_REASONS: Mapping[str, Reason] = {
    "08": _AWAY,
    "22021": TEXT,
    "22P05": TEXT,
    "25006": _READ_ONLY,
    "28": _REFUSED,
    "3D": _NO_DATABASE,
    "40": _BUSY,
    "3F": _GONE,
    "42501": _RIGHTS,
    "42P01": _GONE,
    "53": _BUSY,
    "53100": DISK,
    "55P03": _BUSY,
    _TOO_LONG: _BUSY,
    "57P": _AWAY,
    "58030": DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}


# `reset_val` is the server's own, whatever this session has set.
_PROMISES = text(
    "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby, "
    "(SELECT string_agg(name, ', ') FROM pg_settings WHERE reset_val = 'off' AND name IN "
    "('fsync', 'full_page_writes')) AS broken"
)
# All of the table, and none of its indexes.
_SCAN = """
    SET LOCAL statement_timeout = '5s'; SET LOCAL enable_indexscan = off;
    SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
    SELECT count(comment) FROM votes
"""
_SOUND = "sound"
_KEPT = (
    "votes that were acknowledged can be lost in a crash",
    "Switch it on; arena/deploy/stores/postgresql.conf has it.",
)
_STANDBY = ("this server is a standby: no vote can be kept", "Name the primary in DATABASE_URL.")


class _OtherEncoding(psycopg.DatabaseError):
    """Most votes would be kept, and those with a character that it lacks never."""


class PostgresqlDatabase:
    """As `database.Database`. `busy_timeout_s`: how long one waits for another to finish."""

    failures: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._url = _parsed(url)
        self._busy_timeout_s = busy_timeout_s
        self._found: dict[object, DBAPIError | None] = {}
        """When the server was started → what is damaged."""
        self.name = self.place = f"{self._url.database} at {_host(self._url)}"

    def engine(self, *, patient: bool = False) -> Engine:
        wait_s, statement_s, idle_s = self._busy_timeout_s, STATEMENT_S, STATEMENT_S
        if patient:
            wait_s, statement_s, idle_s = PATIENCE_S, 0.0, PATIENCE_S
        pool: dict[str, Any] = {"poolclass": NullPool} if patient else {"pool_timeout": wait_s}
        own = {name: value for name, value in _DEFAULTS.items() if name not in self._url.query}
        engine = create_engine(
            self._url,
            # What a connection has prepared is lost where a pooler stands in between. Without an
            # encoding the dialect, which asks before all others, would be answered in bytes.
            connect_args={**own, "client_encoding": "UTF8", "prepare_threshold": None},
            pool_pre_ping=not patient,
            json_serializer=written,
            hide_parameters=True,
            **pool,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: psycopg.Connection[Any], _: object) -> None:
            encoding = connection.info.parameter_status("server_encoding")
            # Without an encoding the server keeps what it gets, which is UTF-8.
            if encoding not in ("UTF8", "SQL_ASCII", None):
                raise _OtherEncoding(f"its encoding is {encoding}")
            connection.execute(
                f"SET synchronous_commit = on; SET lock_timeout = {wait_s * 1000:.0f}; "
                f"SET statement_timeout = {statement_s * 1000:.0f}; "
                # A writer whose machine is gone must not keep all others waiting.
                f"SET idle_in_transaction_session_timeout = {idle_s * 1000:.0f}"
            )
            # A setting is undone with the transaction it was made in.
            connection.commit()

        return engine

    def prepare(self) -> None:
        """Nothing to do: the database is there or is not."""

    def there(self) -> bool:
        return True

    def settle(self) -> None:
        """Nothing to do: a database is not replaced under those that are connected."""

    def moved(self) -> bool:
        return False

    def may_write(self, connection: Connection) -> None:
        """That the disk is full, the server says itself; that it finds its table damaged, only to
        whoever reads where that is. So after each of its starts the table is read once, as far as
        five seconds go."""
        if _SOUND in connection.info:
            return
        started = connection.scalar(select(func.pg_postmaster_start_time()))
        if started not in self._found:
            self._found = {started: self._scanned(connection)}
        if damage := self._found[started]:
            raise damage
        connection.info[_SOUND] = True

    def may_add(self, connection: Connection) -> None:
        """Nothing to do: the server says so itself, and takes back what it has written."""

    def tidy(self) -> None:
        """Nothing to do: the server does that."""

    def _scanned(self, connection: Connection) -> DBAPIError | None:
        try:
            with connection.begin_nested() as scan:
                connection.exec_driver_sql(_SCAN)
                scan.rollback()
        except DBAPIError as error:
            reason = self.reason(error.orig)
            if reason is _DAMAGED:
                return error
            if getattr(error.orig, "sqlstate", "") != _TOO_LONG:
                raise
        return None

    def inspect(self) -> Condition:
        engine = self.engine(patient=True)
        with engine.connect() as connection:
            told = connection.execute(_PROMISES).one()
        dangers = [_STANDBY] if told.standby else []
        if told.broken:
            lost, mend = _KEPT
            dangers.append((f"{told.broken} off: {lost}", mend))
        return Condition(f"PostgreSQL {told.version}, {self.place}", tuple(dangers))

    def doubts(self, connection: Connection) -> list[str]:  # noqa: ARG002 -- it cannot tell
        return []

    def take_turns(self, connection: Connection) -> None:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATIONS_LOCK)))

    def one_moment(self, connection: Connection) -> Connection:
        return connection.execution_options(isolation_level="REPEATABLE READ")

    def outcomes(self, connection: Connection, after: int, until: int) -> Iterator[bytes]:
        return _copied(connection, "sequence > %s AND sequence <= %s", (after, until))

    def outcomes_of(self, connection: Connection, sequences: Sequence[int]) -> Iterator[bytes]:
        return _copied(connection, "sequence = ANY(%s)", (list(sequences),))

    def reason(self, error: BaseException | None) -> Reason:
        if isinstance(error, _OtherEncoding):
            return _ENCODING
        state = getattr(error, "sqlstate", None) or ""
        for known in (state, state[:3], state[:2]):
            if known in _REASONS:
                return _REASONS[known]
        if isinstance(error, psycopg.OperationalError) and not state:
            return _unconnected(str(error))
        # psycopg itself refuses NUL in a text, before the server sees it.
        return TEXT if isinstance(error, psycopg.DataError) and not state else UNKNOWN


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        # Raises for parameters that psycopg does not know.
        parameters: dict[str, Any] = dict(parsed.query)
        make_conninfo("", **parameters)
        shown = f"{_host(parsed)}{parsed.database or ''}"
        if not (_host(parsed) and parsed.database) or "@" in shown:
            raise ValueError
    except (ArgumentError, ValueError, TypeError, psycopg.Error):
        # Whatever the error says may hold the password.
        raise ConfigError(
            "DATABASE_URL has a wrong value. Allowed is postgresql+psycopg://user:password@host/"
            "database, with characters like @ and / in the password as %40 and %2F."
        ) from None
    return parsed


def _host(url: URL) -> str:
    hosts = url.host or url.query.get("host", "")
    return hosts if isinstance(hosts, str) else ", ".join(hosts)


def _copied(connection: Connection, where: str, values: Sequence[Any]) -> Iterator[bytes]:
    rows = f"SELECT sequence, {', '.join(OUTCOME)} FROM votes WHERE {where}"  # noqa: S608 -- all of it is ours
    wanted = f"COPY ({rows}) TO STDOUT (FORMAT csv)"
    driver: Any = connection.connection.driver_connection
    piece = bytearray()
    with driver.cursor() as cursor, cursor.copy(wanted, values) as copy:
        for line in copy:
            piece += line
            if len(piece) > PIECE:
                yield bytes(piece)
                piece.clear()
    if piece:
        yield bytes(piece)


def _unconnected(message: str) -> Reason:
    """When no connection comes about, psycopg has the server's words but not its code."""
    for words, reason in (
        ("authentication failed", _REFUSED),
        ("no pg_hba.conf entry", _REFUSED),
        ("no password supplied", _REFUSED),
        ('FATAL:  role "', _REFUSED),
        ('FATAL:  database "', _NO_DATABASE),
        ("too many clients", _BUSY),
        ("remaining connection slots", _BUSY),
    ):
        if words in message:
            return reason
    return _AWAY
