"""Who is served when: loads models on demand, shares their slots, queues, unloads.

Loads are one at a time; a model's slots are given out first come, first served. It does not know
HTTP or Ollama's frames. Everything here runs on one event loop; only loading, completing and
freeing happen in threads.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from arena.adapters.engine import wire
from arena.adapters.engine.models import InstalledModel
from arena.adapters.engine.runner import Completed, Event, LoadError, Piece, Refused, Runner


@dataclass(frozen=True, slots=True)
class Limits:
    """`context` in tokens a slot; `max_tokens` caps replies whose caller set no limit (small
    models loop for ever); `keep_alive_s` negative for ever; `max_pending` requests may wait."""

    slots: int = 3
    context: int = 4096
    max_tokens: int = 512
    max_pending: int = 64
    max_loaded: int = 3
    keep_alive_s: float = -1.0
    cores: int = 1


@dataclass(slots=True)
class Counts:
    """What has happened since the start. `active` and `queue` are of this moment."""

    requests: int = 0
    active: int = 0
    queue: int = 0
    tokens_generated: int = 0
    completed: int = 0
    cancelled: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class Loaded:
    """A model in memory, and who uses it."""

    model: InstalledModel
    runner: Runner
    slots: asyncio.Semaphore
    threads: ThreadPoolExecutor
    keep_alive_s: float
    busy: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    expiry: asyncio.TimerHandle | None = None

    def expires_at(self) -> datetime:
        seconds = self.keep_alive_s if self.keep_alive_s >= 0 else wire.FOREVER_S
        return datetime.now(UTC) + timedelta(seconds=seconds - (time.monotonic() - self.idle_since))


class Job:
    """One reply, from the queue to its end. Iterate `next_event` until Completed; `cancel` at any
    time. `load_ns` is the wait for the model, known when the first event is."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._unwanted = threading.Event()
        self._running = False
        self.ended = False
        self.load_ns = 0
        self.task: asyncio.Task[None] | None = None

    async def next_event(self) -> Event | None:
        """None when the reply was cancelled or broke off."""
        return await self._events.get()

    def cancel(self) -> None:
        if self.ended:
            return
        self._unwanted.set()
        # Only a waiting job may be interrupted; a running one has a thread that must see the flag.
        if not self._running and self.task is not None:
            self.task.cancel()

    @property
    def cancelled(self) -> bool:
        return self._unwanted.is_set() and not self.ended

    def starts(self) -> None:
        self._running = True

    def put(self, event: Event | None) -> None:
        if event is None or isinstance(event, Completed | Refused):
            self.ended = self.ended or event is not None
        self._events.put_nowait(event)

    def put_from_thread(self, event: Event) -> bool:
        """False when nobody wants more."""
        self._loop.call_soon_threadsafe(self.put, event)
        return not self._unwanted.is_set()


class Scheduler:
    """Owner of everything that is loaded."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts = Counts()
        self.loaded: dict[Path, Loaded] = {}
        self._loading: dict[Path, asyncio.Task[Loaded]] = {}
        self._turn = asyncio.Lock()
        self._somebody_idle = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    def submit(self, model: InstalledModel, request: wire.Request) -> Job:
        """Queue a reply. Raises WireError 503 when the queue is full."""
        self._admit()
        job = Job()
        job.task = asyncio.create_task(self._serve(job, model, request))
        return job

    async def preload(self, model: InstalledModel, keep_alive_s: float | None) -> None:
        """Load, whoever asked for it may leave meanwhile. Raises WireError 500 or 503."""
        self._admit()
        self.counts.queue += 1
        try:
            loaded = await self._attach(model, keep_alive_s)
        finally:
            self.counts.queue -= 1
        self._detach(loaded)

    def unload(self, model: InstalledModel) -> None:
        """Free the model's memory as soon as nobody uses it."""
        if loaded := self.loaded.get(model.path):
            loaded.keep_alive_s = 0.0
            self._plan_expiry(loaded)

    def _admit(self) -> None:
        if self.counts.queue >= self.limits.max_pending:
            raise wire.server_busy()
        self.counts.requests += 1

    async def _serve(self, job: Job, model: InstalledModel, request: wire.Request) -> None:
        begun = time.monotonic_ns()
        loaded: Loaded | None = None
        try:
            loaded = await self._waiting(self._attach(model, request.keep_alive_s))
            job.load_ns = time.monotonic_ns() - begun
            await self._waiting(loaded.slots.acquire())
            try:
                await self._complete(job, loaded, request)
            finally:
                loaded.slots.release()
        except wire.WireError as error:
            job.put(Refused(error.status, error.text, too_long=False))
        except asyncio.CancelledError:
            pass
        finally:
            if loaded is not None:
                self._detach(loaded)
            self.counts.cancelled += job.cancelled
            job.put(None)

    async def _waiting[T](self, step: Awaitable[T]) -> T:
        self.counts.queue += 1
        try:
            return await step
        finally:
            self.counts.queue -= 1
