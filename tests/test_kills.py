"""Arenas that are killed again and again while people play: what was acknowledged is there, votes
once and battles to go on or as void."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster import Member, alone, clustered
from tests.players import Player

LIFE_S = 4.0
"""How long all live at most before one is killed, once all are ready."""
LONGEST_START_S = 600.0
LONGEST_S = 7200.0
"""Of a battle, which may live through many starts."""
SPEED, PARALLEL = 60, 8


@dataclass(frozen=True, slots=True)
class Killed:
    """kept: rows of the ledger by battle and round, one for each ballot that has any."""

    url: str
    replicas: list[Member]
    kept: Callable[[], list[tuple[tuple[str, int], int]]]


@contextmanager
def one_process(folder: Path, _: pytest.FixtureRequest) -> Iterator[Killed]:
    def kept() -> list[tuple[tuple[str, int], int]]:
        with closing(sqlite3.connect(folder / "arena.db")) as ledger:
            rows = ledger.execute(
                "SELECT battle_id, round, count(*) FROM votes GROUP BY 1, 2, ballot_id"
            )
            return [((battle, round), count) for battle, round, count in rows]

    with alone(folder, SPEED, PARALLEL) as arena:
        yield Killed(f"http://{arena.address}", [arena], kept)


@contextmanager
def two_replicas(folder: Path, request: pytest.FixtureRequest) -> Iterator[Killed]:
    servers = map(request.getfixturevalue, ("redis_server", "postgresql"))
    with clustered(folder, *servers, SPEED, PARALLEL) as cluster:
        yield Killed(
            cluster.url,
            cluster.replicas,
            lambda: [((b["battle"], b["round"]), b["rows"]) for b in cluster.ballots()],
        )


async def played(arena: Killed, points: int, players: int) -> list[Player]:
    """Until it was killed so often. Of several replicas one is, or, each second time, all."""
    rng, over = random.Random(points), False
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=arena.url, trust_env=False, timeout=30, limits=limits) as http,
        asyncio.TaskGroup() as group,
    ):
        playing = [Player(http) for _ in range(players)]
        for player in playing:
            group.create_task(player.play_until(lambda: over, LONGEST_S))
        for number in range(points):
            await asyncio.sleep(rng.uniform(0, LIFE_S))
            killed = arena.replicas if number % 2 else [rng.choice(arena.replicas)]
            for replica in killed:
                await asyncio.to_thread(replica.kill)
            for replica in killed:
                replica.start()
            async with asyncio.timeout(LONGEST_START_S):
                while not all([await asyncio.to_thread(each.usable) for each in killed]):
                    await asyncio.sleep(0.1)
        over = True
    return playing


@pytest.mark.slow
@pytest.mark.timeout(10_000)
@pytest.mark.parametrize("arena", [one_process, two_replicas])
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(
    tmp_path: Path, request: pytest.FixtureRequest, arena: Any
) -> None:
    points, players = (int(request.config.getoption(name)) for name in ("--kills", "--players"))
    with arena(tmp_path, request) as killed:
        playing = asyncio.run(played(killed, points, players))
        kept = killed.kept()
        printed = "".join(replica.log.read_text() for replica in killed.replicas)
    stories = [story for player in playing for story in player.stories]
    told = {
        (story.battle, round): live - 1 for story in stories for round, live in story.votes.items()
    }
    ends = Counter(story.state["phase"] for story in stories)
    again = sum(player.asked_again for player in playing)
    told_of = f"{points} kills: {len(told)} votes acknowledged, {dict(ends)}, {again} asked again"
    print(told_of)  # noqa: T201 -- the figure, with -s
    failures = [failure for player in playing for failure in player.failures]
    assert not failures, "every battle that was acknowledged is found again"
    assert "Traceback" not in printed, printed
    assert dict(kept) == told and len(kept) == len(told), "a vote is there once"
    assert told and ends["decided"] and set(ends) <= {"decided", "void"}
