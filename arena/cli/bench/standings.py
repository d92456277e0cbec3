"""`arena bench standings`: how long standings take, as a table.

It draws what `arena.bench.standings` measures, and does not know how that is done.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import MOST, as_json, number, numbers
from arena.cli.terminal import Bar, console, errors, print_json, table
from arena.core.errors import LedgerFault

if TYPE_CHECKING:
    from arena.bench.standings import Plan, Row

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Needs no host: votes are simulated."
    numbers(parser, "--votes", 1000, 10_000_000, "10000,100000,1000000", "sizes of the ledger")
    number(parser, "--contenders", 4, 300, 30, "that meet each other")
    number(parser, "--repeat", 1, MOST, 5, "of each figure")
    number(parser, "--seed", 0, 2**31, 1, "of the votes")
    database = (
        "an empty database, which is filled, for the one in PostgreSQL; default: a server that "
        "is started for the bench, where PostgreSQL is installed"
    )
    parser.add_argument("--database", default="", metavar="URL", help=database)
    rival = "also measure arena-rank, by the Python of an environment that has it"
    parser.add_argument("--arena-rank", default="", metavar="PYTHON", help=rival)
    as_json(parser, "the figures")


def run(options: Namespace) -> int:
    from arena.bench.standings import Plan

    rival = options.arena_rank
    plan = Plan(options.votes, options.contenders, options.repeat, options.seed, rival)
    with ledgers(options.database) as urls:
        rows = asyncio.run(_measured(plan, urls))
    if options.json:
        print_json([asdict(row) for row in rows])
    else:
        _print(plan, rows)
    return 0


@contextmanager
def ledgers(database: str) -> Iterator[dict[str, str]]:
    """Empty databases by name: an SQLite file, and one in PostgreSQL, which is the one that is
    named or else in a server of this machine's own that is thrown away afterwards."""
    from arena.bench import postgresql

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
    from arena.bench.standings import Place, StandingsBench
    from arena.compose import ledger_of

    places = {}
    for name, url in urls.items():
        settings = config.load(DATABASE_URL=url)
        places[name] = Place(settings.database_url, partial(ledger_of, settings))
    with Bar() as bar:
        return await StandingsBench(plan, places, bar.show).run()


def _print(plan: Plan, rows: Sequence[Row]) -> None:
    from arena.bench.simulated import CHARACTERS, RATERS

    columns: dict[str, Callable[[str], str]] = {"": str}
    for row in rows:
        cells = {what: f"{v:.4f}" if v < 0.1 else f"{v:.2f}" for what, v in row.figures.items()}
        columns[f"{row.votes:,}".replace(",", " ")] = cells.__getitem__
    title = f"{plan.contenders} contenders, votes:"
    console.print(table(title, columns, rows[0].figures, ("",)))
    console.print(
        f"Medians of {plan.repeat}, in seconds. Like for like: no prior, intervals of single "
        "votes, as arena-rank makes them, and only ratings and intervals; differences are the "
        "largest, in points. Standings: the whole table with prior and clustered intervals. "
        f"Simulated battles of 1 to 3 votes by {RATERS} uneven raters; in the ledger every vote "
        f"has conversations of {CHARACTERS} bytes. Left out is what is not there: PostgreSQL, or "
        "arena-rank, which --arena-rank names.",
        markup=False,
    )
