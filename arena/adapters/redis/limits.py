"""How much one caller may do, counted in Redis for all replicas.

It does not know what is counted, nor who calls.
"""

from __future__ import annotations

from uuid import uuid4

from arena.adapters.redis.connection import RedisStore

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local taken = redis.call('ZCARD', KEYS[1])
if taken >= limit then
    local oldest = redis.call('ZRANGE', KEYS[1], taken - limit, taken - limit, 'WITHSCORES')
    return oldest[2] + window - now
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return 0
"""
"""What was allowed within the window, by microseconds."""


class RedisLimits:
    """`core.ports.Limits` for all replicas: the times of what was allowed, for each key."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def take(self, key: str, limit: int, window_s: float) -> float:
        place = self._store.key("limit", key)
        window = round(window_s * 1_000_000)
        return float(await self._store.ask(TAKE, [place], limit, window, uuid4().hex)) / 1_000_000
