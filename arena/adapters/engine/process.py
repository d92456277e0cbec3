"""The engine as the app holds it: a child process that serves Ollama's API on a loopback port.

It starts, stops and watches the child, and says in words why it cannot run. It does not know
Ollama's API, llama.cpp or where the models came from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from arena.adapters.engine.child import Child
from arena.adapters.engine.weights import LocalModel
from arena.core.errors import EngineFault

_START_TIMEOUT_S = 60.0
_INSTEAD = "Or set OLLAMA_HOST to a machine that runs Ollama."


class Engine:
    """An Ollama-compatible server over `models`. `limits` are fields of the runners' Limits
    (`slots`, `context`, `max_tokens`, `keep_alive_s`, …); what is left out is its default.

    Not bound to an event loop: it may be started on one and stopped on another.
    """

    def __init__(
        self, models: Sequence[LocalModel], *, limits: Mapping[str, int | float] | None = None
    ) -> None:
        self._config = {
            "models": [
                {"name": each.name, "path": str(each.path.resolve()), "digest": each.sha256}
                for each in models
            ],
            "limits": dict(limits or {}),
        }
        self._child: Child | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; EngineFault when it was not started."""
        if not self._url:
            raise EngineFault("The embedded engine has not been started. Start it first.")
        return self._url

    @property
    def pid(self) -> int | None:
        """The child's process id, None before the first start and after a stop."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    async def start(self) -> str:
        """Start the child, or a new one if the old one has died, and return its URL once it
        accepts requests. EngineFault when it cannot run here."""
        if self.alive:
            return self._url
        await self.stop()
        self._child = Child("server", self._config)
        try:
            told = await asyncio.wait_for(self._child.report(), _START_TIMEOUT_S)
            if "url" not in told:
                raise EngineFault(f"The embedded engine cannot run: {_reason(told)} {_INSTEAD}")
        except TimeoutError:
            await self.stop()
            raise EngineFault(
                f"The embedded engine did not start within {_START_TIMEOUT_S:.0f} seconds. "
                f"Is the machine very busy? Try again. {_INSTEAD}"
            ) from None
        except BaseException:
            await self.stop()
            raise
        self._url = told["url"]
        return self._url

    async def stop(self) -> None:
        """End the child, at once; without effect when there is none. It can be started again."""
        child, self._child, self._url = self._child, None, ""
        if child is not None:
            await child.end()


def _reason(told: Mapping[str, str]) -> str:
    error, kind = told["error"], told.get("kind", "")
    if "libgomp" in error:
        return (
            "the system library libgomp is missing. Install it "
            "(Debian, Ubuntu: apt-get install libgomp1)."
        )
    if kind == "ModuleNotFoundError":
        return (
            f"{error}. Install what requirements.txt lists (pip install -r requirements.txt); "
            "the engine's library exists for 64-bit Linux with glibc, for macOS 13 or newer "
            "and for Windows."
        )
    if kind == "ImportError":
        return f"its library cannot be loaded on this system ({error})."
    if kind:
        return (
            f"a model cannot be read ({error}). Check ARENA_ENGINE_MODELS, or remove the file "
            "to have it fetched again."
        )
    return f"{error}."
