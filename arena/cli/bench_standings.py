"""`python -m arena bench standings`: how long standings take, as a table.

It draws what `arena.bench.standings` measures, and does not know how that is done.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from arena import settings as config
from arena.bench.simulated import CHARACTERS, RATERS
from arena.bench.standings import Plan, Row, StandingsBench, arena_rank
from arena.cli.terminal import DASH, Bar, add_row, console, figure, print_json, table

MISSING = "not installed"


def bench_standings(options: argparse.Namespace) -> int:
    plan = Plan(options.votes, options.contenders, options.repeat, options.seed)
    if options.database:
        rows = asyncio.run(_measured(plan, options.database))
    else:
        with TemporaryDirectory(prefix="arena-bench-") as folder:
            rows = asyncio.run(_measured(plan, f"sqlite:///{Path(folder) / 'arena.db'}"))
    if options.json:
        print_json([{**asdict(row), "faster": row.faster} for row in rows])
    else:
        _print(plan, rows, options.database)
    return 0


async def _measured(plan: Plan, database: str) -> list[Row]:
    from arena.compose import ledger_of

    settings = config.load(DATABASE_URL=database)
    opened = partial(ledger_of, settings)
    with Bar() as bar:
        return await StandingsBench(plan, settings.database_url, opened, bar.show).run()


def _print(plan: Plan, rows: Sequence[Row], database: str) -> None:
    sizes = tuple(f"{row.votes:,}".replace(",", " ") for row in rows)
    kept = "PostgreSQL" if database.startswith("postgresql") else "SQLite"
    title = f"{plan.contenders} contenders, votes:"
    drawn = table(title, "", *sizes, numbers=sizes)
    for name, cells in _lines(rows, kept):
        add_row(drawn, name, *cells)
    console.print(drawn)
    console.print(
        f"Medians of {plan.repeat}, in seconds. Like for like: no prior, intervals of single "
        "votes, as arena-rank makes them, and only ratings and intervals; differences are the "
        "largest, in points. Standings: the whole table with prior and clustered intervals. "
        f"Simulated battles of 1 to 3 votes by {RATERS} uneven raters; in the ledger every vote "
        f"has conversations of {CHARACTERS} bytes.",
        markup=False,
    )


def _lines(rows: Sequence[Row], kept: str) -> list[tuple[str, list[str]]]:
    there = arena_rank()
    lines = []
    for place, way in enumerate(("text", "categories")):
        rival = [r.beside.seconds[place] if r.beside else None for r in rows]
        lines += [
            (f"arena-rank {there}".strip() + f", from {way}", _seconds(rival, MISSING)),
            (f"like for like, from {way}", _seconds([r.like_for_like[place] for r in rows])),
            (
                "  times faster",
                _figures([r.faster[place] if r.faster else None for r in rows], "{:.0f}×"),
            ),
        ]
    return [
        *lines,
        ("  difference in rating", _figures([r.beside.rating if r.beside else None for r in rows])),
        ("  difference in width", _figures([r.beside.width if r.beside else None for r in rows])),
        ("standings, from text", _seconds([r.standings[0] for r in rows])),
        ("standings, from categories", _seconds([r.standings[1] for r in rows])),
        (f"standings, from {kept}, nothing kept", _seconds([r.ledger for r in rows])),
        ("  of which reading", _seconds([r.reading for r in rows])),
        ("  file not in memory", _seconds([r.from_disk for r in rows])),
        ("one more vote: told by the ledger", _seconds([r.news for r in rows])),
        ("one more vote: folded in and fitted", _seconds([r.refit for r in rows])),
    ]


def _figures(values: Sequence[float | None], how: str = "{:.4f}") -> list[str]:
    return [figure(value, how) for value in values]


def _seconds(values: Sequence[float | None], missing: str = DASH) -> list[str]:
    return [missing if v is None else f"{v:.4f}" if v < 0.1 else f"{v:.2f}" for v in values]
