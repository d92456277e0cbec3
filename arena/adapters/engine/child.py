"""A process of the engine as its parent holds it: started, heard once, watched and ended.

The other end of the process's lifeline. Not bound to an event loop. It does not know what the
process is for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[3]
_STOP_TIMEOUT_S = 0.5
# llama.cpp's threads spin while they wait for each other. As soon as another program wants a core
# they fall from tens of tokens a second to less than one, unless they soon go to sleep instead.
_PATIENT = {"GOMP_SPINCOUNT": "1000"}
_WINDOWS_ILLEGAL_INSTRUCTION = 0xC000001D


class Child:
    """`python -m arena.adapters.engine.MODULE CONFIG`, with `parent` added to the config."""

    def __init__(self, module: str, config: Mapping[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when the child has ended
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"arena.adapters.engine.{module}",
                json.dumps({**config, "parent": os.getpid()}),
            ],
            # From there it imports this very package, wherever the app was started.
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # It is handed on whole, and nothing of it is read.
            env=_PATIENT | os.environ | {"PYTHONSAFEPATH": ""},  # noqa: TID251
            # Ctrl-C is for the app, which ends its children when it has no more use for them.
            start_new_session=True,
        )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def report(self) -> dict[str, Any]:
        """The line it tells when it is ready; of one that died before it, only an `error`."""
        return await asyncio.to_thread(self._read_report)

    def _read_report(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        with self._process.stdout as report:
            line = report.readline()
        return json.loads(line) if line.endswith(b"\n") else {"error": self._obituary()}

    async def end(self) -> None:
        """End it, at once."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # It does not listen while it loads a model.
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _obituary(self) -> str:
        """What it died of."""
        code = self._process.wait()
        name = signal.Signals(-code).name if code < 0 else ""
        if name == "SIGILL" or code == _WINDOWS_ILLEGAL_INSTRUCTION:
            return "this processor lacks instructions that the engine needs (on x86: AVX2)"
        if name == "SIGKILL":
            return "it was killed, most likely because memory ran out; close other programs"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 2000))
        lines = self._errors.read().decode("utf-8", errors="replace").split("\n")
        last_words = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return f"it ended with {name or f'exit status {code}'}, saying: {last_words}"
