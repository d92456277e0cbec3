"""The fake host: its sockets, its life (start, stop, freeze, come back on the same port), and what a test can do to it.

Joins the scheduler, the fault book and the routes; each of those holds its own rules.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from . import checks
from .faults import Fault, FaultBook
from .models import LLAMA, MISTRAL, PHI, FakeModel, tagged
from .routes import respond
from .scheduler import Limits, Scheduler
from .stats import Call, Stats
from .wire import Connection, Reply, Request

if TYPE_CHECKING:
    from .threads import FakeOllamaThread

NEW, OLD = "0.33.0", "0.11.8"
_BACKLOG = 512
_log = logging.getLogger(__name__)


class FakeOllama:
    """A loopback server that behaves like Ollama, and misbehaves when told to.

    `async with FakeOllama([FakeModel("phi3:mini")], speed=50) as host:` serves at `host.url` in this event loop until
    the block ends; `in_thread` does it for code without a loop. Everything is observable through `stats`.

    models: installed ones, as FakeModel or by name. version: 0.12 or later behaves as new, earlier as old. warm:
    resident from the first start, all or those named. keep_alive: as Ollama's setting; the only time that `speed`
    does not scale. registry: what can be pulled. token: the bearer token that every request must carry. tls: a
    server-side context. cloud: remote models are let answer.
    """

    def __init__(
        self,
        models: Iterable[FakeModel | str] = (LLAMA, MISTRAL, PHI),
        *,
        version: str = NEW,
        port: int = 0,
        vram_gib: float = 21.7,
        num_parallel: int = 1,
        max_loaded: int = 3,
        max_queue: int = 512,
        keep_alive: Any = "5m",
        speed: float = 1.0,
        share_gpu: bool = False,
        vram_recovery_s: float = 0.5,
        warm: bool | Iterable[str] = False,
        registry: Iterable[FakeModel] = (),
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        cloud: bool = True,
    ) -> None:
        made = [FakeModel(model) if isinstance(model, str) else model for model in models]
        self.models = {model.name.lower(): model for model in made}
        self.registry = {model.name.lower(): model for model in registry}
        self.pulled: dict[str, int] = {}
        self.version = version
        self.old = tuple(int(part) for part in version.split(".")[:2]) < (0, 12)
        self.stats = Stats()
        limits = Limits(
            vram_gib,
            num_parallel,
            max_loaded,
            max_queue,
            checks.seconds(keep_alive) or 0.0,
            speed,
            share_gpu,
            vram_recovery_s,
            self.old,
        )
        self.scheduler = Scheduler(limits, self.stats)
        self._warm = (
            list(self.models) if warm is True else [tagged(name).lower() for name in warm or ()]
        )
        self.book = FaultBook()
        self.token = token
        self.cloud = cloud
        self._tls = tls
        self._port = port
        self._claim: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._full: list[socket.socket] = []
        self._connections: set[Connection] = set()
        self._released = asyncio.Event()
        self._aside: set[asyncio.Task[None]] = set()

    @staticmethod
    def in_thread(*args: Any, **kwargs: Any) -> FakeOllamaThread:
        """The same host in a thread of its own: `with FakeOllama.in_thread([...]) as host:`, and nothing to await."""
        from .threads import FakeOllamaThread  # that module is made of this one

        return FakeOllamaThread(*args, **kwargs)

    # Life

    async def __aenter__(self) -> Self:
        # A bound socket that never listens keeps the port ours while the host is down, so connects are refused.
        _bound(self._port, alone=True).close()
        self._claim = _bound(self._port)
        self._port = self._claim.getsockname()[1]
        await self.start()
        for name in self._warm:
            self.scheduler.preload_at_once(self.models[name])
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await asyncio.gather(*self._aside, return_exceptions=True)
        await self.stop()
        if self._claim is not None:
            self._claim.close()
        if self.stats.crashes and kind is None:
            raise self.stats.crashes[0]

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Begins to serve, on the port it had before; nothing is resident."""
        await self.stop()
        listener = _bound(self._port)
        self.scheduler.start()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._serve, self._lost),
            sock=listener,
            ssl=self._tls,
            backlog=_BACKLOG,
        )

    async def stop(self) -> None:
        """Dies: connections are cut, what was resident is lost, further connects are refused."""
        for filler in self._full:
            filler.close()
        self._full.clear()
        if self._server is None:
            return
        self._server.close()
        self._server = None
        await self.scheduler.stop()
        cut = list(self._connections)
        for connection in cut:
            connection.cut = True
            connection.task.cancel()
            connection.transport.abort()
        await asyncio.gather(*(connection.task for connection in cut), return_exceptions=True)
        self.stats.changed()

    async def freeze(self) -> None:
        """Dies, but with a listener left whose queue is full: a connect gets no answer at all, until `start`."""
        await self.stop()
        listener = _bound(self._port)
        listener.listen(0)
        self._full.append(listener)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self._port))
            self._full.append(filler)

    async def lose(self, how: str) -> None:
        """Plays `refused`, `restart` or `slow_accept` from inside a call, which does not survive it."""
        change = {"refused": self.stop, "restart": self.start, "slow_accept": self.freeze}[how]
        task = asyncio.create_task(change())
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        await asyncio.Event().wait()

    # Mischief

    def fault(self, kind: str | int, **rule: Any) -> Fault:
        """Adds a rule: `host.fault("drop", model="phi3:mini", call=2, frame=5)`. For its fields see Fault."""
        return self.add_fault(Fault(str(kind), **rule))

    def add_fault(self, fault: Fault) -> Fault:
        self.book.rules.append(fault)
        return fault

    @property
    def faults(self) -> list[Fault]:
        """The rules that still wait."""
        return list(self.book.rules)

    def clear_faults(self) -> None:
        """No more mischief: rules are dropped, held sockets let go, a wedge or an offload is undone."""
        self.book.rules.clear()
        self.release()
        self.scheduler.unwedge()
        self.scheduler.short_of_vram.clear()

    def release(self) -> None:
        """Lets every held call (`no_first_frame`, `stall`) go on."""
        self._released.set()
        self._released = asyncio.Event()

    async def hold(self, seconds: float | None) -> None:
        """Waits to be released, or `seconds`."""
        self.stats.hold(+1)
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            pass
        finally:
            self.stats.hold(-1)

    def _named(self, model: str | None) -> FakeModel | None:
        return self.models.get(tagged(model or "").lower())

    def evict(self, model: str | None, deleted: bool = False) -> None:
        """Takes `model` out of VRAM, or off the disk too."""
        if known := self._named(model):
            self.scheduler.expire(known.blob)
            if deleted:
                del self.models[known.name.lower()]

    def offload(self, model: str | None) -> None:
        """From now on half of `model` is on the CPU: slow, and visible in /api/ps."""
        if known := self._named(model):
            self.scheduler.offload(known.blob)

    async def wait_for(self, met: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Returns when `met()` is true, asked after every change of `stats` or of who is resident."""
        await self.stats.until(met, timeout_s)

    # Serving

    async def _serve(self, connection: Connection) -> None:
        self.stats.connections_made += 1
        number = self.stats.connections_made
        self._connections.add(connection)
        self._count_connections()
        while (request := await connection.next_request()) is not None:
            call = self._received(request, number)
            work = connection.work = asyncio.create_task(
                respond(self, call, Reply(connection, request))
            )
            try:
                await asyncio.wait({work})
            finally:
                await self._settle(connection, call, work)

    async def _settle(self, connection: Connection, call: Call, work: asyncio.Task[None]) -> None:
        """Sees that nothing of `call` is left running, and notes how it ended."""
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if work.cancelled():
            self.stats.move(call, "cut" if connection.cut else "cancelled")
        elif crash := work.exception():
            _log.error("the fake itself failed on %s %s", call.method, call.path, exc_info=crash)
            self.stats.crashes.append(crash)
            connection.transport.abort()

    def _received(self, request: Request, connection: int) -> Call:
        number = len(self.stats.requests) + 1
        call = Call(number, connection, request.method, request.path, request.headers, request.body)
        self.stats.requests.append(call)
        self.stats.changed()
        return call

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._count_connections()

    def _count_connections(self) -> None:
        self.stats.connections_open = len(self._connections)
        self.stats.changed()


def _bound(port: int, alone: bool = False) -> socket.socket:
    """A socket on `port`; `alone` fails with OSError when anyone else, another fake too, has the port."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, not alone)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound
