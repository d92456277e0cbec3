"""`arena study close`: nobody judges any more, and everything may be seen.

It does not know what is seen then.
"""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime

from arena import settings as config
from arena.cli.terminal import console


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = "It can be opened again with the file as it was."
    parser.add_argument("name", metavar="NAME", help="of the study")


async def run(options: Namespace) -> int:
    from arena.compose import ledger_of
    from arena.play.studies import close_study

    async with ledger_of(config.load()) as ledger:
        await close_study(ledger, options.name, datetime.now(UTC))
    console.print(f"{options.name} is closed. Its votes stand on the leaderboard now.")
    return 0
