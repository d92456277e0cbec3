"""Live battles and their event feed, in the memory of this process.

Lost at a restart, which loses no vote: those are in the ledger. It does not know the rules of
a battle, only its id and version.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from arena.core.battle import Battle
from arena.core.ports import Event, StaleVote, UnknownBattle

KEEP_S = 24 * 3600
HEARTBEAT_S = 5.0


class MemoryBattles:
    """`core.ports.Battles` in a dict; battles untouched for a day are forgotten."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        forgotten: Callable[[str], None] = lambda battle_id: None,
    ) -> None:
        self._battles: OrderedDict[str, tuple[float, Battle]] = OrderedDict()
        self._clock = clock
        self._forgotten = forgotten

    async def load(self, battle_id: str) -> Battle:
        try:
            return self._battles[battle_id][1]
        except KeyError:
            raise UnknownBattle(
                "This battle is no longer on the server: it was restarted, or the battle is "
                "older than a day. The votes already cast are kept. Start a new battle."
            ) from None

    async def save(self, battle: Battle) -> None:
        held = self._battles.get(battle.id)
        if (held[1].version if held else 0) != battle.version - 1:
            raise StaleVote("The battle has moved on. The page shows where it is now.")
        self._battles[battle.id] = (self._clock(), battle)
        self._battles.move_to_end(battle.id)
        self._forget_old()

    def _forget_old(self) -> None:
        limit = self._clock() - KEEP_S
        while self._battles:
            oldest, (touched, _) = next(iter(self._battles.items()))
            if touched > limit:
                return
            del self._battles[oldest]
            self._forgotten(oldest)


@dataclass(slots=True)
class _Channel:
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    viewers: int = 0


class MemoryFeed:
    """`core.ports.Feed` as one list a battle; followers wait on an event."""

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = {}
        self._closed = False

    async def publish(self, battle_id: str, event: Event) -> int:
        channel = self._channels.setdefault(battle_id, _Channel())
        channel.events.append(event)
        channel.changed.set()
        channel.changed = asyncio.Event()
        return len(channel.events)

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncIterator[list[tuple[int, Event]]]:
        channel = self._channels.setdefault(battle_id, _Channel())
        channel.viewers += 1
        try:
            while not self._closed:
                changed = channel.changed
                batch = list(enumerate(channel.events[after:], start=after + 1))
                if batch:
                    after += len(batch)
                    yield batch
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    yield []
        finally:
            channel.viewers -= 1

    def viewers(self, battle_id: str) -> int:
        channel = self._channels.get(battle_id)
        return channel.viewers if channel else 0

    def forget(self, battle_id: str) -> None:
        self._channels.pop(battle_id, None)

    def close(self) -> None:
        """Let every follower's stream end."""
        self._closed = True
        for channel in self._channels.values():
            channel.changed.set()
