"""Which models are in memory: each in a process of llama.cpp's server, loaded on demand.

Loads are one at a time; who is served when is up to the server, but that no more requests are put
to it at once than it has slots, so that one whose caller leaves while it waits is gone at once.
It does not know HTTP or Ollama's frames.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from arena.adapters.engine.child import Child
from arena.adapters.engine.models import InstalledModel
from arena.adapters.engine.wire import WireError

_FOREVER_S = (2**63 - 1) / 1e9
"""Go's longest duration, which Ollama uses for "never unload": about 292 years."""

_MOST_USEFUL_THREADS = 8


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


@dataclass(slots=True, eq=False)
class Runner:
    """A model in memory, and who uses it."""

    model: InstalledModel
    child: Child
    url: str
    key: str
    context: int
    slots: asyncio.Semaphore
    keep_alive_s: float
    users: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    expiry: asyncio.TimerHandle | None = None

    @property
    def expires_at(self) -> datetime:
        seconds = self.keep_alive_s if self.keep_alive_s >= 0 else _FOREVER_S
        return datetime.now(UTC) + timedelta(seconds=seconds - (time.monotonic() - self.idle_since))


class Runners:
    """Owner of all that is loaded. `models`: how many there are, which share the cores."""

    def __init__(self, limits: Limits, models: int) -> None:
        self._limits = limits
        self._threads = max(1, _cores() // max(1, min(models, limits.max_loaded)))
        self._runners: dict[Path, Runner] = {}
        self._loading: dict[Path, asyncio.Task[Runner]] = {}
        self._turn = asyncio.Lock()
        self._somebody_idle = asyncio.Event()
        self._ending: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def loaded(self) -> list[Runner]:
        return [runner for runner in self._runners.values() if runner.child.alive]

    @asynccontextmanager
    async def slot(
        self, model: InstalledModel, keep_alive_s: float | None
    ) -> AsyncIterator[tuple[Runner, int]]:
        """A place in the model, and how many ns it took to load. WireError 503 if too many wait."""
        if self._waiting >= self._limits.max_pending:
            raise WireError(
                503, "server busy, please try again.  maximum pending requests exceeded"
            )
        self._waiting += 1
        begun, runner = time.monotonic_ns(), None
        try:
            try:
                runner = await self.attach(model, keep_alive_s)
                load_ns = time.monotonic_ns() - begun
                await runner.slots.acquire()
            finally:
                self._waiting -= 1
            try:
                yield runner, load_ns
            finally:
                runner.slots.release()
        finally:
            if runner is not None:
                self.detach(runner)

    async def attach(self, model: InstalledModel, keep_alive_s: float | None) -> Runner:
        """The model, loaded, and kept so until it is detached. A load goes on if its caller
        leaves; the last caller's keep_alive holds for all. WireError 500 when it fails."""
        while (runner := self._runners.get(model.path)) is None or not runner.child.alive:
            if runner is not None:
                self._end(runner)
            if model.path not in self._loading:
                self._loading[model.path] = asyncio.create_task(self._load(model))
            await asyncio.shield(self._loading[model.path])
        runner.users += 1
        if keep_alive_s is not None:
            runner.keep_alive_s = keep_alive_s
        self._plan_expiry(runner)
        return runner

    def detach(self, runner: Runner) -> None:
        runner.users -= 1
        runner.idle_since = time.monotonic()
        self._somebody_idle.set()
        self._plan_expiry(runner)

    def unload(self, model: InstalledModel) -> None:
        """Free the model's memory as soon as nobody uses it."""
        if runner := self._runners.get(model.path):
            runner.keep_alive_s = 0.0
            self._plan_expiry(runner)

    async def _load(self, model: InstalledModel) -> Runner:
        limits = self._limits
        context = min(limits.context, model.info.context_length or limits.context)
        try:
            async with self._turn:
                await self._make_room()
                child = Child(
                    "llama",
                    {
                        "path": str(model.path),
                        "name": model.name,
                        "slots": limits.slots,
                        "context": context,
                        "threads": self._threads,
                    },
                )
                told = await child.report()
                if "url" not in told:
                    await child.end()
                    raise WireError(
                        500,
                        f"{model.path.name} could not be loaded: {told['error']}. Is it a whole "
                        "GGUF file, and is there enough memory?",
                    )
        finally:
            del self._loading[model.path]
        self._runners[model.path] = runner = Runner(
            model=model,
            child=child,
            url=told["url"],
            key=told["key"],
            context=context,
            slots=asyncio.Semaphore(limits.slots),
            keep_alive_s=limits.keep_alive_s,
        )
        return runner

    async def _make_room(self) -> None:
        """Unload the model that has been idle for longest, once there is one."""
        while len(self._runners) >= self._limits.max_loaded:
            idle = [runner for runner in self._runners.values() if not runner.users]
            if idle:
                self._end(min(idle, key=lambda runner: runner.idle_since))
            else:
                self._somebody_idle.clear()
                await self._somebody_idle.wait()

    def _plan_expiry(self, runner: Runner) -> None:
        if runner.expiry is not None:
            runner.expiry.cancel()
        if not runner.users and runner.keep_alive_s >= 0:
            runner.expiry = asyncio.get_running_loop().call_later(
                runner.keep_alive_s, self._end, runner
            )

    def _end(self, runner: Runner) -> None:
        if self._runners.get(runner.model.path) is runner:
            del self._runners[runner.model.path]
            ending = asyncio.create_task(runner.child.end())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def _cores() -> int:
    """The cores this process may use, real ones where that can be told, else half of what the
    system counts; no more than small models can make use of."""
    siblings = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    try:
        cores = len({Path(siblings.format(cpu)).read_text() for cpu in os.sched_getaffinity(0)})
    except (AttributeError, OSError):
        cores = (os.cpu_count() or 1) // 2
    return max(1, min(cores, _MOST_USEFUL_THREADS))
