"""What the replicas say to each other through Redis: one connection for all channels of a process.

It is taken up again by itself. What is said meanwhile is lost, so whoever listens is told each
time that it hears from now on, and then has to look up what was said before.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

RETRY_S = 0.25
SILENT_PINGS = 3
"""So many unanswered pings mean that the connection is dead."""


@dataclass(frozen=True, slots=True)
class _Listener:
    heard: Callable[[str], None]
    ready: Callable[[], None]


class Ear:
    """base: a channel that is always listened to, so that the connection is one for channels
    from its first to its last. ping_s: how often it is tried."""

    def __init__(self, client: Redis, base: str, *, ping_s: float) -> None:
        self._client = client
        self._base = base
        self._ping_s = ping_s
        self._wanted: dict[str, _Listener] = {}
        self._confirmed: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def listen(self, channel: str, heard: Callable[[str], None], ready: Callable[[], None]) -> None:
        """heard: called with each message. ready: called whenever all messages are heard from
        now on: at first, and after each break."""
        self._wanted[channel] = _Listener(heard, ready)
        if channel in self._confirmed:
            ready()
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def leave(self, channel: str) -> None:
        if self._wanted.pop(channel, None):
            self._changed.set()

    async def close(self) -> None:
        self._wanted.clear()
        self._closed = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _run(self) -> None:
        # A task group that ends by a fault takes being cancelled in the same moment for its own doing.
        while not self._closed:
            self._confirmed.clear()
            pubsub = self._client.pubsub()
            try:
                async with asyncio.timeout(SILENT_PINGS * self._ping_s):
                    await pubsub.subscribe(self._base)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._subscribe(pubsub))
                    both.create_task(self._hear(pubsub))
            except* (RedisError, OSError):
                pass  # Whoever asks Redis for something says that it is away.
            except* Exception:
                log.exception("listening to the other replicas failed; it begins again")
            finally:
                with suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(RETRY_S)

    async def _subscribe(self, pubsub: PubSub) -> None:
        """Ask for what is wanted, whenever that changes; else try the connection."""
        asked: set[str] = set()
        while True:
            self._changed.clear()
            wanted = set(self._wanted)
            if added := wanted - asked:
                await pubsub.subscribe(*added)
            if left := asked - wanted:
                self._confirmed -= left
                await pubsub.unsubscribe(*left)
            asked = wanted
            try:
                async with asyncio.timeout(self._ping_s):
                    await self._changed.wait()
            except TimeoutError:
                await pubsub.ping()

    async def _hear(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=SILENT_PINGS * self._ping_s)
            if message is None:
                raise ConnectionError("nothing was heard, not even an answer to a ping")
            listener = self._wanted.get(message["channel"])
            if listener and message["type"] == "message":
                self._tell(listener.heard, message["data"])
            elif listener and message["type"] == "subscribe":
                self._confirmed.add(message["channel"])
                self._tell(listener.ready)

    def _tell(self, told: Callable[..., None], *what: str) -> None:
        try:
            told(*what)
        except Exception:
            log.exception("what another replica said could not be taken in")
