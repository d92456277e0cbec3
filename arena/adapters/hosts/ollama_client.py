"""The official client of Ollama, with what it leaves out and replies that are read at once.

It raises what the official client raises. It does not know what its answers are for.
API: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Self, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from ollama import AsyncClient, ChatResponse, ListResponse, ResponseError, ShowResponse
from pydantic import BaseModel, Field

from arena.adapters.hosts.host import Request

THINK: Mapping[str, bool | str | None] = {"": None, "off": False, "on": True}
"""How a way of thinking is said on the wire; levels stand for themselves."""


AS_LOADED = {"shift": False}
"""A reply that outgrows the context ends, instead of dropping the prompt's beginning. The host loads
models for the one or the other: whoever loads one has to say the same as who asks it."""


class Details(BaseModel):
    family: str | None = None
    families: list[str] | None = None
    parent_model: str | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None
    context_length: int = 0


class Tag(ListResponse.Model):
    """With what the official client leaves out."""

    details: Details | None = None  # type: ignore[assignment]
    capabilities: list[str] | None = None
    remote_host: str = ""


class Tags(BaseModel):
    models: list[Tag] = []


NO_TEMPLATE = frozenset({"", "{{ .Prompt }}"})


class Shown(ShowResponse):
    modelinfo: Mapping[str, Any] | None = Field(None, alias="model_info")
    remote_host: str = ""
    renderer: str = ""

    @property
    def written(self) -> str | None:
        """What its turns begin and end with: templates and stop words; None without a template."""
        native = str((self.modelinfo or {}).get("tokenizer.chat_template") or "")
        own = (self.template or "").strip()
        if own in NO_TEMPLATE and not (self.renderer or native):
            return None
        return "\n".join((own, native, self.parameters or ""))


class Frame(ChatResponse):
    remote_host: str = ""


PEEKED = 65_536
"""Bytes at most."""


class Unread:
    """What has come of a reply and was not read yet."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply
        self._socket: socket.socket | None = None

    @contextmanager
    def seen(self) -> Iterator[Self]:
        """As long as it is looked at."""
        try:
            yield self
        finally:
            if self._socket:
                self._socket.detach()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is read meanwhile: what comes waits in the socket, to be read at once."""
        # Both are false while nothing waits in them.
        connection = self._reply.connection
        reading = None if connection is None else connection.protocol
        if reading is None:
            yield
            return
        reading.pause_reading()
        try:
            yield
        finally:
            reading.resume_reading()

    def has(self, sign: bytes) -> bool:
        """False also where it cannot be seen, as it comes encrypted or packed. It stays there."""
        transport = self._reply.connection and self._reply.connection.transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_extra_info("ssl_object") or "Content-Encoding" in self._reply.headers:
            return False
        if not self._socket:
            known = transport.get_extra_info("socket")
            # The same file, not a copy of it, of which there would be as many as replies.
            self._socket = socket.socket(known.family, known.type, known.proto, known.fileno())
        try:
            return sign in self._socket.recv(PEEKED, socket.MSG_PEEK)
        except OSError:  # nothing waits, or nobody is there any more
            return False


class Client(AsyncClient):
    """The official client with what it does not offer, asked for as it asks. Replies are read
    through a parser that is not written in Python."""

    def __init__(self, url: str, token: str, connect_s: float, tls: ssl.SSLContext | None) -> None:
        trusted = tls or httpx.create_ssl_context(trust_env=False)
        common: dict[str, Any] = {
            "host": url,
            "timeout": httpx.Timeout(None, connect=connect_s, pool=connect_s),
            # A proxy from the environment would be used even for 127.0.0.1.
            "trust_env": False,
            "follow_redirects": False,
            # The client sends $OLLAMA_API_KEY to any host unless there is a header of ours.
            "headers": {"Authorization": f"Bearer {token}" if token else "none"},
        }
        super().__init__(transport=_transport(trusted), **common)
        self._client: httpx.AsyncClient

    async def aclose(self) -> None:
        await self._client.aclose()

    async def version(self) -> str:
        response: httpx.Response = await self._request_raw("GET", "/api/version")  # type: ignore[no-untyped-call]
        return str(response.json()["version"])

    async def tags(self) -> list[Tag]:
        return (await self._request(Tags, "GET", "/api/tags")).models

    async def cloud_is_off(self) -> bool:
        """As far as the host's version tells."""
        try:
            response = await self._request_raw("GET", "/api/status")  # type: ignore[no-untyped-call]
        except ResponseError:
            return False
        return bool((response.json().get("cloud") or {}).get("disabled"))

    async def shown(self, model: str) -> Shown:
        return await self._request(Shown, "POST", "/api/show", json={"model": model})

    async def load(self, model: str, options: Mapping[str, Any]) -> None:
        asked = {"model": model, "messages": [], "options": dict(options), "stream": False}
        await self._request_raw("POST", "/api/chat", json=asked | AS_LOADED)  # type: ignore[no-untyped-call]

    async def frames(
        self, request: Request, options: Mapping[str, Any]
    ) -> AsyncGenerator[tuple[bytes, Unread], None]:
        """The lines of a reply as they come, many at once, and a look at what comes until more is
        asked for. A prompt that does not fit is refused, not cut, by hosts that know how to."""
        think = THINK.get(request.think, request.think)
        asked = {
            "model": request.model,
            "messages": [dict(message) for message in request.messages],
            "options": dict(options),
            "stream": True,
            "truncate": False,
        }
        asked |= AS_LOADED | ({} if think is None else {"think": think})
        async with self._client.stream("POST", "/api/chat", json=asked) as response:
            if not response.is_success:
                await response.aread()
                raise ResponseError(response.text, response.status_code)
            packed = "Content-Encoding" in response.headers
            # What is not packed needs none of the layers in between, each of which costs a hop.
            come = response.aiter_bytes() if packed else aiter(response.extensions["stream"])
            async with aclosing(cast("AsyncGenerator[bytes, None]", come)) as all_:
                with Unread(response.extensions["reply"]).seen() as unread:
                    async for some in all_:
                        with unread.held():
                            yield some, unread


class _Transport(AiohttpTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As the base; the response has its stream, and that of aiohttp, among its extensions."""
        response = await super().handle_async_request(request)
        stream = cast("AiohttpResponseStream", response.stream)
        reply = stream._aiohttp_response  # noqa: SLF001 -- it has no other way
        response.extensions |= {"stream": stream, "reply": reply}
        return response


def _transport(trusted: ssl.SSLContext) -> _Transport:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # The default of 100 connections would make the 101st stream wait.
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    # Given none, it would read the authorities of the world for nothing.
    return _Transport(client=session, verify=trusted)
