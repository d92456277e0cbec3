"""`arena bench cpu`: what a battle costs an arena, as a table, and a profile of that.

It draws what `arena.bench.cpu` measures, and does not know how that is done.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from arena.cli.arguments import MOST, checkout, number, numbers, replies, to_json
from arena.cli.terminal import Bar, milliseconds, table, told

if TYPE_CHECKING:
    from arena.bench.cpu import Row

FIGURES: Mapping[str, Callable[[Row], str]] = {
    "At once": lambda r: str(r.at_once),
    "Battles": lambda r: str(r.battles),
    "CPU of a battle": lambda r: f"{r.cpu:.3f} s",
    "Of a token": lambda r: f"{r.token_us:.0f} µs",
    "Gap p95": lambda r: f"{milliseconds(r.gap)} ms",
}


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Starts an arena of its own on a host that writes steadily."
    replies(parser)
    number(parser, "--battles", 1, MOST, 30, "for each figure")
    numbers(parser, "--at-once", 1, MOST, "1,10,30", "how many are played at once")
    profile = "also keep a profile of the most at once in this file, for python -m pstats"
    parser.add_argument("--profile", default="", metavar="FILE", help=profile)
    checkout(parser, "measure another checkout of the project instead")
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.browser import Plan
    from arena.bench.cpu import CpuBench
    from arena.bench.launched import fast

    with Bar() as bar:
        bench = CpuBench(
            Plan(options.tokens, options.rate),
            battles=options.battles,
            at_once=options.at_once,
            profile=Path(options.profile) if options.profile else None,
            told=bar.show,
            **({"checkout": options.against[-1]} if options.against else {}),
        )
        rows = fast(bench.run())
    title = f"A battle of 3 × {options.tokens} tokens at {options.rate} tokens/s"
    words = "CPU of the arena's process, from the host to the browser's socket, votes included."
    if options.profile:
        words += f" Profile: python -m pstats {options.profile}"
    told(options.json, [asdict(row) for row in rows], [table(title, FIGURES, rows)], words)
    return 0
