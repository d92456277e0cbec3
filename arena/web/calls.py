"""The way of a move into Gradio: to its own endpoint, at once.

On the usual way every call is compared with sixty routes, twice, and waits for a thread in which
Gradio looks whether somebody signed in with it, where nobody does: who may come in was decided
before. A move would cross the event loop a dozen times more, and wait there whenever the arena is
busy. It does not know what a move is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import iter_route_contexts
from gradio.data_classes import PredictBody
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from arena.web.unfailing import told

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "predict"
USUAL = "/gradio_api/run/{api_name}"


def shorten(app: FastAPI, gradio: FastAPI) -> None:
    """Before all routes of the app that has Gradio's mounted. Raises StopIteration where Gradio has
    no such endpoint."""
    ways = iter_route_contexts(gradio.routes)
    predict: Any = next(way.endpoint for way in ways if way.path == USUAL)

    async def call(body: PredictBody, request: Request) -> Response:
        try:
            answer: Response = await predict(NAME, body, request, None)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 -- Gradio's own
            return told(error, request.method)
        return answer

    address = USUAL.format(api_name=NAME)
    app.add_api_route(address, call, methods=["POST"], include_in_schema=False)
    app.router.routes.insert(0, app.router.routes.pop())
