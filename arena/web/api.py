"""FastAPI routes: the state of a battle, its events as one stream, how far the house is.

Errors are problem JSON (RFC 9457). It knows the referee's use cases, not Gradio nor adapters.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from arena.core.battle import Format
from arena.core.ports import ArenaError, Delta, Event, HostFault, State
from arena.core.overview import Overview
from arena.referee import Referee
from arena.web import operators

log = logging.getLogger(__name__)

RECONNECT_MS = 1000
SSE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
OVER = ("decided", "void")


ShortText = Annotated[str, Field(max_length=64)]


class Opening(BaseModel):
    """What a new battle is opened with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(max_length=100_000)]
    format: ShortText = Format.ELIMINATION.value


class Vote(BaseModel):
    """A ballot on a round. `seat` is the letter that is dropped, empty for tie and bad."""

    model_config = ConfigDict(extra="forbid", strict=True)

    round: Annotated[int, Field(ge=1, le=1000)]
    judgement: ShortText
    seat: Annotated[str, Field(max_length=1)] = ""
    study: ShortText = ""
    rater: ShortText = ""


def install(
    app: FastAPI, referee: Referee, overview: Callable[[], Awaitable[Overview]] | None
) -> None:
    """Add the routes under /api and the handlers that make problems of errors. overview: what
    operators may see, None where nobody may."""
    app.add_exception_handler(ArenaError, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.include_router(_routes(referee), prefix="/api")
    app.include_router(_operator_routes(overview), prefix="/api")


def _routes(referee: Referee) -> APIRouter:
    routes = APIRouter()

    @routes.get("/status")
    async def status() -> dict[str, Any]:
        """How far the house is: see core.ports.Readiness."""
        return referee.readiness().as_json()

    @routes.post("/battles", status_code=HTTPStatus.CREATED)
    async def open(opening: Opening) -> dict[str, Any]:
        """Open a battle and answer its public state. Whoever opens one must follow its events:
        without a viewer the models are stopped."""
        return asdict(await referee.open(opening.prompt, opening.format))

    @routes.post("/battles/{battle_id}/votes")
    async def vote(battle_id: str, vote: Vote) -> dict[str, Any]:
        """Cast a ballot; it is durable when the public state comes back. The same round again
        answers what the first ballot made of it."""
        state = await referee.vote(
            battle_id,
            vote.round,
            vote.judgement,
            vote.seat,
            rater=vote.rater,
            study=vote.study,
            channel="api",
        )
        return asdict(state)

    @routes.get("/battles/{battle_id}/reveal")
    async def reveal(battle_id: str) -> dict[str, Any]:
        """The names, once the battle is decided: core.view.Reveal, with `standings` as
        [{contender, rating_before, rating_after, rank_before, rank_after}, …]."""
        revealed, movement = await referee.reveal(battle_id)
        return asdict(revealed) | {"standings": json.loads(movement.to_json(orient="records"))}

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


def _operator_routes(overview: Callable[[], Awaitable[Overview]] | None) -> APIRouter:
    routes = APIRouter()

    @routes.get("/hosts")
    async def hosts(request: Request) -> dict[str, Any]:
        """core.report.Overview: hosts, models and their speeds as they are now, also while
        battles are under way. Only for operators, and no page asks for it."""
        if overview is None or not operators.is_operator(request):
            raise operators.OperatorsOnly
        return asdict(await overview())

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


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArenaError)
    if isinstance(error, HostFault):
        log.warning("a request failed on a host: %s", type(error).__name__)
    return _problem(error.status, error.title, error.public)


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    """A body that is no JSON (400) or has wrong fields (422), with what is wrong about it."""
    assert isinstance(error, RequestValidationError)
    wrong = [(".".join(map(str, e["loc"][1:])), e) for e in error.errors()]
    if any(e["type"] == "json_invalid" for _, e in wrong):
        return _problem(400, "That cannot be used", "The body is not valid JSON.")
    said = "; ".join(f"{field or 'body'}: {e['msg']}" for field, e in wrong)
    return _problem(422, "That cannot be used", f"{said}.")


def _problem(status: int, title: str, detail: str) -> JSONResponse:
    """RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
