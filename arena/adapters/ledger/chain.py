"""The chain of votes: each row has a digest of itself and of the digest before it, so that a row
that was changed, taken out or put in is found, and where.

It does not know who did it. Whoever may write the whole database can make the chain anew as well;
only a head that was published elsewhere holds against that.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, cast, func, insert, select, true
from sqlalchemy.exc import DBAPIError

from arena.adapters.ledger.schema import CHAIN, DTYPES, VOTES
from arena.core.battle.record import KINDS
from arena.core.ports import Verified

AT_ONCE = 500
MOST = 20
"""Faults that are told; the others are counted."""

_COLUMNS = [
    # As the database has it: what is read of it may be written in more ways than one.
    cast(VOTES.c[name], Text) if KINDS[name][0] in (list, dict) else VOTES.c[name]
    for name in DTYPES
]


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Votes, with their links."""
    connection.execute(insert(VOTES), rows)
    extend(connection, VOTES.c.id.in_([row["id"] for row in rows]))


def extend(connection: Connection, *wanted: ColumnElement[bool]) -> None:
    """Link these rows, which this transaction has written after all others."""
    after, digest = end(connection)
    while rows := _rows(connection, *wanted, VOTES.c.sequence > after):
        links = []
        for row in rows:
            after = row[0]
            digest = _digest(digest, row, len(_COLUMNS))
            links.append({"sequence": after, "columns": len(_COLUMNS), "digest": digest})
        connection.execute(insert(CHAIN), links)


def verify(connection: Connection, head: str = "") -> Verified:
    """head: one that was told before, to be found again."""
    faults: list[str] = []
    votes, after, digest = 0, 0, ""
    while True:
        wanted = select(CHAIN).where(CHAIN.c.sequence > after).order_by(CHAIN.c.sequence)
        links = connection.execute(wanted.limit(AT_ONCE)).all()
        until = links[-1].sequence if links else None
        rows = _readable(connection, after, until)
        votes += len(rows)
        known = {link.sequence for link in links}
        faults += [f"vote {number} was put in" for number in rows if number not in known]
        for link in links:
            if link.sequence not in rows:
                faults.append(f"vote {link.sequence} is missing")
            elif _digest(digest, rows[link.sequence], link.columns) != link.digest:
                gone = "" if link.sequence == after + 1 else ", or one before it is missing"
                faults.append(f"vote {link.sequence} was changed{gone}")
            after, digest = link.sequence, link.digest
        if until is None and len(rows) < AT_ONCE:
            break
        after = max(rows, default=after) if until is None else until
    told, _, expected = head.partition(":")
    if head:
        there = select(CHAIN.c.digest).where(CHAIN.c.sequence == int(told))
        if connection.scalar(there) != expected:
            faults.append(f"the head {head} is not in it: votes were changed and linked anew")
    last, digest = end(connection)
    return Verified(
        votes=connection.scalar(select(func.count()).select_from(VOTES)) or 0,
        head=f"{last}:{digest}" if last else "",
        faults=tuple(faults[:MOST]),
        more=max(0, len(faults) - MOST),
    )


def end(connection: Connection) -> tuple[int, str]:
    """The number and the digest of the last vote."""
    last = connection.execute(select(CHAIN).order_by(CHAIN.c.sequence.desc()).limit(1)).first()
    return (last.sequence, last.digest) if last else (0, "")


def _rows(connection: Connection, *wanted: ColumnElement[bool]) -> Sequence[Row[Any]]:
    found = select(VOTES.c.sequence, *_COLUMNS).where(*wanted).order_by(VOTES.c.sequence)
    return connection.execute(found.limit(AT_ONCE)).all()


def _readable(connection: Connection, after: int, until: int | None) -> dict[int, Any]:
    """The rows of this span by their number; one that cannot be read is None."""
    span = [VOTES.c.sequence > after, VOTES.c.sequence <= until if until else true()]
    try:
        return {row[0]: row for row in _rows(connection, *span)}
    except (DBAPIError, ValueError):
        numbers = select(VOTES.c.sequence).where(*span).order_by(VOTES.c.sequence).limit(AT_ONCE)
        rows: dict[int, Any] = {}
        for number in connection.scalars(numbers).all():
            try:
                rows[number] = _rows(connection, VOTES.c.sequence == number)[0]
            except (DBAPIError, ValueError):
                rows[number] = None
        return rows


def _digest(before: str, row: Row[Any] | None, columns: int) -> str:
    """Of the first so many columns: others came later."""
    return "" if row is None else digest_of(before, *row[: columns + 1])


def digest_of(*values: Any) -> str:
    said = json.dumps(values, default=lambda moment: moment.isoformat())
    return hashlib.sha256(said.encode()).hexdigest()
