"""The use cases on a fake host: whole battles, what is recorded, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from arena.adapters.battles import MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.adapters.limits import MemoryLimits
from arena.core.battle.entities import Battle, Finished, Reply
from arena.core.battle.rules import answer, ballot, void
from arena.core.errors import (
    BadInput,
    LedgerFault,
    NoCapacity,
    NotYet,
    NotYours,
    OtherVote,
    RateLimited,
    StaleVote,
    StoreFault,
    UnknownBattle,
)
from arena.core.ticks import TRIES, phase_of
from arena.play import admission
from arena.play.admission import Caller, RefereeRules
from arena.play.stage import StageRules
from tests.adapters.ledgers import recorded
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import MODELS, QUICK, Table, Viewer, eventually, table, writing

WRITTEN = Finished("host", "stop", 1.0, 2.0)
Scene = Callable[[Table, FakeOllama], Coroutine[Any, Any, None]]


class _Failing(MemoryBattles):
    """Keeps nothing more while it is away."""

    away = False

    async def save(self, battle: Battle) -> None:
        if self.away:
            raise StoreFault("away")
        await super().save(battle)

    async def unkey(self, key: str, battle_id: str) -> None:
        if self.away:
            raise StoreFault("away")
        await super().unkey(key, battle_id)


def on_stage(folder: Path, scene: Scene, **options: Any) -> None:
    """Run the scene with a referee on one warm fake host."""
    fake = options.pop("fake", {})

    async def run() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], warm=True, **{"speed": 20} | fake) as host:
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
        assert {s.name for s in revealed.seats} == set(MODELS) == {m.contender for m in movement}
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
            await eventually(lambda: not writing(at.pool))
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


def test_of_many_votes_on_a_round_one_stands_and_the_others_are_told_which(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            same, again, *others = await asyncio.gather(
                at.referee.vote(seen.battle, 1, "drop", "A"),
                at.referee.vote(seen.battle, 1, "drop", "A"),
                at.referee.vote(seen.battle, 1, "drop", "C"),
                at.referee.vote(seen.battle, 1, "tie"),
                return_exceptions=True,
            )
            assert same == again and same.panes[0].state == "eliminated"
            assert all(isinstance(other, OtherVote) for other in others)
            assert all("Model A was voted out" in str(other) for other in others)
            assert await recorded(at.ledger, seen.battle) == 2

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
            assert await recorded(at.ledger, seen.battle) == 0
            assert (await at.referee.state(seen.battle)).phase == "voting"

    on_stage(tmp_path, scene)


INVISIBLE = (
    "\u200b",
    "\ufeff \u2060",
    "\u200d\u200e",
    "\u3164\u2800",
    "\u0301\ufe0f",
    "\xad",
    "\x07",
)


@pytest.mark.parametrize("prompt", ["", "  \n ", *INVISIBLE])
def test_a_prompt_of_which_nothing_is_seen_is_empty(tmp_path: Path, prompt: str) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        with pytest.raises(BadInput, match="The prompt is empty"):
            await at.referee.open(prompt)
        for shown in ("\u200b?", "ش\u200d", "👩\u200d🚀", "e\u0301"):
            at.referee._admission.prompt(shown)

    on_stage(tmp_path, scene)


@pytest.mark.parametrize("prompt", ["a\0b", "half \ud83d", "", "x" * 6001])
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


@pytest.mark.slow
def test_replies_are_held_back_to_one_length_and_one_pace(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            whole = {f"{s}0": len(seen.text(s)) for s in "ABC"}
            assert len(seen.lengths) > 3
            for before, shown in zip([{}, *seen.lengths], seen.lengths, strict=False):
                unfinished = {n for key, n in shown.items() if n < whole[key]}
                assert len(unfinished) <= 1, shown
                paced = not any(n == whole[key] for key, n in shown.items())
                assert not paced or all(n - before.get(key, 0) <= 48 for key, n in shown.items())

    rules = RefereeRules(stage=StageRules(pace=400, total_s=60))
    on_stage(tmp_path, scene, rules=rules, fake={"speed": 1})


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
        assert await recorded(at.ledger, seen.battle) == 0

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
            assert await recorded(at.ledger, seen.battle) == 0
            assert (await at.referee.vote(seen.battle, 1, "drop", "A")).round == 2
            assert await recorded(at.ledger, seen.battle) == 2

    on_stage(tmp_path, scene)


# Taking back, leaving, coming twice ------------------------------------------------------------


def test_a_vote_that_is_taken_back_stands_until_another_supersedes_it(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            with pytest.raises(NotYet):
                await at.referee.undo(seen.battle)
            await at.referee.vote(seen.battle, 1, "drop", "A")
            await seen.until(lambda: seen.now.round == 2)
            assert seen.now.undo
            back = await at.referee.undo(seen.battle)
            assert (back.phase, back.round, back.undo) == ("voting", 1, False)
            assert [pane.state for pane in back.panes] == ["complete"] * 3
            await at.referee.vote(seen.battle, 1, "drop", "B")
            votes = await at.ledger.votes()
            first, second = votes["ballot_id"].iloc[0], votes["ballot_id"].iloc[-1]
            assert votes["supersedes"].tolist() == ["", "", first, first] and first != second
            await at.referee.vote(seen.battle, 2, "tie")
            with pytest.raises(NotYet):
                await at.referee.undo(seen.battle)
        board = await at.referee.scoreboard.board()
        assert board.excluded == {"superseded": 2} and board.votes == 3

    on_stage(tmp_path, scene)


def test_what_is_taken_back_is_never_a_vote_before_one_that_did_not_move_the_battle(
    tmp_path: Path,
) -> None:
    """Nothing would supersede that ballot, and the next one on its round would count beside it."""

    async def away(battle: Battle) -> None:
        raise StoreFault("away")

    async def scene(at: Table, host: FakeOllama) -> None:
        stop, save = at.referee.rounds.stop, at.battles.save

        async def meanwhile(battle: str) -> None:
            at.referee.rounds.stop = stop  # type: ignore[method-assign]
            await stop(battle)
            at.battles.save = away  # type: ignore[method-assign]
            with pytest.raises(StoreFault):
                await other.referee.vote(battle, 2, "drop", "B")
            at.battles.save = save  # type: ignore[method-assign]

        async with table(tmp_path, [host], battles=at.battles, feed=at.feed) as other:
            for before in (True, False):
                async with at.battle() as seen:
                    await seen.voting()
                    await at.referee.vote(seen.battle, 1, "drop", "A")
                    if before:
                        await meanwhile(seen.battle)
                    else:
                        at.referee.rounds.stop = meanwhile  # type: ignore[method-assign]
                    with pytest.raises(StaleVote, match="moved on"):
                        await at.referee.undo(seen.battle)
                    assert (await seen.phase("decided")).round == 2
        votes = await at.ledger.votes()
        assert votes["round"].tolist() == [1, 1, 2] * 2 and not votes["supersedes"].any()

    on_stage(tmp_path, scene)


def test_undo_in_a_knockout_sends_the_challenger_back(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle(format="knockout") as seen:
            await seen.voting()
            await at.referee.vote(seen.battle, 1, "drop", "A")
            await seen.until(lambda: seen.now.round == 2 and seen.now.phase == "voting")
            challenger = seen.text("C")
            back = await at.referee.undo(seen.battle)
            assert [pane.seat for pane in back.panes] == ["A", "B"] and back.to_come == 1
            await at.referee.vote(seen.battle, 1, "drop", "B")
            await seen.until(lambda: seen.now.round == 2 and seen.now.phase == "voting")
            assert seen.live == ["A", "C"]
            assert seen.text("C") == challenger, "shown once, and not written again"

    on_stage(tmp_path, scene)


def test_a_ballot_does_not_tell_the_seed(tmp_path: Path) -> None:
    """There are 2³¹ seeds, which can all be tried in seconds; and whoever has the seed and the
    models can have the replies written again."""

    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle("Why?") as seen:
            await seen.voting()
            battle = await at.battles.load(seen.battle)
            assert seen.now.ballot == ballot(battle)
            for other in ("", "0" * 32):
                origin = replace(battle.origin, secret=other)
                assert ballot(replace(battle, origin=origin)) != seen.now.ballot
            assert int(battle.origin.secret, 16).bit_length() > 96
            again = (battle.seed + tries for tries in range(TRIES))
            assert {*map(phase_of, again)} == {phase_of(battle.seed)}, "read on one grid"
            reseeded = replace(battle, seed=battle.seed + 1)
            assert ballot(reseeded) == seen.now.ballot

    on_stage(tmp_path, scene)


def test_a_ballot_can_be_used_once(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            first = seen.now.ballot
            with pytest.raises(StaleVote):
                await at.referee.vote(seen.battle, 1, "drop", "A", ballot="made up")
            await at.referee.vote(seen.battle, 1, "drop", "A", ballot=first)
            with pytest.raises(OtherVote, match="Model A"):
                await at.referee.vote(seen.battle, 1, "drop", "C", ballot=first)
            await at.referee.undo(seen.battle)
            with pytest.raises(StaleVote):
                await at.referee.vote(seen.battle, 1, "drop", "C", ballot=first)
            assert await recorded(at.ledger, seen.battle) == 2

    on_stage(tmp_path, scene)


def test_a_vote_that_was_recorded_but_did_not_move_the_battle_moves_it_when_cast_again(
    tmp_path: Path,
) -> None:
    """As when the process that recorded it died, or the store was away just then."""

    battles = _Failing()

    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            battles.away = True
            with pytest.raises(StoreFault):
                await at.referee.vote(seen.battle, 1, "drop", "B")
            battles.away = False
            assert (await at.referee.state(seen.battle)).round == 1
            with pytest.raises(OtherVote, match="Model B was voted out"):
                await at.referee.vote(seen.battle, 1, "drop", "C")
            state = await at.referee.state(seen.battle)
            assert state.round == 2 and state.panes[1].state == "eliminated", "the first counts"
            assert await recorded(at.ledger, seen.battle) == 2

    on_stage(tmp_path, scene, battles=battles)


def test_a_battle_that_is_left_ends_void_and_keeps_its_votes(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            await at.referee.vote(seen.battle, 1, "drop", "A")
            assert (await at.referee.scoreboard.board()).held_back == 2
            state = await at.referee.abandon(seen.battle)
            assert state.phase == "void" and "already cast are kept" in state.notice
            await seen.phase("void")
            board = await at.referee.scoreboard.board()
            assert (board.votes, board.held_back) == (0, 2), "half a battle is worth no name"
            with pytest.raises(NotYet):
                await at.referee.abandon(seen.battle)

    on_stage(tmp_path, scene)


def test_leaving_while_they_write_stops_them(tmp_path: Path) -> None:
    slow = [FakeModel(name, tokens_per_s=1, text="word " * 500) for name in MODELS]

    async def run() -> None:
        async with FakeOllama(slow, speed=20, warm=True) as host:
            async with table(tmp_path, [host]) as at, at.battle() as seen:
                await host.wait_for(lambda: host.stats.active_streams == 3)
                await at.referee.abandon(seen.battle)
                await eventually(lambda: not writing(at.pool))
                await host.wait_for(lambda: len(host.stats.cancelled) == 3)

    asyncio.run(run())


def test_one_key_opens_one_battle(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        states = await asyncio.gather(*(at.referee.open("Why?", key="k") for _ in range(3)))
        opened = {state.battle for state in states}
        assert len(opened) == 1
        assert (await at.referee.open("Why?", key="k")).battle in opened
        another = (await at.referee.open("Why?", key="other", alias="mine")).battle
        assert another not in opened
        origin = (await at.battles.load(another)).origin
        assert (origin.key, origin.alias) == ("other", "mine"), "known after a restart"

    on_stage(tmp_path, scene)


def test_a_key_is_free_again_when_nothing_could_be_opened(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        with pytest.raises(BadInput):
            await at.referee.open("Why?", "duel", key="k")
        assert (await at.referee.open("Why?", key="k")).phase == "answering"

    on_stage(tmp_path, scene)


def test_a_key_whose_battle_was_never_stored_opens_one_at_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "OPENING_LOOK_S", 0.001)
    battles = _Failing()
    battles.away = True

    async def scene(at: Table, host: FakeOllama) -> None:
        with pytest.raises(StoreFault):
            await at.referee.open("Why?", key="k")
        battles.away = False
        states = await asyncio.gather(*(at.referee.open("Why?", key="k") for _ in range(3)))
        assert {state.battle for state in states} == await battles.under_way()
        assert len(await battles.under_way()) == 1

    on_stage(tmp_path, scene, battles=battles)


class _Slow(MemoryBattles):
    """The first battle is stored only when it may be."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.slow = asyncio.Event(), ""

    async def save(self, battle: Battle) -> None:
        self.slow = self.slow or battle.id
        if battle.id == self.slow:
            await self.may.wait()
        await super().save(battle)


