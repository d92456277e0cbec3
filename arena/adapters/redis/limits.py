"""How much one caller may do, counted in Redis for all replicas.

It does not know what is counted, nor who calls.
"""

from uuid import uuid4

from arena.adapters.redis.connection import RedisStore

TAKE = """
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local taken = redis.call('ZCARD', KEYS[1])
if taken >= limit then
    local oldest = redis.call('ZRANGE', KEYS[1], taken - limit, taken - limit, 'WITHSCORES')
    return oldest[2] + window - now
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return 0
"""


class RedisLimits:
    """`core.ports.RateLimits` for all replicas: the times of what was allowed, for each key."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def take(self, key: str, limit: int, window_s: float) -> float:
        place = self._store.key("limit", key)
        window = round(window_s * 1000)
        return int(await self._store.ask(TAKE, [place], limit, window, uuid4().hex)) / 1000
