"""How many votes a second are durable, and how long one waits for its acknowledgement: at the
ledger, and on the page.

It does not know which database a ledger is, nor how figures are drawn.
"""

import asyncio
import time
from collections.abc import Mapping
from itertools import count

from arena import settings as config
from arena.bench import Figure, Told
from arena.bench.browser import Plan
from arena.bench.crowd import percentile, staged
from arena.bench.simulated import rehearsed
from arena.compose import ledger_of
from arena.core.ports import Ledger

WRITERS = 64
RATE = 100.0
SHORT = Plan(2, 100)
"""Replies that are soon to be voted on."""


async def votes(urls: Mapping[str, str], seconds: float, battles: int, told: Told) -> list[Figure]:
    """urls: empty databases by name."""
    figures = []
    for turn, (name, url) in enumerate(urls.items()):
        told(f"{name}: votes one by one", turn / len(urls))
        async with ledger_of(config.load(DATABASE_URL=url), "made") as ledger:
            many, waits = await _many(ledger, seconds), await _steady(ledger, seconds)
        told(f"{name}: votes on the page", (turn + 0.5) / len(urls))
        async with staged(SHORT, environment={"DATABASE_URL": url}) as crowd:
            await crowd.battles(10, 10)
            played = await crowd.battles(battles, 10)
        page = [wait for battle in played for wait in battle.acknowledged]
        figures += [
            Figure(f"{name}: durable votes a second", many, "", least=500),
            Figure(f"{name}: acknowledged at {RATE:g}/s, p50", percentile(waits, 50)),
            Figure(f"{name}: p99", percentile(waits, 99), most=0.025),
            Figure(f"{name}: on the page, ten people at once, p50", percentile(page, 50)),
            Figure(f"{name}: p99", percentile(page, 99)),
        ]
    return figures


async def _many(ledger: Ledger, seconds: float) -> float:
    """Votes a second of writers who wait for nothing but their acknowledgement."""
    numbers, end = count(), time.monotonic() + seconds

    async def write() -> int:
        written = 0
        while time.monotonic() < end:
            await ledger.append([rehearsed(f"many-{next(numbers)}")])
            written += 1
        return written

    started = time.monotonic()
    written = sum(await asyncio.gather(*(write() for _ in range(WRITERS))))
    return written / (time.monotonic() - started)


async def _steady(ledger: Ledger, seconds: float) -> list[float]:
    """Seconds until the acknowledgement of votes that come at a steady rate, whatever becomes
    of those before them."""
    started, waits = time.monotonic(), list[float]()

    async def write(number: int) -> None:
        due = started + number / RATE
        await asyncio.sleep(due - time.monotonic())
        await ledger.append([rehearsed(f"steady-{number}")])
        waits.append(time.monotonic() - due)

    await asyncio.gather(*map(write, range(int(seconds * RATE))))
    return waits