def test_an_opening_that_was_given_up_ends_as_the_one_that_has_its_key_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "OPENING_LOOK_S", 0.001)
    battles = _Slow()

    async def scene(at: Table, host: FakeOllama) -> None:
        slow = asyncio.create_task(at.referee.open("Why?", key="k"))
        await eventually(lambda: battles.slow)
        quick = await at.referee.open("Why?", key="k")
        battles.may.set()
        assert (await slow).battle == quick.battle != battles.slow
        assert (await at.referee.state(battles.slow)).phase == "void"
        assert await battles.under_way() == {quick.battle}

    on_stage(tmp_path, scene, battles=battles)


def test_one_place_opens_so_many_battles_a_minute(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        for _ in range(2):
            await at.referee.open("Why?", caller=Caller("one", "here"))
        for caller in (Caller("new", "here"), Caller("one", "there"), Caller("", "here")):
            with pytest.raises(RateLimited) as refused:
                await at.referee.open("Why?", caller=caller)
            assert 0 < refused.value.retry_after_s <= 60
        await at.referee.open("Why?", caller=Caller("another", "elsewhere"))

    on_stage(tmp_path, scene, rules=RefereeRules(stage=QUICK, opens_per_minute=2))


def test_more_ballots_than_a_person_casts_are_kept_as_abuse(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            with pytest.raises(NotYet):
                await at.referee.vote(seen.battle, 1, "drop", "A", rater="r")
            await seen.voting()
            with pytest.raises(StaleVote):
                await at.referee.vote(seen.battle, 2, "drop", "A", rater="r")
            await at.referee.vote(seen.battle, 1, "drop", "A", rater="r")
            await at.referee.vote(seen.battle, 2, "drop", "B", rater="r")
        votes = await at.ledger.votes()
        assert votes["excluded_reason"].tolist() == ["", "", "abuse"]
        assert (await at.referee.scoreboard.board()).excluded == {"abuse": 1}

    on_stage(tmp_path, scene, rules=RefereeRules(stage=QUICK, ballots_per_hour=1))


@pytest.mark.parametrize("rater", ["", "r{}"])
def test_a_new_rater_each_time_or_none_lifts_no_limit(tmp_path: Path, rater: str) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        for number in range(3):
            async with at.battle() as seen:
                await seen.voting()
                caller = Caller(rater.format(number), "one network")
                await at.referee.vote(seen.battle, 1, "bad", caller=caller)
        votes = await at.ledger.votes()
        assert votes["excluded_reason"].tolist() == [""] * 6 + ["abuse"] * 3

    on_stage(tmp_path, scene, rules=RefereeRules(stage=QUICK, ballots_per_hour=2))


class _Broken(MemoryLimits):
    async def take(self, key: str, limit: int, window_s: float) -> float:
        raise RuntimeError("the gate is away")


def test_a_gate_that_fails_excludes_nobody(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        at.referee._admission._limits = _Broken()
        async with at.battle() as seen:
            await seen.voting()
            await at.referee.vote(seen.battle, 1, "tie", caller=Caller("r", "n"))
        assert set((await at.ledger.votes())["excluded_reason"]) == {""}

    on_stage(tmp_path, scene, rules=RefereeRules(stage=QUICK, ballots_per_hour=1))


def test_only_whoever_opened_a_battle_moves_it(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        owner = Caller("owner", "network", "place")
        battle = (await at.referee.open("Why?", caller=owner)).battle
        async with Viewer(at.referee, battle) as seen:
            state = await seen.voting()
            for other in (Caller(), Caller("other", "network", "place")):
                for move in (
                    at.referee.vote(battle, 1, "tie", ballot=state.ballot, caller=other),
                    at.referee.undo(battle, caller=other),
                    at.referee.follow_up(battle, "And?", caller=other),
                    at.referee.abandon(battle, caller=other),
                ):
                    with pytest.raises(NotYours):
                        await move
            await at.referee.vote(battle, 1, "tie", caller=owner)
            with pytest.raises(NotYours):
                await at.referee.undo(battle, caller=Caller())
            await at.referee.undo(battle, caller=owner)

    on_stage(tmp_path, scene)


def test_topic_study_and_draw_are_in_the_ledger(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        state = await at.referee.open(
            "Why is that?", topic="law", study="pilot", session="me", size=2
        )
        async for batch in at.referee.follow(state.battle):
            if batch and any(getattr(e, "phase", "") == "voting" for _, e in batch):
                break
        await at.referee.vote(state.battle, 1, "tie")
        (row,) = (await at.ledger.votes()).to_dict("records")
        assert (row["topic"], row["study"], row["draw_policy"]) == ("law", "pilot", "fewest")
        assert row["rater"] == "me", "nobody else is named"
        assert row["draw_probability"] == pytest.approx(1 / 3)
        assert row["draw_probability_a"] == row["draw_probability_b"] == pytest.approx(2 / 3)
        for label in ("x" * 65, "a\0b", "a\nb", "a\tb", "a\x7f", "half\ud800"):
            with pytest.raises(BadInput, match="topic"):
                await at.referee.open("Why?", topic=label)
            with pytest.raises(BadInput, match="study"):
                await at.referee.open("Why?", study=label)

    on_stage(tmp_path, scene)


def test_who_comes_back_for_the_replies_need_not_watch(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        state = await at.referee.open("Why?", unattended=True)
        assert not await at.referee.rounds.watched()
        await at.referee.rounds.finished()
        assert (await at.referee.state(state.battle)).phase == "voting"
        replies = await at.referee.replies(state.battle)
        assert set(replies) == {"A", "B", "C"} and all(texts[0] for texts in replies.values())

    rules = RefereeRules(stage=StageRules(pace=5000, grace_s=0.0, total_s=20.0))
    on_stage(tmp_path, scene, rules=rules)


@pytest.mark.slow
def test_a_round_that_is_given_up_leaves_a_battle_alone_that_has_moved_on(tmp_path: Path) -> None:
    async def scene(elsewhere: str) -> str:
        faults: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        battles, feed = MemoryBattles(), MemoryFeed()
        rules = RefereeRules(stage=StageRules(pace=5000, grace_s=60, total_s=0.5))
        slow = [FakeModel(name, tokens_per_s=1.0) for name in MODELS]
        async with FakeOllama(slow, warm=True) as host:
            async with table(tmp_path, [host], battles=battles, feed=feed, rules=rules) as at:
                battle = await battles.load((await at.referee.open("Why?")).battle)
                if elsewhere == "void":
                    battle = void(battle, "It was left.")
                    await battles.save(battle)
                for letter in battle.live if elsewhere == "voting" else ():
                    battle = answer(battle, letter, Reply("words", WRITTEN))
                    await battles.save(battle)
                await at.referee.rounds.finished()
                gc.collect()
                assert not faults and await battles.load(battle.id) == battle
                assert not at.referee.rounds._stages
        return battle.phase

    assert [asyncio.run(scene(elsewhere)) for elsewhere in ("void", "voting")] == ["void", "voting"]


def test_a_battle_is_watched_also_after_a_restart(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await seen.voting()
            async with table(tmp_path, [host], battles=at.battles, feed=at.feed) as again:
                assert await again.referee.rounds.watched()

    on_stage(tmp_path, scene)


def test_draining_lets_rounds_be_finished_and_opens_no_more(tmp_path: Path) -> None:
    async def scene(at: Table, host: FakeOllama) -> None:
        async with at.battle() as seen:
            await at.referee.drain()
            assert (await at.referee.state(seen.battle)).phase == "voting"
            with pytest.raises(NoCapacity, match="restarted"):
                await at.referee.open("Why?")
            await at.referee.vote(seen.battle, 1, "drop", "A")

    on_stage(tmp_path, scene)
