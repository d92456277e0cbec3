"""What a replica says of itself, so that a deployment can be checked through its proxies: a name
without meaning on every response, and a short event stream that shows what holds events back.

It does not know the referee, nor what is in between.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from arena.web.api.events import EVENT_STREAM, HEADERS
from arena.web.headers import REPLICA, Headers

PROBE = "/api/arena/probe/events"
"""Ends as the address of a battle's events does, so that rules for those are tried."""

EVENTS, GAP_S = 5, 0.2


def install(app: FastAPI) -> None:
    """Name this replica, anew at each start, and add the probe; before the routes that take
    every other path."""
    name = secrets.token_hex(4)
    app.add_middleware(Headers, change=lambda headers: headers.append(REPLICA, name))

    @app.get(PROBE, include_in_schema=False)
    async def probe(request: Request) -> StreamingResponse:
        """EVENTS events of the name `probe`, GAP_S seconds apart."""
        events = _events(caller_is_known(request))
        return StreamingResponse(events, media_type=EVENT_STREAM, headers=HEADERS)


async def _events(known: bool) -> AsyncIterator[bytes]:
    for number in range(EVENTS):
        if number:
            await asyncio.sleep(GAP_S)
        told = json.dumps({"number": number, "caller_is_known": known})
        yield format_sse_event(event="probe", data_str=told, id=str(number))


def caller_is_known(request: Request) -> bool:
    """Whether the address that limits go by is the visitor's, not that of a proxy."""
    told = request.headers.get("x-forwarded-for", "")
    here = request.client.host if request.client else ""
    return not told or here in map(str.strip, told.split(","))
