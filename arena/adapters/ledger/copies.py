"""Copies of a ledger, made and put in its place while an arena runs: of one that is a file, file by
file; of one in a database server, row by row.

It does not know what the rows say; whoever asks checks that.
"""

import os
import sqlite3
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Table, delete, exists, func, insert, select

from arena.adapters.ledger.chain import AT_ONCE
from arena.adapters.ledger.schema import APPLIED, KEYS, VOTES
from arena.core.errors import LedgerFault

PATIENCE_S = 5.0
"""How long others may take to finish with a ledger that is put aside."""
ENDS = ("", "-wal", "-shm", "-journal")
"""Of its file, and of what SQLite keeps beside it, which it would take for any file's there."""


def copy(source: Path, target: Path) -> None:
    """All of it as it is at one moment, in one file that its owner alone can read. Raises
    LedgerFault where there is none."""
    if not source.is_file():
        raise LedgerFault(f"There is no file {source}. Name one that `arena backup` has written.")
    target.touch(0o600)
    there = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        (said,) = new.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        # A file that was cut off at its beginning is a sound one, and would be made a new ledger.
        new.execute(f"SELECT 1 FROM {APPLIED.name}").fetchone()  # noqa: S608 -- our table
    settle(target)


def settle(file: Path) -> None:
    """On the disk, with nothing beside it, also after it was read."""
    with closing(sqlite3.connect(file)) as there:
        there.execute("PRAGMA journal_mode = DELETE")
    with file.open("rb") as written:
        os.fsync(written.fileno())


def exchange(file: Path, place: Path) -> Path | None:
    """Put the file at the place; what was there stands beside it, and is returned. Whoever still
    writes to that is refused. Raises LedgerFault where another program holds it, and then nothing
    has changed."""
    aside = f"{place.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    with closing(_held(place)) if place.exists() else nullcontext():
        kept = [
            there.rename(place.with_name(f"{aside}{end}"))
            for end in ENDS
            if (there := place.with_name(f"{place.name}{end}")).exists()
        ]
        file.replace(place)
    return kept[0] if kept else None


def _held(place: Path) -> sqlite3.Connection:
    """With all of it in its file, and nobody else writing to it. One that is damaged cannot be
    held; it is put aside all the same."""
    old = sqlite3.connect(place, timeout=PATIENCE_S, isolation_level=None)
    try:
        (busy, *_) = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        old.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if not busy and code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            old.close()
            raise
    if busy:
        old.close()
        raise LedgerFault(
            "Another program holds the ledger. Close what has it open (a database browser, an "
            "export), then try again."
        )
    return old


def transcribe(old: Connection, new: Connection) -> None:
    """Every row, as it is numbered, into a ledger of the same schema that has none. Raises
    LedgerFault where that has some."""
    tables = [table for table in VOTES.metadata.sorted_tables if table is not APPLIED]
    if any(new.scalar(select(exists(select(table)))) for table in tables if table is not KEYS):
        raise LedgerFault(
            "There is something in this ledger already, and a database is not put aside as a file "
            "is. Name an empty one in DATABASE_URL."
        )
    new.execute(delete(KEYS))
    for table in tables:
        # PostgreSQL numbers rows itself, unless it is told that they bring their numbers.
        numbers = new.dialect.name == "postgresql" and any(column.identity for column in table.c)
        if numbers:
            _number(new, table, "BY DEFAULT")
        rows = old.execution_options(yield_per=AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions():
            new.execute(insert(table), list(map(dict, some)))
        if numbers:
            own = func.pg_get_serial_sequence(table.name, "sequence")
            new.execute(select(func.setval(own, func.max(table.c.sequence))))
            _number(new, table, "ALWAYS")


def _number(connection: Connection, table: Table, when: str) -> None:
    """When PostgreSQL numbers the rows itself: always, or where they bring no number."""
    connection.exec_driver_sql(
        f"ALTER TABLE {table.name} ALTER COLUMN sequence SET GENERATED {when}"
    )
