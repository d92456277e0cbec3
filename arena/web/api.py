"""FastAPI routes: the state of a battle, its events as one stream, how far the house is.

Errors are problem JSON (RFC 9457). It knows the referee's use cases, not Gradio nor adapters.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from arena.core.ports import ArenaError, Delta, Event, State
from arena.referee import Referee

RECONNECT_MS = 1000
SSE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
OVER = ("decided", "void")


def install(app: FastAPI, referee: Referee) -> None:
    """Add the routes under /api and the handler that makes problems of errors."""
    app.add_exception_handler(ArenaError, _problem)
    app.include_router(_routes(referee), prefix="/api")


def _routes(referee: Referee) -> APIRouter:
    routes = APIRouter()

    @routes.get("/status")
    async def status() -> dict[str, Any]:
        """How far the house is: see core.ports.Readiness."""
        return referee.readiness().as_json()

    @routes.get("/battles/{battle_id}")
    async def battle(battle_id: str) -> dict[str, Any]:
        """The public state of a battle."""
        return asdict(await referee.state(battle_id))

    @routes.get("/battles/{battle_id}/events")
    async def events(battle_id: str, request: Request) -> StreamingResponse:
        """Server-sent events: `data: {"state": State|null, "delta": [[seat, turn, text], …]}`,
        the delta to be applied first. `Last-Event-ID` goes on from there."""
        await referee.state(battle_id)
        last = request.headers.get("last-event-id", "0")
        after = int(last) if last.isdecimal() else 0
        return StreamingResponse(
            _until_gone(_messages(referee, battle_id, after), request),
            media_type="text/event-stream",
            headers=SSE_HEADERS,
        )

    return routes


async def _messages(referee: Referee, battle_id: str, after: int) -> AsyncIterator[str]:
    yield f"retry: {RECONNECT_MS}\n\n"
    async with aclosing(referee.follow(battle_id, after)) as batches:
        async for batch in batches:
            if not batch:
                yield ": still here\n\n"
                continue
            state, delta = _merged([event for _, event in batch])
            body = {"state": asdict(state) if state else None, "delta": delta}
            yield f"id: {batch[-1][0]}\ndata: {json.dumps(body)}\n\n"
            if state and state.phase in OVER:
                yield "event: end\ndata: {}\n\n"
                return


def _merged(events: list[Event]) -> tuple[State | None, list[tuple[str, int, str]]]:
    """The last state, and all text with neighbouring pieces of one reply joined."""
    states = [e for e in events if isinstance(e, State)]
    texts: dict[tuple[str, int], list[str]] = {}
    for delta in (e for e in events if isinstance(e, Delta)):
        for piece in delta.pieces:
            texts.setdefault((piece.seat, piece.turn), []).append(piece.text)
    joined = [(seat, turn, "".join(parts)) for (seat, turn), parts in texts.items()]
    return (states[-1] if states else None), joined


async def _until_gone(messages: AsyncIterator[str], request: Request) -> AsyncIterator[str]:
    """End as soon as the browser hangs up, not at the next failed send: viewers are counted."""
    gone = asyncio.ensure_future(_gone(request))
    pending: asyncio.Future[str] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(anext(messages))
            await asyncio.wait({gone, pending}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            try:
                yield pending.result()
            except StopAsyncIteration:
                return
    finally:
        gone.cancel()
        if pending and not pending.done():
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await messages.aclose()  # type: ignore[attr-defined]


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArenaError)
    body = {"type": "about:blank", "title": error.title, "status": error.status, "detail": str(error)}
    return JSONResponse(body, status_code=error.status, media_type="application/problem+json")
