"""`arena bench votes`: durable votes a second and their acknowledgement, SQLite and the named one.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace
from functools import partial

from arena.cli.arguments import number, seconds, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "Needs no host: votes and replies are simulated."
    seconds(parser, "--seconds", 10, "for each figure")
    number(parser, "--battles", 1, 10_000, 100, "on the page")
    database = "an empty database for the one in PostgreSQL, which is filled"
    parser.add_argument("--database", default="", metavar="URL", help=database)
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.bench.votes import votes
    from arena.cli.bench.figures import draw
    from arena.cli.bench.standings import ledgers

    words = "Durable: acknowledged after they are on the disk. Writers wait for nothing else."
    with ledgers(options.database) as urls:
        measure = partial(votes, urls, options.seconds, options.battles)
        return draw(options, "Votes", words, measure)
