"""The engine as the app holds it: a child process that serves Ollama's API on a loopback port.

It starts, stops and watches the child, and says in words why it cannot run. It does not know
Ollama's API, llama.cpp or where the models came from.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from arena.adapters.engine.weights import LocalModel
from arena.core.errors import EngineFault

_ROOT = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 0.5
# llama.cpp's threads spin while they wait for each other. As soon as another program wants a core
# they fall from tens of tokens a second to less than one, unless they soon go to sleep instead.
_PATIENT = {"GOMP_SPINCOUNT": "1000"}
_WINDOWS_ILLEGAL_INSTRUCTION = 0xC000001D
_INSTEAD = "Or set OLLAMA_HOST to a machine that runs Ollama."


class Engine:
    """An Ollama-compatible server over `models`. `limits` are the fields of the scheduler's
    Limits (`slots`, `context`, `max_tokens`, `keep_alive_s`, …); what is left out is its default.

    Not bound to an event loop: it may be started on one and stopped on another.
    """

    def __init__(
        self, models: Sequence[LocalModel], *, limits: Mapping[str, int | float] | None = None
    ) -> None:
        self._models = tuple(models)
        self._limits = dict(limits or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
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
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> str:
        """Start the child, or a new one if the old one has died, and return its URL once it
        accepts requests. EngineFault when it cannot run here."""
        if self.alive:
            return self._url
        await self.stop()
        self._launch()
        try:
            line = await asyncio.wait_for(asyncio.to_thread(self._read_report), _START_TIMEOUT_S)
        except TimeoutError:
            await self.stop()
            raise EngineFault(
                f"The embedded engine did not start within {_START_TIMEOUT_S:.0f} seconds. "
                f"Is the machine very busy? Try again. {_INSTEAD}"
            ) from None
        except BaseException:
            await self.stop()
            raise
        if "url" not in line:
            fault = self._fault_of_start(line)
            await self.stop()
            raise fault
        self._url = line["url"]
        return self._url

    async def stop(self) -> None:
        """End the child, at once; without effect when there is none. It can be started again."""
        process, self._process, self._url = self._process, None, ""
        errors, self._errors = self._errors, None
        if process is not None:
            await asyncio.to_thread(_end, process)
        if errors is not None:
            errors.close()

    def fault(self) -> EngineFault | None:
        """Why the engine that was started is dead; None while it lives or when it was stopped."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        return EngineFault(f"The embedded engine has died: {self._describe(code)}")

    def _launch(self) -> None:
        config = {
            "models": [
                {"name": each.name, "path": str(each.path.resolve()), "digest": each.sha256}
                for each in self._models
            ],
            "limits": self._limits,
            "parent": os.getpid(),
        }
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arena.adapters.engine.server", json.dumps(config)],
            # From there it imports this very package, wherever the app was started.
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_PATIENT | os.environ | {"PYTHONSAFEPATH": ""},
            # Ctrl-C is for the app, which stops the engine when it has no more use for it.
            start_new_session=True,
        )

    def _read_report(self) -> dict[str, Any]:
        """The child's one line; {} when it died before it."""
        process = self._process
        assert process is not None and process.stdout is not None
        with process.stdout as report:
            line = report.readline()
        return json.loads(line) if line.endswith(b"\n") else {}

    def _fault_of_start(self, line: Mapping[str, str]) -> EngineFault:
        error = line.get("error", "")
        if "libgomp" in error:
            reason = (
                "the system library libgomp is missing. Install it "
                "(Debian, Ubuntu: apt-get install libgomp1)."
            )
        elif line.get("kind") == "ModuleNotFoundError":
            reason = (
                f"{error}. Install what requirements.txt lists (pip install -r requirements.txt); "
                "the engine's library exists for 64-bit Linux with glibc, for macOS 13 or newer "
                "and for Windows."
            )
        elif line.get("kind") == "ImportError":
            reason = f"its library cannot be loaded on this system ({error})."
        elif error:
            reason = (
                f"a model cannot be read ({error}). Check ARENA_ENGINE_MODELS, or remove the file "
                "to have it fetched again."
            )
        else:
            assert self._process is not None
            reason = self._describe(self._process.wait())
        return EngineFault(f"The embedded engine cannot run: {reason} {_INSTEAD}")

    def _describe(self, code: int) -> str:
        name = signal.Signals(-code).name if code < 0 else ""
        if name == "SIGILL" or code == _WINDOWS_ILLEGAL_INSTRUCTION:
            return "this processor lacks instructions that the engine needs (on x86: AVX2)."
        if name == "SIGKILL":
            return (
                "it was killed, most likely because memory ran out. Close other programs and "
                "start the arena again."
            )
        last_words = self._last_words()
        said = f", saying: {last_words}" if last_words else ""
        return f"{name or f'exit status {code}'}{said}. Start the arena again."

    def _last_words(self) -> str:
        """The last line it wrote to standard error."""
        if self._errors is None:
            return ""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 2000))
        lines = self._errors.read().decode("utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # It does not listen while it loads a model.
        process.kill()
        process.wait()
