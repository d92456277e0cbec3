"""A process that runs llama.cpp, as its parent holds it: started, heard once, watched and ended.

Not bound to an event loop. It does not know what is asked of it meanwhile.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[3]
# llama.cpp's threads spin while they wait for each other. As soon as another program wants a core
# they fall from tens of tokens a second to less than one, unless they soon go to sleep instead.
_PATIENT = {"GOMP_SPINCOUNT": "1000"}
_WINDOWS_ILLEGAL_INSTRUCTION = 0xC000001D


class Child:
    """`python -m arena.adapters.engine.llama CONFIG`, with `parent` added to CONFIG."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        told = json.dumps({**config, "parent": os.getpid()})
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when the child has ended
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arena.adapters.engine.llama", told],
            # From there it imports this very package, wherever the app was started.
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
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

    async def wait(self, most_s: float) -> None:
        """For its end. One that was killed closes its sockets first, and can be told from a living
        one only a little later."""
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, most_s)

    async def report(self) -> dict[str, Any]:
        """The line it tells when it is ready, with an `error` if it is of no use."""
        return await asyncio.to_thread(self._read_report)

    def _read_report(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        with self._process.stdout as report:
            line = report.readline()
        return json.loads(line) if line.endswith(b"\n") else {"error": self._obituary()}

    def end(self) -> None:
        """End it, at once: nothing in it needs saving."""
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
        last_words = self._errors.read().decode("utf-8", errors="replace").strip().split("\n")[-1]
        return f"it ended with {name or f'exit status {code}'}, saying: {last_words or 'nothing'}"
