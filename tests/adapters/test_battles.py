"""Live battles, their feed and the limits: one contract, held by the memory of one process and by
a real Redis between several. What only several can see of each other is in test_redis.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import arena.adapters.battles
from arena import settings as config
from arena.adapters.battles import AHEAD_S, CALM_S, KEEP_S, MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.adapters.limits import MemoryLimits
from arena.compose.stores import MemoryStores
from arena.core.battle.entities import Battle, Format, Judgement, Origin, Phase, Verdict
from arena.core.battle.rules import void, vote
from arena.core.battle.view import State, state
from arena.core.errors import StaleVote, UnknownBattle
from arena.core.ports import Delta, Event
from arena.settings import Settings
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
from tests.core.battle.play import answered, drop, voted
from tests.core.battle.play import opened as play_opened
from tests.playing import eventually


@asynccontextmanager
async def in_memory(**options: Any) -> AsyncIterator[Replica]:
    battles = {k: v for k, v in options.items() if k in ("keep_s", "forgotten")}
    feed = {k: v for k, v in options.items() if k == "heartbeat_s"}
    yield Replica(MemoryBattles(**battles), MemoryFeed(**feed), MemoryLimits())


@pytest.fixture(params=["memory", "redis"])
def opened(request: pytest.FixtureRequest, prefix: str) -> Opener:
    """One replica, by either keeping."""
    if request.param == "memory":
        return in_memory
    return in_redis(request.getfixturevalue("redis_server"), prefix)


# Battles ------------------------------------------------------------------------------------------


def test_a_battle_is_loaded_as_it_was_saved(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            now = battle()
            await here.battles.save(now)
            assert await here.battles.load("b") == now
            for moved in (answered(now), vote(answered(now), 1, _drop("A"), "ballot")):
                now = replace(moved, version=now.version + 1)
                await here.battles.save(now)
                assert await here.battles.load("b") == now

    run(scene)


def _drop(seat: str) -> Verdict:
    return Verdict(Judgement.DROP, seat)


def test_a_battle_that_was_never_saved_is_unknown(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            with pytest.raises(UnknownBattle, match="Start a new battle"):
                await here.battles.load("b")

    run(scene)


def test_a_version_is_saved_only_over_the_one_before_it(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            first = battle()
            with pytest.raises(StaleVote):
                await here.battles.save(next_version(first))
            await here.battles.save(first)
            second = next_version(first, entered=2)
            for wrong in (first, next_version(second)):
                with pytest.raises(StaleVote):
                    await here.battles.save(wrong)
            await here.battles.save(second)
            with pytest.raises(StaleVote):
                await here.battles.save(second)
            assert await here.battles.load("b") == second

    run(scene)


def test_of_many_moves_at_once_exactly_one_is_made(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            await here.battles.save(battle())
            moves = [next_version(battle(), void_reason=f"{i}") for i in range(20)]
            ends = await asyncio.gather(
                *(here.battles.save(move) for move in moves), return_exceptions=True
            )
            won = [move for move, end in zip(moves, ends, strict=True) if end is None]
            assert [type(end) for end in ends].count(StaleVote) == 19
            assert [await here.battles.load("b")] == won

    run(scene)


def test_under_way_are_the_battles_neither_decided_nor_void(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            for name in "abcd":
                await here.battles.save(battle(name))
            await here.battles.save(void(battle("a"), "left"))
            await here.battles.save(next_version(battle("b"), phase=Phase.DECIDED))
            await here.battles.save(next_version(battle("c"), phase=Phase.VOTING))
            assert await here.battles.under_way() == {"c", "d"}
            assert await here.battles.unrevealed() == {"a", "c", "d"}

    run(scene)


def test_a_battle_that_nobody_touches_is_forgotten(opened: Opener) -> None:
    async def scene() -> None:
        gone: list[str] = []
        async with opened(keep_s=0.1, forgotten=gone.append) as here:
            await here.battles.save(battle("a"))
            await here.battles.save(battle("b"))

            async def forgotten() -> bool:
                try:
                    await here.battles.load("b")
                except UnknownBattle:
                    return True
                return False

            while not await forgotten():
                await asyncio.sleep(0.01)
            assert not await here.battles.under_way()
            await here.battles.save(battle("c"))
            assert gone[:1] == ["a"]

    run(scene)


def test_a_battle_that_is_over_leaves_memory_and_comes_back_when_somebody_asks() -> None:
    async def scene() -> None:
        now, follows = [0.0], {"watched"}
        gone: list[str] = []
        found: list[Battle] = []
        battles = MemoryBattles(
            clock=lambda: now[0],
            forgotten=gone.append,
            found=found.append,
            viewers=lambda battle_id: battle_id in follows,
        )
        over = voted(play_opened(3, Format.ELIMINATION), drop("A"), drop("B"))
        assert over.phase is Phase.DECIDED
        saved = {name: replace(over, id=name, version=1) for name in ("alone", "watched")}
        open_ = battle("open")
        for each in (*saved.values(), open_):
            await battles.save(each)
        now[0] += CALM_S
        assert await battles.load("open") == open_
        assert gone == ["alone"] and not found
        assert await battles.load("alone") == saved["alone"] and found == [saved["alone"]]
        with pytest.raises(StaleVote):
            await battles.save(saved["alone"])
        await battles.save(replace(saved["alone"], version=2))
        follows.clear()
        now[0] += CALM_S
        assert await battles.under_way() == {"open"}
        assert gone == ["alone", "watched", "alone"]
        assert (await battles.load("alone")).version == 2
        now[0] += KEEP_S
        for name in ("alone", "watched", "open"):
            with pytest.raises(UnknownBattle):
                await battles.load(name)
        battles.close()

    run(scene)


def test_to_ask_which_battles_are_under_way_takes_no_longer_than_to_tell_them() -> None:
    async def scene() -> None:
        now, battles = [0.0], MemoryBattles(clock=lambda: now[0])
        names = {f"b{number}" for number in range(20_000)}
        for name in names:
            battles.take_up(battle(name))

        async def seconds(asked: Callable[[], Awaitable[frozenset[str]]]) -> float:
            begun = time.perf_counter()
            assert await asked() == names
            return time.perf_counter() - begun

        async def told() -> frozenset[str]:
            return frozenset(names)

        for asked in (battles.under_way, battles.unrevealed):
            took, least = [min([await seconds(each) for _ in range(9)]) for each in (asked, told)]
            assert took < 4 * least
        now[0] += KEEP_S
        assert not await battles.under_way() and not await battles.unrevealed()
        battles.close()

    run(scene)


def test_a_battle_that_people_left_leaves_memory_and_is_still_under_way(tmp_path: Path) -> None:
    async def scene() -> None:
        now, kept = [0.0], MemoryBattles(clock=lambda: now[0])
        voting = answered(play_opened(3, Format.ELIMINATION))
        ahead = answered(play_opened(3, Format.KNOCKOUT))
        assert {voting.phase, ahead.phase} == {Phase.VOTING} and ahead.waiting
        left = {
            "voting": replace(voting, id="voting", version=1),
            "void": replace(void(voting, "left"), id="void", version=1),
            "ahead": replace(ahead, id="ahead", version=1),
            "writing": battle("writing"),
        }
        for each in left.values():
            await kept.save(each)
        for more, here in ((CALM_S, {"ahead", "writing"}), (AHEAD_S, {"writing"})):
            now[0] += more
            assert await kept.under_way() == {"voting", "ahead", "writing"}
            assert await kept.unrevealed() == {*left}
            assert {*kept._battles} == here
        assert {each.id: each for _, each in kept.undecided()} == left
        # A vote finds it, whether it was asked for before or not.
        moved = replace(voted(voting, drop("A")), id="voting", version=2)
        await kept.save(moved)
        with pytest.raises(StaleVote):
            await kept.save(replace(left["ahead"], version=3))
        assert await kept.load("voting") == moved and await kept.load("void") == left["void"]
        now[0] += KEEP_S
        assert not await kept.unrevealed() and not list(kept.undecided())
        kept.close()

    run(scene)


def test_who_only_looks_at_a_battle_does_not_keep_it() -> None:
    """Nor its votes held back: not in memory, nor where it left memory, nor while it is followed."""

    async def scene() -> None:
        now, follows = [0.0], {"followed"}
        gone: list[str] = []
        kept = MemoryBattles(
            clock=lambda: now[0],
            forgotten=gone.append,
            viewers=lambda battle_id: battle_id in follows,
        )
        voting = answered(play_opened(3, Format.ELIMINATION))
        for name in ("followed", "looked at", "left"):
            await kept.save(replace(voting, id=name, version=1))
        while now[0] + KEEP_S / 10 < KEEP_S:
            now[0] += KEEP_S / 10
            await kept.load("looked at")
            assert await kept.unrevealed() == {"followed", "looked at", "left"}
        await kept.save(replace(voting, id="moved", version=1))
        now[0] += KEEP_S / 10
        for name in ("followed", "looked at", "left"):
            with pytest.raises(UnknownBattle):
                await kept.load(name)
        assert await kept.unrevealed() == {"moved"}
        assert gone.count("followed") == 1
        kept.close()

    run(scene)


def ledger_in(folder: Path) -> Settings:
    return config.load({}, None, DATABASE_URL=f"sqlite:///{folder / 'arena.db'}")


def test_a_battle_that_nobody_moves_is_forgotten_though_the_arena_starts_anew_more_often(
    tmp_path: Path,
) -> None:
    """Its votes are held back until then."""
    now = [0.0]

    async def scene() -> None:
        voting = replace(answered(play_opened(3, Format.ELIMINATION)), version=1)
        held: list[set[str]] = []
        for start in range(5):
            stores = MemoryStores(ledger_in(tmp_path), lambda _: None)
            stores.battles._clock = lambda: now[0]
            stores.take_up()
            if not start:
                await stores.battles.save(voting)
                await stores.battles.save(battle("writing"))
            held.append({*await stores.battles.unrevealed()})
            assert {*await stores.battles.orphans()} <= held[-1]
            now[0] += KEEP_S / 4 + 1
            await stores.close()
        assert held == [{voting.id, "writing"}] * 4 + [set()]

    run(scene)


def test_a_battle_that_left_memory_outlives_the_process(tmp_path: Path) -> None:
    """Put aside as it ends, or found by the next after it was killed."""
    now = [0.0]

    def stores() -> MemoryStores:
        made = MemoryStores(ledger_in(tmp_path), lambda _: None)
        made.battles._clock = lambda: now[0]
        return made

    async def scene() -> None:
        voting = replace(answered(play_opened(2, Format.ELIMINATION)), version=1)
        before = stores()
        await before.battles.save(voting)
        await before.feed.publish(voting.id, state(voting))
        now[0] += CALM_S
        await before.battles.save(battle("another"))
        assert voting.id not in before.battles._battles
        before._journal._begin()
        assert voting.id in before._journal._own.read_text()
        await before.close()
        after = stores()
        after.take_up()
        async for batch in after.feed.follow(voting.id):
            text, end = (event for _, event in batch)
            assert isinstance(text, Delta) and isinstance(end, State) and end.phase == "voting"
            break
        await after.close()

    run(scene)


def test_who_comes_after_a_battle_has_left_memory_is_told_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arena.adapters.battles, "CALM_S", 0.0)
    over = voted(play_opened(3, Format.ELIMINATION), drop("A"), drop("B"))

    async def told(stores: MemoryStores, after: int) -> list[Event]:
        async for batch in stores.feed.follow(over.id, after):
            return [event for _, event in batch]
        return []

    async def scene() -> None:
        gone: list[str] = []
        stores = MemoryStores(ledger_in(tmp_path), gone.append)
        await stores.battles.save(replace(over, version=1))
        await stores.feed.publish(over.id, state(over))
        await stores.battles.save(battle("another"))
        assert gone == [over.id] and not stores.feed.viewers(over.id)
        await stores.battles.load(over.id)
        text, end = await told(stores, 0)
        assert isinstance(text, Delta) and {piece.seat for piece in text.pieces} == {*"ABC"}
        assert isinstance(end, State) and end.phase == "decided"
        assert await told(stores, 1) == [text, end]
        await stores.close()

    run(scene)


def test_who_claims_a_battle_keeps_it_until_it_is_released(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            assert await here.battles.claim("b")
            assert await here.battles.claim("b")
            await here.battles.release("b")
            await here.battles.release("never claimed")
            assert await here.battles.claim("b")
            assert await here.battles.orphans() == ()

    run(scene)


def test_a_key_names_the_battle_that_came_first(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            named = await asyncio.gather(*(here.battles.first("key", f"b{i}") for i in range(9)))
            assert len(set(named)) == 1 and named[0] in {f"b{i}" for i in range(9)}
            assert await here.battles.first("another key", "x") == "x"
            await here.battles.unkey("key", "not that one")
            assert await here.battles.first("key", "late") == named[0]
            await here.battles.unkey("key", named[0])
            assert await here.battles.first("key", "late") == "late"

    run(scene)


def test_a_key_stays_with_a_battle_that_is_stored(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            await here.battles.first("key", "b")
            await here.battles.save(battle("b"))
            await here.battles.unkey("key", "b")
            assert await here.battles.first("key", "late") == "b"

    run(scene)


def test_a_name_is_that_of_the_battle_that_got_it_last(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            assert await here.battles.named("mine") == ""
            for battle_id in ("one", "two"):
                await here.battles.name("mine", battle_id)
                assert await here.battles.named("mine") == battle_id

    run(scene)


def test_a_key_is_forgotten_in_time(opened: Opener) -> None:
    async def scene() -> None:
        async with opened(keep_s=0.05) as here:
            assert await here.battles.first("key", "early") == "early"
            while await here.battles.first("key", "late") != "late":
                await asyncio.sleep(0.01)

    run(scene)


def test_keys_and_names_that_were_taken_up_are_forgotten_in_time_in_whatever_order_they_came() -> (
    None
):
    now = [0.0]
    battles = MemoryBattles(clock=lambda: now[0], keep_s=100.0)

    async def scene() -> None:
        for name, ago in (("young", 10.0), ("old", 60.0)):
            origin = Origin(key=name, alias=name)
            battles.take_up(replace(battle(name), origin=origin), time.time() - ago)
        now[0] = 60.0
        assert await battles.first("old", "new") == "new" and not await battles.named("old")
        assert await battles.first("young", "new") == await battles.named("young") == "young"

    run(scene)


# The feed -----------------------------------------------------------------------------------------


def test_events_are_numbered_from_one_and_told_in_order_to_all(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            numbers = [await here.feed.publish("b", delta(n)) for n in (1, 2, 3)]
            assert numbers == [1, 2, 3]
            async with Follower(here.feed) as one, Follower(here.feed, after=2) as other:
                await one.heard(3)
                await other.heard(1)
                for number in range(4, 10):
                    assert await here.feed.publish("b", delta(number)) == number
                assert await here.feed.publish("another", delta(1)) == 1
                assert await one.heard(9) == in_order(9)
                assert await other.heard(7) == in_order(9, after=2)

    run(scene)


def test_all_that_was_published_before_is_one_batch(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            for number in range(1, 301):
                await here.feed.publish("b", delta(number))
            async with Follower(here.feed) as follower:
                await follower.heard(1)
                assert follower.batches[0] == in_order(300)

    run(scene)


def test_whoever_comes_later_gets_what_was_before_too(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            for number in range(1, 21):
                await here.feed.publish("b", delta(number))
            async with Follower(here.feed, after=15) as early:
                await early.heard(5)
                async with Follower(here.feed, after=3) as late:
                    await here.feed.publish("b", delta(21))
                    assert await late.heard(18) == in_order(21, after=3)
                assert await early.heard(6) == in_order(21, after=15)
            async with Follower(here.feed, after=20) as again:
                assert await again.heard(1) == in_order(21, after=20)

    run(scene)


def test_several_publishers_at_once_get_consecutive_numbers(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here, Follower(here.feed) as follower:
            events = [delta(n) for n in range(40)]
            numbers = await asyncio.gather(*(here.feed.publish("b", e) for e in events))
            assert sorted(numbers) == list(range(1, 41))
            told = dict(await follower.heard(40))
            assert [told[number] for number in numbers] == events
            assert [number for number, _ in follower.told] == list(range(1, 41))

    run(scene)


def test_followers_get_signs_of_life_and_no_empty_batches_else(opened: Opener) -> None:
    async def scene() -> None:
        async with opened(heartbeat_s=0.05) as here, Follower(here.feed) as follower:
            await eventually(lambda: follower.heartbeats >= 2)
            await here.feed.publish("b", delta(1))
            assert await follower.heard(1) == in_order(1)

    run(scene)


def test_viewers_are_those_who_follow_now(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            assert here.feed.viewers("b") == 0
            async with Follower(here.feed), Follower(here.feed) as second:
                assert here.feed.viewers("b") == 2
                assert here.feed.viewers("another") == 0
                await second.leave()
                assert here.feed.viewers("b") == 1

    run(scene)


def test_closing_the_feed_ends_every_stream(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here, Follower(here.feed) as one, Follower(here.feed) as other:
            await here.feed.publish("b", delta(1))
            await one.heard(1)
            here.feed.close()
            await eventually(lambda: one.ended and other.ended)

    run(scene)


# Limits -------------------------------------------------------------------------------------------


def test_so_many_are_allowed_in_a_window_for_each_key(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            assert [await here.limits.take("one", 3, 60) for _ in range(3)] == [0, 0, 0]
            for _ in range(3):
                assert 55 < await here.limits.take("one", 3, 60) <= 60
            assert await here.limits.take("other", 1, 60) == 0

    run(scene)


def test_of_many_at_once_no_more_than_the_limit_are_allowed(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            waits = await asyncio.gather(*(here.limits.take("key", 7, 60) for _ in range(30)))
            assert waits.count(0.0) == 7

    run(scene)


def test_there_is_room_again_when_it_was_said(opened: Opener) -> None:
    async def scene() -> None:
        async with opened() as here:
            assert await here.limits.take("key", 2, 0.2) == 0
            assert await here.limits.take("key", 2, 0.2) == 0
            wait = await here.limits.take("key", 2, 0.2)
            assert 0 < wait <= 0.2
            await asyncio.sleep(wait)
            assert await here.limits.take("key", 2, 0.2) == 0

    run(scene)
