"""A battle's events as server-sent events, by name, resumable after any of them.

What an event is called follows from the states before it. It does not know how events are kept
or made.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, Header, Path
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.core.battle.view import State
from arena.core.errors import StoreFault, UnknownBattle
from arena.core.ports import Delta, Event, Piece
from arena.play.referee import Referee
from arena.web.api.problems import problems

RECONNECT_MS = 1000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENT_STREAM = "text/event-stream"
OVER = ("decided", "void")
LAST = {"decided": "finished", "void": "void"}
HALF = 0.5
"""An elimination and what follows it are one event of the feed; the first has its number less
this, so that a stream can be resumed between them."""
ALIVE = format_sse_event(event="alive", data_str="{}")
"""Without an id of its own, and no comment, which browsers show to no script."""
BODY = "http.response.body"
STRAIGHT = "arena.straight"
"""In a scope: what sends to the browser past all layers in between."""

BattleId = Annotated[str, Path(max_length=64, description="`battle` of the battle's state.")]
LastEventId = Annotated[
    str,
    Header(alias="Last-Event-ID", max_length=64, description="Go on after the event with this id."),
]
NAMES = ("round", "gate", "token", "eliminated", "finished", "void", "alive")
EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": [*NAMES]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}
"""The schema of each event."""

STREAM = """Server-sent events from the start of a battle, or after `Last-Event-ID`:

- `round`: a round begins, a follow-up was asked, or all replies are complete and voting is open;
- `gate`: what all panes do until they are complete; `open` once text is shown;
- `token`: `pieces` of text to append, each with its `seat` and `turn`, the prompt's number from 0;
  with `anew` they are all text there is, in the place of what came before;
- `eliminated`: `seats` that were voted out;
- `finished` or `void`: the battle is over and the stream ends; asked again, it answers 204;
- `alive`: each few seconds, where nothing else is told, a sign of life without an id.

