"""Loading models ahead of the replies that need them: one load at a time on each host.

All who need a load share one task, which nobody who waits for it can cancel: closing the
connection would make Ollama abort the load, and the next one would start over. It does not know
replies or leases.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from arena.adapters.hosts.host import HostTimeouts
from arena.adapters.hosts.state import HostState
from arena.core.errors import HostFault

Options = Callable[[str], Mapping[str, Any]]
Noted = Callable[[HostState, str, HostFault], None]

WEDGED_S = 60.0
"""How long a host that loads nothing any more is left alone before it is tried again."""


class Preloads:
    """options: those that a model is asked with. noted: told of each fault, once."""

    def __init__(
        self,
        options: Options,
        noted: Noted,
        timeouts: HostTimeouts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._noted = noted
        self._timeouts = timeouts
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[HostFault | None]] = {}

    def start(self, state: HostState, model: str) -> asyncio.Task[HostFault | None]:
        """The load under way, or a new one."""
        key = state.url, model
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._load(state, model))
            task.add_done_callback(lambda done: self._forget(key, done))
        return task

    async def wait(self, state: HostState, model: str) -> HostFault | None:
        """Wait until it is loaded; returns why it is not. Whoever waits may leave at any time."""
        task = self.start(state, model)
        try:
            async with asyncio.timeout(self._timeouts.cold + self._timeouts.connect):
                return await asyncio.shield(task)
        except TimeoutError:
            return HostFault(
                f"{state.url} is still loading what was asked for before {model}.",
                kind="load",
                host=state.url,
            )

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: tuple[str, str], task: asyncio.Task[HostFault | None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _load(self, state: HostState, model: str) -> HostFault | None:
        async with self._locks.setdefault(state.url, asyncio.Lock()):
            if state.wedged and self._clock() - state.wedged_at < WEDGED_S:
                return HostFault(f"{state.url} loads nothing.", kind="load", host=state.url)
            try:
                await state.look_again()
                if state.ready(model):
                    return None
                before, state.tried[model] = state.resident, self._clock()
                await state.host.preload(state.local.get(model, model), self._options(model))
                await state.look_again()
            except HostFault as fault:
                fault = await self._explained(state, fault)
                self._noted(state, model, fault)
                return fault
            state.loaded(model, before)
            return None

    async def _explained(self, state: HostState, fault: HostFault) -> HostFault:
        """A load that brings no answer, from a host that otherwise answers, is a scheduler that
        is stuck (https://github.com/ollama/ollama/issues/17408)."""
        if fault.kind not in ("silent", "failed"):
            return fault
        if fault.kind == "silent":
            try:
                await state.host.version()
            except HostFault as other:
                return other
            state.wedged, state.wedged_at = True, self._clock()
        return HostFault(str(fault), kind="load", host=state.url)
