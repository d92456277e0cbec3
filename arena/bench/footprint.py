"""What an arena keeps: memory of open pages and of battles that are over; and what it takes to
start. Beside it, where that says something, a plain Gradio app.

It does not know how figures are drawn.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from arena.bench import Figure, Told, launched
from arena.bench.browser import Plan
from arena.bench.crowd import Crowd, staged

AT_ONCE = 20
SETTLE_S = 2.0


async def memory(pages: Sequence[int], battles: int, told: Told) -> list[Figure]:
    """Of pages on each of which a move was made; then of battles, after as many that fill what is
    meant to be kept, such as battles of the last minutes and heaps."""
    figures = []
    async with staged(Plan(5, 100)) as crowd:
        await crowd.battles(AT_ONCE, AT_ONCE)
        before = await _settled(crowd)
        figures.append(Figure("With no page open", before / 1e6, "MB"))
        opened = 0
        for number in pages:
            told(f"{number} pages", 0.1)
            await crowd.open(number - opened)
            opened = number
            each = (await _settled(crowd) - before) / number / 1e3
            figures.append(Figure(f"A page, of {number}", each, "kB", most=250))
        told(f"{battles} battles, to begin with", 0.2)
        await crowd.battles(battles, AT_ONCE)
        before = await _settled(crowd)
        told(f"{battles} more", 0.6)
        await crowd.battles(battles, AT_ONCE)
        each = (await _settled(crowd) - before) / battles / 1e3
        figures.append(
            Figure(f"A battle that is over, of {battles} after as many", each, "kB", most=0.2)
        )
    return figures


async def _settled(crowd: Crowd) -> int:
    await asyncio.sleep(SETTLE_S)
    return int(crowd.arena.process.memory_info().rss)


async def start(repeat: int, told: Told) -> list[Figure]:
    """Medians of seconds from starting a program until its page has arrived."""
    ours, plain = [], []
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(launched.host(10, 40))
        for number in range(repeat):
            told(f"Start {number + 1} of {repeat}", number / repeat)
            folder = stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))
            settings = launched.settings(folder, [host.url])
            ours.append(await _until_page("arena", "serve", environment=settings, interrupt=True))
            plain.append(await _until_page("arena.bench.served", "tokens", host.url))
    wall, cpu = (median(taken) for taken in zip(*ours, strict=True))
    plain_wall, plain_cpu = (median(taken) for taken in zip(*plain, strict=True))
    return [
        Figure("Arena, until its first page", wall),
        Figure("of CPU", cpu),
        Figure("Plain Gradio app", plain_wall),
        Figure("of CPU", plain_cpu),
        Figure("Arena against that", wall / plain_wall, "times", most=1.3),
    ]


async def _until_page(*module: str, **how: Any) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    started = time.monotonic()
    async with (
        launched.launched("-m", *module, on=launched.cores()[0], **how) as program,
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
    ):
        (await http.get(program.url)).raise_for_status()
        return time.monotonic() - started, program.cpu()
