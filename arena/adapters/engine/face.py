"""Ollama's HTTP API before llama.cpp's own servers: routes, frames, refusals.

It answers programs on this machine only: a request that came by another host name, or from a web
page of another origin, is refused. It writes by `/api/chat`; `/api/generate` loads and unloads. It
does not know processes or where models come from.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from importlib import metadata
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.adapters.engine import wire
from arena.adapters.engine.models import InstalledModel, Shelf
from arena.adapters.engine.runners import Limits, Runner, Runners
from arena.adapters.engine.wire import Call, WireError

_LOCAL_NAMES = {"127.0.0.1", "localhost", "::1"}

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]
Frame = dict[str, Any]


def build_app(shelf: Shelf, limits: Limits) -> Starlette:
    """The ASGI application. Must be called on the loop that will run it."""
    face = _Face(shelf, limits)
    return Starlette(
        routes=[
            Route("/", _guarded(face.alive)),
            Route("/api/version", _guarded(face.version)),
            Route("/api/tags", _guarded(face.tags)),
            Route("/api/ps", _guarded(face.ps)),
            Route("/api/show", _guarded(face.show), methods=["POST"]),
            Route("/api/chat", _guarded(face.chat), methods=["POST"]),
            Route("/api/generate", _guarded(face.generate), methods=["POST"]),
        ]
    )


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Local callers only, and refusals as Ollama writes them."""

    async def guarded(request: Request) -> Response:
        origin = request.headers.get("origin")
        if request.url.hostname not in _LOCAL_NAMES or (
            origin and urlsplit(origin).hostname not in _LOCAL_NAMES
        ):
            return Response(status_code=403)
        try:
            return await endpoint(request)
        except WireError as error:
            return _json({"error": error.text}, error.status)

    return guarded


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(wire.encode(body), status, media_type="application/json; charset=utf-8")


