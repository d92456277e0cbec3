"""One Ollama host through the official client: what it has, and one reply as a stream.

Every exception that the client can raise becomes a HostFault with a kind. It does not know
other hosts, leases or battles. API: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from itertools import count
from typing import Any

import orjson
from ollama import ResponseError

from arena.adapters.hosts import lengths
from arena.adapters.hosts.faults import refused, translated
from arena.adapters.hosts.host import (
    Ended,
    HostPiece,
    HostTimeouts,
    ListedModel,
    Request,
    ResidentModel,
    ShownModel,
)
from arena.adapters.hosts.load import Load
from arena.adapters.hosts.ollama_client import Client, Details, Frame, Shown, Tag, Unread
from arena.core.battle.entities import Text, Thought
from arena.core.battle.marks import of_template
from arena.core.errors import HostFault
from arena.core.ticks import TICK_S, until_tick

WEIGHTS = re.compile(r"^FROM \S*sha256-([0-9a-f]{64})$", re.MULTILINE)
OPENS_THINKING = re.compile(r"<think>(?:\s|\\n|\{\{-? ?end ?-?\}\})*$")
UNLOAD_POLL_S = 0.05
NANOSECONDS = 1_000_000_000

REFUSES_LONG_PROMPTS = (0, 12, 6)
"""The version that knows `truncate: false`; older ones cut what does not fit without a word."""

AT_ONCE = 16384
"""Bytes that are read at once, at most; where they are there, more may be."""

END = b'"done":true'
"""As the last frame has it; in a text the quotes would be escaped."""

WHOLE = b"}\n"
"""How a line ends, and nothing that HTTP puts between them."""

RARELY, MORE_RARELY, SETTLED = 2, 5, 12
"""Every so many ticks a busy thread looks at a reply; more rarely after so many looks: the level
that is shown is far behind by then."""

PLAIN = frozenset({"model", "created_at", "message", "done"})
PLAIN_MESSAGE = frozenset({"role", "content"})
"""The fields of a frame that is text and nothing else."""


class OllamaHost:
    """A host by its URL. Build it once and keep it: a client costs 20 ms of CPU.

    tls: whom to trust at https addresses, and the certificate to show, if not the usual ones.
    load: that of whoever reads, if not measured here."""

    kind = "ollama"

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeouts: HostTimeouts = HostTimeouts(),
        tls: ssl.SSLContext | None = None,
        load: Load | None = None,
    ) -> None:
        self.url = url
        self._timeouts = timeouts
        self._cuts = False
        self._load = load or Load()
        self._client = Client(url, token, timeouts.connect, tls)

    async def close(self) -> None:
        await self._client.aclose()

    async def version(self) -> str:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                version = await self._client.version()
        number = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        self._cuts = (0, 0, 0) < number < REFUSES_LONG_PROMPTS
        return version

    async def installed(self) -> tuple[ListedModel, ...]:
        with self._translated():
            async with asyncio.timeout(self._timeouts.listing):
                tags = await self._client.tags()
                barred = any(tag.remote_host for tag in tags) and await self._client.cloud_is_off()
                return tuple(_installed(tag, barred) for tag in tags)

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
                return _shown(await self._client.shown(model))

    async def preload(self, model: str, options: Mapping[str, Any]) -> None:
        """Run it in a task of its own: closing the connection during a load makes Ollama abort
        the load."""
        with self._translated():
            async with asyncio.timeout(self._timeouts.cold):
                await self._client.load(model, options)

    async def unload(self, model: str) -> None:
        with self._translated():
            async with asyncio.timeout(self._timeouts.warm):
                await self._client.generate(model=model, keep_alive=0)
                while any(m.model == model for m in (await self._client.ps()).models):
                    await asyncio.sleep(UNLOAD_POLL_S)

    async def chat(self, request: Request) -> AsyncGenerator[Sequence[HostPiece], None]:
        """Sends no keep_alive: it would override the server's own for everybody. Thought counts
        against num_predict, so that gets both budgets."""
        options = dict(request.options)
        if request.reply_tokens:
            options["num_predict"] = request.reply_tokens + request.thought_tokens
        limit: float | None = self._timeouts.first(request.messages, cold=request.cold)
        with self._translated():
            async with asyncio.timeout(limit):
                length = await self._length(request, options) if self._cuts else 0
            async with aclosing(self._client.frames(request, options)) as stream:
                begun = b""
                for looks in count():
                    some, unread = await self._next(stream, limit, begun)
                    *lines, begun = (begun + some).split(b"\n")
                    pieces = [piece for line in lines for piece in self._heard(line, request)]
                    if pieces and isinstance(ended := pieces[-1], Ended):
                        self._check_length(length, options, ended.prompt_tokens)
                        yield pieces
                        return
                    yield pieces
                    limit = self._timeouts.gap
                    if unread and len(some) < AT_ONCE:
                        await self._wait(unread, request.phase, looks)
                        # What is there needs no limit, which costs as much as some tokens.
                        limit = None if unread.has(WHOLE) else limit

    async def _wait(self, unread: Unread, phase: float, looks: int) -> None:
        """Each look costs as much as many tokens: what comes meanwhile waits, for some ticks where
        time is short, unless the end is there. The level that is shown moves on by itself, and
        falls back with time."""
        loop = asyncio.get_running_loop()
        due = until_tick(loop.time(), phase)
        if not self._load.heavy:
            await asyncio.sleep(due)
            return
        come = loop.create_future()

        def look(left: int) -> None:
            if come.done():
                return
            if left and not unread.has(END):
                loop.call_later(TICK_S, look, left - 1)
            else:
                come.set_result(None)

        loop.call_later(due, look, (RARELY if looks < SETTLED else MORE_RARELY) - 1)
        await come

    def _heard(self, line: bytes, request: Request) -> Sequence[HostPiece]:
        """The pieces of one line. Most are text and nothing else: they are not looked at twice."""
        told = _parsed(line)
        if text := _plain_text(told, request.model):
            return (Text(text),)
        if error := told.get("error"):
            raise ResponseError(error)
        frame = Frame(**told)
        self._check(frame, request)
        pieces = _pieces(frame)
        return [*pieces, _ended(frame)] if frame.done else list(pieces)

    async def _length(self, request: Request, options: Mapping[str, Any]) -> int:
        """About how many tokens all messages have, by counting those of a sample; 0 where they
        surely fit. Raises HostFault where they surely do not."""
        context = int(options.get("num_ctx") or 0)
        if lengths.size(request.messages) < context // 2:
            return 0
        counted = await self._client.chat(
            model=request.model,
            messages=lengths.sampled(request.messages),
            options={**options, "num_predict": 1},
        )
        length = lengths.estimated(request.messages, counted.prompt_eval_count or 0)
        if context and length > context:
            raise self._too_long(length, context)
        return length

    def _check_length(self, length: int, options: Mapping[str, Any], evaluated: int | None) -> None:
        """length: as estimated. What was evaluated must be what was sent."""
        context = int(options.get("num_ctx") or 0)
        if evaluated and length > 0.8 * context and evaluated < lengths.LEAST * length:
            raise self._too_long(length, context)

    def _too_long(self, length: int, context: int) -> HostFault:
        return HostFault(
            f"about {length} tokens do not fit into the {context} of a model on {self.url}.",
            kind="too long",
            host=self.url,
        )

    async def _next(
        self, stream: AsyncIterator[tuple[bytes, Unread]], limit: float | None, begun: bytes
    ) -> tuple[bytes, Unread | None]:
        """begun: a line that has no end yet; the end of the stream is one."""
        try:
            if limit is None:
                return await anext(stream)
            async with asyncio.timeout(limit):
                return await anext(stream)
        except StopAsyncIteration:
            if begun:
                return b"\n", None
            raise HostFault(
                f"{self.url} ended a reply without its last frame.", kind="cut off", host=self.url
            ) from None

    def _check(self, frame: Frame, request: Request) -> None:
        if frame.model != request.model:
            raise HostFault(
                f"{self.url} answered with the model {frame.model!r} "
                f"where {request.model!r} was asked for.",
                kind="wrong model",
                host=self.url,
            )
        if frame.remote_host and not request.remote:
            raise HostFault(
                f"{self.url} let {frame.remote_host} answer for {request.model}, so that prompts "
                "leave your machines. If that is meant, name the model in ARENA_REMOTE_MODELS.",
                kind="remote",
                host=self.url,
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self.url):
            try:
                yield
            except ResponseError as error:
                raise refused(self.url, error.status_code, str(error.error)) from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        # Half a character, which it refuses; what is no JSON is refused here too.
        told = json.loads(line)
    return dict(told)


def _plain_text(told: Mapping[str, Any], model: str) -> str:
    """Of a frame of this model that is text and nothing else; empty for any other."""
    if told.get("done") is not False or told.get("model") != model or not told.keys() <= PLAIN:
        return ""
    message = told.get("message")
    if not isinstance(message, dict) or not message.keys() <= PLAIN_MESSAGE:
        return ""
    text = message.get("content")
    return text if isinstance(text, str) else ""


def _pieces(frame: Frame) -> Iterator[Text | Thought]:
    if thought := frame.message.thinking:
        yield Thought(thought)
    if text := frame.message.content:
        yield Text(text)


def _ended(frame: Frame) -> Ended:
    tokens, spent = frame.eval_count, frame.eval_duration
    return Ended(
        done_reason=frame.done_reason or "stop",
        prompt_tokens=frame.prompt_eval_count,
        output_tokens=tokens,
        tokens_per_s=tokens * NANOSECONDS / spent if tokens and spent else None,
        load_ms=frame.load_duration / 1e6 if frame.load_duration else None,
    )


def _families(details: Details | None) -> tuple[str, ...]:
    told = (details.family, details.parent_model) if details else ()
    words = [*told, *((details and details.families) or ())]
    return tuple(dict.fromkeys(word for word in words if word))


def _installed(tag: Tag, barred: bool) -> ListedModel:
    """barred: nothing leaves the host."""
    details = tag.details
    return ListedModel(
        name=tag.model or "",
        digest=tag.digest or "",
        size=int(tag.size or 0),
        quantization=(details and details.quantization_level) or "",
        remote=tag.remote_host,
        barred=barred and bool(tag.remote_host),
        families=_families(details),
        capabilities=None if tag.capabilities is None else frozenset(tag.capabilities),
        context_length=details.context_length if details else 0,
    )


def _shown(shown: Shown) -> ShownModel:
    info = shown.modelinfo or {}
    details = shown.details
    weights = WEIGHTS.search(shown.modelfile or "")
    lengths = [value for key, value in info.items() if key.endswith(".context_length")]
    return ShownModel(
        capabilities=frozenset(str(c) for c in shown.capabilities or ()),
        weights=weights[1] if weights else "",
        template=shown.written is not None,
        marks=None if shown.written is None else of_template(shown.written),
        opens_thinking=bool(OPENS_THINKING.search(shown.template or "")),
        remote=shown.remote_host,
        families=tuple(filter(None, [details.family, *(details.families or ())]))
        if details
        else (),
        context_length=int(lengths[0]) if lengths else 0,
        parameter_size=(details and details.parameter_size) or "",
        license=(shown.license or "").strip(),
    )
