"""The engine as the app holds it: Ollama's API on a loopback port, served by a thread of the app.

It starts and stops the thread and what that has loaded, and says in words why it cannot run. It
does not know Ollama's API, llama.cpp or where the models came from.
"""

import asyncio
import socket
import threading
from collections.abc import Mapping, Sequence

import uvicorn

from arena.adapters.engine.child import Child
from arena.adapters.engine.face import build_app
from arena.adapters.engine.gguf import NotGguf
from arena.adapters.engine.models import Shelf, install
from arena.adapters.engine.runners import Limits, Runners
from arena.adapters.engine.weights import LocalModel
from arena.core.errors import EngineFault


class Engine:
    """An Ollama-compatible server over `models`. `limits` are fields of the runners' Limits
    (`slots`, `context`, `max_tokens`, …); what is left out is its default.

    Not bound to an event loop: it may be started on one and stopped on another.
    """

    def __init__(
        self, models: Sequence[LocalModel], *, limits: Mapping[str, int] | None = None
    ) -> None:
        self._models = tuple(models)
        self._limits = Limits(**limits or {})
        self._url = ""

    @property
    def models(self) -> list[str]:
        return [model.name for model in self._models]

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; EngineFault when it was not started."""
        if not self._url:
            raise EngineFault("The embedded engine has not been started. Start it first.")
        return self._url

    def servers(self) -> dict[str, tuple[int, str]]:
        """The port and the key of llama.cpp's own server of each model that is loaded."""
        return {each.model.name: (each.port, each.key) for each in self._runners.loaded()}

    async def start(self) -> str:
        """Serve, if it does not yet, and return the URL. EngineFault when it cannot run here."""
        if self._url:
            return self._url
        # In a process of its own: a library for another processor would end this one.
        trial = Child({})
        told = await trial.report()
        await asyncio.to_thread(trial.end)
        if error := told.get("error"):
            raise _cannot_run(error)
        try:
            shelf = Shelf([install(m.name, m.path.resolve(), m.sha256) for m in self._models])
        except (OSError, NotGguf) as error:
            raise _cannot_run(
                f"a model cannot be read ({error}). Check ARENA_ENGINE_MODELS, or remove the file "
                "to have it fetched again"
            ) from error
        self._runners = Runners(self._limits, len(shelf.models))
        self._server = uvicorn.Server(
            uvicorn.Config(
                build_app(shelf, self._runners),
                # What is logged, and how, is the app's own server's to say.
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                # Longer than clients keep idle connections, so that none closes under a request.
                timeout_keep_alive=600,
                timeout_graceful_shutdown=1,
            )
        )
        listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="engine", daemon=True
        )
        self._thread.start()
        self._url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        return self._url

    async def stop(self) -> None:
        """End at once, with all models; without effect when it does not run. It can be started
        again."""
        if self._url:
            self._url = ""
            self._server.should_exit = True
            # What was asked of them ends with them, so that nothing is left to be waited for.
            self._runners.end()
            await asyncio.to_thread(self._thread.join)


def _cannot_run(reason: str) -> EngineFault:
    return EngineFault(
        f"The embedded engine cannot run: {reason}. Or set OLLAMA_HOST to a machine that runs "
        "Ollama."
    )
