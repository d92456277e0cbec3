"""The arena as a person runs it, in a process of its own, and what it printed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.forking import ROOT, Forked

OURS = ("OLLAMA_", "ARENA_", "DATABASE_URL", "REDIS_URL")
PROGRAM = (sys.executable, "app.py")
READY_S = 120


class App:
    """A running app. `url` is where its page is, `printed` all it wrote on the terminal."""

    def __init__(self, process: subprocess.Popen[str] | Forked, database: Path) -> None:
        self.process = process
        self.database = database
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def printed(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        return self.found(r"page\s+(http://\S+)")

    def found(self, pattern: str) -> str:
        """The first group of the pattern, once it is printed."""
        wait_until(lambda: re.search(pattern, self.printed) or self.ended(), pattern)
        match = re.search(pattern, self.printed)
        assert match, f"{pattern!r} was not printed:\n{self.printed}"
        return match[1]

    def ended(self) -> bool:
        if self.process.poll() is None:
            return False
        self._reader.join(timeout=5)
        return True

    def get(self, path: str) -> Any:
        return fetch(f"{self.url}/{path}")

    def votes(self) -> list[sqlite3.Row]:
        with sqlite3.connect(self.database) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM votes ORDER BY rowid").fetchall()
        connection.close()
        return rows

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, wait for the end, return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=READY_S)
        self._reader.join(timeout=5)
        return code


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    ready: bool = True,
    door: Sequence[str] = (),
    cwd: Path = ROOT,
    **environment: str,
) -> Iterator[App]:
    """`app.py --port 0`, forked off or by a door of its own as PROGRAM is, with its own ledger and
    only these settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    database = folder / "arena.db"
    env |= {"DATABASE_URL": f"sqlite:///{database}", "PYTHONUNBUFFERED": "1", **environment}
    words = ["--port", "0", *arguments]
    process: subprocess.Popen[str] | Forked
    if door:
        process = subprocess.Popen(
            [*door, *words],
            cwd=cwd,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    else:
        process = Forked(words, cwd, env, None)
    app = App(process, database)
    try:
        if ready:
            wait_until(
                lambda: app.get("api/arena/status")["ready"] or app.ended(), "the app is ready"
            )
        yield app
    finally:
        app.stop(signal.SIGKILL if process.poll() is None and not ready else signal.SIGINT)
        assert process.stdout
        process.stdout.close()


def commanded(*words: str, **settings: str) -> tuple[int, str]:
    """`arena` with these words and only these settings: its exit code, and all that it wrote."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    process = Forked(words, ROOT, env | settings, None)
    assert process.stdout
    with process.stdout as printed:
        told = printed.read()
    return process.wait(READY_S), told


def fetch(url: str) -> Any:
    """JSON from a loopback URL, past any proxy of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return json.load(response)


def wait_until(met: Callable[[], object], what: str, timeout_s: float = READY_S) -> None:
    """Look again until it is so; there is no event to wait for across processes."""
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        threading.Event().wait(0.05)
