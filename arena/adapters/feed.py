"""The events of battles, in the memory of this process.

It does not know the rules of a battle, nor what becomes of the events that it hands on.
"""

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from arena.core.battle import view
from arena.core.battle.entities import Battle
from arena.core.ports import Delta, Event, Piece

HEARTBEAT_S = 5.0


class _Follower:
    """Waits for news of one battle, or for the next sign of life. Its timer is set anew only where
    it has run out: a timer and a deadline for each wait cost more than what is waited for."""

    def __init__(self, heartbeat_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._heartbeat_s = heartbeat_s
        self._due = self._loop.time() + heartbeat_s
        self._timer = self._loop.call_at(self._due, self._beat)
        self._waiting: asyncio.Future[bool] | None = None

    async def news(self) -> bool:
        """False where there was none for so long."""
        self._due = self._loop.time() + self._heartbeat_s
        self._waiting = self._loop.create_future()
        return await self._waiting

    def wake(self, news: bool = True) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(news)

    def close(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        if self._loop.time() >= self._due:
            self.wake(news=False)
            self._due = self._loop.time() + self._heartbeat_s
        self._timer = self._loop.call_at(self._due, self._beat)


@dataclass(slots=True)
class _Channel:
    events: list[tuple[int, Event]] = field(default_factory=list)
    followers: set[_Follower] = field(default_factory=set)

    def wake(self) -> None:
        """Those who wait; the others look at the list before they do."""
        for follower in self.followers:
            follower.wake()


class MemoryFeed:
    """`core.ports.Feed` as one list a battle; followers wait on an event."""

    def __init__(self, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._channels: defaultdict[str, _Channel] = defaultdict(_Channel)
        self._heartbeat_s = heartbeat_s
        self._closed = False

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:  # noqa: ARG002 -- no other replica
        channel = self._channels[battle_id]
        number = channel.events[-1][0] + 1 if channel.events else 1
        channel.events.append((number, event))
        channel.wake()
        return number

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncGenerator[list[tuple[int, Event]], None]:
        channel, follower = self._channels[battle_id], _Follower(self._heartbeat_s)
        channel.followers.add(follower)
        try:
            while not self._closed:
                batch = channel.events[bisect_right(channel.events, after, key=itemgetter(0)) :]
                if batch:
                    after = batch[-1][0]
                    yield batch
                elif not await follower.news():
                    yield []
        finally:
            follower.close()
            channel.followers.discard(follower)

    def told(self, battle_id: str) -> tuple[Event, ...]:
        """All events of the battle so far."""
        channel = self._channels.get(battle_id)
        return tuple(event for _, event in channel.events) if channel else ()

    def last(self, battle_id: str) -> int:
        """The number of the last of them; 0 where there is none."""
        channel = self._channels.get(battle_id)
        return channel.events[-1][0] if channel and channel.events else 0

    def take_up(self, battle_id: str, events: Sequence[Event], last: int = 0) -> None:
        """Go on after the events that another process told. last: the number of the last one,
        where they are not numbered from 1."""
        start = last - len(events) + 1 if last else 1
        self._channels[battle_id] = _Channel(list(enumerate(events, start=start)))

    def found_again(self, battle: Battle) -> None:
        """Go on where nobody knows what was told: with all text, and how things are. Its numbers
        are beyond all that were ever used, also where this is not the first time: the time in ms.
        Whoever comes with one from before gets the text anew."""
        channel = self._channels[battle.id] = _Channel()
        pieces = tuple(
            Piece(seat.letter, turn, reply.text)
            for seat in battle.seats
            for turn, reply in enumerate(seat.replies)
        )
        first = time.time_ns() // 1_000_000
        text = [(first, Delta(pieces))] if pieces else []
        channel.events = [*text, (first + 1, view.state(battle))]

    def viewers(self, battle_id: str) -> int:
        channel = self._channels.get(battle_id)
        return len(channel.followers) if channel else 0

    def forget(self, battle_id: str) -> None:
        self._channels.pop(battle_id, None)

    def close(self) -> None:
        self._closed = True
        for channel in self._channels.values():
            channel.wake()
