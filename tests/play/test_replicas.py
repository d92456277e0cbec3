"""Two replicas on one Redis and one ledger: one arena, also when one of them is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arena.adapters.redis import RedisBattles, RedisFeed, RedisStore
from arena.core.battle.entities import Battle
from arena.core.battle.view import State
from arena.core.errors import OtherVote, StaleVote, StoreFault
from arena.core.ports import Delta, Event
from arena.play import rounds
from arena.play.admission import RefereeRules
from arena.play.stage import StageRules
from arena.play.writer import FAULT
from tests.adapters.ledgers import recorded
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import CALM, MODELS, Table, Viewer, table
from tests.redis_server import RedisServer

CLAIM_S = 0.6
RULES = RefereeRules(stage=StageRules(pace=5000, grace_s=5.0, total_s=30.0))


@pytest.fixture(autouse=True)
def in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims are renewed before they lapse, as short as they are here."""
    monkeypatch.setattr(rounds, "RENEW_S", CLAIM_S / 3)


@dataclass
class Replica:
    at: Table
    store: RedisStore

    async def die(self) -> None:
        """Everything ends as with its process: nothing is released, nothing is said."""
        await self.store.close()
        await self.at.referee.close()


@asynccontextmanager
async def replica(
    folder: Path, server: RedisServer, prefix: str, host: FakeOllama
) -> AsyncIterator[Replica]:
    store = RedisStore(server.url, prefix=prefix, answer_s=0.5)
    battles = RedisBattles(store, owner_s=CLAIM_S)
    feed = RedisFeed(store, patience_s=0.2)
    async with table(folder, [host], rules=RULES, battles=battles, feed=feed, timeouts=CALM) as at:
        looking = asyncio.create_task(at.referee.rounds.look_after_orphans(0.1))
        try:
            yield Replica(at, store)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            feed.close()
            await at.referee.close()
            await store.close()


Scene = Callable[[Replica, Replica, FakeOllama], Coroutine[Any, Any, None]]


def on_two(
    folder: Path, server: RedisServer, prefix: str, scene: Scene, *models: FakeModel
) -> None:
    async def run() -> None:
        async with FakeOllama(
            models or [LLAMA, MISTRAL, PHI], speed=20, warm=True, num_parallel=2
        ) as host:
            async with replica(folder, server, prefix, host) as one:
                async with replica(folder, server, prefix, host) as other:
                    await scene(one, other, host)

    asyncio.run(run())


