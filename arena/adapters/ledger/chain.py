"""The chain of votes: each row has a digest of itself and of the digest before it, so that a row
that was changed, taken out or put in is found, and where.

It does not know who did it. Whoever may write the whole database can make the chain anew as well;
only a head that was published elsewhere holds against that.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    insert,
    select,
    type_coerce,
)
from sqlalchemy.types import NullType

from arena.adapters.ledger.schema import CHAIN, DTYPES, VOTES, UtcTime

AT_ONCE = 500
"""Rows that are read, or written, together."""

_INSERTED, _LINKED = insert(VOTES), insert(CHAIN)
_LAST = select(CHAIN.c.sequence, CHAIN.c.digest).order_by(CHAIN.c.sequence.desc()).limit(1)
_COLUMNS = [VOTES.c[name] for name in DTYPES]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?")
_TRUTHS = {0: False, 1: True}


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Votes, with their links."""
    connection.execute(_INSERTED, rows)
    written = _written(connection.dialect.name, len(rows))
    ids = {f"id_{number}": row["id"] for number, row in enumerate(rows)}
    _link(connection, lambda last: connection.execute(written, {"last": last, **ids}).all(), _next)


def extend(connection: Connection) -> None:
    """Link all rows that are not linked yet."""
    _link(connection, lambda last: rows_of(connection, VOTES.c.sequence > last), _next)


def extend_by(connection: Connection, prepared: Table) -> None:
    """Link the rows, written after all others, of which this table has an `id` and what is `said`."""
    rows = select(VOTES.c.sequence, prepared.c.said).join(prepared, prepared.c.id == VOTES.c.id)
    following: Select[Any] = rows.where(VOTES.c.sequence > bindparam("last"))
    following = following.order_by(VOTES.c.sequence).limit(AT_ONCE)

    def digest(before: str, row: Row[Any]) -> str:
        return _digest(f'["{before}", {row.sequence}, {row.said}')

    _link(connection, lambda last: connection.execute(following, {"last": last}).all(), digest)


def _link(
    connection: Connection,
    following: Callable[[int], Sequence[Row[Any]]],
    digested: Callable[[str, Row[Any]], str],
) -> None:
    """following: the next rows, at most AT_ONCE, after the one with this number. digested: the
    digest of a row, after the one before it."""
    after, digest = end(connection)
    while True:
        rows, links = following(after), []
        for row in rows:
            after = row[0]
            digest = digested(digest, row)
            links.append({"sequence": after, "columns": len(_COLUMNS), "digest": digest})
        if links:
            connection.execute(_LINKED, links)
        if len(rows) < AT_ONCE:
            return


def end(connection: Connection, last: Select[Any] = _LAST) -> tuple[int, str]:
    """The number and the digest of the last vote, or of what else is linked."""
    found = connection.execute(last).first()
    return (found[0], found[1]) if found else (0, "")


def stored(dialect: str, columns: Sequence[Column[Any]]) -> list[ColumnElement[Any]]:
    """Columns as the database has them: what is read of it may be written in more ways than one."""
    parsed = dialect == "postgresql"
    return [
        cast(column, Text)
        if parsed and isinstance(column.type, JSON)
        else type_coerce(column, NullType())
        for column in columns
    ]


def meant(columns: Sequence[Column[Any]], values: Sequence[Any]) -> Iterator[Any]:
    """What is stored, as it was when it was written; what no arena writes stays as it is."""
    for column, value in zip(columns, values, strict=False):
        if isinstance(column.type, Boolean):
            yield _TRUTHS.get(value, value)
        elif isinstance(column.type, UtcTime):
            yield _moment(value)
        else:
            yield value


def _moment(value: Any) -> Any:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def rows_of(connection: Connection, *wanted: ColumnElement[bool]) -> Sequence[Row[Any]]:
    return connection.execute(_chosen(connection.dialect.name, *wanted)).all()


def _chosen(dialect: str, *wanted: ColumnElement[bool]) -> Select[Any]:
    return _all(dialect).where(*wanted).order_by(VOTES.c.sequence).limit(AT_ONCE)


@cache
def _all(dialect: str) -> Select[Any]:
    return select(VOTES.c.sequence, *stored(dialect, _COLUMNS))


@lru_cache(maxsize=64)
def _written(dialect: str, rows: int) -> Select[Any]:
    """Made once for each number of rows: to find out what a statement of so many columns is, and to
    put a list into it, takes as long as to run it."""
    ids = VOTES.c.id.in_([bindparam(f"id_{number}") for number in range(rows)])
    return _chosen(dialect, ids, VOTES.c.sequence > bindparam("last"))


def digest_of_row(before: str, row: Row[Any] | None, columns: Any) -> str:
    """Of the first so many columns: others came later."""
    if row is None or columns not in range(1, len(_COLUMNS) + 1):
        return ""
    return digest_of(before, row[0], *meant(_COLUMNS[:columns], row[1:]))


def _next(before: str, row: Row[Any]) -> str:
    return digest_of_row(before, row, len(_COLUMNS))


def said(values: Sequence[Any]) -> str:
    """What the digest of a row says of it, after the digest before it and its number."""
    return json.dumps([*meant(_COLUMNS, values)], default=_said)[1:]


def digest_of(*values: Any) -> str:
    return _digest(json.dumps(values, default=_said))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else {"bytes": bytes(value).hex()}
