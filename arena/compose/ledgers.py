"""The ledger without a house: opened, looked at, checked, copied and put back, while an arena may
run on it.

It does not know who asks.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from arena.adapters.ledger import SqlLedger, copies
from arena.adapters.ledger.sqlite import PREFIX as SQLITE
from arena.core.errors import ConfigError, LedgerFault
from arena.core.ports import Condition, Verified
from arena.settings import Settings


@asynccontextmanager
async def ledger_of(settings: Settings) -> AsyncIterator[SqlLedger]:
    """The ledger that the settings name, open, for commands and notebooks. Raises ConfigError
    and LedgerFault."""
    ledger = SqlLedger(settings.database_url)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


async def ledger_condition(settings: Settings) -> Condition:
    """Of the ledger, which is only looked at. Raises ConfigError and LedgerFault."""
    ledger = SqlLedger(settings.database_url)
    try:
        return await ledger.inspect()
    finally:
        await ledger.close()


async def ledger_key(settings: Settings) -> bytes:
    """What the arena of these settings signs with. Raises ConfigError and LedgerFault."""
    ledger = SqlLedger(settings.database_url)
    try:
        return await ledger.key()
    finally:
        await ledger.close()


async def verified(settings: Settings, head: str = "") -> Verified:
    """What the chain of the ledger says. Raises ConfigError and LedgerFault."""
    async with ledger_of(settings) as ledger:
        return await ledger.verify(head)


async def backed_up(settings: Settings, target: Path) -> Verified:
    """Copy the ledger into the file. Raises ConfigError and LedgerFault, and then whatever was
    there before still is."""
    draft = target.with_name(f"{target.name}.part")
    draft.unlink(missing_ok=True)
    try:
        await asyncio.to_thread(copies.copy, _file(settings), draft)
        found = await _sound(settings, draft)
        draft.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise LedgerFault(f"The ledger cannot be copied to {target}: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return found


async def restored(settings: Settings, source: Path) -> tuple[Verified, Path | None]:
    """Put the copy in the place of the ledger; also where that is now what was there. Raises
    ConfigError and LedgerFault, and then nothing has changed."""
    place = _file(settings)
    draft = place.with_name(f"{place.name}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        await asyncio.to_thread(copies.copy, source, draft)
        found = await _sound(settings, draft)
        aside = await asyncio.to_thread(copies.exchange, draft, place)
    except (OSError, sqlite3.Error) as error:
        raise LedgerFault(f"{source} cannot be put in the ledger's place: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return found, aside


async def _sound(settings: Settings, file: Path) -> Verified:
    found = await verified(replace(settings, database_url=_address(file)))
    if found.faults:
        raise LedgerFault(f"The copy is not sound: {found.faults[0]}. Nothing was put in place.")
    await asyncio.to_thread(copies.settle, file)
    return found


def _address(file: Path) -> str:
    return f"{SQLITE}{file.absolute()}"


def _file(settings: Settings) -> Path:
    if not settings.database_url.startswith(SQLITE):
        raise ConfigError(
            "DATABASE_URL names a PostgreSQL database, which has tools of its own: pg_dump and "
            "pg_restore, while the arena runs. `arena verify` checks what they brought back."
        )
    return Path(settings.database_url.removeprefix(SQLITE))
