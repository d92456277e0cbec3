"""Slots, queue and breakers over several replicas, agreed on through a real Redis; and the same
contract held by one process on its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from arena.adapters.hosts import HostPool
from arena.adapters.hosts.leases import Leases, Ticket
from arena.adapters.hosts.shared_leases import AnyLeases, SharedLeases
from arena.adapters.redis import RedisPeers, RedisStore
from arena.core.battle.entities import Finished
from arena.core.battle.roster import of_models
from arena.core.errors import HostFault, StoreFault
from arena.core.hosts.placement import Breaker, Candidate, choose
from arena.core.hosts.sharing import Desk, Waiting
from tests.core.hosts.choices import CHOICES, by_chance
from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import CALM, eventually, writing
from tests.redis_server import RedisServer

ANYWHERE: frozenset[str] = frozenset()
NOTHING = Desk({}, (), {})


@dataclass
class House:
    """Hosts that need no asking: candidates by model, which a test may change."""

    slots: int = 1
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)

    def of(self, model: str, avoid: frozenset[str]) -> Iterable[Candidate]:
        usual = [Candidate("h", True, True, 0, self.slots, runner=model)]
        return [c for c in self.candidates.get(model, usual) if c.host not in avoid]


@dataclass
class Replica:
    leases: AnyLeases
    peers: RedisPeers | None = None
    store: RedisStore | None = None

    async def die(self) -> None:
        """End without a word to the others."""
        assert self.store and isinstance(self.leases, SharedLeases)
        await self.store.close()


Opener = Callable[..., AbstractAsyncContextManager[Replica]]


@asynccontextmanager
async def alone(house: House) -> AsyncIterator[Replica]:
    leases: Leases

    def counted(model: str, avoid: frozenset[str]) -> Iterable[Candidate]:
        for c in house.of(model, avoid):
            yield replace(c, leases=leases.held(c.host, c.runner), on_host=leases.held(c.host))

    leases = Leases(counted)
    yield Replica(leases)


def among_others(server: RedisServer, prefix: str) -> Opener:
    @asynccontextmanager
    async def opened(
        house: House, *, beat_s: float = 2.5, answer_s: float = 2.0, **times: Any
    ) -> AsyncIterator[Replica]:
        store = RedisStore(server.url, prefix=prefix, answer_s=answer_s)
        peers = RedisPeers(store, **times)
        leases = SharedLeases(house.of, peers, beat_s=beat_s)
        try:
            yield Replica(leases, peers, store)
        finally:
            await leases.close()
            await store.close()

    return opened


@pytest.fixture(params=["alone", "among others"])
def opened(request: pytest.FixtureRequest, prefix: str) -> Opener:
    if request.param == "alone":
        return alone
    return among_others(request.getfixturevalue("redis_server"), prefix)


@pytest.fixture
def replica(redis_server: RedisServer, prefix: str) -> Opener:
    return among_others(redis_server, prefix)


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


async def take(by: Replica, count: int, model: str = "m") -> list[Ticket]:
    """So many tickets, in order."""
    return [await by.leases.take(model, ANYWHERE) for _ in range(count)]


def places(tickets: Iterable[Ticket]) -> list[int]:
    return [ticket.place for ticket in tickets]


# One contract -------------------------------------------------------------------------------------


def test_no_more_than_the_slots_are_given_and_the_others_wait_in_their_order(
    opened: Opener,
) -> None:
    async def scene() -> None:
        async with opened(House(slots=2)) as here:
            tickets = await take(here, 5)
            assert [bool(t.host) for t in tickets] == [True, True, False, False, False]
            assert places(tickets) == [0, 0, 1, 2, 3]
            await eventually(lambda: here.leases.held("h") == 2 == here.leases.held("h", "m"))
            assert here.leases.waiting("m") == 3
            here.leases.give_back(tickets[1])
            await eventually(lambda: tickets[2].host == "h")
            await eventually(lambda: places(tickets[3:]) == [1, 2])
            here.leases.give_back(tickets[3])
            await eventually(lambda: tickets[4].place == 1)
            for ticket in tickets:
                here.leases.give_back(ticket)
            await eventually(lambda: here.leases.held("h") == 0)

    run(scene)


def test_runners_have_slots_of_their_own(opened: Opener) -> None:
    async def scene() -> None:
        async with opened(House()) as here:
            one, two = await take(here, 2)
            (other,) = await take(here, 1, "n")
            assert (one.runner, two.host, other.runner) == ("m", "", "n")
            assert two.place == 1

    run(scene)


def test_who_returns_a_lease_and_stands_again_is_before_those_who_came_later(
    opened: Opener,
) -> None:
    async def scene() -> None:
        house = House()
        async with opened(house) as here:
            first, second, third = await take(here, 3)
            house.candidates["m"] = []
            here.leases.stand_again(first)
            await eventually(lambda: places([first, second, third]) == [1, 2, 3])
            house.candidates.clear()
            here.leases.serve()
            await eventually(lambda: first.host)
            assert not second.host

    run(scene)


def test_however_many_wait_nobody_is_refused_and_a_free_slot_is_given(opened: Opener) -> None:
    """Whoever comes is of a battle that has begun: new ones wait before that."""

    async def scene() -> None:
        async with opened(House()) as here:
            tickets = await take(here, 150)
            assert places(tickets) == list(range(150))
            assert (await here.leases.take("n", ANYWHERE)).host
            here.leases.give_back(tickets[1])
            await eventually(lambda: tickets[2].place == 1)
            assert (await here.leases.take("m", ANYWHERE)).place == 149

    run(scene)


def test_whoever_goes_before_being_heard_of_leaves_nothing_behind(opened: Opener) -> None:
    async def scene() -> None:
        async with opened(House()) as here:
            coming = asyncio.create_task(here.leases.take("m", ANYWHERE))
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            (ticket,) = await take(here, 1)
            assert ticket.host

    run(scene)


def test_avoided_hosts_are_not_given(opened: Opener) -> None:
    async def scene() -> None:
        async with opened(House()) as here:
            ticket = await here.leases.take("m", frozenset({"h"}))
            assert (ticket.host, ticket.place) == ("", 1)
            assert (await here.leases.take("m", ANYWHERE)).host == "h"

    run(scene)


@pytest.mark.parametrize("case", [*CHOICES, *range(25)])
def test_the_same_host_is_chosen_as_by_one_process_alone(replica: Opener, case: str | int) -> None:
    candidates = CHOICES[case] if isinstance(case, str) else by_chance(case)

    async def scene() -> None:
        house = House()
        async with replica(house) as here:
            assert here.peers
            for c in candidates:
                for model, held in (("m", c.leases), ("else", c.on_host - c.leases)):
                    free = replace(c, slots=9, runner=model, crowded=False)
                    house.candidates[model] = [free]
                    await take(here, held, model)
                if c.on_trial:
                    for _ in range(3):
                        await here.peers.amend(c.host, lambda breaker, now: breaker.failed(now))
                    await here.peers.amend(c.host, lambda breaker, now: breaker.reprieved(now))
            house.candidates["m"] = candidates
            (ticket,) = await take(here, 1)
            best = choose(candidates)
            assert ticket.host == (best.host if best else "")

    run(scene)


# Over several replicas ----------------------------------------------------------------------------


def test_slots_and_queue_are_those_of_all_replicas(replica: Opener) -> None:
    async def scene() -> None:
        house = House(slots=2)
        async with replica(house) as one, replica(house) as other:
            tickets = []
            for number in range(6):
                tickets += await take((one, other)[number % 2], 1)
            assert places(tickets) == [0, 0, 1, 2, 3, 4]
            for number in range(4):
                (one, other)[number % 2].leases.give_back(tickets[number])
                await eventually(lambda n=number: tickets[n + 2].host)
                await eventually(lambda n=number: places(tickets[n + 3 :]) == list(range(1, 4 - n)))

    run(scene)


def test_a_lease_that_is_returned_goes_to_the_next_at_once_wherever_that_waits(
    replica: Opener,
) -> None:
    async def scene() -> None:
        no_beat = {"beat_s": 600.0, "desk_s": 600.0}
        async with replica(House(), **no_beat) as one, replica(House(), **no_beat) as other:
            (held,) = await take(one, 1)
            (waiting,) = await take(other, 1)
            waiting.moved.clear()
            one.leases.give_back(held)
            await waiting.moved.wait()
            assert waiting.host

    run(scene)


def test_never_are_more_replies_under_way_than_slots_however_many_replicas_ask(
    replica: Opener,
) -> None:
    async def scene() -> None:
        house, now, most, order = House(slots=3), 0, 0, []

        async def one_reply(by: Replica) -> None:
            nonlocal now, most
            ticket = await by.leases.take("m", ANYWHERE)
            while not ticket.host:
                ticket.moved.clear()
                await ticket.moved.wait()
            now += 1
            most = max(most, now)
            order.append(ticket.number)
            await asyncio.sleep(0.002)
            now -= 1
            by.leases.give_back(ticket)

        async with replica(house) as a, replica(house) as b, replica(house) as c:
            await asyncio.gather(*(one_reply(by) for _ in range(20) for by in (a, b, c)))
            assert most == 3
            overtaken = sum(n > m for i, n in enumerate(order) for m in order[i + 4 :])
            assert not overtaken, "nobody by more than those who are served together"

    run(scene)


def test_leases_and_place_of_a_replica_that_dies_go_to_those_who_wait(replica: Opener) -> None:
    async def scene() -> None:
        quick = {"desk_s": 0.5, "beat_s": 0.1}
        async with replica(House(), **quick) as one, replica(House(), **quick) as other:
            await take(other, 2)
            (waiting,) = await take(one, 1)
            assert waiting.place == 2
            await other.die()
            assert not waiting.host
            await eventually(lambda: waiting.host)

    run(scene)


def test_a_replica_that_is_shut_down_frees_its_leases_at_once(replica: Opener) -> None:
    async def scene() -> None:
        async with replica(House()) as one, replica(House()) as other:
            await take(other, 1)
            (waiting,) = await take(one, 1)
            await other.leases.close()
            await eventually(lambda: waiting.host)

    run(scene)


def test_hosts_left_alone_are_given_to_nobody_and_on_trial_to_one(replica: Opener) -> None:
    async def scene() -> None:
        house = House(slots=3)
        async with replica(house) as one, replica(house) as other:
            assert one.peers and other.peers
            for _ in range(3):
                await one.peers.amend("h", lambda breaker, now: breaker.failed(now))
            tickets = [*await take(one, 2), *await take(other, 2)]
            assert not any(t.host for t in tickets)
            await other.peers.amend("h", lambda breaker, now: breaker.reprieved(now))
            await eventually(lambda: any(t.host for t in tickets))
            (trying,) = [t for t in tickets if t.host]
            assert trying is tickets[0]
            await one.peers.amend("h", lambda breaker, now: breaker.succeeded())
            await eventually(lambda: sum(bool(t.host) for t in tickets) == 3)

    run(scene)


def test_failures_that_replicas_tell_at_the_same_time_all_count(replica: Opener) -> None:
    async def scene() -> None:
        async with replica(House()) as one, replica(House()) as other:
            assert one.peers and other.peers

            def fails(breaker: Breaker, now: float) -> Breaker:
                return replace(breaker, limit=99).failed(now)

            await asyncio.gather(*(by.peers.amend("h", fails) for by in (one, other) * 4))
            told = (await one.peers.agree(NOTHING)).breakers["h"]
            assert len(told.failures) == 8

    run(scene)


def test_what_a_replica_holds_stays_its_own_while_nobody_can_say_anything(replica: Opener) -> None:
    async def scene() -> None:
        times = {"desk_s": 0.1, "pause_s": 1.0}
        async with replica(House(), **times) as one, replica(House(), **times) as other:
            assert one.peers and other.peers
            holds = replace(NOTHING, held={"t1": ("h", "m")})
            wants = replace(
                NOTHING,
                waiting=(Waiting("t2", 0, "m", "w"),),
                wishes={"w": (Candidate("h", True, True, 0, 1, runner="m"),)},
            )
            await one.peers.agree(holds)
            await asyncio.sleep(0.2)  # Longer than a desk lasts, and nobody says a word.
            first = await other.peers.agree(wants)
            assert first.held == {("h", "m"): 1} and not first.granted
            roomy = {"w": (Candidate("h", True, True, 0, 9, runner="m"),)}
            early = await other.peers.agree(replace(wants, wishes=roomy))
            assert not early.granted, "others may have yet to say what they hold"
            assert 0 < early.again_s <= 1.0
            async with asyncio.timeout(30):
                while not (await other.peers.agree(replace(wants, wishes=roomy))).granted:
                    await one.peers.agree(holds)

    run(scene)


# Redis away ---------------------------------------------------------------------------------------


def test_while_redis_is_away_no_lease_is_given_and_afterwards_none_is_lost_or_doubled(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        quick = {"desk_s": 1.0, "beat_s": 0.1, "pause_s": 1.5}
        async with replica(House(slots=2), **quick) as one:
            async with replica(House(slots=2), **quick) as other:
                (mine,), (theirs,) = await take(one, 1), await take(other, 1)
                (waiting,) = await take(other, 1)
                redis_server.kill()
                with pytest.raises(StoreFault, match="try again in a moment"):
                    await one.leases.take("m", ANYWHERE)
                one.leases.give_back(mine)
                assert theirs.host and not waiting.host
                redis_server.start()
                await eventually(lambda: waiting.host)
                await eventually(lambda: one.leases.held("h") == 2 == other.leases.held("h"))
                (last,) = await take(one, 1)
                assert (last.host, last.place) == ("", 1)
                other.leases.give_back(theirs)
                await eventually(lambda: last.host)

    run(scene)


@pytest.mark.slow
def test_leases_outlast_a_redis_that_freezes_for_longer_than_a_desk_lasts(
    redis_server: RedisServer, replica: Opener
) -> None:
    async def scene() -> None:
        quick = {"desk_s": 1.0, "beat_s": 0.1, "pause_s": 2.0, "answer_s": 1.0}
        async with replica(House(), **quick) as one, replica(House(), **quick) as other:
            (held,) = await take(one, 1)
            (waiting,) = await take(other, 1)
            with redis_server.frozen():
                with pytest.raises(StoreFault):
                    await take(other, 1)
                await asyncio.sleep(0.5)  # Together with the answer waited for: longer.
            await eventually(lambda: other.leases.held("h") == 1)
            (last,) = await take(one, 1)
            assert not waiting.host and not last.host, "the one slot is still held"
            one.leases.give_back(held)
            await eventually(lambda: waiting.host)

    run(scene)


def test_leases_are_known_again_to_a_redis_that_forgot_everything(
    redis_server: RedisServer, replica: Opener, prefix: str
) -> None:
    async def scene() -> None:
        quick = {"desk_s": 2.0, "beat_s": 0.1, "pause_s": 1.0}
        async with replica(House(), **quick) as one, replica(House(), **quick) as other:
            await take(one, 1)
            (second,), (third,) = await take(other, 1), await take(one, 1)
            redis_server.ask("DEL", *(f"{prefix}{k}" for k in ("desks", "agreed")))
            (last,) = await take(other, 1)
            assert not any(t.host for t in (second, third, last))
            await eventually(lambda: places([second, third, last]) == [1, 2, 3])

    run(scene)


# Pools of hosts -----------------------------------------------------------------------------------

A, B = (
    FakeModel(name, load_s=0.05, ttft_s=0.01, tokens_per_s=200.0, text="one two three")
    for name in ("a:1", "b:1")
)
ASK = [{"role": "user", "content": "Why?"}]


@asynccontextmanager
async def pool_of(
    server: RedisServer,
    prefix: str,
    *hosts: FakeOllama,
    slots: int = 1,
    ahead_s: float = 0.0,
    **times: float,
) -> AsyncIterator[HostPool]:
    """One replica's pool. ahead_s: of its clock."""
    store = RedisStore(server.url, prefix=prefix)
    pool = HostPool(
        options={"num_ctx": 4096, "num_predict": 64},
        timeouts=CALM,
        peers=RedisPeers(store, **times),
        clock=lambda: time.monotonic() + ahead_s,
    )
    await pool.use([(host.url, "") for host in hosts], of_models(["a:1", "b:1"]), slots)
    await pool.look()
    try:
        yield pool
    finally:
        await pool.close()
        await store.close()


