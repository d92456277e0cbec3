"""For deploy-check: whether a battle can be played on the page, and whether all replicas are one
arena to a visitor.

It does not know which proxies are in between.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from arena.checks.findings import Finding, fail, ok, warn
from arena.checks.page import Page
from arena.checks.passage import SEE, headers
from arena.checks.playing import Player
from arena.checks.visitor import Elsewhere, Visitor, detail, events
from arena.core.battle.record import REHEARSAL
from arena.core.errors import ArenaError
from arena.web.headers import REPLICA

CALLS = 12
"""So many calls miss one of two replicas once in 2000 times."""

PATIENT_S = 2.0
"""What was told before the stream was asked for comes at once; a sign of life, which would push
it through a small buffer, only after five seconds."""

PROMPT = "A check of the deployment. Say: well."
PASSED_ON = (
    "Let the proxy send X-Forwarded-Host and X-Forwarded-Proto, and pass on /gradio_api and "
    "/api/arena; behind a path, also name that in ARENA_ROOT_PATH in the settings of every "
    f"replica, and lead the path without a slash to the one with it. {SEE}"
)


async def played(visitor: Visitor) -> AsyncIterator[Finding]:
    """In a browser that keeps its cookies, by the page's own calls."""
    async with visitor.browsing() as browser:
        try:
            page = await Page.opened(browser)
            yield headers(page.answer)
            player = Player(page, "")
            await player.play(PROMPT)
        except Elsewhere as error:
            yield fail("page", f"no battle can be played on the page: {error.what}", PASSED_ON)
        except ArenaError as error:
            mend = "See what is said of `ready` and `stream`; doctor looks at the hosts."
            yield fail("page", f"a battle on the page did not come to its end: {error}", mend)
        else:
            timing = player.timing
            text = f"a battle was played on the page in {timing.total_s:.1f} s"
            yield ok("page", f"{text}; its {timing.rows} votes are kept and not ranked")
        for _ in range(CALLS):
            await browser.ask("GET", "/api/arena/status")
        yield _sticky(len(browser.replicas))
        visitor.replicas |= browser.replicas


def _sticky(met: int) -> Finding:
    """Gradio keeps the session of a page in one process."""
    if met == 1:
        return ok("sticky", "all calls of a page met one replica")
    return fail(
        "sticky",
        f"the calls of one page met {met} replicas: Gradio answers them with errors",
        "Let the proxy keep a visitor on one replica by a cookie, as arena/deploy/nginx/nginx.conf "
        "does, or by the address.",
    )


async def together(visitor: Visitor) -> AsyncIterator[Finding]:
    """How many there are, and whether they share battles."""
    for _ in range(CALLS):
        await visitor.ask("GET", "/api/arena/status")
    if len(visitor.replicas) > 1:
        yield ok("replicas", f"{len(visitor.replicas)} replicas answer")
        yield await _shared(visitor)
    else:
        text = "one replica answered every call: there is one, or visitors are led by their address"
        yield ok("replicas", text)


async def _shared(visitor: Visitor) -> Finding:
    """A battle that is opened on one replica, followed on another."""
    body = {"prompt": PROMPT, "study": REHEARSAL}
    opened = await visitor.ask("POST", "/api/arena/battles", json=body)
    if opened.status_code != 201:
        text = f"whether replicas share battles is not known: {detail(opened)}"
        return warn("shared", text, "Check again when battles can be had.")
    path = f"/api/arena/battles/{opened.json()['battle']}"
    try:
        for _ in range(CALLS):
            if found := await _followed(visitor, path, opened.headers[REPLICA]):
                return found
    except Elsewhere:
        text = "the events of a battle come late"
        return fail("shared", text, "See what is said of `stream` and `redis`.")
    finally:
        await visitor.ask("DELETE", path)
    return warn("shared", "the battle was asked for on its own replica only", "Check again.")


async def _followed(visitor: Visitor, path: str, home: str) -> Finding | None:
    """None where the replica that has the battle answers."""
    async with visitor.streamed(f"{path}/events", PATIENT_S) as response:
        if response.headers.get(REPLICA) == home:
            return None
        if response.status_code == 200:
            async with aclosing(events(response)) as told:
                async for _ in told:
                    return ok("shared", "a battle of one replica is followed on another")
    text = f"a battle of one replica cannot be followed on another ({response.status_code})"
    mend = "Set REDIS_URL on every replica, the same for all, and restart them."
    return fail("shared", text, mend)
