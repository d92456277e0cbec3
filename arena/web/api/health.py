"""How the arena is: whether it lives, whether battles can be had, what it counts, its hosts.

The last two are for operators. It knows the referee, not who watches.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from arena.core.errors import ArenaError
from arena.core.hosts.overview import Overview
from arena.core.ports import Readiness
from arena.play.referee import Referee
from arena.web import operators
from arena.web.api.problems import problems

PATIENCE_S = 5.0
"""How long the ledger and the store may take to answer."""

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
METRICS_CLOSED = (
    "Metrics are shown only on the machine that the arena runs on, at its loopback "
    "address (http://127.0.0.1:…). ARENA_METRICS=all opens them to everybody."
)


class NotReady(ArenaError):
    status = 503
    title = "Not ready"


@dataclass(frozen=True, slots=True)
class Operable:
    """What operators may see. overview: None where nobody may. metrics: in the text format of
    Prometheus, all of them for an operator (True), the others for anybody if `metrics_for_all`."""

    overview: Callable[[], Awaitable[Overview]] | None = None
    metrics: Callable[[bool], Awaitable[bytes]] | None = None
    metrics_for_all: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    status: str


def probes(referee: Referee, operable: Operable) -> APIRouter:
    """The routes that machines ask, at the root."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> Health:
        """The process lives."""
        return Health("alive")

    @router.get("/readyz", responses=problems(503))
    async def readyz(request: Request) -> Health:
        """A battle can be had: ledger, store and hosts are there. 503 says what is not, and to
        operators why."""
        await _reach_stores(referee, why=operators.is_operator(request))
        now = referee.readiness()
        if not now.ready:
            raise NotReady(f"{now.headline} {now.detail}".strip())
        return Health("ready")

    @router.get("/metrics", response_class=PlainTextResponse, responses=problems(403))
    async def metrics(request: Request) -> Response:
        """What happened since the start, for Prometheus; names no contender and no model."""
        operator = operators.is_operator(request)
        if operable.metrics is None or not (operator or operable.metrics_for_all):
            raise operators.OperatorsOnly(METRICS_CLOSED)
        return Response(await operable.metrics(operator), media_type=PROMETHEUS)

    return router


def routes(referee: Referee, operable: Operable) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/status")
    async def status() -> Readiness:
        """How far the house is. `progress` is 0 to 1, null where it cannot be told."""
        now = referee.readiness()
        if not now.ready:
            return now
        try:
            await _reach_stores(referee)
        except NotReady as fault:
            headline = "No battle can be had now."
            return replace(now, ready=False, headline=headline, detail=fault.public)
        return now

    @router.get("/hosts", responses=problems(403))
    async def hosts(request: Request) -> Overview:
        """Hosts, models and their speeds as they are now, also while battles are under way. Only
        for operators, and no page asks for it."""
        if operable.overview is None or not operators.is_operator(request):
            raise operators.OperatorsOnly
        return await operable.overview()

    return router


async def _reach_stores(referee: Referee, *, why: bool = False) -> None:
    """Raises NotReady where the ledger or the store cannot be used. why: with the reason."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await referee.health()
    except TimeoutError:
        raise NotReady("The ledger or the store does not answer in time.") from None
    except ArenaError as fault:
        raise NotReady(str(fault) if why else fault.public) from fault
