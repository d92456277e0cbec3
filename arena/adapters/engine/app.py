"""Ollama's HTTP API over a scheduler: routes, frames, refusals.

It answers programs on this machine only: a request that came by another host name, or from a web
page of another origin, is refused. It does not know llama.cpp, processes or where models come from.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.adapters.engine import wire
from arena.adapters.engine.job import Job
from arena.adapters.engine.models import InstalledModel, Shelf
from arena.adapters.engine.refusals import WireError
from arena.adapters.engine.runner import Completed, Event, Piece, Refused
from arena.adapters.engine.scheduler import Scheduler

_LOCAL_NAMES = {"127.0.0.1", "localhost", "::1"}


def build_app(shelf: Shelf, scheduler: Scheduler) -> Starlette:
    """The ASGI application. Must be called on the loop that will run it."""
    api = _Api(shelf, scheduler)
    routes = [
        Route("/", _guarded(api.alive)),
        Route("/api/version", _guarded(api.version)),
        Route("/api/tags", _guarded(api.tags)),
        Route("/api/ps", _guarded(api.ps)),
        Route("/api/show", _guarded(api.show), methods=["POST"]),
        Route("/api/chat", _guarded(api.chat), methods=["POST"]),
        Route("/api/generate", _guarded(api.generate), methods=["POST"]),
        Route("/engine/stats", _guarded(api.stats)),
    ]
    return Starlette(routes=routes, exception_handlers={404: _page_not_found})


Endpoint = Callable[[HttpRequest], Awaitable[Response]]


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Local callers only, and refusals as Ollama writes them."""

    async def guarded(request: HttpRequest) -> Response:
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


async def _page_not_found(request: HttpRequest, error: Exception) -> Response:
    return PlainTextResponse("404 page not found", 404)


class _Api:
    def __init__(self, shelf: Shelf, scheduler: Scheduler) -> None:
        self._shelf = shelf
        self._scheduler = scheduler

    async def alive(self, request: HttpRequest) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, request: HttpRequest) -> Response:
        return _json({"version": f"{wire.LIKE_OLLAMA}+xllamacpp.{metadata.version('xllamacpp')}"})

    async def tags(self, request: HttpRequest) -> Response:
        return _json({"models": [model.tags_entry() for model in self._shelf.models]})

    async def ps(self, request: HttpRequest) -> Response:
        loaded = self._scheduler.loaded.values()
        return _json(
            {
                "models": [
                    each.model.ps_entry(each.expires_at(), each.runner.context) for each in loaded
                ]
            }
        )

    async def show(self, request: HttpRequest) -> Response:
        body = wire.parse_body(await request.body())
        name = wire.field(body, "model", str, "") or wire.field(body, "name", str, "")
        if not name:
            raise WireError(400, "model is required")
        return _json(self._shelf.find(name).show_body())

    async def stats(self, request: HttpRequest) -> Response:
        return _json(dataclasses.asdict(self._scheduler.counts))

    async def chat(self, request: HttpRequest) -> Response:
        call = wire.parse_chat(wire.parse_body(await request.body()))
        return await self._answer(request, call, _chat_part)

    async def generate(self, request: HttpRequest) -> Response:
        call = wire.parse_generate(wire.parse_body(await request.body()))
        return await self._answer(request, call, _generate_part)

    async def _answer(self, request: HttpRequest, call: wire.Request, part: Part) -> Response:
        begun = time.monotonic_ns()
        model = self._shelf.find(call.model)
        if call.think and not model.thinks:
            raise WireError(400, f'"{call.model}" does not support thinking')
        if call.preload:
            return await self._load_or_unload(model, call, part, begun)
        job = self._scheduler.submit(model, call)
        watching = asyncio.create_task(_cancel_when_gone(request, job))
        frames = _frames(job, call, part, begun)
        try:
            # The status is decided by the first frame, so nothing is sent before there is one.
            first = await anext(frames)
        except BaseException:
            job.cancel()
            watching.cancel()
            raise
        if call.stream:
            body = _encoded(first, frames, watching)
            return StreamingResponse(body, media_type="application/x-ndjson")
        return _json(await _whole(first, frames, part, watching))

    async def _load_or_unload(
        self, model: InstalledModel, call: wire.Request, part: Part, begun: int
    ) -> Response:
        if call.keep_alive_s == 0:
            self._scheduler.unload(model)
            reason = "unload"
        else:
            await self._scheduler.preload(model, call.keep_alive_s)
            reason = "load"
        spent = time.monotonic_ns() - begun
        metrics = {"total_duration": spent, "load_duration": spent} if reason == "load" else {}
        return _json(
            _frame(call.model, part("", ""), done=True) | {"done_reason": reason} | metrics
        )


# Frames ---------------------------------------------------------------------------------------

Part = Callable[[str, str], dict[str, Any]]
"""Text and thinking to the field of a frame that carries them."""


def _chat_part(content: str, thinking: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"message": message | ({"thinking": thinking} if thinking else {})}


def _generate_part(content: str, thinking: str) -> dict[str, Any]:
    return {"response": content} | ({"thinking": thinking} if thinking else {})


def _frame(model: str, part: dict[str, Any], *, done: bool) -> dict[str, Any]:
    return {"model": model, "created_at": wire.rfc3339()} | part | {"done": done}


async def _frames(
    job: Job, call: wire.Request, part: Part, begun: int
) -> AsyncIterator[tuple[Event, dict[str, Any]]]:
    """Each event with the frame to send for it. Raises WireError instead of ending without a last
    frame."""
    while (event := await job.next_event()) is not None:
        match event:
            case Piece(content, thinking):
                yield event, _frame(call.model, part(content, thinking), done=False)
            case Completed():
                metrics = wire.without_zeros(
                    {
                        "total_duration": time.monotonic_ns() - begun,
                        "load_duration": job.load_ns,
                        "prompt_eval_count": event.prompt_tokens,
                        "prompt_eval_duration": event.prompt_ns,
                        "eval_count": event.tokens,
                        "eval_duration": event.tokens_ns,
                    }
                )
                yield (
                    event,
                    _frame(call.model, part("", ""), done=True)
                    | {"done_reason": event.reason}
                    | metrics,
                )
                return
            case Refused(status, message):
                raise WireError(status, message)
    if job.unwanted:
        raise WireError(499, "request canceled")
    raise WireError(500, "model runner has unexpectedly stopped")


Frames = AsyncIterator[tuple[Event, dict[str, Any]]]


async def _encoded(
    first: tuple[Event, dict[str, Any]], frames: Frames, watching: asyncio.Task[None]
) -> AsyncIterator[bytes]:
    try:
        yield wire.encode_frame(first[1])
        async for _, frame in frames:
            yield wire.encode_frame(frame)
    except WireError as error:
        yield wire.encode_frame({"error": error.text})
    finally:
        watching.cancel()


async def _whole(
    first: tuple[Event, dict[str, Any]], frames: Frames, part: Part, watching: asyncio.Task[None]
) -> dict[str, Any]:
    """All frames as one body: the texts joined in the last frame."""
    content, thinking = "", ""
    event, frame = first
    try:
        while isinstance(event, Piece):
            content += event.content
            thinking += event.thinking
            event, frame = await anext(frames)
    finally:
        watching.cancel()
    return frame | part(content, thinking)


async def _cancel_when_gone(request: HttpRequest, job: Job) -> None:
    """The body has been read, so the next message can only be that the client left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.cancel()
