"""A whole deployment behind nginx, while its parts are killed and started again: what was
acknowledged is kept, once, and every battle comes to its end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from arena.web.headers import REPLICA
from tests.cluster import Cluster, Member, clustered
from tests.players import OVER, Player, Story
from tests.postgresql import Postgresql
from tests.redis_server import RedisServer
from tests.running import READY_S, commanded, wait_until

pytest_plugins = ["tests.postgresql", "tests.redis_server"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PLAYERS = 4
AWAY_S = 3.0
"""Longer than any answer is waited for, shorter than what is promised to be waited through."""


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, postgresql: Postgresql
) -> Iterator[Cluster]:
    with clustered(tmp_path_factory.mktemp("cluster"), redis_server, postgresql) as cluster:
        yield cluster


async def until(met: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Look again until it is so; no event comes from other processes."""
    try:
        async with asyncio.timeout(timeout_s):
            while not met():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what}") from None


class Trouble:
    """What goes wrong, one after the other, while the players play."""

    def __init__(self, cluster: Cluster, players: list[Player]) -> None:
        self._cluster = cluster
        self._players = players
        self.cut_off: list[str] = []
        """Battles whose replica was killed while their replies were being written."""

    async def make(self) -> None:
        cluster = self._cluster
        await self._kill_a_replica_that_writes()
        await self._some_battles()
        await self._pause_battles()
        await self._some_battles()
        await self._refuse_votes()
        await self._some_battles()
        await self._restart(cluster.hosts[0], signal.SIGKILL)
        await self._some_battles()
        await self._restart(cluster.replicas[1], signal.SIGTERM)
        await self._some_battles()

    async def _kill_a_replica_that_writes(self) -> None:
        names: dict[str, Member] = {}
        async with httpx.AsyncClient(trust_env=False) as http:
            for replica in self._cluster.replicas:
                answer = await http.get(f"http://{replica.address}/healthz")
                names[answer.headers[REPLICA]] = replica
        await until(self._writing, "replies are being written in a first round")
        story = self._writing()[0]
        self.cut_off = [s.battle for s in self._writing() if s.home == story.home]
        await self._restart(names[story.home], signal.SIGKILL)

    async def _pause_battles(self) -> None:
        """Redis is away for a while."""
        await asyncio.to_thread(self._cluster.redis.kill)
        try:
            await asyncio.sleep(AWAY_S)
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(f"{self._cluster.url}/readyz")).status_code == 503
        finally:
            await asyncio.to_thread(self._cluster.redis.start)

    async def _refuse_votes(self) -> None:
        """PostgreSQL is away until somebody has noticed."""
        before = self._refused()
        await asyncio.to_thread(self._cluster.postgresql.stop, "immediate")
        try:
            await asyncio.sleep(AWAY_S)
            await until(lambda: self._refused() > before, "somebody is refused")
        finally:
            # The tests after this one have the same server.
            await asyncio.shield(asyncio.to_thread(self._cluster.postgresql.start))

    def _refused(self) -> int:
        return sum(player.asked_again for player in self._players)

    def _writing(self) -> list[Story]:
        now = [player.now for player in self._players if player.now]
        return [story for story in now if story.mid_generation and story.state["round"] == 1]

    async def _restart(self, member: Member, how: signal.Signals) -> None:
        code = await asyncio.to_thread(member.end, how)
        assert code == (0 if how is signal.SIGTERM else -how)
        await asyncio.to_thread(member.start)
        async with asyncio.timeout(READY_S):
            while not await asyncio.to_thread(member.usable):
                await asyncio.sleep(0.1)

    async def _some_battles(self) -> None:
        """Each player comes to the end of a battle and begins another; returns while somebody is
        shown text."""
        wanted = [len(player.stories) + 1 for player in self._players]
        await until(
            lambda: all(
                len(player.stories) >= n for player, n in zip(self._players, wanted, strict=True)
            ),
            "everybody plays on",
        )
        await until(lambda: any(p.now and p.now.mid_generation for p in self._players), "text")


