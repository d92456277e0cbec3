"""The rounds being played by this process: contenders write what a battle owes, the replies are
stored, the viewers told, and what a replica that died left unfinished is taken over.

One replica plays a round; it holds the battle's claim as long as it does. It does not know
votes, browsers, or which adapter is behind a port.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from arena.core.battle import rules, view
from arena.core.battle.entities import MIN_CONTENDERS, Battle, Phase
from arena.core.battle.matchup import fitting_to
from arena.core.battle.view import State
from arena.core.errors import ArenaError, StaleVote, StoreFault, UnknownBattle
from arena.core.ports import Battles, Delta, Event, Feed, Hosts
from arena.play.images import seeing
from arena.play.line import Line
from arena.play.stage import Stage, StageRules
from arena.play.writer import FAULT, Abandoned

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

RENEW_S = 2.0
"""How often the claim on a battle is renewed; a third of the time for which it holds."""
ADOPT_S = 2.0
PATIENCE_S = 30.0
"""How long replies that were written wait for a store that is away."""


@dataclass(eq=False)
class Rounds:
    """Of the battles that this process plays. All methods are for one event loop. told: called
    with a battle whenever a round of it has come to its end here. hosts_of: who writes the replies
    of a battle, if others than the hosts."""

    _hosts: Hosts
    _battles: Battles
    _feed: Feed
    _rules: StageRules
    _rng: random.Random
    _told: Callable[[Battle], None]
    _hosts_of: Callable[[Battle, Hosts], Hosts]

    def __post_init__(self) -> None:
        self.line = Line(self._rules.at_once, self._rules.queue)
        self._stages: dict[str, Stage] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def playing(self) -> int:
        """How many rounds are being written here."""
        return len(self._tasks)

    async def watched(self) -> bool:
        """Somebody follows a battle that is not over, or nobody can tell: nothing that tells of
        models may move before their eyes."""
        try:
            return any(map(self._feed.viewers, await self._battles.under_way()))
        except StoreFault:
            return True

    async def go_on(self, battle: Battle) -> State:
        """Tell the viewers, then do what the phase asks for."""
        public = view.state(battle)
        await self._feed.publish(battle.id, public)
        if battle.phase is Phase.ANSWERING:
            self._start(battle)
        elif battle.phase is Phase.VOTING:
            if battle.waiting:
                self._stage(battle).prepare(battle, self._battles.load)
        else:
            await self._leave(battle.id)
        return public

    async def tell(self, battle_id: str) -> None:
        """Tell the viewers what is stored; for when whoever moved the battle on could not."""
        with suppress(StoreFault):
            await self._feed.publish(battle_id, view.state(await self._battles.load(battle_id)))

    async def stop(self, battle_id: str) -> None:
        """Let nobody of the battle write on; what was written and not stored is lost."""
        if task := self._tasks.get(battle_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._leave(battle_id)

    async def finished(self) -> None:
        """Wait until no round is being written here."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Stop all that is being written; another replica, or the next start, takes it over."""
        for battle_id in [*self._tasks, *self._stages]:
            await self.stop(battle_id)

    async def look_after_orphans(
        self, every_s: float = ADOPT_S, ready: Callable[[], bool] = lambda: True
    ) -> None:
        """Play on, again and again, what replicas that are gone have left. ready: there are
        hosts to play on."""
        while True:
            try:
                for battle_id in await self._battles.orphans() if ready() else ():
                    await self._take_over(battle_id)
            except StoreFault:
                pass
            except Exception:
                log.exception("looking for battles to take over failed")
            await asyncio.sleep(every_s)

    def forget(self, battle_id: str) -> None:
        self._stages.pop(battle_id, None)

    # One round --------------------------------------------------------------------------------

    def _start(self, battle: Battle) -> None:
        task = asyncio.create_task(self._play(battle))
        self._tasks[battle.id] = task
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if self._tasks.get(battle.id) is task:
                del self._tasks[battle.id]

        task.add_done_callback(ended)

    async def _play(self, battle: Battle) -> None:
        try:
            if not await self._patiently(lambda: self._battles.claim(battle.id)):
                return
        except StoreFault:
            log.warning("a round could not be begun: the store is away")
            return
        renewing = asyncio.create_task(self._renew(battle.id))
        try:
            battle = await self._round(battle)
        except StaleVote:
            log.info("a battle moved on elsewhere while it was played here")
            await self._leave(battle.id)
            return
        except (StoreFault, UnknownBattle):
            log.warning("a round was played, but the battle could not be stored")
            return
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._release(battle.id)
        self._told(battle)
        # What comes next, such as a round with another contender, is a task of its own.
        self._tasks.pop(battle.id, None)
        try:
            await self._patiently(lambda: self.go_on(battle))
        except StoreFault:
            log.warning("how a round ended could not be told: the store is away")

    async def _round(self, battle: Battle) -> Battle:
        try:
            replies = await self._stage(battle).play(battle)
        except Abandoned as abandoned:
            redrawn = await self._redraw(battle, abandoned.homeless)
            return redrawn or await self._save(rules.void(battle, abandoned.reason))
        except ArenaError:
            raise
        except Exception:
            log.exception("a round failed in a way that nothing foresaw")
            return await self._save(rules.void(battle, FAULT))
        return await self._save(rules.answers(battle, replies))

    async def _redraw(self, battle: Battle, letter: str) -> Battle | None:
        """Another contender in this seat, or the battle without it where none is left; None
        where something of the battle was shown, too few would remain, or a study says who meets."""
        seated = {seat.contender.name for seat in battle.seats}
        able = fitting_to(battle.origin.topic, seeing(self._hosts, battle.origin.terms))
        spare = [c for c in able if c.name not in seated]
        enough = spare or len(battle.seats) > MIN_CONTENDERS
        may = letter and enough and not battle.origin.rater
        if not may or battle.rounds or len(battle.prompts) > 1:
            return None
        drawn = self._rng.choice(spare) if spare else None
        return await self._save(rules.redraw(battle, letter, drawn))

    async def _save(self, battle: Battle) -> Battle:
        """The battle, as it was played: one that moved on elsewhere stays as it is there. A save
        whose answer was lost must not count as somebody else's move either."""

        async def save() -> None:
            try:
                await self._battles.save(battle)
            except StaleVote:
                if await self._battles.load(battle.id) != battle:
                    raise

        await self._patiently(save)
        return battle

    async def _renew(self, battle_id: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._battles.claim(battle_id)
            except StoreFault:
                log.warning("the claim on a battle could not be renewed")

    async def _release(self, battle_id: str) -> None:
        try:
            await self._battles.release(battle_id)
        except StoreFault:
            log.info("a claim was left to expire")

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `ask` answers, also if the store is away for a while."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await ask()
            except StoreFault:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.5)

    # Taking over ------------------------------------------------------------------------------

    async def _take_over(self, battle_id: str) -> None:
        """Adopt it if that can be; what keeps one from it keeps none of the others."""
        try:
            await self._adopt(battle_id)
        except StaleVote:
            log.info("whoever had a battle was well, and has moved it on")
        except StoreFault:
            log.info("a battle is left to another replica, or to another time")
        except Exception:
            log.exception("taking over a battle failed")

    async def _adopt(self, battle_id: str) -> None:
        """Play a round that a replica left: again from the start if nothing of it was shown,
        else it is void, since what was shown cannot be taken back."""
        if battle_id in self._tasks or not await self._battles.claim(battle_id):
            return
        battle = await self._battles.load(battle_id)
        if battle.phase is not Phase.ANSWERING:
            await self._battles.release(battle_id)
            return
        shown = await self._shown(battle)
        if shown is None:
            log.info("a battle is left to another time: what was shown of it cannot be read")
            return
        if not shown:
            self._start(battle)
            return
        battle = await self._save(rules.void(battle, FAULT))
        await self._release(battle_id)
        await self.go_on(battle)

    async def _shown(self, battle: Battle) -> bool | None:
        """Text of a reply that is not stored was published before how things are is told now; None
        where not all of it can be read: the store is silent, or a newer arena told it. What is known
        to be unreadable gets no event more: it will be tried again and again."""
        stored = {seat.letter: len(seat.replies) for seat in battle.seats}
        async with aclosing(self._feed.follow(battle.id)) as batches:
            told: list[tuple[int, Event]] | None = await anext(batches, None)
            if told is None:
                return None
            last = await self._feed.publish(battle.id, view.state(battle))
            while not told or told[-1][0] < last:
                batch: list[tuple[int, Event]] = await anext(batches, [])
                if not batch:
                    return None
                told += batch
        events = [event for _, event in told]
        pieces = [piece for event in events if isinstance(event, Delta) for piece in event.pieces]
        return any(piece.turn >= stored[piece.seat] for piece in pieces)

    def _stage(self, battle: Battle) -> Stage:
        if battle.id not in self._stages:
            hosts = self._hosts_of(battle, self._hosts)
            self._stages[battle.id] = Stage(hosts, self._feed, self._rules, self.line)
        return self._stages[battle.id]

    async def _leave(self, battle_id: str) -> None:
        if stage := self._stages.pop(battle_id, None):
            await stage.close()
