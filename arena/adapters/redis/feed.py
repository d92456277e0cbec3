"""The events of battles in Redis: a stream for each, which every replica may add to and follow.

What is added is said to all replicas at once; a replica that missed something reads it from the
stream. It does not know what the events mean.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

from arena.adapters.redis.audience import BEAT_S, GONE_S, Audience
from arena.adapters.redis.connection import RedisStore
from arena.adapters.redis.mirror import Mirror
from arena.core.codec import line
from arena.core.errors import StaleVote, StoreFault
from arena.core.ports import Event

KEEP_S = 24 * 3600
HEARTBEAT_S = 5.0
PATIENCE_S = 30.0

ELSEWHERE = -1
"""What `publish` answers where another replica has claimed the battle."""


@dataclass(slots=True)
class _Author:
    """This replica as one that adds events to a battle, one after the other. `told` is the turn
    known to be added last; `owed` an event of which that is not known, as its caller was
    cancelled meanwhile, and `playing` whether it is one for who plays the round."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    turn: int = 0
    told: int = 0
    owed: str = ""
    playing: bool = False


class PlayedElsewhere(StaleVote):
    """Another replica has claimed the battle."""


class RedisFeed:
    """`core.ports.Feed` for all replicas. patience_s: how long an event that could not be added
    is tried again before that is a StoreFault."""

    def __init__(
        self,
        store: RedisStore,
        *,
        keep_s: float = KEEP_S,
        heartbeat_s: float = HEARTBEAT_S,
        patience_s: float = PATIENCE_S,
        beat_s: float = BEAT_S,
        gone_s: float = GONE_S,
    ) -> None:
        self._store = store
        self._keep_ms = round(keep_s * 1000)
        self._heartbeat_s = heartbeat_s
        self._patience_s = patience_s
        self._audience = Audience(store, beat_s=beat_s, gone_s=gone_s)
        self._authors: dict[str, _Author] = {}
        self._mirrors: dict[str, Mirror] = {}
        self._closed = False

    # Adding -----------------------------------------------------------------------------------

    async def publish(self, battle_id: str, event: Event, *, playing: bool = False) -> int:
        """Raises StoreFault, and then the event is not there and will not be, so that it, or one
        that tells the same and more, can be published again. Raises StaleVote where it turns out
        to be there nevertheless, or the stream was lost."""
        author = self._authors.setdefault(battle_id, _Author())
        async with author.lock:
            if author.owed:
                with suppress(PlayedElsewhere):
                    await self._add(battle_id, author)
            author.turn += 1
            author.owed, author.playing = line(event, Event), playing
            return await self._add(battle_id, author)

    async def _add(self, battle_id: str, author: _Author) -> int:
        """The author's owed event, once, however often it has to be sent."""
        stream = self._store.key("feed", battle_id)
        deadline = asyncio.get_running_loop().time() + self._patience_s
        while True:
            try:
                number = await self._store.ask(
                    "publish",
                    [stream, f"{stream}:authors", self._store.key("owner", battle_id)],
                    author.owed,
                    author.name,
                    author.turn,
                    author.told,
                    self._keep_ms,
                    self._store.replica if author.playing else "",
                )
                break
            except StoreFault:
                if asyncio.get_running_loop().time() > deadline:
                    author.owed = ""
                    raise
                await asyncio.sleep(self._store.retry_s)
        author.owed = ""
        if number == ELSEWHERE:
            raise PlayedElsewhere("Another replica plays this round. The page shows where it is.")
        if not number:
            self._authors.pop(battle_id, None)
            raise StaleVote("The battle has moved on. The page shows where it is now.")
        author.told = author.turn
        return int(number)

    # Following --------------------------------------------------------------------------------

    async def follow(
        self, battle_id: str, after: int = 0
    ) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """While Redis is away there are only signs of life. The stream ends where events were
        lost, so that whoever follows asks for the battle anew and goes on from what is left."""
        if after:
            with suppress(StoreFault):
                stream = self._store.key("feed", battle_id)
                after = min(after, await self._store.ask("length", [stream]))
        mirror = self._join(battle_id, after)
        try:
            while not (self._closed or mirror.ended):
                changed = mirror.changed
                if batch := mirror.since(after):
                    after = batch[-1][0]
                    yield batch
                    continue
                try:
                    async with asyncio.timeout(self._heartbeat_s):
                        await changed.wait()
                except TimeoutError:
                    yield []
        finally:
            self._leave(battle_id, mirror)

    def viewers(self, battle_id: str) -> int:
        return self._audience.count(battle_id)

    def forget(self, battle_id: str) -> None:
        self._authors.pop(battle_id, None)
        self._audience.forget(battle_id)

    def close(self) -> None:
        self._closed = True
        for mirror in self._mirrors.values():
            mirror.notify()

    def _join(self, battle_id: str, after: int) -> Mirror:
        mirror = self._mirrors.get(battle_id)
        if mirror is None or mirror.ended:
            stream = self._store.key("feed", battle_id)
            mirror = self._mirrors[battle_id] = Mirror(self._store, stream, after)
        mirror.followers += 1
        self._audience.joined(battle_id)
        return mirror

    def _leave(self, battle_id: str, mirror: Mirror) -> None:
        self._audience.left(battle_id)
        mirror.followers -= 1
        if not mirror.followers and self._mirrors.get(battle_id) is mirror:
            del self._mirrors[battle_id]
            mirror.close()
