"""Bodies of requests: each is there whole, not too large and readable before any route sees it.

Whatever is not is refused as soon as that is known, Gradio's routes included. It knows HTTP and
what JSON looks like, not what bodies say.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import accumulate

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.play.images import LARGEST as LARGEST_WITH_IMAGES
from arena.web.api.problems import HANG_UP, UNUSABLE, problem, refusal

LARGEST_BODY = 256 * 1024
BYTES_PER_CHARACTER = 12
"""A character outside of the basic plane that JSON writes as two escapes."""

WITH_IMAGES = ("/api/arena/battles", "/gradio_api/run/predict")
"""How the paths end where it may: those that open battles."""

ROOM = 64 * 1024**2
"""Bytes of all bodies that are held at once."""
ROOM_FOR_IMAGES = 32 * 1024**2
"""Of all that are larger than others may be, which leave the others their room."""

WHOLE_S = 30.0
"""How long a body may take to come; 100 kB on a slow phone take ten seconds."""

SLOWEST = 10_000
"""Bytes a second at which a body that is larger than others may be goes on to come."""

LINGER_S = 2.0
"""How long the rest of a refused body is read and thrown away. Closed at once, the connection
would be reset, and the answer lost with it."""

DEEPEST = 64
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
BRACKET = re.compile(r"[\[\]{}]")


def largest(longest_prompt: int) -> int:
    """Bytes that the body of a call may have where prompts have so many characters."""
    return max(LARGEST_BODY, BYTES_PER_CHARACTER * longest_prompt)


class Bodies:
    """Hands each body on as one piece; requests without one pass untouched. largest: in bytes."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest
        self._held = {False: 0, True: 0}
        """Bytes of all that are there now, by whether they are large."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        told = headers.get(b"content-length", b"")
        length = int(told) if told.isdigit() else 0
        large = self._largest < length <= LARGEST_WITH_IMAGES and scope["path"].endswith(
            WITH_IMAGES
        )
        try:
            if refused := await self._take(length, receive, body, large):
                await _hang_up(refused, scope, receive, send)
            elif wrong := _unreadable(headers, body):
                await problem(400, UNUSABLE, wrong)(scope, receive, send)
            else:
                whole = {"type": "http.request", "body": bytes(body), "more_body": False}
                await self._app(scope, before(whole, receive), send)
        finally:
            self._held[large] -= len(body)

    async def _take(
        self, length: int, receive: Receive, body: bytearray, large: bool
    ) -> Response | None:
        """Fill in the body; if it is not taken whole, why. length: as it was announced."""
        most = length if large else self._largest
        if length > most:
            return refusal(413, HANG_UP)
        room = ROOM_FOR_IMAGES if large else ROOM
        more = True
        try:
            async with asyncio.timeout(WHOLE_S + (length / SLOWEST if large else 0)):
                while more:
                    message = await receive()
                    piece = message.get("body", b"")
                    if len(body) + len(piece) > most:
                        return refusal(413, HANG_UP)
                    if self._held[large] + len(piece) > room:
                        return refusal(503, HANG_UP | {"Retry-After": "2"})
                    body += piece
                    self._held[large] += len(piece)
                    more = message.get("more_body", False)
                    if message["type"] == "http.disconnect":
                        return refusal(408, HANG_UP)  # Nobody is there to read it.
        except TimeoutError:
            return refusal(408, HANG_UP)
        return None


async def _hang_up(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    async def open_ended(message: Message) -> None:
        is_body = message["type"] == "http.response.body"
        await send({**message, "more_body": True} if is_body else message)

    await answer(scope, receive, open_ended)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body"})


def before(first: Message, receive: Receive) -> Receive:
    """That message, then whatever else comes."""
    left = [first]

    async def given() -> Message:
        return left.pop() if left else await receive()

    return given


def _unreadable(headers: Mapping[bytes, bytes], body: bytearray) -> str:
    """Why what may be taken for JSON cannot be; parsers would fail at these in their own words."""
    if headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
        return ""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "The body is not valid JSON: it is not written in UTF-8."
    if "\0" in text:  # Of UTF-16, which parsers know by it; its brackets and quotes are others.
        return "The body is not valid JSON: it has a NUL, or is not written in UTF-8."
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        return f"The body is nested deeper than anything that could be used ({DEEPEST} levels)."
    return ""


def _depth(text: str) -> int:
    signs = BRACKET.findall(STRING.sub("", text))
    return max(accumulate(1 if sign in "[{" else -1 for sign in signs), default=0)
