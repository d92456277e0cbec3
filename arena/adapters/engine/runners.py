"""Which models are in memory: each in a process of llama.cpp's server, loaded on demand.

A model stays until it is unloaded. Who is served when is up to its server, but no more requests
are put to that at once than it has slots, so that one whose caller leaves while it waits is gone at
once. It does not know HTTP or Ollama's frames.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from arena.adapters.engine.child import Child
from arena.adapters.engine.models import InstalledModel
from arena.adapters.engine.wire import WireError

_MOST_USEFUL_THREADS = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """`context` in tokens a slot; `max_tokens` caps replies whose caller set no limit (small
    models loop for ever); `max_pending` requests may wait."""

    slots: int = 3
    context: int = 4096
    max_tokens: int = 512
    max_pending: int = 64


@dataclass(slots=True, eq=False)
class Runner:
    """A model in memory, and how many use it. One that is `leaving` ends when nobody does."""

    model: InstalledModel
    child: Child
    port: int
    key: str
    context: int
    slots: asyncio.Semaphore
    users: int = 0
    leaving: bool = False


class Runners:
    """Owner of all that is loaded. `models`: how many there are, which share the cores."""

    def __init__(self, limits: Limits, models: int) -> None:
        self.limits = limits
        self._threads = max(1, _cores() // max(1, models))
        self._runners: dict[Path, Runner] = {}
        self._loading: dict[Path, asyncio.Task[None]] = {}
        self._children: dict[Path, Child] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._ended = False

    def end(self) -> None:
        """End all that is or is being loaded, for good; from any thread."""
        self._ended = True
        for child in list(self._children.values()):
            child.end()

    def loaded(self) -> list[Runner]:
        return [runner for runner in self._runners.values() if runner.child.alive]

    @asynccontextmanager
    async def slot(self, model: InstalledModel) -> AsyncIterator[tuple[Runner, int]]:
        """A place in the model, and how many ns it took to load. WireError 503 if too many wait."""
        if self._waiting >= self.limits.max_pending:
            raise WireError(
                503, "server busy, please try again.  maximum pending requests exceeded"
            )
        self._waiting += 1
        begun = time.monotonic_ns()
        try:
            runner = await self.load(model)
            load_ns = time.monotonic_ns() - begun
            runner.users += 1
            try:
                await runner.slots.acquire()
            except asyncio.CancelledError:
                self._leave(runner)
                raise
        finally:
            self._waiting -= 1
        try:
            yield runner, load_ns
        finally:
            runner.slots.release()
            self._leave(runner)

    async def load(self, model: InstalledModel) -> Runner:
        """Loads are one at a time, and go on if their callers leave. WireError 500 on failure."""
        while (runner := self._runners.get(model.path)) is None or not runner.child.alive:
            if model.path not in self._loading:
                self._loading[model.path] = asyncio.create_task(self._load(model))
            await asyncio.shield(self._loading[model.path])
        return runner

    def unload(self, model: InstalledModel) -> None:
        """Free the model's memory as soon as nobody uses it."""
        if runner := self._runners.get(model.path):
            runner.leaving = True
            self._end_if_left(runner)

    def _leave(self, runner: Runner) -> None:
        runner.users -= 1
        self._end_if_left(runner)

    def _end_if_left(self, runner: Runner) -> None:
        if runner.leaving and not runner.users:
            runner.child.end()
            if self._runners.get(runner.model.path) is runner:
                del self._runners[runner.model.path]

    async def _load(self, model: InstalledModel) -> None:
        limits = self.limits
        context = min(limits.context, model.context or limits.context)
        config = {"path": str(model.path), "name": model.name, "context": context}
        try:
            async with self._turn:
                if dead := self._children.get(model.path):
                    dead.end()
                child = Child(config | {"slots": limits.slots, "threads": self._threads})
                self._children[model.path] = child
                if self._ended:
                    child.end()
                told = await child.report()
        finally:
            del self._loading[model.path]
        if error := told.get("error"):
            raise WireError(500, f"{model.path.name} could not be loaded: {error}")
        slots = asyncio.Semaphore(limits.slots)
        self._runners[model.path] = Runner(model, child, told["port"], told["key"], context, slots)


def _cores() -> int:
    """The real cores this process may use, but no more than small models can make use of."""
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _MOST_USEFUL_THREADS
    )
    return min(psutil.cpu_count(logical=False) or 1, allowed, _MOST_USEFUL_THREADS)
