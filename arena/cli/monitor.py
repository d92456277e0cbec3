"""`arena monitor`: every host with its models, slots, queue, speeds and faults, live.

It draws `core.hosts.overview.Overview` as JSON has it, from a running arena or from the hosts
directly. It does not know how hosts are watched.
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from arena import settings as config
from arena.checks.findings import called
from arena.cli.arguments import seconds, url
from arena.cli.terminal import DASH, console, figure, gigabytes, print_json, table
from arena.cli.warm import PLACES
from arena.core.errors import NoCapacity
from arena.core.hosts.placement import Share

Seen = Mapping[str, Any]
"""An Overview as JSON, with `from`: the URL of the arena that told it, empty if none did."""

Look = Callable[[], Awaitable[Seen]]

DIRECTLY = (
    "No arena runs here, so the hosts were asked directly: slots, queue, speeds and faults are "
    "not known.\nName a running arena with --url."
)


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Asks a running arena on this machine, which knows slots, queue and speeds; without one "
        "it looks at the hosts directly. Exit code 0: every host is up; 1: not so."
    )
    url(parser)
    parser.add_argument("--once", action="store_true", help="look once, then end")
    lines = "as JSON; one line a look unless --once"
    parser.add_argument("--json", action="store_true", help=lines)
    seconds(parser, "--every", 2, "between two looks")


async def run(options: Namespace) -> int:
    from asyncio import CancelledError, sleep

    live = Live(console=console, screen=False, auto_refresh=False)
    with nullcontext() if options.once or options.json else live:
        try:
            async with _source(options.url) as look:
                while True:
                    seen = await look()
                    if options.json:
                        print_json(seen, one_line=not options.once)
                    elif options.once:
                        console.print(_drawn(seen))
                    else:
                        live.update(_drawn(seen), refresh=True)
                    if options.once:
                        return int(not all(host["up"] for host in seen["hosts"]))
                    await sleep(options.every)
        except CancelledError:  # Ctrl-C.
            return 0


@asynccontextmanager
async def _source(url: str) -> AsyncIterator[Look]:
    """A function that looks: at the arena of the URL, at the one on this machine, or else at
    the hosts themselves."""
    from arena.checks.visitor import Elsewhere, Visitor, let_in, local_arena

    settings = config.load()
    allowed = await let_in(settings)
    async with Visitor(url or local_arena(settings), allowed=allowed) as visitor:

        async def through_arena() -> Seen:
            return {"from": visitor.url, **await visitor.call("/api/arena/hosts")}

        try:
            await through_arena()
        except Elsewhere:
            if url:
                raise
        else:
            yield through_arena
            return
        async with _directly(settings) as look:
            yield look


@asynccontextmanager
async def _directly(settings: config.Settings) -> AsyncIterator[Look]:
    from arena.compose import reaching
    from arena.core.hosts.overview import Overview

    async with reaching(settings, engine=False) as house:
        if not house.hosts.reports():
            raise NoCapacity(
                "No arena runs here, no host is set, and no local Ollama has two of the models. "
                f"Start the arena with `{called()}`, or set OLLAMA_HOST."
            )

        async def look() -> Seen:
            await house.hosts.look()
            hosts = house.hosts
            seen = Overview(
                house.supply.source, hosts.reports(), {}, settings.gpu_cost, hosts.problems, False
            )
            return {"from": "", **asdict(seen)}

        yield look


def _drawn(seen: Seen) -> Group:
    who = f"arena at {seen['from']}" if seen["from"] else DIRECTLY
    parts: list[Any] = [Text(f"{time.strftime('%H:%M:%S')}  {who}", style="dim")]
    parts += [_host(host, seen) for host in seen["hosts"]]
    parts += [Text(f"note  {note}", style="yellow") for note in seen["notes"]]
    return Group(*parts)


def _host(host: Mapping[str, Any], seen: Seen) -> RenderableType:
    if not host["models"]:
        return Text(_headline(host, seen), style="bold")
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "Model": _model,
        "Loaded": lambda m: PLACES[Share(m["share"])],
        "VRAM": lambda m: gigabytes(m["vram"]) if m["resident"] else DASH,
    }
    if seen["from"]:
        columns |= {
            "First token p50/p95": lambda m: _spread(m["ttft_ms"], 1 / 1000, "{:.2f} s"),
            "Tokens/s p50/p95": lambda m: _spread(m["tokens_per_s"], 1.0, "{:.1f}"),
            "Replies": lambda m: str(m["tokens_per_s"]["count"]),
        }
    models = sorted(host["models"], key=lambda m: not m["plays"])
    drawn = table(_headline(host, seen), columns, models, ("Model", "Loaded"))
    drawn.caption = Text(_faults(host), style="dim")
    return drawn


def _model(model: Mapping[str, Any]) -> str:
    name = model["name"] if model["plays"] else f"{model['name']} (not on the roster)"
    return f"{name}: {model['unfit']}" if model["unfit"] else name


def _headline(host: Mapping[str, Any], seen: Seen) -> str:
    if not host["up"]:
        return f"{host['url']}  DOWN"
    breaker = "" if host["breaker"] == "closed" else f", breaker {host['breaker']}"
    parts = [f"{host['url']}  up{breaker}", f"Ollama {host['version']}", gigabytes(host["vram"])]
    if seen["from"]:
        parts.append(f"{host['slots']} slots a model")
        parts.append(f"{host['leases']} writing, {host['queue']} waiting")
    if cost := seen["costs"].get(host["url"]):
        parts.append(f"{cost['cost']:.5f} a battle ({cost['seconds']:.1f} s)")
    return "  ·  ".join(parts)


def _faults(host: Mapping[str, Any]) -> str:
    if not host["faults"]:
        return ""
    counted = ", ".join(f"{f['model']}: {f['kind']} {f['count']}×" for f in host["faults"])
    return f"Faults: {counted}. The last: {host['last_fault']}"


def _spread(spread: Mapping[str, Any], scale: float, how: str) -> str:
    values = [None if spread[p] is None else spread[p] * scale for p in ("p50", "p95")]
    return " / ".join(figure(value, how) for value in values)
