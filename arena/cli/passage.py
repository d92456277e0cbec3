"""For deploy-check: what the proxies let through, and how: events as they come, addresses of
visitors, bodies of a sensible size, headers; and nothing that is for operators.

It does not know which proxies those are.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from http.cookies import SimpleCookie

import httpx

from arena.cli.doctor import Finding
from arena.cli.visitor import Visitor
from arena.web.replica import EVENTS, GAP_S, PROBE

USABLE, UNUSABLE = 200_000, 8_000_000
"""Bytes of a body: one that the arena takes, and one that nothing should take."""

FOR_OPERATORS = ("/api/arena/hosts", "/metrics")
SEE = "arena/deploy/nginx/nginx.conf has it."


async def stream(visitor: Visitor) -> AsyncIterator[Finding]:
    """When the events of a stream come that are sent at known times."""
    arrived, known = [], True
    async with visitor.streamed(PROBE) as response:
        coding = response.headers.get("content-encoding", "")
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                arrived.append(time.monotonic())
                known = json.loads(line.removeprefix("data:")).get("caller_is_known", True)
    yield _pace(arrived)
    if coding:
        text = f"event streams are compressed ({coding}), which can hold events back"
        mend = "Leave text/event-stream out of what is compressed (nginx: gzip_types)."
        yield Finding("gzip", "fail", text, mend)
    else:
        yield Finding("gzip", "ok", "event streams are not compressed")
    if known:
        yield Finding("address", "ok", "visitors are told apart by their own addresses")
    else:
        text = "all visitors have the proxy's address: one can use up the limits of all"
        mend = "Name that address in FORWARDED_ALLOW_IPS in the environment of every replica."
        yield Finding("address", "fail", text, mend)


def _pace(arrived: list[float]) -> Finding:
    """arrived: when each event came, in seconds."""
    apart = arrived[-1] - arrived[0] if arrived else 0.0
    meant = (EVENTS - 1) * GAP_S
    if len(arrived) == EVENTS and apart > meant / 2:
        text = f"events come as they are sent: {EVENTS} over {apart:.2f} s"
        return Finding("stream", "ok", text)
    return Finding(
        "stream",
        "fail",
        f"events are held back: {len(arrived)} of {EVENTS} came within {apart:.2f} s instead of "
        f"{meant:.1f} s",
        "Switch buffering off for event streams on every proxy (nginx: proxy_buffering off, and no "
        f"proxy_ignore_headers X-Accel-Buffering). {SEE}",
    )


async def operators(visitor: Visitor) -> AsyncIterator[Finding]:
    for path in FOR_OPERATORS:
        answer = await visitor.ask("GET", path)
        if answer.is_error:
            yield Finding("operators", "ok", f"{path} is refused ({answer.status_code})")
        else:
            yield Finding(
                "operators",
                "fail",
                f"{path} is told to visitors: speeds can tell who is who",
                "Let the proxy set X-Forwarded-For and refuse the path; unless this URL is a "
                f"replica's own, which only operators can reach. {SEE}",
            )


async def bodies(visitor: Visitor) -> AsyncIterator[Finding]:
    """A long prompt passes, and nonsense is not read to its end."""
    unknown = {"prompt": "x" * USABLE, "check": True}
    answer = await visitor.ask("POST", "/api/arena/battles", json=unknown)
    size = f"{USABLE // 1000} kB"
    if answer.status_code == 413:
        mend = f"Let the proxy take bodies as large (nginx: client_max_body_size 2m). {SEE}"
        yield Finding("body", "fail", f"a body of {size} is refused by its size", mend)
    else:
        yield Finding("body", "ok", f"a body of {size} is taken")
    yield await _unusable(visitor)


async def _unusable(visitor: Visitor) -> Finding:
    """To the page, which has no limit of its own."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(UNUSABLE // 100_000):
            yield b" " * 100_000

    size = f"a body of {UNUSABLE // 1_000_000} MB"
    headers = {"Content-Type": "application/json", "Content-Length": str(UNUSABLE)}
    join = "/gradio_api/queue/join"
    try:
        answer = await visitor.ask("POST", join, content=pieces(), headers=headers)
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return Finding("body", "ok", f"{size} is cut off")
    if answer.status_code == 413:
        return Finding("body", "ok", f"{size} is refused")
    mend = f"Let the proxy refuse it (nginx: client_max_body_size 2m). {SEE}"
    return Finding("body", "warn", f"{size} is read in whole", mend)


async def headers(visitor: Visitor) -> AsyncIterator[Finding]:
    page = (await visitor.browse())[0]
    secure = visitor.url.startswith("https://")
    wrong = [*_missing(page.headers, secure), *_cookies(page.headers, secure)]
    if wrong:
        yield Finding("headers", "warn", f"the page {', '.join(wrong)}", SEE)
    else:
        yield Finding("headers", "ok", "the page has its security headers")


def _missing(headers: Mapping[str, str], secure: bool) -> list[str]:
    policy = headers.get("content-security-policy", "")
    wanted = {
        "has no X-Content-Type-Options": "x-content-type-options" in headers,
        "has no Referrer-Policy": "referrer-policy" in headers,
        "has not the arena's Content-Security-Policy": "img-src" in policy,
        "can be framed by other sites": "frame-ancestors" in policy or "x-frame-options" in headers,
        "has no Strict-Transport-Security": "strict-transport-security" in headers or not secure,
    }
    return [what for what, there in wanted.items() if not there]


def _cookies(headers: httpx.Headers, secure: bool) -> list[str]:
    wrong = []
    for text in headers.get_list("set-cookie"):
        for name, cookie in SimpleCookie(text).items():
            if not cookie["httponly"]:
                wrong.append(f"sets the cookie {name} without HttpOnly")
            if secure and not cookie["secure"]:
                wrong.append(f"sets the cookie {name} without Secure")
    return wrong
