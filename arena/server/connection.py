"""One connection, with bounds on the head of a request, which uvicorn and httptools lack.

A head that is too long, too slow or no HTTP is refused before the app hears of it, in the app's
own words. It does not know bodies, which the app bounds itself.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from arena.web.api.problems import HANG_UP, refusal
from arena.web.bodies import LINGER_S

LONGEST_HEAD = 64 * 1024
"""Also of what may stand between and after the pieces of a body."""

AROUND = len(": \r\n")
ENDS = {b"content-length", b"transfer-encoding"}
ONCE = {b"host", *ENDS}
HEAD_S = 10.0
"""How long a head may take to come, and how long a connection may be open without any."""


OF_VISITORS = ("Invalid HTTP request", "Unsupported upgrade request", "No supported WebSocket")


def _of_the_arena(told: logging.LogRecord) -> bool:
    """Whoever sends what cannot be read is told; that is no line each on the operator's terminal."""
    return not str(told.msg).startswith(OF_VISITORS)


logging.getLogger("uvicorn.error").addFilter(_of_the_arena)


class Unreadable(Exception):
    """Ends the reading of a head: one that is too long, or tells two ends, two names, or an end of a
    kind that is not ours, as what is in front may take the other one."""


class Connection(HttpToolsProtocol):
    """`_parsed`: what was read of a head; `_unparsed`: bytes since httptools last handed on
    anything whole, which it keeps for itself however many they are."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._parsed = self._unparsed = 0
        self._told: set[bytes] = set()
        self._refused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_patience()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > LONGEST_HEAD:
            self._refuse(431)
        elif self._in_head:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + AROUND)
        known = name.lower()
        if known in self._told or (known == b"transfer-encoding" and value.lower() != b"chunked"):
            raise Unreadable
        self._told |= {known} & ONCE
        if self._told >= ENDS:
            raise Unreadable
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._unparsed = False, 0
        self._end_patience()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._end_patience()
        self._in_head, self._parsed, self._unparsed = True, 0, 0
        self._told = set()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Nobody reads a body that is still coming, and nobody waits for its end."""
        super().on_response_complete()
        if not (self._in_head or self._answering or self._patience):
            self._patience = self.loop.call_later(LINGER_S, self.transport.close)

    def send_400_response(self, _: str) -> None:
        """What uvicorn does with whatever cannot be read."""
        self._refuse(431 if self._parsed > LONGEST_HEAD else 400)

    def _count(self, read: int) -> None:
        self._parsed += read
        if self._parsed > LONGEST_HEAD:
            raise Unreadable

    def _refuse(self, status: int) -> None:
        """Answer, unless another answer is being sent, and close."""
        if self._refused:
            return
        self._refused = True
        self._end_patience()
        if self._answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._answering and self.cycle.response_started:
            self.transport.close()
            return
        answer = refusal(status, HANG_UP)
        headers = [*self.server_state.default_headers, *answer.raw_headers]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[status], lines, bytes(answer.body)))
        self.loop.call_later(LINGER_S, self.transport.close)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        if not (self._patience or self._answering):
            self._patience = self.loop.call_later(HEAD_S, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._unparsed:
            self._refuse(408)
        else:
            self.transport.close()

    def _end_patience(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None
