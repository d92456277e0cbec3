"""What deploy-check finds: an arena through its public URL as a visitor sees it, and what its
replicas share by the settings here.

It changes nothing, but plays one battle, whose votes are not ranked, and opens another.
"""

from arena import settings as config
from arena.checks import passage, replicas, stores
from arena.checks.findings import Finding, fail
from arena.checks.visitor import Visitor, let_in, local_arena
from arena.core.errors import ArenaError, ConfigError

CHECKS = (
    passage.ready,
    passage.stream,
    passage.operators,
    passage.bodies,
    replicas.played,
    replicas.together,
)


async def examine(url: str) -> list[Finding]:
    """url: empty for the arena of the settings on this machine."""
    try:
        settings = config.load()
    except ConfigError as error:
        return [fail("settings", str(error), "Correct it, then check again.")]
    allowed = await let_in(settings)
    async with Visitor(url or local_arena(settings), allowed=allowed) as visitor:
        findings = await visited(visitor)
    return findings + [f async for f in stores.shared(settings, len(visitor.replicas))]


async def visited(visitor: Visitor) -> list[Finding]:
    """What can be said of an arena from outside."""
    findings = [await passage.reached(visitor)]
    if findings[-1].status != "fail":
        findings += [finding async for finding in passage.admitted(visitor)]
    if findings[-1].status == "fail":
        return findings
    for check in CHECKS:
        try:
            findings += [finding async for finding in check(visitor)]
        except ArenaError as error:
            what = f"a call broke off: {getattr(error, 'what', error)}"
            findings.append(fail("url", what, "Look into the log of the proxy."))
    return findings
