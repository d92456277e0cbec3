"""Ledgers for their tests: opened for some work and closed again, also in another process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from arena.adapters.ledger import SqlLedger
from arena.core.battle.record import VoteRow

ROOT = Path(__file__).parents[2]
Result = TypeVar("Result")


async def recorded(ledger: SqlLedger, battle: str = "") -> int:
    """How many rows the battle has, or all have."""
    return len(await (ledger.votes_on(battle) if battle else ledger.votes(("id",))))


def on(
    url: str, work: Callable[[SqlLedger], Coroutine[Any, Any, Result]], **options: float
) -> Result:
    """Open the ledger, do the work, close it."""

    async def run() -> Result:
        ledger = SqlLedger(url, **options)
        try:
            await ledger.open()
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


def append(url: str, *rows: VoteRow) -> bool:
    return on(url, lambda ledger: ledger.append(rows))


def ids(url: str) -> list[str]:
    return list(on(url, lambda ledger: ledger.votes(("id",)))["id"])


def program(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
