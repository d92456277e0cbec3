"""HTTP/1.1 on bare sockets, with the manners of Go's server and with its rudenesses on demand.

Reads requests, writes JSON bodies and chunked NDJSON streams, notices a client that leaves, and can reset a
connection in the middle of a frame. It does not know what a model or a fault is.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

_GO_ESCAPES = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Hangup(Exception):
    """The fake has cut this connection on purpose; nothing more can be said on it."""


def go_json(value: Any) -> bytes:
    """`value` as Go's encoder writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped, everything else (U+0085 too) raw;
    but for half a character, which Go never writes and others escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_GO_ESCAPES).encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Request:
    """One request, whole. Header names are in lower case."""

    method: str
    path: str
    version: str
    headers: Mapping[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One client's connection.

    `serve` runs as a task for its whole life. When the client closes, `work` (the answer that is being made) is
    cancelled, as Go cancels the context of a request. `gone`: the client has left; `cut`: it was us who hung up.
    """

    def __init__(
        self,
        serve: Callable[[Connection], Coroutine[Any, Any, None]],
        lost: Callable[[Connection], None],
    ) -> None:
        self._serve = serve
        self._lost = lost
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = False
        self.cut = False
        self.work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.task = asyncio.get_running_loop().create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()

    def eof_received(self) -> None:
        self._client_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_left()
        self._lost(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _client_left(self) -> None:
        self.gone = True
        self._more.set()
        self._writable.set()
        if self.work is not None:
            self.work.cancel()

    async def _upto(self, size: Callable[[], int]) -> bytes | None:
        """The next `size()` bytes, once that is known (not negative) and they are here; None if the client leaves."""
        while (wanted := size()) < 0 or len(self._buffer) < wanted:
            if self.gone:
                return None
            self._more.clear()
            await self._more.wait()
        taken = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        return taken

    def _head_size(self) -> int:
        at = self._buffer.find(b"\r\n\r\n")
        return at if at < 0 else at + 4

    async def next_request(self) -> Request | None:
        """The next request on this connection, or None when there will be none."""
        head = await self._upto(self._head_size)
        if head is None:
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", "0"))
        body = await self._upto(lambda: length)
        return (
            None
            if body is None
            else Request(method, target.partition("?")[0], version, headers, body)
        )

    async def send(self, data: bytes) -> None:
        self.transport.write(data)
        await self._writable.wait()

    def reset(self) -> NoReturn:
        """Closes with RST: what was not yet delivered is lost."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.cut = True
        self.transport.abort()
        raise Hangup

    def close(self) -> NoReturn:
        """Closes with FIN after what was written has gone out."""
        self.cut = True
        self.transport.close()
        raise Hangup


class Reply:
    """The answer to one request: either one body, or a chunked stream whose header goes out with the first chunk."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.connection = connection
        self.started = False
        self._chunked = request.version != "HTTP/1.0"
        self._bodiless = request.method == "HEAD"

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        self.started = True
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [
            f"HTTP/1.1 {status} {phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def body(
        self, status: int, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        length = {"Content-Type": media_type, "Content-Length": str(len(body))}
        head = self._head(status, {**length, **(headers or {})})
        await self.connection.send(head if self._bodiless else head + body)

    async def json(self, status: int, value: Any) -> None:
        await self.body(status, go_json(value), "application/json; charset=utf-8")

    async def text(self, status: int, text: str) -> None:
        await self.body(status, text.encode(), "text/plain; charset=utf-8")

    def _stream_head(self) -> bytes:
        if self.started:
            return b""
        framing = {"Transfer-Encoding": "chunked"} if self._chunked else {"Connection": "close"}
        return self._head(200, {"Content-Type": "application/x-ndjson", **framing})

    async def chunk(self, data: bytes) -> None:
        """Sends `data` as it is, as one chunk of the stream."""
        chunk = b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data
        await self.connection.send(self._stream_head() + chunk)

    async def frame(self, value: Any) -> None:
        await self.chunk(go_json(value) + b"\n")

    async def end(self) -> None:
        """Ends the stream tidily, whether or not a last frame was sent."""
        await self.connection.send(self._stream_head() + (b"0\r\n\r\n" if self._chunked else b""))
        if not self._chunked:
            self.connection.transport.close()
