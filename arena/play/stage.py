"""The stage of one battle: contenders write, the gate and the pace hold back, the feed is told.

It does not know votes, browsers or which host answers, and it never changes a Battle.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from arena.core.battle.entities import Battle, Reply
from arena.core.battle.pace import Pace
from arena.core.battle.view import state
from arena.core.errors import ArenaError, StoreFault
from arena.core.ports import Feed, Hosts
from arena.core.ticks import SHOWN_AFTER_S, TICK_S, phase_of, until_tick
from arena.play.line import Line, Turn
from arena.play.screen import Attendance, Screen
from arena.play.writer import Abandoned, Writer

log = logging.getLogger(__name__)

GUARD_S = 0.5
"""How often it is asked whether anybody still waits for a reply that is written ahead."""

NEW = 1
"""The version of a battle that made no move yet."""
TOLD_S = 1.0
"""How often whoever waits in line is told of a new place."""

ASKED_TICKS = 5
"""By then each reply has asked for a host and has heard of its place there, if it waits."""

LEFT = (
    "The page was closed while the models were writing, so they were stopped and this battle "
    "ends without a result."
)
TOO_LONG = "The replies took too long, so this battle ends without a result."


@dataclass(frozen=True, slots=True)
class StageRules:
    """at_once, queue: with so many rounds being written, or so many replies waiting for hosts, a
    new battle waits in line; pace: the most characters a second, 0 for no limit; grace_s: how long
    the models write on with nobody looking, unless the battle is played unattended; total_s: the
    longest a round may take."""

    at_once: float = math.inf
    queue: float = math.inf
    pace: float = 0.0
    grace_s: float = 5.0
    total_s: float = 600.0


class Stage:
    """Kept from the first round of a battle to its last."""

    def __init__(
        self,
        hosts: Hosts,
        feed: Feed,
        rules: StageRules,
        line: Line | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = hosts
        self._feed = feed
        self._rules = rules
        self._line = line or Line(math.inf)
        self._clock = clock
        self._writers: dict[str, Writer] = {}
        self._guard: asyncio.Task[None] | None = None

    async def play(self, battle: Battle) -> Mapping[str, list[Reply]]:
        """Let everyone live write what they owe, and show it; a new battle waits in line for
        that. Returns the new replies by seat once all are complete and shown whole; raises
        Abandoned."""
        self._call_off_guard()
        owing = [seat for seat in battle.live if battle.owed(seat)]
        turn = self._line.stand(len(owing), at_once=battle.version > NEW)
        try:
            await self._wait(battle, turn)
            ahead = set(self._writers.values())
            writers = {seat: self._writer(battle, seat) for seat in owing}
            together = len(owing) == len(battle.live) and ahead.isdisjoint(writers.values())
            await self._show(battle, writers, turn, together)
        except BaseException:
            await self.close()
            raise
        finally:
            self._line.leave(turn)
        return {letter: self._writers.pop(letter).replies for letter in writers}

    def prepare(self, battle: Battle, load: Callable[[str], Awaitable[Battle]]) -> None:
        """While people read, let the one who enters next write already. load: the battle as it
        is stored; where it moved on elsewhere, that was in vain."""
        for letter in battle.waiting[:1]:
            if battle.owed(letter):
                self._writer(battle, letter)
                self._call_off_guard()
                self._guard = asyncio.create_task(self._close_when_idle(battle, load))

    async def close(self) -> None:
        """Stop everyone who still writes; the hosts notice by their closed connections."""
        self._call_off_guard()
        await self._stop_writers()

    def _writer(self, battle: Battle, letter: str) -> Writer:
        """The seat's writer: the one already at work on these prompts, or a new one."""
        held = self._writers.get(letter)
        if held and not held.fault and held.prompts == battle.prompts:
            return held
        if held and held.task:
            held.task.cancel()
        families, terms = self._hosts.families(), battle.origin.terms
        writer = Writer(battle.seat(letter), battle.prompts, families, terms)
        writer.task = asyncio.create_task(writer.write(self._hosts, battle.seed))
        self._writers[letter] = writer
        return writer

    async def _wait(self, battle: Battle, turn: Turn) -> None:
        attendance = self._attendance(battle)
        told = 0
        while place := self._line.place(turn):
            if place != told:
                with suppress(StoreFault):
                    public = state(battle, "queued", place=place)
                    await self._feed.publish(battle.id, public, playing=True)
                    told = place
            if attendance.everyone_left():
                raise Abandoned(LEFT)
            with suppress(TimeoutError):
                await asyncio.wait_for(turn.came.wait(), TOLD_S)

    async def _show(
        self, battle: Battle, writers: Mapping[str, Writer], turn: Turn, together: bool
    ) -> None:
        """together: all in play begin now. Where somebody is complete already, or wrote ahead,
        whoever still writes would show its own speed: it is shown when it is complete as well."""
        screen = Screen(self._feed, battle, writers)
        cap = self._rules.pace * TICK_S or math.inf
        pace, after = Pace(), SHOWN_AFTER_S + phase_of(battle.seed)
        attendance = self._attendance(battle)
        deadline = self._clock() + self._rules.total_s
        for look in count():
            if failed := next((w for w in writers.values() if w.fault), None):
                raise failed.abandoned()
            tracks = {s: w.track for s, w in writers.items()}
            moves = together or all(t.ended for t in tracks.values())
            further = pace.tick(tracks, cap) if moves else pace
            for letter, writer in writers.items():
                writer.shown = writer.shown or further.open
                writer.level = further.shown(tracks[letter])
            stage, queued = _stage(further, writers.values())
            if queued or look >= ASKED_TICKS:
                self._line.heard(turn, queued)
            # What one waits for alone would be told of it alone.
            told = (stage, queued) if together or further.open else ("waiting", 0)
            try:
                await screen.show(told)
            except StoreFault:
                log.warning("the store is away; nothing more is shown until it is back")
            else:
                pace = further
                if pace.finished(tracks):
                    return
            if attendance.everyone_left():
                raise Abandoned(LEFT)
            if self._clock() > deadline:
                raise Abandoned(TOO_LONG)
            await asyncio.sleep(until_tick(self._clock(), after))

    async def _close_when_idle(
        self, battle: Battle, load: Callable[[str], Awaitable[Battle]]
    ) -> None:
        attendance = self._attendance(battle, self._rules.total_s)
        moved = 0
        # A move made here is saved a moment before it calls this off, hence two looks.
        while moved < 2 and not attendance.everyone_left():
            await asyncio.sleep(GUARD_S)
            try:
                moved += (await load(battle.id)).version != battle.version
            except StoreFault:
                continue
            except ArenaError:
                break
        await self._stop_writers()

    async def _stop_writers(self) -> None:
        tasks = [w.task for w in self._writers.values() if w.task]
        self._writers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call_off_guard(self) -> None:
        if self._guard:
            self._guard.cancel()
            self._guard = None

    def _attendance(self, battle: Battle, unattended_s: float = math.inf) -> Attendance:
        """unattended_s: so long one that is played unattended goes on with nobody looking."""
        grace_s = unattended_s if battle.origin.unattended else self._rules.grace_s
        return Attendance(self._feed, battle.id, grace_s, self._clock)


def _stage(pace: Pace, writers: Collection[Writer]) -> tuple[str, int]:
    """What all panes say alike, and the place in the queue of the one who waits longest."""
    if pace.open:
        return "writing", 0
    stages = {w.stage for w in writers}
    if "queued" in stages:
        return "queued", max(w.place for w in writers if w.stage == "queued")
    return ("warming" if "warming" in stages else "waiting"), 0
