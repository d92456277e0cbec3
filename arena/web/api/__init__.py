"""The HTTP API under /api/arena, with the probes and /docs beside it, as FastAPI routes.

It knows the referee's use cases and HTTP, not Gradio nor adapters.
"""

from fastapi import APIRouter, FastAPI

from arena.play.referee import Referee
from arena.web.api import (
    battles,
    docs,
    events,
    health,
    links,
    problems,
    progressive,
    standings,
    studies,
)
from arena.web.api.health import Operable

__all__ = ["Operable", "install"]

PAGES = ("healthz", "readyz", "metrics", "docs", "openapi.json")
OURS = (
    "/api",
    "/api/{path:path}",
    *(f"/{page}" for page in PAGES),
    *(f"/{page}/" for page in PAGES),
)


def install(app: FastAPI, referee: Referee, operable: Operable = Operable()) -> None:
    """Add every route, and the handlers that make problems of errors. What comes after it gets
    no request to our paths, also to those that are not there."""
    arena = APIRouter(prefix="/api/arena")
    for part in (battles, links, events, progressive, standings, studies):
        arena.include_router(part.routes(referee))
    arena.include_router(health.routes(referee, operable))
    app.include_router(arena)
    app.include_router(health.probes(referee, operable))
    docs.install(app)
    problems.install(app)
    unrouted = problems.Unrouted(app.routes)
    for path in OURS:
        app.router.add_route(path, unrouted, include_in_schema=False)  # type: ignore[arg-type]