def test_a_battle_begun_on_one_is_watched_voted_on_and_finished_on_the_other(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?", "knockout")).battle
        async with Viewer(other.at.referee, battle) as seen:
            await seen.voting()
            assert seen.text("A") and seen.text("B")
            await other.at.referee.vote(battle, 1, "drop", "A", ballot=seen.now.ballot)
            await seen.until(lambda: seen.now.round == 2 and seen.now.phase == "voting")
            held = (await one.at.referee.scoreboard.board()).held_back
            assert held == 1, "a battle under way is held back on every replica"
            await one.at.referee.vote(battle, 2, "drop", "B")
            await seen.phase("decided")
            assert {s.name for s in (await other.at.referee.reveal(battle))[0].seats} == set(MODELS)
        assert (
            (await one.at.referee.scoreboard.board()).votes
            == (await other.at.referee.scoreboard.board()).votes
            == 2
        )

    on_two(tmp_path, redis_server, prefix, scene)


def test_a_name_means_the_battle_that_was_opened_under_it_last_on_every_replica(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        for opening, asked in ((one, other), (other, one)):
            battle = (await opening.at.referee.open("Why?", unattended=True, alias="mine")).battle
            assert await asked.at.referee.named("mine") == battle
        assert await one.at.referee.named("another") == ""

    on_two(tmp_path, redis_server, prefix, scene)


def test_two_votes_at_once_on_two_replicas_are_one_ballot(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(one.at.referee, battle) as seen:
            await seen.voting()
            told = await asyncio.gather(
                one.at.referee.vote(battle, 1, "drop", "A"),
                other.at.referee.vote(battle, 1, "drop", "B"),
                return_exceptions=True,
            )
            (stands,) = [state for state in told if isinstance(state, State)]
            (lost,) = [error for error in told if isinstance(error, OtherVote)]
            (out,) = [pane.seat for pane in stands.panes if pane.state == "eliminated"]
            assert f"Model {out} was voted out" in str(lost)
            assert (await other.at.referee.state(battle)).panes == stands.panes
        votes = await one.at.ledger.votes()
        assert votes["ballot_id"].nunique() == 1 and len(votes) == 2

    on_two(tmp_path, redis_server, prefix, scene)


def meanwhile(replica: Replica, happens: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """This happens on the other replica just before this one stores its next move."""
    battles = replica.at.battles
    save = battles.save

    async def late(battle: Battle) -> None:
        battles.save = save  # type: ignore[method-assign]
        await happens()
        await save(battle)

    battles.save = late  # type: ignore[method-assign]


def test_a_move_that_another_replica_made_otherwise_is_refused_and_the_same_one_is_not(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(one.at.referee, battle) as seen:

            async def asked(prompt: str) -> State:
                await seen.until(lambda: seen.now.phase == "voting")
                meanwhile(other, lambda: one.at.referee.follow_up(battle, "In winter?"))
                return await other.at.referee.follow_up(battle, prompt)

            with pytest.raises(StaleVote):
                await asked("In summer?")
            assert (await one.at.referee.state(battle)).prompts == ("Why?", "In winter?")
            assert (await asked("In winter?")).prompts == ("Why?", "In winter?", "In winter?")
            await seen.until(lambda: seen.now.phase == "voting")

    on_two(tmp_path, redis_server, prefix, scene)


def test_who_ends_a_battle_that_moves_on_elsewhere_ends_it_as_it_is_then(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: one.at.referee.vote(seen.battle, 1, "drop", "A"))
            assert (await other.at.referee.abandon(seen.battle)).phase == "void"
            assert len(await one.at.referee.history(seen.battle)) == 1
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: one.at.referee.abandon(seen.battle))
            assert (await other.at.referee.abandon(seen.battle)).phase == "void"
        assert {each.at.referee.counted["void"] for each in (one, other)} == {1}
        async with one.at.battle() as seen:
            meanwhile(other, seen.voting)
            state = await other.at.referee.stop(seen.battle)
            assert state.phase == "voting", "what can be judged is not stopped"

    on_two(tmp_path, redis_server, prefix, scene)


def test_a_vote_that_is_in_the_ledger_moves_the_battle_that_moved_on_elsewhere_or_that_is_told(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        async def asked_on(battle: str, seen: Viewer) -> None:
            await one.at.referee.follow_up(battle, "In winter?")
            await seen.until(lambda: seen.now.phase == "voting" and len(seen.now.prompts) == 2)

        async def judged_on(battle: str) -> None:
            await one.at.referee.vote(battle, 1, "drop", "A")
            await one.at.referee.vote(battle, 2, "drop", "B")

        async def vote_on(replica: Replica, battle: str, seat: str) -> State:
            return await replica.at.referee.vote(battle, 1, "drop", seat)

        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: asked_on(seen.battle, seen))
            assert (await vote_on(other, seen.battle, "A")).round == 2, "its round is open again"
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: judged_on(seen.battle))
            assert (await vote_on(other, seen.battle, "A")).phase == "decided"
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: one.at.referee.follow_up(seen.battle, "In winter?"))
            with pytest.raises(StaleVote, match="Your vote is kept"):
                await vote_on(other, seen.battle, "A")
            await seen.until(lambda: len(seen.now.prompts) == 2 and seen.now.phase == "voting")
            with pytest.raises(OtherVote, match="Model A was voted out"):
                await vote_on(other, seen.battle, "B")
            assert (await one.at.referee.state(seen.battle)).round == 2
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(other, lambda: one.at.referee.abandon(seen.battle))
            with pytest.raises(StaleVote, match="Your vote is kept"):
                await vote_on(other, seen.battle, "A")
            assert (await one.at.referee.state(seen.battle)).phase == "void"
            assert await recorded(one.at.ledger, seen.battle) == 2

    on_two(tmp_path, redis_server, prefix, scene)


def test_a_vote_is_not_said_to_be_kept_where_another_one_is(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def away() -> None:
        raise StoreFault("away")

    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        async with one.at.battle() as seen:
            await seen.voting()
            meanwhile(one, away)
            with pytest.raises(StoreFault):
                await one.at.referee.vote(seen.battle, 1, "drop", "A")
            meanwhile(other, lambda: one.at.referee.abandon(seen.battle))
            with pytest.raises(OtherVote, match="Model A was voted out"):
                await other.at.referee.vote(seen.battle, 1, "drop", "B")

    on_two(tmp_path, redis_server, prefix, scene)


def test_what_a_replica_left_before_anything_was_shown_is_written_again(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(other.at.referee, battle) as seen:
            await host.wait_for(lambda: len(host.stats.answers()) == 3)
            await one.die()
            state = await seen.voting()
            assert all(seen.text(pane.seat) for pane in state.panes)
            await other.at.referee.vote(battle, 1, "tie")

    late = [FakeModel(name, ttft_s=10.0) for name in MODELS]
    on_two(tmp_path, redis_server, prefix, scene, *late)


def test_what_one_replica_cannot_read_keeps_it_from_taking_over_nothing_else(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        newer, battle = [(await one.at.referee.open(prompt)).battle for prompt in ("Who?", "Why?")]
        async with Viewer(other.at.referee, battle) as seen:
            await host.wait_for(lambda: len(host.stats.answers()) > 0)
            await one.die()
            key = f"{prefix}battle:{newer}"
            told = json.loads(str(redis_server.ask("HGET", key, "battle")))
            redis_server.ask("HSET", key, "battle", json.dumps(told | {"of a newer arena": 1}))
            await seen.voting()

    late = [FakeModel(name, ttft_s=10.0) for name in MODELS]
    on_two(tmp_path, redis_server, prefix, scene, *late)


@pytest.mark.parametrize(
    "batches",
    [None, [[]], [], [[(1, Delta(()))], []]],
    ids=["told", "silent", "of a newer arena", "behind"],
)
def test_what_a_replica_left_half_shown_is_void_and_counts_for_nobody(
    tmp_path: Path, redis_server: RedisServer, prefix: str, batches: list[list[Any]] | None
) -> None:
    """batches: what is told, instead, when it is first asked for what was shown."""

    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        feed = other.at.feed
        follow, publish, published = feed.follow, feed.publish, []

        async def noted(battle_id: str, event: Event, *, playing: bool = False) -> int:
            published.append(event)
            return await publish(battle_id, event, playing=playing)

        async def once(battle_id: str) -> AsyncGenerator[list[Any], None]:
            feed.follow = follow  # type: ignore[method-assign]
            for batch in batches or ():
                yield batch

        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(other.at.referee, battle) as seen:
            await seen.until(lambda: seen.text("A"))
            if batches is not None:
                feed.follow = once  # type: ignore[method-assign, assignment]
            feed.publish = noted  # type: ignore[method-assign]
            await one.die()
            state = await seen.phase("void")
            assert state.notice == FAULT
            assert feed.follow == follow
            assert len(published) == 2 + bool(batches), "nothing is added to what cannot be read"
        assert await recorded(other.at.ledger, battle) == 0
        assert len(asked(host)) == len(MODELS), "not written again behind what was shown"

    slow = [FakeModel(name, tokens_per_s=2, text="word " * 500) for name in MODELS]
    on_two(tmp_path, redis_server, prefix, scene, *slow)


def test_a_redis_that_is_away_for_a_while_costs_a_pause_and_no_battle(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(other.at.referee, battle) as seen:
            await seen.until(lambda: seen.text("A"))
            redis_server.kill()
            redis_server.start()
            await seen.voting()
            replies = await one.at.referee.replies(battle)
            shown = {seat: (seen.text(seat),) for seat in replies}
            assert shown == dict(replies), "nothing lost, nothing doubled"
            await one.at.referee.vote(battle, 1, "tie")
        assert await recorded(one.at.ledger, battle) == 3

    slow = [FakeModel(name, tokens_per_s=10, text="word " * 60) for name in MODELS]
    on_two(tmp_path, redis_server, prefix, scene, *slow)


@pytest.mark.slow
def test_a_round_that_two_replicas_write_is_shown_by_one(
    tmp_path: Path, redis_server: RedisServer, prefix: str
) -> None:
    """A claim can lapse though whoever held it is well and writes on."""

    async def unheard(battle_id: str) -> bool:
        raise StoreFault("The claim was not renewed.")

    async def unseen() -> tuple[str, ...]:
        return ()

    async def scene(one: Replica, other: Replica, host: FakeOllama) -> None:
        battle = (await one.at.referee.open("Why?")).battle
        async with Viewer(other.at.referee, battle) as seen:
            await host.wait_for(lambda: len(asked(host)) == 3)
            one.at.battles.claim = unheard  # type: ignore[method-assign]
            one.at.battles.orphans = unseen  # type: ignore[method-assign]
            await host.wait_for(lambda: len(asked(host)) == 6)
            await seen.voting()
            for each in (one, other):
                await each.at.referee.rounds.finished()
            replies = await other.at.referee.replies(battle)
            assert {seat: (seen.text(seat),) for seat in replies} == dict(replies)

    late = [FakeModel(name, ttft_s=40.0, tokens_per_s=10, text="word " * 60) for name in MODELS]
    on_two(tmp_path, redis_server, prefix, scene, *late)


def asked(host: FakeOllama) -> list[Any]:
    return [call for call in host.stats.requests if call.path == "/api/chat"]
