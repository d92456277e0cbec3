"""Whether every vote is as it was written, none is missing or was put in, and all are counted as
they are; what links them is in `chain`.

It does not know who did it.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, func, select, true
from sqlalchemy.exc import DBAPIError

from arena.adapters.ledger.chain import AT_ONCE, digest_of_row, end, rows_of
from arena.adapters.ledger.database import Database
from arena.adapters.ledger.schema import CHAIN, DTYPES, OUTCOME, VOTES
from arena.core.ports import Verified

MOST = 20
"""Faults that are told; the others are counted."""

_COUNTED = [list(DTYPES).index(name) + 1 for name in OUTCOME]


def verify(connection: Connection, database: Database, head: str = "") -> Verified:
    """head: one that was told before, to be found again."""
    faults: list[str] = []
    first = connection.scalar(select(func.min(VOTES.c.sequence))) or 0
    votes, after, digest = 0, min(0, first - 1), ""
    while True:
        wanted = select(CHAIN).where(CHAIN.c.sequence > after).order_by(CHAIN.c.sequence)
        links = connection.execute(wanted.limit(AT_ONCE)).all()
        until = links[-1].sequence if links else None
        known = {link.sequence for link in links}
        rows = _readable(connection, after, until, known)
        votes += len(rows)
        faults += [f"vote {number} was put in" for number in rows if number not in known]
        faults += _miscounted(connection, database, rows)
        for link in links:
            if link.sequence not in rows:
                faults.append(f"vote {link.sequence} is missing")
            elif digest_of_row(digest, rows[link.sequence], link.columns) != link.digest:
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
    faults += database.doubts(connection)
    return Verified(
        votes=connection.scalar(select(func.count()).select_from(VOTES)) or 0,
        head=f"{last}:{digest}" if last else "",
        faults=tuple(faults[:MOST]),
        more=max(0, len(faults) - MOST),
    )


def _readable(
    connection: Connection, after: int, until: int | None, known: set[int]
) -> dict[int, Any]:
    """The rows of this span by their number; one that cannot be read is None. known: the numbers
    that there have to be."""
    span = [VOTES.c.sequence > after, VOTES.c.sequence <= until if until else true()]
    try:
        with connection.begin_nested():
            return {row[0]: row for row in rows_of(connection, *span)}
    except DBAPIError:
        rows: dict[int, Any] = {}
        for number in sorted(known):
            try:
                with connection.begin_nested():
                    rows |= {row[0]: row for row in rows_of(connection, VOTES.c.sequence == number)}
            except DBAPIError:
                rows[number] = None
        return rows


def _miscounted(
    connection: Connection, database: Database, rows: Mapping[int, Any]
) -> Iterator[str]:
    """Votes that are counted as they are not written: standings are made from an index."""
    if not rows or None in rows.values():
        return
    pieces = database.outcomes(connection, min(rows) - 1, max(rows))
    lines = csv.reader(io.StringIO(b"".join(pieces).decode("utf-8", "replace"), newline=""))
    told = {int(number): tuple(values) for number, *values in lines}
    for number, row in rows.items():
        if told.pop(number, None) != tuple(row[at] for at in _COUNTED):
            yield f"vote {number} is counted as it was not written: an index is damaged"
    for number in told:
        yield f"vote {number} is counted and is not there: an index is damaged"
