"""For the doctor: whether the ledger and the folders can be read and written.

The ledger is only read. It does not know the ledger's columns, only SQLite's own checks.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.terminal import gigabytes

if TYPE_CHECKING:
    from arena.settings import Settings

Found = tuple[str, str, str, str]
"""check, status, message, how to mend it"""

FULL, TIGHT = 100_000_000, 1_000_000_000
"""Bytes free: below the first votes are in danger, below the second it is time to tidy up."""

ASK_FOR_RIGHTS = "Give the account that runs the arena the right to write there."
SQLITE = "sqlite:///"


def examine(settings: Settings) -> Iterator[Found]:
    """Every check of the ledger and the cache."""
    if older := config.older_votes(settings):
        yield "ledger", "warn", older, ""
    if settings.database_url.startswith(SQLITE):
        file = Path(settings.database_url.removeprefix(SQLITE))
        yield _ledger(file)
        yield _folder("folder", file.parent, "DATABASE_URL")
        yield _disk(file.parent)
    if not settings.hosts():
        yield _folder("cache", settings.cache, "ARENA_CACHE")


def _ledger(file: Path) -> Found:
    if not file.exists():
        return "ledger", "ok", f"{file} will be created at the first start", ""
    # A moved file must not be created anew, and an old schema not be migrated by a check.
    address = f"{file.absolute().as_uri()}?mode=ro"
    from arena.compose import NEWEST_SCHEMA

    try:
        connection = sqlite3.connect(address, uri=True, timeout=3)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            (schema,) = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
            (votes,) = connection.execute("SELECT count(*) FROM votes").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        mend = "Stop the arena, keep the file, put a sound copy in its place."
        return "ledger", "fail", f"{file} cannot be read as a ledger ({error})", mend
    if schema > NEWEST_SCHEMA:
        text = f"{file} was written by a newer arena (schema {schema}, known {NEWEST_SCHEMA})"
        return "ledger", "fail", text, "Start that arena, or name another file in DATABASE_URL."
    return "ledger", "ok", f"{file} is sound: schema {schema}, {votes} votes", ""


def _folder(check: str, folder: Path, key: str) -> Found:
    """Writable, or able to be created."""
    there = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        text = f"{there} cannot be written ({error.strerror})"
        return check, "fail", text, f"{ASK_FOR_RIGHTS} Or set {key} to another place."
    return check, "ok", f"{folder} can be {'written' if there == folder else 'created'}", ""


def _disk(folder: Path) -> Found:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    text = f"{gigabytes(free)} free for the ledger"
    if free < FULL:
        return "disk", "fail", text, "Free some space: votes are refused when the disk is full."
    if free < TIGHT:
        return "disk", "warn", text, "Free some space soon."
    return "disk", "ok", text, ""
