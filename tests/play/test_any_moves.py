"""Any moves of anybody against a model of the battle that fits on a page: who is live, which votes
stand, and exactly the rows that were acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import aclosing
from math import comb
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from arena.core.battle.view import State
from arena.core.errors import ArenaError, NotYet, NotYours, OtherVote, Over, StaleVote
from arena.play.admission import Caller, RefereeRules
from arena.play.stage import StageRules
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama
from tests.playing import Table, table

OWNER, STRANGER = Caller(rater="owner"), Caller(rater="stranger")
QUICKEST = RefereeRules(
    stage=StageRules(pace=5000), opens_per_minute=0, ballots_per_hour=0, ballots_per_network=0
)
Cast = tuple[str, str]
"""Judgement and seat."""


class Moves(RuleBasedStateMachine):
    """PANES stand at once; whoever waits takes a free one."""

    at: ClassVar[Table]
    runner: ClassVar[asyncio.Runner]
    state: State

    def done(self, move: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            return await move

        return self.runner.run(whole())

    def refused(self, kind: type[ArenaError], move: Awaitable[Any]) -> None:
        with pytest.raises(kind):
            self.done(move)

    @initialize(format=st.sampled_from(("elimination", "knockout")), size=st.integers(2, 3))
    def opens(self, format: str, size: int) -> None:
        referee = self.at.referee
        self.panes = 3 if format == "elimination" else 2
        self.format = format
        self.state = self.done(referee.open("Why?", format, size=size, caller=OWNER))
        seats = list("ABC"[:size])
        self.live, self.waiting = seats[: self.panes], seats[self.panes :]
        self.over = ""
        self.rows = 0
        self.prompts = 1
        self.before: tuple[list[str], list[str], int, int] | None = None
        """As it was before the vote that can be taken back."""
        self.cast: list[tuple[int, str, Cast]] = []
        """Round, ballot and verdict of the votes that stand."""
        self._until_voting()

    def _until_voting(self) -> None:
        async def wait() -> State:
            state = await self.at.referee.state(self.state.battle)
            async with aclosing(self.at.referee.follow(state.battle)) as batches:
                async for _ in batches:
                    state = await self.at.referee.state(state.battle)
                    if state.phase != "answering":
                        break
            return state

        self.state = self.done(wait())

    def vote(self, round: int, cast: Cast, ballot: str, caller: Caller = OWNER) -> Awaitable[State]:
        return self.at.referee.vote(self.state.battle, round, *cast, ballot=ballot, caller=caller)

    def _verdict(self, kind: int) -> Cast:
        return (("tie", ""), ("bad", ""), *(("drop", seat) for seat in self.live))[
            kind % (2 + len(self.live))
        ]

    # What the owner does ----------------------------------------------------------------------

    @precondition(lambda self: not self.over)
    @rule(kind=st.integers(0, 5))
    def votes(self, kind: int) -> None:
        cast, count = self._verdict(kind), len(self.live)
        round, ballot = self.state.round, self.state.ballot
        self.before = (self.live, self.waiting, round, self.prompts)
        self.state = self.done(self.vote(round, cast, ballot))
        self.cast.append((round, ballot, cast))
        self.rows += count - 1 if cast[0] == "drop" else comb(count, 2)
        self._until_voting()
        self._moves_on(cast)

    def _moves_on(self, cast: Cast) -> None:
        last = len(self.live) == 2 and not self.waiting
        shown = {pane.seat for pane in self.state.panes if pane.state == "complete"}
        if (cast[0] == "bad" and self.format == "elimination") or (cast[0] == "tie" and last):
            self.over = "decided"
        else:
            gone = {"drop": {cast[1]}, "bad": set(self.live), "tie": {*self.live} - shown}[cast[0]]
            assert len(gone) == (len(self.live) if cast[0] == "bad" else 1)
            kept = [seat for seat in self.live if seat not in gone]
            free = self.panes - len(kept)
            self.live, self.waiting = kept + self.waiting[:free], self.waiting[free:]
            self.over = "decided" if len(self.live) <= 1 else ""

    @precondition(lambda self: not self.over and self.prompts < 3)
    @rule()
    def asks_on(self) -> None:
        self.done(self.at.referee.follow_up(self.state.battle, "And then?", caller=OWNER))
        self.prompts += 1
        self._until_voting()

    @rule()
    def takes_back(self) -> None:
        undo = self.at.referee.undo(self.state.battle, caller=OWNER)
        asked_on = self.before is not None and self.prompts != self.before[3]
        if self.over or not self.before or asked_on:
            self.refused(NotYet, undo)
            return
        self.done(undo)
        (self.live, self.waiting, _, _), self.before = self.before, None
        self.cast.pop()
        self._until_voting()

    @precondition(lambda self: not self.over)
    @rule()
    def leaves(self) -> None:
        self.done(self.at.referee.abandon(self.state.battle, caller=OWNER))
        self.over = "void"
        self._until_voting()

    # What changes nothing -----------------------------------------------------------------------

    @precondition(lambda self: self.cast)
    @rule(other=st.booleans(), by_ballot=st.booleans())
    def says_it_again(self, other: bool, by_ballot: bool) -> None:
        round, ballot, cast = self.cast[-1]
        ballot = ballot if by_ballot else ""
        if not other:
            self.done(self.vote(round, cast, ballot))
            return
        another = ("bad", "") if cast[0] == "tie" else ("tie", "")
        self.refused(OtherVote, self.vote(round, another, ballot))

    @rule(round=st.integers(1, 9), ballot=st.sampled_from(("", "0" * 24)))
    def votes_where_none_can_be_cast(self, round: int, ballot: str) -> None:
        known = {each[0] for each in self.cast}
        if round in known or (round == self.state.round and not self.over and not ballot):
            return
        self.refused((StaleVote, Over), self.vote(round, ("tie", ""), ballot))  # type: ignore[arg-type]

    @rule(how=st.sampled_from(("vote", "undo", "abandon", "follow_up")))
    def somebody_else_moves_it(self, how: str) -> None:
        referee, battle = self.at.referee, self.state.battle
        moves = {
            "vote": lambda: self.vote(
                self.state.round, ("tie", ""), self.state.ballot, caller=STRANGER
            ),
            "undo": lambda: referee.undo(battle, caller=STRANGER),
            "abandon": lambda: referee.abandon(battle, caller=STRANGER),
            "follow_up": lambda: referee.follow_up(battle, "Mine?", caller=STRANGER),
        }
        self.refused(NotYours, moves[how]())

    @invariant()
    def exactly_what_was_acknowledged_is_kept(self) -> None:
        if not hasattr(self, "cast"):
            return
        kept = self.done(self.at.ledger.votes(("battle_id", "rater")))
        kept = kept[kept["battle_id"] == self.state.battle]
        assert len(kept) == self.rows and set(kept["rater"]) <= {"owner"}
        state = self.done(self.at.referee.state(self.state.battle))
        assert state.phase == (self.over or "voting")
        if not self.over:
            shown = [pane.seat for pane in state.panes if pane.state == "complete"]
            assert sorted(shown) == sorted(self.live)
            assert state.round == 1 + len(self.cast)


@pytest.fixture
def seated(tmp_path: Path) -> Iterator[None]:
    """All battles are played at one table."""
    with asyncio.Runner() as runner:

        async def sit() -> tuple[Any, Any, Table]:
            hosting = FakeOllama((LLAMA, MISTRAL, PHI), speed=500, num_parallel=2, warm=True)
            host = await hosting.__aenter__()
            sitting = table(tmp_path, [host], rules=QUICKEST, slots=2)
            return hosting, sitting, await sitting.__aenter__()

        hosting, sitting, Moves.at = runner.run(sit())
        Moves.runner = runner
        yield
        runner.run(sitting.__aexit__(None, None, None))
        runner.run(hosting.__aexit__(None, None, None))


def test_any_moves_leave_the_battle_and_the_ledger_as_a_model_says(seated: None) -> None:
    patient = settings(
        max_examples=15,
        stateful_step_count=10,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Moves, settings=patient)  # type: ignore[no-untyped-call]
