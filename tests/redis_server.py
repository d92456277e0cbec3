"""A real redis-server for tests: on a free port of this machine, in a folder of the test run, with
its data on disk, so that it can be frozen, killed and started again.

A pytest plugin: one server a module, and for each test a prefix of its own for the keys.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import missing

BINARY = shutil.which("redis-server")
START_S = 10.0


class RedisServer:
    """settings: of redis.conf, as `maxmemory="3mb"`."""

    def __init__(self, folder: Path, password: str = "", **settings: str) -> None:
        self.port = _free_port()
        self._folder = folder
        self._password = password
        self._settings = {"appendonly": "yes", "save": "", **settings}
        if password:
            self._settings["requirepass"] = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, again with what it knew before, and wait until it answers."""
        settings = [word for key, value in self._settings.items() for word in (f"--{key}", value)]
        self._process = subprocess.Popen(
            [str(BINARY), "--port", str(self.port), "--bind", "127.0.0.1", *settings],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < deadline, "redis-server does not answer"
            threading.Event().wait(0.01)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.ConnectionError:
            return False

    def ask(self, *command: str | int) -> Any:
        """What it answers to a command, which is asked past everything under test."""
        known = {"port": self.port, "password": self._password or None}
        with redis.Redis(**known, decode_responses=True, retry=None) as client:
            return client.execute_command(*command)

    def listening(self) -> int:
        """How many connections listen to channels."""
        clients = str(self.ask("CLIENT", "LIST")).splitlines()
        return sum(" sub=0 " not in client for client in clients)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """What it was told is on disk; all connections break."""
        while self.ask("INFO", "persistence")["aof_buffer_length"]:
            threading.Event().wait(0.01)
        self._end()

    def _end(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        if self._process:
            self._end()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


def _free_port() -> int:
    """One that the system gives to nobody else while the server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not BINARY:
        missing("redis-server", "Install it: apt-get install redis-server")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}:"
