"""How a database of any schema so far is brought up to that of today.

It does not know connections, nor when that is done.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, inspect, select
from sqlalchemy.schema import CreateColumn

from arena.adapters.ledger import chain
from arena.adapters.ledger.schema import (
    APPLIED,
    CHAIN,
    DTYPES,
    EXCLUSIONS,
    IMAGES,
    INCOMING,
    KEYS,
    OUTCOME,
    OUTCOME_LINE,
    SHARED,
    STUDY_EVENTS,
    STUDY_REPLIES,
    VOTES,
)

_OUTCOMES = {
    "sqlite": f"CREATE INDEX votes_outcomes ON votes (sequence, {OUTCOME_LINE})",
    "postgresql": f"CREATE INDEX votes_outcomes ON votes (sequence) INCLUDE ({', '.join(OUTCOME)})",
}


def _first(connection: Connection) -> None:
    VOTES.create(connection)
    _run_script(connection, "append_only")


def _second(connection: Connection) -> None:
    """What standings need, apart from the conversations, which are most of the table."""
    _add_columns(connection)
    for index in VOTES.indexes:
        index.create(connection, checkfirst=True)
    connection.exec_driver_sql(_OUTCOMES[connection.dialect.name])


def _fourth(connection: Connection) -> None:
    """What sessions are signed with, made once and kept with the votes they cast."""
    KEYS.create(connection)
    connection.execute(insert(KEYS), {"key": secrets.token_hex(32)})


def _fifth(connection: Connection) -> None:
    """A link for each vote so far, over all columns of today."""
    _add_columns(connection)
    CHAIN.create(connection)
    chain.extend(connection)


def _sixth(connection: Connection) -> None:
    """What the links of finished battles show."""
    SHARED.create(connection)


def _seventh(connection: Connection) -> None:
    """Studies: what happens in them, replies that are written ahead, and what is said after a
    vote."""
    _add_columns(connection)
    STUDY_EVENTS.create(connection)
    STUDY_REPLIES.create(connection)
    _run_script(connection, "studies_append_only")


def _eighth(connection: Connection) -> None:
    """What operators decided of votes."""
    EXCLUSIONS.create(connection)
    _run_script(connection, "exclusions")


def _ninth(connection: Connection) -> None:
    """What all contenders of a battle were given alike."""
    _add_columns(connection)
    IMAGES.create(connection)


def _add_columns(connection: Connection) -> None:
    """Those that the table of votes lacks, as its schema is an earlier one. Of the votes so far
    nothing is known in them."""
    there = {column["name"] for column in inspect(connection).get_columns("votes")}
    for name in DTYPES:
        if name not in there:
            column = CreateColumn(INCOMING.c[name]).compile(connection)
            connection.exec_driver_sql(f"ALTER TABLE votes ADD COLUMN {column}")


def _run_script(connection: Connection, name: str) -> None:
    """The statements of this file for the database, each after an empty line."""
    file = Path(__file__).with_name(f"{name}_{connection.dialect.name}.sql")
    text = file.read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    for statement in "\n".join(lines).split("\n\n"):
        connection.exec_driver_sql(" ".join(statement.split()))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _second,
    _add_columns,
    _fourth,
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
