"""`python -m arena deploy-check`: whether a deployment of several replicas is sound, and how to
mend it.

It asks an arena through its public URL as a visitor does, and looks at what its replicas share.
It changes nothing, but opens one battle that it ends without a vote. It does not know adapters.
"""

from __future__ import annotations

import argparse
import asyncio

import httpx

from arena import settings as config
from arena.cli import nginx_files, passage, replicas, sharing
from arena.cli.calls import local_arena
from arena.cli.doctor import Finding, told
from arena.cli.visitor import Visitor
from arena.core.errors import ConfigError

CHECKS = (
    replicas.ready,
    passage.stream,
    passage.operators,
    passage.bodies,
    passage.headers,
    replicas.together,
)


def deploy_check(options: argparse.Namespace) -> int:
    """options: url, nginx (paths), json."""
    findings = asyncio.run(examine(options.url, options.nginx))
    return told(findings, as_json=options.json)


async def examine(url: str, nginx: list[str]) -> list[Finding]:
    """The files, then the arena at the URL, then what replicas share by the settings here. With
    files and no URL only the first; without either, the arena of the settings."""
    findings = [finding for path in nginx for finding in nginx_files.examine(path)]
    if nginx and not url:
        return findings
    try:
        settings = config.load()
    except ConfigError as error:
        return [*findings, Finding("settings", "fail", str(error), "Correct it, then check again.")]
    async with Visitor(url or local_arena(settings)) as visitor:
        findings += await visited(visitor)
    return findings + await sharing.examine(settings, len(visitor.replicas))


async def visited(visitor: Visitor) -> list[Finding]:
    """What can be said of an arena from outside."""
    findings = [await replicas.reached(visitor)]
    if findings[0].status == "fail":
        return findings
    for check in CHECKS:
        try:
            async for finding in check(visitor):
                findings.append(finding)
        except httpx.HTTPError as error:
            what = f"a call broke off ({type(error).__name__}: {error})"
            findings.append(Finding("url", "fail", what, "Look into the log of the proxy."))
    return findings
