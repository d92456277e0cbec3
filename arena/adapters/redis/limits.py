"""How much one caller may do, counted in Redis for all replicas.

It does not know what is counted, nor who calls.
"""

from uuid import uuid4

from arena.adapters.redis.connection import RedisStore


class RedisLimits:
    """`core.ports.RateLimits` for all replicas: the times of what was allowed, for each key."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def take(self, key: str, limit: int, window_s: float) -> float:
        place = self._store.key("limit", key)
        window = round(window_s * 1000)
        return int(await self._store.ask("take", [place], limit, window, uuid4().hex)) / 1000
