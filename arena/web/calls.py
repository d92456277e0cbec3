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
from fastapi.routing import iter_route_contexts
from gradio.data_classes import PredictBody
from gradio.routes import ORJSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from arena.web.unfailing import told

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "predict"
USUAL = "/gradio_api/run/{api_name}"


def shorten(app: FastAPI, gradio: FastAPI, page: gr.Blocks) -> None:
    """Before all routes of the app that has Gradio's mounted. Raises StopIteration where Gradio has
    no such endpoint."""
    ways = iter_route_contexts(gradio.routes)
    predict: Any = next(way.endpoint for way in ways if way.path == USUAL)
    # What is taken and given as it is needs nothing of Gradio.
    plain: dict[int | None, Any] = {
        number: function.fn
        for number, function in page.fns.items()
        if not (function.preprocess or function.postprocess) and len(function.inputs) == 1
    }

    async def call(body: PredictBody, request: Request) -> Response:
        function = plain.get(body.fn_index) if len(body.data) == 1 else None
        try:
            if function:
                return await _answered(function, body.data[0], request)
            answer: Response = await predict(NAME, body, request, None)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 -- Gradio's own
            return told(error, request.method)
        return answer

    address = USUAL.format(api_name=NAME)
    app.add_api_route(address, call, methods=["POST"], include_in_schema=False)
    app.router.routes.insert(0, app.router.routes.pop())


async def _answered(function: Any, payload: object, request: Request) -> Response:
    """As Gradio would answer it."""
    started = time.monotonic()
    answer = await function(payload, gr.Request(request))
    data = list(answer) if isinstance(answer, tuple) else [answer]
    took = time.monotonic() - started
    how = {"is_generating": False, "duration": took, "average_duration": took}
    return ORJSONResponse({"data": data, **how, "render_config": None, "changed_state_ids": []})
