"""A fake host in a thread of its own, for tests without an event loop: browsers, sync clients, subprocesses.

Only passes calls over to that thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from .faults import Fault
from .host import FakeOllama
from .stats import Stats

T = TypeVar("T")


class FakeOllamaThread:
    """`with FakeOllama.in_thread([...], speed=50) as host:`; arguments and moves as FakeOllama's, without await."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._make = lambda: FakeOllama(*args, **kwargs)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fake-ollama", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._host = self._run(self._open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._run(self._host.__aexit__(kind, value, trace))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _open(self) -> FakeOllama:
        return await self._make().__aenter__()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _call(self, move: Callable[[], T]) -> T:
        async def moved() -> T:
            return move()

        return self._run(moved())

    @property
    def url(self) -> str:
        return self._host.url

    @property
    def port(self) -> int:
        return self._host.port

    @property
    def stats(self) -> Stats:
        return self._host.stats

    def start(self) -> None:
        self._run(self._host.start())

    def stop(self) -> None:
        self._run(self._host.stop())

    def freeze(self) -> None:
        self._run(self._host.freeze())

    def fault(self, kind: str | int, **rule: Any) -> Fault:
        return self._call(lambda: self._host.fault(kind, **rule))

    def clear_faults(self) -> None:
        self._call(self._host.clear_faults)

    def release(self) -> None:
        self._call(self._host.release)

    def evict(self, model: str, deleted: bool = False) -> None:
        self._call(lambda: self._host.evict(model, deleted))

    def offload(self, model: str) -> None:
        self._call(lambda: self._host.offload(model))

    def wait_for(self, met: Callable[[], object], timeout_s: float = 30.0) -> None:
        """As FakeOllama.wait_for; `met` is asked in the host's thread."""
        self._run(self._host.wait_for(met, timeout_s))
