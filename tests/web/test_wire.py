"""Nothing of an unfinished battle can be had through any route, whoever asks: every route that the
app answers is asked while a battle goes on whose first vote is in the ledger."""

from __future__ import annotations

import asyncio
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from PIL import Image
from starlette.routing import Route

from arena import settings as config
from arena.compose import House
from arena.server.application import build_app
from tests.fake_ollama import FakeOllama
from tests.playing import MODELS
from tests.web.calling import HOSTED, A, client_of, opened, voting

SEEING = [replace(model, capabilities=("completion", "vision")) for model in HOSTED]
VISITOR = {"X-Forwarded-For": "203.0.113.9"}
UNENDING_S, PATIENCE_S = 1.0, 60.0
"""Streams tell what they know at once, and then wait; all others end."""
NEEDED = {
    "/b/{link}",
    "/b/{link}.png",
    f"{A}/battles/{{battle_id}}/link",
    f"{A}/battles/{{battle_id}}/images/{{number}}",
    f"{A}/battles/{{battle_id}}/events",
    f"{A}/leaderboard",
    f"{A}/export",
    "/config",
    "/",
}
"""At least these are asked."""


def asked(app: FastAPI) -> Iterator[str]:
    """The paths of everything that can be got: of pages and of the API."""
    routes = list(app.routes)
    for route in routes:
        routes += getattr(route, "routes", None) or ()
        if isinstance(route, Route) and "GET" in (route.methods or ()):
            yield route.path
    yield from (path for path, ways in app.openapi()["paths"].items() if "get" in ways)


def picture() -> str:
    made = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(made, "PNG")
    return b64encode(made.getvalue()).decode()


async def answer(client: httpx.AsyncClient, url: str) -> str:
    """Headers and body, as far as they come."""
    head, body = "", b""
    streams = url.endswith("/events")
    try:
        async with (
            asyncio.timeout(UNENDING_S if streams else PATIENCE_S),
            client.stream("GET", url, headers=VISITOR, timeout=None) as got,
        ):
            head = str(got.headers)
            async for piece in got.aiter_bytes():
                body += piece
    except TimeoutError:
        assert streams, url
    return head + body.decode("utf-8", "replace")


def test_no_route_tells_a_name_while_a_battle_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with FakeOllama(SEEING, speed=20, warm=True) as host:
            house = House(
                config.load(
                    {},
                    None,
                    OLLAMA_HOST=host.url,
                    DATABASE_URL=f"sqlite:///{tmp_path / 'arena.db'}",
                    ARENA_PROXIES="127.0.0.1",
                )
            )
            await house.ledger.open()
            await house.open()
            await house.tried.wait()
            app = build_app(house, shared=False)
            try:
                async with client_of(app) as client:
                    await scanned(client, sorted(set(asked(app))))
            finally:
                await house.close()

    asyncio.run(run())


async def scanned(client: httpx.AsyncClient, paths: list[str]) -> None:
    assert {*paths} >= NEEDED
    path = await opened(client, images=[picture()])
    await voting(client, path)
    vote = {"round": 1, "judgement": "drop", "seat": "A"}
    assert (await client.post(f"{path}/votes", json=vote)).is_success
    await voting(client, path)
    battle: dict[str, Any] = (await client.get(path)).json()
    assert battle["round"] == 2
    places = {"battle_id": battle["battle"], "number": "1", "format": "jsonl"}
    told = {}
    for each in paths:
        url = each.replace(":path}", "}")
        for name, value in places.items():
            url = url.replace(f"{{{name}}}", value)
        told[each] = await answer(client, url)
    for format in ("csv", "jsonl", "dpo", "latex"):
        told[format] = await answer(client, f"{A}/export?format={format}")
    assert json.loads(told[f"{A}/battles/{{battle_id}}"].partition(")")[2])["round"] == 2
    # Who is on the roster is no secret; that anybody was judged is.
    board = json.loads(told.pop(f"{A}/leaderboard").partition(")")[2])
    assert {row["votes"] for row in board["standings"]} == {0}
    leaks = {each: [name for name in MODELS if name in text] for each, text in told.items()}
    assert {each: names for each, names in leaks.items() if names} == {}
