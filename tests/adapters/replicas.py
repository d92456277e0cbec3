"""Replicas of an arena in one test: what each keeps its battles in, and who follows them there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from arena.adapters.redis import RedisBattles, RedisFeed, RedisLimits, RedisStore
from arena.core.battle.entities import Battle, Format
from arena.core.battle.rules import open_battle
from arena.core.ports import Battles, Delta, Event, Feed, Piece, RateLimits
from tests.core.battle.play import contenders
from tests.playing import eventually
from tests.redis_server import RedisServer

FEED = ("keep_s", "heartbeat_s", "patience_s", "beat_s", "gone_s")


@dataclass
class Replica:
    """What one process of the arena keeps its battles in."""

    battles: Battles
    feed: Any
    limits: RateLimits
    store: RedisStore | None = None

    async def die(self) -> None:
        """End without a word to the others."""
        assert self.store
        await self.store.close()


Opener = Callable[..., AbstractAsyncContextManager[Replica]]


def in_redis(server: RedisServer, prefix: str) -> Opener:
    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Replica]:
        """options: of the store, of the battles and of the feed."""
        known = {k: v for k, v in options.items() if k in ("replica", "answer_s")}
        battles = {k: v for k, v in options.items() if k in ("keep_s", "owner_s", "forgotten")}
        feed = {k: v for k, v in options.items() if k in FEED}
        store = RedisStore(server.url, prefix=prefix, **known)
        own = RedisFeed(store, **feed)
        try:
            yield Replica(RedisBattles(store, **battles), own, RedisLimits(store), store)
        finally:
            own.close()
            await store.close()

    return opened


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def battle(id: str = "b", format: Format = Format.ELIMINATION) -> Battle:
    return open_battle(id, format, contenders(3), "Why?", 7)


def next_version(of: Battle, **changes: Any) -> Battle:
    return replace(of, version=of.version + 1, **changes)


def delta(number: int, seat: str = "A") -> Event:
    return Delta((Piece(seat, 0, f"{number} "),))


@dataclass
class Follower:
    """What one viewer of a battle was told, in order; `batches` as they came."""

    feed: Feed
    battle: str = "b"
    after: int = 0
    batches: list[list[tuple[int, Event]]] = field(default_factory=list)
    ended: bool = False
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async for batch in self.feed.follow(self.battle, self.after):
            self.batches.append(batch)
        self.ended = True

    @property
    def told(self) -> list[tuple[int, Event]]:
        return [event for batch in self.batches for event in batch]

    @property
    def heartbeats(self) -> int:
        return sum(not batch for batch in self.batches)

    async def heard(self, count: int) -> list[tuple[int, Event]]:
        await eventually(lambda: len(self.told) >= count)
        return self.told


def in_order(count: int, after: int = 0) -> list[tuple[int, Event]]:
    return [(number, delta(number)) for number in range(after + 1, count + 1)]
