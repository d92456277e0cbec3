"""A listening socket, a server on it, and an optional public link; for the command line and notebooks.

It does not know what the app is made of, only that it is an ASGI app.
"""

import asyncio
import errno
import logging
import secrets
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from arena.addresses import reached_at
from arena.core.errors import ArenaError, NotHeard
from arena.server.connection import Connection
from arena.web.api.events import Straight
from arena.web.gate import Peers

log = logging.getLogger(__name__)

CLOSE_S = 3
KEPT_S = 75
"""So long a connection may rest between two requests: people read before they vote, and a proxy
must not send a request into one that is being closed."""


class NoPublicLink(ArenaError):
    """Gradio's share service gave no link; the arena itself runs all the same."""

    status = 503
    title = "No public link"


def listen(bind: str, port: int) -> socket.socket:
    """A socket bound before anything slow begins, so that a taken port is told at once. Port 0
    takes any free one. Raises NotHeard."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:
        # No name has such a part: an empty one, or one that is too long.
        why = error.strerror if isinstance(error, OSError) else "that is no name"
        raise NotHeard(
            f"ARENA_BIND={bind!r} is not an address of this machine ({why}). "
            "Allowed: 127.0.0.1 for this machine only, 0.0.0.0 for the whole network."
        ) from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise NotHeard(
                f"Port {port} is taken on {bind}: another program, or another arena, listens "
                f"there. Stop it, or choose another port: ARENA_PORT={port + 1}"
            ) from None
        raise NotHeard(f"Cannot listen on {bind}:{port}: {error.strerror}.") from None
    return sock


def url_of(sock: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = sock.getsockname()[:2]
    return f"http://{reached_at(host)}:{port}"


@dataclass(frozen=True, slots=True)
class Stopping:
    """What is done on the way out. drain: awaited at SIGTERM, for `limit_s` seconds at most,
    while pages are still served; closing: must let all event streams end."""

    closing: Callable[[], None]
    drain: Callable[[], Awaitable[None]]
    limit_s: float = 30.0


class _Uvicorn(uvicorn.Server):
    """Says that it closes before it waits for open responses: event streams never end alone."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()
        super().__init__(config)
        self._stopping = stopping
        self._draining: asyncio.Task[None] | None = None
        self.on_start: Callable[[], None] = lambda: None

    @property
    def should_exit(self) -> bool:
        return self._exits

    @should_exit.setter
    def should_exit(self, exits: bool) -> None:
        self._exits = exits
        if exits and self.loop and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._leaving.set)

    async def main_loop(self) -> None:
        """Woken when it is to end, and else once a second, for the date that answers carry."""
        self.on_start()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 1.0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self.loop and not (self._draining or self.should_exit):
            self.loop.call_soon_threadsafe(self._begin_to_drain)
            return
        if self.should_exit:
            # Told twice, it leaves at once; what that cuts off is no news to whoever asked for it.
            logging.getLogger("uvicorn.error").disabled = True
        super().handle_exit(sig, frame)

    def _begin_to_drain(self) -> None:
        self._draining = self._draining or asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._stopping.limit_s):
                await self._stopping.drain()
        except TimeoutError:
            log.warning(
                "not everything was written within %.0f s; it is left to the next start",
                self._stopping.limit_s,
            )
        except Exception:
            log.exception("what is done on the way out failed in a way that nothing foresaw")
        finally:
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.closing()
        await super().shutdown(sockets)


class Server:
    """uvicorn on a socket of ours. `run` blocks; `start` runs it in a thread. proxies: addresses
    and networks of those that are believed when they say for whom they ask."""

    def __init__(
        self, app: Any, sock: socket.socket, stopping: Stopping, proxies: Sequence[str] = ()
    ) -> None:
        self._sock = sock
        self._thread: threading.Thread | None = None
        if proxies:
            app = ProxyHeadersMiddleware(app, list(proxies))
        config = uvicorn.Config(
            Straight(Peers(app)),
            http=Connection,
            # Its own would close the handlers of whoever serves the arena from a notebook.
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=CLOSE_S,
            timeout_keep_alive=KEPT_S,
            ws="none",
            lifespan="on",
        )
        self._server = _Uvicorn(config, stopping)

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT (at once) or SIGTERM (when it has drained); `started` is called once pages can be fetched."""
        self._server.on_start = started
        with self._sock:
            self._server.run([self._sock])

    def start(self) -> None:
        """Serve in a thread, and return once pages can be fetched."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run_in_thread, args=(ready,), name="progressive-arena", daemon=True
        )
        self._thread.start()
        ready.wait()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """That of everything that is served."""
        assert self._server.loop, "not started"
        return self._server.loop

    def stop(self) -> None:
        """End the thread that `start` began."""
        self._server.should_exit = True
        if self._thread:
            self._thread.join()

    def _run_in_thread(self, ready: threading.Event) -> None:
        try:
            self.run(ready.set)
        finally:
            ready.set()


def share(sock: socket.socket) -> str:
    """A public link through Gradio's share service. Raises NoPublicLink."""
    from gradio import networking

    host, port = sock.getsockname()[:2]
    try:
        return networking.setup_tunnel(
            local_host="127.0.0.1" if host == "0.0.0.0" else host,  # noqa: S104 -- of this machine
            local_port=port,
            share_token=secrets.token_urlsafe(32),
            share_server_address=None,
            share_server_tls_certificate=None,
        )
    except Exception as error:
        raise NoPublicLink(
            "No public link could be had: Gradio's share service or its tunnel program cannot be "
            f"reached from here ({type(error).__name__}). The page works on this machine as usual."
        ) from error
