"""Benches among other tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from arena.bench import launched
from tests.forking import ROOT, Forked


@pytest.fixture(autouse=True)
def any_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held to one core, where the programs of other tests are too."""
    monkeypatch.setattr(launched, "cores", lambda: ([], []))


class Process:
    """One that was forked off: as much of asyncio's as a bench uses of it."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        read, write = os.pipe()
        self._forked = Forked(words, cwd, env, None, read)
        os.close(read)
        self.stdin = os.fdopen(write, "wb")
        self.stdout = self._printed()
        self.pid = self._forked.pid

    async def _printed(self) -> AsyncIterator[bytes]:
        assert self._forked.stdout
        with self._forked.stdout as printed:
            while line := await asyncio.to_thread(printed.readline):
                yield line.encode()

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()

    def send_signal(self, how: signal.Signals) -> None:
        self._forked.send_signal(how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> None:
        while self.returncode is None:
            await asyncio.sleep(0.01)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of ours are forked off, which takes a fraction of what starting them takes."""
    started = asyncio.create_subprocess_exec

    async def process(program: str, *words: str, **how: Any) -> Any:
        if program != sys.executable:
            return await started(program, *words, **how)
        return Process(words, how["cwd"] or ROOT, how["env"])

    monkeypatch.setattr(asyncio, "create_subprocess_exec", process)
