"""The stage of one battle: contenders write, the gate and the pace hold back, the feed is told.

Faults are dealt with here: before anything of the round is shown a reply is written again from
the start, afterwards the round is given up. It does not know votes, browsers or which host
answers, and it never changes a Battle.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count

from arena.core.battle import Battle, Reply, Seat
from arena.core.identity import names_itself
from arena.core.pace import Pace, Track
from arena.core.ports import (
    ArenaError, Delta, Feed, Finished, HostEvent, HostFault, Hosts, NoCapacity, Piece, Queued,
    Text, Warming,
)  # fmt: skip
from arena.core.view import state

log = logging.getLogger(__name__)

TICK_S = 0.1
BACKOFF_S = 0.5
RETRIES = 2
RETRIES_BY_KIND: Mapping[str, int] = {"refused": 0, "nowhere": 0, "empty": 1}
"""How often a reply is written again, by kind of fault; RETRIES for the others. What was
refused is refused again, and a second empty reply is the model's answer."""

TELLTALE_OVERLAP = 200
"""New text is searched for an identity together with so many characters before it."""


class Abandoned(Exception):
    """The round cannot be finished. `reason` is neutral and may be shown to anyone. `homeless`
    is the seat that no host can take, if nothing of the round was shown."""

    def __init__(self, reason: str, homeless: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.homeless = homeless


FAULT = (
    "Something went wrong while the models were writing, so this battle ends without a result. "
    "Nothing was counted for or against anyone."
)
LEFT = (
    "The page was closed while the models were writing, so they were stopped and this battle "
    "ends without a result."
)
TOO_LONG = "The replies took too long, so this battle ends without a result."


@dataclass(frozen=True, slots=True)
class StageRules:
    """pace: characters a second; grace_s: how long the models write on with nobody looking;
    total_s: the longest a round may take."""

    pace: float = 150.0
    grace_s: float = 5.0
    total_s: float = 600.0


@dataclass(slots=True, eq=False)
class Writer:
    """One seat writing the replies it owes, into memory. `texts` are those replies so far;
    once `shown` they may not be written again."""

    seat: Seat
    prompts: tuple[str, ...]
    stage: str = "waiting"
    place: int = 0
    shown: bool = False
    ended: bool = False
    fault: ArenaError | None = None
    texts: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def track(self) -> Track:
        return Track(written=sum(map(len, self.texts)), ended=self.ended)

    def between(self, start: int, end: int) -> list[Piece]:
        """Characters start…end of all owed replies, as pieces of their turns."""
        offset, pieces = 0, []
        for turn, text in enumerate(self.texts, start=len(self.seat.replies)):
            part = text[max(0, start - offset) : max(0, end - offset)]
            if part:
                pieces.append(Piece(self.seat.letter, turn, part))
            offset += len(text)
        return pieces

    async def write(self, hosts: Hosts, seed: int) -> None:
        """All owed replies, from the start again after a fault as long as none is shown."""
        avoid: frozenset[str] = frozenset()
        for attempt in count():
            try:
                await self._attempt(hosts, seed, avoid, attempt)
                self.ended = True
                return
            except HostFault as fault:
                if self.shown or attempt >= RETRIES_BY_KIND.get(fault.kind, RETRIES):
                    self.fault = fault
                    return
                self.texts, self.replies, self.stage = [], [], "waiting"
                avoid |= {fault.host}
                # The same seed would bring the same unreadable character again.
                seed += fault.kind == "garbled"
                await asyncio.sleep(BACKOFF_S * attempt)
            except ArenaError as fault:
                self.fault = fault
                return
            except Exception:
                log.exception("a writer failed in a way that no adapter foresaw")
                self.fault = HostFault("The writer failed.", kind="internal")
                return

    async def _attempt(
        self, hosts: Hosts, seed: int, avoid: frozenset[str], retries: int
    ) -> None:
        messages = _history(self.seat, self.prompts)
        for prompt in self.prompts[len(self.seat.replies) :]:
            messages.append({"role": "user", "content": prompt})
            self.texts.append("")
            stream = hosts.reply(self.seat.contender, messages, seed=seed, avoid=avoid)
            async with aclosing(stream) as events:
                async for event in events:
                    self._hear(event, retries)
            messages.append({"role": "assistant", "content": self.texts[-1]})

    def abandoned(self) -> Abandoned:
        """What the writer's fault means for the round."""
        if isinstance(self.fault, NoCapacity):
            return Abandoned(str(self.fault))
        nowhere = isinstance(self.fault, HostFault) and self.fault.kind == "nowhere"
        return Abandoned(FAULT, self.seat.letter if nowhere and not self.shown else "")

    def _hear(self, event: HostEvent, retries: int) -> None:
        match event:
            case Queued(place):
                self.stage, self.place = "queued", place
            case Warming():
                self.stage = "warming"
            case Text(text):
                self.texts[-1] += text
                self.stage = "writing"
            case Finished() as facts:
                text = self.texts[-1]
                told = names_itself(text, self.prompts)
                self.replies.append(Reply(text, facts, retries, told))


class Stage:
    """Kept from the first round of a battle to its last."""

    def __init__(
        self,
        hosts: Hosts,
        feed: Feed,
        rules: StageRules,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = hosts
        self._feed = feed
        self._rules = rules
        self._clock = clock
        self._writers: dict[str, Writer] = {}
        self._guard: asyncio.Task[None] | None = None

    async def play(self, battle: Battle) -> Mapping[str, list[Reply]]:
        """Let everyone live write what they owe, and show it. Returns the new replies by seat
        once all are complete and shown whole; raises Abandoned."""
        self._call_off_guard()
        writers = {s: self._writer(battle, s) for s in battle.live if battle.owed(s)}
        try:
            await self._show(battle, writers)
        except BaseException:
            await self.close()
            raise
        return {letter: self._writers.pop(letter).replies for letter in writers}

    def prepare(self, battle: Battle) -> None:
        """While people read, let the one who enters next write already."""
        for letter in battle.waiting[:1]:
            if battle.owed(letter):
                self._writer(battle, letter)
                self._call_off_guard()
                self._guard = asyncio.create_task(self._close_when_left(battle.id))

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
        writer = Writer(battle.seat(letter), battle.prompts)
        writer.task = asyncio.create_task(writer.write(self._hosts, battle.seed))
        self._writers[letter] = writer
        return writer

    async def _show(self, battle: Battle, writers: Mapping[str, Writer]) -> None:
        screen = Screen(self._feed, battle, writers)
        # Replies that were all prepared are there at once; otherwise all wait for all.
        at_once = all(w.ended for w in writers.values())
        paced = [] if at_once else list(writers.values())
        pace, allowance = Pace(), 0.0
        attendance = self._attendance(battle.id)
        deadline = self._clock() + self._rules.total_s
        while True:
            if failed := next((w for w in writers.values() if w.fault), None):
                raise failed.abandoned()
            # Only the fraction is carried over: pace is a rate, unused characters are not saved.
            allowance = allowance % 1 + self._rules.pace * TICK_S
            tracks = {w.seat.letter: w.track for w in paced}
            pace = pace.tick(tracks, int(allowance))
            for writer in writers.values():
                writer.shown = writer.shown or pace.open
            await screen.show({s: pace.shown(t) for s, t in tracks.items()}, _stage(pace, paced))
            if pace.finished(tracks):
                return
            if attendance.everyone_left():
                raise Abandoned(LEFT)
            if self._clock() > deadline:
                raise Abandoned(TOO_LONG)
            await asyncio.sleep(TICK_S)

    async def _close_when_left(self, battle_id: str) -> None:
        attendance = self._attendance(battle_id)
        while not attendance.everyone_left():
            await asyncio.sleep(TICK_S)
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

    def _attendance(self, battle_id: str) -> Attendance:
        return Attendance(self._feed, battle_id, self._rules.grace_s, self._clock)


class Attendance:
    """Whether anybody still looks."""

    def __init__(
        self, feed: Feed, battle_id: str, grace_s: float, clock: Callable[[], float]
    ) -> None:
        self._feed = feed
        self._battle_id = battle_id
        self._grace_s = grace_s
        self._clock = clock
        self._last_seen = clock()

    def everyone_left(self) -> bool:
        """Nobody has followed the battle for longer than the grace period."""
        if self._feed.viewers(self._battle_id):
            self._last_seen = self._clock()
        return self._clock() - self._last_seen > self._grace_s


class Screen:
    """What the viewers of a round have been shown; it publishes only what is new."""

    def __init__(self, feed: Feed, battle: Battle, writers: Mapping[str, Writer]) -> None:
        self._feed = feed
        self._battle = battle
        self._writers = writers
        self._levels = dict.fromkeys(writers, 0)
        self._flagged: frozenset[str] = frozenset()
        self._told: tuple[object, ...] = ()

    async def show(self, levels: Mapping[str, int], stage: tuple[str, int]) -> None:
        """levels: characters that may be seen now, by seat; a seat that is not named was
        complete before the round began and is shown whole."""
        pieces: list[Piece] = []
        for letter, writer in self._writers.items():
            level = levels.get(letter, writer.track.written)
            before, self._levels[letter] = self._levels[letter], level
            added = writer.between(before, level)
            pieces += added
            if added and self._gives_itself_away(writer, before, level):
                self._flagged |= {letter}
        if pieces:
            await self._feed.publish(self._battle.id, Delta(tuple(pieces)))
        if self._told != (told := (*stage, self._flagged)):
            self._told = told
            name, place = stage
            public = state(self._battle, name, place=place, flagged=self._flagged)
            await self._feed.publish(self._battle.id, public)

    def _gives_itself_away(self, writer: Writer, before: int, level: int) -> bool:
        start = max(0, before - TELLTALE_OVERLAP)
        text = "".join(piece.text for piece in writer.between(start, level))
        return names_itself(text, self._battle.prompts)


def _history(seat: Seat, prompts: Sequence[str]) -> list[dict[str, str]]:
    system = seat.contender.system
    messages = [{"role": "system", "content": system}] if system else []
    for prompt, reply in zip(prompts, seat.replies, strict=False):
        messages.append({"role": "user", "content": prompt})
        messages.append({"role": "assistant", "content": reply.text})
    return messages


def _stage(pace: Pace, writers: Sequence[Writer]) -> tuple[str, int]:
    """What all panes say alike, and the place in the queue of the one who waits longest."""
    if pace.open:
        return "writing", 0
    stages = {w.stage for w in writers}
    if "queued" in stages:
        return "queued", max(w.place for w in writers if w.stage == "queued")
    return ("warming" if "warming" in stages else "waiting"), 0
