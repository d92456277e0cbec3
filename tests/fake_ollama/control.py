"""The control port: faults and statistics of a fake host over HTTP, away from the port that plays Ollama.

GET    /__fake__           statistics and waiting rules
POST   /__fake__/faults    a rule, as the text of `parse_fault`: 10,model=phi3:mini,frame=5
DELETE /__fake__/faults    no more mischief
POST   /__fake__/stop      also /start, /freeze, /release
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Self

from .faults import parse_fault
from .host import FakeOllama
from .wire import Connection, Reply, Request


class ControlPort:
    """`async with ControlPort(host) as control:` serves at `control.url`."""

    def __init__(self, host: FakeOllama, port: int = 0) -> None:
        self._host = host
        self._port = port
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._serve, self._connections.discard), "127.0.0.1", self._port
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/__fake__"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        open_ones = list(self._connections)
        for connection in open_ones:
            connection.transport.abort()
        await asyncio.gather(*(connection.task for connection in open_ones), return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        self._connections.add(connection)
        while (request := await connection.next_request()) is not None:
            await self._respond(request, Reply(connection, request))

    async def _respond(self, request: Request, reply: Reply) -> None:
        host = self._host
        match request.method, request.path.removeprefix("/__fake__"):
            case "GET", "" | "/":
                rules = [dataclasses.asdict(rule) for rule in host.faults]
                await reply.json(200, {"url": host.url, "faults": rules, **host.stats.summary()})
            case "POST", "/faults":
                try:
                    rule = host.add_fault(parse_fault(request.body.decode()))
                except ValueError as wrong:
                    await reply.json(400, {"error": str(wrong)})
                else:
                    await reply.json(200, dataclasses.asdict(rule))
            case "DELETE", "/faults":
                host.clear_faults()
                await reply.json(200, {})
            case "POST", "/release":
                host.release()
                await reply.json(200, {})
            case "POST", "/stop" | "/start" | "/freeze" as move:
                await {"/stop": host.stop, "/start": host.start, "/freeze": host.freeze}[move]()
                await reply.json(200, {})
            case _:
                await reply.text(404, (__doc__ or "").strip())
