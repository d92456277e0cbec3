"""The use cases: open a battle, vote, ask on, reveal, standings.

The referee moves battles by the rules of the core, makes votes durable before it acknowledges
them, and lets the stage play. It does not know Gradio, HTTP, or which adapter is behind a port.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from arena.core import battle as rules
from arena.core import leaderboard, record, view
from arena.core.battle import Battle, Format, Judgement, Phase, Verdict
from arena.core.matchup import draw
from arena.core.ports import (
    BadInput, Battles, Event, Feed, Hosts, Ledger, NoCapacity, Readiness, StaleVote, State,
)  # fmt: skip
from arena.stage import FAULT, Abandoned, Stage, StageRules

log = logging.getLogger(__name__)

SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class RefereeRules:
    """battle_size: contenders a battle; max_prompt: characters a prompt may have."""

    battle_size: int = 3
    max_prompt: int = 6000
    stage: StageRules = StageRules()


class Referee:
    """One for each process; all of its methods are for one event loop."""

    def __init__(
        self,
        *,
        hosts: Hosts,
        battles: Battles,
        feed: Feed,
        ledger: Ledger,
        rules: RefereeRules = RefereeRules(),
        readiness: Callable[[], Readiness] = lambda: Readiness(True, "Ready"),
        rng: random.Random | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rules = rules
        self.readiness = readiness
        self._hosts = hosts
        self._battles = battles
        self._feed = feed
        self._ledger = ledger
        self._rng = rng or random.SystemRandom()
        self._now = now
        self._locks: dict[str, asyncio.Lock] = {}
        self._stages: dict[str, Stage] = {}
        self._rounds: set[asyncio.Task[None]] = set()

    @property
    def battle_size(self) -> int:
        return self.rules.battle_size

    async def open(self, prompt: str, format: str = Format.ELIMINATION) -> State:
        """Draw the contenders, seat them and let them answer. Raises BadInput for a prompt or
        format that cannot be used, NoCapacity when no battle can be had now."""
        prompt = self._checked(prompt)
        chosen = _format(format)
        ready = self.readiness()
        if not ready.ready:
            raise NoCapacity(f"{ready.headline} {ready.detail}".strip())
        if refusal := self._hosts.refusal():
            raise NoCapacity(refusal)
        counts = await self._ledger.count_by_contender()
        roster = self._hosts.contenders()
        contenders = draw(roster, self.rules.battle_size, counts, self._rng)
        seed = self._rng.randrange(SEEDS)
        battle = rules.open_battle(str(uuid.uuid4()), chosen, contenders, prompt, seed)
        await self._battles.save(battle)
        self._stages[battle.id] = Stage(self._hosts, self._feed, self.rules.stage)
        return await self._go_on(battle)

    async def again(self, battle_id: str) -> State:
        """The same first prompt and format with a new draw."""
        battle = await self._battles.load(battle_id)
        return await self.open(battle.prompts[0], battle.format)

    async def follow_up(self, battle_id: str, prompt: str) -> State:
        """Another prompt to everyone in play, before the next vote."""
        prompt = self._checked(prompt)
        return await self._exclusively(battle_id, lambda: self._follow_up(battle_id, prompt))

    async def vote(
        self,
        battle_id: str,
        round: int,
        judgement: str,
        seat: str = "",
        *,
        rater: str = "",
        channel: str = "web",
        study: str = "",
        dwell_ms: int | None = None,
    ) -> State:
        """Cast a ballot on a round; it is durable when this returns. judgement: drop (with the
        seat's letter), tie or bad. A second ballot on the same round changes nothing and gets
        the first one's result; a ballot on a round to come raises StaleVote. study: what the
        vote is part of; those of `record.REHEARSAL` are kept but not ranked."""
        verdict = _verdict(judgement, seat)
        ballot = record.Ballot(
            id=str(uuid.uuid4()),
            cast_at=self._now(),
            rater=rater,
            channel=channel,
            study=study,
            dwell_ms=dwell_ms,
        )
        return await self._exclusively(
            battle_id, lambda: self._vote(battle_id, round, verdict, ballot)
        )

    async def state(self, battle_id: str) -> State:
        return view.state(await self._battles.load(battle_id))

    async def reveal(self, battle_id: str) -> tuple[view.Reveal, pd.DataFrame]:
        """The names, and how this battle moved the standings: a frame with contender,
        rating_before, rating_after, rank_before, rank_after. Raises NotYet before the end."""
        battle = await self._battles.load(battle_id)
        revealed = view.reveal(battle, await self._ledger.of_battle(battle_id))
        votes = await self._ledger.votes(leaderboard.COLUMNS)
        return revealed, await asyncio.to_thread(leaderboard.movement, votes, battle_id)

    async def standings(self) -> pd.DataFrame:
        """See core.leaderboard.standings."""
        votes = await self._ledger.votes(leaderboard.COLUMNS)
        roster = tuple(c.name for c in self._hosts.contenders())
        return await asyncio.to_thread(leaderboard.standings, votes, roster)

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncIterator[list[tuple[int, Event]]]:
        """The events of a battle; see core.ports.Feed.follow. Raises UnknownBattle."""
        await self._battles.load(battle_id)
        async for batch in self._feed.follow(battle_id, after):
            yield batch

    def watched(self) -> bool:
        """Somebody follows a battle that is not over: nothing that tells of models may move
        before their eyes."""
        return any(self._feed.viewers(battle_id) for battle_id in self._stages)

    def forget(self, battle_id: str) -> None:
        """The battle is no longer stored: let go of what belongs to it."""
        self._stages.pop(battle_id, None)
        self._locks.pop(battle_id, None)

    async def close(self) -> None:
        """Stop all that is being written."""
        for task in self._rounds:
            task.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        await asyncio.gather(*(stage.close() for stage in self._stages.values()))

    # Moves, one at a time for each battle --------------------------------------------------

    async def _exclusively(
        self, battle_id: str, move: Callable[[], Coroutine[Any, Any, State]]
    ) -> State:
        """Run the move under the battle's lock, to its end even if the caller goes away: a
        vote must not stay between the ledger and the battle."""
        await self._battles.load(battle_id)  # An unknown battle gets no lock.

        async def locked() -> State:
            async with self._locks.setdefault(battle_id, asyncio.Lock()):
                return await move()

        return await asyncio.shield(asyncio.ensure_future(locked()))

    async def _vote(
        self, battle_id: str, round: int, verdict: Verdict, ballot: record.Ballot
    ) -> State:
        battle = await self._battles.load(battle_id)
        if any(r.number == round for r in battle.rounds):
            return view.state(battle)
        moved = rules.vote(battle, round, verdict, ballot.id)
        if not await self._ledger.append(record.rows(moved, ballot)):
            raise StaleVote("This round has been voted on already. Reload the page to go on.")
        await self._battles.save(moved)
        return await self._go_on(moved)

    async def _follow_up(self, battle_id: str, prompt: str) -> State:
        battle = await self._battles.load(battle_id)
        moved = rules.follow_up(battle, prompt)
        await self._battles.save(moved)
        return await self._go_on(moved)

    async def _go_on(self, battle: Battle) -> State:
        """Tell the viewers, then do what the phase asks for."""
        public = view.state(battle)
        await self._feed.publish(battle.id, public)
        stage = self._stages[battle.id]
        if battle.phase is Phase.ANSWERING:
            task = asyncio.create_task(self._play(stage, battle))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)
        elif battle.phase is Phase.VOTING:
            stage.prepare(battle)
        else:
            await self._stages.pop(battle.id).close()
        return public

    async def _play(self, stage: Stage, battle: Battle) -> None:
        try:
            replies = await stage.play(battle)
            for letter, written in replies.items():
                for reply in written:
                    battle = rules.answer(battle, letter, reply)
                    await self._battles.save(battle)
        except Abandoned as abandoned:
            battle = await self._redraw(battle, abandoned.homeless) or await self._give_up(
                battle, abandoned.reason
            )
        except Exception:
            log.exception("a round failed in a way that nothing foresaw")
            battle = await self._give_up(battle, FAULT)
        await self._go_on(battle)

    async def _redraw(self, battle: Battle, letter: str) -> Battle | None:
        """Another contender in this seat, if nothing of the battle was shown and one is left."""
        seated = {seat.contender.name for seat in battle.seats}
        spare = [c for c in self._hosts.contenders() if c.name not in seated]
        if not letter or not spare or battle.rounds or len(battle.prompts) > 1:
            return None
        battle = rules.redraw(battle, letter, self._rng.choice(spare))
        await self._battles.save(battle)
        return battle

    async def _give_up(self, battle: Battle, reason: str) -> Battle:
        battle = rules.void(await self._battles.load(battle.id), reason)
        await self._battles.save(battle)
        return battle

    def _checked(self, prompt: str) -> str:
        prompt = prompt.strip()
        if not prompt:
            raise BadInput("The prompt is empty. Type a question or a task, then send it.")
        if len(prompt) > self.rules.max_prompt:
            raise BadInput(
                f"The prompt has {len(prompt):,} characters; at most {self.rules.max_prompt:,} "
                "fit. Please shorten it."
            )
        return prompt


def _format(text: str) -> Format:
    try:
        return Format(text)
    except ValueError:
        allowed = " or ".join(Format)
        raise BadInput(f"There is no format {text!s:.20}. Choose {allowed}.") from None


def _verdict(judgement: str, seat: str) -> Verdict:
    try:
        return Verdict(Judgement(judgement), seat)
    except ValueError:
        raise BadInput("A vote is one of: drop (with a seat), tie, bad.") from None
