"""The way of a move to where it is made: at once, though it comes as a call of Gradio's.

On the usual way every call is compared with sixty routes, twice, and waits for a thread in which
Gradio looks whether somebody signed in with it, where nobody does: who may come in was decided
before. A move would cross the event loop a dozen times more, and wait there whenever the arena is
busy. Gradio would also keep something of each page that makes one, of whose end it is not told. It
does not know what a move is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gradio as gr
import orjson
from fastapi.routing import iter_route_contexts
from gradio.data_classes import PredictBody
from gradio.routes import ORJSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from arena.web.bodies import before
from arena.web.unfailing import told

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "predict"
USUAL = "/gradio_api/run/{api_name}"
JSON = b"application/json"


def shorten(app: FastAPI, gradio: FastAPI, page: gr.Blocks) -> None:
    """Before all routes of the app that has Gradio's mounted. Raises StopIteration where Gradio has
    no such endpoint."""
    ways = iter_route_contexts(gradio.routes)
    predict: Any = next(way.endpoint for way in ways if way.path == USUAL)
    address = USUAL.format(api_name=NAME)

    async def call(body: PredictBody, request: Request) -> Response:
        try:
            answer: Response = await predict(NAME, body, request, None)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 -- Gradio's own
            return told(error, request.method)
        return answer

    app.add_api_route(address, call, methods=["POST"], include_in_schema=False)
    usual = app.router.routes.pop()
    moves = Route(address, _Moves(page, usual), methods=["POST"], include_in_schema=False)
    app.router.routes.insert(0, moves)


class _Moves:
    """Answers the calls that need nothing of Gradio, as it would; `usual` answers all else."""

    def __init__(self, page: gr.Blocks, usual: Any) -> None:
        self._usual = usual
        self._functions = {
            number: function.fn
            for number, function in page.fns.items()
            # What is taken and given as it is.
            if not (function.preprocess or function.postprocess) and len(function.inputs) == 1
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await receive()
        asked = _asked(scope, first)
        data, number = asked.get("data"), asked.get("fn_index")
        if isinstance(number, int) and isinstance(data, list) and len(data) == 1:
            function = self._functions.get(number)
            if function:
                await (await _answer(function, data[0], scope))(scope, receive, send)
                return
        _, known = self._usual.matches(scope)
        await self._usual.handle(scope | known, before(first, receive), send)


def _asked(scope: Scope, message: Message) -> dict[str, Any]:
    """What is said in a body that is there whole; nothing where that is not plain."""
    if message.get("more_body") or dict(scope["headers"]).get(b"content-type") != JSON:
        return {}
    try:
        asked = orjson.loads(message.get("body", b""))
    except orjson.JSONDecodeError:
        return {}
    return asked if isinstance(asked, dict) else {}


async def _answer(function: Any, payload: object, scope: Scope) -> Response:
    started = time.monotonic()
    answer = await function(payload, gr.Request(Request(scope)))
    data = list(answer) if isinstance(answer, tuple) else [answer]
    took = time.monotonic() - started
    how = {"is_generating": False, "duration": took, "average_duration": took}
    nothing: dict[str, Any] = {"render_config": None, "changed_state_ids": [], "used_cache": None}
    return ORJSONResponse({"data": data, **how, **nothing})
