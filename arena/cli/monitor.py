"""`python -m arena monitor`: every host with its models, slots, queue, speeds and faults, live.

It draws `core.hosts.overview.Overview` as JSON has it, from a running arena or from the hosts directly.
It does not know how hosts are watched.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import httpx
from rich.console import Group
from rich.live import Live
from rich.text import Text

from arena import settings as config
from arena.cli.calls import Arena, Elsewhere, local_arena
from arena.cli.terminal import DASH, add_row, called, console, figure, gigabytes, print_json, table
from arena.cli.warm import PLACES
from arena.core.hosts.placement import Share

Seen = Mapping[str, Any]
"""An Overview as JSON, with `from`: the URL of the arena that told it, empty if none did."""

Look = Callable[[], Awaitable[Seen]]

DIRECTLY = (
    "No arena runs here, so the hosts were asked directly: slots, queue, speeds and faults are "
    "not known.\nName a running arena with --url."
)
NUMBERS = ("VRAM", "First token p50/p95", "Tokens/s p50/p95", "Replies")


def monitor(options: argparse.Namespace) -> int:
    try:
        return asyncio.run(_watch(options))
    except KeyboardInterrupt:
        return 0


async def _watch(options: argparse.Namespace) -> int:
    async with _source(options.url) as look:
        if options.once or options.json:
            return await _print(look, options)
        with Live(console=console, screen=False, auto_refresh=False) as live:
            while True:
                live.update(_drawn(await look()), refresh=True)
                await asyncio.sleep(options.every)


async def _print(look: Look, options: argparse.Namespace) -> int:
    while True:
        seen = await look()
        if options.json:
            print_json(seen, one_line=not options.once)
        else:
            console.print(_drawn(seen))
        if options.once:
            return int(not all(host["up"] for host in seen["hosts"]))
        await asyncio.sleep(options.every)


@asynccontextmanager
async def _source(url: str) -> AsyncIterator[Look]:
    """A function that looks: at the arena of the URL, at the one on this machine, or else at
    the hosts themselves."""
    settings = config.load()
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        arena = Arena(http, url or local_arena(settings))

        async def through_arena() -> Seen:
            return {"from": arena.url, **await arena.get("/api/arena/hosts")}

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

    async with reaching(settings, engine=False) as house:
        if not house.hosts.reports():
            raise Elsewhere(
                "No arena runs here, no host is set, and no local Ollama has two of the models. "
                f"Start the arena with `{called()}`, or set OLLAMA_HOST."
            )

        async def look() -> Seen:
            await house.hosts.look()
            hosts = [asdict(report) for report in house.hosts.reports()]
            notes = list(house.hosts.problems)
            price = settings.gpu_cost
            return {
                "from": "",
                "source": house.supply.source,
                "hosts": hosts,
                "notes": notes,
                "costs": {},
                "price": price,
                "watched": False,
            }

        yield look


def _drawn(seen: Seen) -> Group:
    who = f"arena at {seen['from']}" if seen["from"] else DIRECTLY
    parts: list[Any] = [Text(f"{time.strftime('%H:%M:%S')}  {who}", style="dim")]
    parts += [_host(host, seen) for host in seen["hosts"]]
    parts += [Text(f"note  {note}", style="yellow") for note in seen["notes"]]
    return Group(*parts)


def _host(host: Mapping[str, Any], seen: Seen) -> Any:
    if not host["models"]:
        return Text(_headline(host, seen), style="bold")
    measured = bool(seen["from"])
    columns = ["Model", "Loaded", "VRAM", *(NUMBERS[1:] if measured else ())]
    drawn = table(_headline(host, seen), *columns, numbers=NUMBERS)
    for model in sorted(host["models"], key=lambda m: not m["plays"]):
        name = model["name"] if model["plays"] else f"{model['name']} (not on the roster)"
        if model["unfit"]:
            name = f"{name}: {model['unfit']}"
        place = PLACES[Share(model["share"])]
        cells = [name, place, gigabytes(model["vram"]) if model["resident"] else DASH]
        if measured:
            cells.append(_spread(model["ttft_ms"], 1 / 1000, "{:.2f} s"))
            cells.append(_spread(model["tokens_per_s"], 1.0, "{:.1f}"))
            cells.append(str(model["tokens_per_s"]["count"]))
        add_row(drawn, *cells)
    drawn.caption = Text(_faults(host), style="dim")
    return drawn


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
