"""One Ollama host through the official client: what it has, and one reply as a stream.

Every exception that the client can raise becomes a HostFault with a kind. It does not know
other hosts, leases or battles. API: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from ollama import AsyncClient, ChatResponse, ResponseError
from pydantic import ValidationError

from arena.core.battle.entities import Finished
from arena.core.errors import HostFault, UnknownModel
from arena.core.ports import Text

WEIGHTS = re.compile(r"^FROM \S*sha256-([0-9a-f]{64})$", re.MULTILINE)
UNLOAD_POLL_S = 0.05
NANOSECONDS = 1_000_000_000

REFUSALS = {
    400: "refused",
    401: "forbidden",
    403: "forbidden",
    503: "busy",
    # A proxy says so when the host behind it is gone.
    502: "unreachable",
    504: "unreachable",
    # What the client makes of an error line within a stream.
    -1: "crashed",
}
"""HTTP status → kind of fault; other ones are redirected (3xx) or failed."""


@dataclass(frozen=True, slots=True)
class HostTimeouts:
    """Seconds. `cold` is for loading a model, `warm` for the first frame of one that is loaded,
    `gap` for each frame after it, `total` for a reply from its first word to its last."""

    connect: float = 3.0
    cold: float = 180.0
    warm: float = 30.0
    gap: float = 20.0
    total: float = 300.0
    listing: float = 5.0


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A line of /api/tags. Size in bytes."""

    name: str
    digest: str
    size: int
    quantization: str


@dataclass(frozen=True, slots=True)
class ResidentModel:
    """A line of /api/ps. Sizes in bytes; `size_vram` below `size` means partly on the CPU."""

    name: str
    digest: str
    size: int
    size_vram: int
    context_length: int


@dataclass(frozen=True, slots=True)
class ShownModel:
    """Of /api/show: completion, thinking, vision, …, and the digest of the weights file, which
    models made FROM one another share; empty where the host does not tell."""

    capabilities: frozenset[str]
    weights: str


class _Client(AsyncClient):
    async def version(self) -> str:
        """GET /api/version, which the official client does not offer."""
        response = await self._request_raw("GET", "/api/version")
        return str(response.json()["version"])


