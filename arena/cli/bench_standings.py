"""`python -m arena bench standings`: how long standings take, as a table.

It draws what `arena.bench.standings` measures, and does not know how that is done.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from arena import settings as config
from arena.bench import postgresql
from arena.bench.simulated import CHARACTERS, RATERS
from arena.bench.standings import FromLedger, Place, Plan, Row, StandingsBench, arena_rank
from arena.cli.terminal import DASH, Bar, add_row, console, errors, figure, print_json, table
from arena.core.errors import LedgerFault

MISSING = "not installed"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


def bench_standings(options: argparse.Namespace) -> int:
    plan = Plan(options.votes, options.contenders, options.repeat, options.seed)
    with _ledgers(options.database) as urls:
        rows = asyncio.run(_measured(plan, urls))
    if options.json:
        print_json([{**asdict(row), "faster": row.faster} for row in rows])
    else:
        _print(plan, rows)
    return 0


@contextmanager
def _ledgers(database: str) -> Iterator[dict[str, str]]:
    """Empty databases by name: an SQLite file, and one in PostgreSQL, which is the one that is
    named or else in a server of this machine's own that is thrown away afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))
        urls = {SQLITE: f"sqlite:///{Path(folder) / 'arena.db'}"}
        if database:
            urls[POSTGRESQL if database.startswith("postgresql") else SQLITE] = database
        elif there := postgresql.programs():
            try:
                urls[POSTGRESQL] = stack.enter_context(postgresql.thrown_away(there)).url()
            except LedgerFault as fault:
                errors.print(f"{fault} It is left out.", style="yellow", markup=False)
        yield urls


async def _measured(plan: Plan, urls: dict[str, str]) -> list[Row]:
    from arena.compose import ledger_of

    places = {}
    for name, url in urls.items():
        settings = config.load(DATABASE_URL=url)
        places[name] = Place(settings.database_url, partial(ledger_of, settings))
    with Bar() as bar:
        return await StandingsBench(plan, places, bar.show).run()


def _print(plan: Plan, rows: Sequence[Row]) -> None:
    sizes = tuple(f"{row.votes:,}".replace(",", " ") for row in rows)
    title = f"{plan.contenders} contenders, votes:"
    drawn = table(title, "", *sizes, numbers=sizes)
    for name, cells in _lines(rows):
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


def _lines(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
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
    lines += [
        ("  difference in rating", _figures([r.beside.rating if r.beside else None for r in rows])),
        ("  difference in width", _figures([r.beside.width if r.beside else None for r in rows])),
        ("standings, from text", _seconds([r.standings[0] for r in rows])),
        ("standings, from categories", _seconds([r.standings[1] for r in rows])),
    ]
    for name in (SQLITE, POSTGRESQL):
        lines += _of_ledger(name, [row.ledgers.get(name) for row in rows])
    return [
        *lines,
        ("one more vote: folded in and fitted", _seconds([r.refit for r in rows])),
        ("  and the table made of it", _seconds([r.table for r in rows])),
    ]


def _of_ledger(name: str, told: Sequence[FromLedger | None]) -> list[tuple[str, list[str]]]:
    known = [ledger for ledger in told if ledger]
    if not known:
        return [(f"standings, from {name}, nothing kept", [MISSING] * len(told))]
    lines = [
        (f"standings, from {name}, nothing kept", _seconds([t.standings for t in known])),
        ("  of which reading", _seconds([t.reading for t in known])),
    ]
    if any(t.from_disk is not None for t in known):
        lines.append(("  file not in memory", _seconds([t.from_disk for t in known])))
    return [*lines, (f"  one more vote, until {name} tells", _seconds([t.news for t in known]))]


def _figures(values: Sequence[float | None], how: str = "{:.4f}") -> list[str]:
    return [figure(value, how) for value in values]


def _seconds(values: Sequence[float | None], missing: str = DASH) -> list[str]:
    return [missing if v is None else f"{v:.4f}" if v < 0.1 else f"{v:.2f}" for v in values]
