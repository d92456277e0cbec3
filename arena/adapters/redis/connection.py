"""The way to Redis: its connections, scripts run there as one step, and its failures as faults.

Everything that changes something is a script that may be run twice without harm, since a
connection that breaks does not tell whether it was run. It does not know what is stored.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from arena.adapters.redis.ear import Ear
from arena.core.errors import AWAY, ConfigError, StoreFault
from arena.core.ports import Condition

log = logging.getLogger(__name__)

ANSWER_S = 2.0
"""For connecting, and for an answer; a Redis that is well answers within milliseconds."""
RETRY_S = 0.25
CONNECTIONS = 32
IDLE_S = 10.0
"""A connection that was idle for so long is tried with a PING before it is used."""
ONCE = Retry(ExponentialWithJitterBackoff(0.05, 0.01), 1, (RedisConnectionError,))
"""What is idempotent may be sent again at once over a new connection; after a timeout that would
only double the wait."""
NEVER = Retry(NoBackoff(), 0, ())

SCRIPTS = Path(__file__).with_name("scripts")
LOADING = "is still loading its data"
SILENT = "does not answer in time"
UNREACHABLE = "cannot be reached"
PASSING = (LOADING, SILENT, UNREACHABLE)
"""Troubles that are over once anything is answered."""

TRY = "redis.call('SET', KEYS[1], ARGV[1], 'PX', 1000) return 1"


class RedisStore:
    """url: redis://, rediss:// or unix://; it may hold a password and is never shown. prefix:
    before every key and channel, so that arenas can share a Redis; not changed once it is used.
    replica: this one's name, unique."""

    def __init__(
        self, url: str, *, prefix: str = "arena:", replica: str = "", answer_s: float = ANSWER_S
    ) -> None:
        self.replica = replica or uuid.uuid4().hex
        self.retry_s = min(RETRY_S, answer_s)
        self._url = url
        self.prefix = prefix
        self._answer_s = answer_s
        self._client = self._new_client(CONNECTIONS)
        # Of the two that use its connection at once each would take it up again for itself.
        listening = self._new_client(1, health_check_interval=0, retry=NEVER)
        self.ear = Ear(listening, self.key("all"), ping_s=answer_s)
        self._scripts: dict[str, AsyncScript] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = ""
        self._closed = False

    def _new_client(self, connections: int, **options: Any) -> Redis:
        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=connections,
                timeout=self._answer_s,
                socket_connect_timeout=self._answer_s,
                # The client would use asyncio.wait_for, which in Python 3.11 loses cancellations;
                # `ask` has its own limit.
                socket_timeout=None,
                decode_responses=True,
                # RESP2 is all that is needed here, and every server and proxy speaks it.
                protocol=2,
                driver_info=None,
                **{"health_check_interval": IDLE_S, "retry": ONCE, **options},
            )
            # It would say only then that it does not take what stands in the address.
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError, RedisError):
            raise ConfigError(
                "REDIS_URL: what stands after its ? is no option of a connection, or has a wrong "
                "value. Allowed: redis://user:password@host:port/0 without any."
            ) from None
        return Redis.from_pool(pool)

    async def open(self) -> None:
        """See that Redis is there and can be written to. Holds nothing open, so that it may be
        called from another event loop. Raises ConfigError if REDIS_URL or the rights that it
        gives must be wrong, StoreFault if nothing can be had now."""
        key = self.key("try", self.replica)
        await self._once(lambda client: client.eval(TRY, 1, key, self.replica))

    async def inspect(self) -> Condition:
        """As `open`, and what Redis says of itself."""
        await self.open()
        told = await self._once(lambda client: client.info())
        return Condition(f"Redis {told['redis_version']} at {self.address}", tuple(_dangers(told)))

    async def _once(self, work: Callable[[Redis], Awaitable[Any]]) -> Any:
        """What `work` makes of a connection of its own."""
        client = self._new_client(1)
        try:
            async with asyncio.timeout(2 * self._answer_s):
                return await work(client)
        except AuthenticationError:
            raise ConfigError(
                f"REDIS_URL: Redis at {self.address} refuses its user and password. Allowed: "
                "redis://user:password@host:port, as `redis-cli` takes it with -u."
            ) from None
        except NoPermissionError:
            raise ConfigError(
                f"REDIS_URL: its user may not run scripts on Redis at {self.address}. Give it "
                f"all commands on the keys and channels {self.prefix}*."
            ) from None
        except (RedisError, OSError) as error:
            raise StoreFault(
                f"Redis at {self.address} {_reason(error)}. Check that it runs and that "
                "REDIS_URL points to it; leave that empty for one process on its own."
            ) from None
        finally:
            await client.aclose()

    async def close(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ear.close()
        await self._client.aclose()

    @property
    def address(self) -> str:
        """Where it is, without user and password."""
        known = self._client.connection_pool.connection_kwargs
        return str(known.get("path") or f"{known.get('host')}:{known.get('port', 6379)}")

    def key(self, *parts: str) -> str:
        return self.prefix + ":".join(parts)

    async def ask(self, script: str, keys: Sequence[str], *arguments: str | float) -> Any:
        """What the script of that name in `SCRIPTS` answers. Raises StoreFault; then it may have
        been run, or not."""
        if self._closed:
            raise StoreFault(AWAY)
        known = self._scripts.get(script)
        if known is None:
            lua = "".join((SCRIPTS / f"{name}.lua").read_text("utf-8") for name in ("now", script))
            known = self._scripts[script] = self._client.register_script(lua)
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await known(keys, arguments)
        except (RedisError, OSError) as error:
            self._note(_reason(error))
            raise StoreFault(AWAY) from error
        if self._trouble in PASSING:
            self._note("is there again")
        return answer

    def _note(self, trouble: str) -> None:
        """Tell the operator, once for each turn of things."""
        if trouble != self._trouble:
            log.warning("Redis at %s %s", self.address, trouble)
        self._trouble = trouble

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background until it ends or the store is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _dangers(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """told: the answer to INFO."""
    conf = "arena/deploy/stores/redis.conf has it; include it in redis.conf and restart Redis."
    if not told["aof_enabled"]:
        what = "appendonly is off: a restart of Redis loses the battles that are under way"
        yield what, f"appendonly yes; {conf}"
    elif told["aof_last_write_status"] != "ok":
        yield "Redis could not write its append-only file", "Free some space on its disk."
    if (policy := told["maxmemory_policy"]) != "noeviction":
        what = f"maxmemory-policy is {policy}: battles under way can be thrown out"
        yield what, f"maxmemory-policy noeviction; {conf}"


def _reason(error: Exception) -> str:
    """In words for the operator, without anything that the URL holds."""
    text = str(error)
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        return "refuses the user or password of REDIS_URL"
    if isinstance(error, BusyLoadingError):
        return LOADING
    if isinstance(error, ReadOnlyError) or "READONLY" in text:
        return "is a replica that cannot be written to"
    if isinstance(error, OutOfMemoryError) or "OOM" in text:
        return "is full: raise its maxmemory"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "shows a certificate that is not trusted: add ?ssl_ca_certs=/path/to/ca.pem"
    if isinstance(error, (RedisTimeoutError, TimeoutError)):
        return SILENT
    if isinstance(error, (RedisConnectionError, OSError)):
        return UNREACHABLE
    return f"refused a command ({type(error).__name__}: {re.sub(r'//[^/@ ]*@', '//', text)[:200]})"
