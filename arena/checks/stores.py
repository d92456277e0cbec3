"""Whether what keeps votes and battles can be relied on: ledger, Redis, folders, disk.

All is only looked at. It does not know how a database is asked.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from arena import settings as config
from arena.checks.findings import Finding, fail, ok, warn
from arena.compose import APART, arenas_on, ledger_condition, store_condition
from arena.core.errors import ArenaError
from arena.settings import Settings

FULL, TIGHT = 100_000_000, 1_000_000_000
"""Bytes free: below the first votes are in danger, below the second it is time to tidy up."""

HERE = "Set it in the environment of every replica; check where that environment is set too."


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Of the arena of these settings, on this machine."""
    if older := config.older_votes(settings):
        yield warn("ledger", older)
    async for finding in _kept(settings):
        yield finding
    with suppress(ArenaError):  # It was told above.
        if await arenas_on(settings) > 1:
            yield warn("ledger", *APART)
    if file := settings.ledger_file:
        yield _folder("folder", file.parent, "DATABASE_URL")
        yield _disk(file.parent)
    if not settings.hosts():
        yield _folder("cache", settings.cache, "ARENA_CACHE")


async def shared(settings: Settings, replicas: int) -> AsyncIterator[Finding]:
    """Of an arena of so many replicas, whose settings these may be."""
    if replicas > 1 and not settings.redis_url:
        yield warn("redis", "several replicas answer, but REDIS_URL is not set here", HERE)
    if replicas > 1 and settings.ledger_file:
        text = "several replicas answer, but DATABASE_URL names a SQLite file here"
        yield warn("ledger", text, HERE)
    if settings.redis_url or not settings.ledger_file:
        async for finding in _kept(settings):
            yield finding


async def _kept(settings: Settings) -> AsyncIterator[Finding]:
    asked = {"ledger": ledger_condition}
    if settings.redis_url:
        asked["redis"] = store_condition
    for check, ask in asked.items():
        try:
            condition = await ask(settings)
        except ArenaError as error:
            yield fail(check, str(error))
            continue
        yield ok(check, condition.what)
        for danger, mend in condition.dangers:
            yield fail(check, danger, mend)


def _folder(check: str, folder: Path, key: str) -> Finding:
    """Writable, or able to be created."""
    there = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        mend = "Give the account that runs the arena the right to write there"
        text = f"{there} cannot be written ({error.strerror})"
        return fail(check, text, f"{mend}, or set {key} to another place.")
    return ok(check, f"{folder} can be {'written' if there == folder else 'created'}")


def _disk(folder: Path) -> Finding:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.1f} GB free for the ledger"
    if free < FULL:
        return fail("disk", text, "Free some space: votes are refused when the disk is full.")
    if free < TIGHT:
        return warn("disk", text, "Free some space soon.")
    return ok("disk", text)
