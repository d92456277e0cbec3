"""The HTTP API on a real server around a referee on a fake host, and a client that follows events
as a browser's EventSource does."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.responses import HTMLResponse

from arena.web import api, shared
from arena.web.bodies import Bodies, largest
from arena.web.headers import Headers
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import Table, table

HOSTED = (LLAMA, MISTRAL, PHI)
MAKERS = ("llama", "mistral", "phi3")
"""What a name that leaks would have in it."""

A = "/api/arena"
PAGE = HTMLResponse("<h1>page</h1>")
Scene = Callable[[httpx.AsyncClient, Table], Coroutine[Any, Any, None]]


Play = Callable[[Scene], None]


@asynccontextmanager
async def arena(
    folder: Path,
    *,
    speed: float = 20,
    hosted: Sequence[FakeModel] = HOSTED,
    operable: Callable[[Table], api.Operable] = lambda at: api.Operable(),
    **options: Any,
) -> AsyncIterator[tuple[httpx.AsyncClient, Table]]:
    """A client, and the table behind the API and the pages of links. Beside them, at the root, is a
    page. options: of `table`."""
    async with FakeOllama(hosted, speed=speed, warm=True) as host:
        async with table(folder, [host], **options) as at:
            app = FastAPI(title="Arena", docs_url=None, redoc_url=None)
            api.install(app, at.referee, operable(at))
            shared.install(app, at.referee)
            app.add_middleware(Bodies, largest=largest(at.referee.rules.max_prompt))
            app.add_middleware(Headers)
            app.mount("", PAGE)
            async with client_of(app) as client:
                yield client, at
                at.feed.close()  # type: ignore[attr-defined]


def called(folder: Path, scene: Scene, **options: Any) -> None:
    """Run the scene in an arena of its own. options: of `arena`."""

    async def run() -> None:
        async with arena(folder, **options) as (client, at):
            await scene(client, at)

    asyncio.run(run())


class Server(uvicorn.Server):
    """Leaves signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app on a loopback port; unlike a client that calls the app in memory, it
    gets a stream as it is sent, and can hang up."""
    # Where the loop stands still between scenes, a connection is not taken for one that was left.
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", ws="none", timeout_keep_alive=600
    )
    server = Server(config)
    # With the protocol named, asyncio sends each answer at once instead of waiting for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()  # Whoever asks before the server is up waits.
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


async def key() -> bytes:
    """What sessions are signed with, where there is no ledger."""
    return b"key"


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and detail; asserts that it is problem JSON."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert (
        body["status"] == response.status_code and body["type"] == "about:blank" and body["title"]
    )
    return response.status_code, body["detail"]


async def opened(client: httpx.AsyncClient, **body: Any) -> str:
    """The path of a new battle whose models answer whether anybody looks or not."""
    asked = {"prompt": "Why?", "unattended": True, **body}
    answer = await client.post(f"{A}/battles", json=asked)
    assert answer.status_code == 201, answer.text
    return f"{A}/battles/{answer.json()['battle']}"


async def voting(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The state of the battle once voting is open."""
    await client.post(
        f"{A}/get_progressive_responses", json={"battle_id": path.rsplit("/", maxsplit=1)[-1]}
    )
    state: dict[str, Any] = (await client.get(path)).json()
    assert state["phase"] == "voting", state
    return state


@dataclass
class Source:
    """An EventSource: what it received, and the id to go on after. `closed` once the server said
    that there is no more."""

    client: httpx.AsyncClient
    path: str
    last: str = ""
    names: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    signs_of_life: int = 0
    closed: bool = False

    async def follow(self, most: int = 10_000) -> None:
        """Until the stream ends or so many events have come; then it hangs up."""
        headers = {"Last-Event-ID": self.last} if self.last else {}
        async with self.client.stream("GET", f"{self.path}/events", headers=headers) as answer:
            self.closed = answer.status_code == 204
            assert self.closed or answer.headers["content-type"].startswith("text/event-stream")
            async with aclosing(answer.aiter_lines()) as lines:
                async for line in lines:
                    if most <= 0:
                        return
                    most -= self._read(line)

    def _read(self, line: str) -> int:
        """1 where the line completes an event."""
        name, _, value = line.partition(": ")
        if line in ("event: alive", "data: {}"):
            self.signs_of_life += name == "event"
        elif name == "event":
            self.names.append(value)
        elif name == "data":
            self.bodies.append(json.loads(value))
        elif name == "id":
            self.ids.append(value)
            self.last = value
        return int(name == "id")

    def text(self, seat: str, turn: int = 0) -> str:
        anew = max((n for n, body in enumerate(self.bodies) if body.get("anew")), default=0)
        pieces = [piece for body in self.bodies[anew:] for piece in body.get("pieces", ())]
        return "".join(p["text"] for p in pieces if (p["seat"], p["turn"]) == (seat, turn))