async def reply(pool: HostPool, name: str = "a:1", **asked: Any) -> Finished:
    contender = next(c for c in pool.contenders() if c.name == name)
    events = [event async for event in pool.reply(contender, ASK, **{"seed": 7, **asked})]
    assert isinstance(events[-1], Finished)
    return events[-1]


def looks(host: FakeOllama) -> int:
    """How often the host was asked what it is."""
    return sum(call.kind == "/api/version" for call in host.stats.requests)


def test_pools_ask_a_host_for_no_more_replies_at_once_than_it_has_slots(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True, num_parallel=9) as host:
            among = redis_server, prefix, host
            async with pool_of(*among, slots=2) as one, pool_of(*among, slots=2) as other:
                replies = [asyncio.create_task(reply(p)) for p in (one, other) for _ in range(5)]
                await host.wait_for(lambda: host.stats.active_streams == 2)
                most = 0
                while not all(task.done() for task in replies):
                    most = max(most, host.stats.active_streams)
                    assert max(writing(one), writing(other)) <= 2
                    await asyncio.sleep(0.002)
                await asyncio.gather(*replies)
                assert most == 2

    run(scene)


def test_a_host_that_fails_for_one_is_left_alone_by_all_and_tried_by_one(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as bad, FakeOllama([A, B], warm=True) as good:
            among = redis_server, prefix, bad, good
            async with pool_of(*among, slots=3) as one:
                async with pool_of(*among, slots=3, ahead_s=5000.0) as other:
                    bad.fault("drop_before_first", times=3)
                    for by in (one, other, one):
                        with pytest.raises(HostFault):
                            await reply(by, avoid=frozenset({good.url}))
                    for pool in (one, other):
                        await eventually(lambda p=pool: p.reports()[0].breaker == "open")
                        assert "left alone for 10 s" in " ".join(pool.problems)
                    asked = len(bad.stats.answers())
                    assert (await reply(other)).host == good.url
                    assert len(bad.stats.answers()) == asked
                    await bad.stop()
                    await one.look()
                    await bad.start()
                    await one.look()
                    for pool in (one, other):
                        await eventually(lambda p=pool: p.reports()[0].breaker == "trial")
                    away = frozenset({good.url})
                    replies = [
                        asyncio.create_task(reply(pool, avoid=away))
                        for pool in (one, other)
                        for _ in range(2)
                    ]
                    await bad.wait_for(lambda: len(bad.stats.answers()) > asked)
                    assert max(writing(one), writing(other)) == 1
                    await asyncio.gather(*replies)
                    assert all(len(pool.reports()) == 2 for pool in (one, other))
                    await eventually(lambda: other.reports()[0].breaker == "closed")

    run(scene)


def test_one_replica_looks_at_the_hosts_for_all(redis_server: RedisServer, prefix: str) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            async with pool_of(redis_server, prefix, host) as one:
                first = looks(host)
                async with pool_of(redis_server, prefix, host) as other:
                    assert looks(host) == first
                    assert [c.name for c in other.contenders()] == ["a:1", "b:1"]
                    (told,), (own,) = other.reports(), one.reports()
                    assert told.models == own.models and told.version == own.version
                    await host.stop()
                    await one.look()
                    await other.look()
                    assert "does not answer" in other.refusal()
                    await host.start()
                    await one.look()
                    await other.look()
                    assert not other.refusal()
                    assert (await reply(other)).host == host.url

    run(scene)


def test_another_replica_looks_when_the_one_that_did_is_gone(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            async with pool_of(redis_server, prefix, host, lead_s=1.5) as one:
                async with pool_of(redis_server, prefix, host, lead_s=1.5) as other:
                    before = looks(host)
                    async with asyncio.timeout(30):
                        while looks(host) == before:
                            await other.look()
                    await one.look()
                    assert looks(host) == before + 1, "it follows now"
                    await other.close()
                    await one.look()
                    assert looks(host) == before + 2, "a lead that is given up is taken at once"

    run(scene)


def test_a_replica_for_which_a_host_failed_looks_itself(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            async with pool_of(redis_server, prefix, host) as one:
                async with pool_of(redis_server, prefix, host) as other:
                    await one.look()
                    host.fault("missing_model", model="a:1")
                    with pytest.raises(HostFault):
                        await reply(other)
                    assert [c.name for c in other.contenders()] == ["b:1"]
                    before = looks(host)
                    await other.look()
                    assert looks(host) == before + 1
                    assert [c.name for c in other.contenders()] == ["a:1", "b:1"]

    run(scene)


def test_only_the_replica_that_looks_loads_what_is_missing(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            async with pool_of(redis_server, prefix, host) as one:
                async with pool_of(redis_server, prefix, host) as other:
                    host.evict("a:1")
                    await one.look()
                    await other.refresh()
                    await asyncio.sleep(0.05)  # Long enough for what should not be sent to come.
                    assert "preload" not in {call.kind for call in host.stats.requests}
                    await one.refresh()
                    await host.wait_for(lambda: host.stats.loads.count("a:1") == 2)

    run(scene)


def test_while_redis_is_away_replies_go_on_new_ones_are_refused_and_each_looks_for_itself(
    redis_server: RedisServer, prefix: str
) -> None:
    async def scene() -> None:
        slow = replace(A, tokens_per_s=20.0)
        async with FakeOllama([slow, B], warm=True) as host:
            async with pool_of(redis_server, prefix, host) as one:
                async with pool_of(redis_server, prefix, host) as other:
                    writing = asyncio.create_task(reply(one))
                    await host.wait_for(lambda: host.stats.active_streams)
                    redis_server.kill()
                    with pytest.raises(StoreFault):
                        await reply(other, "b:1")
                    before = looks(host)
                    await other.look()
                    assert looks(host) == before + 1
                    await writing
                    redis_server.start()
                    await eventually(lambda: not other.refusal())
                    async with asyncio.timeout(30):
                        while True:
                            try:
                                await reply(other, "b:1")
                                break
                            except StoreFault:
                                await asyncio.sleep(0.05)

    run(scene)