class OllamaHost:
    """A host by its URL. Build it once and keep it: a client costs 20 ms of CPU.

    tls: whom to trust at https addresses, and the certificate to show, if not the usual ones."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeouts: HostTimeouts = HostTimeouts(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self._timeouts = timeouts
        self._client = _Client(
            host=url,
            timeout=httpx.Timeout(None, connect=timeouts.connect, pool=timeouts.connect),
            # The default of 100 connections would make the 101st stream wait.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            # A proxy from the environment would be used even for 127.0.0.1.
            trust_env=False,
            follow_redirects=False,
            verify=tls or True,
            # The client sends $OLLAMA_API_KEY to any host unless there is a header of ours.
            headers={"Authorization": f"Bearer {token}" if token else "none"},
        )

    async def close(self) -> None:
        await self._client._client.aclose()

    async def version(self) -> str:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                return await self._client.version()

    async def installed(self) -> tuple[InstalledModel, ...]:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                listed = (await self._client.list()).models
                return tuple(
                    InstalledModel(
                        name=m.model or "",
                        digest=m.digest or "",
                        size=int(m.size or 0),
                        quantization=(m.details and m.details.quantization_level) or "",
                    )
                    for m in listed
                )

    async def resident(self) -> tuple[ResidentModel, ...]:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                listed = (await self._client.ps()).models
                return tuple(
                    ResidentModel(
                        name=m.model or m.name or "",
                        digest=m.digest or "",
                        size=int(m.size or 0),
                        size_vram=int(m.size_vram or 0),
                        context_length=int(m.context_length or 0),
                    )
                    for m in listed
                )

    async def show(self, model: str) -> ShownModel:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                shown = await self._client.show(model)
                weights = WEIGHTS.search(shown.modelfile or "")
                return ShownModel(
                    capabilities=frozenset(str(c) for c in shown.capabilities or ()),
                    weights=weights[1] if weights else "",
                )

    async def preload(self, model: str, options: Mapping[str, Any]) -> None:
        """Load the model and return when it is resident. Run it in a task of its own: closing
        the connection during a load makes Ollama abort the load."""
        with self._translated():
            async with asyncio.timeout(self._timeouts.cold):
                await self._client.chat(model=model, messages=[], options=dict(options))

    async def unload(self, model: str) -> None:
        """Let the host forget the model, and return when /api/ps lists it no more."""
        with self._translated():
            async with asyncio.timeout(self._timeouts.warm):
                await self._client.generate(model=model, keep_alive=0)
                while any(m.model == model for m in (await self._client.ps()).models):
                    await asyncio.sleep(UNLOAD_POLL_S)

    async def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        options: Mapping[str, Any],
        *,
        cold: bool = False,
    ) -> AsyncIterator[Text | Finished]:
        """One reply; the last event is Finished. Close the generator to stop the generation.
        `cold`: the model may have to be loaded first.

        Sends no keep_alive: it would override the server's own for everybody. Every model is
        told not to think, which all accept, so that all sides of a battle are treated alike."""
        started = time.monotonic()
        begun: float | None = None
        limit = self._timeouts.cold if cold else self._timeouts.warm
        with self._translated():
            stream = await self._client.chat(
                model=model,
                messages=list(messages),
                options=dict(options),
                stream=True,
                think=False,
            )
            async with aclosing(stream):
                while True:
                    frame = await self._next(stream, limit)
                    limit = self._timeouts.gap
                    self._check(frame, model, begun)
                    if text := frame.message.content or "":
                        begun = begun or time.monotonic()
                        yield Text(text)
                    if frame.done:
                        yield self._finished(frame, started, begun)
                        return

    async def _next(self, stream: AsyncIterator[ChatResponse], limit: float) -> ChatResponse:
        try:
            async with asyncio.timeout(limit):
                return await anext(stream)
        except StopAsyncIteration:
            raise HostFault(
                f"{self.url} ended a reply without its last frame.", kind="cut off", host=self.url
            ) from None

    def _check(self, frame: ChatResponse, model: str, begun: float | None) -> None:
        if frame.model != model:
            raise HostFault(
                f"{self.url} answered with the model {frame.model!r} "
                f"where {model!r} was asked for.",
                kind="wrong model",
                host=self.url,
            )
        if begun and time.monotonic() - begun > self._timeouts.total:
            raise HostFault(
                f"{model} on {self.url} wrote for more than {self._timeouts.total:.0f} s.",
                kind="too slow",
                host=self.url,
            )

    def _finished(self, frame: ChatResponse, started: float, first_text: float | None) -> Finished:
        now = time.monotonic()
        tokens, spent = frame.eval_count, frame.eval_duration
        return Finished(
            host=self.url,
            done_reason=frame.done_reason or "stop",
            ttft_ms=1000 * ((first_text or now) - started),
            total_ms=1000 * (now - started),
            load_ms=frame.load_duration / 1e6 if frame.load_duration else None,
            prompt_tokens=frame.prompt_eval_count,
            output_tokens=tokens,
            tokens_per_s=tokens * NANOSECONDS / spent if tokens and spent else None,
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Everything the client and its transport raise, as the core's HostFault."""
        try:
            yield
        except HostFault:
            raise
        except ResponseError as error:
            raise self._refused(error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            raise self._fault("unreachable", "does not answer", error) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._fault("silent", "was silent for too long", error) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise self._fault("dropped", "dropped the connection", error) from error
        except RuntimeError as error:
            # So httpx says that the client was closed: the pool was given other hosts.
            raise self._fault("dropped", "is no longer in use", error) from error
        except (
            json.JSONDecodeError,
            ValidationError,
            AttributeError,
            TypeError,
            KeyError,
            ValueError,
        ) as error:
            raise self._fault("garbled", "sent what is not Ollama's format", error) from error

    def _fault(self, kind: str, what: str, error: Exception) -> HostFault:
        detail = f"{type(error).__name__}: {error}".strip(": ")[:200]
        return HostFault(f"{self.url} {what} ({detail}).", kind=kind, host=self.url)

    def _refused(self, error: ResponseError) -> HostFault:
        status, text = error.status_code, str(error.error)[:200]
        if status == 404:
            return UnknownModel(f"{self.url}: {text}", host=self.url)
        kind = REFUSALS.get(status, "redirected" if 300 <= status < 400 else "failed")
        return HostFault(f"{self.url} answered {status}: {text}", kind=kind, host=self.url)
