"""Copies of a ledger that is a file, made and put in its place while an arena runs.

It does not know what the file says; whoever asks checks that.
"""

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """All of it as it is at one moment, in one file."""
    there = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        (said,) = new.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
    settle(target)


def settle(file: Path) -> None:
    """On the disk, with nothing beside it, also after it was read."""
    with closing(sqlite3.connect(file)) as there:
        there.execute("PRAGMA journal_mode = DELETE")
    with file.open("rb") as written:
        os.fsync(written.fileno())


def exchange(file: Path, place: Path) -> Path | None:
    """Put the file at the place; what was there stands beside it, and is returned. Whoever still
    writes to that is refused."""
    if not place.exists():
        file.replace(place)
        return None
    aside = place.with_name(f"{place.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    with closing(sqlite3.connect(place, isolation_level=None)) as old:
        # One that is damaged cannot be held; it is put aside all the same.
        with suppress(sqlite3.DatabaseError):
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("BEGIN IMMEDIATE")
        place.rename(aside)
        file.replace(place)
    return aside
