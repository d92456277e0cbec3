"""The ASGI app: the routes, the page at the root, and the life of the house behind them.

It does not know adapters, only the house that holds them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI, HTTPException
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.compose import House
from arena.core.errors import NotInstalled
from arena.server import memory
from arena.settings import Settings
from arena.web import api, replica, ui
from arena.web import shared as shared_page
from arena.web.api.problems import UNUSABLE, problem
from arena.web.bodies import Bodies, largest
from arena.web.callers import Sessions
from arena.web.gate import Admitted, Gate
from arena.web.hostnames import HERE, Hostnames
from arena.web.operators import is_loopback

if TYPE_CHECKING:
    from gradio import Blocks

THREADS = 100


class Elsewhere:
    """No page elsewhere may ask, which a browser wants to know first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = Headers(scope=scope) if scope["type"] == "http" else Headers()
        first = "origin" in told and "access-control-request-method" in told
        if first and scope["method"] == "OPTIONS":
            said = "Pages at other addresses may not ask the arena; programs may."
            await problem(400, UNUSABLE, said, {"Vary": "Origin"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def build_app(house: House, *, shared: bool = False, channel: str = "web") -> FastAPI:
    """The app of one house, not yet served. shared: it is to get a public link, so that nobody
    can be taken for an operator. channel: what votes cast on the page are recorded with; those
    of a shared page with `share`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await house.open()
        memory.settle()
        giving_back = asyncio.create_task(memory.give_back())
        try:
            yield
        finally:
            giving_back.cancel()
            await house.close()

    app = FastAPI(
        title="Progressive Arena",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    private = is_loopback(house.settings.bind) and not shared
    overview = house.overview if private else None
    app.add_middleware(Bodies, largest=largest(house.settings.max_prompt))
    app.add_middleware(Sessions, key=house.ledger.key)
    app.add_middleware(CORSMiddleware)  # Gradio would let every page elsewhere read its answers.
    app.add_middleware(Elsewhere)
    replica.install(app)
    if house.settings.gated:
        app.add_middleware(
            Gate,
            admitted=admitted(house.settings),
            key=house.ledger.key,
            take=house.stores.limits.take,
            root_path="" if shared else house.settings.root_path,
        )
    if names := _names(house.settings, shared):
        app.add_middleware(Hostnames, names=names)
    api.install(
        app,
        house.referee,
        api.Operable(overview, house.metrics.text, house.settings.metrics == "all"),
    )
    shared_page.install(app, house.referee)
    app.add_api_route("/gradio_api/upload", _no_files, methods=["POST"], include_in_schema=False)
    for path in ("/login", "/login/", "/logout"):
        app.add_api_route(path, _nothing, methods=["GET", "POST"], include_in_schema=False)
    page = ui.build(house.referee, overview, channel="share" if shared else channel)
    page.max_threads = THREADS
    page.extra_startup_events.append(partial(_close_queue, page))
    # A public link is made for notebooks elsewhere, whose addresses nobody knows.
    root_path, embed = ("", ("*",)) if shared else (house.settings.root_path, house.settings.embed)
    return ui.mount(app, page, root_path, embed)


def exposure(settings: Settings, shared: bool) -> str:
    """What to tell whoever lets others reach the page; empty where nobody can."""
    if is_loopback(settings.bind) and not shared:
        return ""
    limits = {
        "how many battles one may open (ARENA_OPENS_PER_MINUTE)": settings.opens_per_minute,
        "how many ballots one may cast (ARENA_BALLOTS_PER_HOUR)": settings.ballots_per_hour,
    }
    missing = " or ".join(what for what, limit in limits.items() if not limit)
    lacks = [] if settings.gated else ["no password"]
    lacks += [f"no limit on {missing}"] if missing else []
    if not lacks:
        return ""
    who = "signs in" if settings.gated else "has its address"
    return (
        f"Others can reach this page, and there is {', and '.join(lacks)}: whoever {who} can "
        "play, vote and read what it shows. See docs/SECURITY.md."
    )


def admitted(settings: Settings) -> Admitted:
    """Who may come in. Raises ConfigError where a library is missing."""
    openid = None
    if settings.openid:
        try:
            from arena.web.openid import OpenId
        except ImportError as error:
            raise NotInstalled("ARENA_OPENID", error, "openid") from error
        openid = OpenId(settings.openid, settings.openid_client, settings.openid_secret)
    return Admitted(
        settings.password, dict(settings.users), settings.account_header, settings.proxies, openid
    )


def _names(settings: Settings, shared: bool) -> frozenset[str]:
    """By which the arena is asked; empty where any will do, as for a page that is public."""
    if shared or not (settings.names or is_loopback(settings.bind)):
        return frozenset()
    return frozenset({*HERE, settings.bind.lower().strip("[]"), *settings.names})


async def _no_files() -> Response:
    """Gradio would keep any file of anybody, of any size, and hand it out again."""
    return problem(403, "Not taken", "The arena takes no files.")


async def _nothing() -> None:
    """Gradio's accounts are not used here, and leaving one leads to wherever a header says."""
    raise HTTPException(404)


async def _close_queue(page: Blocks) -> None:
    """Gradio's queue looks for work a thousand times a second, and no event of the page is put
    into it. Gradio starts it whatever it is told, so it is closed after that."""
    page._queue.close()  # type: ignore[no-untyped-call]  # noqa: SLF001 -- there is no other way to it
