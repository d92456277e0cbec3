"""How many follow each battle, on all replicas together.

Every replica tells its own number while it lives, and reads those of the others for the battles
it is asked about. It does not know who they are, nor what they are shown.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection

from arena.adapters.redis.connection import RedisStore
from arena.core.errors import StoreFault

BEAT_S = 1.0
GONE_S = 3.0
"""How long the viewers of a replica count that is not heard of any more."""
ASKED_S = 10.0
"""A battle that nobody asked about for so long is not looked up any more."""


class Audience:
    """beat_s: how often numbers are exchanged, besides at once when somebody comes or goes.
    gone_s: when those of a replica that is silent are dropped."""

    def __init__(
        self, store: RedisStore, *, beat_s: float = BEAT_S, gone_s: float = GONE_S
    ) -> None:
        self._store = store
        self._beat_s = beat_s
        self._gone_s = gone_s
        self._here: Counter[str] = Counter()
        self._elsewhere: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._news: set[str] = set()
        self._woken = asyncio.Event()
        self._certain_from = 0.0
        self._task: asyncio.Task[None] | None = None

    def joined(self, battle_id: str) -> None:
        self._here[battle_id] += 1
        self._tell_soon(battle_id)

    def left(self, battle_id: str) -> None:
        self._here[battle_id] -= 1
        if not self._here[battle_id]:
            del self._here[battle_id]
        self._tell_soon(battle_id)

    def count(self, battle_id: str) -> int:
        """Those here as it is now, those elsewhere as it was a moment ago."""
        if battle_id not in self._asked:
            self._tell_soon(battle_id)
        self._asked[battle_id] = time.monotonic()
        return self._here[battle_id] + self._elsewhere.get(battle_id, 0)

    def forget(self, battle_id: str) -> None:
        self._asked.pop(battle_id, None)
        self._elsewhere.pop(battle_id, None)

    def _tell_soon(self, battle_id: str) -> None:
        self._news.add(battle_id)
        self._woken.set()
        if self._task is None:
            self._task = self._store.keep(self._beat())

    async def _beat(self) -> None:
        """Tell what is new at once, and everything once a beat."""
        told_all_at = 0.0
        while True:
            battles, now = self._news, time.monotonic()
            self._news, self._woken = set(), asyncio.Event()
            if now - told_all_at >= self._beat_s:
                told_all_at = now
                self._asked = {b: at for b, at in self._asked.items() if now - at <= ASKED_S}
                known = self._here.keys() | self._asked.keys()
                self._elsewhere = {b: n for b, n in self._elsewhere.items() if b in known}
                battles = battles | self._here.keys() | self._asked.keys()
            if battles:
                await self._exchange(battles)
            idle = not (self._here or self._asked)
            try:
                async with asyncio.timeout(None if idle else self._beat_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _exchange(self, battles: Collection[str]) -> None:
        told: list[str | int] = []
        for battle_id in battles:
            told += [self._store.key("viewers", battle_id), self._here[battle_id]]
        gone_ms = round(self._gone_s * 1000)
        try:
            counts = await self._store.ask("tell", [], self._store.replica, gone_ms, *told)
        except StoreFault:
            # The others may still be there, and have to be heard of again before that is denied.
            self._certain_from = time.monotonic() + self._gone_s
            return
        certain = time.monotonic() > self._certain_from
        for battle_id, count in zip(battles, counts, strict=True):
            known = self._elsewhere.get(battle_id, 0)
            self._elsewhere[battle_id] = count if certain else max(known, count)
