"""What the replicas of an arena share, in one Redis: battles, events, limits, and their word to
each other about the hosts. `RedisStore` is the way to it; the others are ports of the core over it.

It takes a single server or one behind a failover, of version 5 or newer, not a cluster. Give it
`appendonly yes` and `maxmemory-policy noeviction`, so that a restart loses no battle.
"""

from arena.adapters.redis.battles import RedisBattles
from arena.adapters.redis.connection import RedisStore
from arena.adapters.redis.feed import RedisFeed
from arena.adapters.redis.limits import RedisLimits
from arena.adapters.redis.peers import RedisPeers

__all__ = ["RedisBattles", "RedisFeed", "RedisLimits", "RedisPeers", "RedisStore"]
