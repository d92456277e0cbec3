"""How a database of any schema so far is brought up to that of today.

It does not know connections, nor when that is done.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, inspect, select

from arena.adapters.ledger import chain
from arena.adapters.ledger.schema import (
    APPLIED,
    CHAIN,
    EARLIER,
    EXCLUSIONS,
    IMAGES,
    SHARED,
    STUDY_EVENTS,
    STUDY_REPLIES,
    VOTES,
    add_columns,
    run_script,
)
from arena.core.battle.record import REMARKED


def _fifth(connection: Connection) -> None:
    """A link for each vote so far, over all columns of today."""
    _remarks(connection)
    _terms(connection)
    CHAIN.create(connection)
    chain.extend(connection)


def _sixth(connection: Connection) -> None:
    """What the links of finished battles show."""
    SHARED.create(connection)


def _seventh(connection: Connection) -> None:
    """Studies: what happens in them, replies that are written ahead, and what is said after a
    vote."""
    _remarks(connection)
    STUDY_EVENTS.create(connection)
    STUDY_REPLIES.create(connection)
    run_script(connection, "studies_append_only")


def _remarks(connection: Connection) -> None:
    whole = VOTES.c.grade_a.type.compile(connection.dialect)
    several, text = "JSON NOT NULL DEFAULT '[]'", "TEXT NOT NULL DEFAULT ''"
    kinds = (several, text, whole, whole, several, several)
    add_columns(connection, dict(zip(REMARKED, kinds, strict=True)))


def _eighth(connection: Connection) -> None:
    """What operators decided of votes."""
    EXCLUSIONS.create(connection)
    run_script(connection, "exclusions")


def _ninth(connection: Connection) -> None:
    """What all contenders of a battle were given alike."""
    _terms(connection)
    IMAGES.create(connection)


def _terms(connection: Connection) -> None:
    add_columns(
        connection,
        {
            "system": "TEXT NOT NULL DEFAULT ''",
            "temperature": "DOUBLE PRECISION",
            "images": "JSON NOT NULL DEFAULT '[]'",
        },
    )


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    *EARLIER,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
    _ninth,
)
"""Applied in order, number n makes schema version n. As the first creates the table as VoteRow
is today, a later one must pass over what a new database has already."""


_NEWEST = select(func.max(APPLIED.c.version))


def version(connection: Connection) -> int:
    """The schema of the database; 0 where it has none."""
    return newest(connection) if inspect(connection).has_table(APPLIED.name) else 0


def newest(connection: Connection) -> int:
    """The same, of a database that has one."""
    return connection.scalar(_NEWEST) or 0


def bring_up(connection: Connection, missing: Sequence[Callable[[Connection], None]]) -> None:
    """missing: those that were not applied yet, up to the last."""
    APPLIED.create(connection, checkfirst=True)
    for number, migration in enumerate(missing, start=newest(connection) + 1):
        migration(connection)
        applied = {"version": number, "applied_at": datetime.now(UTC)}
        connection.execute(insert(APPLIED), applied)
