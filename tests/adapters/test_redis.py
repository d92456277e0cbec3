"""Several replicas of an arena on one real Redis: what they see of each other, what is left of one
that dies, and what becomes of all when Redis freezes, dies, or says no."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis

from arena.adapters.redis import RedisBattles, RedisFeed, RedisPeers, RedisStore
from arena.core.battle.entities import Phase
from arena.core.codec import encode
from arena.core.errors import ArenaError, ConfigError, StaleVote, StoreFault
from arena.core.hosts.placement import Candidate
from arena.core.hosts.sharing import Desk, Waiting
from arena.core.ports import Event
from tests.adapters.replicas import (
    Follower,
    Opener,
    Replica,
    battle,
    delta,
    in_order,
    in_redis,
    next_version,
    run,
)
from tests.playing import eventually
from tests.redis_server import RedisServer

SHORT = {"answer_s": 0.3, "patience_s": 30.0, "heartbeat_s": 0.1}


@pytest.fixture
def replica(redis_server: RedisServer, prefix: str) -> Opener:
    return in_redis(redis_server, prefix)


async def until_it_answers(here: Replica) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await here.battles.under_way()
                return
            except StoreFault:
                await asyncio.sleep(0.01)


# What they see of each other ----------------------------------------------------------------------


def test_a_battle_opened_on_one_replica_is_moved_on_another(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            await one.battles.save(battle())
            moved = next_version(await other.battles.load("b"), entered=2)
            await other.battles.save(moved)
            with pytest.raises(StaleVote):
                await one.battles.save(next_version(battle(), entered=3))
            assert await one.battles.load("b") == moved
            assert await one.battles.under_way() == {"b"}

    run(scene)


def test_followers_on_all_replicas_are_told_what_any_of_them_publishes(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            async with Follower(one.feed) as here, Follower(other.feed) as there:
                for number in range(1, 41):
                    by = (one, other)[number % 2]
                    assert await by.feed.publish("b", delta(number)) == number
                assert await here.heard(40) == in_order(40)
                assert await there.heard(40) == in_order(40)

    run(scene)


def test_a_round_is_told_by_nobody_but_who_has_claimed_it(replica: Opener) -> None:
    async def scene() -> None:
        async with replica(owner_s=60.0) as one, replica() as other:
            await one.battles.save(battle())
            assert await one.feed.publish("b", delta(1), playing=True) == 1, "nobody has"
            assert await one.battles.claim("b")
            assert await one.feed.publish("b", delta(2), playing=True) == 2
            assert await other.feed.publish("b", delta(3)) == 3, "a move is not of the round"
            with pytest.raises(StaleVote):
                await other.feed.publish("b", delta(9), playing=True)
            assert await other.feed.publish("b", delta(4)) == 4, "what was refused is forgotten"
            await one.battles.release("b")
            assert await other.battles.claim("b")
            with pytest.raises(StaleVote):
                await one.feed.publish("b", delta(9), playing=True)
            assert await other.feed.publish("b", delta(5), playing=True) == 5
            async with Follower(one.feed) as seen:
                assert await seen.heard(5) == in_order(5)

    run(scene)


def test_all_followers_of_a_replica_share_one_connection(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        before = redis_server.listening()
        async with replica() as here:
            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(here.feed.publish(f"b{number}", delta(1)))
            followers = [Follower(here.feed, f"b{n % 30}") for n in range(60)]
            for follower in followers:
                await follower.__aenter__()
            for follower in followers:
                assert await follower.heard(1) == in_order(1)
            assert redis_server.listening() == before + 1
            for follower in followers:
                await follower.leave()

    run(scene)


def test_viewers_are_counted_on_all_replicas(replica: Opener) -> None:
    async def scene() -> None:
        async with replica(beat_s=0.05) as one, replica(beat_s=0.05) as other:
            async with Follower(one.feed), Follower(other.feed), Follower(other.feed):
                await eventually(lambda: one.feed.viewers("b") == other.feed.viewers("b") == 3)
                assert one.feed.viewers("another") == 0
            await eventually(lambda: one.feed.viewers("b") == other.feed.viewers("b") == 0)

    run(scene)


def test_the_viewers_of_a_replica_that_died_are_soon_counted_no_more(replica: Opener) -> None:
    async def scene() -> None:
        quick = {"beat_s": 0.05, "gone_s": 0.4}
        async with replica(**quick) as one, replica(**quick) as other:
            async with Follower(one.feed), Follower(other.feed):
                await eventually(lambda: one.feed.viewers("b") == 2)
                await other.die()
                assert one.feed.viewers("b") == 2
                await eventually(lambda: one.feed.viewers("b") == 1)

    run(scene)


def test_a_key_given_on_one_replica_holds_on_all(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            assert await one.battles.first("key", "b1") == "b1"
            assert await other.battles.first("key", "b2") == "b1"

    run(scene)


def test_limits_count_what_is_taken_on_all_replicas(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            takes = [by.limits.take("key", 5, 60) for by in (one, other) for _ in range(9)]
            assert (await asyncio.gather(*takes)).count(0.0) == 5

    run(scene)


# Claims -------------------------------------------------------------------------------------------


def test_a_claim_is_for_one_replica_until_it_lets_go(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            assert await one.battles.claim("b") and not await other.battles.claim("b")
            await other.battles.release("b")
            assert not await other.battles.claim("b")
            await one.battles.release("b")
            assert await other.battles.claim("b") and not await one.battles.claim("b")

    run(scene)


def test_of_many_who_claim_at_once_one_succeeds(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            claims = [by.battles.claim(f"b{n}") for n in range(10) for by in (one, other)]
            won = await asyncio.gather(*claims)
            assert all(won[i] != won[i + 1] for i in range(0, 20, 2))

    run(scene)


def test_what_a_replica_that_died_was_writing_is_taken_over_by_exactly_one(replica: Opener) -> None:
    async def scene() -> None:
        async with replica(owner_s=0.3) as dead, replica(owner_s=0.3) as one:
            for name in "abcd":
                await dead.battles.save(battle(name))
                assert await dead.battles.claim(name)
            await dead.battles.save(next_version(battle("c"), phase=Phase.VOTING))
            await dead.battles.save(next_version(battle("d"), phase=Phase.VOID))
            assert await one.battles.orphans() == ()
            await dead.die()
            async with replica(owner_s=0.3) as other:
                taken: list[str] = []
                async with asyncio.timeout(30):
                    while len(taken) < 2:
                        found = await asyncio.gather(*(r.battles.orphans() for r in (one, other)))
                        taken += [name for names in found for name in names]
                assert sorted(taken) == ["a", "b"], "each of them once"
                claims = [await r.battles.claim(n) for r in (one, other) for n in "ab"]
                assert claims.count(True) == 2

    run(scene)


def test_a_battle_that_was_just_opened_is_no_orphan(replica: Opener) -> None:
    async def scene() -> None:
        async with replica() as one, replica() as other:
            await one.battles.save(battle())
            assert await other.battles.orphans() == ()
            assert await one.battles.claim("b")

    run(scene)


# Redis away ---------------------------------------------------------------------------------------


def test_while_redis_is_frozen_everything_is_a_store_fault_in_kind_words(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(answer_s=0.2, patience_s=0.1) as here:
            await here.battles.save(battle())
            with redis_server.frozen():
                told = await asyncio.gather(
                    here.battles.load("b"),
                    here.battles.save(next_version(battle())),
                    here.battles.under_way(),
                    here.battles.claim("b"),
                    here.feed.publish("b", delta(1)),
                    here.limits.take("key", 1, 60),
                    return_exceptions=True,
                )
            for fault in told:
                assert isinstance(fault, StoreFault)
                assert "Please try again in a moment" in fault.public
                assert "127.0.0.1" not in fault.public
            await until_it_answers(here)

    run(scene)


def test_a_follower_goes_on_from_where_it_was_when_redis_is_back(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(**SHORT) as one, replica(**SHORT) as other:
            for number in range(1, 6):
                await one.feed.publish("b", delta(number))
            async with Follower(one.feed) as here, Follower(other.feed, after=3) as there:
                await here.heard(5)
                await there.heard(2)
                redis_server.kill()
                beats = here.heartbeats
                more = asyncio.create_task(_publish(other, range(6, 31)))
                await eventually(lambda: here.heartbeats > beats + 2)
                redis_server.start()
                await more
                assert await here.heard(30) == in_order(30)
                assert await there.heard(27) == in_order(30, after=3)

    run(scene)


async def _publish(by: Replica, numbers: range) -> None:
    for number in numbers:
        assert await by.feed.publish("b", delta(number)) == number


def test_what_was_sent_to_a_frozen_redis_again_and_again_is_there_once(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        hasty = {**SHORT, "answer_s": 0.1, "heartbeat_s": 0.05}
        async with replica(**hasty) as here, Follower(here.feed) as follower:
            await here.feed.publish("b", delta(1))
            with redis_server.frozen():
                more = asyncio.create_task(_publish(here, range(2, 9)))
                await eventually(lambda: follower.heartbeats > 8)
                assert not more.done()
            await more
            assert await follower.heard(8) == in_order(8)
            assert redis_server.ask("XLEN", stream(here)) == 8

    run(scene)


def stream(here: Replica) -> str:
    assert here.store
    return here.store.key("feed", "b")


def test_what_a_publisher_that_was_cancelled_sent_stands_before_what_follows(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(**SHORT) as here, Follower(here.feed) as follower:
            await here.feed.publish("b", delta(1))
            with redis_server.frozen():
                cancelled = asyncio.create_task(here.feed.publish("b", delta(2)))
                await eventually(lambda: follower.heartbeats > 1)
                cancelled.cancel()
                await asyncio.gather(cancelled, return_exceptions=True)
            assert await here.feed.publish("b", delta(3)) == 3
            assert await follower.heard(3) == in_order(3)

    run(scene)


def test_an_event_that_was_given_up_and_is_there_after_all_is_not_told_twice(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(**{**SHORT, "patience_s": 0.1}) as here:
            async with Follower(here.feed) as follower:
                await here.feed.publish("b", delta(1))
                with redis_server.frozen(), pytest.raises(StoreFault):
                    await here.feed.publish("b", delta(2))
                await follower.heard(2)
                with pytest.raises(StaleVote):
                    await here.feed.publish("b", delta(2))
                assert await here.feed.publish("b", delta(3)) == 3
                assert await follower.heard(3) == in_order(3)

    run(scene)


def test_a_connection_that_breaks_while_more_is_asked_of_it_is_taken_up_once(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        store = RedisStore(redis_server.url, prefix=prefix)
        heard: list[str] = []
        try:
            for number in range(0, 20, 2):
                with redis.Redis.from_url(redis_server.url) as other:
                    other.client_kill_filter(_type="pubsub")
                for _ in range(number):  # Each time further on with what it does about it.
                    await asyncio.sleep(0)
                channel, ready = store.key(str(number)), asyncio.Event()
                store.ear.listen(channel, heard.append, ready.set)
                async with asyncio.timeout(10):
                    await ready.wait()
            with redis.Redis.from_url(redis_server.url) as other:
                assert len(other.client_list(_type="pubsub")) == 1
                other.publish(channel, "news")
            await eventually(lambda: heard == ["news"])
        finally:
            await store.close()
            gc.collect()

    run(scene)


def test_whoever_watched_counts_until_redis_was_back_for_a_while(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        quick = {**SHORT, "heartbeat_s": 0.02, "beat_s": 0.02, "gone_s": 0.3}
        async with replica(**quick) as one, replica(**quick) as other:
            async with Follower(one.feed, "clock") as clock, Follower(other.feed):
                await eventually(lambda: one.feed.viewers("b") == 1)
                redis_server.kill()
                await other.die()
                beats = clock.heartbeats
                await eventually(lambda: clock.heartbeats > beats + 20)
                assert one.feed.viewers("b") == 1, "while Redis is away"
                back = time.monotonic()
                redis_server.start()
                await until_it_answers(one)
                beats = clock.heartbeats
                await eventually(lambda: clock.heartbeats > beats + 4)
                still, late = one.feed.viewers("b"), time.monotonic() - back > quick["gone_s"]
                assert still == 1 or late, "so that the others can tell who watches there"
                await eventually(lambda: one.feed.viewers("b") == 0)

    run(scene)


def test_an_event_of_which_the_word_was_lost_is_read_when_the_next_one_comes(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica() as here, Follower(here.feed) as follower:
            await here.feed.publish("b", delta(1))
            await follower.heard(1)
            text = json.dumps(encode(delta(2), Event))
            redis_server.ask("XADD", stream(here), "0-2", "event", text)
            assert await here.feed.publish("b", delta(3)) == 3
            assert await follower.heard(3) == in_order(3)

    run(scene)


def test_of_many_saves_on_two_replicas_after_redis_was_away_one_is_made(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(**SHORT) as one, replica(**SHORT) as other:
            await one.battles.save(battle())
            redis_server.kill()
            with pytest.raises(StoreFault):
                await one.battles.save(next_version(battle()))
            redis_server.start()
            await until_it_answers(one)
            await until_it_answers(other)
            moves = [next_version(battle(), void_reason=str(n)) for n in range(6)]
            saves = [(one, other)[n % 2].battles.save(move) for n, move in enumerate(moves)]
            ends = await asyncio.gather(*saves, return_exceptions=True)
            assert [type(end) for end in ends].count(StaleVote) == 5
            assert await other.battles.load("b") == moves[ends.index(None)]

    run(scene)


def test_where_redis_lost_its_newest_events_a_page_goes_on_from_what_is_left(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica(**SHORT) as here, Follower(here.feed) as follower:
            for number in range(1, 6):
                await here.feed.publish("b", delta(number))
            await follower.heard(5)
            redis_server.ask("DEL", stream(here), f"{stream(here)}:authors")
            for number in (1, 2):
                text = json.dumps(encode(delta(number), Event))
                redis_server.ask("XADD", stream(here), f"0-{number}", "event", text)
            redis_server.kill()
            redis_server.start()
            await eventually(lambda: follower.ended)
            async with Follower(here.feed, after=5) as again:
                with pytest.raises(StaleVote):
                    await here.feed.publish("b", delta(6))
                assert await here.feed.publish("b", delta(3)) == 3
                assert await again.heard(1) == in_order(3, after=2)

    run(scene)


@asynccontextmanager
async def losing(server: RedisServer) -> AsyncIterator[Lossy]:
    proxy = Lossy(server.port)
    listening = await asyncio.start_server(proxy.pass_on, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield proxy


@dataclass
class Lossy:
    """A way to Redis on which connections break between what was done and the word of it."""

    to: int
    port: int = 0
    lose: int = 0
    """So many answers to come are lost."""
    lost: int = 0

    async def pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            while asked := await reader.read(65536):
                to_redis.write(asked)
                answer = await from_redis.read(65536)
                if self.lose and b"EVALSHA" in asked and not answer.startswith(b"-NOSCRIPT"):
                    self.lose -= 1
                    self.lost += 1
                    break
                writer.write(answer)
        finally:
            writer.close()
            to_redis.close()


def test_what_was_done_though_the_word_of_it_was_lost_is_done_once(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with losing(redis_server) as proxy:
            store = RedisStore(f"redis://127.0.0.1:{proxy.port}", prefix=prefix)
            battles, feed, peers = RedisBattles(store), RedisFeed(store), RedisPeers(store)
            now = battle()
            for turn in range(1, 4):
                proxy.lose = turn % 2
                await battles.save(now)
                proxy.lose = turn % 2
                assert await feed.publish("b", delta(turn)) == turn
                proxy.lose = turn % 2
                assert await battles.claim("b")
                now = next_version(now)
            with pytest.raises(StaleVote):
                await battles.save(replace(now, version=3))
            desk = Desk(
                {},
                (Waiting("t", 0, "m", "w"),),
                {"w": (Candidate("h", True, True, 0, 1, runner="m"),)},
            )
            proxy.lose = 1
            agreed = await peers.agree(desk)
            assert agreed.granted["t"][0] == ("h", "m") and agreed.held == {("h", "m"): 1}
            assert proxy.lost == 7 and not proxy.lose
            await store.close()

    run(scene)


# What Redis refuses -------------------------------------------------------------------------------


def test_a_record_of_a_newer_arena_is_refused_in_words(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        async with replica() as here:
            await here.battles.save(battle())
            assert here.store
            key = here.store.key("battle", "b")
            for text in ('{"colour": "red"}', "{"):
                redis_server.ask("HSET", key, "battle", text)
                with pytest.raises(StoreFault, match="newer version"):
                    await here.battles.load("b")

    run(scene)


def opening(url: str, **options: Any) -> ArenaError:
    """Why the store cannot be opened."""

    async def scene() -> None:
        store = RedisStore(url, answer_s=5.0, **options)
        try:
            await store.open()
        finally:
            await store.close()

    with pytest.raises(ArenaError) as told:
        asyncio.run(scene())
    assert "\n" not in str(told.value)
    return told.value


def test_a_store_that_is_there_opens_and_can_be_opened_from_another_loop(
    redis_server: RedisServer, prefix: str
) -> None:
    store = RedisStore(redis_server.url, prefix=prefix)
    asyncio.run(store.open())
    asyncio.run(store.open())


def test_a_server_that_is_not_there_is_told_where_it_was_looked_for() -> None:
    fault = opening("redis://:sesame@127.0.0.1:1/0")
    assert isinstance(fault, StoreFault)
    assert "127.0.0.1:1 cannot be reached" in str(fault) and "REDIS_URL" in str(fault)
    assert "sesame" not in str(fault)


@pytest.fixture(scope="module")
def strict_server(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """One that wants a password, holds little, and has a user who may do nothing."""
    server = RedisServer(
        tmp_path_factory.mktemp("strict"), password="sesame", maxmemory="4mb", appendonly="no"
    )
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:wrong@"])
def test_a_wrong_password_is_a_setting_and_is_not_shown(
    strict_server: RedisServer, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fault = opening(f"redis://{login}127.0.0.1:{strict_server.port}")
    assert isinstance(fault, ConfigError) and "REDIS_URL" in str(fault)
    assert "wrong" not in str(fault) + caplog.text


@pytest.mark.parametrize("option", ["sesame=1", "socket_timeout=sesame", "ssl_cert_reqs=sesame"])
def test_an_option_of_the_address_that_redis_does_not_take_is_a_setting(option: str) -> None:
    fault = opening(f"rediss://127.0.0.1:1/0?{option}")
    assert isinstance(fault, ConfigError) and "REDIS_URL" in str(fault)
    assert "sesame" not in str(fault)


def test_a_full_server_is_a_store_fault_and_the_operator_is_told_why(
    strict_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        full = replace(battle(), void_reason="x" * 300_000)
        opener = in_redis(strict_server, "full:")
        async with opener() as here:
            with pytest.raises(StoreFault):  # noqa: PT012 -- which one is too much is Redis' affair
                for number in range(99):
                    await here.battles.save(replace(full, id=f"b{number}"))
            assert "is full" in caplog.text and "sesame" not in caplog.text
            await here.battles.load("b0")

    run(scene)
