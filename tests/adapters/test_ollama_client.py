"""The official client as it reads a reply: what comes meanwhile waits in the socket."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import aiohttp.client_proto
import pytest

from arena.adapters.hosts.host import Request
from arena.adapters.hosts.ollama_client import Client

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FRAMES = [b'{"message": {"content": "%d"}}\n' % number for number in range(5)]


def test_nothing_wakes_the_loop_while_a_reply_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at a socket costs as much as many tokens."""
    looks: list[bytes] = []
    protocol = aiohttp.client_proto.ResponseHandler
    received = protocol.data_received

    def data_received(self: aiohttp.client_proto.ResponseHandler, data: bytes) -> None:
        if data:
            looks.append(data)
        received(self, data)

    monkeypatch.setattr(protocol, "data_received", data_received)
    written = asyncio.Queue[asyncio.StreamWriter]()

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await written.put(writer)

    def write(writer: asyncio.StreamWriter, frame: bytes) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))

    async def read() -> None:
        server = await asyncio.start_server(host, "127.0.0.1", 0)
        address = "http://{}:{}".format(*server.sockets[0].getsockname())
        client = Client(address, "", 60, None)
        async with server, aclosing(client.frames(Request("m", []), {})) as frames:
            first = asyncio.ensure_future(anext(frames))
            writer = await written.get()
            write(writer, FRAMES[0])
            some, unread = await first
            assert some == FRAMES[0]
            assert not unread.has(b"1")
            before = len(looks)
            for frame in FRAMES[1:]:
                write(writer, frame)
                for _ in range(20):
                    await asyncio.sleep(0)
            assert len(looks) == before
            assert all(unread.has(frame) for frame in FRAMES[1:])
            assert len(looks) == before
            assert (await anext(frames))[0] == b"".join(FRAMES[1:])
            assert len(looks) == before + 1
            writer.close()
        await client.aclose()

    asyncio.run(read())
