"""For deploy-check: whether an arena is reached, by how many replicas it is answered, and whether
they are one arena to a visitor.

It does not know which proxies are in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import urlsplit

import httpx

from arena.cli.doctor import Finding, clock_finding
from arena.cli.visitor import Visitor, detail
from arena.core.battle.record import REHEARSAL
from arena.web.operators import is_loopback
from arena.web.replica import REPLICA

CALLS = 12
"""So many calls miss one of two replicas once in 2000 times."""

PATIENT_S = 2.0
"""What was told before the stream was asked for comes at once; a sign of life, which would push
it through a small buffer, only after five seconds."""

PAGES = ("/config", "/gradio_api/info", "/theme.css")
"""Of Gradio's calls, some that change nothing."""

PROMPT = "A check of the deployment. Say: well."


async def reached(visitor: Visitor) -> Finding:
    """Fails where no arena is. Raises nothing."""
    try:
        alive = await visitor.ask("GET", "/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _away(visitor.url, f"does not answer ({type(error).__name__}: {error})")
    if alive.status_code != 200 or not alive.headers.get(REPLICA):
        what = f"answers {alive.status_code} to /healthz, but not as an arena does"
        return _away(visitor.url, what)
    parts = urlsplit(visitor.url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return Finding("url", "ok", f"{visitor.url} answers")
    return Finding(
        "url",
        "warn",
        f"{visitor.url} is not encrypted: prompts and votes can be read on their way",
        "Give nginx a certificate: arena-listen-tls.conf in the place of arena-listen.conf.",
    )


def _away(url: str, what: str) -> Finding:
    mend = "Start the replicas and nginx (README, Several replicas), or correct --url."
    return Finding("url", "fail", f"{url} {what}", mend)


async def ready(visitor: Visitor) -> AsyncIterator[Finding]:
    """Whether battles can be had, and the clock of whoever says so."""
    answer = await visitor.ask("GET", "/readyz")
    if answer.status_code == 200:
        yield Finding("ready", "ok", "battles can be had")
    else:
        text = f"no battle can be had: {detail(answer)}"
        yield Finding("ready", "fail", text, "Run `python -m arena doctor` on a replica's machine.")
    if clock := clock_finding(visitor.url, answer.headers.get("date", ""), time.time()):
        yield clock


async def together(visitor: Visitor) -> AsyncIterator[Finding]:
    """How many there are, whether a page stays with one, and whether they share battles."""
    for _ in range(CALLS):
        await visitor.ask("GET", "/api/arena/status")
    seen = len(visitor.replicas)
    if seen > 1:
        yield Finding("replicas", "ok", f"{seen} replicas answer")
    else:
        text = "one replica answered every call: there is one, or visitors are led by their address"
        yield Finding("replicas", "ok", text)
    yield await _sticky(visitor)
    if seen > 1:
        yield await _shared(visitor)


async def _sticky(visitor: Visitor) -> Finding:
    """Gradio keeps the session of a page in one process."""
    session = [f"{path}?session_hash=deploycheck" for path in PAGES * 3]
    met = {response.headers.get(REPLICA, "") for response in await visitor.browse(*session)}
    if len(met) == 1:
        return Finding("sticky", "ok", f"all {1 + len(session)} calls of a page met one replica")
    return Finding(
        "sticky",
        "fail",
        f"the calls of one page met {len(met)} replicas: Gradio answers them with errors",
        "Let the proxy keep a visitor on one replica by a cookie, as arena/deploy/nginx/nginx.conf "
        "does, or by the address.",
    )


async def _shared(visitor: Visitor) -> Finding:
    """A battle that is opened on one replica, followed on another."""
    body = {"prompt": PROMPT, "study": REHEARSAL}
    opened = await visitor.ask("POST", "/api/arena/battles", json=body)
    if opened.status_code != 201:
        text = f"whether replicas share battles is not known: {detail(opened)}"
        return Finding("shared", "warn", text, "Check again when battles can be had.")
    path = f"/api/arena/battles/{opened.json()['battle']}"
    try:
        return await _followed_elsewhere(visitor, path, opened.headers[REPLICA])
    finally:
        await visitor.ask("DELETE", path)


async def _followed_elsewhere(visitor: Visitor, path: str, home: str) -> Finding:
    for _ in range(CALLS):
        try:
            async with asyncio.timeout(PATIENT_S):
                if found := await _followed(visitor, path, home):
                    return found
        except TimeoutError:
            text = "the events of a battle come late"
            return Finding("shared", "fail", text, "See what is said of `stream` and `redis`.")
    return Finding(
        "shared", "warn", "the battle was asked for on its own replica only", "Check again."
    )


async def _followed(visitor: Visitor, path: str, home: str) -> Finding | None:
    """None where the replica that has the battle answers."""
    async with visitor.streamed(f"{path}/events") as response:
        if response.headers.get(REPLICA) == home:
            return None
        if response.status_code == 404:
            mend = "Set REDIS_URL on every replica, the same for all, and restart them."
            text = "a battle of one replica is not known to another"
            return Finding("shared", "fail", text, mend)
        if response.is_error:
            await response.aread()
            text = f"a battle of one replica cannot be followed on another: {detail(response)}"
            return Finding("shared", "fail", text, "Look into the log of the replicas.")
        async with aclosing(response.aiter_lines()) as lines:
            async for line in lines:
                if line.startswith("data:"):
                    text = "a battle of one replica is followed on another"
                    return Finding("shared", "ok", text)
    text = "a battle of one replica ends on another without a word"
    return Finding("shared", "fail", text, "Look into the log of the replicas.")
