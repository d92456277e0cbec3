"""One reply on its way: the scheduler puts events in, the HTTP side takes them out or cancels.

It does not know models, slots or frames.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine

from arena.adapters.engine.runner import Completed, Event, Refused


class Job:
    """One reply, from the queue to its end. `load_ns` is the wait for the model, known when the
    first event is."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._unwanted = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self.running = False
        self.ended = False
        self.pieces = 0
        self.load_ns = 0

    def begin(self, serving: Coroutine[None, None, None]) -> None:
        self._task = asyncio.create_task(serving)

    async def next_event(self) -> Event | None:
        """Pieces, then Completed or Refused, then None; only None when the reply was cancelled."""
        return await self._events.get()

    def put(self, event: Event | None) -> None:
        self.ended = self.ended or isinstance(event, Completed | Refused)
        self._events.put_nowait(event)

    @property
    def unwanted(self) -> bool:
        """Asked from the thread that writes the reply, which stops at the next token if so."""
        return self._unwanted.is_set()

    def cancel(self) -> None:
        """Nobody wants the reply any more. Without effect on one that has ended."""
        if self.ended:
            return
        self._unwanted.set()
        # Only a waiting job may be interrupted; a running one has a thread that must see the flag.
        if not self.running and self._task is not None:
            self._task.cancel()
