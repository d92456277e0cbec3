"""Many tabs at once, each playing one battle after the other, and what they saw meanwhile.

It says itself when it was the bottleneck: how late its own event loop was, and the CPU it took.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from arena.bench import launched
from arena.bench.browser import Plan, Tab, Watched
from arena.bench.launched import Program
from arena.bench.plain import PlainTab
from arena.checks.page import Page
from arena.checks.visitor import Visitor
from arena.core.errors import ArenaError

BEAT_S = 0.02
LATE_S = 0.03
BUSY = 0.9
"""A driver or a host that is later than this at p95, or busier, spoils what is measured."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What so many tabs saw. At p95, in seconds: from asking until a battle was open and until
    its first update, gaps between updates, a vote until it was acknowledged; `late`: by which
    part of its length a reply came too late. `cpu`: of the arena's process, of one core;
    `others`: of everybody else on that core. `driver_late`, `host_late`: seconds at p95 by which
    we and the host ran late."""

    tabs: int
    battles: int
    opening: float
    first: float
    gap_p50: float
    gap: float
    late: float
    vote: float
    cpu: float
    others: float
    driver_cpu: float
    driver_late: float
    host_late: float
    fault: str = ""

    @property
    def spoilt(self) -> bool:
        """It was not the arena that was measured."""
        return self.driver_late > LATE_S or self.host_late > LATE_S or self.driver_cpu > BUSY


class Crowd:
    """Tabs on one program, whose replies come from the host. tab: opens another."""

    def __init__(
        self, arena: Program, host: Program, plan: Plan, tab: Callable[[], Tab | PlainTab]
    ) -> None:
        self.arena, self.host, self._plan, self._tab = arena, host, plan, tab
        self._number = 0
        self._faults: list[str] = []
        self._tabs: list[Tab | PlainTab] = []
        self._pages: list[Tab | PlainTab] = []

    async def seen(self, tabs: int, seconds: float) -> Seen:
        """So many tabs play at once. They begin spread over a reply's length, go on as long
        again, and only then for so many seconds is looked at them."""
        stop, length = asyncio.Event(), self._plan.length_s
        self._faults = []
        async with asyncio.TaskGroup() as group:
            delays = [number * length / tabs for number in range(tabs)]
            playing = [group.create_task(self._play_on(delay, stop)) for delay in delays]
            await asyncio.sleep(2 * length)
            await launched.written(self.host)
            before = self._spent()
            beats = group.create_task(_beats(seconds))
            since = time.monotonic()
            await asyncio.sleep(seconds)
            until = time.monotonic()
            used = await self._used(before)
            stop.set()
        watched = [battle for task in playing for battle in task.result()]
        own = [b for b in watched if since <= b.asked <= until]
        done = [b for b in watched if b.updates and since <= b.updates[-1] <= until]
        updates = [pair for b in watched for pair in pairwise(b.updates)]
        gaps = [later - at for at, later in updates if since <= later <= until]
        return Seen(
            tabs=tabs,
            battles=len(done),
            opening=p95(b.opened - b.asked for b in own),
            first=p95(b.updates[0] - b.asked for b in own if b.updates),
            gap_p50=percentile(gaps, 50),
            gap=p95(gaps),
            late=p95(b.late for b in done),
            vote=p95(s for b in done for s in b.acknowledged),
            driver_late=p95(beats.result()),
            fault=self._faults[0] if self._faults else "",
            **used,
        )

    async def battles(self, number: int, at_once: int) -> list[Watched]:
        """So many battles to their end, so many at once, in the same tabs as before. Raises
        Broken."""
        while len(self._tabs) < at_once:
            self._tabs.append(self._tab())
        left = iter(range(number))

        async def play(tab: Tab | PlainTab) -> list[Watched]:
            return [await tab.play(self._mark()) for _ in left]

        played = await asyncio.gather(*map(play, self._tabs[:at_once]))
        return [battle for some in played for battle in some]

    async def visit(self) -> AsyncGenerator[Watched, None]:
        """Battle after battle in a new tab, which closes with this."""
        tab = self._tab()
        try:
            while True:
                yield await tab.play(self._mark())
        finally:
            tab.close()

    async def open(self, number: int) -> None:
        """So many more pages, on each of which a move is made."""
        for _ in range(number):
            self._pages.append(self._tab())
            await self._pages[-1].open()

    def close(self) -> None:
        for tab in (*self._tabs, *self._pages):
            tab.close()

    def _spent(self) -> list[float]:
        """Seconds so far: by the clock, of CPU of the arena and of ourselves, and of whatever
        keeps the arena's core busy."""
        own = launched.cpu_of(psutil.Process())
        return [time.monotonic(), self.arena.cpu(), own, _busy(self.arena.process)]

    async def _used(self, before: Sequence[float]) -> dict[str, float]:
        """CPU since then, and how late the host was."""
        wall, cpu, own, busy = np.subtract(self._spent(), before).tolist()
        others, late = max(0.0, busy - cpu) / wall, await launched.written(self.host)
        used = {"cpu": cpu / wall, "others": others, "driver_cpu": own / wall}
        return used | {"host_late": late["p95_ms"] / 1000}

    def _mark(self) -> str:
        self._number += 1
        return f"n{self._number}"

    async def _play_on(self, delay: float, stop: asyncio.Event) -> list[Watched]:
        watched: list[Watched] = []
        await asyncio.sleep(delay)
        try:
            async with aclosing(self.visit()) as battles:
                async for battle in battles:
                    watched.append(battle)
                    if stop.is_set():
                        break
        except (ArenaError, OSError, TimeoutError) as fault:
            self._faults.append(str(fault) or type(fault).__name__)
        return watched


@asynccontextmanager
async def staged(
    plan: Plan,
    *,
    rates: Sequence[float] = (),
    beside: Sequence[str] = (),
    tab: Callable[[Page, Plan], Tab] = Tab,
    **arena: Any,
) -> AsyncIterator[Crowd]:
    """A host, an arena on it, and a crowd that plays there. rates: tokens/s by model, if they
    differ. beside: more hosts. arena: as `launched.arena` takes it."""
    async with AsyncExitStack() as stack:
        writing = launched.host(plan.tokens, *(rates or [plan.rate]))
        host = await stack.enter_async_context(writing)
        folder = stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))
        serving = launched.arena(folder, [host.url, *beside], **arena)
        program = await stack.enter_async_context(serving)
        async with Visitor(program.url) as visitor:
            page = await Page.opened(visitor)
        crowd = Crowd(program, host, plan, lambda: tab(page.again(), plan))
        stack.callback(crowd.close)
        yield crowd


def _busy(process: psutil.Process) -> float:
    """Seconds of its core, if it is bound to one, those that were taken from a virtual machine
    among them."""
    bound = process.cpu_affinity() if hasattr(process, "cpu_affinity") else []
    if len(bound) != 1:
        return 0.0
    times = psutil.cpu_times(percpu=True)[bound[0]]
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle)


async def _beats(seconds: float) -> list[float]:
    """By how much our own event loop was late, again and again."""
    late, end = [], time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        await asyncio.sleep(BEAT_S)
        late.append(time.monotonic() - now - BEAT_S)
    return late


def percentile(values: Iterable[float], of: float) -> float:
    """nan where there are none."""
    known = list(values)
    return float(np.percentile(known, of)) if known else float("nan")


def p95(values: Iterable[float]) -> float:
    return percentile(values, 95)