All but `token` and `alive` have the `state` of the battle.
The models of a battle that is not `unattended` are stopped when nobody follows it."""


def routes(referee: Referee) -> APIRouter:
    router = APIRouter(tags=["battles"])

    @router.get(
        "/battles/{battle_id}/events",
        description=STREAM,
        response_class=StreamingResponse,
        responses={
            200: {"content": {EVENT_STREAM: {"schema": EVENT}}},
            204: {"description": "The battle is over, and all of it was told"},
            **problems(404),
        },
    )
    async def events(battle_id: BattleId, last_event_id: LastEventId = "") -> Response:
        after = _number(last_event_id)
        state = await referee.state(battle_id)
        messages = _messages(referee, battle_id, after)
        if state.phase not in OVER:
            return EventStream(messages, media_type=EVENT_STREAM, headers=HEADERS)
        rest = [message async for message in messages]
        if after and len(rest) == 1:
            return Response(status_code=204)
        return Response(b"".join(rest), media_type=EVENT_STREAM, headers=HEADERS)

    return router


def _number(event_id: str) -> float:
    """Of an event by its id; 0 for one that is none of ours."""
    whole, _, half = event_id.partition(".")
    known = whole.isascii() and whole.isdecimal() and half in ("", "5")
    return float(event_id) if known else 0.0


async def _messages(referee: Referee, battle_id: str, after: float) -> AsyncGenerator[bytes, None]:
    """The feed is read from its start whatever `after` is. An id beyond its end, which is none
    of ours, stands for all there is so far; one from before its start, of a battle that was found
    again, for text of which nobody knows how much it was."""
    yield format_sse_event(retry=RECONNECT_MS)
    before: State | None = None
    last = untold = anew = 0
    # Nobody voted for a day: told anew, it is a 404. A store that is away: the browser comes again.
    with suppress(UnknownBattle, StoreFault):
        async with aclosing(referee.follow(battle_id)) as batches:
            async for told in batches:
                batch = told
                if not batch:
                    yield ALIVE
                    if (now := await _now(referee, battle_id)) is None:
                        continue
                    if now.phase in OVER:
                        batch = [(last + 1, now)]
                    elif before and now.phase == "voting":
                        if before.version < now.version == untold:
                            await referee.rounds.tell(battle_id)
                        untold = now.version
                if batch and not last:
                    anew, after = _begun(batch, after)
                for number, event in _joined(batch, after):
                    last = number
                    if isinstance(event, State) and before and event.version < before.version:
                        continue  # Told late, by a replica that was slow.
                    for name, at, body in _named(number, event, before, anew=number == anew):
                        if at > after:
                            data, own = _written(body), f"{at:.1f}".removesuffix(".0")
                            yield format_sse_event(event=name, data_str=data, id=own)
                    if isinstance(event, State):
                        if event.phase in OVER:
                            return
                        before = event


def _written(body: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(body).decode()
    except TypeError:  # Half a character, which it refuses.
        return json.dumps(body)


def _begun(batch: Sequence[tuple[int, Event]], after: float) -> tuple[int, float]:
    """The event that tells anew what was told before, 0 for none; and after which to go on. batch:
    the feed from its start."""
    first, last = batch[0][0], batch[-1][0]
    return (first, 0.0) if 0 < after < first - HALF else (0, min(after, float(last)))


async def _now(referee: Referee, battle_id: str) -> State | None:
    """The battle as it is stored: whoever moved it on may have died before it told the feed. A
    store that is away now may be back at the next sign of life."""
    with suppress(StoreFault):
        return await referee.state(battle_id)
    return None


def _joined(batch: Sequence[tuple[int, Event]], after: float) -> Iterator[tuple[int, Event]]:
    """The batch with text that no state stands between made one, under its last number; text
    that was told already is left out."""
    held: list[tuple[int, Delta]] = []
    for number, event in batch:
        if isinstance(event, Delta):
            if number > after:
                held.append((number, event))
            continue
        yield from _as_one(held)
        held = []
        yield number, event
    yield from _as_one(held)


def _as_one(deltas: Sequence[tuple[int, Delta]]) -> Iterator[tuple[int, Event]]:
    if len(deltas) < 2:  # as who follows gets them
        yield from deltas
        return
    texts: dict[tuple[str, int], list[str]] = {}
    for _, delta in deltas:
        for piece in delta.pieces:
            texts.setdefault((piece.seat, piece.turn), []).append(piece.text)
    if texts:
        pieces = (Piece(seat, turn, "".join(parts)) for (seat, turn), parts in texts.items())
        yield deltas[-1][0], Delta(tuple(pieces))


def _named(
    number: int, event: Event, before: State | None, *, anew: bool = False
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Name, number and body of what an event of the feed tells after the state `before`."""
    if isinstance(event, Delta):
        pieces = [{"seat": p.seat, "turn": p.turn, "text": p.text} for p in event.pieces]
        yield "token", number, {"pieces": pieces, **({"anew": True} if anew else {})}
        return
    state = asdict(event)
    gone = _out(event) - (_out(before) if before else set())
    if gone:
        yield "eliminated", number - HALF, {"seats": sorted(gone), "state": state}
    if event.phase in OVER:
        yield LAST[event.phase], number, {"state": state}
    elif event.goes_on(before):
        writing = any(pane.state == "writing" for pane in event.panes)
        yield "gate", number, {"open": writing, "state": state}
    else:
        yield "round", number, {"state": state}


def _out(state: State) -> set[str]:
    return {pane.seat for pane in state.panes if pane.state == "eliminated"}


class EventStream(StreamingResponse):
    """It ends as soon as the browser hangs up, not at the next failed send: viewers are counted.
    Its head and its first words go out through all layers of the app, as one may keep the head
    until then; none of these changes what follows, which takes the short way where there is one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell() -> None:
            begun = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **begun})
            messages, way = cast("AsyncGenerator[bytes, None]", self.body_iterator), send
            async with aclosing(messages):
                async for message in messages:
                    await way({"type": BODY, "body": message, "more_body": True})
                    way = scope.get(STRAIGHT, send)
            await way({"type": BODY, "body": b"", "more_body": False})

        await until_gone(tell(), receive)


class Straight:
    """Outermost of all layers: keeps their way to the browser for who may take it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[STRAIGHT] = send
        await self._app(scope, receive, send)


async def until_gone(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work, or as much of it as the client stays for."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
