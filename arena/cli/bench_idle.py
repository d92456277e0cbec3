"""`python -m arena bench idle`: what an arena costs that nobody uses, as a table.

It draws what `arena.bench.idle` measures, and does not know how that is done.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from arena.bench.idle import IdleBench, Plan, Row
from arena.cli.terminal import Bar, add_row, console, print_json, table


def bench_idle(options: argparse.Namespace) -> int:
    with Bar() as bar:
        rows = asyncio.run(IdleBench(Plan(options.seconds, options.pages), bar.show).run())
    if options.json:
        print_json([asdict(row) for row in rows])
    else:
        _print(rows)
    return 0


def _print(rows: Sequence[Row]) -> None:
    programs = list(dict.fromkeys(row.program for row in rows))
    drawn = table("CPU while nobody plays", "Pages", "", *programs, numbers=("Pages", *programs))
    for pages, scene in dict.fromkeys((row.pages, row.scene) for row in rows):
        found = {r.program: r.cpu for r in rows if (r.pages, r.scene) == (pages, scene)}
        add_row(drawn, str(pages), scene, *(f"{found[name]:.2%}" for name in programs))
    console.print(drawn)
    console.print("Of one core, for each process.")
