"""The arena of one process, killed again and again while people play: what was acknowledged is
there, votes once and battles to go on or as void."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama
from tests.nginx import free_port
from tests.players import Player
from tests.running import running

PLAYERS = 6
LIFE_S = 4.0
"""How long it lives at most before it is killed, once a battle can be had."""
LONGEST_S = 3600.0
"""Of a battle, which may live through many starts of the arena."""

Found = tuple[Counter[str], list[str], dict[tuple[str, int], int]]
"""How battles ended, what players were refused, and the rows of each vote that they were told of."""


async def killed(folder: Path, points: int, seed: int) -> Found:
    rng = random.Random(seed)
    port, over = str(free_port()), False
    limits = httpx.Limits(max_connections=None)
    async with (
        FakeOllama((LLAMA, MISTRAL, PHI), speed=60, num_parallel=8, warm=True) as host,
        asyncio.TaskGroup() as group,
    ):
        settings = {"OLLAMA_HOST": host.url, "OLLAMA_NUM_PARALLEL": "8"}
        settings |= {"ARENA_OPENS_PER_MINUTE": "0", "ARENA_BALLOTS_PER_HOUR": "0"}
        clients = [
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30, limits=limits
            )
            for _ in range(PLAYERS)
        ]
        players = [Player(client) for client in clients]
        playing = [
            group.create_task(player.play_until(lambda: over, LONGEST_S)) for player in players
        ]
        for point in range(points + 1):
            app = running(folder, "--port", port, **settings)
            there = await asyncio.to_thread(app.__enter__)
            if point < points:
                await asyncio.sleep(rng.uniform(0, LIFE_S))
                await asyncio.to_thread(there.stop, signal.SIGKILL)
            else:
                over = True
                await asyncio.wait(playing)
            await asyncio.to_thread(app.__exit__, None, None, None)
        for client in clients:
            await client.aclose()
    stories = [story for player in players for story in player.stories]
    told = {
        (story.battle, round): live - 1 for story in stories for round, live in story.votes.items()
    }
    ends = Counter(story.state["phase"] for story in stories)
    return ends, [failure for player in players for failure in player.failures], told


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    points = int(pytestconfig.getoption("--kills"))
    ends, failures, told = asyncio.run(killed(tmp_path, points, seed=points))
    with closing(sqlite3.connect(tmp_path / "arena.db")) as ledger:
        rows = ledger.execute(
            "SELECT battle_id, round, count(*) FROM votes GROUP BY 1, 2"
        ).fetchall()
    told_of = f"{points} kills: {len(told)} votes acknowledged, {dict(ends)}"
    print(told_of)  # noqa: T201 -- the figure, with -s
    assert not failures, "every battle that was acknowledged is found again"
    assert {(battle, round): count for battle, round, count in rows} == told
    assert told and ends["void"] and set(ends) == {"decided", "void"}
