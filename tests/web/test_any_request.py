"""Nonsense to every route there is, Gradio's included: in its path, its query, its body and its
heads. No answer is a failure of the server, and nobody is shown how it works inside."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
from collections.abc import Iterator
from itertools import chain, cycle
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Mount

from arena import settings as config
from arena.allowed import OWN
from arena.compose import House
from arena.server.application import build_app
from arena.web.unfailing import Unfailing
from tests.web.calling import client_of

PLACES = ("x", "-1", "%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "é" * 40, "a" * 1500, "1e999", "{}")
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
CALL = {"session_hash": "x", "event_data": None, "trigger_id": None}
BODIES: tuple[tuple[str, bytes], ...] = (
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"null"),
    (JSON, b'"text"'),
    (JSON, b"[[], {}, 1e999, -0, NaN]"),
    (JSON, b"[" * 60 + b"]" * 60),
    (JSON, b"[" * 5000 + b"]" * 5000),
    (JSON, b'{"data": ' * 50 + b"1" + b"}" * 50),
    (JSON, b'{"prompt": "\xff\xfe"}'),
    (JSON, '{"prompt": "x"}'.encode("utf-16")),
    (JSON, b'{"prompt": "\\ud800", "data": ["\\ud800"], "session_hash": "\\ud800"}'),
    (JSON, b'{"data": [1' + b"0" * 5000 + b"]}"),
    (JSON, json.dumps({"fn_index": 10**30, "data": [], **CALL}).encode()),
    (JSON, json.dumps({"fn_index": -1, "data": [None], **CALL}).encode()),
    (JSON, json.dumps({"fn_index": "open", "data": {"a": 1}, **CALL}).encode()),
    (JSON, json.dumps({"fn_index": 0, "data": [{"path": "/etc/passwd"}], **CALL}).encode()),
    (JSON, json.dumps({"fn_index": None, "api_name": [], "simple_format": True}).encode()),
    (JSON, json.dumps({"event_id": {}, "session_hash": ["x"], "fn_index": 1.5}).encode()),
    (JSON, b'{"data": ["' + b"x" * 200_000 + b'"]}'),
    (FORM, b"data=%ff&fn_index=%00&username=a&password=b"),
    ("multipart/form-data", b"--x\r\n\r\n"),
    (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data; name=\r\n\r\n\xff",
    ),
    ("application/json; charset=utf-7", b"+AHs-"),
    ("", b"\x00\x01"),
)
QUERIES = (
    "",
    "?session_hash=%00&event_id=x&url=http://x",
    "?format=%ff&since=9999999&limit=-1&a=b",
)
HEADS = ({}, {"Last-Event-ID": "9" * 400}, {"Cookie": "=;;é=\u00ff; a"}, {"Range": "bytes=9-1"})
INSIDE = re.compile(r"Traceback|site-packages|File \"/|sqlalchemy|/arena/\w+\.py")


def paths(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Each method and path."""
    for route in routes:
        path = before + getattr(route, "path", "")
        if isinstance(route, Mount):
            yield from paths(route.routes or [], path)
        if included := getattr(route, "original_router", None):
            prefix = getattr(route.include_context, "prefix", "")  # type: ignore[attr-defined]
            yield from paths(included.routes, before + prefix)
        for method in getattr(route, "methods", None) or ():
            if method in ("GET", "POST", "PUT", "DELETE"):
                yield method, path


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    database = f"sqlite:///{tmp_path / 'arena.db'}"
    house = House(config.load({}, None, DATABASE_URL=database))

    async def built() -> FastAPI:
        # In a loop, or Gradio makes one of its own and leaves it.
        await house.ledger.open()
        return build_app(house)

    yield asyncio.run(built())
    asyncio.run(house.close())


async def asked(client: httpx.AsyncClient, method: str, path: str, **what: object) -> str:
    """What is wrong with the answer; empty where nothing is. A stream is left as it begins."""
    try:
        async with client.stream(method, path, timeout=20, **what) as answer:  # type: ignore[arg-type]
            stream = "event-stream" in answer.headers.get("content-type", "")
            told = "" if stream else (await answer.aread()).decode(errors="replace")
    except httpx.RemoteProtocolError as error:
        return f"{method} {path[:80]}: {error}"
    known = answer.status_code < 500 or answer.status_code == 503
    shown = INSIDE.search(told) if answer.is_error else None
    if known and not shown:
        return ""
    sent = what.get("content", b"")
    return (
        f"{method} {path[:80]} {answer.status_code} {shown} of {bytes(sent)[:60]!r}: {told[:200]}"  # type: ignore[call-overload]
    )


@pytest.mark.slow
def test_no_nonsense_makes_any_route_fail(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    ways = sorted(set(paths(app.routes)))
    known = {path for _, path in ways}
    assert {"/api/arena/battles", "/gradio_api/run/{api_name}", "/readyz"} <= known, known
    assert {path.split("/")[1] for path in known} <= {"", *OWN}
    places, queries, heads = cycle(PLACES), cycle(QUERIES), cycle(HEADS)

    def filled(path: str) -> str:
        return re.sub(r"\{[^}]*\}", lambda _: next(places), path)

    async def scene() -> list[str]:
        async with client_of(app) as client:
            wrong = []
            for method, path in ways:
                tries = BODIES if method != "GET" else (("", b""),) * len(PLACES)
                for kind, body in tries:
                    head = {**next(heads), **({"Content-Type": kind} if kind else {})}
                    sent = {name.encode(): value.encode() for name, value in head.items()}
                    what = {"headers": sent, **({"content": body} if method != "GET" else {})}
                    wrong.append(await asked(client, method, filled(path) + next(queries), **what))
            return [each for each in wrong if each]

    with caplog.at_level(logging.ERROR):
        wrong = asyncio.run(scene())
    assert not wrong, "\n".join(wrong)
    assert not [record for record in caplog.records if record.exc_info], caplog.text


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELD = st.sampled_from(
    ("prompt", "format", "size", "round", "ballot", "seat", "judgement", "battle_id", "vote")
    + ("data", "fn_index", "session_hash", "event_id", "event_data", "trigger_id", "re", "battle")
)


@pytest.mark.slow
def test_no_value_in_any_field_makes_a_move_fail(app: FastAPI, pytestconfig: pytest.Config) -> None:
    examples = int(pytestconfig.getoption("--examples"))
    posted = [path for method, path in sorted(set(paths(app.routes))) if method == "POST"]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.dictionaries(FIELD, VALUE, max_size=6), min_size=len(posted)))
    def sent(bodies: list[dict[str, object]]) -> None:
        async def scene() -> list[str]:
            async with client_of(app) as client:
                told = [
                    await asked(
                        client,
                        "POST",
                        re.sub(r"\{[^}]*\}", "x", path),
                        content=json.dumps(body).encode(),
                        headers={"Content-Type": JSON},
                    )
                    for path, body in zip(chain(posted), bodies, strict=False)
                ]
            return list(filter(None, told))

        assert asyncio.run(scene()) == []

    sent()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 503),
        (OSError(errno.EMFILE, "Too many open files"), 503),
        (OSError(errno.ENAMETOOLONG, "File name too long"), 404),
        (KeyError("session"), 404),
    ],
)
def test_a_machine_that_fails_is_told_from_a_request_that_cannot_be_used(
    fault: Exception, status: int
) -> None:
    async def failing(*_: object) -> None:
        raise fault

    async def asked_once() -> httpx.Response:
        transport = httpx.ASGITransport(Unfailing(failing))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/file=x")

    answer = asyncio.run(asked_once())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "left on device" not in answer.text
