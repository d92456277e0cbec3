"""What an arena costs while nobody plays: CPU of its process, and of its engine's, beside a plain
Gradio app that is as idle, over the same seconds.

It knows what a page that is open asks for by itself, not how figures are drawn.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import httpx
import psutil

from arena.bench import Told

ARENA, ENGINE, PLAIN = "arena", "arena's engine", "plain Gradio"
CLOSED, OPEN, VOTING = "closed", "open", "open, with a vote to cast"
LOOK_S = 10.0
"""How often a page asks how the arena is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """pages: how many are open at once, one scene after the other."""

    seconds: float
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`cpu`: seconds of CPU for each second."""

    program: str
    scene: str
    pages: int
    cpu: float


class IdleBench:
    """told: called with what is being done and which part of all that is."""

    def __init__(self, plan: Plan, told: Told) -> None:
        self._plan = plan
        self._told = told

    async def run(self) -> list[Row]:
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory())
            arena = await stack.enter_async_context(served("arena", folder))
            plain = await stack.enter_async_context(served("plain", folder))
            await arena.ready()
            rows = []
            scenes = [(CLOSED, 0), *((s, n) for n in self._plan.pages for s in (OPEN, VOTING))]
            for done, (scene, pages) in enumerate(scenes):
                self._told(f"Pages {scene}: {pages}", done / len(scenes))
                rows += await self._measured(scene, pages, (arena, plain))
            return rows

    async def _measured(self, scene: str, pages: int, programs: Sequence[Program]) -> list[Row]:
        async with AsyncExitStack() as stack:
            for program in programs:
                battle = await program.battle() if scene == VOTING else ""
                for _ in range(pages):
                    await stack.enter_async_context(program.page(battle))
            before = [program.cpu() for program in programs]
            started = time.monotonic()
            await asyncio.sleep(self._plan.seconds)
            took = time.monotonic() - started
            after = [program.cpu() for program in programs]
        return [
            Row(name, scene, pages, (spent[name] - sofar) / took)
            for old, spent in zip(before, after, strict=True)
            for name, sofar in old.items()
        ]


class Program:
    """A served app, by its process and its address."""

    def __init__(self, process: psutil.Process, http: httpx.AsyncClient, is_arena: bool) -> None:
        self._process = process
        self._http = http
        self._is_arena = is_arena

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by process."""
        if not self._is_arena:
            return {PLAIN: _seconds(self._process)}
        spent = {ARENA: _seconds(self._process)}
        if engine := self._process.children():
            spent[ENGINE] = sum(map(_seconds, engine))
        return spent

    async def ready(self) -> None:
        while not (await self._http.get("/api/arena/status")).json()["ready"]:
            await asyncio.sleep(0.2)

    async def battle(self) -> str:
        """A battle that waits for its first vote; none where there are no battles."""
        if not self._is_arena:
            return ""
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
        found = re.search(r"window\.gradio_config = (\{.*?\});</script>", html, re.DOTALL)
        streams = [f"/api/arena/battles/{battle}/events"] if battle else []
        if found and json.loads(found[1]).get("connect_heartbeat"):
            streams.append("/gradio_api/heartbeat/idle")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._follow(address)) for address in streams]
            if self._is_arena:
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


@asynccontextmanager
async def served(program: str, folder: str) -> AsyncIterator[Program]:
    """The program in a process of its own, as long as the context is open."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arena.bench.served", program, folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=url, limits=limits, timeout=60, trust_env=False
        ) as http:
            yield Program(psutil.Process(process.pid), http, program == "arena")
    finally:
        process.stdin.close()
        await process.wait()


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
