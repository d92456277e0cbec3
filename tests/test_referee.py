"""The use cases on a fake host: whole battles, what is recorded, and what is refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from arena.core.ports import BadInput, LedgerFault, NoCapacity, NotYet, StaleVote, UnknownBattle
from arena.referee import RefereeRules
from arena.stage import StageRules
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import MODELS, QUICK, Table, eventually, table

Scene = Callable[[Table, FakeOllama], Coroutine[Any, Any, None]]


def on_stage(folder: Path, scene: Scene, **options: Any) -> None:
    """Run the scene with a referee on one warm fake host."""
    fake = options.pop("fake", {})

    async def run() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=20, warm=True, **fake) as host:
            async with table(folder, [host], **options) as at:
                await scene(at, host)

    asyncio.run(run())


def test_an_elimination_battle_ends_with_a_champion_and_only_cast_votes(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle("Say something.") as seen:
            await seen.voting()
            assert seen.live == ["A", "B", "C"]
            await at.referee.vote(seen.battle, 1, "drop", "B", rater="r1", dwell_ms=1200)
            await seen.until(lambda: seen.now.round == 2)
            assert (seen.live, seen.now.final) == (["A", "C"], True)
            await at.referee.vote(seen.battle, 2, "drop", "A", rater="r1")
            await seen.phase("decided")
            revealed, movement = await at.referee.reveal(seen.battle)
        assert [s.letter for s in revealed.seats] == ["C", "A", "B"]
        assert {s.name for s in revealed.seats} == set(MODELS) == set(movement["contender"])
        votes = await at.ledger.votes()
        judged = votes[["seat_a", "seat_b", "winner", "round"]].values.tolist()
        assert judged == [
            ["A", "B", "model_a", 1],
            ["B", "C", "model_b", 1],
            ["A", "C", "model_b", 2],
        ]
        names = {s.letter: s.name for s in revealed.seats}
        assert [names[s] for s in votes["seat_a"]] == votes["model_a"].tolist()
        assert votes["rater"].tolist() == ["r1"] * 3
        assert votes["conversation_a"][0][1]["content"] == seen.text("A")
        assert (votes["ttft_ms_a"] > 0).all() and (votes["tokens_per_s_b"] > 0).all()

    on_stage(tmp_path, scene)


def test_in_a_knockout_the_challenger_is_there_at_once(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle(format="knockout") as seen:
            await seen.voting()
            assert (seen.live, seen.now.to_come) == (["A", "B"], 1)
            await host.wait_for(lambda: len(host.stats.answers()) == 3)
            await eventually(lambda: not at.pool.under_way())
            deltas_before = len(seen.deltas)
            await at.referee.vote(seen.battle, 1, "drop", "A")
            await seen.until(lambda: seen.now.round == 2 and seen.now.phase == "voting")
            assert seen.live == ["B", "C"]
            assert len(seen.deltas) == deltas_before + 1, "shown in one piece"
            await at.referee.vote(seen.battle, 2, "tie")
            await seen.phase("decided")
            revealed, _ = await at.referee.reveal(seen.battle)
            assert [s.letter for s in revealed.seats if s.champion] == ["B", "C"]

    on_stage(tmp_path, scene)


def test_a_follow_up_goes_to_the_survivors_each_with_its_own_history(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle("First?") as seen:
            await seen.voting()
            await at.referee.vote(seen.battle, 1, "drop", "A")
            await at.referee.follow_up(seen.battle, "Second?")
            await seen.until(lambda: seen.now.phase == "voting" and seen.now.round == 2)
            assert seen.text("B", 1) and seen.text("C", 1) and not seen.text("A", 1)
            later = host.stats.answers()[3:]
            assert len(later) == 2
            for call in later:
                roles = [m["role"] for m in call.messages]
                assert roles == ["user", "assistant", "user"]
            own = {call.messages[1]["content"] for call in later}
            assert own == {seen.text("B"), seen.text("C")}

    on_stage(tmp_path, scene)


def test_the_same_ballot_twice_counts_once_and_gets_the_first_result(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            states = await asyncio.gather(
                at.referee.vote(seen.battle, 1, "drop", "A"),
                at.referee.vote(seen.battle, 1, "drop", "A"),
                at.referee.vote(seen.battle, 1, "drop", "C"),
            )
            assert len({s.version for s in states}) == 1
            assert states[2].panes[0].state == "eliminated"
            assert await at.ledger.of_battle(seen.battle) == 2

    on_stage(tmp_path, scene)


def test_moves_that_are_not_open_are_refused_and_change_nothing(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            with pytest.raises(NotYet):
                await at.referee.vote(seen.battle, 1, "drop", "A")
            await seen.voting()
            for wrong in (("drop", ""), ("drop", "D"), ("tie", "A"), ("praise", "A")):
                with pytest.raises(BadInput):
                    await at.referee.vote(seen.battle, 1, *wrong)
            with pytest.raises(StaleVote):
                await at.referee.vote(seen.battle, 2, "drop", "A")
            with pytest.raises(NotYet):
                await at.referee.reveal(seen.battle)
            with pytest.raises(UnknownBattle):
                await at.referee.vote("nowhere", 1, "tie")
            assert await at.ledger.of_battle(seen.battle) == 0
            assert (await at.referee.state(seen.battle)).phase == "voting"

    on_stage(tmp_path, scene)


@pytest.mark.parametrize("prompt", ["", "  \n ", "x" * 6001])
def test_an_empty_or_overlong_prompt_is_refused_in_words(tmp_path: Path, prompt: str) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        with pytest.raises(BadInput, match="prompt"):
            await at.referee.open(prompt)

    on_stage(tmp_path, scene)


def test_without_a_host_a_battle_is_refused_before_it_exists(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        await host.stop()
        await at.pool.look()
        with pytest.raises(NoCapacity, match="does not answer"):
            await at.referee.open("Hello?")
        await host.start()
        await at.pool.refresh()
        assert (await at.referee.open("Hello?")).phase == "answering"

    on_stage(tmp_path, scene)


def test_nothing_public_names_a_contender_before_the_reveal(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            await at.referee.vote(seen.battle, 1, "drop", "A")
            await seen.until(lambda: seen.now.round == 2)
            public = json.dumps([asdict(e) for e in (*seen.states, *seen.deltas)])
            assert not [m for m in (*MODELS, *(m.split(":")[0] for m in MODELS)) if m in public]

    on_stage(tmp_path, scene)


def test_replies_are_held_back_to_one_length_and_one_pace(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            whole = {f"{s}0": len(seen.text(s)) for s in "ABC"}
            assert len(seen.lengths) > 3
            for before, shown in zip([{}, *seen.lengths], seen.lengths, strict=False):
                unfinished = {n for key, n in shown.items() if n < whole[key]}
                assert len(unfinished) <= 1, shown
                assert all(n - before.get(key, 0) <= 40 for key, n in shown.items())

    on_stage(tmp_path, scene, rules=RefereeRules(stage=StageRules(pace=400, total_s=60)))


def test_when_everybody_leaves_the_host_is_told_to_stop(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.until(lambda: seen.now.panes[0].state == "writing")
            await seen.leave()
            await host.wait_for(lambda: not host.stats.active_streams)
        assert len(host.stats.cancelled) == 3
        async with at.battle() as _:
            pass
        state = await at.referee.state(seen.battle)
        assert state.phase == "void" and "page was closed" in state.notice
        assert await at.ledger.of_battle(seen.battle) == 0

    slow = [FakeModel(name, tokens_per_s=1, text="word " * 500) for name in MODELS]

    async def run() -> None:
        async with FakeOllama(slow, speed=20, warm=True) as host:
            rules = RefereeRules(stage=StageRules(pace=5000, grace_s=0.2))
            async with table(tmp_path, [host], rules=rules) as at:
                await scene(at, host)

    asyncio.run(run())


def test_a_returning_viewer_sees_the_same_battle_from_the_start(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as first:
            await first.voting()
        async with at.battle() as other:
            assert other.battle != first.battle
        async for batch in at.referee.follow(first.battle):
            again = [e for _, e in batch]
            break
        assert again[-1] == first.now
        assert [e for e in again if e not in first.states] == first.deltas

    on_stage(tmp_path, scene)


def test_a_reply_that_names_itself_is_flagged_at_once_and_not_ranked(tmp_path: Path) -> None:
    text = "Well. I am Mistral, made by Mistral AI. " + "And on it goes. " * 40
    teller = FakeModel("mistral:7b", text=text)

    async def run() -> None:
        async with FakeOllama([LLAMA, teller, PHI], speed=20, warm=True) as host:
            async with table(tmp_path, [host]) as at, at.battle() as seen:
                await seen.voting()
                flagged = [p.seat for p in seen.now.panes if p.flagged]
                assert len(flagged) == 1
                early = [s for s in seen.states if any(p.flagged for p in s.panes)]
                assert early[0].phase == "answering"
                others = [s for s in "ABC" if s not in flagged]
                await at.referee.vote(seen.battle, 1, "drop", others[0])
                votes = await at.ledger.votes()
                assert votes["excluded_reason"].tolist() == ["identity"] * 2

    asyncio.run(run())


def test_options_are_pinned_and_equal_and_no_keep_alive_is_sent(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
        calls = host.stats.answers()
        assert len(calls) == 3
        assert all(c.options == calls[0].options and "seed" in c.options for c in calls)
        assert all("keep_alive" not in c.body for c in calls)

    on_stage(tmp_path, scene, rules=RefereeRules(stage=QUICK))


def test_a_vote_that_cannot_be_saved_is_told_and_can_be_cast_again(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            version = seen.now.version
            with sqlite3.connect(tmp_path / "arena.db", isolation_level=None) as other:
                # A trigger of the database stands in for whatever makes a write fail.
                other.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON votes WHEN NEW.seat_b = 'C'"
                    " BEGIN SELECT RAISE(ABORT, 'no room'); END"
                )
                with pytest.raises(LedgerFault):
                    await at.referee.vote(seen.battle, 1, "drop", "A")
                other.execute("DROP TRIGGER full")
            other.close()
            assert (await at.referee.state(seen.battle)).version == version
            assert await at.ledger.of_battle(seen.battle) == 0
            assert (await at.referee.vote(seen.battle, 1, "drop", "A")).round == 2
            assert await at.ledger.of_battle(seen.battle) == 2

    on_stage(tmp_path, scene)
