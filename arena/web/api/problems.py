"""Problems: whatever goes wrong under our paths is told as problem JSON (RFC 9457).

It knows the error tree of the core and HTTP, not what the routes do.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from arena.core.errors import ArenaError, HostFault

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
UNUSABLE = "That cannot be used"
LONGEST_DETAIL = 1000
AWAY_S = 5.0
"""After so long what is away may be there again."""
HANG_UP = {"Connection": "close"}
"""Else the server would read on to the end of a body that is refused, which may have none."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TITLES = {
    400: UNUSABLE,
    404: "Nothing here",
    405: "Not this way",
    408: "Too slow",
    413: "Too large",
    431: "Too long",
    503: "Too much at once",
}
DETAILS = {
    400: "The request cannot be read: its headers or its body.",
    404: "There is nothing at this address. The calls that there are stand at /docs.",
    408: "The request did not come in time. Send it again.",
    413: "The body is larger than anything that could be used.",
    431: "The address and the headers are longer than any that could be used.",
    503: "Too many large requests come in at this moment. Send it again in a few seconds.",
}
WHEN: Mapping[int, str] = {
    400: "What was sent cannot be used",
    401: "Not signed in, where the arena asks for a password or an account",
    403: "For operators only, the battle is somebody else's, or not for download",
    404: "No such battle here (any more)",
    405: "The address takes another method; `Allow` says which",
    408: "The request did not come in time",
    409: "The battle has moved on, or is not there yet",
    410: "The battle ended without a result",
    413: "The body is too large",
    415: "The body is not said to be JSON",
    421: "The arena is not reached by this name",
    422: "A field is missing, unknown or wrong",
    429: "Too much from one caller; `Retry-After` says when there is room again",
    431: "The address and the headers are too long",
    502: "A machine behind the arena failed",
    503: "No battle can be had now, or a vote could not be kept",
    504: "The models are still writing; ask again",
}


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problems(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: the problems it tells, with those of any body if it takes
    one."""
    fields = {404, 400} & {*statuses} or body
    told = {*statuses, *((400, 408, 413, 415) if body else ()), *((422,) if fields else ())}
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": WHEN[status], "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in sorted(told)
    }


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Texts may quote what was sent, which need not be valid Unicode."""
    if len(detail) > LONGEST_DETAIL:
        detail = f"{detail[:LONGEST_DETAIL]}…"
    detail = detail.encode("utf-8", "replace").decode("utf-8")
    body = Problem(title=title, status=status, detail=detail).model_dump()
    return JSONResponse(body, status, headers, media_type=PROBLEM_JSON)


def refusal(status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem of a status that means the same wherever it comes from."""
    return problem(status, TITLES[status], DETAILS[status], headers)


def install(app: FastAPI) -> None:
    """Add the handlers that make problems of errors."""
    app.add_exception_handler(ArenaError, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _by_status)
    app.add_exception_handler(Exception, _unforeseen)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArenaError)
    return refused(error)


def refused(error: ArenaError) -> JSONResponse:
    """What the arena says no to, and when it may say yes."""
    if isinstance(error, HostFault):
        log.warning("a request failed on a host: %s", type(error).__name__)
    wait = getattr(error, "retry_after_s", AWAY_S if error.status == 503 else 0.0)
    headers = {"Retry-After": str(math.ceil(wait))} if wait else None
    return problem(error.status, error.title, error.public, headers)


async def _unreadable(_: Request, error: Exception) -> JSONResponse:
    """A body that is no JSON (400), is not said to be (415), or fields that are wrong (422)."""
    assert isinstance(error, RequestValidationError)
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return problem(400, UNUSABLE, "The body is not valid JSON.")
    if isinstance(error.body, bytes):
        said = "Send the body as JSON, with the header Content-Type: application/json."
        return problem(415, UNUSABLE, said)
    told = "; ".join(map(_wrong, error.errors()))
    return problem(422, UNUSABLE, f"{told}.")


def _wrong(error: Mapping[str, Any]) -> str:
    """The field and what is wrong with it; a pattern says nothing to people."""
    field = ".".join(map(str, error["loc"][1:])) or "body"
    if error["type"] == "string_pattern_mismatch":
        return f"{field}: Is empty, or has signs that cannot be in it"
    if error["type"] == "string_unicode":
        return f"{field}: Has half a character, which is no unicode text; send its other half too"
    return f"{field}: {error['msg']}"


async def _by_status(_: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    title = TITLES.get(status, HTTPStatus(status).phrase)
    return problem(status, title, DETAILS.get(status, str(error.detail)), error.headers)


async def _unforeseen(_: Request, _error: Exception) -> JSONResponse:
    """The server logs the error after this answer."""
    said = "Something went wrong on the server. Votes are kept; please try again."
    return problem(500, ArenaError.title, said)


class Unrouted:
    """An endpoint for every path of ours that no route takes, so that none falls through to the
    page: what GET would answer for HEAD, 405 where another method would do, else 404."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The server itself sends no body for HEAD; events would never end.
        headed = scope["method"] == "HEAD" and not scope["path"].endswith("/events")
        if headed and (route := self._taking(scope, "GET")):
            asked = {**scope, "method": "GET"}
            asked |= route.matches(asked)[1]
            await route.handle(asked, receive, send)
            return
        allowed = ", ".join(method for method in METHODS if self._taking(scope, method))
        if allowed:
            said = f"This address takes {allowed}, not {scope['method']:.20}."
            answer = problem(405, TITLES[405], said, {"Allow": allowed})
        else:
            answer = problem(404, TITLES[404], DETAILS[404])
        await answer(scope, receive, send)

    def _taking(self, scope: Scope, method: str) -> BaseRoute | None:
        asked = {**scope, "method": method}
        fitting = (route for route in self._routes if route.matches(asked)[0] is Match.FULL)
        return next(fitting, None)
