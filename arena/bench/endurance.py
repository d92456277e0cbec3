"""Two hosts against one, and an arena in rough use: tabs that close at random, hosts that restart.

It does not know how figures are drawn.
"""

import asyncio
import random
import re
import signal
import time
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx

from arena.bench import Figure, Told, launched
from arena.bench.browser import Broken, Plan
from arena.bench.crowd import Crowd, staged
from arena.core.errors import ArenaError

PLAN = Plan(100, 40)
FEW = {"OLLAMA_NUM_PARALLEL": "2"}
COLD_S = 3.0
RESTART_S, AWAY_S, ANSWER_S = 20.0, 3.0, 60.0
SETTLE_S = 40.0
"""Connections to hosts are kept for half a minute."""
GAUGES = ("arena_viewers", "arena_replies_under_way", "arena_queue")
FLAT_MB = 8.0


async def two_hosts(tabs: int, seconds: float, told: Told) -> list[Figure]:
    """Battles finished by one host and by two, of two slots each; and what a cold host beside a
    warm one is asked for, while that has room."""
    finished = []
    async with launched.host(PLAN.tokens, PLAN.rate) as second:
        for turn, beside in enumerate(([], [second.url])):
            told(f"{turn + 1} host{'s' * turn}", turn / 3)
            async with staged(PLAN, beside=beside, environment=FEW) as crowd:
                seen = await crowd.seen(tabs, seconds)
            finished.append(seen.battles / seconds * 60)
    told("A cold host beside a warm one", 2 / 3)
    async with (
        launched.host(PLAN.tokens, PLAN.rate, cold_s=COLD_S) as cold,
        staged(PLAN, beside=[cold.url], environment=FEW) as crowd,
    ):
        await crowd.battles(4, 1)
        tokens = (await launched.written(cold))["tokens"]
    return [
        Figure("Battles a minute, one host", finished[0], ""),
        Figure("Battles a minute, two hosts", finished[1], ""),
        Figure("Two against one", finished[1] / finished[0], "times", least=1.9),
        Figure("Tokens asked of a cold host", tokens, "", most=0),
    ]


async def soak(minutes: float, tabs: int, told: Told) -> list[Figure]:
    """What has grown between the first fifth and the end, and what is left when all are gone."""
    async with AsyncExitStack() as stack:
        file = Path(stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))) / "tasks"
        ports = []
        for _ in range(2):
            async with launched.host(PLAN.tokens, PLAN.rate) as host:
                ports.append(urlsplit(host.url).port or 0)
        beside = [f"http://127.0.0.1:{port}" for port in ports]
        staging = staged(PLAN, beside=beside, module=("arena.bench.inside", str(file)))
        crowd = await stack.enter_async_context(staging)
        told("Getting warm", 0.0)
        played = await _rough(crowd, ports, tabs, minutes * 12)
        before = await _state(crowd, file)
        told("In rough use", 0.2)
        played += await _rough(crowd, ports, tabs, minutes * 48)
        after = await _state(crowd, file)
    return [
        Figure("Battles played to their end", played, "", least=1),
        Figure("Memory, grown", (after["rss"] - before["rss"]) / 1e6, "MB", most=FLAT_MB),
        Figure("Tasks, more", after["tasks"] - before["tasks"], "", most=2),
        Figure("Open files, more", after["files"] - before["files"], "", most=2),
        *(Figure(f"{name}, left", after[name], "", most=0) for name in GAUGES),
    ]


async def _rough(crowd: Crowd, ports: list[int], tabs: int, seconds: float) -> int:
    """Battles that were played to their end."""
    end = time.monotonic() + seconds
    restarting = asyncio.create_task(_restarting(ports))
    played = await asyncio.gather(*(_visits(crowd, random.Random(n), end) for n in range(tabs)))  # noqa: S311
    restarting.cancel()
    await asyncio.gather(restarting, return_exceptions=True)
    return sum(played)


async def _visits(crowd: Crowd, chance: random.Random, end: float) -> int:
    """Somebody who opens one tab after the other and closes it after any time."""
    played = 0
    while time.monotonic() < end:
        with suppress(TimeoutError, ArenaError, OSError):
            async with asyncio.timeout(chance.uniform(0.1, 4 * PLAN.length_s)):
                async with aclosing(crowd.visit()) as battles:
                    async for _ in battles:
                        played += 1
    return played


async def _restarting(ports: list[int]) -> None:
    """Hosts that are there for a while, by turns."""
    turn = 0
    while True:
        turn += 1
        port = ports[turn % len(ports)]
        async with launched.host(PLAN.tokens, PLAN.rate, port=port):
            await asyncio.sleep(RESTART_S)
        await asyncio.sleep(AWAY_S)


async def _state(crowd: Crowd, file: Path) -> dict[str, float]:
    """When everybody has gone and what they left behind has had time to end."""
    await asyncio.sleep(SETTLE_S)
    file.unlink(missing_ok=True)  # noqa: ASYNC240 -- nothing else runs
    crowd.arena.process.send_signal(signal.SIGUSR2)
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            httpx.AsyncClient(trust_env=False, timeout=ANSWER_S) as http,
        ):
            while not file.exists():  # noqa: ASYNC240 -- likewise
                await asyncio.sleep(0.1)
            text = (await http.get(f"{crowd.arena.url}/metrics")).raise_for_status().text
    except (httpx.HTTPError, TimeoutError) as fault:
        said = f"the arena does not tell how it is ({type(fault).__name__})"
        raise Broken(said) from fault
    told = dict(re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE))
    process = crowd.arena.process
    state = {"rss": process.memory_info().rss, "files": process.num_fds()}
    return {**state, "tasks": float(file.read_text()), **{n: float(told[n]) for n in GAUGES}}  # noqa: ASYNC240