class _Face:
    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self._shelf = shelf
        self._limits = limits
        self._runners = Runners(limits, len(shelf.models))
        self._http = httpx.AsyncClient(
            timeout=None,  # noqa: S113 -- a reply may wait for a slot as long as its client does
            trust_env=False,
            # llama.cpp's server closes idle connections soon, and then one would be used in vain.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        return _json({"version": f"{wire.LIKE_OLLAMA}+xllamacpp.{metadata.version('xllamacpp')}"})

    async def tags(self, _: Request) -> Response:
        return _json({"models": [model.tags_entry() for model in self._shelf.models]})

    async def ps(self, _: Request) -> Response:
        loaded = self._runners.loaded()
        return _json(
            {"models": [each.model.ps_entry(each.expires_at, each.context) for each in loaded]}
        )

    async def show(self, request: Request) -> Response:
        body = wire.parse_body(await request.body())
        name = wire.field(body, "model", str, "") or wire.field(body, "name", str, "")
        if not name:
            raise WireError(400, "model is required")
        return _json(self._shelf.find(name).show_body())

    async def generate(self, request: Request) -> Response:
        body = wire.parse_body(await request.body())
        call = wire.parse_call(body)
        model = self._shelf.find(call.model)
        if body.get("prompt"):
            raise WireError(400, f"{call.model} writes by /api/chat only")
        return await self._load_or_unload(model, call, {"response": ""})

    async def chat(self, request: Request) -> Response:
        begun = time.monotonic_ns()
        call = wire.parse_call(wire.parse_body(await request.body()))
        model = self._shelf.find(call.model)
        if call.think and not model.thinks:
            raise WireError(400, f'"{call.model}" does not support thinking')
        if "messages" not in call.fields:
            return await self._load_or_unload(model, call, _message("", ""))
        frames = self._frames(model, call, begun)
        if not call.stream:
            return _json(await _unless_left(request, _whole(frames)))
        # The status is decided by the first frame, so nothing is sent before there is one.
        first = await _unless_left(request, anext(frames))
        return StreamingResponse(_lines(first, frames), media_type="application/x-ndjson")

    async def _load_or_unload(self, model: InstalledModel, call: Call, part: Frame) -> Response:
        if call.keep_alive_s == 0:
            self._runners.unload(model)
            return _json(_frame(call, part, done_reason="unload"))
        self._runners.detach(await self._runners.attach(model, call.keep_alive_s))
        return _json(_frame(call, part, done_reason="load"))

    async def _frames(
        self, model: InstalledModel, call: Call, begun: int
    ) -> AsyncGenerator[Frame, None]:
        """The frames of one reply. Raises WireError instead of ending without a last one."""
        fields = {"max_tokens": self._limits.max_tokens} | call.fields
        if model.thinks:
            effort = {"reasoning_effort": call.think} if isinstance(call.think, str) else {}
            thinking = {"enable_thinking": call.think is not False}
            fields["chat_template_kwargs"] = thinking | effort
        reason = ""
        async with (
            self._runners.slot(model, call.keep_alive_s) as (runner, load_ns),
            aclosing(self._chunks(runner, fields)) as chunks,
        ):
            async for chunk in chunks:
                if error := chunk.get("error"):
                    raise WireError(500, str(error.get("message", error)))
                for choice in chunk.get("choices", ()):
                    reason = choice["finish_reason"] or reason
                    delta = choice["delta"]
                    content, thought = delta.get("content"), delta.get("reasoning_content")
                    if content or thought:
                        yield _frame(call, _message(content or "", thought or ""))
                if "usage" in chunk:
                    timings = chunk["timings"]
                    metrics = {
                        "total_duration": time.monotonic_ns() - begun,
                        "load_duration": load_ns,
                        "prompt_eval_count": chunk["usage"]["prompt_tokens"],
                        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
                        "eval_count": chunk["usage"]["completion_tokens"],
                        "eval_duration": int(timings["predicted_ms"] * 1e6),
                    }
                    yield _frame(call, _message("", ""), done_reason=reason) | metrics
                    return
        raise WireError(500, "an error was encountered while running the model: unexpected EOF")

    async def _chunks(self, runner: Runner, fields: Frame) -> AsyncGenerator[Frame, None]:
        """The chunks of a streamed chat of llama.cpp's server. Closing it frees the slot: at the
        next token, or between batches of the prompt, whose progress is asked for to that end."""
        streamed = {"stream": True, "return_progress": True}
        body = wire.encode(fields | streamed | {"stream_options": {"include_usage": True}})
        head = (
            f"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer {runner.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer = None
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(runner.url.rsplit(":", 1)[1])
            )
            writer.write(head.encode() + body)
            status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
            if status != 200:
                raise WireError(status, (await reader.read()).decode())
            async for line in reader:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])
        except (OSError, asyncio.IncompleteReadError) as error:
            raise WireError(
                500,
                "model runner has unexpectedly stopped, this may be due to resource limitations "
                "or an internal error",
            ) from error
        finally:
            if writer is not None:
                writer.close()


# Frames ---------------------------------------------------------------------------------------


def _message(content: str, thinking: str) -> Frame:
    message = {"role": "assistant", "content": content}
    return {"message": message | ({"thinking": thinking} if thinking else {})}


def _frame(call: Call, part: Frame, *, done_reason: str = "") -> Frame:
    frame = {"model": call.model, "created_at": wire.rfc3339()} | part | {"done": bool(done_reason)}
    return frame | ({"done_reason": done_reason} if done_reason else {})


async def _lines(first: Frame, rest: AsyncGenerator[Frame, None]) -> AsyncIterator[bytes]:
    try:
        yield wire.encode(first) + b"\n"
        async with aclosing(rest):
            async for frame in rest:
                yield wire.encode(frame) + b"\n"
    except WireError as error:
        yield wire.encode({"error": error.text}) + b"\n"


async def _whole(frames: AsyncIterator[Frame]) -> Frame:
    """All frames as one: the texts joined in the last."""
    content, thinking = "", ""
    async for frame in frames:
        content += frame["message"]["content"]
        thinking += frame["message"].get("thinking", "")
    return frame | _message(content, thinking)


async def _unless_left(request: Request, work: Awaitable[T]) -> T:
    """The work's result; it is cancelled when the client leaves. The body must have been read, so
    that the next message can only be that."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise WireError(499, "request canceled")
        return doing.result()
    finally:
        leaving.cancel()
        doing.cancel()
