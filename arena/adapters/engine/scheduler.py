"""Who is served when: loads models on demand, shares their slots, queues, unloads.

Loads are one at a time; a model's slots are given out first come, first served. It does not know
HTTP or Ollama's frames. Everything here runs on one event loop; only loading, completing and
freeing happen in threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from arena.adapters.engine import wire
from arena.adapters.engine.job import Job
from arena.adapters.engine.models import InstalledModel
from arena.adapters.engine.refusals import WireError, server_busy
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


class Scheduler:
    """Owner of everything that is loaded."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts = Counts()
        self._loop = asyncio.get_running_loop()
        self.loaded: dict[Path, Loaded] = {}
        self._loading: dict[Path, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._somebody_idle = asyncio.Event()
        self._closing: set[asyncio.Future[None]] = set()

    def submit(self, model: InstalledModel, request: wire.Request) -> Job:
        """Queue a reply. Raises WireError 503 when the queue is full."""
        self._admit()
        job = Job()
        job.begin(self._serve(job, model, request))
        return job

    async def preload(self, model: InstalledModel, keep_alive_s: float | None) -> None:
        """Load; the load goes on if the caller leaves. Raises WireError 500 or 503."""
        self._admit()
        with self._queued():
            loaded = await self._attach(model, keep_alive_s)
        self._detach(loaded)

    def unload(self, model: InstalledModel) -> None:
        """Free the model's memory as soon as nobody uses it."""
        if loaded := self.loaded.get(model.path):
            loaded.keep_alive_s = 0.0
            self._plan_expiry(loaded)

    def _admit(self) -> None:
        if self.counts.queue >= self.limits.max_pending:
            raise server_busy()
        self.counts.requests += 1

    @contextmanager
    def _queued(self) -> Iterator[None]:
        self.counts.queue += 1
        try:
            yield
        finally:
            self.counts.queue -= 1

    # One reply --------------------------------------------------------------------------------

    async def _serve(self, job: Job, model: InstalledModel, request: wire.Request) -> None:
        begun = time.monotonic_ns()
        loaded: Loaded | None = None
        try:
            with self._queued():
                loaded = await self._attach(model, request.keep_alive_s)
                job.load_ns = time.monotonic_ns() - begun
                await loaded.slots.acquire()
            try:
                await self._complete(job, loaded, request)
            finally:
                loaded.slots.release()
        except WireError as error:
            self._deliver(job, Refused(error.status, error.text, too_long=False))
        except asyncio.CancelledError:
            # Only `Job.cancel` does this, to a job that still waits; nothing is left to undo.
            pass
        finally:
            if loaded is not None:
                self._detach(loaded)
            self.counts.cancelled += job.unwanted and not job.ended
            job.put(None)

    async def _complete(self, job: Job, loaded: Loaded, request: wire.Request) -> None:
        fields = {"max_tokens": self.limits.max_tokens} | request.options
        if request.response_format is not None:
            fields["response_format"] = request.response_format
        if loaded.model.thinks:
            fields["chat_template_kwargs"] = {"enable_thinking": request.think is not False}
        messages = list(request.messages)
        loop = asyncio.get_running_loop()
        job.running = True
        self.counts.active += 1
        try:
            while True:
                text: dict[str, Any] = (
                    {"messages": messages}
                    if request.raw_prompt is None
                    else {"prompt": request.raw_prompt}
                )
                refusal = await loop.run_in_executor(
                    loaded.threads, self._write, job, loaded, fields | text
                )
                if refusal is None:
                    return
                if not (refusal.too_long and _drop_oldest(messages)):
                    self._deliver(job, refusal)
                    return
        finally:
            self.counts.active -= 1

    def _write(self, job: Job, loaded: Loaded, fields: dict[str, object]) -> Refused | None:
        """In a thread of the model's own. A refusal is returned: it may be mended."""
        refusals: list[Refused] = []

        def on_event(event: Event) -> bool:
            if isinstance(event, Refused):
                refusals.append(event)
            elif not isinstance(event, Piece) or event.content or event.thinking:
                self._loop.call_soon_threadsafe(self._deliver, job, event)
            return not job.unwanted

        loaded.runner.complete(fields, on_event)
        return refusals[0] if refusals else None

    def _deliver(self, job: Job, event: Event) -> None:
        match event:
            case Piece():
                job.pieces += 1
                self.counts.tokens_generated += 1
            case Completed():
                # A piece is a token, but for the tokens that are half a character or a stop word.
                self.counts.tokens_generated += event.tokens - job.pieces
                self.counts.completed += 1
            case Refused():
                self.counts.failed += 1
        job.put(event)

    # What is loaded ---------------------------------------------------------------------------

    async def _attach(self, model: InstalledModel, keep_alive_s: float | None) -> Loaded:
        """The model, loaded and marked as used. The last caller's keep_alive holds for all."""
        while (loaded := self.loaded.get(model.path)) is None:
            if model.path not in self._loading:
                self._loading[model.path] = asyncio.create_task(self._load(model))
            await asyncio.shield(self._loading[model.path])
        loaded.busy += 1
        if loaded.expiry is not None:
            loaded.expiry.cancel()
        if keep_alive_s is not None:
            loaded.keep_alive_s = keep_alive_s
        return loaded

    def _detach(self, loaded: Loaded) -> None:
        loaded.busy -= 1
        loaded.idle_since = time.monotonic()
        if not loaded.busy:
            self._somebody_idle.set()
            self._plan_expiry(loaded)

    async def _load(self, model: InstalledModel) -> None:
        try:
            async with self._turn:
                await self._make_room()
                self.loaded[model.path] = await asyncio.to_thread(self._load_now, model)
        except LoadError as error:
            raise WireError(500, str(error)) from error
        finally:
            del self._loading[model.path]

    def _load_now(self, model: InstalledModel) -> Loaded:
        limits = self.limits
        trained = model.info.context_length or limits.context
        context = min(limits.context, trained)
        return Loaded(
            model=model,
            runner=Runner(model.path, slots=limits.slots, context=context, cores=limits.cores),
            slots=asyncio.Semaphore(limits.slots),
            threads=ThreadPoolExecutor(limits.slots, thread_name_prefix="slot"),
            keep_alive_s=limits.keep_alive_s,
        )

    async def _make_room(self) -> None:
        """Unload the model that has been idle for longest, once there is one."""
        while len(self.loaded) >= self.limits.max_loaded:
            idle = [loaded for loaded in self.loaded.values() if not loaded.busy]
            if idle:
                self._free(min(idle, key=lambda loaded: loaded.idle_since))
            else:
                self._somebody_idle.clear()
                await self._somebody_idle.wait()

    def _plan_expiry(self, loaded: Loaded) -> None:
        if loaded.expiry is not None:
            loaded.expiry.cancel()
        if not loaded.busy and loaded.keep_alive_s >= 0:
            loaded.expiry = asyncio.get_running_loop().call_later(
                loaded.keep_alive_s, self._free, loaded
            )

    def _free(self, loaded: Loaded) -> None:
        if loaded.busy or self.loaded.get(loaded.model.path) is not loaded:
            return
        del self.loaded[loaded.model.path]
        loaded.threads.shutdown(wait=False)
        closing = asyncio.ensure_future(asyncio.to_thread(loaded.runner.close))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _drop_oldest(messages: list[dict[str, object]]) -> bool:
    """Drop the oldest message that is no system message, as Ollama does when a chat outgrows the
    context; the last one stays. False when there is nothing to drop."""
    for place, message in enumerate(messages[:-1]):
        if message["role"] != "system":
            del messages[place]
            return True
    return False
