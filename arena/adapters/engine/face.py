"""Ollama's HTTP API before llama.cpp's own servers: routes, frames, refusals.

It answers programs on this machine only: a request that came by another host name, or from a web
page of another origin, is refused. It writes by `/api/chat`; `/api/generate` loads and unloads. It
does not know processes or where models come from.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from importlib import metadata
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.adapters.engine import wire
from arena.adapters.engine.models import InstalledModel, Shelf
from arena.adapters.engine.runners import Runner, Runners
from arena.adapters.engine.wire import Call, WireError

_LOCAL_NAMES = {"127.0.0.1", "localhost", "::1"}
_LAST_BREATH_S = 2

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]
Frame = dict[str, Any]
Frames = AsyncGenerator[Frame, None]


def build_app(shelf: Shelf, runners: Runners) -> Starlette:
    """The ASGI application."""
    face = _Face(shelf, runners)
    readable = {"/": face.alive, "/api/version": face.version, "/api/tags": face.tags}
    asked = {"/api/show": face.show, "/api/chat": face.chat, "/api/generate": face.generate}
    return Starlette(
        routes=[
            Route(path, _guarded(each)) for path, each in (readable | {"/api/ps": face.ps}).items()
        ]
        + [Route(path, _guarded(each), methods=["POST"]) for path, each in asked.items()]
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


def _json(body: Frame, status: int = 200) -> Response:
    return Response(wire.encode(body), status, media_type="application/json; charset=utf-8")


class _Face:
    def __init__(self, shelf: Shelf, runners: Runners) -> None:
        self._shelf = shelf
        self._runners = runners

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        return _json({"version": f"{wire.LIKE_OLLAMA}+xllamacpp.{metadata.version('xllamacpp')}"})

    async def tags(self, _: Request) -> Response:
        return _json({"models": [model.tags for model in self._shelf.models]})

    async def ps(self, _: Request) -> Response:
        # A file that two models are made of is in memory once, for both.
        there = {each.model.path: each.context for each in self._runners.loaded()}
        models = [each for each in self._shelf.models if each.path in there]
        return _json({"models": [each.ps(there[each.path]) for each in models]})

    async def show(self, request: Request) -> Response:
        call = wire.parse_call(await request.body())
        return _json(self._shelf.find(call.model).shown)

    async def generate(self, request: Request) -> Response:
        call = wire.parse_call(await request.body())
        model = self._shelf.find(call.model)
        if call.prompted:
            raise WireError(400, f"{call.model} writes by /api/chat only")
        return await self._load_or_unload(model, call, {"response": ""})

    async def chat(self, request: Request) -> Response:
        begun = time.monotonic_ns()
        call = wire.parse_call(await request.body())
        model = self._shelf.find(call.model)
        if call.think and not model.thinks:
            raise WireError(400, f'"{call.model}" does not support thinking')
        if not call.prompted:
            return await self._load_or_unload(model, call, _message())
        frames = self._frames(model, call, begun)
        if not call.stream:
            return _json(await _unless_left(request, _whole(frames)))
        # The status is decided by the first frame, so nothing is sent before there is one.
        first = await _unless_left(request, anext(frames))
        return StreamingResponse(_lines(first, frames), media_type="application/x-ndjson")

    async def _load_or_unload(self, model: InstalledModel, call: Call, part: Frame) -> Response:
        if call.unload:
            self._runners.unload(model)
        else:
            await self._runners.load(model)
        return _json(_frame(call, part, "unload" if call.unload else "load"))

    async def _frames(self, model: InstalledModel, call: Call, begun: int) -> Frames:
        """The frames of one reply. Raises WireError instead of ending without a last one."""
        fields = {"max_tokens": self._runners.limits.max_tokens} | call.fields
        if model.thinks:
            effort = {"reasoning_effort": call.think} if isinstance(call.think, str) else {}
            thinking = {"enable_thinking": call.think is not False}
            fields["chat_template_kwargs"] = thinking | effort
        reason = ""
        async with (
            self._runners.slot(model) as (runner, load_ns),
            aclosing(_chunks(runner, fields)) as chunks,
        ):
            async for chunk in chunks:
                if error := chunk.get("error"):
                    raise WireError(500, str(error.get("message", error)))
                for choice in chunk["choices"]:
                    reason = choice["finish_reason"] or reason
                    text, thought = (
                        choice["delta"].get(k) for k in ("content", "reasoning_content")
                    )
                    if text or thought:
                        yield _frame(call, _message(text or "", thought or ""))
                if "usage" in chunk:
                    if call.unload:
                        self._runners.unload(model)
                    timings = chunk["timings"]
                    yield _frame(call, _message(), reason) | {
                        "total_duration": time.monotonic_ns() - begun,
                        "load_duration": load_ns,
                        "prompt_eval_count": chunk["usage"]["prompt_tokens"],
                        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
                        "eval_count": chunk["usage"]["completion_tokens"],
                        "eval_duration": int(timings["predicted_ms"] * 1e6),
                    }
                    return
        raise WireError(500, "an error was encountered while running the model: unexpected EOF")


async def _chunks(runner: Runner, fields: Frame) -> Frames:
    """The chunks of a streamed chat of llama.cpp's server. Closing it frees the slot: at the next
    token, or between batches of the prompt, whose progress is asked for to that end."""
    body = wire.encode(
        fields
        | {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
    )
    # An HTTP client of any kind would take a tenth of the time that a token takes.
    head = (
        f"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer {runner.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", runner.port)
        try:
            writer.write(head.encode() + body)
            status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
            if status != 200:
                raise WireError(status, (await reader.read()).decode())
            while True:
                # The length of an HTTP chunk may come before it.
                _, _, data = (await reader.readuntil(b"\n\n")).partition(b"data: ")
                if data.startswith(b"{"):
                    yield orjson.loads(data)
        finally:
            writer.close()
    except (OSError, EOFError) as error:
        # Who asks again at once shall find it gone, and have it loaded anew.
        await runner.child.wait(_LAST_BREATH_S)
        raise WireError(500, "model runner has unexpectedly stopped") from error


# Frames ---------------------------------------------------------------------------------------


def _message(content: str = "", thinking: str = "") -> Frame:
    message = {"role": "assistant", "content": content}
    return {"message": message | ({"thinking": thinking} if thinking else {})}


def _frame(call: Call, part: Frame, reason: str = "") -> Frame:
    frame = {"model": call.model, "created_at": wire.rfc3339()} | part | {"done": bool(reason)}
    return frame | ({"done_reason": reason} if reason else {})


async def _lines(first: Frame, rest: Frames) -> AsyncIterator[bytes]:
    try:
        yield wire.encode(first) + b"\n"
        async with aclosing(rest):
            async for frame in rest:
                yield wire.encode(frame) + b"\n"
    except WireError as error:
        yield wire.encode({"error": error.text}) + b"\n"


async def _whole(frames: Frames) -> Frame:
    """All frames as one: the texts joined in the last."""
    content, thinking = "", ""
    async for frame in frames:
        content += frame["message"]["content"]
        thinking += frame["message"].get("thinking", "")
    return frame | _message(content, thinking)


async def _unless_left(request: Request, work: Awaitable[T]) -> T:
    """The work's result; it is cancelled when the client leaves. The body must have been read, so
    that the next message can only be that."""
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise WireError(499, "request canceled")
        return doing.result()
    finally:
        leaving.cancel()
        doing.cancel()
