"""The pool of hosts on real sockets: who is asked, who waits, what is loaded when, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from arena.adapters.hosts import HostPool
from arena.core.battle.entities import Contender, Finished, Text
from arena.core.battle.roster import of_models
from arena.core.errors import HostFault, NoCapacity
from arena.core.hosts.placement import Share
from arena.core.ports import HostEvent, Queued, Warming
from tests.fake_ollama import FakeModel, FakeOllama
from tests.playing import CALM, eventually, faults, writing

OPTIONS = {"num_ctx": 4096, "num_predict": 64}
ASK = [{"role": "user", "content": "Why?"}]
SMALL = {"load_s": 0.05, "ttft_s": 0.01, "tokens_per_s": 500.0, "text": "one two three"}


def model(name: str, **known: Any) -> FakeModel:
    return FakeModel(name, **{**SMALL, **known})


A, B, C = model("a:1"), model("b:1", weights_gib=3.0), model("c:1", weights_gib=2.0)


@asynccontextmanager
async def pool_of(
    *hosts: FakeOllama,
    names: Sequence[str] = ("a:1", "b:1"),
    roster: Sequence[Contender] = (),
    slots: int = 1,
    warm: bool = True,
    token: str = "",
    **options: Any,
) -> AsyncIterator[HostPool]:
    pool = HostPool(options=OPTIONS, **{"timeouts": CALM, **options})
    await pool.use([(host.url, token) for host in hosts], roster or of_models(names), slots)
    await pool.look()
    if warm:
        await pool.warm()
    try:
        yield pool
    finally:
        await pool.close()


async def reply(pool: HostPool, name: str, **asked: Any) -> list[HostEvent]:
    contender = next((c for c in pool.contenders() if c.name == name), Contender(name, name))
    return [event async for event in pool.reply(contender, ASK, **{"seed": 7, **asked})]


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def preloads(host: FakeOllama) -> list[str | None]:
    return [call.model for call in host.stats.requests if call.kind == "preload"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# What is asked -----------------------------------------------------------------------------------


def test_a_reply_comes_with_what_is_known_of_it() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host, pool_of(host) as pool:
            *pieces, facts = await reply(pool, "a:1")
            assert "".join(p.text for p in pieces if isinstance(p, Text)) == "one two three"
            assert isinstance(facts, Finished)
            assert (facts.host, facts.digest) == (host.url, A.digest)
            assert (facts.quantization, facts.ollama_version) == ("Q4_K_M", host.version)
            assert facts.output_tokens == 3 and 0 < facts.ttft_ms < facts.total_ms

    run(scene)


def test_replies_that_begin_together_share_a_look_at_what_is_loaded() -> None:
    async def scene() -> None:
        clock = Clock()
        async with (
            FakeOllama([A, B], warm=True, num_parallel=8) as host,
            pool_of(host, slots=8, clock=clock) as pool,
        ):
            looks = [call for call in host.stats.requests if call.path == "/api/ps"]
            clock.now += 2
            await asyncio.gather(*(reply(pool, name) for name in ("a:1", "b:1") * 4))
            more = [call for call in host.stats.requests if call.path == "/api/ps"]
            assert len(more) - len(looks) == 1

    run(scene)


def answered(host: FakeOllama, path: str) -> int:
    return sum(call.path == path and call.state == "done" for call in host.stats.requests)


async def asked_for(pool: HostPool, host: FakeOllama) -> asyncio.Task[list[HostEvent]]:
    """A reply of a:1 that waits in its middle, until the host has told what it has since."""
    host.fault("stall", model="a:1", frame=1)
    before = answered(host, "/api/tags")
    asked = asyncio.create_task(reply(pool, "a:1"))
    await host.wait_for(lambda: host.stats.held and answered(host, "/api/tags") > before)
    async with httpx.AsyncClient() as client:  # What it has told was on its way before this.
        await client.get(f"{host.url}/api/version")
    return asked


def test_a_reply_is_of_the_model_that_its_name_stood_for_when_it_was_asked() -> None:
    async def scene() -> None:
        clock = Clock()
        anew, again = (replace(A, blob=digit, digest=digit * 64) for digit in "ef")
        async with FakeOllama([A, B], warm=True) as host, pool_of(host, clock=clock) as pool:
            host.models["a:1"] = anew
            clock.now += 2
            asked = await asked_for(pool, host)
            host.models["a:1"] = again
            await pool.look()
            host.release()
            facts = (await asked)[-1]
            assert isinstance(facts, Finished) and facts.digest == anew.digest

    run(scene)


def test_a_host_that_does_not_tell_what_it_has_neither_delays_a_reply_nor_loses_it() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, B], warm=True) as host, pool_of(host, clock=clock) as pool:
            for kind in ("no_first_frame", "drop_before_first"):
                clock.now += 2
                host.fault(kind, on="/api/tags")
                facts = (await reply(pool, "a:1"))[-1]
                assert isinstance(facts, Finished) and facts.digest == A.digest
            assert not faults(pool)

    run(scene)


def test_replies_that_begin_together_share_a_look_at_what_the_host_has() -> None:
    async def scene() -> None:
        clock = Clock()
        async with (
            FakeOllama([A, B], warm=True, num_parallel=8) as host,
            pool_of(host, slots=8, clock=clock) as pool,
        ):
            before = [call for call in host.stats.requests if call.path == "/api/tags"]
            clock.now += 2
            await asyncio.gather(*(reply(pool, name) for name in ("a:1", "b:1") * 4))
            await host.wait_for(lambda: answered(host, "/api/tags") == len(before) + 1)

    run(scene)


def test_nothing_is_pinned_but_budgets_and_seed_and_keep_alive_is_never_sent() -> None:
    async def scene() -> None:
        thinker = model("b:1", thinking="hmm, let me see")
        async with FakeOllama([A, thinker], warm=True) as host, pool_of(host) as pool:
            for name in ("a:1", "b:1"):
                *pieces, _ = await reply(pool, name)
                assert "".join(p.text for p in pieces if isinstance(p, Text)) == "one two three"
            for call in host.stats.answers():
                thought = 2048 if call.model == "b:1" else 0
                budget = {"num_predict": OPTIONS["num_predict"] + thought}
                assert call.options == {**OPTIONS, **budget, "seed": 7}
                assert call.body["think"] is False
                assert call.body["truncate"] is False
            assert all("keep_alive" not in call.body for call in host.stats.requests)

    run(scene)


def test_the_bearer_token_goes_with_every_request_and_a_wrong_one_is_told() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True, token="sesame") as host:
            async with pool_of(host, token="sesame") as pool:
                assert isinstance((await reply(pool, "a:1"))[-1], Finished)
            async with pool_of(host, token="nonsense", warm=False) as pool:
                await pool.look()
                assert "401" in pool.problems[-1]
                assert pool.refusal()

    run(scene)


# The line-up on hosts ----------------------------------------------------------------------------


def test_auto_takes_what_can_chat_and_says_what_cannot_be_loaded_together() -> None:
    async def scene() -> None:
        big = [model(f"m{i}:1", weights_gib=4.0) for i in range(4)]
        embedder = model("embed:1", capabilities=("embedding",))
        async with FakeOllama([*big, embedder], vram_gib=11.0, max_loaded=9, speed=20) as host:
            async with pool_of(host, names=["auto"]) as pool:
                assert [c.name for c in pool.contenders()] == ["m0:1", "m1:1", "m2:1", "m3:1"]
                assert any("do not fit together" in p for p in pool.problems)
                assert len(host.stats.evictions) == 1, "loading went on in vain"
                assert isinstance((await reply(pool, "m3:1"))[-1], Finished)

    run(scene)


def test_where_not_all_models_fit_different_hosts_hold_different_ones() -> None:
    async def scene() -> None:
        big = [model(f"m{i}:1", weights_gib=4.0) for i in range(3)]
        small = {"vram_gib": 11.0, "speed": 20}
        async with FakeOllama(big, **small) as one, FakeOllama(big, **small) as two:
            async with pool_of(one, two, names=[m.name for m in big]) as pool:
                held = {m.name for r in pool.reports() for m in r.models if m.resident}
                assert held == {"m0:1", "m1:1", "m2:1"}
                for name in held:
                    assert not any(isinstance(e, Warming) for e in await reply(pool, name))

    run(scene)


def test_a_model_of_another_digest_under_the_same_name_is_not_used() -> None:
    async def scene() -> None:
        other = model("a:1", digest="f" * 64)
        async with FakeOllama([A, B], warm=True) as one, FakeOllama([other, B], warm=True) as two:
            async with pool_of(one, two) as pool:
                assert any("is another model on" in p and two.url in p for p in pool.problems)
                one.fault("drop_before_first", model="a:1")
                with pytest.raises(HostFault):
                    await reply(pool, "a:1", avoid=frozenset({one.url}))
                assert not two.stats.answers("a:1")

    run(scene)


def test_a_model_that_a_host_has_under_another_name_is_used_there_too() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as one:
            async with FakeOllama([A.alias("copy:2"), B], warm=True) as two:
                async with pool_of(one, two) as pool:
                    await one.stop()
                    await pool.look()
                    assert isinstance((await reply(pool, "a:1"))[-1], Finished)
                    assert two.stats.answers()[0].model == "copy:2"

    run(scene)


def test_personas_of_one_base_share_what_is_loaded() -> None:
    async def scene() -> None:
        persona = A.variant("terse:1", "Be terse.")
        async with FakeOllama([A, persona, B]) as host:
            async with pool_of(host, names=["a:1", "terse:1", "b:1"]) as pool:
                assert host.stats.loads == ["a:1", "b:1"]
                before = len(preloads(host))
                for name in ("terse:1", "a:1", "terse:1"):
                    assert not any(isinstance(e, Warming) for e in await reply(pool, name))
                assert len(preloads(host)) == before

    run(scene)


def test_personas_of_one_base_share_its_slots_so_that_none_waits_unseen_on_the_host() -> None:
    async def scene() -> None:
        persona = A.variant("terse:1", "Be terse.")
        async with FakeOllama([A, persona, B]) as host:
            async with pool_of(host, names=["a:1", "terse:1", "b:1"]) as pool:
                replies = await asyncio.gather(*(reply(pool, n) for n in ("a:1", "terse:1", "b:1")))
                queued = [any(isinstance(e, Queued) for e in events) for events in replies]
                assert queued == [False, True, False]
                assert all(isinstance(events[-1], Finished) for events in replies)

    run(scene)


def test_versions_that_differ_are_told() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as one:
            async with FakeOllama([A, B], warm=True, version="0.34.0") as two:
                async with pool_of(one, two) as pool:
                    assert any("0.34.0" in p and "differs" in p for p in pool.problems)

    run(scene)


# Warm --------------------------------------------------------------------------------------------


def test_hosts_are_warmed_side_by_side_and_each_loads_one_at_a_time() -> None:
    async def scene() -> None:
        slow = [replace(m, load_s=0.3) for m in (A, B)]
        async with FakeOllama(slow) as one, FakeOllama(slow) as two:
            async with pool_of(one, two, warm=False) as pool:
                told: list[tuple[int, int]] = []
                warming = asyncio.create_task(pool.warm(lambda *counts: told.append(counts)))
                await one.wait_for(lambda: one.stats.in_state("loading"))
                await two.wait_for(lambda: two.stats.in_state("loading"))
                assert not one.stats.loads and not two.stats.loads, "at the same time"
                await warming
                for host in (one, two):
                    assert [what for what, _ in host.stats.log] == ["loading", "loaded"] * 2
                assert told == [(done, 4) for done in range(5)]
                assert not any(isinstance(e, Warming) for e in await reply(pool, "a:1"))

    run(scene)


def test_a_model_whose_weights_others_have_loaded_under_another_name_is_loaded() -> None:
    async def scene() -> None:
        other = A.variant("other:1", "Be brief.")
        async with FakeOllama([A, B, other]) as host, httpx.AsyncClient() as http:
            asked = {"model": other.name, "options": {"num_ctx": 4096}, "shift": False}
            await http.post(f"{host.url}/api/chat", json=asked)
            async with pool_of(host) as pool:
                assert host.stats.loads == ["other:1", "b:1"]
                assert not any("unloads" in problem for problem in pool.problems)
                assert not any(isinstance(e, Warming) for e in await reply(pool, "a:1"))

    run(scene)


def test_replies_that_meet_a_model_still_loading_wait_for_the_one_load() -> None:
    async def scene() -> None:
        async with FakeOllama([replace(A, load_s=0.3), B], num_parallel=3) as host:
            async with pool_of(host, warm=False, slots=3) as pool:
                both = await asyncio.gather(reply(pool, "a:1"), reply(pool, "a:1"))
                for events in both:
                    assert isinstance(events[0], Warming) and isinstance(events[-1], Finished)
                assert preloads(host) == ["a:1"]
                assert host.stats.loads == ["a:1"]

    run(scene)


def test_models_that_are_needed_at_once_are_loaded_one_after_the_other() -> None:
    async def scene() -> None:
        slow = [replace(A, load_s=0.2), replace(B, load_s=0.2)]
        async with FakeOllama(slow) as host, pool_of(host, warm=False) as pool:
            both = asyncio.gather(reply(pool, "a:1"), reply(pool, "b:1"))
            await host.wait_for(lambda: host.stats.in_state("loading"))
            await eventually(lambda: writing(pool) == 2)
            while not host.stats.loads:
                assert len(preloads(host)) == 1
                await asyncio.sleep(0.01)
            await both
            assert len(preloads(host)) == 2

    run(scene)


def test_a_user_who_leaves_does_not_stop_the_load() -> None:
    async def scene() -> None:
        fake = FakeOllama([replace(A, load_s=0.3), B])
        async with fake as host, pool_of(host, warm=False) as pool:
            asking = asyncio.create_task(reply(pool, "a:1"))
            await host.wait_for(lambda: host.stats.in_state("loading"))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert not writing(pool)
            await host.wait_for(lambda: host.stats.loads == ["a:1"])
            assert ("load aborted", "a:1") not in host.stats.log
            await reply(pool, "a:1")
            assert preloads(host) == ["a:1"]

    run(scene)


def test_a_model_that_was_unloaded_is_loaded_again_before_anybody_asks() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, B], warm=True) as host, pool_of(host, clock=clock) as pool:
            host.evict("a:1")
            await pool.refresh()
            await host.wait_for(lambda: host.stats.loads.count("a:1") == 2)
            host.evict("a:1")
            await pool.refresh()
            assert not host.stats.in_state("pending", "loading"), "not more than once a minute"
            clock.now += 61
            await pool.refresh()
            await host.wait_for(lambda: host.stats.loads.count("a:1") == 3)
            await pool.refresh()
            host.evict("a:1")
            await pool.refresh()
            await host.wait_for(lambda: host.stats.loads.count("a:1") == 4)

    run(scene)


def test_a_model_loaded_with_another_context_is_loaded_anew_before_it_is_asked() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True, vram_gib=30) as host:  # 32768 by default
            async with pool_of(host, warm=False) as pool:
                assert isinstance((await reply(pool, "a:1"))[0], Warming)
                assert preloads(host) == ["a:1"]

    run(scene)


def test_a_model_that_cannot_be_loaded_is_left_alone_for_a_minute_and_told() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, B]) as host:
            host.fault("out_of_memory", model="a:1", on="preload", variant="load", times=None)
            async with pool_of(host, clock=clock) as pool:
                with pytest.raises(HostFault) as load:
                    await reply(pool, "a:1")
                assert load.value.kind == "load"
                with pytest.raises(HostFault) as nowhere:
                    await reply(pool, "a:1")
                assert nowhere.value.kind == "nowhere"
                assert faults(pool) == {("a:1", "load"): 2}
                assert [c.name for c in pool.contenders()] == ["b:1"]
                assert any("a:1 could not be loaded" in p for p in pool.problems)
                host.clear_faults()
                clock.now += 61
                assert isinstance((await reply(pool, "a:1"))[-1], Finished)

    run(scene)


# Leases and the queue ----------------------------------------------------------------------------


def test_no_more_replies_at_once_than_slots_and_the_others_wait_their_turn() -> None:
    async def scene() -> None:
        slow = [replace(A, tokens_per_s=40.0), B]
        fake = FakeOllama(slow, warm=True, num_parallel=9)
        async with fake as host, pool_of(host, slots=2) as pool:
            ended: list[int] = []
            places: dict[int, list[int]] = {}

            async def one(number: int) -> None:
                for event in await reply(pool, "a:1"):
                    if isinstance(event, Queued):
                        places.setdefault(number, []).append(event.place)
                ended.append(number)

            tasks = []
            for number in range(5):
                tasks.append(asyncio.create_task(one(number)))
                await asyncio.sleep(0)
            most = 0
            while not all(task.done() for task in tasks):
                most = max(most, host.stats.active_streams)
                assert writing(pool) <= 2
                await asyncio.sleep(0.005)
            assert most == 2
            # Two that write side by side may end in one tick.
            assert all(abs(turn - number) <= 1 for turn, number in enumerate(ended))
            assert {n: p[0] for n, p in places.items()} == {2: 1, 3: 2, 4: 3}
            assert all(p == sorted(p, reverse=True) for p in places.values())

    run(scene)


def test_those_who_wait_for_a_model_keep_nobody_from_another() -> None:
    async def scene() -> None:
        async with FakeOllama([replace(A, tokens_per_s=5.0), B], warm=True) as host:
            async with pool_of(host) as pool:
                tasks = [asyncio.create_task(reply(pool, "a:1")) for _ in range(150)]
                await eventually(lambda: pool.reports()[0].queue == 149)
                assert isinstance((await reply(pool, "b:1"))[-1], Finished)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert not writing(pool)

    run(scene)


def test_those_who_wait_are_told_when_the_last_host_goes_down() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            hasty = replace(CALM, listing=0.5)
            async with pool_of(host, timeouts=hasty) as pool:
                host.fault("stall", model="a:1", frame=2)
                first = asyncio.create_task(reply(pool, "a:1"))
                await host.wait_for(lambda: host.stats.active_streams)
                waiting = asyncio.create_task(reply(pool, "a:1"))
                await eventually(lambda: pool.reports()[0].queue == 1)
                host.fault("no_first_frame", on="/api/version", times=2)
                await pool.look()
                await pool.look()
                with pytest.raises(NoCapacity, match="does not answer"):
                    await waiting
                host.release()
                assert isinstance((await first)[-1], Finished)
                assert not writing(pool)

    run(scene)


# Which host --------------------------------------------------------------------------------------


def test_the_host_that_holds_the_model_is_asked_rather_than_one_that_must_load_it() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=["b:1"]) as one, FakeOllama([A, B], warm=["a:1"]) as two:
            async with pool_of(one, two, warm=False) as pool:
                await reply(pool, "a:1")
                await reply(pool, "b:1")
            assert [c.model for c in one.stats.answers()] == ["b:1"]
            assert [c.model for c in two.stats.answers()] == ["a:1"]

    run(scene)


def test_a_model_that_was_evicted_unnoticed_is_asked_where_it_is_still_loaded() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, B], warm=True) as one, FakeOllama([A, B], warm=True) as two:
            async with pool_of(one, two, clock=clock) as pool:
                one.evict("a:1")
                clock.now += 4
                events = await reply(pool, "a:1")
                assert not any(isinstance(e, Warming) for e in events)
                assert not one.stats.answers() and len(two.stats.answers()) == 1

    run(scene)


def test_a_busy_host_is_asked_again_by_itself_at_the_old_place_in_the_queue() -> None:
    async def scene() -> None:
        async with FakeOllama([replace(A, tokens_per_s=60.0), B], warm=True) as host:
            async with pool_of(host) as pool:
                host.fault("busy", times=1)
                first = asyncio.create_task(reply(pool, "a:1"))
                await host.wait_for(lambda: host.stats.in_state("failed"))
                second = asyncio.create_task(reply(pool, "a:1"))
                await eventually(lambda: pool.reports()[0].queue == 2)
                waited = [e for e in await first if isinstance(e, Queued)]
                assert waited == [Queued(1)]
                assert not second.done()
                assert isinstance((await second)[-1], Finished)
                assert faults(pool) == {("a:1", "busy"): 1}

    run(scene)


def test_replies_spread_over_hosts_by_free_slots() -> None:
    async def scene() -> None:
        slow = [replace(A, tokens_per_s=40.0), B]
        async with FakeOllama(slow, warm=True) as one, FakeOllama(slow, warm=True) as two:
            async with pool_of(one, two, slots=2) as pool:
                await asyncio.gather(*(reply(pool, "a:1") for _ in range(4)))
            assert len(one.stats.answers()) == len(two.stats.answers()) == 2

    run(scene)


def test_a_host_that_fails_three_times_is_left_alone_then_tried_once_and_taken_back() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, B], warm=True) as bad, FakeOllama([A, B], warm=True) as good:
            async with pool_of(bad, good, slots=3, clock=clock) as pool:
                bad.fault("drop_before_first", times=3)
                for _ in range(3):
                    with pytest.raises(HostFault):
                        await reply(pool, "a:1")
                assert [r.breaker for r in pool.reports()] == ["open", "closed"]
                assert (await reply(pool, "a:1"))[-1].host == good.url  # type: ignore[union-attr]
                asked = len(bad.stats.answers())
                clock.now += 10.1
                assert [r.breaker for r in pool.reports()] == ["trial", "closed"]
                both = [("a:1", frozenset({good.url})) for _ in range(3)]
                await asyncio.gather(*(reply(pool, name, avoid=avoid) for name, avoid in both))
                assert len(bad.stats.answers()) == asked + 3
                first, second = bad.stats.answers()[asked : asked + 2]
                assert first.state == "done" and second.number > first.number
                assert [r.breaker for r in pool.reports()] == ["closed", "closed"]

    run(scene)


def test_on_trial_a_host_gets_one_request_at_a_time() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([replace(A, tokens_per_s=20.0), B], warm=True) as host:
            async with pool_of(host, slots=3, clock=clock) as pool:
                host.fault("drop_before_first", times=3)
                for _ in range(3):
                    with pytest.raises(HostFault):
                        await reply(pool, "a:1")
                with pytest.raises(NoCapacity, match="left alone for 10 s"):
                    await reply(pool, "a:1")
                clock.now += 10.1
                asking = [asyncio.create_task(reply(pool, "a:1")) for _ in range(3)]
                await host.wait_for(lambda: host.stats.active_streams)
                assert writing(pool) == 1
                await asyncio.gather(*asking)

    run(scene)


def test_a_host_that_came_back_serves_at_once() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host, pool_of(host) as pool:
            await host.stop()
            for _ in range(3):
                with pytest.raises((HostFault, NoCapacity)):
                    await reply(pool, "a:1")
            await pool.look()
            await host.start()
            await pool.refresh()
            assert isinstance((await reply(pool, "a:1"))[-1], Finished)

    run(scene)


def test_one_silent_poll_is_no_outage_but_two_are() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host:
            hasty = replace(CALM, listing=0.5)
            async with pool_of(host, timeouts=hasty) as pool:
                host.fault("no_first_frame", on="/api/version", times=2)
                await pool.look()
                assert not pool.refusal()
                await pool.look()
                assert "does not answer" in pool.refusal()
                await pool.look()
                assert not pool.refusal()

    run(scene)


def test_while_hosts_are_looked_at_a_model_that_is_gone_makes_no_question_fail() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host, FakeOllama([A], warm=True) as late:
            async with pool_of(host, late) as pool:
                host.evict("b:1", deleted=True)
                late.fault("no_first_frame", on="/api/version")
                look = asyncio.create_task(pool.look())
                await eventually(lambda: len(pool.reports()[0].models) == 1)
                assert not (pool.problems or pool.doubts() or pool.refusal())
                late.release()
                await look
                assert "fewer than two" in pool.refusal()

    run(scene)


def test_a_model_the_host_denies_is_not_asked_for_until_the_next_look() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host, pool_of(host) as pool:
            host.fault("missing_model", model="a:1")
            for kind in ("missing", "nowhere"):
                with pytest.raises(HostFault) as told:
                    await reply(pool, "a:1")
                assert told.value.kind == kind
            assert any("says that it does not have it" in p for p in pool.problems)
            assert [r.breaker for r in pool.reports()] == ["closed"]
            await pool.look()
            assert isinstance((await reply(pool, "a:1"))[-1], Finished)

    run(scene)


# What operators see ------------------------------------------------------------------------------


def test_the_report_tells_what_each_host_is_has_holds_and_did() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B, C], warm=["a:1", "b:1"]) as host, pool_of(host) as pool:
            for _ in range(3):
                await reply(pool, "a:1")
            host.fault("drop_before_first", model="b:1")
            with pytest.raises(HostFault):
                await reply(pool, "b:1")
            (told,) = pool.reports()
            assert (told.url, told.up, told.breaker) == (host.url, True, "closed")
            assert (told.version, told.slots, told.leases, told.queue) == (host.version, 1, 0, 0)
            assert [(f.model, f.kind, f.count) for f in told.faults] == [("b:1", "dropped", 1)]
            assert "dropped the connection" in told.last_fault
            a, b, c = told.models
            assert told.vram == a.vram + b.vram > 0
            assert (a.plays, a.resident, a.share) == (True, True, Share.FULL)
            assert (c.plays, c.resident, c.vram, c.share) == (False, False, 0, Share.UNKNOWN)
            assert a.ttft_ms.count == a.tokens_per_s.count == 3
            assert a.ttft_ms.p50 and a.ttft_ms.p95 and a.ttft_ms.p50 <= a.ttft_ms.p95
            assert (b.ttft_ms.count, b.ttft_ms.p50) == (0, None)

    run(scene)


def test_the_report_of_a_host_that_is_down_keeps_what_was_measured() -> None:
    async def scene() -> None:
        async with FakeOllama([A, B], warm=True) as host, pool_of(host) as pool:
            await reply(pool, "a:1")
            await host.stop()
            await pool.look()
            (told,) = pool.reports()
            assert not told.up and told.vram == 0
            assert told.models[0].tokens_per_s.count == 1
            assert told.models[0].unfit == "the host does not answer"
            assert "does not answer" in pool.problems[0]

    run(scene)
