"""Server-sent events: their names and order, and that a client which drops out loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from arena.adapters.battles import CALM_S, MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.core.battle.entities import Battle
from arena.core.battle.view import State
from arena.core.errors import StoreFault
from arena.core.ports import Event
from arena.web.api.events import EventStream, Straight
from tests.playing import Table, eventually
from tests.web.calling import MAKERS, Play, Source, called, opened, voting


def without_gates(names: list[str]) -> list[str]:
    """The names, but one `token` for several and no `gate`, of which there are as many as the
    machine is slow."""
    kept = [name for name in names if name != "gate"]
    return [n for n, before in zip(kept, ["", *kept], strict=False) if n != before or n != "token"]


def test_a_battle_is_told_by_name_from_its_start_to_its_end(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, format="knockout")
        replies = {}
        for number in (1, 2):
            replies |= (await voting(client, path))["replies"]
            vote = {"round": number, "judgement": "drop", "seat": "A" if number == 1 else "C"}
            await client.post(f"{path}/votes", json=vote)
        seen = Source(client, path)
        await seen.follow()
        assert without_gates(seen.names) == [
            *("round", "token", "round"),
            *("eliminated", "round", "token", "round"),
            *("eliminated", "finished"),
        ]
        assert [body["seats"] for body in seen.bodies if "seats" in body] == [["A"], ["C"]]
        opening = [body["open"] for body in seen.bodies if "open" in body]
        assert opening[0] is False and opening[-1] is True
        first = seen.names.index("token")
        assert seen.bodies[first - 1].get("open"), "and only then there is text"
        assert {seat: [seen.text(seat)] for seat in "ABC"} == replies
        assert not [name for name in MAKERS if name in str(seen.bodies)]
        await seen.follow()
        assert seen.closed, "an EventSource that asks again after the end is told to stop"

    play(scene)


def test_whatever_the_last_event_was_all_others_follow_once(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        await voting(client, path)
        await client.post(f"{path}/votes", json={"round": 1, "judgement": "drop", "seat": "A"})
        whole = Source(client, path)
        await whole.follow()
        assert whole.ids == sorted(set(whole.ids), key=float)
        for at_event, last in enumerate(whole.ids[:-1], start=1):
            rest = Source(client, path, last)
            await rest.follow()
            assert (rest.names, rest.bodies) == (whole.names[at_event:], whole.bodies[at_event:])
        odd = Source(client, path, "no-such-id")
        await odd.follow()
        assert odd.ids == whole.ids

    play(scene)


def test_an_id_beyond_the_end_stands_for_all_there_is_so_far(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        await voting(client, path)
        seen = Source(client, path, "999999")
        async with asyncio.TaskGroup() as group:
            group.create_task(seen.follow())
            await eventually(lambda: at.feed.viewers(path.split("/")[-1]))
            await client.post(f"{path}/votes", json={"round": 1, "judgement": "drop", "seat": "A"})
        assert seen.names == ["eliminated", "finished"]

    play(scene)


async def halfway(client: httpx.AsyncClient, at: Table) -> tuple[str, Source]:
    """The path of a new battle, and a client that dropped out once it had a part of each reply.
    However slow the machine is, no model writes the rest before that."""
    (host,) = at.hosts
    host.fault("stall", frame=40, times=3)
    path = await opened(client)
    seen = Source(client, path)
    while not all(seen.text(seat) for seat in "ABC"):
        await seen.follow(most=1)
    # One that comes there later would be held for good.
    await host.wait_for(lambda: host.stats.held == 3)
    host.clear_faults()
    return path, seen


def test_a_client_that_drops_out_while_text_comes_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path, seen = await halfway(client, at)
        while "voting" not in [body.get("state", {}).get("phase") for body in seen.bodies]:
            await seen.follow(most=1)
        replies = (await client.get(path)).json()["replies"]
        assert {seat: [seen.text(seat)] for seat in "ABC"} == replies
        assert seen.ids == sorted(set(seen.ids), key=float)

    called(tmp_path, scene)


@pytest.mark.parametrize("times", [1, 2])
def test_who_comes_back_to_a_battle_that_had_left_memory_gets_its_text_anew(
    tmp_path: Path, times: int
) -> None:
    """The numbers of what was told have left it too: nobody knows how much of it a client has."""
    now = [0.0]
    feed = MemoryFeed()
    battles = MemoryBattles(
        clock=lambda: now[0], forgotten=feed.forget, found=feed.found_again, viewers=feed.viewers
    )

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path, seen = await halfway(client, at)
        await (begun := Source(client, path)).follow(most=1)
        replies = (await voting(client, path))["replies"]
        had = {seat: [seen.text(seat)] for seat in "ABC"}
        assert had != replies
        battle = path.split("/")[-1]
        for _ in range(times):
            await eventually(lambda: not feed.viewers(battle))
            now[0] += CALM_S + 1
            await battles.under_way()
            assert feed.last(battle) == 0, "it has left memory"
            for came in (whole := Source(client, path), begun, seen):
                async with asyncio.timeout(10):
                    await came.follow(most=2)
                assert {seat: [came.text(seat)] for seat in "ABC"} == replies
                assert came.bodies[-1]["state"]["phase"] == "voting"
                assert came.ids == sorted(set(came.ids), key=float)
            assert not any(body.get("anew") for body in whole.bodies)

    called(tmp_path, scene, battles=battles, feed=feed)


def test_a_stream_gets_out_where_a_layer_keeps_the_head_until_there_is_a_body() -> None:
    """And what follows passes by that layer."""
    sent: list[Message] = []
    passed: list[str] = []

    async def told() -> AsyncIterator[bytes]:
        for word in (b"retry: 1", b"one", b"two"):
            yield word

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        kept: list[Message] = []

        async def late(message: Message) -> None:
            kept.append(message)
            passed.append(message["type"])
            if message["type"] == "http.response.body":
                for each in kept:
                    await send(each)
                kept.clear()

        await EventStream(told(), media_type="text/event-stream")(scope, receive, late)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.Future()

    asyncio.run(Straight(layer)({"type": "http"}, receive, send))
    assert [message["type"].rpartition(".")[2] for message in sent] == ["start", *["body"] * 4]
    assert [message["body"] for message in sent[1:]] == [b"retry: 1", b"one", b"two", b""]
    assert passed == ["http.response.start", "http.response.body"]


def test_who_hangs_up_is_no_viewer_any_more(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        battle = path.split("/")[-1]
        await Source(client, path).follow(most=1)
        async with asyncio.TaskGroup() as group:
            held = group.create_task(Source(client, path).follow())
            await eventually(lambda: at.feed.viewers(battle) == 1)
            held.cancel()
        await eventually(lambda: at.feed.viewers(battle) == 0)

    play(scene)


def test_a_battle_that_fails_ends_as_void(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        seen = Source(client, path)
        async with asyncio.TaskGroup() as group:
            group.create_task(seen.follow())
            await eventually(lambda: seen.ids)
            await client.delete(path)
        assert seen.names[-1] == "void" and seen.bodies[-1]["state"]["notice"]

    play(scene)


@asynccontextmanager
async def followed(client: httpx.AsyncClient) -> AsyncIterator[tuple[str, Source]]:
    """A battle of two that can be voted on, and somebody who follows it to its end."""
    path = await opened(client, size=2)
    await voting(client, path)
    seen = Source(client, path)
    async with asyncio.TaskGroup() as group:
        group.create_task(seen.follow())
        await eventually(lambda: seen.ids)
        yield path, seen


class Deaf(MemoryFeed):
    """A feed that is not told how a battle ends, as when whoever moved it died."""

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:
        if isinstance(event, State) and event.phase == "decided":
            return 0
        return await super().publish(battle_id, event, playing=playing)


def test_silence_is_filled_with_signs_of_life_until_the_end_is_known(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async with followed(client) as (path, seen):
            await eventually(lambda: seen.signs_of_life > 1)
            await client.post(f"{path}/votes", json={"round": 1, "judgement": "tie"})
        assert seen.names[-1] == "finished"

    called(tmp_path, scene, feed=Deaf(heartbeat_s=0.02))


class Hoarse(MemoryFeed):
    """A feed that is not told that voting is open, until it is said once more."""

    said = 0

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:
        if isinstance(event, State) and event.phase == "voting":
            self.said += 1
            if self.said == 1:
                return 0
        return await super().publish(battle_id, event, playing=playing)


def test_who_waits_is_told_at_last_what_nobody_told(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        seen = Source(client, path)
        async with asyncio.TaskGroup() as group:
            group.create_task(seen.follow())
            await eventually(lambda: seen.bodies and seen.bodies[-1].get("state", {}).get("ballot"))
            await client.post(f"{path}/votes", json={"round": 1, "judgement": "tie"})
        assert seen.names[-1] == "finished"

    called(tmp_path, scene, feed=Hoarse(heartbeat_s=0.02))


def test_a_stream_ends_with_a_battle_that_is_forgotten(tmp_path: Path) -> None:
    store = MemoryBattles()

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async with followed(client) as (path, _):
            store._battles.clear()
        assert (await client.get(path)).status_code == 404

    called(tmp_path, scene, battles=store, feed=MemoryFeed(heartbeat_s=0.02))


class Away(MemoryBattles):
    """A store that cannot be read while `away`."""

    away = False

    async def load(self, battle_id: str) -> Battle:
        if self.away:
            raise StoreFault("It is away.")
        return await super().load(battle_id)


def test_a_stream_outlives_a_store_that_is_away_for_a_while(tmp_path: Path) -> None:
    store = Away()

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async with followed(client) as (path, seen):
            store.away, before = True, seen.signs_of_life
            await eventually(lambda: seen.signs_of_life > before + 2)
            store.away = False
            await client.post(f"{path}/votes", json={"round": 1, "judgement": "tie"})
        assert seen.names[-1] == "finished"

    called(tmp_path, scene, battles=store, feed=MemoryFeed(heartbeat_s=0.02))
