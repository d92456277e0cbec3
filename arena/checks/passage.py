"""For deploy-check: whether an arena is reached, and what the proxies let through, and how: events
as they come, addresses of visitors, bodies of a sensible size, headers; nothing for operators.

It does not know which proxies those are.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from arena.checks.findings import Finding, called, fail, ok, warn
from arena.checks.visitor import SIGN_IN, Elsewhere, Visitor, detail, events
from arena.play.images import LARGEST
from arena.web.headers import REPLICA
from arena.web.operators import is_loopback
from arena.web.replica import EVENTS, GAP_S, PROBE

USABLE, UNUSABLE = LARGEST - 1000, 8_000_000
"""Bytes of a body: one as large as a battle with images may bring, and one that nothing should
take."""

FOR_OPERATORS = ("/api/arena/hosts", "/metrics")
SIZE = "nginx: client_max_body_size 5m"
SEE = "arena/deploy/nginx/nginx.conf has it."


async def reached(visitor: Visitor) -> Finding:
    """Fails where no arena is."""
    mend = "Start the replicas and nginx (see Several replicas), or correct --url."
    try:
        alive = await visitor.ask("GET", "/healthz")
    except Elsewhere as error:
        return fail("url", error.what, mend)
    if alive.status_code != 200 or REPLICA not in alive.headers:
        what = f"answers {alive.status_code} to /healthz, but not as an arena does"
        return fail("url", f"{visitor.url} {what}", mend)
    parts = urlsplit(visitor.url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return ok("url", f"{visitor.url} answers")
    return warn(
        "url",
        f"{visitor.url} is not encrypted: prompts and votes can be read on their way",
        "Give nginx a certificate: arena-listen-tls.conf in the place of arena-listen.conf.",
    )


async def admitted(visitor: Visitor) -> AsyncIterator[Finding]:
    """Fails where signing in is asked for, by the arena or by what is in front of it."""
    answer = await visitor.ask("GET", "/api/arena/status")
    if answer.status_code in (401, 403) or answer.is_redirect:
        who = (
            "the arena lets" if REPLICA in answer.headers else "what is in front of the arena lets"
        )
        yield fail("gate", f"{who} in only who signs in ({answer.status_code})", f"{SIGN_IN}.")


async def ready(visitor: Visitor) -> AsyncIterator[Finding]:
    answer = await visitor.ask("GET", "/readyz")
    if answer.status_code == 200:
        yield ok("ready", "battles can be had")
    else:
        mend = f"Run `{called()} doctor` on a replica's machine."
        yield fail("ready", f"no battle can be had: {detail(answer)}", mend)


async def stream(visitor: Visitor) -> AsyncIterator[Finding]:
    """When the events of a stream come that are sent at known times."""
    arrived, known = [], True
    async with visitor.streamed(PROBE) as response:
        coding = response.headers.get("content-encoding", "")
        async for event in events(response):
            arrived.append(time.monotonic())
            known = event.get("caller_is_known", True)
    apart = arrived[-1] - arrived[0] if arrived else 0.0
    came = f"{len(arrived)} of {EVENTS} came within {apart:.2f} s"
    how = f"compressed ({coding}), {came}" if coding else came
    if len(arrived) == EVENTS and apart > (EVENTS - 1) * GAP_S / 2:
        yield ok("stream", f"events come as they are sent: {how}")
    else:
        mend = (
            "Switch buffering and compression off for event streams on every proxy (nginx: "
            "proxy_buffering off, gzip off, no proxy_ignore_headers X-Accel-Buffering). " + SEE
        )
        yield fail("stream", f"events are held back: {how}, sent each {GAP_S} s", mend)
    if known:
        yield ok("address", "visitors are told apart by their own addresses")
    else:
        text = "all visitors have the proxy's address: one can use up the limits of all"
        mend = "Name that address in ARENA_PROXIES in the settings of every replica."
        yield fail("address", text, mend)


async def operators(visitor: Visitor) -> AsyncIterator[Finding]:
    for path in FOR_OPERATORS:
        answer = await visitor.ask("GET", path)
        if answer.is_error:
            yield ok("operators", f"{path} is refused ({answer.status_code})")
        else:
            text = f"{path} is told to visitors: speeds can tell who is who"
            mend = (
                "Let the proxy set X-Forwarded-For and refuse the path; unless this URL is a "
                f"replica's own, which only operators can reach. {SEE}"
            )
            yield fail("operators", text, mend)


async def bodies(visitor: Visitor) -> AsyncIterator[Finding]:
    """A battle with images passes, and nonsense is not read to its end: by the page's route, as
    the API has a limit of its own."""
    unknown = {"prompt": "x" * USABLE, "check": True}
    size = f"a body of {USABLE / 1_000_000:.1f} MB, as battles with images have,"
    for path in ("/api/arena/battles", "/gradio_api/run/predict"):
        if await _refused(visitor, path, json=unknown):
            mend = f"Let the proxy take bodies as large ({SIZE}). {SEE}"
            yield fail("body", f"{size} is refused by its size at {path}", mend)
        else:
            yield ok("body", f"{size} is taken at {path}")

    async def pieces() -> AsyncGenerator[bytes, None]:
        for _ in range(UNUSABLE // 100_000):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json", "Content-Length": str(UNUSABLE)}
    size = f"a body of {UNUSABLE // 1_000_000} MB"
    if await _refused(visitor, path, content=pieces(), headers=headers):
        yield ok("body", f"{size} is refused")
    else:
        mend = f"Let the proxy refuse it ({SIZE}). {SEE}"
        yield warn("body", f"{size} is read in whole", mend)


async def _refused(visitor: Visitor, path: str, **body: Any) -> bool:
    """By its size, or it was cut off."""
    try:
        return (await visitor.ask("POST", path, **body)).status_code == 413
    except Elsewhere:
        return True


def headers(page: httpx.Response) -> Finding:
    """Of the page, which they are for."""
    told, secure = page.headers, page.url.scheme == "https"
    policy = told.get("content-security-policy", "")
    wanted = {
        "has no X-Content-Type-Options": "x-content-type-options" in told,
        "has no Referrer-Policy": "referrer-policy" in told,
        "has not the arena's Content-Security-Policy": "img-src" in policy,
        "can be framed by other sites": "frame-ancestors" in policy or "x-frame-options" in told,
        "has no Strict-Transport-Security": "strict-transport-security" in told or not secure,
    }
    if wrong := [what for what, there in wanted.items() if not there]:
        return warn("headers", f"the page {', '.join(wrong)}", SEE)
    return ok("headers", "the page has its security headers")