async def played(cluster: Cluster) -> tuple[list[Player], Trouble]:
    """Players and trouble at once, until the trouble is over and all battles are."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=cluster.url, trust_env=False, timeout=20, limits=limits
    ) as http:
        players = [Player(http) for _ in range(PLAYERS)]
        trouble = Trouble(cluster, players)
        async with asyncio.TaskGroup() as group:
            making = group.create_task(trouble.make())
            for player in players:
                group.create_task(player.play_until(making.done))
        return players, trouble


def test_nothing_acknowledged_is_lost_or_doubled_while_parts_are_killed(cluster: Cluster) -> None:
    before = {(b["battle"], b["round"]) for b in cluster.ballots()}
    # In a thread of its own: the browser of this file holds an event loop in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        players, trouble = thread.submit(asyncio.run, played(cluster)).result()
    stories = [story for player in players for story in player.stories]
    report(players, stories, trouble, cluster)
    assert not [failure for player in players for failure in player.failures]
    assert "Traceback" not in cluster.printed(), cluster.printed()

    assert {story.state["phase"] for story in stories} <= set(OVER), "a battle is stuck"
    decided = [story for story in stories if story.state["phase"] == "decided"]
    assert len(decided) > len(stories) / 2
    assert trouble.cut_off, "no replica was killed while it wrote"

    acknowledged = {(s.battle, round): live for s in stories for round, live in s.votes.items()}
    kept = cluster.ballots()
    assert len(kept) == len({(b["battle"], b["round"]) for b in kept}), "a vote was kept twice"
    assert {(b["battle"], b["round"]) for b in kept} - before == acknowledged.keys()
    rows = {(b["battle"], b["round"]): b["rows"] for b in kept}
    assert all(rows[voted] == live - 1 for voted, live in acknowledged.items())

    for story in stories:
        assert story.ids == sorted(set(story.ids)), "an event came twice or out of order"
    for story in decided:
        shown = {
            (seat, turn) for seat, texts in story.replies.items() for turn in range(len(texts))
        }
        assert shown == story.texts.keys()
        for (seat, turn), text in story.texts.items():
            assert text == story.replies[seat][turn], "text was lost or doubled"
    assert [s for s in decided if s.resumed > 2], "nobody resumed a stream"

    wandered = [s for s in decided if set.union(*s.replicas.values()) - {s.home}]
    assert [s for s in wandered if s.replicas["vote"] - {s.home} and s.replicas["watch"] - {s.home}]


def report(players: list[Player], stories: list[Story], trouble: Trouble, cluster: Cluster) -> None:
    """What was seen, for whoever runs this by hand."""
    phases = [story.state["phase"] for story in stories]
    cut = {s.battle: s.state["phase"] for s in stories if s.battle in trouble.cut_off}
    sys.stdout.write(
        f"{len(stories)} battles: {phases.count('decided')} decided, {phases.count('void')} void; "
        f"{sum(len(s.votes) for s in stories)} votes acknowledged, {len(cluster.ballots())} ballots "
        f"kept; {sum(s.resumed for s in stories)} streams resumed; "
        f"{sum(p.asked_again for p in players)} calls repeated; cut off: {cut}\n"
    )


def test_deploy_check_finds_this_deployment_sound(cluster: Cluster) -> None:
    shared = {"DATABASE_URL": cluster.database_url, "REDIS_URL": cluster.redis.url}
    _, told = commanded("deploy-check", "--json", "--url", cluster.url, **shared)
    findings: list[dict[str, Any]] = json.loads(told)["findings"]
    wrong = [f for f in findings if f["status"] != "ok"]
    # The PostgreSQL of the tests is set up so, as no test pulls the plug of the machine.
    assert [f["check"] for f in wrong] == ["ledger"] and "fsync" in wrong[0]["message"], wrong
    assert "2 replicas answer" in [f["message"] for f in findings]


PROMPT = "#prompt textarea"
LIVE = ":not([disabled]):visible"
PATIENCE_MS = 60_000


def test_a_page_plays_on_when_its_replica_is_killed(cluster: Cluster, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    met: list[str] = []
    page.on("response", lambda r: met.append(r.headers.get(REPLICA.lower(), "")))
    page.goto(cluster.url)
    page.wait_for_selector("#send:not([disabled])")
    page.fill(PROMPT, "Why is the sky dark at night?")
    page.press(PROMPT, "Enter")
    page.wait_for_selector(f"[id^=vote-out-]{LIVE}")
    assert len(set(filter(None, met))) == 1, "a page met two replicas"
    home = next(r for r in cluster.replicas if named(r) == next(filter(None, met)))
    home.kill()
    page.locator(f"[id^=vote-out-]{LIVE}").first.click()
    page.wait_for_selector(f"[id^=better-]{LIVE}")
    page.locator(f"[id^=better-]{LIVE}").first.click()
    page.wait_for_selector("#reveal table")
    battle = page.evaluate("sessionStorage.getItem('arena-battle')")
    ballots = [ballot for ballot in cluster.ballots() if ballot["battle"] == battle]
    assert sorted((b["round"], b["rows"]) for b in ballots) == [(1, 2), (2, 1)]
    context.close()
    home.start()
    wait_until(home.usable, "the replica is usable again")


def named(replica: Member) -> str:
    with httpx.Client(trust_env=False) as http:
        return http.get(f"http://{replica.address}/healthz").headers[REPLICA]
