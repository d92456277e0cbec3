"""The ledger without a house: opened, looked at, checked, copied and put back, while an arena may
run on it.

It does not know who asks.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from arena.adapters.ledger import SqlLedger, copies
from arena.adapters.ledger.sqlite import PREFIX as SQLITE
from arena.core.errors import LedgerFault, NoLedger
from arena.core.ports import Condition, Verified
from arena.settings import Settings

Absent = Literal["refused", "empty", "made"]
"""What becomes of a ledger that is not there: only who is about to write may make it, as an arena
whose ledger was lost would take it up; to others it may be one without votes, kept nowhere."""


@asynccontextmanager
async def ledger_of(
    settings: Settings, absent: Absent = "refused", *, looking: bool = False
) -> AsyncIterator[SqlLedger]:
    """The ledger that the settings name, open, for commands and notebooks. looking: one of an
    older arena is refused, not brought up to date. Raises ConfigError and LedgerFault."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(_closing(settings))
        try:
            await ledger.open(anew=absent == "made", looking=looking)
        except NoLedger:
            if absent != "empty":
                raise
            spare = Path(stack.enter_context(TemporaryDirectory(prefix="arena-")))
            empty = _closing(_at(settings, spare / "arena.db"))
            ledger = await stack.enter_async_context(empty)
            await ledger.open()
        yield ledger


@asynccontextmanager
async def _closing(settings: Settings) -> AsyncIterator[SqlLedger]:
    ledger = SqlLedger(settings.database_url)
    try:
        yield ledger
    finally:
        await ledger.close()


async def ledger_condition(settings: Settings) -> Condition:
    """Of the ledger, which is only looked at. Raises ConfigError and LedgerFault."""
    async with _closing(settings) as ledger:
        return await ledger.inspect()


async def ledger_key(settings: Settings) -> bytes:
    """What the arena of these settings signs with. Raises ConfigError and LedgerFault."""
    async with _closing(settings) as ledger:
        return await ledger.key()


async def verified(settings: Settings, head: str = "") -> Verified:
    """What the chain of the ledger says. Raises ConfigError and LedgerFault."""
    async with ledger_of(settings) as ledger:
        return await ledger.verify(head)


async def backed_up(settings: Settings, target: Path) -> Verified:
    """Copy the ledger into the file. Raises ConfigError and LedgerFault, and then whatever was
    there before still is."""
    if settings.ledger_file and not settings.ledger_file.is_file():
        raise NoLedger(str(settings.ledger_file))
    try:
        # A folder of its own: another one may be copying to the same place.
        with TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as folder:
            draft = Path(folder) / target.name
            if place := settings.ledger_file:
                await asyncio.to_thread(copies.copy, place, draft)
            else:
                new = ledger_of(_at(settings, draft), "made")
                async with ledger_of(settings) as ledger, new as copy:
                    await copy.take_over(ledger)
            found = await _sound(settings, draft)
            draft.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise LedgerFault(f"The ledger cannot be copied to {target}: {error}.") from error
    return found


async def restored(settings: Settings, source: Path) -> tuple[Verified, Path | None]:
    """Put the copy in the place of the ledger; also where that is now what was there, if it is a
    file. A database has to be empty. Raises ConfigError and LedgerFault, and then nothing has
    changed."""
    place, aside = settings.ledger_file, None
    try:
        if place:
            place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place and place.parent, prefix="arena-") as folder:
            draft = Path(folder) / source.name
            await asyncio.to_thread(copies.copy, source, draft)
            found = await _sound(settings, draft)
            if place:
                aside = await asyncio.to_thread(copies.exchange, draft, place)
            else:
                new = ledger_of(settings, "made")
                async with ledger_of(_at(settings, draft)) as copy, new as ledger:
                    await ledger.take_over(copy)
                    found = await ledger.verify()
    except (OSError, sqlite3.Error) as error:
        raise LedgerFault(f"{source} cannot be put in the ledger's place: {error}.") from error
    return found, aside


async def _sound(settings: Settings, file: Path) -> Verified:
    found = await verified(_at(settings, file))
    if found.faults:
        raise LedgerFault(f"The copy is not sound: {found.faults[0]}. Nothing was put in place.")
    await asyncio.to_thread(copies.settle, file)
    return found


def _at(settings: Settings, file: Path) -> Settings:
    """With the ledger in the file."""
    return replace(settings, database_url=f"{SQLITE}{file.absolute()}")
