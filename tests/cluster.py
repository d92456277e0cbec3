"""A deployment on this machine: nginx with our configuration in front of two replicas of the app,
Redis, PostgreSQL and two fake Ollama hosts, each a process that can be killed and started again."""

from __future__ import annotations

import os
import signal
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forking import ROOT, Forked
from tests.nginx import OUTSIDE, free_port, nginx
from tests.postgresql import Postgresql
from tests.redis_server import RedisServer
from tests.running import OURS, fetch, wait_until

UNLIMITED = {
    "ARENA_OPENS_PER_MINUTE": "0",
    "ARENA_BALLOTS_PER_HOUR": "0",
    "ARENA_PROXIES": OUTSIDE,
    "PYTHONUNBUFFERED": "1",
}


@dataclass
class Member:
    """A process of the deployment, always on the same port."""

    command: list[str]
    """Words for an arena that is forked off, or `-m` with another module and its."""
    environment: dict[str, str]
    port: int
    log: Path
    answers: str
    """The path that answers as soon as it can be used."""
    process: Forked | None = None

    @property
    def address(self) -> str:
        return f"{OUTSIDE}:{self.port}"

    def start(self) -> None:
        """Start it and return at once."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        with self.log.open("ab") as log:
            self.process = Forked(self.command, ROOT, kept | self.environment, log)

    def usable(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()
        try:
            fetch(f"http://{self.address}{self.answers}")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        """Send the signal, wait for the end; its exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=60)


@dataclass
class Cluster:
    url: str
    replicas: list[Member]
    hosts: list[Member]
    redis: RedisServer
    postgresql: Postgresql
    database_url: str
    schema: str

    def ballots(self) -> list[dict[str, Any]]:
        """Of each battle, round and ballot in the ledger, how many rows it has."""
        with self.postgresql.connect(self.schema) as connection:
            cursor = connection.execute(
                "SELECT battle_id, round, ballot_id, count(*) FROM votes "
                "GROUP BY battle_id, round, ballot_id"
            )
            names = ("battle", "round", "ballot", "rows")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def printed(self) -> str:
        """What the replicas wrote on their terminals."""
        return "\n".join(replica.log.read_text() for replica in self.replicas)


@contextmanager
def clustered(
    folder: Path, redis: RedisServer, postgresql: Postgresql, speed: float = 2, parallel: int = 2
) -> Iterator[Cluster]:
    """All of it, ready. Redis and PostgreSQL run already. speed, parallel: of each host."""
    schema = postgresql.new_schema()
    database_url = postgresql.url(schema)
    hosts = [_host(folder, number, speed, parallel) for number in (1, 2)]
    shared = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
        "OLLAMA_HOSTS": ",".join(host.address for host in hosts),
        "OLLAMA_NUM_PARALLEL": str(parallel),
        "ARENA_PACE": "300",
        **UNLIMITED,
    }
    replicas = [_replica(folder, number, shared) for number in (1, 2)]
    with ExitStack() as stack:
        stack.enter_context(_all_running(*hosts, *replicas))
        front = folder / "nginx"
        url = stack.enter_context(nginx(front, [replica.address for replica in replicas]))
        yield Cluster(url, replicas, hosts, redis, postgresql, database_url, schema)


@contextmanager
def alone(folder: Path, speed: float, parallel: int) -> Iterator[Member]:
    """An arena of one process with its ledger in a file, and its host, ready."""
    host = _host(folder, 1, speed, parallel)
    own = {
        "DATABASE_URL": f"sqlite:///{folder}/arena.db",
        "OLLAMA_HOST": host.address,
        "OLLAMA_NUM_PARALLEL": str(parallel),
        **UNLIMITED,
    }
    arena = _replica(folder, 1, own)
    with _all_running(host, arena):
        yield arena


@contextmanager
def _all_running(*members: Member) -> Iterator[None]:
    with ExitStack() as stack:
        for member in members:
            member.start()
            stack.callback(member.end, signal.SIGKILL)
        for member in members:
            wait_until(member.usable, f"{member.address} is usable")
        yield


def _host(folder: Path, number: int, speed: float, parallel: int) -> Member:
    port = free_port()
    command = [
        "-m",
        "tests.fake_ollama",
        "--port",
        str(port),
        "--warm",
        "--vram=80",
        f"--speed={speed}",
        f"--parallel={parallel}",
        "--keep-alive=-1s",
    ]
    return Member(command, {}, port, folder / f"host{number}.log", "/api/version")


def _replica(folder: Path, number: int, shared: dict[str, str]) -> Member:
    port = free_port()
    return Member(["--port", str(port)], shared, port, folder / f"replica{number}.log", "/readyz")
