"""What an arena costs while nobody plays: CPU of its process, and of its engine's.

It knows what a page that is open asks for by itself, not how figures are drawn.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import httpx
import psutil

from arena.bench import Told
from arena.bench.launched import cpu_of, launched
from arena.checks.page import CONFIG

ARENA, ENGINE = "arena", "arena's engine"
CLOSED, OPEN, VOTING = "closed", "open", "open, with a vote to cast"
LOOK_S = 10.0
"""How often a page asks how the arena is."""


@dataclass(frozen=True, slots=True)
class Row:
    """`cpu`: seconds of CPU for each second."""

    program: str
    scene: str
    pages: int
    cpu: float


async def run(seconds: float, several: Sequence[int], told: Told) -> list[Row]:
    """A row for each scene and process. several: how many pages are open at once, in turn."""
    scenes = [(CLOSED, 0), *((scene, pages) for pages in several for scene in (OPEN, VOTING))]
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        async with launched("-m", "arena.bench.served", "arena", folder) as program:
            await program.ready()
            limits = httpx.Limits(max_connections=None)
            asking = httpx.AsyncClient(
                base_url=program.url, limits=limits, timeout=60, trust_env=False
            )
            async with asking as http:
                arena = Arena(program.process, http)
                for done, (scene, pages) in enumerate(scenes):
                    told(f"Pages {scene}: {pages}", done / len(scenes))
                    rows += await _measured(arena, scene, pages, seconds)
    return rows


async def _measured(arena: Arena, scene: str, pages: int, seconds: float) -> list[Row]:
    async with AsyncExitStack() as stack:
        battle = await arena.battle() if scene == VOTING else ""
        for _ in range(pages):
            await stack.enter_async_context(arena.page(battle))
        before, started = arena.cpu(), time.monotonic()
        await asyncio.sleep(seconds)
        took, after = time.monotonic() - started, arena.cpu()
    return [Row(name, scene, pages, (after[name] - cpu) / took) for name, cpu in before.items()]


class Arena:
    """A served arena, by its process and its address."""

    def __init__(self, process: psutil.Process, http: httpx.AsyncClient) -> None:
        self._process = process
        self._http = http

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by process."""
        spent = {ARENA: cpu_of(self._process)}
        if engine := self._process.children():
            spent[ENGINE] = sum(map(cpu_of, engine))
        return spent

    async def battle(self) -> str:
        """A battle that waits for its first vote."""
        asked = {"prompt": "Say hello.", "unattended": True}
        opened = (await self._http.post("/api/arena/battles", json=asked)).raise_for_status()
        battle = str(opened.json()["battle"])
        address = f"/api/arena/battles/{battle}"
        while (await self._http.get(address)).json()["phase"] == "answering":
            await asyncio.sleep(0.2)
        return battle

    @asynccontextmanager
    async def page(self, battle: str) -> AsyncIterator[None]:
        """A page that is open: the connections that it keeps, and what it asks for."""
        html = (await self._http.get("/")).raise_for_status().text
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._follow(at)) for at in _streams(html, battle)]
            tasks.append(group.create_task(self._look()))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _follow(self, address: str) -> None:
        async with self._http.stream("GET", address) as events:
            async for _ in events.aiter_raw():
                pass

    async def _look(self) -> None:
        while True:
            (await self._http.get("/api/arena/status")).raise_for_status()
            await asyncio.sleep(LOOK_S)


def _streams(html: str, battle: str) -> Iterator[str]:
    """The addresses of the streams that a page keeps open."""
    if battle:
        yield f"/api/arena/battles/{battle}/events"
    found = CONFIG.search(html)
    if found and json.loads(found[1]).get("connect_heartbeat"):
        yield "/gradio_api/heartbeat/idle"
