"""`arena bench page`: what the page takes of a browser, as tables.

It draws what `arena.bench.page` measures, and does not know how that is done.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from arena.cli.arguments import MOST, number, numbers, to_json
from arena.cli.terminal import Bar, milliseconds, table, told

if TYPE_CHECKING:
    from arena.bench.page import Load, Stream

TEXTS = ("Page", "Loaded", "Replies of")
LOADS: Mapping[str, Callable[[Load], str]] = {
    "Page": lambda r: r.program,
    "Loaded": lambda r: r.scene,
    "Requests": lambda r: str(r.requests),
    "kB": lambda r: f"{r.bytes / 1000:.0f}",
    "Ready after": lambda r: f"{r.seconds:.2f} s",
}
STREAMS: Mapping[str, Callable[[Stream], str]] = {
    "Replies of": lambda r: r.kind,
    "Slowed": lambda r: f"{r.slowed}×",
    "Longest task": lambda r: f"{milliseconds(r.longest)} ms",
    "Over 100 ms": lambda r: str(r.over),
    "Keys": lambda r: str(r.keys),
    "Answered p95": lambda r: f"{milliseconds(r.key_p95)} ms",
    "Latest": lambda r: f"{milliseconds(r.key)} ms",
    "Lost": lambda r: str(r.lost),
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Needs Chromium, and Playwright from the tests' requirements; no host."
    number(parser, "--tokens", 10, 20_000, 1500, "of each of three replies")
    number(parser, "--rate", 1, MOST, 100, "tokens/s of a reply")
    numbers(parser, "--slowed", 1, 20, "1,6", "how many times slower the processor is made")
    number(parser, "--repeat", 1, MOST, 3, "loads of each page")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.page import Plan, measured

    plan = Plan(options.tokens, options.rate, options.slowed, options.repeat)
    with Bar() as bar:
        loads, streams = asyncio.run(measured(plan, bar.show))
    title = f"Three replies of {plan.tokens} tokens at {plan.rate} tokens/s stream in"
    words = (
        "A load is the median; bytes are those on the wire. Keys are pressed ten times a second, "
        "and answered when the next picture could be drawn."
    )
    tables = [table("Loading", LOADS, loads, TEXTS), table(title, STREAMS, streams, TEXTS)]
    told(options.json, {"loads": loads, "streams": streams}, tables, words)
    return 0
