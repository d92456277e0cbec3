"""What this replica knows of one battle's stream of events, as long as somebody follows it here.

What is added is heard; what was missed, and what was there before, is read. It does not know
what the events mean, nor who follows.
"""

import asyncio
import logging

from arena.adapters.redis.connection import RedisStore
from arena.core.codec import read_line
from arena.core.errors import StoreFault
from arena.core.ports import Event

log = logging.getLogger(__name__)


class Mirror:
    """The events numbered above `base`. `changed` is set, and then replaced, at each change.
    `ended`: the stream was lost, or holds what cannot be read here. after: read only what is
    numbered above."""

    def __init__(self, store: RedisStore, stream: str, after: int) -> None:
        self.followers = 0
        self.changed = asyncio.Event()
        self.ended = False
        self._store = store
        self._stream = stream
        self._base: int | None = None
        self._wanted = after
        self._events: list[Event] = []
        self._outdated = False
        self._reading: asyncio.Task[None] | None = None
        store.ear.listen(stream, self._hear, self._catch_up)

    def since(self, after: int) -> list[tuple[int, Event]]:
        """All that are known and numbered above; empty until everything before them is."""
        if self._base is None or after < self._base:
            if after < self._wanted:
                self._wanted = after
                self._catch_up()
            return []
        return list(enumerate(self._events[after - self._base :], start=after + 1))

    def close(self) -> None:
        self._store.ear.leave(self._stream)
        if self._reading:
            self._reading.cancel()

    def notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def _last(self) -> int:
        return (self._base or 0) + len(self._events)

    def _hear(self, message: str) -> None:
        number, text = message.split(" ", 1)
        if self._base is not None and int(number) == self._last + 1:
            self._events.append(_event(text))
            self.notify()
        elif int(number) > self._last:
            self._catch_up()

    def _catch_up(self) -> None:
        self._outdated = True
        if self._reading is None or self._reading.done():
            self._reading = self._store.keep(self._read())

    async def _read(self) -> None:
        while self._outdated:
            self._outdated = False
            try:
                await self._read_later()
                await self._read_earlier()
            except StoreFault:
                self._outdated = True
                await asyncio.sleep(self._store.retry_s)
            except ValueError as error:
                log.error("events of %s cannot be read: %s", self._stream, error)
                self.ended = True
            self.notify()

    async def _read_later(self) -> None:
        base = self._wanted if self._base is None else self._base
        known = base + len(self._events)
        length, entries = await self._range(known + 1, "+")
        if self._base is not None and length < known:
            raise ValueError(f"there are {length} where there were {known}")
        self._base = base
        # Some may have been heard while these were read.
        heard = self._last - known
        self._events += [_event(entry[1][1]) for entry in entries[heard:]]

    async def _read_earlier(self) -> None:
        wanted, base = self._wanted, self._base or 0
        if wanted < base:
            _, entries = await self._range(wanted + 1, f"0-{base}")
            self._events[:0] = [_event(entry[1][1]) for entry in entries]
            self._base = wanted

    async def _range(self, first: int, last: str) -> tuple[int, list[tuple[str, list[str]]]]:
        length, entries = await self._store.ask("read", [self._stream], f"0-{first}", last)
        return length, entries


def _event(text: str) -> Event:
    event: Event = read_line(text, Event)
    return event
