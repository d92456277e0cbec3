"""`arena bench standings`: how long standings take, as a table.

It draws what `arena.bench.standings` measures, and does not know how that is done.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from arena import settings as config
from arena.cli.arguments import MOST, number, numbers, to_json
from arena.cli.terminal import Bar, table, told

if TYPE_CHECKING:
    from arena.bench.standings import Plan, Row


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Needs no host: votes are simulated."
    numbers(parser, "--votes", 1000, 10_000_000, "10000,100000,1000000", "sizes of the ledger")
    number(parser, "--contenders", 4, 300, 30, "that meet each other")
    number(parser, "--repeat", 1, MOST, 5, "of each figure")
    number(parser, "--seed", 0, 2**31, 1, "of the votes")
    database = "also measure from this database in PostgreSQL, which has to be empty and is filled"
    parser.add_argument("--database", default="", metavar="URL", help=database)
    to_json(parser)


async def run(options: Namespace) -> int:
    from arena.bench.simulated import CHARACTERS, RATERS
    from arena.bench.standings import Plan

    plan = Plan(options.votes, options.contenders, options.repeat, options.seed)
    rows = await _measured(plan, options.database)
    columns: dict[str, Callable[[str], str]] = {"": str}
    for row in rows:
        cells = {what: f"{v:.4f}" if v < 0.1 else f"{v:.2f}" for what, v in row.figures.items()}
        columns[f"{row.votes:,}".replace(",", " ")] = cells.__getitem__
    drawn = table(f"{plan.contenders} contenders, votes:", columns, rows[0].figures, ("",))
    words = (
        f"Medians of {plan.repeat}, in seconds. Simulated battles of 1 to 3 votes by {RATERS} uneven "
        f"raters; in the ledger every vote has conversations of {CHARACTERS} bytes."
    )
    told(options.json, rows, [drawn], words)
    return 0


async def _measured(plan: Plan, database: str) -> list[Row]:
    from arena.bench.standings import StandingsBench
    from arena.compose import ledger_of

    with ledgers(database) as urls, Bar() as bar:
        opened = {
            n: partial(ledger_of, config.load(DATABASE_URL=url), "made") for n, url in urls.items()
        }
        return await StandingsBench(plan, opened, bar.show).run()


@contextmanager
def ledgers(database: str) -> Iterator[dict[str, str]]:
    """Empty databases by name: a SQLite file that is thrown away, and the one that is named."""
    with TemporaryDirectory(prefix="arena-bench-") as folder:
        urls = {"SQLite": f"sqlite:///{folder}/arena.db"}
        if database:
            urls["PostgreSQL" if database.startswith("postgresql") else "SQLite"] = database
        yield urls
